/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `pause`, `resume` and `reload`: verbs that only call a method. */
#include "control-interface.h"
#include "ctl.h"

static int change(const struct ctl *ctl, int argc, char **argv, const char *method,
		  int (*text)(const struct ctl *ctl, const json_t *reply))
{
	if (!ctl_no_arguments(argc, argv))
		return CTL_USAGE;
	return ctl_call_and_show(ctl, method, NULL, text);
}

static int print_paused(const struct ctl *ctl, const json_t *reply)
{
	(void)ctl;
	(void)reply;
	(void)puts("paused: SAs stay where they are until 'espoffloadctl resume'");
	return 0;
}

static int print_resumed(const struct ctl *ctl, const json_t *reply)
{
	(void)ctl;
	(void)reply;
	(void)puts("resumed");
	return 0;
}

static int print_reloaded(const struct ctl *ctl, const json_t *reply)
{
	const char *path = json_string_value(json_object_get(reply, "path"));
	size_t n_files = json_array_size(json_object_get(reply, "files"));
	const char *warnings = json_string_value(json_object_get(reply, "warnings"));

	(void)ctl;
	if (warnings)
		ctl_print_lines(warnings);
	(void)printf("reloaded %s", path && path[0] ? path : "the built-in configuration");
	if (n_files > 1)
		(void)printf(" and %zu more", n_files - 1);
	(void)putchar('\n');
	return 0;
}

int verb_pause(const struct ctl *ctl, int argc, char **argv)
{
	return change(ctl, argc, argv, CONTROL_INTERFACE ".Pause", print_paused);
}

int verb_resume(const struct ctl *ctl, int argc, char **argv)
{
	json_t *parameters = NULL; /* all NICs */

	if (argc > 2)
		return ctl_usage("resume: one NIC, or none for all");
	if (argc == 2) {
		parameters = json_pack("{s:s}", "nic", argv[1]);
		if (!parameters)
			return ctl_usage("resume: the name of the NIC is not UTF-8");
	}
	return ctl_call_and_show(ctl, CONTROL_INTERFACE ".Resume", parameters, print_resumed);
}

int verb_reload(const struct ctl *ctl, int argc, char **argv)
{
	return change(ctl, argc, argv, CONTROL_INTERFACE ".Reload", print_reloaded);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `pause` and `resume`: verbs that only call a method. */
#include "control-interface.h"
#include "ctl.h"

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

int verb_pause(const struct ctl *ctl, int argc, char **argv)
{
	if (!ctl_no_arguments(argc, argv))
		return CTL_USAGE;
	return ctl_call_and_show(ctl, CONTROL_INTERFACE ".Pause", NULL, print_paused);
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

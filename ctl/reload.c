// SPDX-License-Identifier: GPL-2.0-or-later
/* `reload`: the daemon reads its configuration again, for some time or for good. */
#include "control-interface.h"
#include "ctl.h"
#include "since.h"
#include "views.h"

#include <math.h>

const struct option reload_options[] = {
	{"try", required_argument, NULL, 't'},
	{"confirm", no_argument, NULL, 'c'},
	{},
};

struct reload_request {
	double seconds; /* 0: not on trial */
	bool confirm;
};

static int parse_time(const char *text, double *ret_seconds)
{
	if (since_parse_span(text, ret_seconds) >= 0 && *ret_seconds >= CONTROL_TRIAL_SECONDS_MIN &&
	    *ret_seconds <= CONTROL_TRIAL_SECONDS_MAX)
		return CTL_OK;
	return ctl_usage("reload: '%s' is not a time from %us to %umin: a number and s or min, as "
			 "in --try 60s",
			 text, CONTROL_TRIAL_SECONDS_MIN, CONTROL_TRIAL_SECONDS_MAX / 60);
}

static int parse_options(int argc, char **argv, struct reload_request *request)
{
	int option, r = CTL_OK;

	optind = 0;
	while (r == CTL_OK && (option = getopt_long(argc, argv, ":", reload_options, NULL)) >= 0) {
		switch (option) {
		case 't':
			r = parse_time(optarg, &request->seconds);
			break;
		case 'c':
			request->confirm = true;
			break;
		case ':':
			r = ctl_usage("reload: %s needs a value", argv[optind - 1]);
			break;
		default:
			r = ctl_usage("reload: unknown option %s", argv[optind - 1]);
		}
	}
	if (r == CTL_OK && optind < argc)
		r = ctl_usage("reload: unexpected argument '%s'", argv[optind]);
	if (r == CTL_OK && request->confirm && request->seconds > 0)
		r = ctl_usage("reload: --try begins a trial and --confirm ends it: one of the two");
	return r;
}

static void print_configuration(const char *what, const json_t *reply)
{
	const char *path = json_text_or(reply, "path", "");
	char more[CTL_MORE_SIZE];

	(void)printf("%s %s%s", what, path[0] ? path : "the built-in configuration",
		     ctl_more_files(json_array_size(json_object_get(reply, "files")), more));
}

static int print_reloaded(const struct ctl *ctl, const json_t *reply)
{
	const char *warnings = json_text_or(reply, "warnings", NULL);
	char text[TRIAL_TEXT_MAX];
	struct trial_view trial;

	(void)ctl;
	if (warnings)
		ctl_print_lines(warnings);
	print_configuration("reloaded", reply);
	if (trial_view_read(json_object_get(reply, "trial"), &trial) >= 0)
		(void)printf(", %s", trial_view_text(&trial, text));
	(void)putchar('\n');
	return 0;
}

static int print_confirmed(const struct ctl *ctl, const json_t *reply)
{
	(void)ctl;
	print_configuration("confirmed", reply);
	(void)putchar('\n');
	return 0;
}

/* A daemon that does not know the parameter ignores it. */
static int try(const struct ctl *ctl, double seconds)
{
	json_auto_t *reply = NULL;
	struct trial_view trial;
	int r = ctl_call(ctl, CONTROL_INTERFACE ".Reload",
			 json_pack("{s:I}", "trySeconds", (json_int_t)ceil(seconds)), &reply);

	if (r != CTL_OK)
		return r;
	r = ctl_show(ctl, reply, print_reloaded);
	if (r != CTL_OK || trial_view_read(json_object_get(reply, "trial"), &trial) >= 0)
		return r;
	ctl_error("this is no trial: espoffloadd is older than espoffloadctl, and the "
		  "configuration is in force for good");
	return CTL_FAILURE;
}

int verb_reload(const struct ctl *ctl, int argc, char **argv)
{
	struct reload_request request = {};
	int r = parse_options(argc, argv, &request);

	if (r != CTL_OK)
		return r;
	if (request.confirm)
		return ctl_call_and_show(ctl, CONTROL_INTERFACE ".ConfirmReload", NULL,
					 print_confirmed);
	if (request.seconds > 0)
		return try(ctl, request.seconds);
	return ctl_call_and_show(ctl, CONTROL_INTERFACE ".Reload", NULL, print_reloaded);
}

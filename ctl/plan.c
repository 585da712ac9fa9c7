/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `plan`: the next moves, and what keeps the best SAs outside out. */
#include "control-interface.h"
#include "ctl.h"
#include "plan-text.h"

#include <getopt.h>

#define TURNS_MAX 600

enum {
	OPTION_TURNS = 256,
};

const struct option plan_options[] = {
	{"turns", required_argument, NULL, OPTION_TURNS},
	{},
};

static int print_text(const struct ctl *ctl, const json_t *reply)
{
	return ctl_print_page(ctl, reply, plan_layout);
}

/* *ret_turns: 0 without the option. */
static int parse_options(int argc, char **argv, long *ret_turns)
{
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, ":", plan_options, NULL)) >= 0) {
		if (option == ':')
			return ctl_usage("plan: %s needs a value", argv[optind - 1]);
		if (option != OPTION_TURNS)
			return ctl_usage("plan: unknown option %s", argv[optind - 1]);
		if (ctl_parse_number(optarg, 1, TURNS_MAX, ret_turns) < 0)
			return ctl_usage("plan: --turns is 1 to %d, not '%s'", TURNS_MAX, optarg);
	}
	if (optind < argc)
		return ctl_usage("plan: unexpected argument '%s'", argv[optind]);
	return CTL_OK;
}

int verb_plan(const struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(ike_names_freep) struct ike_names *names = NULL;
	json_auto_t *reply = NULL;
	long turns = 0;
	int r = parse_options(argc, argv, &turns);

	if (r != CTL_OK)
		return r;
	r = ctl_call(ctl, CONTROL_INTERFACE ".Plan",
		     json_pack("{s:o*}", "turns", turns > 0 ? json_integer(turns) : NULL), &reply);
	if (r != CTL_OK)
		return r;
	names = ike_ask(&ctl->ike);
	ike_names_set_all(names, json_object_get(reply, "moves"), NULL);
	ike_names_set_all(names, json_object_get(reply, "outsiders"), "sa");
	return ctl_show(ctl, reply, print_text);
}

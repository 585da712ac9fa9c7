/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `list [--limit N] [--offset N] [--filter TEXT]`: the SAs, hottest first. */
#include "control-interface.h"
#include "ctl.h"
#include "sa-listing.h"

#include <errno.h>
#include <limits.h>

/* Wide enough for every column at full length. */
#define UNLIMITED_WIDTH 1024

static int print_table(const struct ctl *ctl, const json_t *reply)
{
	_cleanup_free_ struct sa_view *views = NULL;
	_cleanup_free_ const struct sa_view **rows = NULL;
	_cleanup_(frame_freep) struct frame *frame = NULL;
	struct sa_listing table;
	size_t n = 0;
	int r = sa_views_read(reply, &views, &n);

	if (r < 0)
		return r;
	rows = calloc(n ? n : 1, sizeof(const struct sa_view *));
	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		rows[i] = &views[i];
	/* A pipe gets whole fields, a terminal what fits it. */
	table = sa_listing_layout(rows, n, ctl->terminal ? ctl->width : 0, false);
	r = frame_new(ctl->terminal && ctl->width > 0 ? ctl->width : UNLIMITED_WIDTH, 1, ctl->ascii,
		      &frame);
	if (r < 0)
		return r;
	sa_table_draw_head(&table, frame, 0, -1);
	frame_write(frame, ctl->color, stdout);
	for (size_t i = 0; i < n; i++) {
		frame_clear(frame, 0, 0, 1, frame->width);
		sa_table_draw_row(&table, frame, 0, rows[i]);
		frame_write(frame, ctl->color, stdout);
	}
	if (json_integer_value(json_object_get(reply, "total")) > (json_int_t)n)
		(void)printf("(%zu of %lld SAs)\n", n,
			     (long long)json_integer_value(json_object_get(reply, "total")));
	return 0;
}

const struct option list_options[] = {
	{"limit", required_argument, NULL, 'l'},
	{"offset", required_argument, NULL, 'o'},
	{"filter", required_argument, NULL, 'f'},
	{},
};

static int parse_options(int argc, char **argv, json_t *parameters)
{
	long number;
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, ":", list_options, NULL)) >= 0) {
		switch (option) {
		case 'l':
			if (ctl_parse_number(optarg, 1, INT_MAX, &number) < 0)
				return ctl_usage("list: --limit needs a number from 1 on, not '%s'",
						 optarg);
			(void)json_object_set_new(parameters, "limit", json_integer(number));
			break;
		case 'o':
			if (ctl_parse_number(optarg, 0, INT_MAX, &number) < 0)
				return ctl_usage("list: --offset needs a number, not '%s'", optarg);
			(void)json_object_set_new(parameters, "offset", json_integer(number));
			break;
		case 'f':
			if (json_object_set_new(parameters, "filter", json_string(optarg)) < 0)
				return ctl_usage("list: the filter is not UTF-8");
			break;
		case ':':
			return ctl_usage("list: %s needs a value", argv[optind - 1]);
		default:
			return ctl_usage("list: unknown option %s", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return ctl_usage("list: unexpected argument '%s' (to search: --filter %s)",
				 argv[optind], argv[optind]);
	return CTL_OK;
}

int verb_list(const struct ctl *ctl, int argc, char **argv)
{
	json_t *parameters = json_object();
	json_t *reply = NULL;
	int r = parse_options(argc, argv, parameters);

	if (r != CTL_OK) {
		json_decref(parameters);
		return r;
	}
	r = ctl_call(ctl, CONTROL_INTERFACE ".ListSAs", parameters, &reply);
	if (r != CTL_OK)
		return r;
	r = ctl_show(ctl, reply, print_table);
	json_decref(reply);
	return r;
}

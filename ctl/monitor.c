// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `monitor [SPI|PEER] [-n N]`: the events of the daemon as they happen, until a signal, the end of
 * the daemon, or that of the program that reads them. As `history` shows them; JSON is one object a
 * line.
 */
#include "control-interface.h"
#include "ctl.h"
#include "history-text.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

struct monitor {
	struct ctl ctl;
	const char *wanted; /* an SPI or a peer; NULL: all */
	struct event_filter filter;
	long left; /* events, then it ends; LONG_MAX: none */
	struct ike_watch watch;
	struct history_table *table;
	int status;
};

const struct option monitor_options[] = {
	{"limit", required_argument, NULL, 'n'},
	{},
};

static int parse_arguments(int argc, char **argv, struct monitor *monitor)
{
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, ":" MONITOR_SHORT_OPTIONS, monitor_options,
				     NULL)) >= 0) {
		switch (option) {
		case 'n':
			if (ctl_parse_number(optarg, 1, LONG_MAX - 1, &monitor->left) < 0)
				return ctl_usage("monitor: -n needs a number from 1 on, not '%s'",
						 optarg);
			break;
		case ':':
			return ctl_usage("monitor: %s needs a value", argv[optind - 1]);
		default:
			return ctl_usage("monitor: unknown option %s", argv[optind - 1]);
		}
	}
	monitor->wanted = argv[optind];
	if (monitor->wanted &&
	    ctl_parse_sas("monitor", monitor->wanted, &monitor->filter) != CTL_OK)
		return CTL_USAGE;
	if (monitor->wanted && optind + 1 < argc)
		return ctl_usage("monitor: unexpected argument '%s'", argv[optind + 1]);
	return CTL_OK;
}

static json_t *make_parameters(const struct monitor *monitor)
{
	if (monitor->filter.by_spi)
		return json_pack("{s:o}", "spi", json_sprintf("0x%08x", monitor->filter.spi));
	return json_pack("{s:s*}", "peer", monitor->wanted);
}

/* Each line is written at once, so that a program that reads them need not wait. */
static int print_event(struct monitor *monitor, const json_t *event)
{
	if (monitor->table)
		history_table_add(monitor->table, event);
	else
		ctl_print_json(&monitor->ctl, event);
	monitor->status = ctl_check_output();
	return monitor->status != CTL_OK || --monitor->left == 0;
}

/* When the daemon has answered, so that an error is not below the titles of a table. */
static int begin_table(struct monitor *monitor)
{
	const struct ctl *ctl = &monitor->ctl;
	int r;

	if (monitor->table || ctl->json != CTL_JSON_OFF)
		return 0;
	r = history_table_new(ctl->terminal ? ctl->width : 0, ctl->ascii, ctl->color, stdout,
			      &monitor->table);
	if (r < 0)
		return r;
	history_table_begin(monitor->table, !ike_names_is_empty(monitor->watch.names));
	monitor->status = ctl_check_output();
	return monitor->status != CTL_OK;
}

static int handle(json_t *reply, void *userdata)
{
	json_t *events = json_object_get(reply, "events");
	struct monitor *monitor = userdata;
	const json_t *event;
	size_t i;
	int r;

	/* The names are asked for before the first event. Later events wait for new ones from time
	 * to time. */
	ike_watch_wait(&monitor->watch);
	r = begin_table(monitor);
	if (r != 0)
		return r;
	if (!json_is_array(events))
		return -EBADMSG;
	ike_names_set_all(monitor->watch.names, events, NULL);
	json_array_foreach(events, i, event)
		if (print_event(monitor, event))
			return 1;
	return 0;
}

/* A signal ends it at any time, also while the output is blocked. What was printed is written. */
static void on_signal(int number)
{
	(void)number;
	_exit(CTL_OK);
}

static void handle_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
	const struct sigaction action = {.sa_handler = on_signal};

	for (size_t i = 0; i < ELEMENTSOF(signals); i++)
		(void)sigaction(signals[i], &action, NULL);
}

int verb_monitor(const struct ctl *ctl, int argc, char **argv)
{
	struct monitor monitor = {.ctl = *ctl, .left = LONG_MAX, .watch.sources = &ctl->ike};
	int r = parse_arguments(argc, argv, &monitor);

	if (r != CTL_OK)
		return r;
	handle_signals();
	if (ctl->json != CTL_JSON_OFF)
		monitor.ctl.json = CTL_JSON_SHORT; /* one line, also on terminals */
	r = ctl_follow(ctl, CONTROL_INTERFACE ".Monitor", make_parameters(&monitor), handle,
		       &monitor);
	ike_watch_done(&monitor.watch);
	history_table_free(monitor.table);
	return r == CTL_OK ? monitor.status : r;
}

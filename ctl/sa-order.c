/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `pin`, `unpin`, `ban` and `unban`: orders on SAs. */
#include "cleanup.h"
#include "control-interface.h"
#include "ctl.h"
#include "since.h"
#include "views.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define SECONDS_MAX 31536000.0 /* 365d */

const struct option sa_order_options[] = {
	{"for", required_argument, NULL, 'f'},
	{"persist", no_argument, NULL, 'p'},
	{},
};

struct order_request {
	const char *verb;
	double seconds; /* 0: no end */
	bool persist;
};

static int parse_options(int argc, char **argv, struct order_request *request)
{
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, ":", sa_order_options, NULL)) >= 0) {
		switch (option) {
		case 'f':
			if (since_parse_span(optarg, &request->seconds) < 0 ||
			    !(request->seconds >= 1 && request->seconds <= SECONDS_MAX))
				return ctl_usage("%s: '%s' is not a time from 1s to 365d: a number "
						 "and s, min, h or d, as in --for 2h",
						 request->verb, optarg);
			break;
		case 'p':
			request->persist = true;
			break;
		case ':':
			return ctl_usage("%s: %s needs a value", request->verb, argv[optind - 1]);
		default:
			return ctl_usage("%s: unknown option %s", request->verb, argv[optind - 1]);
		}
	}
	return CTL_OK;
}

/* `SPI [DST]` or `PEER`, the n arguments of `argv`. */
static int make_target(const char *verb, int n, char **argv, json_t **ret_parameters)
{
	struct event_filter filter;
	char text[16];

	if (ctl_parse_sas(verb, argv[0], &filter) != CTL_OK)
		return CTL_USAGE;
	if (filter.by_spi) {
		if (n > 2)
			return ctl_usage("%s: unexpected argument '%s'", verb, argv[2]);
		(void)snprintf(text, sizeof(text), "0x%08x", filter.spi);
		*ret_parameters =
			json_pack("{s:s, s:s*}", "spi", text, "dst", n > 1 ? argv[1] : NULL);
		if (!*ret_parameters)
			return ctl_usage("%s: the destination is not UTF-8", verb);
		return CTL_OK;
	}
	if (n > 1)
		return ctl_usage("%s: unexpected argument '%s'", verb, argv[1]);
	*ret_parameters = json_pack("{s:s}", "peer", argv[0]);
	return CTL_OK;
}

/* The order holds nevertheless: what is in the way can end. */
static void print_obstacles(const json_t *obstacles)
{
	for (size_t i = 0; i < json_array_size(obstacles); i++) {
		const json_t *obstacle = json_array_get(obstacles, i);
		int64_t n = json_whole_or(obstacle, "sas", 0);

		(void)printf("%" PRId64 " SA%s where %s for now: %s (%s).\n", n,
			     n == 1 ? " stays" : "s stay", n == 1 ? "it is" : "they are",
			     json_text_or(obstacle, "text", "?"),
			     json_text_or(obstacle, "reason", "?"));
	}
}

static int print_given(const struct ctl *ctl, const json_t *reply)
{
	const json_t *orders = json_object_get(reply, "orders");
	int64_t n = json_whole_or(reply, "sas", 0);

	for (size_t i = 0; i < json_array_size(orders); i++) {
		char text[ORDER_TEXT_MAX];
		struct order_view order;

		if (order_view_read(json_array_get(orders, i), &order) >= 0)
			(void)printf("%s: %s\n", order.kind,
				     order_view_text(&order, ctl->ascii, text));
	}
	if (n == 0)
		(void)puts("No SA has this peer now; the order holds for those to come.");
	else
		(void)printf("%" PRId64 " SA%s concerned; 'espoffloadctl explain SPI' tells what "
			     "becomes of each.\n",
			     n, n == 1 ? " is" : "s are");
	print_obstacles(json_object_get(reply, "obstacles"));
	if (json_is_true(json_object_get(reply, "paused")))
		(void)puts("espoffloadd is paused: nothing is moved before 'espoffloadctl "
			   "resume'.");
	return 0;
}

static int print_ended(const struct ctl *ctl, const json_t *reply)
{
	int64_t n = json_whole_or(reply, "ended", 0);

	(void)ctl;
	(void)printf("%" PRId64 " order%s ended\n", n, n == 1 ? "" : "s");
	return 0;
}

static int give(const struct ctl *ctl, int argc, char **argv, const char *method)
{
	struct order_request request = {.verb = argv[0]};
	json_t *parameters = NULL;
	int r = parse_options(argc, argv, &request);

	if (r == CTL_OK && optind == argc)
		r = ctl_usage("%s: which SA? An SPI, or the address or prefix of a peer", argv[0]);
	if (r == CTL_OK)
		r = make_target(request.verb, argc - optind, argv + optind, &parameters);
	if (r != CTL_OK)
		return r;
	if (request.seconds > 0) /* the daemon takes whole seconds */
		(void)json_object_set_new(parameters, "seconds",
					  json_integer((json_int_t)ceil(request.seconds)));
	if (request.persist)
		(void)json_object_set_new(parameters, "persist", json_true());
	return ctl_call_and_show(ctl, method, parameters, print_given);
}

static int end(const struct ctl *ctl, int argc, char **argv, const char *method)
{
	json_t *parameters = NULL;
	int r = CTL_OK;

	if (argc > 1)
		r = make_target(argv[0], argc - 1, argv + 1, &parameters);
	return r == CTL_OK ? ctl_call_and_show(ctl, method, parameters, print_ended) : r;
}

int verb_pin(const struct ctl *ctl, int argc, char **argv)
{
	return give(ctl, argc, argv, CONTROL_INTERFACE ".Pin");
}

int verb_unpin(const struct ctl *ctl, int argc, char **argv)
{
	return end(ctl, argc, argv, CONTROL_INTERFACE ".Unpin");
}

int verb_ban(const struct ctl *ctl, int argc, char **argv)
{
	return give(ctl, argc, argv, CONTROL_INTERFACE ".Ban");
}

int verb_unban(const struct ctl *ctl, int argc, char **argv)
{
	return end(ctl, argc, argv, CONTROL_INTERFACE ".Unban");
}

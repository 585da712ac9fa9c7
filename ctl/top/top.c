/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `top`: the SAs, live on a terminal, or as plain frames. */
#include "top/top.h"

#include "sa-listing.h"

#include <limits.h>
#include <string.h>

/* A frame has less than 65,536 lines. */
#define TOP_ROWS_MAX 50000

static int parse_delay(const char *text, double *ret_delay)
{
	char *end;
	double delay = strtod(text, &end);

	if (end == text || *end || !(delay >= TOP_DELAY_MIN && delay <= TOP_DELAY_MAX))
		return ctl_usage("top: -d needs seconds from %g to %g, not '%s'", TOP_DELAY_MIN,
				 TOP_DELAY_MAX, text);
	*ret_delay = delay;
	return CTL_OK;
}

static int parse_peer_sort(const char *text, struct top_page *page)
{
	for (enum top_peer_sort i = 0; i < _TOP_PEER_SORT_MAX; i++) {
		if (strcasecmp(text, top_peer_sort_name(i)) == 0) {
			page->peer_sort = i;
			return CTL_OK;
		}
	}
	return ctl_usage("top: with --group peer, --sort is rate, sas, offloaded or peer, not '%s'",
			 text);
}

static int parse_sort(const char *text, struct top_page *page)
{
	if (page->peers)
		return parse_peer_sort(text, page);
	for (enum top_sort i = 0; i < _TOP_SORT_MAX; i++) {
		if (strcasecmp(text, top_sort_name(i)) == 0) {
			page->sort = i;
			return CTL_OK;
		}
	}
	return ctl_usage("top: --sort is rate, rank, placement, direction, spi, peer, source, "
			 "destination or nic, not '%s'",
			 text);
}

/* The daemon checks the value. */
static int parse_filter(const char *option, const char *text, char ret_filter[TOP_FILTER_MAX])
{
	if (strlen(text) >= TOP_FILTER_MAX)
		return ctl_usage("top: the value of --%s has more than %d characters", option,
				 TOP_FILTER_MAX - 1);
	memcpy(ret_filter, text, strlen(text) + 1);
	return CTL_OK;
}

static int parse_count(const char *option, const char *text, long most, long *ret_count)
{
	if (ctl_parse_number(text, 1, most, ret_count) < 0)
		return ctl_usage("top: %s needs a number from 1 to %ld, not '%s'", option, most,
				 text);
	return CTL_OK;
}

static int parse_columns(const char *text, uint32_t *ret_columns)
{
	char names[512] = "";
	size_t n = 0;

	if (sa_columns_parse(text, ret_columns) >= 0)
		return CTL_OK;
	for (enum sa_column i = 0; i < _SA_COLUMN_MAX && n < sizeof(names); i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", i ? ", " : "",
				      sa_column_name(i));
	return ctl_usage("top: --columns is a list of %s, with commas, not '%s'", names, text);
}

/* Option values of the filters by one field, beyond all letters. */
#define OPTION_ONLY 256

static int parse_option(int option, char **argv, struct top_options *options, const char **ret_sort)
{
	enum top_only only = (enum top_only)(option - OPTION_ONLY);

	if (option >= OPTION_ONLY)
		return parse_filter(top_only_name(only), optarg, options->page.only[only]);
	switch (option) {
	case 'b':
		options->batch = true;
		return CTL_OK;
	case 'r':
		options->page.reverse = true;
		return CTL_OK;
	case 'm':
		options->mouse = true;
		return CTL_OK;
	case 'f':
		return parse_filter("filter", optarg, options->page.filter);
	case 'n':
		return parse_count("-n", optarg, INT_MAX, &options->iterations);
	case 'R':
		return parse_count("--rows", optarg, TOP_ROWS_MAX, &options->rows);
	case 'c':
		return parse_columns(optarg, &options->columns);
	case 'g':
		if (strcmp(optarg, "peer") != 0)
			return ctl_usage("top: --group is peer, not '%s'", optarg);
		options->page.peers = true;
		return CTL_OK;
	case 'd':
		return parse_delay(optarg, &options->delay);
	case 's':
		*ret_sort = optarg;
		return CTL_OK;
	case ':':
		return ctl_usage("top: %s needs a value", argv[optind - 1]);
	default:
		return ctl_usage("top: unknown option %s", argv[optind - 1]);
	}
}

const struct option top_options[] = {
	{"batch", no_argument, NULL, 'b'},
	{"iterations", required_argument, NULL, 'n'},
	{"delay", required_argument, NULL, 'd'},
	{"rows", required_argument, NULL, 'R'},
	{"sort", required_argument, NULL, 's'},
	{"reverse", no_argument, NULL, 'r'},
	{"filter", required_argument, NULL, 'f'},
	{"columns", required_argument, NULL, 'c'},
	{"mouse", no_argument, NULL, 'm'},
	{"nic", required_argument, NULL, OPTION_ONLY + TOP_ONLY_NIC},
	{"direction", required_argument, NULL, OPTION_ONLY + TOP_ONLY_DIRECTION},
	{"placement", required_argument, NULL, OPTION_ONLY + TOP_ONLY_PLACEMENT},
	{"peer", required_argument, NULL, OPTION_ONLY + TOP_ONLY_PEER},
	{"group", required_argument, NULL, 'g'},
	{},
};

static int parse_options(int argc, char **argv, struct top_options *ret_options)
{
	struct top_options options = {.delay = 1};
	const char *sort = NULL;
	int option, r;

	optind = 0;
	while ((option = getopt_long(argc, argv, ":" TOP_SHORT_OPTIONS, top_options, NULL)) >= 0) {
		r = parse_option(option, argv, &options, &sort);
		if (r != CTL_OK)
			return r;
	}
	/* Its values depend on what the rows are. */
	r = sort ? parse_sort(sort, &options.page) : CTL_OK;
	if (r != CTL_OK)
		return r;
	if (optind < argc)
		return ctl_usage("top: unexpected argument '%s' (to search: --filter %s)",
				 argv[optind], argv[optind]);
	*ret_options = options;
	return CTL_OK;
}

int verb_top(const struct ctl *ctl, int argc, char **argv)
{
	struct top_options options = {};
	const char *term = getenv("TERM");
	bool dumb = !term || !*term || strcmp(term, "dumb") == 0;
	bool terminal = ctl->terminal && isatty(STDIN_FILENO);
	int r = parse_options(argc, argv, &options);

	if (r != CTL_OK)
		return r;
	if (terminal && !dumb && !options.batch && ctl->json == CTL_JSON_OFF)
		return top_run_live(ctl, &options);
	/* Without a terminal, one frame unless options request more. */
	if (!ctl->terminal && !options.batch && options.iterations == 0)
		options.iterations = 1;
	return top_run_batch(ctl, &options);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `history [SPI|PEER] [--since TIME] [-n N] [-D DIRECTORY]`: the last moves, with their reasons and
 * numbers. They are read from the journal, so the daemon need not run, and a restart does not lose
 * them.
 */
#include "ctl.h"
#include "history-text.h"
#include "since.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-journal.h>

#define ENTRIES 20
#define ENTRIES_SINCE 1000 /* with --since */
#define ENTRIES_MAX 100000
/* So that a search for what is not there ends. */
#define SCAN_MAX 1000000
/* Bytes of a field that are decompressed. */
#define THRESHOLD 1024
/* Only journald sets fields that begin with an underscore, so no other program can write entries
 * that match. */
#define UNIT_MATCH "_SYSTEMD_UNIT=espoffloadd.service"

struct history_query {
	struct event_filter filter;
	const char *directory; /* NULL: the journal of this machine */
	double since;          /* s since 1970 */
	size_t limit;          /* entries; 0: the default */
};

const struct option history_options[] = {
	{"since", required_argument, NULL, 'S'},
	{"limit", required_argument, NULL, 'n'},
	{"directory", required_argument, NULL, 'D'},
	{},
};

static int parse_options(int argc, char **argv, struct history_query *query)
{
	struct timespec now;
	long number;
	int option;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	optind = 0;
	while ((option = getopt_long(argc, argv, ":" HISTORY_SHORT_OPTIONS, history_options,
				     NULL)) >= 0) {
		switch (option) {
		case 'S':
			if (since_parse(optarg, (double)now.tv_sec, &query->since) < 0)
				return ctl_usage("history: '%s' is not a time: " SINCE_FORMS,
						 optarg);
			break;
		case 'n':
			if (ctl_parse_number(optarg, 1, ENTRIES_MAX, &number) < 0)
				return ctl_usage("history: -n needs a number from 1 to %d, not "
						 "'%s'",
						 ENTRIES_MAX, optarg);
			query->limit = (size_t)number;
			break;
		case 'D':
			query->directory = optarg;
			break;
		case ':':
			return ctl_usage("history: %s needs a value", argv[optind - 1]);
		default:
			return ctl_usage("history: unknown option %s", argv[optind - 1]);
		}
	}
	if (optind < argc && ctl_parse_sas("history", argv[optind], &query->filter) != CTL_OK)
		return CTL_USAGE;
	if (optind + 1 < argc)
		return ctl_usage("history: unexpected argument '%s'", argv[optind + 1]);
	if (query->limit == 0)
		query->limit = query->since > 0 ? ENTRIES_SINCE : ENTRIES;
	return CTL_OK;
}

/* ---- Reading. `more`: there may be older entries that match. ---- */

/* The entries of the unit with any of the matches. */
static int add_matches(sd_journal *journal, const struct event_filter *filter)
{
	char spi[40];
	int r = 0;

	for (size_t i = 0; r >= 0 && event_history_match(i); i++) {
		r = sd_journal_add_match(journal, event_history_match(i), 0);
		if (r >= 0)
			r = sd_journal_add_match(journal, UNIT_MATCH, 0);
		if (r >= 0)
			r = sd_journal_add_disjunction(journal);
	}
	if (r < 0 || !filter->by_spi)
		return r;
	/* The journal has an index of all values, which makes a search for one fast. */
	(void)snprintf(spi, sizeof(spi), "ESPOFFLOAD_SPI=0x%08x", filter->spi);
	r = sd_journal_add_conjunction(journal);
	return r < 0 ? r : sd_journal_add_match(journal, spi, 0);
}

static bool field_of(void *userdata, const char *name, const char **ret_value, size_t *ret_size)
{
	size_t skip = strlen(name) + 1; /* NAME= */
	const void *data;
	size_t size;

	/* A damaged field is taken as missing. */
	if (sd_journal_get_data(userdata, name, &data, &size) < 0 || size < skip)
		return false;
	*ret_value = (const char *)data + skip;
	*ret_size = size - skip < THRESHOLD ? size - skip : THRESHOLD;
	return true;
}

/* Appends the entry at the journal's position, the oldest last. Returns 1 if the end is reached, or
 * 0. */
static int read_entry(sd_journal *journal, const struct history_query *query, json_t *entries,
		      bool *more)
{
	json_t *object;
	uint64_t time; /* us */
	int r;

	if (sd_journal_get_realtime_usec(journal, &time) < 0)
		return 0; /* damaged */
	if ((double)time * 1e-6 < query->since)
		return 1;
	r = event_entry_read(field_of, journal, (double)time * 1e-6, &query->filter, &object);
	if (r < 0 || !object)
		return r;
	if (json_array_size(entries) == query->limit) {
		json_decref(object);
		*more = true;
		return 1;
	}
	return json_array_append_new(entries, object) < 0 ? -ENOMEM : 0;
}

static int read_entries(sd_journal *journal, const struct history_query *query, json_t *entries,
			bool *more)
{
	int r = sd_journal_set_data_threshold(journal, THRESHOLD);

	if (r >= 0)
		r = add_matches(journal, &query->filter);
	if (r >= 0)
		r = sd_journal_seek_tail(journal);
	for (size_t i = 0; r >= 0; i++) {
		r = sd_journal_previous(journal);
		if (r <= 0)
			return r;
		*more = i == SCAN_MAX;
		r = *more ? 1 : read_entry(journal, query, entries, more);
		if (r > 0)
			return 0;
	}
	return r;
}

/* The document, with the newest entry last. Takes `entries`. */
static json_t *make_document(json_t *entries, bool more)
{
	json_t *ordered = json_array();

	for (size_t i = json_array_size(entries); i > 0; i--)
		(void)json_array_append(ordered, json_array_get(entries, i - 1));
	json_decref(entries);
	return json_pack("{s:o, s:b}", "history", ordered, "more", (int)more);
}

static int read_history(sd_journal *journal, const struct history_query *query,
			json_t **ret_document)
{
	json_t *entries = json_array();
	bool more = false;
	int r = entries ? read_entries(journal, query, entries, &more) : -ENOMEM;

	if (r < 0) {
		json_decref(entries);
		return r;
	}
	*ret_document = make_document(entries, more);
	return *ret_document ? 0 : -ENOMEM;
}

static int open_journal(const struct history_query *query, sd_journal **ret_journal)
{
	if (query->directory)
		return sd_journal_open_directory(ret_journal, query->directory, 0);
	return sd_journal_open(ret_journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
}

/* Files that cannot be opened are not an error of sd_journal_open(). */
static bool has_files(sd_journal *journal, const struct history_query *query)
{
	return query->directory || sd_journal_has_persistent_files(journal) > 0 ||
	       sd_journal_has_runtime_files(journal) > 0;
}

static int tell_failure(int error)
{
	if (error != -EACCES && error != -EPERM)
		ctl_error("cannot read the journal: %s", strerror(-error));
	else if (geteuid() == 0)
		ctl_error("there is no journal: is systemd-journald running?");
	else
		ctl_error("no permission to read the journal: that is for root (sudo) and the "
			  "groups 'systemd-journal' and 'adm' (usermod -aG systemd-journal USER, "
			  "then log in again)");
	return CTL_FAILURE;
}

/* ---- Printing ---- */

static int print_text(const struct ctl *ctl, const json_t *document)
{
	size_t n = json_array_size(json_object_get(document, "history"));
	int r = history_print(document, ctl->terminal ? ctl->width : 0, ctl->ascii, ctl->color,
			      stdout);

	if (r >= 0 && n == 0)
		(void)puts("No moves in the journal.");
	if (r >= 0 && json_is_true(json_object_get(document, "more")))
		(void)printf("(the last %zu; -n shows more)\n", n);
	return r;
}

int verb_history(const struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(ike_names_freep) struct ike_names *names = NULL;
	struct history_query query = {};
	json_t *document = NULL;
	sd_journal *journal = NULL;
	int r = parse_options(argc, argv, &query);

	if (r != CTL_OK)
		return r;
	r = open_journal(&query, &journal);
	if (r >= 0 && !has_files(journal, &query))
		r = -EACCES;
	if (r >= 0)
		r = read_history(journal, &query, &document);
	sd_journal_close(journal);
	if (r < 0)
		return tell_failure(r);
	names = ike_ask(&ctl->ike);
	ike_names_set_all(names, json_object_get(document, "history"), NULL);
	r = ctl_show(ctl, document, print_text);
	json_decref(document);
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by the verbs of espoffloadctl.
 *
 * A verb asks the daemon, gets one JSON document, and passes it to ctl_show(). JSON output prints
 * that document, and text output is made from that document only, so that the two always agree.
 * Every verb returns the exit status of the program.
 */
#pragma once

#include "cleanup.h"
#include "event-filter.h"
#include "ike/ask.h"

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>

struct frame;

enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILURE = 1,
	CTL_USAGE = 2,
	CTL_UNREACHABLE = 3,
	CTL_INVALID_CONFIG = 4,
	CTL_DEGRADED = 5,
	CTL_CANNOT_OFFLOAD = 6,
};

enum ctl_json {
	CTL_JSON_OFF,
	CTL_JSON_SHORT,  /* one line */
	CTL_JSON_PRETTY, /* indented */
};

struct ctl {
	const char *socket;
	struct ike_sources ike; /* whom to ask for names of connections */
	enum ctl_json json;
	bool terminal; /* stdout is one */
	bool color;    /* escape sequences may be written to stdout */
	bool ascii;    /* the locale is not UTF-8, or the user wants ASCII */
	int width;     /* of the terminal or $COLUMNS; 0: unlimited */
};

/* Seconds within which the daemon must answer. */
#define CTL_TIMEOUT 5.0

/* Prints text of the daemon to stderr, without control characters, and with exactly one newline at
 * the end. */
void ctl_print_lines(const char *text);
/* " and 2 more" behind the name of the first file, or nothing: `buffer`. */
#define CTL_MORE_SIZE 40
const char *ctl_more_files(size_t n_files, char buffer[CTL_MORE_SIZE]);
/* Writes "espoffloadctl: TEXT" to stderr. */
void ctl_error(const char *format, ...) _printf_(1, 2);

/*
 * Makes one method call over a new connection. Takes `parameters`, which may be NULL. Reports
 * failures on stderr, and what to do about them. Returns CTL_OK or the exit status.
 */
int ctl_call(const struct ctl *ctl, const char *method, json_t *parameters, json_t **ret_reply);

/* The same without a message on stderr, for a verb that does not need the daemon. Returns 0, a
 * negative errno of varlink-client.h, or -EREMOTEIO if the daemon answers with an error. */
int ctl_try_call(const struct ctl *ctl, const char *method, json_t *parameters, json_t **ret_reply);

/*
 * The same as ctl_call(), and calls `handle` for each reply; all except the last continue. A
 * negative return value of `handle` is a failure as in ctl_tell_failure().
 */
int ctl_call_more(const struct ctl *ctl, const char *method, json_t *parameters,
		  int (*handle)(json_t *reply, bool last, void *userdata), void *userdata);

/*
 * The same for a method that follows what happens, whose replies may come at any time. Returns when
 * `handle` returns 1, when nobody reads standard output any more (CTL_OK), or when the daemon ends
 * (CTL_UNREACHABLE).
 */
int ctl_follow(const struct ctl *ctl, const char *method, json_t *parameters,
	       int (*handle)(json_t *reply, void *userdata), void *userdata);

/* Reports why a connection or a call failed (a negative errno of varlink-client.h). Returns the
 * exit status. */
int ctl_tell_failure(const struct ctl *ctl, int error);

/* Prints the document, as JSON or by `text`. Returns CTL_OK, or CTL_FAILURE if it cannot be
 * written. */
int ctl_show(const struct ctl *ctl, const json_t *document,
	     int (*text)(const struct ctl *ctl, const json_t *document));
/* Both in one: calls a method of the daemon and prints its reply. Takes `parameters`. */
int ctl_call_and_show(const struct ctl *ctl, const char *method, json_t *parameters,
		      int (*text)(const struct ctl *ctl, const json_t *reply));
/* For `text` above: prints the frame that `layout` makes for the width of the terminal. */
int ctl_print_page(const struct ctl *ctl, const json_t *document,
		   int (*layout)(const json_t *document, int width, bool ascii,
				 struct frame **ret_frame));
/* The same for what was printed by other means. */
int ctl_check_output(void);
/* Of json_dumps(), as the user wants it. */
size_t ctl_json_flags(const struct ctl *ctl);
/* Prints one JSON document and a newline. */
void ctl_print_json(const struct ctl *ctl, const json_t *document);

/* Whether the verb has no arguments; otherwise reports a usage error. */
bool ctl_no_arguments(int argc, char **argv);
/* Prints "espoffloadctl: TEXT" and how to get help. Returns CTL_USAGE. */
int ctl_usage(const char *format, ...) _printf_(1, 2);
/* Parses a whole number in [min, max]. Returns 0, -EINVAL or -ERANGE. */
int ctl_parse_number(const char *text, long min, long max, long *ret_value);
/* Parses an argument that says which SAs: an SPI, or the address or prefix of a peer. Reports a
 * usage error. */
int ctl_parse_sas(const char *verb, const char *text, struct event_filter *ret_filter);

/* The options of verbs that have some, for getopt_long(). */
extern const struct option list_options[];
extern const struct option top_options[];
#define TOP_SHORT_OPTIONS "bn:d:s:r"
extern const struct option metrics_options[];
extern const struct option check_config_options[];
extern const struct option plan_options[];
extern const struct option history_options[];
extern const struct option sa_order_options[];
extern const struct option reload_options[];
extern const struct option record_options[];
#define HISTORY_SHORT_OPTIONS "n:D:"
extern const struct option monitor_options[];
#define MONITOR_SHORT_OPTIONS "n:"
extern const struct option simulate_options[];

/* The verbs. argv[0] is the verb's name; global options are removed. */
int verb_status(const struct ctl *ctl, int argc, char **argv);
int verb_list(const struct ctl *ctl, int argc, char **argv);
int verb_top(const struct ctl *ctl, int argc, char **argv);
int verb_metrics(const struct ctl *ctl, int argc, char **argv);
int verb_explain(const struct ctl *ctl, int argc, char **argv);
int verb_show(const struct ctl *ctl, int argc, char **argv);
int verb_plan(const struct ctl *ctl, int argc, char **argv);
int verb_history(const struct ctl *ctl, int argc, char **argv);
int verb_monitor(const struct ctl *ctl, int argc, char **argv);
int verb_record(const struct ctl *ctl, int argc, char **argv);
int verb_pause(const struct ctl *ctl, int argc, char **argv);
int verb_resume(const struct ctl *ctl, int argc, char **argv);
int verb_evacuate(const struct ctl *ctl, int argc, char **argv);
int verb_pin(const struct ctl *ctl, int argc, char **argv);
int verb_unpin(const struct ctl *ctl, int argc, char **argv);
int verb_ban(const struct ctl *ctl, int argc, char **argv);
int verb_unban(const struct ctl *ctl, int argc, char **argv);
int verb_reload(const struct ctl *ctl, int argc, char **argv);
int verb_check_config(const struct ctl *ctl, int argc, char **argv);
int verb_doctor(const struct ctl *ctl, int argc, char **argv);
int verb_simulate(const struct ctl *ctl, int argc, char **argv);
int verb_version(const struct ctl *ctl, int argc, char **argv);

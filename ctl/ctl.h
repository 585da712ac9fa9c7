/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the verbs of espoffloadctl share.
 *
 * A verb asks the daemon, gets one JSON document, and hands it to ctl_show(): JSON output prints
 * that document, text output is made from that document and nothing else, so that the two cannot
 * tell different stories. Every verb returns the exit status of the program.
 */
#pragma once

#include "cleanup.h"

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>

enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILURE = 1,
	CTL_USAGE = 2,
	CTL_UNREACHABLE = 3,
	CTL_INVALID_CONFIG = 4,
	CTL_DEGRADED = 5,
};

enum ctl_json {
	CTL_JSON_OFF,
	CTL_JSON_SHORT,  /* one line */
	CTL_JSON_PRETTY, /* indented */
};

struct ctl {
	const char *socket;
	enum ctl_json json;
	bool terminal; /* stdout is one */
	bool color;    /* escape sequences may be written to stdout */
	bool ascii;    /* the locale is not UTF-8, or the user wants ASCII */
	int width;     /* of the terminal or $COLUMNS; 0: unlimited */
};

/* Seconds the daemon has to answer. */
#define CTL_TIMEOUT 5.0

/* What the daemon told, on stderr, without control characters; ended by exactly one newline. */
void ctl_print_lines(const char *text);
/* Writes "espoffloadctl: TEXT" to stderr. */
void ctl_error(const char *format, ...) _printf_(1, 2);

/*
 * One method call over a connection of its own; `parameters` is stolen and may be NULL. Failures
 * are told on stderr with their remedy. Returns CTL_OK or the exit status.
 */
int ctl_call(const struct ctl *ctl, const char *method, json_t *parameters, json_t **ret_reply);

/*
 * The same, with `handle` for each reply, of which all but the last continue; less than 0 from it
 * is a failure as ctl_tell_failure() has it.
 */
int ctl_call_more(const struct ctl *ctl, const char *method, json_t *parameters,
		  int (*handle)(json_t *reply, bool last, void *userdata), void *userdata);

/* Tells why a connection or a call failed (a negative errno of varlink-client.h), returns the exit
 * status that goes with it. */
int ctl_tell_failure(const struct ctl *ctl, int error);

/* Prints the document, as JSON or by `text`. Returns CTL_OK, or CTL_FAILURE if stdout is full or
 * gone. */
int ctl_show(const struct ctl *ctl, const json_t *document,
	     int (*text)(const struct ctl *ctl, const json_t *document));
/* The same for what was printed by other means. */
int ctl_check_output(void);
/* Of json_dumps(), as the user wants it. */
size_t ctl_json_flags(const struct ctl *ctl);
/* Prints one JSON document and a newline. */
void ctl_print_json(const struct ctl *ctl, const json_t *document);

/* Whether the verb got no arguments; tells the user when it did. */
bool ctl_no_arguments(int argc, char **argv);
/* "espoffloadctl VERB: TEXT" and how to get help; returns CTL_USAGE. */
int ctl_usage(const char *format, ...) _printf_(1, 2);
/* A whole number in [min, max]; returns 0, -EINVAL or -ERANGE. */
int ctl_parse_number(const char *text, long min, long max, long *ret_value);

/* The options of those that have some, for getopt_long(). */
extern const struct option list_options[];
extern const struct option top_options[];
#define TOP_SHORT_OPTIONS "bn:d:s:r"
extern const struct option simulate_options[];

/* The verbs; argv[0] is the verb's name, global options are taken out. */
int verb_status(const struct ctl *ctl, int argc, char **argv);
int verb_list(const struct ctl *ctl, int argc, char **argv);
int verb_top(const struct ctl *ctl, int argc, char **argv);
int verb_explain(const struct ctl *ctl, int argc, char **argv);
int verb_pause(const struct ctl *ctl, int argc, char **argv);
int verb_resume(const struct ctl *ctl, int argc, char **argv);
int verb_evacuate(const struct ctl *ctl, int argc, char **argv);
int verb_reload(const struct ctl *ctl, int argc, char **argv);
int verb_check_config(const struct ctl *ctl, int argc, char **argv);
int verb_simulate(const struct ctl *ctl, int argc, char **argv);

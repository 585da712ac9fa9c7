/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `record FILE`: writes what each SA carries as a trace that `simulate` replays, until a signal or
 * the end of --for. Each sample is written whole, so the file ends with a complete row at any time.
 */
#include "control-interface.h"
#include "ctl.h"
#include "monotonic.h"
#include "record-trace.h"
#include "since.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INTERVAL_MIN 0.1
#define INTERVAL_MAX 60.0
#define INTERVAL_DEFAULT 1.0

struct recorder {
	const struct ctl *ctl;
	const char *path;      /* "-": standard output */
	const char *direction; /* NULL: both */
	double interval;       /* s, 0: that of the daemon */
	double seconds;        /* INFINITY: until a signal */
	int fd;
	struct record_trace *trace;
	FILE *rows; /* of the sample, in `text` */
	uint64_t n_samples;
};

const struct option record_options[] = {
	{"for", required_argument, NULL, 'f'},
	{"interval", required_argument, NULL, 'i'},
	{"direction", required_argument, NULL, 'd'},
	{},
};

static int parse_time(const char *name, const char *text, double least, double most,
		      double *ret_seconds)
{
	if (since_parse_span(text, ret_seconds) >= 0 && *ret_seconds >= least &&
	    *ret_seconds <= most)
		return CTL_OK;
	return ctl_usage(
		"record: --%s '%s' is not a time from %.10gs to %.10gs: a number and ms, s, min, "
		"h or d, as in 2h",
		name, text, least, most);
}

static int parse_arguments(int argc, char **argv, struct recorder *recorder)
{
	int option, r = CTL_OK;

	optind = 0;
	while (r == CTL_OK && (option = getopt_long(argc, argv, ":", record_options, NULL)) >= 0) {
		switch (option) {
		case 'f':
			r = parse_time("for", optarg, INTERVAL_MIN, 1e9, &recorder->seconds);
			break;
		case 'i':
			r = parse_time("interval", optarg, INTERVAL_MIN, INTERVAL_MAX,
				       &recorder->interval);
			break;
		case 'd':
			recorder->direction = optarg;
			if (strcmp(optarg, "in") != 0 && strcmp(optarg, "out") != 0)
				return ctl_usage("record: --direction is in or out, not '%s'",
						 optarg);
			break;
		case ':':
			return ctl_usage("record: %s needs a value", argv[optind - 1]);
		default:
			return ctl_usage("record: unknown option %s", argv[optind - 1]);
		}
	}
	if (r != CTL_OK)
		return r;
	if (optind + 1 != argc)
		return ctl_usage("record: one file is needed; - is standard output");
	recorder->path = argv[optind];
	return CTL_OK;
}

static bool is_standard_output(const struct recorder *recorder)
{
	return strcmp(recorder->path, "-") == 0;
}

/* It names peers and tells what they carry, so others may not read it. */
static int open_file(struct recorder *recorder)
{
	if (is_standard_output(recorder))
		recorder->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		recorder->fd = open(recorder->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (recorder->fd >= 0)
		return CTL_OK;
	ctl_error("cannot write '%s': %m", recorder->path);
	return CTL_FAILURE;
}

/* Writes all or nothing to a file that can be truncated. */
static int write_rows(const struct recorder *recorder, const char *text, size_t size)
{
	off_t before = lseek(recorder->fd, 0, SEEK_CUR);
	size_t written = 0;

	while (written < size) {
		ssize_t n = write(recorder->fd, text + written, size - written);
		int error = errno;

		if (n >= 0) {
			written += (size_t)n;
			continue;
		}
		if (error == EINTR)
			continue;
		ctl_error("cannot write '%s': %s", recorder->path, strerror(error));
		if (before >= 0 && ftruncate(recorder->fd, before) < 0)
			ctl_error("the last line of '%s' is not complete", recorder->path);
		return CTL_FAILURE;
	}
	return CTL_OK;
}

static int handle(json_t *reply, bool last, void *userdata)
{
	struct recorder *recorder = userdata;
	int r = record_trace_add(recorder->trace, json_object_get(reply, "sas"), recorder->rows);

	if (r >= 0 && last)
		record_trace_end(recorder->trace, recorder->rows);
	return r;
}

/* What was read before a failure is written too: the next sample counts from there. */
static int take_sample(struct recorder *recorder, double time)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r, written;

	recorder->rows = open_memstream(&text, &size);
	if (!recorder->rows) {
		ctl_error("record: %m");
		return CTL_FAILURE;
	}
	record_trace_begin(recorder->trace, time);
	r = ctl_call_more(recorder->ctl, CONTROL_INTERFACE ".ListSAs",
			  json_pack("{s:s*}", "direction", recorder->direction), handle, recorder);
	written = fclose(recorder->rows);
	recorder->rows = NULL;
	if (written != 0) {
		ctl_error("record: %m");
		return CTL_FAILURE;
	}
	written = write_rows(recorder, text, size);
	recorder->n_samples += r == CTL_OK;
	return written == CTL_OK ? r : written;
}

/* Returns whether a signal came. */
static bool wait_until(double time, const sigset_t *signals)
{
	for (;;) {
		double left = time - monotonic_now();
		struct timespec timeout = {.tv_sec = (time_t)fmax(left, 0)};

		timeout.tv_nsec = (long)((fmax(left, 0) - (double)timeout.tv_sec) * 1e9);
		if (sigtimedwait(signals, NULL, &timeout) >= 0)
			return true;
		if (errno != EINTR && left <= 0)
			return false;
	}
}

/* The times are multiples of the interval, so that a trace has steps of one size. After a late
 * sample some are left out. */
static int take_samples(struct recorder *recorder, const sigset_t *signals)
{
	double begun = monotonic_now(), step = 0;

	for (;;) {
		int r = take_sample(recorder, step * recorder->interval);

		/* The daemon may be restarted, but it was there at first. */
		if (r != CTL_OK && (r != CTL_UNREACHABLE || recorder->n_samples == 0))
			return r;
		step = fmax(step + 1, floor((monotonic_now() - begun) / recorder->interval) + 1);
		if (step * recorder->interval > recorder->seconds + recorder->interval / 2 ||
		    wait_until(begun + step * recorder->interval, signals))
			return CTL_OK;
	}
}

/* Asks for the interval of the daemon, which is how often its counters change. */
static int find_interval(struct recorder *recorder)
{
	json_t *status = NULL;
	double interval;
	int r = ctl_call(recorder->ctl, CONTROL_INTERFACE ".GetStatus", NULL, &status);

	if (r != CTL_OK)
		return r;
	interval = json_number_value(json_object_get(status, "interval"));
	json_decref(status);
	if (recorder->interval <= 0)
		recorder->interval = interval >= INTERVAL_MIN && interval <= INTERVAL_MAX
					     ? interval
					     : INTERVAL_DEFAULT;
	return CTL_OK;
}

/* A signal ends the wait between two samples, and not a sample. */
static void block_signals(sigset_t *ret_signals)
{
	(void)sigemptyset(ret_signals);
	(void)sigaddset(ret_signals, SIGINT);
	(void)sigaddset(ret_signals, SIGTERM);
	(void)sigaddset(ret_signals, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, ret_signals, NULL);
}

static int print_text(const struct ctl *ctl, const json_t *document)
{
	(void)ctl;
	(void)printf("%s: %.0f samples, one in %g s, the last of %.0f SAs\n",
		     json_string_value(json_object_get(document, "trace")),
		     json_number_value(json_object_get(document, "samples")),
		     json_number_value(json_object_get(document, "intervalSeconds")),
		     json_number_value(json_object_get(document, "sas")));
	return 0;
}

static int show(const struct recorder *recorder)
{
	json_t *document =
		json_pack("{s:s, s:I, s:f, s:I}", "trace", recorder->path, "samples",
			  (json_int_t)recorder->n_samples, "intervalSeconds", recorder->interval,
			  "sas", (json_int_t)record_trace_n_sas(recorder->trace));
	int r;

	if (!document) {
		ctl_error("record: the file's name is not UTF-8");
		return CTL_FAILURE;
	}
	r = ctl_show(recorder->ctl, document, print_text);
	json_decref(document);
	return r;
}

int verb_record(const struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(record_trace_freep) struct record_trace *trace = NULL;
	struct recorder recorder = {.ctl = ctl, .seconds = (double)INFINITY, .fd = -1};
	sigset_t signals;
	int r = parse_arguments(argc, argv, &recorder);

	if (r == CTL_OK)
		r = find_interval(&recorder);
	if (r == CTL_OK && record_trace_new(&trace) < 0)
		r = CTL_FAILURE;
	if (r == CTL_OK)
		r = open_file(&recorder);
	if (r != CTL_OK)
		return r;
	recorder.trace = trace;
	block_signals(&signals);
	r = write_rows(&recorder, RECORD_TRACE_HEADER, strlen(RECORD_TRACE_HEADER));
	if (r == CTL_OK)
		r = take_samples(&recorder, &signals);
	(void)close(recorder.fd);
	return r == CTL_OK && !is_standard_output(&recorder) ? show(&recorder) : r;
}

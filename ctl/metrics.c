/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `metrics [--residents] [--http]`: OpenMetrics text; with --http, the answer to one request. */
#include "control-interface.h"
#include "ctl.h"
#include "http.h"
#include "metrics-text.h"

#include <errno.h>

#define METRICS_PATH "/metrics"
#define METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

struct arguments {
	bool residents;
	bool http;
};

static int keep_rows(json_t *reply, bool last, void *userdata)
{
	json_t *rows = json_object_get(reply, "sas");

	(void)last;
	if (!json_is_array(rows))
		return -EBADMSG;
	return json_array_extend(userdata, rows) < 0 ? -ENOMEM : 0;
}

/* The SAs in NICs, of which there are at most as many as slots. */
static int list_residents(const struct ctl *ctl, json_t **ret_residents)
{
	json_auto_t *residents = json_array();
	int r = ctl_call_more(ctl, CONTROL_INTERFACE ".ListSAs",
			      json_pack("{s:s, s:s}", "placement", "nic", "sort", "spi"), keep_rows,
			      residents);

	if (r == CTL_OK)
		*ret_residents = TAKE_PTR(residents);
	return r;
}

static int ask(const struct ctl *ctl, const struct arguments *arguments, json_t **ret_status,
	       json_t **ret_residents)
{
	int r = ctl_call(ctl, CONTROL_INTERFACE ".GetStatus", NULL, ret_status);

	return r == CTL_OK && arguments->residents ? list_residents(ctl, ret_residents) : r;
}

static int format(const json_t *status, const json_t *residents, char **ret_text, size_t *ret_size)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int r;

	if (!out)
		return -errno;
	r = metrics_write(out, status, residents);
	if (fclose(out) != 0)
		return -ENOMEM;
	if (r < 0)
		return r;
	*ret_text = TAKE_PTR(text);
	*ret_size = size;
	return 0;
}

/* The whole text; without a valid answer to each request, that the daemon is not up. Returns CTL_OK
 * or the exit status; the text is NULL without memory. */
static int make_text(const struct ctl *ctl, const struct arguments *arguments, char **ret_text,
		     size_t *ret_size)
{
	json_auto_t *status = NULL;
	json_auto_t *residents = NULL;
	int error, r = ask(ctl, arguments, &status, &residents);

	if (r == CTL_OK) {
		error = format(status, residents, ret_text, ret_size);
		if (error < 0)
			r = ctl_tell_failure(ctl, error);
	}
	if (r != CTL_OK)
		(void)format(NULL, NULL, ret_text, ret_size);
	return r;
}

/* Whoever was answered has the outcome: a daemon that cannot be reached is no failure of this
 * service. */
static int serve(const struct ctl *ctl, const struct arguments *arguments)
{
	enum http_status status = http_read_request(STDIN_FILENO, METRICS_PATH);
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	if (status == HTTP_NONE)
		return CTL_OK;
	if (status == HTTP_OK) {
		(void)make_text(ctl, arguments, &text, &size);
		if (!text)
			status = HTTP_INTERNAL_ERROR;
	}
	http_write_answer(stdout, status, METRICS_TYPE, text, size);
	return ctl_check_output();
}

static int print(const struct ctl *ctl, const struct arguments *arguments)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int written, r = make_text(ctl, arguments, &text, &size);

	if (text)
		(void)fwrite(text, 1, size, stdout);
	written = ctl_check_output();
	return r == CTL_OK ? written : r;
}

const struct option metrics_options[] = {
	{"residents", no_argument, NULL, 'r'},
	{"http", no_argument, NULL, 'H'},
	{},
};

static int parse_options(int argc, char **argv, struct arguments *arguments)
{
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, ":", metrics_options, NULL)) >= 0) {
		switch (option) {
		case 'r':
			arguments->residents = true;
			break;
		case 'H':
			arguments->http = true;
			break;
		default:
			return ctl_usage("metrics: unknown option %s", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return ctl_usage("metrics: unexpected argument '%s'", argv[optind]);
	return CTL_OK;
}

int verb_metrics(const struct ctl *ctl, int argc, char **argv)
{
	struct arguments arguments = {};
	int r = parse_options(argc, argv, &arguments);

	if (r != CTL_OK)
		return r;
	if (ctl->json != CTL_JSON_OFF)
		return ctl_usage("metrics: prints OpenMetrics text, not JSON");
	return arguments.http ? serve(ctl, &arguments) : print(ctl, &arguments);
}

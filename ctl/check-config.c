/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `check-config [FILE]`: checks a file as the daemon does, without the daemon. */
#include "config.h"
#include "ctl.h"

#include <errno.h>

/* The printed diagnostic with the source line and the caret, without the newline at its end. */
static json_t *describe_diagnostic(const struct config_report *report,
				   const struct config_diagnostic *diagnostic)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	config_diagnostic_print(report, diagnostic, out);
	if (fclose(out) != 0)
		return NULL;
	return json_stringn(text, size - 1);
}

static int describe_diagnostics(const struct config_report *report, json_t *errors,
				json_t *warnings)
{
	size_t omitted = config_report_omitted(report);
	int r = 0;

	for (size_t i = 0; i < report->n_diagnostics; i++) {
		const struct config_diagnostic *diagnostic = &report->diagnostics[i];

		r |= json_array_append_new(diagnostic->warning ? warnings : errors,
					   describe_diagnostic(report, diagnostic));
	}
	if (omitted > 0)
		r |= json_array_append_new(errors, json_sprintf("%s: and %lld more", report->path,
								(long long)omitted));
	return r;
}

static json_t *describe(const char *path, int result, const struct config_report *report,
			const struct config *config)
{
	json_t *errors = json_array(), *warnings = json_array();
	int r = describe_diagnostics(report, errors, warnings);
	json_t *document = json_pack("{s:s, s:b, s:o, s:o}", "path", path, "valid", result >= 0,
				     "errors", errors, "warnings", warnings);

	if (r < 0) {
		json_decref(document);
		return NULL;
	}
	if (document && config)
		(void)json_object_update_new(
			document,
			json_pack("{s:s, s:I, s:I, s:I}", "mode",
				  config->mode == CONFIG_MODE_ENFORCE ? "enforce" : "observe",
				  "nics", (json_int_t)config->n_nics, "rules",
				  (json_int_t)config->n_rules, "groups",
				  (json_int_t)config->n_groups));
	return document;
}

static const char *plural(json_int_t n)
{
	return n == 1 ? "" : "s";
}

static void print_all(const json_t *diagnostics)
{
	for (size_t i = 0; i < json_array_size(diagnostics); i++)
		(void)fprintf(stderr, "%s\n", json_string_value(json_array_get(diagnostics, i)));
}

static int print_text(const struct ctl *ctl, const json_t *document)
{
	const char *path = json_string_value(json_object_get(document, "path"));

	(void)ctl;
	print_all(json_object_get(document, "errors"));
	print_all(json_object_get(document, "warnings"));
	if (json_is_true(json_object_get(document, "valid"))) {
		json_int_t nics = json_integer_value(json_object_get(document, "nics"));
		json_int_t rules = json_integer_value(json_object_get(document, "rules"));
		json_int_t groups = json_integer_value(json_object_get(document, "groups"));

		(void)printf("%s: ok (mode %s, %lld nic%s, %lld rule%s, %lld group%s)\n", path,
			     json_string_value(json_object_get(document, "mode")), (long long)nics,
			     plural(nics), (long long)rules, plural(rules), (long long)groups,
			     plural(groups));
	}
	return 0;
}

int verb_check_config(const struct ctl *ctl, int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : CONFIG_PATH_DEFAULT;
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(config_report_done) struct config_report report = {0};
	json_t *document;
	int result;
	int r;

	if (argc > 2)
		return ctl_usage("check-config: one file at a time");
	result = config_load(path, &report, &config);
	document = describe(path, result, &report, config);
	if (!document) {
		ctl_error("the path or the diagnostics of '%s' are not UTF-8", path);
		return CTL_FAILURE;
	}
	r = ctl_show(ctl, document, print_text);
	json_decref(document);
	if (r != CTL_OK || result >= 0)
		return r;
	return result == -EBADMSG ? CTL_INVALID_CONFIG : CTL_FAILURE;
}

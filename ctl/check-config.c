/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `check-config [FILE]`: checks the configuration as the daemon does, without the daemon. */
#include "config.h"
#include "ctl.h"
#include "effective-text.h"

#include <errno.h>
#include <getopt.h>

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
		r |= json_array_append_new(errors,
					   json_sprintf("%s: and %lld more", report->files[0].path,
							(long long)omitted));
	return r;
}

static json_t *describe_files(const struct config_report *report)
{
	json_t *files = json_array();

	for (size_t i = 0; i < report->n_files; i++)
		(void)json_array_append_new(files, json_string(report->files[i].path));
	return files;
}

static json_t *describe(const char *path, int result, const struct config_report *report,
			const struct config *config)
{
	json_t *errors = json_array(), *warnings = json_array();
	int r = describe_diagnostics(report, errors, warnings);
	json_t *document = json_pack("{s:s, s:o, s:b, s:o, s:o}", "path", path, "files",
				     describe_files(report), "valid", result >= 0, "errors", errors,
				     "warnings", warnings);

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
	size_t n_files = json_array_size(json_object_get(document, "files"));
	char more[CTL_MORE_SIZE];

	(void)ctl;
	print_all(json_object_get(document, "errors"));
	print_all(json_object_get(document, "warnings"));
	if (json_object_get(document, "effective")) {
		effective_text_print(json_object_get(document, "effective"));
		return 0;
	}
	if (json_is_true(json_object_get(document, "valid"))) {
		json_int_t nics = json_integer_value(json_object_get(document, "nics"));
		json_int_t rules = json_integer_value(json_object_get(document, "rules"));
		json_int_t groups = json_integer_value(json_object_get(document, "groups"));

		(void)printf("%s%s: ok (mode %s, %lld nic%s, %lld rule%s, %lld group%s)\n", path,
			     ctl_more_files(n_files, more),
			     json_string_value(json_object_get(document, "mode")), (long long)nics,
			     plural(nics), (long long)rules, plural(rules), (long long)groups,
			     plural(groups));
	}
	return 0;
}

const struct option check_config_options[] = {
	{"effective", no_argument, NULL, 'E'},
	{"root", required_argument, NULL, 'R'},
	{},
};

static int parse_options(int argc, char **argv, struct config_source *source, bool *effective)
{
	int option;

	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", check_config_options, NULL)) >= 0) {
		if (option == '?')
			return ctl_usage("check-config: unknown option '%s'", argv[optind - 1]);
		if (option == ':')
			return ctl_usage("check-config: %s needs a value", argv[optind - 1]);
		if (option == 'E')
			*effective = true;
		else
			source->root = optarg;
	}
	if (argc - optind > 1)
		return ctl_usage("check-config: one file at a time");
	source->path = argv[optind];
	if (source->path && source->root)
		return ctl_usage("check-config: a file, or --root");
	return CTL_OK;
}

int verb_check_config(const struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(config_report_done) struct config_report report = {0};
	struct config_source source = {};
	json_t *effective = NULL;
	bool show_effective = false;
	json_t *document;
	int result;
	int r;

	r = parse_options(argc, argv, &source, &show_effective);
	if (r != CTL_OK)
		return r;
	result = config_load_effective(&source, &report, &config,
				       show_effective ? &effective : NULL);
	document =
		describe(source.path ? source.path : report.files[0].path, result, &report, config);
	if (effective && json_object_set_new(document, "effective", effective) < 0) {
		json_decref(document);
		document = NULL;
	}
	if (!document) {
		ctl_error("the path or the diagnostics of '%s' are not UTF-8",
			  config_source_name(&source));
		return CTL_FAILURE;
	}
	r = ctl_show(ctl, document, print_text);
	json_decref(document);
	if (r != CTL_OK || result >= 0)
		return r;
	return result == -EBADMSG ? CTL_INVALID_CONFIG : CTL_FAILURE;
}

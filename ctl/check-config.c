/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `check-config [FILE]`: what the daemon would say of a file, without the daemon. */
#include "config.h"
#include "ctl.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* What follows the path: ":LINE:COLUMN: warning: ", or without a place. */
static bool is_warning(const char *text)
{
	static const char mark[] = ": warning: ";

	for (unsigned i = 0; i < 2 && text[0] == ':' && isdigit((unsigned char)text[1]); i++)
		text += 1 + strspn(text + 1, "0123456789");
	return strncmp(text, mark, strlen(mark)) == 0;
}

/* One diagnostic starts with "PATH:" in the first column; the source line and the caret that
 * follow belong to it. */
static int split_diagnostics(const char *path, const char *text, json_t *errors, json_t *warnings)
{
	size_t path_length = strlen(path);
	int r = 0;

	while (*text) {
		const char *end = text;
		size_t length;

		do {
			end = strchrnul(end, '\n');
			end += *end == '\n';
		} while (*end &&
			 !(strncmp(end, path, path_length) == 0 && end[path_length] == ':'));
		length = (size_t)(end - text);
		while (length > 0 && text[length - 1] == '\n')
			length--;
		if (length > 0)
			r |= json_array_append_new(is_warning(text + path_length) ? warnings
										  : errors,
						   json_stringn(text, length));
		text = end;
	}
	return r;
}

static json_t *describe(const char *path, int result, const char *diagnostics,
			const struct config *config)
{
	json_t *errors = json_array(), *warnings = json_array();
	int r = split_diagnostics(path, diagnostics, errors, warnings);
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
	_cleanup_free_ char *diagnostics = NULL;
	json_t *document;
	FILE *errors;
	size_t size;
	int result;
	int r;

	if (argc > 2)
		return ctl_usage("check-config: one file at a time");
	errors = open_memstream(&diagnostics, &size);
	if (!errors) {
		ctl_error("out of memory");
		return CTL_FAILURE;
	}
	result = config_load(path, errors, &config);
	(void)fclose(errors);

	document = describe(path, result, diagnostics, config);
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

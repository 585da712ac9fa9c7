/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `check-config [FILE]`: what the daemon would say of a file, without the daemon. */
#include "config.h"
#include "ctl.h"

#include <errno.h>
#include <string.h>

/* One diagnostic starts with "PATH:" in the first column; the source line and the caret that
 * follow belong to it. */
static json_t *split_diagnostics(const char *path, const char *text)
{
	json_t *errors = json_array();
	size_t path_length = strlen(path);

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
			(void)json_array_append_new(errors, json_stringn(text, length));
		text = end;
	}
	return errors;
}

static json_t *describe(const char *path, int result, const char *diagnostics,
			const struct config *config)
{
	json_t *document = json_pack("{s:s, s:b, s:o}", "path", path, "valid", result >= 0,
				     "errors", split_diagnostics(path, diagnostics));

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

static int print_text(const struct ctl *ctl, const json_t *document)
{
	const char *path = json_string_value(json_object_get(document, "path"));
	const json_t *error;
	size_t i;

	(void)ctl;
	json_array_foreach(json_object_get(document, "errors"), i, error)(void)
		fprintf(stderr, "%s\n", json_string_value(error));
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

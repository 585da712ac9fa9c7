// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Without arguments: prints the JSON Schema of the configuration. With files: prints a line of JSON
 * for each, with the errors that the daemon finds in it, and the document as an editor reads it
 * (YAML 1.2, core schema). `document` is absent if the file is no YAML.
 */
#include "config.h"
#include "config/editor-schema.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

static bool is_one_of(const char *text, const char *const *words)
{
	while (*words && strcmp(text, *words) != 0)
		words++;
	return *words;
}

/* `prefix` and then digits. */
static bool is_number(const char *text, const char *prefix, const char *digits)
{
	size_t length = strlen(prefix);

	return strncmp(text, prefix, length) == 0 && text[length] != '\0' &&
	       text[length + strspn(text + length, digits)] == '\0';
}

static json_t *plain_value(const char *text)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const truths[] = {"true", "True", "TRUE", NULL};
	static const char *const lies[] = {"false", "False", "FALSE", NULL};
	const char *unsigned_text = text + (text[0] == '-' || text[0] == '+');
	char *end;
	double real;

	if (is_one_of(text, nulls))
		return json_null();
	if (is_one_of(text, truths))
		return json_true();
	if (is_one_of(text, lies))
		return json_false();
	if (is_number(unsigned_text, "", "0123456789"))
		return json_integer(strtoll(text, NULL, 10));
	if (is_number(text, "0x", "0123456789abcdefABCDEF"))
		return json_integer(strtoll(text, NULL, 16));
	if (is_number(text, "0o", "01234567"))
		return json_integer(strtoll(text + 2, NULL, 8));
	real = strtod(text, &end);
	/* Not "inf", "nan" and "0x1.8". */
	if (*end == '\0' && unsigned_text[strspn(unsigned_text, "0123456789.eE+-")] == '\0')
		return json_real(real);
	return json_string(text);
}

static json_t *value_of(yaml_document_t *document, int id)
{
	const yaml_node_t *node = yaml_document_get_node(document, id);
	const char *text = (const char *)node->data.scalar.value;
	json_t *value;

	if (node->type == YAML_SCALAR_NODE)
		return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain_value(text)
									  : json_string(text);
	if (node->type == YAML_SEQUENCE_NODE) {
		value = json_array();
		for (const yaml_node_item_t *item = node->data.sequence.items.start;
		     item < node->data.sequence.items.top; item++)
			(void)json_array_append_new(value, value_of(document, *item));
		return value;
	}
	value = json_object();
	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = yaml_document_get_node(document, pair->key);

		if (key->type == YAML_SCALAR_NODE)
			(void)json_object_set_new(value, (const char *)key->data.scalar.value,
						  value_of(document, pair->value));
	}
	return value;
}

/* NULL: no YAML. */
static json_t *read_document(const char *path)
{
	FILE *file = fopen(path, "re");
	yaml_document_t document;
	yaml_parser_t parser;
	json_t *value = NULL;

	if (!file || !yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_input_file(&parser, file);
	if (yaml_parser_load(&parser, &document)) {
		value = yaml_document_get_root_node(&document) ? value_of(&document, 1)
							       : json_null();
		yaml_document_delete(&document);
	}
	yaml_parser_delete(&parser);
	(void)fclose(file);
	return value;
}

static json_t *errors_in(const char *path)
{
	struct config_report report = {};
	struct config *config = NULL;
	json_t *errors = json_array();
	int r = config_load(path, &report, &config);

	for (size_t i = 0; r < 0 && i < report.n_diagnostics; i++)
		if (!report.diagnostics[i].warning)
			(void)json_array_append_new(errors,
						    json_string(report.diagnostics[i].text));
	config_report_done(&report);
	config_free(config);
	return errors;
}

static void print(json_t *value, size_t flags)
{
	if (!value || json_dumpf(value, stdout, flags) < 0 || putchar('\n') == EOF)
		abort();
	json_decref(value);
}

int main(int argc, char **argv)
{
	if (argc == 1)
		print(config_editor_schema(), JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	for (int i = 1; i < argc; i++)
		print(json_pack("{s:s, s:o, s:o*}", "file", argv[i], "errors", errors_in(argv[i]),
				"document", read_document(argv[i])),
		      JSON_COMPACT);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a Varlink interface (varlink.org/Interface-Definition), and checks values against its
 * types.
 *
 * The interface is a JSON object: {"types": {NAME: TYPE}, "errors": {NAME: TYPE},
 * "methods": {NAME: {"in": TYPE, "out": TYPE}}}. A type is {"kind": KIND}: bool, int, float,
 * string, object; maybe, array, map with "of"; enum with "values"; struct with "fields", an object;
 * name with "name".
 */
#pragma once

#include "cleanup.h"

#include <ctype.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define INTERFACE_PATH_MAX 200

struct interface_reader {
	const char *next;
	unsigned line;
};

static void interface_skip(struct interface_reader *reader)
{
	for (;; reader->next++) {
		if (*reader->next == '#')
			reader->next += strcspn(reader->next, "\n");
		if (*reader->next == '\n')
			reader->line++;
		else if (!isspace((unsigned char)*reader->next))
			return;
	}
}

static bool interface_accept(struct interface_reader *reader, const char *token)
{
	interface_skip(reader);
	if (strncmp(reader->next, token, strlen(token)) != 0)
		return false;
	reader->next += strlen(token);
	return true;
}

static void interface_expect(struct interface_reader *reader, const char *token)
{
	if (!interface_accept(reader, token))
		fail_msg("line %u of the interface: '%s' expected at '%.20s'", reader->line, token,
			 reader->next);
}

/* With dots only if it is the name of an interface. */
static const char *interface_word(struct interface_reader *reader, char *word, size_t size)
{
	size_t n = 0;

	interface_skip(reader);
	while (isalnum((unsigned char)*reader->next) || strchr("._-", *reader->next)) {
		assert_true(*reader->next && n + 1 < size);
		word[n++] = *reader->next++;
	}
	word[n] = '\0';
	if (n == 0)
		fail_msg("line %u of the interface: a name expected at '%.20s'", reader->line,
			 reader->next);
	return word;
}

static json_t *interface_type(struct interface_reader *reader);

/* After the bracket: the fields of a struct, or the values of an enum. */
static json_t *interface_members(struct interface_reader *reader)
{
	json_t *fields = json_object(), *values = json_array();
	bool is_enum = false;
	char word[64];

	while (!interface_accept(reader, ")")) {
		if (json_object_size(fields) + json_array_size(values) > 0)
			interface_expect(reader, ",");
		interface_word(reader, word, sizeof(word));
		if (json_object_get(fields, word))
			fail_msg("line %u of the interface: '%s' is there twice", reader->line,
				 word);
		is_enum = !interface_accept(reader, ":");
		if (is_enum)
			json_array_append_new(values, json_string(word));
		else
			json_object_set_new(fields, word, interface_type(reader));
	}
	/* Not both. */
	assert_true(json_object_size(fields) == 0 || json_array_size(values) == 0);
	return is_enum ? json_pack("{s:s, s:o, s:o}", "kind", "enum", "values", values, "fields",
				   fields)
		       : json_pack("{s:s, s:o, s:o}", "kind", "struct", "fields", fields, "values",
				   values);
}

static json_t *interface_type(struct interface_reader *reader)
{
	static const char *const kinds[] = {"bool", "int", "float", "string", "object"};
	char word[64];

	if (interface_accept(reader, "?"))
		return json_pack("{s:s, s:o}", "kind", "maybe", "of", interface_type(reader));
	if (interface_accept(reader, "[]"))
		return json_pack("{s:s, s:o}", "kind", "array", "of", interface_type(reader));
	if (interface_accept(reader, "[string]"))
		return json_pack("{s:s, s:o}", "kind", "map", "of", interface_type(reader));
	if (interface_accept(reader, "("))
		return interface_members(reader);
	interface_word(reader, word, sizeof(word));
	for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
		if (strcmp(word, kinds[i]) == 0)
			return json_pack("{s:s}", "kind", kinds[i]);
	return json_pack("{s:s, s:s}", "kind", "name", "name", word);
}

static void interface_declaration(struct interface_reader *reader, json_t *interface)
{
	char kind[64], name[64], section[sizeof(kind) + 1];
	json_t *value, *names;

	interface_word(reader, kind, sizeof(kind));
	interface_word(reader, name, sizeof(name));
	value = interface_type(reader);
	if (strcmp(kind, "method") == 0) {
		interface_expect(reader, "->");
		value = json_pack("{s:o, s:o}", "in", value, "out", interface_type(reader));
	}
	(void)snprintf(section, sizeof(section), "%ss", kind);
	names = json_object_get(interface, section);
	if (!names)
		fail_msg("line %u of the interface: '%s' is no declaration", reader->line, kind);
	if (json_object_get(names, name))
		fail_msg("line %u of the interface: %s is there twice", reader->line, name);
	json_object_set_new(names, name, value);
}

/* The caller releases it. */
static json_t *interface_parse(const char *text, const char *expected_name)
{
	struct interface_reader reader = {.next = text, .line = 1};
	json_t *interface = json_pack("{s:{}, s:{}, s:{}}", "types", "methods", "errors");
	char name[64];

	interface_expect(&reader, "interface");
	assert_string_equal(interface_word(&reader, name, sizeof(name)), expected_name);
	for (interface_skip(&reader); *reader.next; interface_skip(&reader))
		interface_declaration(&reader, interface);
	return interface;
}

/* ---- Checks of values ---- */

/* The fields that were seen, by their path: "SA.nic", "GetStatus.moves". */
struct interface_check {
	const json_t *interface;
	json_t *seen;
	const char *call; /* for messages */
};

static const char *interface_kind(const json_t *type)
{
	return json_string_value(json_object_get(type, "kind"));
}

static void interface_check_value(struct interface_check *check, const json_t *type,
				  const char *path, const json_t *value);

static void interface_check_struct(struct interface_check *check, const json_t *type,
				   const char *path, const json_t *value)
{
	json_t *fields = json_object_get(type, "fields");
	const char *name;
	json_t *field;

	json_object_foreach(fields, name, field) {
		char member_path[INTERFACE_PATH_MAX];
		json_t *member = json_object_get(value, name);

		(void)snprintf(member_path, sizeof(member_path), "%s.%s", path, name);
		if (!member && strcmp(interface_kind(field), "maybe") != 0)
			fail_msg("%s: the reply has no %s; make it ?%s in io.espoffload.varlink, "
				 "or have the daemon send it",
				 check->call, member_path, name);
		if (!member)
			continue;
		json_object_set_new(check->seen, member_path, json_true());
		interface_check_value(check, field, member_path, member);
	}
	json_object_foreach((json_t *)value, name, field)
		if (!json_object_get(fields, name))
			fail_msg("%s: the reply has %s.%s, which io.espoffload.varlink does not "
				 "declare",
				 check->call, path, name);
}

static void interface_check_enum(const struct interface_check *check, const json_t *type,
				 const char *path, const json_t *value)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(type, "values"), i, one)
		if (json_equal(one, value))
			return;
	fail_msg("%s: %s is '%s', which is none of the declared values", check->call, path,
		 json_string_value(value));
}

static void interface_check_elements(struct interface_check *check, const json_t *type,
				     const char *path, const json_t *value)
{
	const char *name;
	json_t *element;
	size_t i;

	json_array_foreach(value, i, element)
		interface_check_value(check, type, path, element);
	json_object_foreach((json_t *)value, name, element)
		interface_check_value(check, type, path, element);
}

static bool interface_has_kind(const char *kind, const json_t *value)
{
	return (strcmp(kind, "bool") == 0 && json_is_boolean(value)) ||
	       (strcmp(kind, "int") == 0 && json_is_integer(value)) ||
	       (strcmp(kind, "float") == 0 && json_is_number(value)) ||
	       ((strcmp(kind, "string") == 0 || strcmp(kind, "enum") == 0) &&
		json_is_string(value)) ||
	       (strcmp(kind, "array") == 0 && json_is_array(value)) ||
	       ((strcmp(kind, "object") == 0 || strcmp(kind, "map") == 0 ||
		 strcmp(kind, "struct") == 0) &&
		json_is_object(value));
}

static void interface_check_value(struct interface_check *check, const json_t *type,
				  const char *path, const json_t *value)
{
	const char *kind = interface_kind(type);
	const char *name = json_string_value(json_object_get(type, "name"));
	const json_t *of = json_object_get(type, "of");

	if (strcmp(kind, "maybe") == 0) {
		if (!json_is_null(value))
			interface_check_value(check, of, path, value);
		return;
	}
	if (name) {
		type = json_object_get(json_object_get(check->interface, "types"), name);
		if (!type)
			fail_msg(
				"io.espoffload.varlink uses the type %s, which it does not declare",
				name);
		interface_check_value(check, type, name, value);
		return;
	}
	if (!interface_has_kind(kind, value))
		fail_msg("%s: %s is no %s, as io.espoffload.varlink declares it", check->call, path,
			 kind);
	if (strcmp(kind, "struct") == 0)
		interface_check_struct(check, type, path, value);
	else if (strcmp(kind, "enum") == 0)
		interface_check_enum(check, type, path, value);
	else if (of)
		interface_check_elements(check, of, path, value);
}

/* Fails if a field of a struct was not seen in any value. `path`: of the struct. */
static void interface_check_seen(const struct interface_check *check, const json_t *type,
				 const char *path)
{
	const char *name;
	json_t *field;

	while (json_object_get(type, "of"))
		type = json_object_get(type, "of");
	json_object_foreach(json_object_get(type, "fields"), name, field) {
		char member_path[INTERFACE_PATH_MAX];

		(void)snprintf(member_path, sizeof(member_path), "%s.%s", path, name);
		if (!json_object_get(check->seen, member_path))
			fail_msg("no call of this test returned %s: add one that does to its list, "
				 "or remove it from io.espoffload.varlink",
				 member_path);
		interface_check_seen(check, field, member_path);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/editor-schema.h"

#include "config/effective.h"
#include "config/keys.h"
#include "config/names.h"
#include "units.h"

#include <regex.h>
#include <string.h>

static json_t *section_schema(const struct config_section *section);

/* The whole text must match. */
static json_t *pattern(const char *syntax)
{
	return json_sprintf("^(%s)$", syntax);
}

static bool matches(const char *syntax, const char *text)
{
	regmatch_t match;
	regex_t regex;
	bool found;

	if (regcomp(&regex, syntax, REG_EXTENDED) != 0)
		return false;
	/* The longest match of those that begin first. */
	found = regexec(&regex, text, 1, &match, 0) == 0 && match.rm_so == 0 &&
		text[match.rm_eo] == '\0';
	regfree(&regex);
	return found;
}

static bool takes_text(const struct config_key *key, const char *text)
{
	return key->syntax ? matches(key->syntax, text) : config_name_is_valid(key->read, text);
}

/* For YAML a word such as 7 or true is no text. A key that takes any text takes it too. */
static json_t *text_schema(const struct config_key *key)
{
	char syntax[CONFIG_SYNTAX_MAX] = "";
	json_t *types = json_pack("[s]", "string");

	if (takes_text(key, "7"))
		(void)json_array_append_new(types, json_string("integer"));
	if (takes_text(key, "1.5"))
		(void)json_array_append_new(types, json_string("number"));
	if (takes_text(key, "true"))
		(void)json_array_append_new(types, json_string("boolean"));
	if (!key->syntax)
		(void)config_name_syntax(key->read, syntax);
	return json_pack("{s:o, s:o}", "type", types, "pattern",
			 pattern(key->syntax ? key->syntax : syntax));
}

/* `units`: separated by ", ". Zero needs none. */
static json_t *quantity_schema(const struct config_key *key, const char *units)
{
	char alternatives[128] = "", syntax[192];

	for (size_t i = 0, n = 0; units[i] != '\0' && n + 1 < sizeof(alternatives); i++)
		if (units[i] != ' ')
			alternatives[n++] = units[i] == ',' ? '|' : units[i];
	(void)snprintf(syntax, sizeof(syntax), "%s[0-9]+([.][0-9]+)? *(%s)",
		       key->minimum > 0 ? "" : "0+([.]0+)?|", alternatives);
	if (key->minimum > 0)
		return json_pack("{s:s, s:o}", "type", "string", "pattern", pattern(syntax));
	return json_pack("{s:[{s:s, s:o}, {s:[i]}]}", "anyOf", "type", "string", "pattern",
			 pattern(syntax), "enum", 0);
}

static json_t *number(double value)
{
	return value == (double)(json_int_t)value ? json_integer((json_int_t)value)
						  : json_real(value);
}

static json_t *number_schema(const struct config_key *key, const char *type)
{
	return json_pack("{s:s, s:o, s:o}", "type", type, "minimum", number(key->minimum),
			 "maximum", number(key->maximum));
}

/* `version` takes text too. */
static json_t *integer_schema(const struct config_key *key)
{
	if (!key->syntax)
		return number_schema(key, "integer");
	return json_pack("{s:[o, o]}", "anyOf", number_schema(key, "integer"), text_schema(key));
}

static json_t *words_schema(const char *const *words)
{
	json_t *array = json_array();

	for (; *words; words++)
		(void)json_array_append_new(array, json_string(*words));
	return json_pack("{s:o}", "enum", array);
}

static json_t *mapping_schema(const struct config_key *key)
{
	if (key->read == config_read_mapping)
		return section_schema(key->section);
	return json_pack("{s:[o, o]}", "anyOf", number_schema(key, "integer"),
			 section_schema(key->section));
}

/* A list whose entries are all commented out is empty. */
static json_t *list_schema(const struct config_list *list)
{
	return json_pack("{s:[s, s], s:I, s:o}", "type", "array", "null", "maxItems",
			 (json_int_t)list->entries_max, "items", section_schema(list->section));
}

static json_t *value_schema(const struct config_key *key)
{
	if (key->list)
		return list_schema(key->list);
	if (key->section)
		return mapping_schema(key);
	if (key->words)
		return words_schema(key->words);
	if (key->read == config_read_bool)
		return json_pack("{s:s}", "type", "boolean");
	if (key->read == config_read_time)
		return quantity_schema(key, UNITS_OF_TIME);
	if (key->read == config_read_rate)
		return quantity_schema(key, UNITS_OF_RATE);
	if (key->read == config_read_double)
		return number_schema(key, "number");
	return key->maximum > 0 ? integer_schema(key) : text_schema(key);
}

/* With the range, where the schema does not have it. */
static json_t *description(const struct config_key *key)
{
	char low[UNITS_TEXT_MAX], high[UNITS_TEXT_MAX];

	if (key->read == config_read_time)
		return json_sprintf("%s. From %s to %s.", key->about,
				    units_format_time(key->minimum, low),
				    units_format_time(key->maximum, high));
	if (key->read == config_read_rate)
		return json_sprintf("%s. From %s to %s.", key->about,
				    units_format_rate(key->minimum, low),
				    units_format_rate(key->maximum, high));
	return json_sprintf("%s.", key->about);
}

static json_t *key_schema(const struct config_key *key)
{
	json_t *schema = json_pack("{s:o}", "description", description(key));
	int r = json_object_update_new(schema, value_schema(key));

	if (key->default_text)
		r |= json_object_set_new(schema, "default", config_typed(key, key->default_text));
	if (r == 0)
		return schema;
	json_decref(schema);
	return NULL;
}

static json_t *required_of(const struct config_section *section)
{
	json_t *required = json_array();

	for (size_t i = 0; i < section->n_keys; i++)
		if (section->keys[i].required)
			(void)json_array_append_new(required, json_string(section->keys[i].name));
	return required;
}

static json_t *properties_of(const struct config_section *section)
{
	json_t *properties = json_object();
	int r = 0;

	for (size_t i = 0; i < section->n_keys; i++)
		r |= json_object_set_new(properties, section->keys[i].name,
					 key_schema(&section->keys[i]));
	if (r == 0)
		return properties;
	json_decref(properties);
	return NULL;
}

static json_t *section_schema(const struct config_section *section)
{
	return json_pack("{s:s, s:b, s:i, s:o, s:o}", "type", "object", "additionalProperties", 0,
			 "minProperties", 1, "required", required_of(section), "properties",
			 properties_of(section));
}

/* A file may be empty. */
json_t *config_editor_schema(void)
{
	return json_pack("{s:s, s:s, s:s, s:[s, s], s:b, s:o}", "$schema",
			 "http://json-schema.org/draft-07/schema#", "title", "espoffloadd.conf",
			 "description",
			 "The configuration of espoffloadd: see espoffloadd.conf(5).", "type",
			 "object", "null", "additionalProperties", 0, "properties",
			 properties_of(&config_section_file));
}

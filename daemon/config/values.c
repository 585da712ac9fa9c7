/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Readers of common values: booleans, words, numbers, rates and times. */
#include "config/schema.h"

#include "cleanup.h"
#include "units.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

const char *config_scalar(struct config_reader *reader, const struct config_key *key,
			  const yaml_node_t *node, const char *takes)
{
	struct config_place place;
	const char *text;

	if (node->type != YAML_SCALAR_NODE) {
		config_wrong(reader, key, node, takes);
		config_remedy(reader->report, "write '%s: value'", key->name);
		return NULL;
	}
	text = (const char *)node->data.scalar.value;
	/* "\0" in double quotes: the text behind it would be lost. */
	if (strlen(text) != node->data.scalar.length) {
		place = config_place(node);
		config_error(reader->report, &place, "'%s' contains a NUL byte", key->name);
		config_remedy(reader->report, "remove the \\0");
		return NULL;
	}
	return text;
}

/* As config_scalar(), for values that must not be quoted: in YAML, text in quotes is a string. */
static const char *plain(struct config_reader *reader, const struct config_key *key,
			 const yaml_node_t *node, const char *takes)
{
	const char *text = config_scalar(reader, key, node, takes);
	struct config_place place;

	if (text && node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
		place = config_place(node);
		config_error(reader->report, &place, "'%s' takes %s, not text in quotes", key->name,
			     takes);
		config_remedy(reader->report, "remove the quotes");
		return NULL;
	}
	return text;
}

void config_read_bool(struct config_reader *reader, const struct config_key *key,
		      const yaml_node_t *node, void *member)
{
	const char *text = plain(reader, key, node, "true or false");

	if (!text)
		return;
	if (strcmp(text, "true") == 0) {
		*(bool *)member = true;
	} else if (strcmp(text, "false") == 0) {
		*(bool *)member = false;
	} else {
		config_wrong(reader, key, node, "true or false");
		config_remedy(reader->report, "write true or false, in lower case");
	}
}

void config_read_word(struct config_reader *reader, const struct config_key *key,
		      const yaml_node_t *node, void *member)
{
	size_t n = 0;
	char takes[100] = "";
	const char *text;
	const char *nearest;

	for (; key->words[n]; n++) {
		size_t used = strlen(takes);

		(void)snprintf(takes + used, sizeof(takes) - used, "%s%s",
			       n == 0              ? ""
			       : key->words[n + 1] ? ", "
						   : " or ",
			       key->words[n]);
	}
	text = config_scalar(reader, key, node, takes);
	if (!text)
		return;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(text, key->words[i]) == 0) {
			*(unsigned *)member = (unsigned)i;
			return;
		}
	}
	config_wrong(reader, key, node, takes);
	nearest = config_nearest(text, key->words, n);
	if (nearest)
		config_remedy(reader->report, "did you mean '%s'?", nearest);
	else
		config_remedy(reader->report, "write one of these words");
}

int config_parse_uint32(const char *text, uint32_t *ret_value)
{
	bool hexadecimal = text[0] == '0' && text[1] == 'x';
	const char *digits = hexadecimal ? text + 2 : text;
	const char *allowed = hexadecimal ? "0123456789abcdefABCDEF" : "0123456789";
	uint64_t value = 0;

	if (digits[0] == '\0' || digits[strspn(digits, allowed)] != '\0')
		return -EINVAL;
	/* 010 is eight in YAML 1.1 and ten in YAML 1.2. */
	if (!hexadecimal && digits[0] == '0' && digits[1] != '\0')
		return -EINVAL;
	for (const char *p = digits; *p != '\0'; p++) {
		unsigned digit =
			*p <= '9' ? (unsigned)(*p - '0') : (unsigned)((*p | 0x20) - 'a') + 10;

		value = value * (hexadecimal ? 16 : 10) + digit;
		if (value > UINT32_MAX)
			return -ERANGE;
	}
	*ret_value = (uint32_t)value;
	return 0;
}

/* Formats a bound, for "1 to 60". */
typedef char *(*format_bound)(double value, char buffer[UNITS_TEXT_MAX]);

static char *format_number(double value, char buffer[UNITS_TEXT_MAX])
{
	uint64_t thousandths = (uint64_t)(value * 1000 + 0.5);
	size_t length;

	if (thousandths % 1000 == 0) {
		(void)snprintf(buffer, UNITS_TEXT_MAX, "%llu",
			       (unsigned long long)(thousandths / 1000));
		return buffer;
	}
	(void)snprintf(buffer, UNITS_TEXT_MAX, "%llu.%03llu",
		       (unsigned long long)(thousandths / 1000),
		       (unsigned long long)(thousandths % 1000));
	for (length = strlen(buffer); buffer[length - 1] == '0'; length--)
		buffer[length - 1] = '\0';
	return buffer;
}

static void out_of_range(struct config_reader *reader, const struct config_key *key,
			 const yaml_node_t *node, format_bound format)
{
	struct config_place place = config_place(node);
	char low[UNITS_TEXT_MAX];
	char high[UNITS_TEXT_MAX];
	char quoted[CONFIG_QUOTE_MAX];

	config_error(reader->report, &place, "'%s' is out of range: '%s'", key->name,
		     config_quote((const char *)node->data.scalar.value, quoted));
	config_remedy(reader->report, "%s to %s", format(key->minimum, low),
		      format(key->maximum, high));
}

struct quantity {
	const char *takes;
	const char *remedy;
	int (*parse)(const char *text, double *ret_value);
	format_bound format;
};

static void read_quantity(struct config_reader *reader, const struct config_key *key,
			  const yaml_node_t *node, double *member, const struct quantity *quantity)
{
	const char *text = config_scalar(reader, key, node, quantity->takes);
	double value;
	int r;

	if (!text)
		return;
	r = quantity->parse(text, &value);
	if (r == -ERANGE || (r == 0 && (value < key->minimum || value > key->maximum))) {
		out_of_range(reader, key, node, quantity->format);
	} else if (r < 0) {
		config_wrong(reader, key, node, quantity->takes);
		config_remedy(reader->report, "%s", quantity->remedy);
	} else {
		*member = value;
	}
}

void config_read_double(struct config_reader *reader, const struct config_key *key,
			const yaml_node_t *node, void *member)
{
	static const struct quantity number = {"a number", "write it like 4 or 2.5",
					       units_parse_number, format_number};

	if (node->type != YAML_SCALAR_NODE || plain(reader, key, node, number.takes))
		read_quantity(reader, key, node, member, &number);
}

void config_read_rate(struct config_reader *reader, const struct config_key *key,
		      const yaml_node_t *node, void *member)
{
	static const struct quantity rate = {"a rate with its unit",
					     "write it like 10Mbit/s; the units are " UNITS_OF_RATE,
					     units_parse_rate, units_format_rate};

	read_quantity(reader, key, node, member, &rate);
}

void config_read_time(struct config_reader *reader, const struct config_key *key,
		      const yaml_node_t *node, void *member)
{
	static const struct quantity time = {"a time with its unit",
					     "write it like 250ms; the units are " UNITS_OF_TIME,
					     units_parse_time, units_format_time};

	read_quantity(reader, key, node, member, &time);
}

void config_read_uint32(struct config_reader *reader, const struct config_key *key,
			const yaml_node_t *node, void *member)
{
	const char *text = plain(reader, key, node, "a whole number");
	uint32_t value;
	int r;

	if (!text)
		return;
	r = config_parse_uint32(text, &value);
	if (r == -ERANGE || (r == 0 && (value < key->minimum || value > key->maximum))) {
		out_of_range(reader, key, node, format_number);
	} else if (r < 0) {
		config_wrong(reader, key, node, "a whole number");
		config_remedy(reader->report,
			      "write it in decimal, without zeros before it, or as 0x1f");
	} else {
		*(uint32_t *)member = value;
	}
}

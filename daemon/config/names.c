/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/names.h"

#include <ctype.h>
#include <errno.h>
#include <linux/if.h>
#include <stdbool.h>
#include <string.h>

/* Limits the time of fnmatch() for a pattern with many stars. */
#define PATTERN_MAX 64
#define LABEL_MAX 32

struct name_kind {
	const char *takes;
	const char *remedy;
	size_t length_max;
	bool (*allowed)(char c);
	bool pattern;
	bool lower_case;
	bool in_sysfs; /* where "." and ".." are not allowed */
};

static bool is_name_character(char c)
{
	/* The kernel refuses '/', ':' and white space (dev_valid_name()). Only ASCII is accepted
	 * here. */
	return isgraph((unsigned char)c) && c != '/' && c != ':';
}

static bool is_graphic(char c)
{
	return isgraph((unsigned char)c);
}

static bool is_word_character(char c)
{
	return isalnum((unsigned char)c) || strchr("_-.", c);
}

static bool is_address_character(char c)
{
	return isxdigit((unsigned char)c) || strchr(":.*?[]!-", c);
}

/* A '[' without a ']' would match only itself, and no name contains it. */
static bool closes_brackets(const char *text)
{
	const char *open = strchr(text, '[');

	while (open) {
		const char *close = strchr(open + 1, ']');

		if (!close)
			return false;
		open = strchr(close + 1, '[');
	}
	return true;
}

static bool is_valid(const char *text, const struct name_kind *kind)
{
	if (text[0] == '\0' || strlen(text) > kind->length_max)
		return false;
	for (const char *p = text; *p != '\0'; p++)
		if (!kind->allowed(*p))
			return false;
	if (kind->pattern)
		return closes_brackets(text);
	return !kind->in_sysfs || (strcmp(text, ".") != 0 && strcmp(text, "..") != 0);
}

static void read_name(struct config_reader *reader, const struct config_key *key,
		      const yaml_node_t *node, char **member, const struct name_kind *kind)
{
	const char *text = config_scalar(reader, key, node, kind->takes);
	char *copy;

	if (!text)
		return;
	if (!is_valid(text, kind)) {
		config_wrong(reader, key, node, kind->takes);
		config_remedy(reader->report, "%s", kind->remedy);
		return;
	}
	copy = strdup(text);
	if (!copy) {
		reader->error = -ENOMEM;
		return;
	}
	for (char *p = copy; kind->lower_case && *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	*member = copy;
}

void config_read_interface(struct config_reader *reader, const struct config_key *key,
			   const yaml_node_t *node, void *member)
{
	static const struct name_kind kind = {
		.takes = "the name of an interface",
		.remedy = "up to 15 characters without space, '/' and ':'",
		.length_max = IFNAMSIZ - 1,
		.allowed = is_name_character,
		.in_sysfs = true,
	};

	read_name(reader, key, node, member, &kind);
}

void config_read_name_pattern(struct config_reader *reader, const struct config_key *key,
			      const yaml_node_t *node, void *member)
{
	static const struct name_kind kind = {
		.takes = "the name of an interface or a pattern",
		.remedy = "write it like eth0, enp*s0 or \"*\"",
		.length_max = PATTERN_MAX,
		.allowed = is_name_character,
		.pattern = true,
	};

	read_name(reader, key, node, member, &kind);
}

void config_read_driver(struct config_reader *reader, const struct config_key *key,
			const yaml_node_t *node, void *member)
{
	static const struct name_kind kind = {
		.takes = "the name of a driver",
		.remedy = "as 'ethtool -i' shows it: ixgbe, mlx5_core",
		.length_max = PATTERN_MAX,
		.allowed = is_word_character,
		.in_sysfs = true,
	};

	read_name(reader, key, node, member, &kind);
}

void config_read_crypto_pattern(struct config_reader *reader, const struct config_key *key,
				const yaml_node_t *node, void *member)
{
	static const struct name_kind kind = {
		.takes = "the name of a driver in /proc/crypto or a pattern",
		.remedy = "write it like \"pcrypt*\" or \"qat_*\"",
		.length_max = PATTERN_MAX,
		.allowed = is_graphic,
		.pattern = true,
	};

	read_name(reader, key, node, member, &kind);
}

void config_read_label(struct config_reader *reader, const struct config_key *key,
		       const yaml_node_t *node, void *member)
{
	static const struct name_kind kind = {
		.takes = "a short name",
		.remedy = "up to 32 letters, digits, '.', '_' and '-'",
		.length_max = LABEL_MAX,
		.allowed = is_word_character,
	};

	read_name(reader, key, node, member, &kind);
}

void config_read_pci_pattern(struct config_reader *reader, const struct config_key *key,
			     const yaml_node_t *node, void *member)
{
	static const struct name_kind kind = {
		.takes = "a PCI address or a pattern",
		.remedy = "write it like 0000:3b:00.0 or \"0000:3b:*\"",
		.length_max = PATTERN_MAX,
		.allowed = is_address_character,
		.pattern = true,
		.lower_case = true,
	};

	read_name(reader, key, node, member, &kind);
}

void config_read_mac_pattern(struct config_reader *reader, const struct config_key *key,
			     const yaml_node_t *node, void *member)
{
	static const struct name_kind kind = {
		.takes = "a MAC address or a pattern",
		.remedy = "write it like 02:00:5e:10:00:01 or \"02:00:5e:*\"",
		.length_max = PATTERN_MAX,
		.allowed = is_address_character,
		.pattern = true,
		.lower_case = true,
	};

	read_name(reader, key, node, member, &kind);
}

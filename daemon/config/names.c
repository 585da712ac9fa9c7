/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/names.h"

#include "cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <linux/if.h>
#include <stdbool.h>
#include <string.h>

/* Limits the time of fnmatch() for a pattern with many stars. */
#define PATTERN_MAX 64
#define LABEL_MAX 32

struct name_kind {
	config_read read;
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

static const struct name_kind kinds[] = {
	{
		.read = config_read_interface,
		.takes = "the name of an interface",
		.remedy = "up to 15 characters without space, '/' and ':'",
		.length_max = IFNAMSIZ - 1,
		.allowed = is_name_character,
		.in_sysfs = true,
	},
	{
		.read = config_read_name_pattern,
		.takes = "the name of an interface or a pattern",
		.remedy = "write it like eth0, enp*s0 or \"*\"",
		.length_max = PATTERN_MAX,
		.allowed = is_name_character,
		.pattern = true,
	},
	{
		.read = config_read_driver,
		.takes = "the name of a driver",
		.remedy = "as 'ethtool -i' shows it: ixgbe, mlx5_core",
		.length_max = PATTERN_MAX,
		.allowed = is_word_character,
		.in_sysfs = true,
	},
	{
		.read = config_read_crypto_pattern,
		.takes = "the name of a driver in /proc/crypto or a pattern",
		.remedy = "write it like \"pcrypt*\" or \"qat_*\"",
		.length_max = PATTERN_MAX,
		.allowed = is_graphic,
		.pattern = true,
	},
	{
		.read = config_read_label,
		.takes = "a short name",
		.remedy = "up to 32 letters, digits, '.', '_' and '-'",
		.length_max = LABEL_MAX,
		.allowed = is_word_character,
	},
	{
		.read = config_read_pci_pattern,
		.takes = "a PCI address or a pattern",
		.remedy = "write it like 0000:3b:00.0 or \"0000:3b:*\"",
		.length_max = PATTERN_MAX,
		.allowed = is_address_character,
		.pattern = true,
		.lower_case = true,
	},
	{
		.read = config_read_mac_pattern,
		.takes = "a MAC address or a pattern",
		.remedy = "write it like 02:00:5e:10:00:01 or \"02:00:5e:*\"",
		.length_max = PATTERN_MAX,
		.allowed = is_address_character,
		.pattern = true,
		.lower_case = true,
	},
};

static const struct name_kind *find_kind(config_read read)
{
	for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
		if (kinds[i].read == read)
			return &kinds[i];
	return NULL;
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
	read_name(reader, key, node, member, find_kind(config_read_interface));
}

void config_read_name_pattern(struct config_reader *reader, const struct config_key *key,
			      const yaml_node_t *node, void *member)
{
	read_name(reader, key, node, member, find_kind(config_read_name_pattern));
}

void config_read_driver(struct config_reader *reader, const struct config_key *key,
			const yaml_node_t *node, void *member)
{
	read_name(reader, key, node, member, find_kind(config_read_driver));
}

void config_read_crypto_pattern(struct config_reader *reader, const struct config_key *key,
				const yaml_node_t *node, void *member)
{
	read_name(reader, key, node, member, find_kind(config_read_crypto_pattern));
}

void config_read_label(struct config_reader *reader, const struct config_key *key,
		       const yaml_node_t *node, void *member)
{
	read_name(reader, key, node, member, find_kind(config_read_label));
}

void config_read_pci_pattern(struct config_reader *reader, const struct config_key *key,
			     const yaml_node_t *node, void *member)
{
	read_name(reader, key, node, member, find_kind(config_read_pci_pattern));
}

void config_read_mac_pattern(struct config_reader *reader, const struct config_key *key,
			     const yaml_node_t *node, void *member)
{
	read_name(reader, key, node, member, find_kind(config_read_mac_pattern));
}

bool config_name_is_valid(config_read read, const char *text)
{
	const struct name_kind *kind = find_kind(read);

	return kind && is_valid(text, kind);
}

/* A character within "[...]". */
static char *put(char *end, char c)
{
	if (strchr("\\]^[-", c))
		*end++ = '\\';
	*end++ = c;
	return end;
}

static char *put_range(char *end, char first, char last)
{
	end = put(end, first);
	if (last > first + 1)
		*end++ = '-';
	return last > first ? put(end, last) : end;
}

char *config_name_syntax(config_read read, char buffer[CONFIG_SYNTAX_MAX])
{
	const struct name_kind *kind = find_kind(read);
	char *end = buffer;

	if (!kind)
		return NULL;
	*end++ = '[';
	for (int c = '!'; c <= '~'; c++) {
		int first = c;

		if (!kind->allowed((char)c))
			continue;
		while (c < '~' && kind->allowed((char)(c + 1)))
			c++;
		end = put_range(end, (char)first, (char)c);
	}
	(void)snprintf(end, CONFIG_SYNTAX_MAX - (size_t)(end - buffer), "]{1,%zu}",
		       kind->length_max);
	return buffer;
}

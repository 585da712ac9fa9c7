/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `match` of an entry of `rules` or `groups`: the conditions on an SA. */
#include "cleanup.h"
#include "config.h"
#include "config/keys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static void read_number(struct config_reader *reader, const struct config_key *key,
			const yaml_node_t *node, void *member)
{
	struct config_number *number = member;

	number->set = true;
	config_read_uint32(reader, key, node, &number->value);
}

/* Splits "LEFT/RIGHT" in `buffer`. `*ret_right` is NULL if there is no '/'. */
static bool split(const char *text, char *buffer, size_t size, const char **ret_right)
{
	char *slash;

	if (strlen(text) >= size)
		return false;
	memcpy(buffer, text, strlen(text) + 1);
	slash = strchr(buffer, '/');
	if (slash)
		*slash++ = '\0';
	*ret_right = slash;
	return true;
}

/* VALUE or VALUE/MASK, which sets two members of the structure. */
static void read_mark(struct config_reader *reader, const struct config_key *key,
		      const yaml_node_t *node, void *member)
{
	struct config_match *match = member;
	const char *text = config_scalar(reader, key, node, "VALUE or VALUE/MASK");
	struct config_place place = config_place(node);
	uint32_t mask = UINT32_MAX;
	uint32_t value;
	const char *right;
	char buffer[32];

	if (!text)
		return;
	if (!split(text, buffer, sizeof(buffer), &right) ||
	    config_parse_uint32(buffer, &value) < 0 ||
	    (right && config_parse_uint32(right, &mask) < 0)) {
		config_wrong(reader, key, node, "VALUE or VALUE/MASK");
		config_remedy(reader->report, "32-bit numbers, like 42 or 0x10/0xff");
		return;
	}
	if (value & ~mask) {
		config_error(reader->report, &place,
			     "'mark' can never match: 0x%x is outside of "
			     "the mask 0x%x",
			     value & ~mask, mask);
		config_remedy(reader->report,
			      "an SA's mark is masked before it is compared: did "
			      "you mean 0x%x/0x%x?",
			      value & mask, mask);
		return;
	}
	match->mark = (struct config_number){.set = true, .value = value};
	match->mark_mask = mask;
}

/* Clears all bits after the first `length`. Returns whether one was set. */
static bool clear_host_bits(struct sa_address *address, unsigned length)
{
	bool any = false;

	for (size_t i = 0; i < sizeof(address->bytes); i++) {
		unsigned bits = length > i * 8 ? length - (unsigned)i * 8 : 0;
		uint8_t mask = bits >= 8 ? 0 : (uint8_t)(0xff >> bits);

		any = any || (address->bytes[i] & mask);
		address->bytes[i] &= (uint8_t)~mask;
	}
	return any;
}

int config_parse_prefix(const char *text, struct config_prefix *ret_prefix)
{
	struct config_prefix prefix = {.set = true};
	char buffer[INET6_ADDRSTRLEN + sizeof("/128")];
	const char *right;
	uint32_t length;
	unsigned bits;

	if (!split(text, buffer, sizeof(buffer), &right))
		return -EINVAL;
	prefix.family = strchr(buffer, ':') ? AF_INET6 : AF_INET;
	bits = prefix.family == AF_INET6 ? 128 : 32;
	if (inet_pton(prefix.family, buffer, prefix.address.bytes) != 1)
		return -EINVAL;
	length = bits;
	if (right && (strncmp(right, "0x", 2) == 0 || config_parse_uint32(right, &length) < 0))
		return -EINVAL;
	if (length > bits)
		return -EINVAL;
	prefix.length = (uint8_t)length;
	*ret_prefix = prefix;
	return 0;
}

static void read_prefix(struct config_reader *reader, const struct config_key *key,
			const yaml_node_t *node, void *member)
{
	const char *text = config_scalar(reader, key, node, "an address or a prefix");
	struct config_place place = config_place(node);
	struct config_prefix prefix;
	char host[INET6_ADDRSTRLEN];
	char network[INET6_ADDRSTRLEN];

	if (!text)
		return;
	if (config_parse_prefix(text, &prefix) < 0) {
		config_wrong(reader, key, node, "an address or a prefix");
		config_remedy(reader->report, "write it like 192.0.2.1, 192.0.2.0/24 or "
					      "2001:db8::/32");
		return;
	}
	(void)inet_ntop(prefix.family, prefix.address.bytes, host, sizeof(host));
	if (clear_host_bits(&prefix.address, prefix.length)) {
		(void)inet_ntop(prefix.family, prefix.address.bytes, network, sizeof(network));
		config_error(reader->report, &place, "'%s' has bits set after the first %u",
			     key->name, prefix.length);
		config_remedy(reader->report, "%s/%u for the network, %s for the one address",
			      network, prefix.length, host);
		return;
	}
	*(struct config_prefix *)member = prefix;
}

static void read_direction(struct config_reader *reader, const struct config_key *key,
			   const yaml_node_t *node, void *member)
{
	unsigned word = UINT32_MAX;

	config_read_word(reader, key, node, &word);
	if (word != UINT32_MAX)
		*(enum sa_direction *)member = word == 0 ? SA_DIRECTION_IN : SA_DIRECTION_OUT;
}

static void check_match(struct config_reader *reader, const yaml_node_t *mapping, void *structure)
{
	const struct config_match *match = structure;
	struct config_place place;

	if (!match->source.set || !match->destination.set ||
	    match->source.family == match->destination.family)
		return;
	place = config_place(config_find(reader, mapping, "dst"));
	config_error(reader->report, &place, "'src' is %s and 'dst' is %s: no SA is both",
		     match->source.family == AF_INET ? "IPv4" : "IPv6",
		     match->destination.family == AF_INET ? "IPv4" : "IPv6");
	config_remedy(reader->report, "these are the addresses of the gateways, not of the "
				      "networks behind them");
}

/* It accepts some texts that inet_pton() refuses, but no number. */
#define PREFIX_SYNTAX "([0-9]+([.][0-9]+){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]*)(/[0-9]{1,3})?"
#define NUMBER_SYNTAX "(0|[1-9][0-9]*|0x[0-9a-fA-F]+)"

static const char *const direction_words[] = {"in", "out", NULL};

#define MEMBER(name) offsetof(struct config_match, name)

static const struct config_key match_keys[] = {
	{"src", read_prefix, MEMBER(source), .syntax = PREFIX_SYNTAX,
	 .about = "The SA's own source address, or a prefix of it"},
	{"dst", read_prefix, MEMBER(destination), .syntax = PREFIX_SYNTAX,
	 .about = "The SA's own destination address, or a prefix of it"},
	{"reqid", read_number, MEMBER(reqid), 0, UINT32_MAX, .about = "The SA's reqid"},
	{"if_id", read_number, MEMBER(if_id), 0, UINT32_MAX, .about = "The SA's if_id"},
	{"mark", read_mark, 0, .syntax = NUMBER_SYNTAX "(/" NUMBER_SYNTAX ")?",
	 .about = "A mark, or a mark and a mask: the SA's mark is masked before it is compared"},
	{"direction", read_direction, MEMBER(direction), .words = direction_words,
	 .about = "in for SAs that decrypt, out for SAs that encrypt; without it both"},
};

const struct config_section config_section_rule_match = {
	.name = "'match' of an entry of 'rules'",
	.keys = match_keys,
	.n_keys = ELEMENTSOF(match_keys),
	.check = check_match,
};

const struct config_section config_section_group_match = {
	.name = "'match' of an entry of 'groups'",
	.keys = match_keys,
	.n_keys = ELEMENTSOF(match_keys),
	.check = check_match,
};

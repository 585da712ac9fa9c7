/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the entry that decides: the first one whose conditions all hold. */
#include "config/match.h"

#include <fnmatch.h>
#include <string.h>
#include <strings.h>

/* An unknown property matches no pattern, not even "*", so that an unknown NIC is not trusted. */
static bool match_pattern(const char *pattern, const char *text)
{
	return !pattern || (text && fnmatch(pattern, text, FNM_CASEFOLD) == 0);
}

static bool match_name(const char *pattern, const char *text)
{
	return !pattern || (text && fnmatch(pattern, text, 0) == 0);
}

const struct config_nic *config_match_nic(const struct config *config,
					  const struct config_nic_identity *identity)
{
	for (size_t i = 0; i < config->n_nics; i++) {
		const struct config_nic *nic = &config->nics[i];

		if (match_name(nic->name, identity->name) &&
		    (!nic->driver ||
		     (identity->driver && strcmp(nic->driver, identity->driver) == 0)) &&
		    match_pattern(nic->pci, identity->pci) &&
		    match_pattern(nic->mac, identity->mac))
			return nic;
	}
	return NULL;
}

static bool same_bits(const struct sa_address *a, const struct sa_address *b, unsigned length)
{
	unsigned bytes = length / 8;
	unsigned rest = length % 8;

	if (memcmp(a->bytes, b->bytes, bytes) != 0)
		return false;
	return rest == 0 || (a->bytes[bytes] ^ b->bytes[bytes]) >> (8 - rest) == 0;
}

bool config_match_prefix(const struct config_prefix *prefix, uint16_t family,
			 const struct sa_address *address)
{
	return !prefix->set ||
	       (prefix->family == family && same_bits(&prefix->address, address, prefix->length));
}

static bool match_number(const struct config_number *number, uint32_t value)
{
	return !number->set || number->value == value;
}

static bool match_sa(const struct config_match *match, const struct sa_description *sa)
{
	return config_match_prefix(&match->source, sa->id.family, &sa->source) &&
	       config_match_prefix(&match->destination, sa->id.family, &sa->id.destination) &&
	       match_number(&match->reqid, sa->reqid) && match_number(&match->if_id, sa->if_id) &&
	       match_number(&match->mark, sa->id.mark_value & match->mark_mask) &&
	       (match->direction == SA_DIRECTION_UNKNOWN || match->direction == sa->direction);
}

const struct config_rule *config_match_rule(const struct config *config,
					    const struct sa_description *sa)
{
	for (size_t i = 0; i < config->n_rules; i++)
		if (match_sa(&config->rules[i].match, sa))
			return &config->rules[i];
	return NULL;
}

const struct config_group *config_match_group(const struct config *config,
					      const struct sa_description *sa)
{
	static const struct config_match anything = {.mark_mask = UINT32_MAX};

	for (size_t i = 0; i < config->n_groups; i++)
		if (sa ? match_sa(&config->groups[i].match, sa)
		       : config_match_covers(&config->groups[i].match, &anything))
			return &config->groups[i];
	return NULL;
}

static bool covers_prefix(const struct config_prefix *a, const struct config_prefix *b)
{
	return !a->set || (b->set && a->family == b->family && a->length <= b->length &&
			   same_bits(&a->address, &b->address, a->length));
}

static bool covers_number(const struct config_number *a, const struct config_number *b)
{
	return !a->set || (b->set && a->value == b->value);
}

static bool covers_mark(const struct config_match *a, const struct config_match *b)
{
	if (!a->mark.set)
		return true;
	return b->mark.set && (a->mark_mask & ~b->mark_mask) == 0 &&
	       (b->mark.value & a->mark_mask) == a->mark.value;
}

bool config_match_covers(const struct config_match *a, const struct config_match *b)
{
	return covers_prefix(&a->source, &b->source) &&
	       covers_prefix(&a->destination, &b->destination) &&
	       covers_number(&a->reqid, &b->reqid) && covers_number(&a->if_id, &b->if_id) &&
	       covers_mark(a, b) &&
	       (a->direction == SA_DIRECTION_UNKNOWN || a->direction == b->direction);
}

static bool covers_text(const char *a, const char *b)
{
	return !a || (b && strcmp(a, b) == 0);
}

bool config_nic_covers(const struct config_nic *a, const struct config_nic *b)
{
	return covers_text(a->name, b->name) && covers_text(a->driver, b->driver) &&
	       covers_text(a->pci, b->pci) && covers_text(a->mac, b->mac);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `nics`: which NICs may be used, which may get keys, and their capacities. */
#include "cleanup.h"
#include "config.h"
#include "config/keys.h"
#include "config/names.h"

/* 1 kbit/s. Zero is refused: to keep SAs out of a NIC, set `allow: false`. */
#define MAX_RATE_MIN 125

#define MEMBER(name) offsetof(struct config_capacity, name)

#define CAPACITY_REMEDY "give both 'in' and 'out', or one number if they share slots"

static const struct config_key capacity_keys[] = {
	{"in", config_read_uint32, MEMBER(in), 0, CONFIG_CAPACITY_MAX, .required = CAPACITY_REMEDY,
	 .about = "The slots of inbound SAs"},
	{"out", config_read_uint32, MEMBER(out), 0, CONFIG_CAPACITY_MAX,
	 .required = CAPACITY_REMEDY, .about = "The slots of outbound SAs"},
};

static const struct config_section capacity_section = {
	.name = "'capacity'",
	.keys = capacity_keys,
	.n_keys = ELEMENTSOF(capacity_keys),
};

/* Reads N (slots that both directions share), or {in: N, out: N}. */
static void read_capacity(struct config_reader *reader, const struct config_key *key,
			  const yaml_node_t *node, void *member)
{
	struct config_capacity *capacity = member;

	capacity->set = true;
	if (node->type == YAML_MAPPING_NODE) {
		config_read_section(reader, key->section, node, capacity);
		return;
	}
	capacity->shared = true;
	config_read_uint32(reader, key, node, &capacity->in);
}

#undef MEMBER
#define MEMBER(name) offsetof(struct config_nic, name)

static const struct config_key match_keys[] = {
	{"name", config_read_name_pattern, MEMBER(name),
	 .about = "A pattern for the interface's name"},
	{"driver", config_read_driver, MEMBER(driver),
	 .about = "The exact name of the driver, as 'ethtool -i' shows it"},
	{"pci", config_read_pci_pattern, MEMBER(pci),
	 .about = "A pattern for the PCI address, like 0000:3b:00.*"},
	{"mac", config_read_mac_pattern, MEMBER(mac),
	 .about = "A pattern for the MAC address, like 02:00:5e:*"},
};

static const struct config_section match_section = {
	.name = "'match' of an entry of 'nics'",
	.keys = match_keys,
	.n_keys = ELEMENTSOF(match_keys),
};

static const struct config_key nic_keys[] = {
	{"match", config_read_mapping, 0, .section = &match_section,
	 .about =
		 "The conditions on a NIC, all of which must hold; without them every NIC matches"},
	{"allow", config_read_bool, MEMBER(allow), .default_text = "false",
	 .about = "Whether SAs may be moved into the NIC"},
	{"trusted", config_read_bool, MEMBER(trusted), .default_text = "false",
	 .about = "Whether the NIC may be given keys"},
	{"fips", config_read_bool, MEMBER(fips), .default_text = "false",
	 .about = "Whether the NIC is inside the FIPS 140 boundary; in FIPS mode no other is used"},
	{"capacity", read_capacity, MEMBER(capacity), 0, CONFIG_CAPACITY_MAX,
	 .section = &capacity_section,
	 .about = "How many SAs the NIC's table holds: one number if both directions share slots, "
		  "else 'in' and 'out'; without it the number is that of the driver, or learned"},
	{"max-rate", config_read_rate, MEMBER(max_rate), MAX_RATE_MIN, CONFIG_RATE_MAX,
	 .about = "No SA is moved into the NIC's table if its SAs would then carry more than this; "
		  "without it there is no limit"},
};

const struct config_section config_section_nic = {
	.name = "an entry of 'nics'",
	.keys = nic_keys,
	.n_keys = ELEMENTSOF(nic_keys),
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `nics`: which NICs may be used, which may get keys, and their capacities. */
#include "cleanup.h"
#include "config.h"
#include "config/keys.h"
#include "config/names.h"

/* 1 kbit/s. Zero is refused: to keep SAs out of a NIC, set `allow: false`. */
#define MAX_RATE_MIN 125

#define MEMBER(name) offsetof(struct config_capacity, name)

static const struct config_key capacity_keys[] = {
	{"in", config_read_uint32, MEMBER(in), 0, CONFIG_CAPACITY_MAX},
	{"out", config_read_uint32, MEMBER(out), 0, CONFIG_CAPACITY_MAX},
};

static void check_capacity(struct config_reader *reader, const yaml_node_t *mapping,
			   void *structure)
{
	const char *const names[] = {"in", "out"};
	struct config_place place = config_place(mapping);

	(void)structure; /* a missing number cannot be distinguished from 0 there */
	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		if (config_find(reader, mapping, names[i]))
			continue;
		config_error(reader->report, &place, "'capacity' has no '%s'", names[i]);
		config_remedy(reader->report, "give both 'in' and 'out', or one number if they "
					      "share slots");
	}
}

static const struct config_section capacity_section = {
	.name = "'capacity'",
	.keys = capacity_keys,
	.n_keys = ELEMENTSOF(capacity_keys),
	.check = check_capacity,
};

/* Reads N (slots that both directions share), or {in: N, out: N}. */
static void read_capacity(struct config_reader *reader, const struct config_key *key,
			  const yaml_node_t *node, void *member)
{
	struct config_capacity *capacity = member;

	capacity->set = true;
	if (node->type == YAML_MAPPING_NODE) {
		config_read_section(reader, &capacity_section, node, capacity);
		return;
	}
	capacity->shared = true;
	config_read_uint32(reader, key, node, &capacity->in);
}

#undef MEMBER
#define MEMBER(name) offsetof(struct config_nic, name)

static const struct config_key match_keys[] = {
	{"name", config_read_name_pattern, MEMBER(name)},
	{"driver", config_read_driver, MEMBER(driver)},
	{"pci", config_read_pci_pattern, MEMBER(pci)},
	{"mac", config_read_mac_pattern, MEMBER(mac)},
};

static const struct config_section match_section = {
	.name = "'match' of an entry of 'nics'",
	.keys = match_keys,
	.n_keys = ELEMENTSOF(match_keys),
};

static const struct config_key nic_keys[] = {
	{"match", config_read_mapping, 0, .section = &match_section},
	{"allow", config_read_bool, MEMBER(allow), .default_text = "false"},
	{"trusted", config_read_bool, MEMBER(trusted), .default_text = "false"},
	{"fips", config_read_bool, MEMBER(fips), .default_text = "false"},
	{"capacity", read_capacity, MEMBER(capacity), 0, CONFIG_CAPACITY_MAX},
	{"max-rate", config_read_rate, MEMBER(max_rate), MAX_RATE_MIN, CONFIG_RATE_MAX},
};

const struct config_section config_section_nic = {
	.name = "an entry of 'nics'",
	.keys = nic_keys,
	.n_keys = ELEMENTSOF(nic_keys),
};

// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/contradictions.h"

#include <fnmatch.h>
#include <inttypes.h>

static bool may_hold_keys(const struct config_nic *nic)
{
	return nic->allow && nic->trusted;
}

static struct config_place place_in_entry(struct config_reader *reader, const yaml_node_t *root,
					  const char *list, size_t i, const char *key)
{
	const yaml_node_t *node = config_find(reader, root, list);

	node = yaml_document_get_node(reader->document, node->data.sequence.items.start[i]);
	return config_place(config_find(reader, node, key));
}

static void warn_enforce(struct config_reader *reader, const yaml_node_t *root,
			 const struct config *config)
{
	struct config_place place;

	if (config->mode != CONFIG_MODE_ENFORCE)
		return;
	for (size_t i = 0; i < config->n_nics; i++)
		if (may_hold_keys(&config->nics[i]))
			return;
	place = config_place(config_find(reader, root, "mode"));
	config_warning(reader->report, &place, "'enforce' moves no SA into any NIC");
	config_remedy(reader->report,
		      "no entry of 'nics' has both 'allow: true' and 'trusted: true'");
}

/* Whether an entry may match a NIC of this name. If the entry has other conditions, it is not known
 * here whether they hold, so it may match, and later entries may too (not certain). */
static bool may_match(const struct config_nic *nic, const char *name, bool *ret_certain)
{
	*ret_certain = !nic->driver && !nic->pci && !nic->mac;
	return !nic->name || fnmatch(nic->name, name, 0) == 0;
}

static bool may_be_used(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_nics; i++) {
		bool certain;

		if (!may_match(&config->nics[i], name, &certain))
			continue;
		if (may_hold_keys(&config->nics[i]))
			return true;
		if (certain)
			return false;
	}
	return false;
}

static void warn_rule_nics(struct config_reader *reader, const yaml_node_t *root,
			   const struct config *config)
{
	for (size_t i = 0; i < config->n_rules; i++) {
		const struct config_rule *rule = &config->rules[i];
		struct config_place place;

		if (!rule->nic || rule->offload == CONFIG_OFFLOAD_NEVER ||
		    may_be_used(config, rule->nic))
			continue;
		place = place_in_entry(reader, root, "rules", i, "nic");
		config_warning(reader->report, &place,
			       "the SAs of this rule stay in software: '%s' may hold none",
			       rule->nic);
		config_remedy(reader->report, "the entry of 'nics' that matches it needs both "
					      "'allow: true' and 'trusted: true'");
	}
}

/* The slots of the smallest table of the NIC that has any; 0: not known, or the NIC must not hold
 * keys. */
static uint32_t smallest_table(const struct config_nic *nic)
{
	const struct config_capacity *capacity = &nic->capacity;

	if (!capacity->set || !may_hold_keys(nic))
		return 0;
	if (capacity->shared || capacity->out == 0)
		return capacity->in;
	return capacity->in == 0 || capacity->out < capacity->in ? capacity->out : capacity->in;
}

/* The entry with the smallest table, or NULL. */
static const struct config_nic *smallest_nic(const struct config *config)
{
	const struct config_nic *smallest = NULL;

	for (size_t i = 0; i < config->n_nics; i++) {
		uint32_t size = smallest_table(&config->nics[i]);

		if (size > 0 && (!smallest || size < smallest_table(smallest)))
			smallest = &config->nics[i];
	}
	return smallest;
}

static void warn_floors(struct config_reader *reader, const yaml_node_t *root,
			const struct config *config)
{
	const struct config_nic *nic = smallest_nic(config);
	uint32_t size = nic ? smallest_table(nic) : 0;
	uint64_t all = 0;

	for (size_t i = 0; nic && i < config->n_groups; i++) {
		const struct config_group *group = &config->groups[i];
		uint64_t before = all;
		struct config_place place;

		all += group->floor;
		if (group->floor == 0 || all <= size)
			continue;
		place = place_in_entry(reader, root, "groups", i, "floor");
		if (group->floor > size)
			config_warning(reader->report, &place, "'floor' %u is above the capacity",
				       group->floor);
		else if (before <= size)
			config_warning(reader->report, &place,
				       "with this 'floor' all groups are promised %" PRIu64
				       " slots, more than the capacity",
				       all);
		else
			continue;
		config_remedy(reader->report,
			      "a table of the NICs of the entry %s%s%u has %u slots",
			      nic->file == group->file ? "in line " : nic->file,
			      nic->file == group->file ? "" : ":", nic->line, size);
	}
}

void config_warn_contradictions(struct config_reader *reader, const yaml_node_t *root,
				const struct config *config)
{
	warn_enforce(reader, root, config);
	warn_rule_nics(reader, root, config);
	warn_floors(reader, root, config);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `groups`: SAs that share a number of slots. */
#include "cleanup.h"
#include "config.h"
#include "config/keys.h"
#include "config/names.h"

#include <string.h>

static const yaml_node_t *name_node(struct config_reader *reader, const yaml_node_t *mapping,
				    size_t i)
{
	const yaml_node_t *list = config_find(reader, mapping, "groups");
	const yaml_node_t *entry =
		yaml_document_get_node(reader->document, list->data.sequence.items.start[i]);

	return config_find(reader, entry, "name");
}

/* The names of groups must be unique, since `explain` shows them. */
void config_check_groups(struct config_reader *reader, const yaml_node_t *mapping, void *structure)
{
	const struct config *config = structure;
	struct config_place place;

	for (size_t i = 0; i < config->n_groups; i++) {
		const struct config_group *group = &config->groups[i];
		size_t j = 0;

		/* A missing name has been reported before. */
		while (j < i && (!group->name || !config->groups[j].name ||
				 strcmp(config->groups[j].name, group->name) != 0))
			j++;
		if (j == i)
			continue;
		place = config_place(name_node(reader, mapping, i));
		config_error(reader->report, &place, "two groups have the name '%s'", group->name);
		config_remedy(reader->report, "rename one; the first one is in line %u",
			      config->groups[j].line);
	}
}

#define MEMBER(name) offsetof(struct config_group, name)

static void check_group(struct config_reader *reader, const yaml_node_t *mapping, void *structure)
{
	const struct config_group *group = structure;
	struct config_place place;

	if (group->ceiling == 0 || group->floor <= group->ceiling)
		return;
	place = config_place(config_find(reader, mapping, "floor"));
	config_error(reader->report, &place, "'floor' %u is above 'ceiling' %u", group->floor,
		     group->ceiling);
	config_remedy(reader->report,
		      "'floor' slots are promised to the group, 'ceiling' is the most it gets");
}

/* A ceiling of 0 is refused. It would keep the group in software, and a rule with `offload: never`
 * does that. */
static const struct config_key group_keys[] = {
	{"name", config_read_label, MEMBER(name),
	 .required = "give it one: 'espoffloadctl explain' shows it",
	 .about = "The name that 'espoffloadctl explain' shows, different for each group"},
	{"match", config_read_mapping, MEMBER(match), .section = &config_section_group_match,
	 .about = "The conditions on an SA, all of which must hold; without them every SA matches"},
	{"floor", config_read_uint32, MEMBER(floor), 0, CONFIG_CAPACITY_MAX, .default_text = "0",
	 .about =
		 "The least number of slots of each table, while so many of its SAs carry traffic"},
	{"ceiling", config_read_uint32, MEMBER(ceiling), 1, CONFIG_CAPACITY_MAX,
	 .about =
		 "The largest number of slots of each table, even when others are free; without it "
		 "there is no limit"},
};

const struct config_section config_section_group = {
	.name = "an entry of 'groups'",
	.keys = group_keys,
	.n_keys = ELEMENTSOF(group_keys),
	.check = check_group,
};

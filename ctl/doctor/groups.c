/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "doctor/groups.h"

#include "cleanup.h"
#include "views.h"

#include <errno.h>
#include <string.h>

static json_t *find_group(const json_t *groups, const char *reason)
{
	json_t *group;
	size_t i;

	json_array_foreach(groups, i, group)
		if (strcmp(json_text_or(group, "reason", ""), reason) == 0)
			return group;
	return NULL;
}

static int count(json_t *groups, const json_t *sa)
{
	const char *reason = json_text_or(sa, "reason", "");
	json_t *group;

	if (!json_is_true(json_object_get(sa, "lasting")))
		return 0;
	group = find_group(groups, reason);
	if (group)
		return json_object_set_new(group, "sas",
					   json_integer(json_whole_or(group, "sas", 0) + 1)) < 0
			       ? -ENOMEM
			       : 0;
	group = json_pack("{s:s, s:s, s:i, s:s}", "reason", reason, "text",
			  json_text_or(sa, "text", ""), "sas", 1, "example",
			  json_text_or(sa, "spi", "?"));
	return group && json_array_append_new(groups, group) == 0 ? 0 : -ENOMEM;
}

int groups_add(json_t *groups, const json_t *reply)
{
	const json_t *sas = json_object_get(reply, "sas");
	const json_t *sa;
	size_t i;
	int r = 0;

	if (!json_is_array(sas))
		return -EBADMSG;
	json_array_foreach(sas, i, sa)
		if (r == 0)
			r = count(groups, sa);
	return r;
}

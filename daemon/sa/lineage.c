// SPDX-License-Identifier: GPL-2.0-or-later
#include "sa/lineage.h"

struct sa_lineage sa_lineage_of(const struct sa_description *d)
{
	return (struct sa_lineage){
		.source = d->source,
		.destination = d->id.destination,
		.reqid = d->reqid,
		.mark_value = d->id.mark_value,
		.mark_mask = d->id.mark_mask,
		.if_id = d->if_id,
		.cpu = d->cpu,
		.label = d->label,
		.family = d->id.family,
		.protocol = d->id.protocol,
		.mode = d->mode,
		.direction = d->direction,
	};
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "move/reading.h"

#include <netlink/msg.h>
#include <string.h>

static bool same_sa(const struct sa_id *id, const struct sa_id *other)
{
	return memcmp(id, other, sizeof(*id)) == 0;
}

static void read_thresholds(struct reading *reading, const struct nlmsghdr *message)
{
	struct nlmsghdr *m = (struct nlmsghdr *)message;
	struct nlattr *timer =
		nlmsg_find_attr(m, sizeof(struct xfrm_aevent_id), XFRMA_ETIMER_THRESH);
	struct nlattr *threshold =
		nlmsg_find_attr(m, sizeof(struct xfrm_aevent_id), XFRMA_REPLAY_THRESH);

	if (!timer || !threshold || nla_len(timer) < 4 || nla_len(threshold) < 4)
		return;
	reading->timer_known = true;
	reading->timer = nla_get_u32(timer);
	reading->threshold = nla_get_u32(threshold);
}

static int read_message(const struct nlmsghdr *message, bool own, void *userdata)
{
	struct reading *reading = userdata;
	struct sa_image *image = reading->image ? reading->image : &reading->move->image;
	uint32_t threshold = image->replay_threshold;
	struct sa_facts facts;

	(void)own; /* kernel_transact() passes only its own messages */
	if (message->nlmsg_type == XFRM_MSG_NEWAE)
		read_thresholds(reading, message);
	/* While a DELSA is read, the NEWSA that answers ALLOCSPI is skipped: it shows the larval
	 * SA. */
	if (message->nlmsg_type != reading->type)
		return 0;
	if (sa_facts_read(message, &facts) < 0 ||
	    !same_sa(&facts.description.id, &reading->move->id))
		return 0;
	if ((reading->type == XFRM_MSG_DELSA || reading->dumped) &&
	    facts.hands_off == HANDS_OFF_LARVAL) {
		reading->larval = true;
		reading->larval_is_ours |= sa_image_is_larval(image, &facts);
		return 0;
	}
	reading->found = true;
	reading->facts = facts;
	/* The image of a larval SA must not replace that of the SA. */
	if (reading->capture && facts.hands_off != HANDS_OFF_LARVAL) {
		reading->error = sa_image_capture(image, reading->arena, message);
		if (reading->error == 0)
			image->replay_threshold = threshold;
	}
	return 0;
}

int reading_exchange(struct kernel *kernel, struct kernel_batch *batch, struct reading *reading)
{
	return kernel_transact(kernel, batch, read_message, reading);
}

int reading_dump(struct kernel *kernel, struct reading *reading)
{
	reading->dumped = true;
	return kernel_dump(kernel, XFRM_MSG_GETSA, read_message, reading);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* XFRM_MSG_MIGRATE_STATE of Linux 7.2: the kernel itself clones a state into or out of a NIC. */
#include "fake-internal.h"

#include <errno.h>
#include <string.h>

/* The driver's errors are lost: all become -EINVAL, with the driver's text. */
static int move_offload(struct fake_request *request, const struct xfrm_compat_migrate_state *p,
			const struct fake_sa *old, struct fake_sa *clone)
{
	const struct xfrm_user_offload *offload = fake_payload(request, XFRMA_OFFLOAD_DEV);
	struct xfrm_user_offload inherited = {.ifindex = old->ifindex, .flags = old->offload_flags};

	clone->ifindex = 0;
	clone->offload_flags = 0;
	if (offload && (p->flags & XFRM_COMPAT_MIGRATE_STATE_CLEAR_OFFLOAD))
		return fake_request_error(request, -EINVAL, "Conflicting offload request");
	if (p->flags & XFRM_COMPAT_MIGRATE_STATE_CLEAR_OFFLOAD)
		return 0;
	if (!offload && old->ifindex != 0)
		offload = &inherited;
	if (!offload)
		return 0;
	/* xfrm_set_type_offload() is called from xfrm_state_construct() only (7.2, 7.3). */
	if (request->k->config.migrate_state == FAKE_MIGRATE_EVICT_ONLY)
		return fake_request_error(request, -EINVAL, "Type doesn't support offload");
	return fake_offload_add(request, clone, offload) < 0 ? -EINVAL : 0;
}

static void notify(struct fake_request *request, const struct xfrm_compat_migrate_state *p,
		   const struct fake_sa *sa)
{
	struct xfrm_user_offload offload = {.ifindex = sa->ifindex, .flags = sa->offload_flags};
	struct fake_buffer b = {};
	size_t start = fake_message_begin(&b, XFRM_COMPAT_MSG_MIGRATE_STATE, 0,
					  request->message->nlmsg_seq, request->message->nlmsg_pid,
					  p, sizeof(*p));

	if (sa->ifindex != 0)
		fake_message_add(&b, start, XFRMA_OFFLOAD_DEV, &offload, sizeof(offload));
	if (!request->lose_notes)
		fake_broadcast(request->k, (const struct nlmsghdr *)b.data);
	fake_buffer_release(&b);
}

int fake_migrate_state(struct fake_request *request)
{
	const struct xfrm_compat_migrate_state *p = NLMSG_DATA(request->message);
	struct fake_kernel *k = request->k;
	struct fake_sa *old, *clone;
	int r;

	if (p->reserved != 0 || p->new_family == 0)
		return fake_request_error(request, -EINVAL, "Invalid family or reserved field");
	old = fake_lookup(k, p->old_mark.v & p->old_mark.m, &p->id.daddr, p->id.spi, p->id.proto,
			  p->id.family);
	if (!old)
		return fake_request_error(request, -ESRCH, "Can not find state");
	if (old->state != FAKE_VALID)
		return fake_request_error(request, -EINVAL, "State migration clone failed");
	clone = fake_sa_copy(old);
	clone->creator = request->port;
	r = move_offload(request, p, old, clone);
	if (r < 0) {
		fake_sa_free(clone);
		return r;
	}
	clone->info.id.daddr = p->new_daddr;
	clone->info.saddr = p->new_saddr;
	clone->info.reqid = p->new_reqid;
	clone->info.family = p->new_family;
	clone->info.sel = p->new_sel;
	clone->info.stats = (struct xfrm_stats){};
	clone->dying = false;
	/* xfrm_migrate_sync() takes counters and sequence numbers under the lock: the copy has
	 * them, as nothing runs in between here. */
	fake_delete(k, old);
	fake_moment_within(request);
	fake_insert(k, clone);
	notify(request, p, clone);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Policies (xfrm_policy.c): only the parts that the daemon uses. */
#include "fake-internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static struct xfrm_userpolicy_info info_of(const struct fake_policy *policy)
{
	const struct fake_policy_spec *spec = &policy->spec;
	uint8_t direction = spec->inbound ? XFRM_POLICY_IN : XFRM_POLICY_OUT;

	return (struct xfrm_userpolicy_info){
		.index = spec->index,
		.dir = (uint8_t)(direction + (spec->socket ? XFRM_POLICY_MAX : 0)),
		.sel.family = AF_INET,
		.lft = {.soft_byte_limit = XFRM_INF, .hard_byte_limit = XFRM_INF},
	};
}

static void emit_attributes(const struct fake_policy *policy, struct fake_buffer *b, size_t start)
{
	const struct fake_policy_spec *spec = &policy->spec;
	struct xfrm_user_tmpl template = {
		.id = {.spi = htonl(spec->spi), .proto = IPPROTO_ESP},
		.family = AF_INET,
		.reqid = spec->reqid,
		.optional = spec->optional,
	};
	struct xfrm_user_offload offload = {.ifindex = spec->ifindex,
					    .flags = XFRM_COMPAT_OFFLOAD_PACKET};

	if (!spec->bypass)
		fake_message_add(b, start, XFRMA_TMPL, &template, sizeof(template));
	if (spec->ifindex)
		fake_message_add(b, start, XFRMA_OFFLOAD_DEV, &offload, sizeof(offload));
}

/* xfrm_notify_policy() */
static void notify(struct fake_kernel *k, const struct fake_policy *policy, uint16_t event)
{
	struct xfrm_userpolicy_info info = info_of(policy);
	struct xfrm_userpolicy_id id = {.sel = info.sel, .dir = info.dir};
	bool deleted = event == XFRM_MSG_DELPOLICY;
	struct fake_buffer b = {};
	size_t start;

	if (policy->spec.socket)
		return;
	start = fake_message_begin(&b, event, 0, 1, FAKE_IKE_PORT,
				   deleted ? (const void *)&id : &info,
				   deleted ? sizeof(id) : sizeof(info));
	if (deleted)
		fake_message_add(&b, start, XFRMA_POLICY, &info, sizeof(info));
	emit_attributes(policy, &b, start);
	fake_broadcast(k, (const struct nlmsghdr *)b.data);
	fake_buffer_release(&b);
}

static struct fake_policy **find(struct fake_kernel *k, uint32_t index)
{
	struct fake_policy **p = &k->policies;

	while (*p && (*p)->spec.index != index)
		p = &(*p)->next;
	return p;
}

void fake_kernel_add_policy(struct fake_kernel *k, const struct fake_policy_spec *spec)
{
	struct fake_policy **p = find(k, spec->index);
	bool update = *p;

	if (!update)
		*p = fake_allocate(sizeof(**p));
	(*p)->spec = *spec;
	notify(k, *p, update ? XFRM_MSG_UPDPOLICY : XFRM_MSG_NEWPOLICY);
}

static void remove_policy(struct fake_policy **p)
{
	struct fake_policy *policy = *p;

	*p = policy->next;
	free(policy);
}

void fake_kernel_delete_policy(struct fake_kernel *k, uint32_t index)
{
	struct fake_policy **p = find(k, index);

	if (!*p)
		return;
	notify(k, *p, XFRM_MSG_DELPOLICY);
	remove_policy(p);
}

/* xfrm_dev_policy_flush() sends no message. */
void fake_policies_flush(struct fake_kernel *k, int ifindex)
{
	for (struct fake_policy **p = &k->policies; *p;)
		if (ifindex == 0 || (*p)->spec.ifindex == ifindex)
			remove_policy(p);
		else
			p = &(*p)->next;
}

void fake_policies_dump(struct fake_kernel *k, struct fake_buffer *b, uint32_t sequence,
			uint32_t port)
{
	for (const struct fake_policy *p = k->policies; p; p = p->next) {
		struct xfrm_userpolicy_info info = info_of(p);
		size_t start = fake_message_begin(b, XFRM_MSG_NEWPOLICY, NLM_F_MULTI, sequence,
						  port, &info, sizeof(info));

		emit_attributes(p, b, start);
	}
}

/* build_spdinfo() */
void fake_policies_count(const struct fake_kernel *k, struct xfrmu_spdinfo *ret_counts)
{
	*ret_counts = (struct xfrmu_spdinfo){};
	for (const struct fake_policy *p = k->policies; p; p = p->next)
		if (p->spec.socket)
			*(p->spec.inbound ? &ret_counts->inscnt : &ret_counts->outscnt) += 1;
		else
			*(p->spec.inbound ? &ret_counts->incnt : &ret_counts->outcnt) += 1;
}

/* xfrm_tmpl_resolve_one(): without an SA an optional template is skipped. */
bool fake_policies_let_through(const struct fake_kernel *k, const struct fake_sa *like)
{
	for (const struct fake_policy *p = k->policies; p; p = p->next)
		if (!p->spec.inbound && p->spec.optional &&
		    (p->spec.reqid == 0 || p->spec.reqid == like->info.reqid))
			return true;
	return false;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Optional templates are rare, so they are in a plain array without duplicates. They are forgotten
 * only when all policies are read again: an outdated template only keeps an SA where it is, and a
 * missing one would be unsafe. Offloaded policies are rare too. Each is forgotten when an event
 * shows its deletion.
 */
#include "spd.h"

#include <errno.h>
#include <linux/xfrm.h>
#include <netlink/msg.h>
#include <string.h>

static struct sa_address address_of(uint16_t family, const xfrm_address_t *address)
{
	struct sa_address result = {};

	memcpy(result.bytes, address, family == AF_INET ? 4 : 16);
	return result;
}

static bool same(const struct spd_template *a, const struct spd_template *b)
{
	return memcmp(&a->source, &b->source, sizeof(a->source)) == 0 &&
	       memcmp(&a->destination, &b->destination, sizeof(a->destination)) == 0 &&
	       a->reqid == b->reqid && a->family == b->family && a->protocol == b->protocol;
}

static void add(struct spd *spd, const struct spd_template *template)
{
	struct spd_template *grown;

	for (size_t i = 0; i < spd->n_optional; i++)
		if (same(&spd->optional[i], template))
			return;
	grown = reallocarray(spd->optional, spd->n_optional + 1, sizeof(*grown));
	if (!grown) {
		spd->failed = true;
		return;
	}
	spd->optional = grown;
	grown[spd->n_optional++] = *template;
}

static void read_templates(struct spd *spd, const struct nlattr *attribute)
{
	const struct xfrm_user_tmpl *templates = nla_data(attribute);
	size_t n = (size_t)nla_len(attribute) / sizeof(*templates);

	for (size_t i = 0; i < n; i++) {
		struct spd_template template = {
			.source = address_of(templates[i].family, &templates[i].saddr),
			.destination = address_of(templates[i].family, &templates[i].id.daddr),
			.reqid = templates[i].reqid,
			.family = templates[i].family,
			.protocol = templates[i].id.proto,
		};

		if (templates[i].optional)
			add(spd, &template);
	}
}

static struct spd_offloaded *find_offloaded(const struct spd *spd, uint32_t index,
					    uint8_t direction)
{
	for (size_t i = 0; i < spd->n_offloaded; i++)
		if (spd->offloaded[i].index == index && spd->offloaded[i].direction == direction)
			return &spd->offloaded[i];
	return NULL;
}

static void forget_offloaded(struct spd *spd, const struct xfrm_userpolicy_info *info)
{
	struct spd_offloaded *found = find_offloaded(spd, info->index, info->dir);

	if (found)
		*found = spd->offloaded[--spd->n_offloaded];
}

static void add_offloaded(struct spd *spd, const struct xfrm_userpolicy_info *info, int ifindex)
{
	struct spd_offloaded *grown =
		reallocarray(spd->offloaded, spd->n_offloaded + 1, sizeof(*grown));

	if (!grown)
		return; /* its loss would not be reported */
	spd->offloaded = grown;
	grown[spd->n_offloaded++] = (struct spd_offloaded){
		.index = info->index,
		.direction = info->dir,
		.ifindex = ifindex,
	};
}

static void handle_policy(struct spd *spd, struct nlmsghdr *m,
			  const struct xfrm_userpolicy_info *info)
{
	const struct nlattr *templates = nlmsg_find_attr(m, sizeof(*info), XFRMA_TMPL);
	const struct nlattr *offload = nlmsg_find_attr(m, sizeof(*info), XFRMA_OFFLOAD_DEV);

	if (templates &&
	    (info->dir == XFRM_POLICY_OUT || info->dir == XFRM_POLICY_MAX + XFRM_POLICY_OUT))
		read_templates(spd, templates);
	/* A dump shows each policy once. */
	if (!(m->nlmsg_flags & NLM_F_MULTI))
		forget_offloaded(spd, info);
	if (offload && (size_t)nla_len(offload) >= sizeof(struct xfrm_user_offload))
		add_offloaded(spd, info,
			      ((const struct xfrm_user_offload *)nla_data(offload))->ifindex);
}

void spd_handle(struct spd *spd, const struct nlmsghdr *message)
{
	struct nlmsghdr *m = (struct nlmsghdr *)message;
	/* Copied, since netlink aligns messages to 4 bytes only. */
	struct xfrm_userpolicy_info info;
	struct xfrm_user_polexpire expiry;
	const struct nlattr *attribute;

	switch (message->nlmsg_type) {
	case XFRM_MSG_NEWPOLICY:
	case XFRM_MSG_UPDPOLICY:
		if (!nlmsg_valid_hdr(m, sizeof(info)))
			return;
		memcpy(&info, nlmsg_data(m), sizeof(info));
		handle_policy(spd, m, &info);
		break;
	case XFRM_MSG_DELPOLICY:
		attribute = nlmsg_find_attr(m, sizeof(struct xfrm_userpolicy_id), XFRMA_POLICY);
		if (!attribute || (size_t)nla_len(attribute) < sizeof(info))
			return;
		memcpy(&info, nla_data(attribute), sizeof(info));
		forget_offloaded(spd, &info);
		break;
	case XFRM_MSG_POLEXPIRE:
		if (!nlmsg_valid_hdr(m, sizeof(expiry)))
			return;
		memcpy(&expiry, nlmsg_data(m), sizeof(expiry));
		if (expiry.hard)
			forget_offloaded(spd, &expiry.pol);
		break;
	case XFRM_MSG_FLUSHPOLICY:
		spd->n_offloaded = 0;
		break;
	}
}

void spd_clear(struct spd *spd)
{
	free(spd->optional);
	free(spd->offloaded);
	*spd = (struct spd){};
}

static int handle_dumped(const struct nlmsghdr *message, bool own, void *userdata)
{
	(void)own;
	spd_handle(userdata, message);
	return 0;
}

int spd_read(struct kernel *kernel, struct spd *ret_spd)
{
	struct spd spd = {};
	int r = kernel_dump(kernel, XFRM_MSG_GETPOLICY, handle_dumped, &spd);

	if (r < 0) {
		spd_clear(&spd);
		return r;
	}
	*ret_spd = spd;
	return 0;
}

size_t spd_count_missing(const struct spd *before, const struct spd *after, int ifindex)
{
	size_t n = 0;

	for (size_t i = 0; i < before->n_offloaded; i++) {
		const struct spd_offloaded *o = &before->offloaded[i];

		n += o->ifindex == ifindex && !find_offloaded(after, o->index, o->direction);
	}
	return n;
}

static int read_counts(const struct nlmsghdr *message, bool own, void *userdata)
{
	struct nlmsghdr *m = (struct nlmsghdr *)message;
	const struct nlattr *attribute;

	(void)own;
	if (message->nlmsg_type != XFRM_MSG_NEWSPDINFO)
		return 0;
	attribute = nlmsg_find_attr(m, sizeof(uint32_t), XFRMA_SPD_INFO);
	if (attribute && (size_t)nla_len(attribute) >= sizeof(struct xfrmu_spdinfo))
		*(int *)userdata =
			(int)((const struct xfrmu_spdinfo *)nla_data(attribute))->outscnt;
	return 0;
}

int spd_count_sockets(struct kernel *kernel, struct kernel_batch *batch)
{
	uint32_t flags = 0;
	int n = -ENODATA, r;

	kernel_batch_clear(batch);
	kernel_batch_add(batch, XFRM_MSG_GETSPDINFO, 0, &flags, sizeof(flags));
	r = kernel_transact(kernel, batch, read_counts, &n);
	if (r >= 0)
		r = batch->answers[0].error;
	kernel_batch_clear(batch);
	return r < 0 ? r : n;
}

static bool address_matches(const struct sa_address *template, const struct sa_address *address)
{
	static const struct sa_address any;

	return memcmp(template, &any, sizeof(any)) == 0 ||
	       memcmp(template, address, sizeof(any)) == 0;
}

bool spd_makes_optional(const struct spd *spd, const struct sa_description *sa)
{
	if (spd->failed)
		return true;
	for (size_t i = 0; i < spd->n_optional; i++) {
		const struct spd_template *t = &spd->optional[i];

		if ((t->reqid == 0 || t->reqid == sa->reqid) && t->protocol == sa->id.protocol &&
		    address_matches(&t->source, &sa->source) &&
		    address_matches(&t->destination, &sa->id.destination))
			return true;
	}
	return false;
}

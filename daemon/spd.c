// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Optional templates are rare, mostly there are none, so they are a plain array without duplicates.
 * One is forgotten only by reading all policies anew: too many are safe, too few are not.
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

void spd_take(struct spd *spd, const struct nlmsghdr *message)
{
	struct nlmsghdr *m = (struct nlmsghdr *)message;
	struct xfrm_userpolicy_info info; /* a copy: netlink aligns to 4 bytes only */
	const struct xfrm_user_tmpl *templates;
	const struct nlattr *attribute;
	size_t n;

	if (message->nlmsg_type != XFRM_MSG_NEWPOLICY && message->nlmsg_type != XFRM_MSG_UPDPOLICY)
		return;
	if (!nlmsg_valid_hdr(m, sizeof(info)))
		return;
	memcpy(&info, nlmsg_data(m), sizeof(info));
	if (info.dir != XFRM_POLICY_OUT)
		return;
	attribute = nlmsg_find_attr(m, sizeof(info), XFRMA_TMPL);
	if (!attribute)
		return;
	templates = nla_data(attribute);
	n = (size_t)nla_len(attribute) / sizeof(*templates);
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

void spd_clear(struct spd *spd)
{
	free(spd->optional);
	*spd = (struct spd){};
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

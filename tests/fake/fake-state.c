// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of SAs (xfrm_state.c): lookups, insertion, deletion, and time. */
#include "fake-internal.h"

#include <string.h>

bool fake_same_address(const xfrm_address_t *a, const xfrm_address_t *b, uint16_t family)
{
	return memcmp(a, b, family == AF_INET ? sizeof(a->a4) : sizeof(*a)) == 0;
}

/* __xfrm_state_lookup(): the newest that matches, larval or not. A state with mark mask zero
 * matches every mark and hides older ones. A larval SA without an SPI is in no SPI chain. */
struct fake_sa *fake_lookup(struct fake_kernel *k, uint32_t mark, const xfrm_address_t *daddr,
			    __be32 spi, uint8_t proto, uint16_t family)
{
	for (struct fake_sa *sa = k->sas; sa; sa = sa->next)
		if (spi != 0 && sa->info.family == family && sa->info.id.spi == spi &&
		    sa->info.id.proto == proto &&
		    fake_same_address(&sa->info.id.daddr, daddr, family) &&
		    (mark & sa->mark.m) == sa->mark.v)
			return sa;
	return NULL;
}

/* xfrm_alloc_spi(): xfrm_state_lookup_spi_proto() in kernels in which an SPI must be unique per
 * protocol, xfrm_state_lookup() in older ones. */
bool fake_spi_taken(struct fake_kernel *k, const struct fake_sa *larval, __be32 spi)
{
	if (!k->config.spi_unique_per_protocol)
		return fake_lookup(k, larval->mark.v & larval->mark.m, &larval->info.id.daddr, spi,
				   larval->info.id.proto, larval->info.family);
	for (struct fake_sa *sa = k->sas; sa; sa = sa->next)
		if (sa->info.id.spi == spi && sa->info.id.proto == larval->info.id.proto)
			return true;
	return false;
}

/* __find_acq_core(): compares the CPU but, unlike xfrm_state_find(), not the if_id. */
struct fake_sa *fake_find_larval(struct fake_kernel *k, const struct fake_sa *like)
{
	uint32_t mark = like->mark.v & like->mark.m;

	for (struct fake_sa *sa = k->sas; sa; sa = sa->next)
		if (sa->state == FAKE_LARVAL && sa->info.id.spi == 0 &&
		    sa->info.reqid == like->info.reqid && sa->info.mode == like->info.mode &&
		    sa->info.family == like->info.family &&
		    sa->info.id.proto == like->info.id.proto && (mark & sa->mark.m) == sa->mark.v &&
		    fake_cpu_of(sa) == fake_cpu_of(like) &&
		    fake_same_address(&sa->info.id.daddr, &like->info.id.daddr,
				      like->info.family) &&
		    fake_same_address(&sa->info.saddr, &like->info.saddr, like->info.family))
			return sa;
	return NULL;
}

/* __xfrm_find_acq_byseq(), with the comparison of protocol and address that its callers make. */
struct fake_sa *fake_find_larval_by_sequence(struct fake_kernel *k, uint32_t mark,
					     const struct fake_sa *like)
{
	if (like->info.seq == 0)
		return NULL;
	for (struct fake_sa *sa = k->sas; sa; sa = sa->next)
		if (sa->state == FAKE_LARVAL && sa->info.seq == like->info.seq &&
		    (mark & sa->mark.m) == sa->mark.v && fake_cpu_of(sa) == fake_cpu_of(like)) {
			if (sa->info.id.proto == like->info.id.proto &&
			    fake_same_address(&sa->info.id.daddr, &like->info.id.daddr,
					      like->info.family))
				return sa;
			return NULL;
		}
	return NULL;
}

void fake_insert(struct fake_kernel *k, struct fake_sa *sa)
{
	sa->mark.v &= sa->mark.m; /* __xfrm_state_insert() */
	sa->serial = ++k->serial;
	sa->next = k->sas;
	k->sas = sa;
}

/* __xfrm_state_delete(): removes it from the tables and from the NIC, but does not free it yet. */
void fake_unlink(struct fake_kernel *k, struct fake_sa *sa)
{
	for (struct fake_sa **p = &k->sas; *p; p = &(*p)->next)
		if (*p == sa) {
			*p = sa->next;
			break;
		}
	for (struct fake_socket *s = k->sockets; s; s = s->next) {
		if (s->whole.next == sa)
			s->whole.next = sa->next;
		if (s->parts.next == sa)
			s->parts.next = sa->next;
	}
	fake_offload_delete(k, sa);
}

void fake_delete(struct fake_kernel *k, struct fake_sa *sa)
{
	fake_unlink(k, sa);
	fake_sa_free(sa);
}

/* The part of xfrm_state_update() for a valid state: only these members are copied. */
void fake_update_valid(struct fake_sa *sa, const struct fake_sa *from)
{
	static const uint16_t types[] = {XFRMA_ENCAP, XFRMA_COADDR, XFRMA_SET_MARK,
					 XFRMA_SET_MARK_MASK, XFRMA_IF_ID};

	for (size_t i = 0; i < ELEMENTSOF(types); i++) {
		const struct fake_attribute *attribute = &from->attributes[types[i]];

		if (attribute->data && (types[i] != XFRMA_COADDR || sa->attributes[types[i]].data))
			fake_attribute_set(sa, types[i], attribute->data, attribute->size);
	}
	sa->info.lft = from->info.lft;
	sa->dying = false;
}

/* charon finds its CHILD_SA by protocol, SPI and destination, whichever SA expired. */
static bool is_meant(const struct fake_belief *belief, const struct fake_sa *sa)
{
	const struct xfrm_usersa_info *mine = &belief->sa->info;

	return belief->alive && sa->info.id.spi != 0 && sa->info.id.spi == mine->id.spi &&
	       sa->info.id.proto == mine->id.proto && sa->info.family == mine->family &&
	       fake_same_address(&sa->info.id.daddr, &mine->id.daddr, mine->family);
}

/* km_state_expired(), and for a hard expiry __xfrm_state_delete() without a DELSA notification. */
void fake_expire(struct fake_kernel *k, struct fake_sa *sa, bool hard)
{
	if (!hard) {
		sa->dying = true;
		fake_notify_expire(k, sa, false);
		return;
	}
	for (struct fake_belief *b = k->beliefs; b; b = b->next) {
		if (!is_meant(b, sa))
			continue;
		b->alive = false; /* the IKE daemon receives EXPIRE */
		b->closing = true;
		k->wrong_closures += sa->state == FAKE_LARVAL;
	}
	fake_unlink(k, sa);
	fake_notify_expire(k, sa, true);
	fake_sa_free(sa);
}

static bool passed(uint64_t limit, uint64_t since, int64_t now)
{
	return limit != 0 && since != 0 && limit + since <= (uint64_t)now;
}

/* xfrm_timer_handler() */
static void run_timer(struct fake_kernel *k, struct fake_sa *sa)
{
	const struct xfrm_lifetime_cfg *limit = &sa->info.lft;
	const struct xfrm_lifetime_cur *current = &sa->info.curlft;

	if (sa->expired || passed(limit->hard_add_expires_seconds, current->add_time, k->now) ||
	    passed(limit->hard_use_expires_seconds, current->use_time, k->now))
		fake_expire(k, sa, true);
	else if (!sa->dying &&
		 (passed(limit->soft_add_expires_seconds, current->add_time, k->now) ||
		  passed(limit->soft_use_expires_seconds, current->use_time, k->now)))
		fake_expire(k, sa, false);
}

void fake_kernel_advance(struct fake_kernel *k, int64_t seconds)
{
	struct fake_sa *next;

	k->now += seconds;
	for (struct fake_sa *sa = k->sas; sa; sa = next) {
		next = sa->next;
		run_timer(k, sa);
	}
	fake_ike_close(k);
}

int64_t fake_kernel_now(const struct fake_kernel *k)
{
	return k->now;
}

unsigned fake_kernel_count(const struct fake_kernel *k, bool larval)
{
	unsigned n = 0;

	for (const struct fake_sa *sa = k->sas; sa; sa = sa->next)
		n += (sa->state == FAKE_LARVAL) == larval;
	return n;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The invariants of the model, and views of its state for tests. */
#include "fake-internal.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <string.h>

struct check {
	struct fake_kernel *k;
	unsigned flags;
	FILE *report;
	unsigned wrong;
};

_printf_(3, 4) static void wrong(struct check *c, const struct fake_sa *sa, const char *format, ...)
{
	va_list arguments;

	c->wrong++;
	if (!c->report)
		return;
	if (sa)
		(void)fprintf(c->report, "SA %#x: ", ntohl(sa->info.id.spi));
	va_start(arguments, format);
	(void)vfprintf(c->report, format, arguments);
	va_end(arguments);
	(void)fputc('\n', c->report);
}

static void check_info(struct check *c, const struct fake_sa *want, const struct fake_sa *sa)
{
	const struct xfrm_usersa_info *a = &want->info, *b = &sa->info;

	if (memcmp(&a->sel, &b->sel, sizeof(a->sel)) != 0)
		wrong(c, sa, "the selector changed");
	if (memcmp(&a->id, &b->id, sizeof(a->id)) != 0)
		wrong(c, sa, "the identity changed");
	if (memcmp(&a->saddr, &b->saddr, sizeof(a->saddr)) != 0)
		wrong(c, sa, "the source address changed");
	if (!(c->flags & FAKE_CHECK_LIMITS_MAY_DIFFER) &&
	    memcmp(&a->lft, &b->lft, sizeof(a->lft)) != 0)
		wrong(c, sa, "the limits changed");
	if (a->curlft.add_time != b->curlft.add_time)
		wrong(c, sa, "add_time changed by %lld s",
		      (long long)(b->curlft.add_time - a->curlft.add_time));
	if (a->seq != b->seq || a->reqid != b->reqid || a->family != b->family ||
	    a->mode != b->mode || a->replay_window != b->replay_window || a->flags != b->flags)
		wrong(c, sa, "seq, reqid, family, mode, window or flags changed");
	if (want->mark.v != sa->mark.v || want->mark.m != sa->mark.m)
		wrong(c, sa, "the mark changed");
	if (want->replay_maxdiff != sa->replay_maxdiff)
		wrong(c, sa, "the replay threshold changed from %u to %u", want->replay_maxdiff,
		      sa->replay_maxdiff);
}

static void check_attributes(struct check *c, const struct fake_sa *want, const struct fake_sa *sa)
{
	for (uint16_t i = 0; i < FAKE_ATTRIBUTES; i++) {
		const struct fake_attribute *a = &want->attributes[i], *b = &sa->attributes[i];

		if (!a->data != !b->data)
			wrong(c, sa, "attribute %u %s", i, a->data ? "is missing" : "was added");
		else if (a->data && (a->size != b->size || memcmp(a->data, b->data, a->size) != 0))
			wrong(c, sa, "attribute %u changed", i);
	}
	if (!want->esn != !sa->esn)
		wrong(c, sa, "the kind of replay state changed");
	else if (want->esn && (want->esn->bmp_len != sa->esn->bmp_len ||
			       want->esn->replay_window != sa->esn->replay_window))
		wrong(c, sa, "the replay window changed");
}

static void check_replay(struct check *c, const struct fake_belief *belief,
			 const struct fake_sa *sa)
{
	const struct fake_wire *wire = &belief->wire;
	bool window = sa->esn ? sa->esn->replay_window > 0 : sa->info.replay_window > 0;
	unsigned replayable = 0;

	if (!belief->inbound) {
		if (fake_sequence_out(sa) < wire->last_sent)
			wrong(c, sa, "sequence went back from %llu to %llu",
			      (unsigned long long)wire->last_sent,
			      (unsigned long long)fake_sequence_out(sa));
		return;
	}
	for (size_t i = 0; window && i < wire->n_accepted; i++) {
		uint32_t low = (uint32_t)wire->accepted[i];

		if (wire->accepted[i] > belief->tolerated ||
		    fake_wire_is_late(wire, wire->accepted[i]))
			continue;
		/* With ESN a number far below the window is interpreted as one of the next 2^32,
		 * and then fails authentication. */
		if (fake_replay_check(sa, low) &&
		    fake_replay_high(sa, low) == (uint32_t)(wire->accepted[i] >> 32))
			replayable++;
	}
	if (replayable > 0)
		wrong(c, sa, "%u accepted packets would be accepted again", replayable);
}

static void check_counters(struct check *c, const struct fake_belief *belief,
			   const struct fake_sa *sa)
{
	const struct xfrm_lifetime_cur *current = &sa->info.curlft;

	if (current->bytes != belief->wire.bytes || current->packets != belief->wire.packets)
		wrong(c, sa, "counters are %llu bytes, %llu packets, but %llu and %llu flowed",
		      (unsigned long long)current->bytes, (unsigned long long)current->packets,
		      (unsigned long long)belief->wire.bytes,
		      (unsigned long long)belief->wire.packets);
	if ((current->use_time == 0) != (belief->wire.packets == 0))
		wrong(c, sa, "use_time is %llu after %llu packets",
		      (unsigned long long)current->use_time,
		      (unsigned long long)belief->wire.packets);
}

static void check_belief(struct check *c, const struct fake_belief *belief)
{
	const struct fake_sa *sa = fake_belief_find(c->k, belief);

	if (belief->wire.reused > 0 && !belief->renewed)
		wrong(c, belief->sa, "%u sequence numbers were used twice", belief->wire.reused);
	if (belief->wire.replayed > 0 && !belief->renewed)
		wrong(c, belief->sa, "%u packets were accepted twice", belief->wire.replayed);
	if (belief->forgotten)
		return;
	if (belief->wire.wrong_key > 0)
		wrong(c, belief->sa, "%u packets used another key", belief->wire.wrong_key);
	if (sa && sa->state == FAKE_LARVAL)
		sa = NULL;
	if (!belief->alive) {
		if (sa && fake_same_key(sa, belief->sa))
			wrong(c, sa, "the IKE daemon's deletion was undone");
		return;
	}
	if (!sa) {
		wrong(c, belief->sa, "is missing");
		return;
	}
	check_info(c, belief->sa, sa);
	check_attributes(c, belief->sa, sa);
	if (!belief->renewed || !belief->inbound)
		check_replay(c, belief, sa);
	if (sa->ifindex != 0 && !(sa->offload_flags & XFRM_OFFLOAD_INBOUND) == belief->inbound)
		wrong(c, sa, "is offloaded in the wrong direction");
	if (!(c->flags & FAKE_CHECK_COUNTERS_MAY_DIFFER) && !belief->renewed)
		check_counters(c, belief, sa);
}

/* SAs that the IKE daemon itself offloads do not count. */
static void check_trust(struct check *c, const struct fake_sa *sa)
{
	const struct fake_nic *nic = fake_kernel_nic(c->k, sa->ifindex);
	const struct fake_belief *owner = fake_belief_of_key(c->k, sa);

	if (nic && nic->untrusted && owner && owner->sa->ifindex == 0)
		wrong(c, sa, "is in %s, which may hold no keys", nic->name);
}

static void check_nics(struct check *c)
{
	for (size_t i = 0; i < c->k->n_nics; i++) {
		const struct fake_nic *nic = c->k->nics[i];
		unsigned n = 0;

		for (const struct fake_sa *sa = c->k->sas; sa; sa = sa->next)
			n += sa->ifindex == nic->ifindex;
		if (n != nic->used_in + nic->used_out)
			wrong(c, NULL, "%s has %u slots taken for %u SAs", nic->name,
			      nic->used_in + nic->used_out, n);
	}
}

static bool is_of_daemon(const struct fake_sa *sa)
{
	return sa->creator != 0 && sa->creator != FAKE_IKE_PORT;
}

/* A larval SA that should hold the place of an SA, without the SPI, because another one has it. */
static bool is_nameless(const struct fake_sa *sa)
{
	return sa->info.id.spi == 0 && ntohl(sa->info.id.daddr.a4) != INADDR_LOOPBACK;
}

unsigned fake_kernel_nameless_larvals(const struct fake_kernel *k)
{
	unsigned n = 0;

	for (const struct fake_sa *sa = k->sas; sa; sa = sa->next)
		n += sa->state == FAKE_LARVAL && is_of_daemon(sa) && is_nameless(sa);
	return n;
}

unsigned fake_kernel_larvals_of_daemon(const struct fake_kernel *k)
{
	unsigned n = 0;

	for (const struct fake_sa *sa = k->sas; sa; sa = sa->next)
		n += sa->state == FAKE_LARVAL && is_of_daemon(sa);
	return n;
}

static bool may_stay(const struct fake_sa *larval, unsigned flags)
{
	return flags & FAKE_CHECK_LARVALS_MAY_STAY ||
	       (flags & FAKE_CHECK_SPARED_MAY_STAY && larval->spared >= FAKE_DELETIONS) ||
	       (flags & FAKE_CHECK_NAMELESS_MAY_STAY && larval->info.id.spi == 0);
}

unsigned fake_kernel_check(struct fake_kernel *k, unsigned flags, FILE *report)
{
	struct check c = {.k = k, .flags = flags, .report = report};

	for (const struct fake_belief *b = k->beliefs; b; b = b->next)
		check_belief(&c, b);
	for (const struct fake_sa *sa = k->sas; sa; sa = sa->next) {
		if (sa->state == FAKE_LARVAL && is_of_daemon(sa) && !may_stay(sa, flags))
			wrong(&c, sa, "a larval SA of ours is left");
		if (sa->ifindex != 0 && sa->requested != sa->ifindex &&
		    !(flags & FAKE_CHECK_NIC_MAY_DIFFER))
			wrong(&c, sa, "is offloaded to %d, requested was %d", sa->ifindex,
			      sa->requested);
		check_trust(&c, sa);
		if (sa->state == FAKE_VALID && !fake_belief_of_key(k, sa))
			wrong(&c, sa, "has a key that was never installed");
	}
	check_nics(&c);
	if (k->wrong_key > 0)
		wrong(&c, NULL, "%u packets used a wrong key", k->wrong_key);
	if (k->wrong_closures > 0 && !(flags & FAKE_CHECK_CLOSURES_MAY_HAPPEN))
		wrong(&c, NULL, "the IKE daemon closed %u SAs for an expired larval SA",
		      k->wrong_closures);
	if (k->ike_errors > 0 && !(flags & FAKE_CHECK_REQUESTS_MAY_FAIL))
		wrong(&c, NULL, "%u requests of the IKE daemon failed, the last: %s", k->ike_errors,
		      k->ike_failure);
	return c.wrong;
}

struct fake_view fake_kernel_view(const struct fake_kernel *k, const struct fake_belief *belief)
{
	const struct fake_sa *sa = fake_belief_find((struct fake_kernel *)k, belief);

	if (!sa)
		return (struct fake_view){};
	return (struct fake_view){
		.exists = sa->state == FAKE_VALID,
		.larval = sa->state == FAKE_LARVAL,
		.acquired = sa->state == FAKE_LARVAL && sa->creator == 0,
		.dying = sa->dying,
		.ifindex = sa->ifindex,
		.sequence_out = fake_sequence_out(sa),
		.sequence_in = fake_sequence_in(sa),
		.current = sa->info.curlft,
	};
}

bool fake_belief_alive(const struct fake_belief *belief)
{
	return belief->alive;
}

struct sa_id fake_belief_id(const struct fake_belief *belief)
{
	const struct fake_sa *sa = belief->sa;
	struct sa_id id;

	memset(&id, 0, sizeof(id));
	memcpy(id.destination.bytes, &sa->info.id.daddr, sa->info.family == AF_INET ? 4 : 16);
	id.spi = ntohl(sa->info.id.spi);
	id.mark_value = sa->mark.v;
	id.mark_mask = sa->mark.m;
	id.family = sa->info.family;
	id.protocol = sa->info.id.proto;
	return id;
}

void fake_kernel_plant(struct fake_kernel *k, struct fake_belief *belief, uint16_t type,
		       const void *data, size_t size)
{
	struct fake_sa *sa = fake_belief_find(k, belief);

	if (sa)
		fake_attribute_set(sa, type, data, size);
	fake_attribute_set(belief->sa, type, data, size);
}

void fake_kernel_set_last_used(struct fake_kernel *k, struct fake_belief *belief, uint64_t seconds)
{
	struct fake_sa *sa = fake_belief_find(k, belief);

	if (sa)
		sa->last_used = seconds;
}

void fake_kernel_add_integrity_failures(struct fake_kernel *k, struct fake_belief *belief,
					uint32_t n)
{
	struct fake_sa *sa = fake_belief_find(k, belief);

	if (sa)
		sa->info.stats.integrity_failed += n;
}

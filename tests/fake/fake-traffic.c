// SPDX-License-Identifier: GPL-2.0-or-later
/* Packets: xfrm_state_find() and xfrm_output_one() for outbound ones, xfrm_input() for inbound
 * ones. Every sequence number is recorded in the belief with its key. */
#include "fake-internal.h"

#include <errno.h>
#include <string.h>

static bool same_tuple(const struct fake_kernel *k, const struct fake_sa *sa,
		       const struct fake_sa *like)
{
	uint32_t mark = like->mark.v & like->mark.m;

	return sa->info.family == like->info.family && sa->info.reqid == like->info.reqid &&
	       (!k->config.templates_name_spi || sa->info.id.spi == like->info.id.spi) &&
	       (mark & sa->mark.m) == sa->mark.v &&
	       fake_attribute_u32(sa, XFRMA_IF_ID) == fake_attribute_u32(like, XFRMA_IF_ID) &&
	       !(sa->info.flags & XFRM_STATE_WILDRECV) && sa->info.mode == like->info.mode &&
	       sa->info.id.proto == like->info.id.proto &&
	       fake_same_address(&sa->info.id.daddr, &like->info.id.daddr, like->info.family) &&
	       fake_same_address(&sa->info.saddr, &like->info.saddr, like->info.family);
}

/* The CPU of the SA's packets. */
static uint32_t cpu_of_packets(const struct fake_sa *like)
{
	return fake_cpu_of(like) == UINT32_MAX ? 0 : fake_cpu_of(like);
}

static bool is_better(const struct fake_sa *best, const struct fake_sa *sa, uint32_t cpu)
{
	return !best || (fake_cpu_of(best) == UINT32_MAX && fake_cpu_of(sa) == cpu) ||
	       best->dying > sa->dying ||
	       (best->dying == sa->dying && best->info.curlft.add_time < sa->info.curlft.add_time);
}

/* xfrm_state_find(), xfrm_state_look_at(): prefers an SA that is not dying, then the youngest, then
 * the newest in the chain. An acquire in progress counts if no SA was found before it, or on its
 * CPU. */
static struct fake_sa *find_outbound(struct fake_kernel *k, const struct fake_sa *like,
				     unsigned newest, bool *ret_acquiring)
{
	uint32_t cpu = cpu_of_packets(like);
	struct fake_sa *best = NULL;

	*ret_acquiring = false;
	for (struct fake_sa *sa = k->sas; sa; sa = sa->next) {
		if (sa->serial > newest || !same_tuple(k, sa, like))
			continue;
		if (sa->state == FAKE_LARVAL)
			*ret_acquiring |= !best || fake_cpu_of(sa) == cpu;
		else if (sa->state == FAKE_VALID && fake_same_attribute(sa, like, XFRMA_SEC_CTX) &&
			 (fake_cpu_of(sa) == UINT32_MAX || fake_cpu_of(sa) == cpu) &&
			 is_better(best, sa, cpu))
			best = sa;
	}
	return best;
}

/* The SA for all CPUs is used when the SA for this CPU is requested, but not while that request is
 * in progress (XFRM_POLICY_CPU_ACQUIRE). */
static bool is_fallback(const struct fake_kernel *k, const struct fake_sa *best,
			const struct fake_sa *like)
{
	return best && k->config.cpu_acquire && fake_cpu_of(best) != cpu_of_packets(like);
}

/* If any SA, larval or not, with any reqid, has the template's SPI: -EEXIST, no ACQUIRE. */
static bool spi_is_taken(struct fake_kernel *k, const struct fake_sa *like)
{
	return k->config.templates_name_spi &&
	       fake_lookup(k, like->mark.v & like->mark.m, &like->info.id.daddr, like->info.id.spi,
			   like->info.id.proto, like->info.family);
}

/* Inserts a larval SA with the SPI of the template, which is usually 0, and sends XFRM_MSG_ACQUIRE
 * to the IKE daemon (xfrm_init_tempstate(), km_query()). The kernel does not check again whether
 * there is an SA by now. */
static void acquire(struct fake_kernel *k, const struct fake_sa *like)
{
	struct fake_sa *larval;

	if (!k->config.acquire_listener)
		return;
	k->acquires++;
	larval = fake_allocate(sizeof(*larval));
	larval->state = FAKE_LARVAL;
	larval->info = like->info;
	if (!k->config.templates_name_spi)
		larval->info.id.spi = 0;
	larval->info.seq = k->acquires; /* xfrm_get_acqseq() */
	larval->info.curlft = (struct xfrm_lifetime_cur){.add_time = (uint64_t)k->now};
	larval->info.lft.hard_add_expires_seconds = k->config.acq_expires;
	larval->mark = like->mark;
	if (like->attributes[XFRMA_IF_ID].data)
		fake_attribute_set(larval, XFRMA_IF_ID, like->attributes[XFRMA_IF_ID].data, 4);
	if (k->config.cpu_acquire)
		fake_attribute_set(larval, XFRM_COMPAT_SA_PCPU, &(uint32_t){cpu_of_packets(like)},
				   4);
	if (k->config.attribute_max >= XFRM_COMPAT_SA_DIR)
		fake_attribute_set(larval, XFRM_COMPAT_SA_DIR, &(uint8_t){XFRM_COMPAT_SA_DIR_OUT},
				   1);
	fake_insert(k, larval);
}

/* xfrm_state_check_expire(). False: the packet is dropped, and the SA expires. */
static bool check_expire(struct fake_kernel *k, struct fake_sa *sa)
{
	const struct xfrm_lifetime_cfg *limit = &sa->info.lft;
	struct xfrm_lifetime_cur *current = &sa->info.curlft;

	if (current->use_time == 0)
		current->use_time = (uint64_t)k->now;
	if (current->bytes >= limit->hard_byte_limit ||
	    current->packets >= limit->hard_packet_limit) {
		sa->expired = true;
		return false;
	}
	if (!sa->dying && (current->bytes >= limit->soft_byte_limit ||
			   current->packets >= limit->soft_packet_limit))
		fake_expire(k, sa, false);
	return true;
}

static void count(struct fake_kernel *k, struct fake_sa *sa, struct fake_wire *wire,
		  unsigned packets, uint64_t bytes)
{
	sa->info.curlft.bytes += bytes;
	sa->info.curlft.packets += packets;
	sa->last_used = (uint64_t)k->now;
	wire->bytes += bytes;
	wire->packets += packets;
}

/* xfrm_output() counts a packet before it is segmented if the kernel or the NIC does that late. */
static unsigned counted(const struct fake_kernel *k, unsigned packets)
{
	unsigned segments = k->config.segments ? k->config.segments : 1;

	return (packets + segments - 1) / segments;
}

static bool has_limits(const struct fake_sa *sa)
{
	const struct xfrm_lifetime_cfg *limit = &sa->info.lft;

	return limit->soft_byte_limit != XFRM_INF || limit->hard_byte_limit != XFRM_INF ||
	       limit->soft_packet_limit != XFRM_INF || limit->hard_packet_limit != XFRM_INF;
}

static void count_sent(struct fake_wire *wire, uint64_t first, uint64_t last)
{
	if (first <= wire->last_sent) {
		wire->reused +=
			(unsigned)((last < wire->last_sent ? last : wire->last_sent) - first + 1);
	} else {
		wire->skipped += first - wire->last_sent - 1;
	}
	if (last > wire->last_sent)
		wire->last_sent = last;
}

/* Sends the next of `packets` packets, together with those that use the same SA. Returns how
 * many. */
static unsigned send_some(struct fake_kernel *k, const struct fake_sa *like, unsigned packets,
			  unsigned bytes)
{
	struct fake_belief *owner;
	struct fake_sa *sa;
	uint64_t first, last;
	bool acquiring;
	unsigned n = 1;

	sa = find_outbound(k, like, k->serial, &acquiring);
	if (is_fallback(k, sa, like)) {
		if (acquiring || spi_is_taken(k, like))
			return 0;
		acquire(k, like);
	} else if (!sa) {
		if (!acquiring && !spi_is_taken(k, like))
			acquire(k, like);
		k->clear_texts += fake_policies_let_through(k, like);
		return 0;
	}
	if (!check_expire(k, sa) || !fake_replay_next(sa, &first))
		return 0;
	owner = fake_belief_of_key(k, sa);
	if (!owner) {
		k->wrong_key++;
		return 0;
	}
	last = first;
	if (!has_limits(sa)) {
		for (; n < packets && fake_replay_next(sa, &last); n++) {
		}
	}
	count_sent(&owner->wire, first, last);
	count(k, sa, &owner->wire, counted(k, n), (uint64_t)n * bytes);
	return n;
}

unsigned fake_kernel_send(struct fake_kernel *k, struct fake_belief *belief, unsigned packets,
			  unsigned bytes)
{
	unsigned sent = 0;

	for (unsigned i = 0; i < packets;) {
		unsigned n = send_some(k, belief->sa, packets - i, bytes);

		sent += n;
		k->lost += n == 0;
		i += n ? n : 1;
	}
	return sent;
}

void fake_kernel_hold_lookup(struct fake_kernel *k, const struct fake_belief *belief)
{
	if (k->held.like)
		return;
	k->held = (struct fake_lookup_held){.like = fake_sa_copy(belief->sa), .serial = k->serial};
	for (struct fake_sa *sa = k->sas; sa && k->held.at == 0; sa = sa->next)
		if (same_tuple(k, sa, k->held.like))
			k->held.at = sa->serial;
	k->held.missed = k->held.at == 0 && !spi_is_taken(k, k->held.like);
}

static bool still_exists(const struct fake_kernel *k, unsigned serial)
{
	for (const struct fake_sa *sa = k->sas; sa; sa = sa->next)
		if (sa->serial == serial)
			return true;
	return serial == 0;
}

/* An SA that was deleted in the meantime is XFRM_STATE_DEAD, and one that was inserted is before
 * the position of the lookup (hlist_add_head_rcu()). If the SA at this position was deleted, the
 * rest of the chain is lost too: __xfrm_state_destroy() links it into the garbage list with the
 * pointers of the chain (union of gclist and bydst, include/net/xfrm.h). */
void fake_kernel_end_lookup(struct fake_kernel *k)
{
	bool acquiring;

	if (!k->held.like)
		return;
	if (k->held.missed ||
	    ((!still_exists(k, k->held.at) ||
	      (!find_outbound(k, k->held.like, k->held.serial, &acquiring) && !acquiring)) &&
	     !spi_is_taken(k, k->held.like)))
		acquire(k, k->held.like);
	fake_sa_free(k->held.like);
	k->held.like = NULL;
}

/* Inserts an accepted sequence number in order. False: it was there already. */
static bool enter_accepted(struct fake_wire *wire, uint64_t sequence)
{
	size_t i = wire->n_accepted;

	while (i > 0 && wire->accepted[i - 1] > sequence)
		i--;
	if (i > 0 && wire->accepted[i - 1] == sequence)
		return false;
	/* The array has room up to the next power of two. */
	if ((wire->n_accepted & (wire->n_accepted - 1)) == 0) {
		size_t n = wire->n_accepted == 0 ? 1 : 2 * wire->n_accepted;

		wire->accepted = realloc(wire->accepted, n * sizeof(sequence));
		if (!wire->accepted)
			abort();
	}
	memmove(wire->accepted + i + 1, wire->accepted + i,
		(wire->n_accepted - i) * sizeof(sequence));
	wire->accepted[i] = sequence;
	wire->n_accepted++;
	if (sequence > wire->last_accepted)
		wire->last_accepted = sequence;
	return true;
}

void fake_wire_go_on(struct fake_belief *belief, const struct fake_sa *sa)
{
	struct fake_wire *wire = &belief->wire;
	size_t n = 0;

	if (!belief->inbound && fake_sequence_out(sa) < wire->last_sent)
		wire->last_sent = fake_sequence_out(sa);
	for (size_t i = 0; i < wire->n_accepted; i++)
		if (!fake_replay_check(sa, (uint32_t)wire->accepted[i]))
			wire->accepted[n++] = wire->accepted[i];
	wire->n_accepted = n;
	wire->bytes = sa->info.curlft.bytes;
	wire->packets = sa->info.curlft.packets;
}

static bool has_window(const struct fake_sa *sa)
{
	return sa->esn ? sa->esn->replay_window > 0 : sa->info.replay_window > 0;
}

bool fake_wire_is_late(const struct fake_wire *wire, uint64_t sequence)
{
	for (size_t i = 0; i < ELEMENTSOF(wire->late); i++)
		if (sequence != 0 && wire->late[i] == sequence)
			return true;
	return false;
}

static void set_late(struct fake_wire *wire, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < ELEMENTSOF(wire->late); i++)
		if (wire->late[i] == from) {
			wire->late[i] = to;
			return;
		}
	abort(); /* no test has so many packets */
}

/* The new SA does not know packets that the deleted one accepted. */
static void accept_late(struct fake_wire *wire, uint64_t sequence)
{
	if (enter_accepted(wire, sequence))
		set_late(wire, 0, sequence);
	else
		wire->late_replayed++;
}

static void accept_packet(struct fake_belief *belief, uint64_t sequence)
{
	struct fake_wire *wire = &belief->wire;

	if (enter_accepted(wire, sequence))
		return;
	if (fake_wire_is_late(wire, sequence)) {
		set_late(wire, sequence, 0);
		wire->late_replayed++;
	} else if (sequence <= belief->tolerated) {
		wire->replayed++;
	}
}

/* xfrm_input() before crypto */
static int find_inbound(struct fake_kernel *k, const struct fake_belief *belief, uint64_t sequence,
			struct fake_sa **ret_sa)
{
	const struct fake_sa *like = belief->sa;
	struct fake_sa *sa = fake_lookup(k, like->mark.v & like->mark.m, &like->info.id.daddr,
					 like->info.id.spi, like->info.id.proto, like->info.family);

	if (!sa)
		return -ENOENT;
	if (sa->state != FAKE_VALID)
		return -EBUSY;
	if (!fake_replay_check(sa, (uint32_t)sequence))
		return -EALREADY;
	if (!check_expire(k, sa))
		return -EKEYEXPIRED;
	*ret_sa = sa;
	return 0;
}

/* ... and after it: the state of the SA is not checked again */
static int finish(struct fake_kernel *k, struct fake_belief *belief, struct fake_sa *sa,
		  uint64_t sequence, unsigned bytes)
{
	bool same_key = fake_same_key(sa, belief->sa);

	/* With ESN the high half is authenticated, but not sent. */
	if (!same_key || fake_offload_decrypts_late(k, sa) ||
	    ((sa->info.flags & XFRM_STATE_ESN) &&
	     fake_replay_high(sa, (uint32_t)sequence) != (uint32_t)(sequence >> 32))) {
		sa->info.stats.integrity_failed++;
		belief->wire.wrong_key += !same_key;
		return -EBADMSG;
	}
	if (!fake_replay_check(sa, (uint32_t)sequence)) /* xfrm_replay_recheck() */
		return -EALREADY;
	fake_replay_advance(sa, (uint32_t)sequence);
	if (has_window(sa) && sa->dead)
		accept_late(&belief->wire, sequence);
	else if (has_window(sa))
		accept_packet(belief, sequence);
	if (!sa->dead)
		count(k, sa, &belief->wire, 1, bytes);
	return 0;
}

static int receive(struct fake_kernel *k, struct fake_belief *belief, uint64_t sequence,
		   unsigned bytes)
{
	struct fake_sa *sa;
	int r = find_inbound(k, belief, sequence, &sa);

	return r < 0 ? r : finish(k, belief, sa, sequence, bytes);
}

int fake_kernel_hold_packet(struct fake_kernel *k, struct fake_belief *belief, uint64_t sequence,
			    unsigned bytes)
{
	struct fake_sa *sa;
	int r;

	if (k->inside.sa)
		return -EBUSY;
	r = find_inbound(k, belief, sequence, &sa);
	if (r < 0)
		return r;
	sa->held = true;
	k->inside = (struct fake_packet_held){
		.sa = sa, .belief = belief, .sequence = sequence, .bytes = bytes};
	if (sequence > belief->wire.last_sent)
		belief->wire.last_sent = sequence; /* by the peer */
	return 0;
}

int fake_kernel_end_packet(struct fake_kernel *k)
{
	struct fake_packet_held held = k->inside;
	int r;

	if (!held.sa)
		return -ENOENT;
	k->inside.sa = NULL;
	held.sa->held = false;
	r = finish(k, held.belief, held.sa, held.sequence, held.bytes);
	if (held.sa->dead)
		fake_sa_free(held.sa);
	if (r < 0)
		k->lost++;
	return r;
}

unsigned fake_kernel_late_replays(const struct fake_kernel *k, const struct fake_belief *belief)
{
	(void)k;
	return belief->wire.late_replayed;
}

int fake_kernel_receive(struct fake_kernel *k, struct fake_belief *belief, uint64_t sequence,
			unsigned bytes)
{
	int r = receive(k, belief, sequence, bytes);

	if (sequence > belief->wire.last_sent)
		belief->wire.last_sent = sequence; /* by the peer */
	if (r < 0)
		k->lost++;
	return r;
}

int fake_kernel_receive_next(struct fake_kernel *k, struct fake_belief *belief, unsigned bytes)
{
	uint64_t last = belief->wire.last_sent;

	if (belief->wire.last_accepted > last)
		last = belief->wire.last_accepted;
	return fake_kernel_receive(k, belief, last + 1, bytes);
}

unsigned fake_kernel_lost(const struct fake_kernel *k)
{
	return k->lost;
}

unsigned fake_kernel_clear_texts(const struct fake_kernel *k)
{
	return k->clear_texts;
}

unsigned fake_kernel_acquires(const struct fake_kernel *k)
{
	return k->acquires;
}

uint64_t fake_kernel_skipped(const struct fake_kernel *k, const struct fake_belief *belief)
{
	(void)k;
	return belief->wire.skipped;
}

uint64_t fake_kernel_last_sequence(const struct fake_kernel *k, const struct fake_belief *belief)
{
	(void)k;
	return belief->inbound ? belief->wire.last_accepted : belief->wire.last_sent;
}

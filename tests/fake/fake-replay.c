// SPDX-License-Identifier: GPL-2.0-or-later
/* Sequence numbers and replay windows, as in xfrm_replay.c: the plain one of struct
 * xfrm_replay_state, the bitmap of struct xfrm_replay_state_esn, and that with ESN. */
#include "fake-internal.h"

#include <string.h>

static bool is_esn(const struct fake_sa *sa)
{
	return sa->info.flags & XFRM_STATE_ESN;
}

uint64_t fake_sequence_out(const struct fake_sa *sa)
{
	if (!sa->esn)
		return sa->replay.oseq;
	return (uint64_t)sa->esn->oseq_hi << 32 | sa->esn->oseq;
}

uint64_t fake_sequence_in(const struct fake_sa *sa)
{
	if (!sa->esn)
		return sa->replay.seq;
	return (uint64_t)sa->esn->seq_hi << 32 | sa->esn->seq;
}

/* xfrm_replay_overflow(): takes the next number, or refuses at the end of the space. */
bool fake_replay_next(struct fake_sa *sa, uint64_t *ret_sequence)
{
	uint64_t last = fake_sequence_out(sa);
	uint64_t limit = is_esn(sa) ? UINT64_MAX : UINT32_MAX;
	bool may_wrap = fake_attribute_u32(sa, XFRMA_SA_EXTRA_FLAGS) & XFRM_SA_XFLAG_OSEQ_MAY_WRAP;

	if (last >= limit && (is_esn(sa) || !may_wrap))
		return false;
	last = last >= limit ? 0 : last + 1;
	if (sa->esn) {
		sa->esn->oseq = (uint32_t)last;
		sa->esn->oseq_hi = (uint32_t)(last >> 32);
	} else {
		sa->replay.oseq = (uint32_t)last;
	}
	*ret_sequence = last;
	return true;
}

/* xfrm_replay_seqhi() */
uint32_t fake_replay_high(const struct fake_sa *sa, uint32_t sequence)
{
	const struct xfrm_replay_state_esn *esn = sa->esn;
	uint32_t bottom;

	if (!is_esn(sa))
		return 0;
	bottom = esn->seq - esn->replay_window + 1;
	if (esn->seq >= esn->replay_window - 1)
		return sequence < bottom ? esn->seq_hi + 1 : esn->seq_hi;
	return sequence >= bottom ? esn->seq_hi - 1 : esn->seq_hi;
}

static uint32_t bit_of(const struct xfrm_replay_state_esn *esn, uint32_t diff)
{
	uint32_t position = (esn->seq - 1) % esn->replay_window;

	if (position >= diff)
		return (position - diff) % esn->replay_window;
	return esn->replay_window - (diff - position);
}

static bool bitmap_has(const struct xfrm_replay_state_esn *esn, uint32_t bit)
{
	return esn->bmp[bit >> 5] & (1u << (bit & 31));
}

/* xfrm_replay_check_legacy() */
static bool check_plain(const struct fake_sa *sa, uint32_t sequence)
{
	uint32_t diff = sa->replay.seq - sequence;

	if (sa->info.replay_window == 0)
		return true;
	if (sequence == 0)
		return false;
	if (sequence > sa->replay.seq)
		return true;
	return diff < sa->info.replay_window && !(sa->replay.bitmap & (1u << diff));
}

/* xfrm_replay_check_bmp() */
static bool check_bitmap(const struct fake_sa *sa, uint32_t sequence)
{
	const struct xfrm_replay_state_esn *esn = sa->esn;
	uint32_t diff = esn->seq - sequence;

	if (esn->replay_window == 0)
		return true;
	if (sequence == 0)
		return false;
	if (sequence > esn->seq)
		return true;
	return diff < esn->replay_window && !bitmap_has(esn, bit_of(esn, diff));
}

/* xfrm_replay_check_esn() */
static bool check_esn(const struct fake_sa *sa, uint32_t sequence)
{
	const struct xfrm_replay_state_esn *esn = sa->esn;
	uint32_t window = esn->replay_window;
	uint32_t top = esn->seq;
	uint32_t bottom = top - window + 1;
	uint32_t diff = top - sequence;

	if (window == 0)
		return true;
	if (sequence == 0 && esn->seq_hi == 0 && top < window - 1)
		return false;
	if (top >= window - 1) {
		if (sequence > top || sequence < bottom)
			return true;
	} else {
		if (sequence > top && sequence < bottom)
			return true;
		if (sequence >= bottom)
			diff = ~sequence + top + 1;
	}
	return diff < window && !bitmap_has(esn, bit_of(esn, diff));
}

bool fake_replay_check(const struct fake_sa *sa, uint32_t sequence)
{
	if (!sa->esn)
		return check_plain(sa, sequence);
	return is_esn(sa) ? check_esn(sa, sequence) : check_bitmap(sa, sequence);
}

static void advance_plain(struct fake_sa *sa, uint32_t sequence)
{
	uint32_t diff = sequence - sa->replay.seq;

	if (sa->info.replay_window == 0)
		return;
	if (sequence > sa->replay.seq) {
		sa->replay.bitmap =
			diff < sa->info.replay_window ? (sa->replay.bitmap << diff) | 1 : 1;
		sa->replay.seq = sequence;
	} else {
		sa->replay.bitmap |= 1u << (sa->replay.seq - sequence);
	}
}

/* xfrm_replay_advance_bmp() and xfrm_replay_advance_esn() */
static void advance_bitmap(struct fake_sa *sa, uint32_t sequence)
{
	struct xfrm_replay_state_esn *esn = sa->esn;
	uint32_t window = esn->replay_window;
	uint32_t position, high, diff, bit;
	bool wraps;

	if (window == 0)
		return;
	position = (esn->seq - 1) % window;
	high = fake_replay_high(sa, sequence);
	wraps = is_esn(sa) && (int32_t)(high - esn->seq_hi) > 0;
	if (!wraps && (high != esn->seq_hi || sequence <= esn->seq)) {
		bit = bit_of(esn, esn->seq - sequence);
	} else {
		diff = sequence - esn->seq; /* modulo 2^32, which is right for a wrap, too */
		if (diff < window) {
			for (uint32_t i = 1; i < diff; i++) {
				bit = (position + i) % window;
				esn->bmp[bit >> 5] &= ~(1u << (bit & 31));
			}
		} else {
			memset(esn->bmp, 0, ((window - 1) / 32 + 1) * sizeof(esn->bmp[0]));
		}
		bit = (uint32_t)(((uint64_t)position + diff) % window);
		esn->seq = sequence;
		if (wraps)
			esn->seq_hi++;
	}
	esn->bmp[bit >> 5] |= 1u << (bit & 31);
}

void fake_replay_advance(struct fake_sa *sa, uint32_t sequence)
{
	if (sa->esn)
		advance_bitmap(sa, sequence);
	else
		advance_plain(sa, sequence);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "move/steps.h"

#include "move/reading.h"
#include "rescue.h"

#include <errno.h>
#include <string.h>

/* Immediate retries when the kernel cannot make an SA (memory pressure) before giving it to the
 * caller's timer. */
#define ATTEMPTS_MAX 3
/* Jump of the sequence number when the notification with the exact one was lost: more than can be
 * sent between the read and the deletion, some milliseconds, at any rate a NIC can do. */
#define SEQUENCE_JUMP (UINT64_C(1) << 20)
/* ... and when the SA may have been in a NIC since, while no daemon was there: 1.8 s of a link with
 * 100 Gbit/s, where systemd starts the daemon again after 250 ms. */
#define INTERRUPTED_JUMP (UINT64_C(1) << 28)

/* What a kernel without the fix says to every promotion by MIGRATE_STATE: of the kernel, not of the
 * NIC or the SA. */
#define CANNOT_PROMOTE "Type doesn't support offload"

static void finish(struct move *move, enum move_result result)
{
	move->result = result;
	move->state = MOVE_FINISHED;
}

static void note_error(struct move *move, int error, const char *text)
{
	move->error = error;
	snprintf(move->text, sizeof(move->text), "%s", text);
}

static void note_answer(struct move *move, const struct kernel_answer *answer)
{
	note_error(move, answer->error, answer->text);
}

static int exchange(struct migrator *m, struct reading *reading)
{
	return reading_exchange(m->kernel, &m->batch, reading);
}

/* An exchange that tells nothing of the SA but its answers. */
static int write_only(struct migrator *m)
{
	return kernel_transact(m->kernel, &m->batch, NULL, NULL);
}

/* ---- 1. read and check ---- */

static enum hands_off check(struct migrator *m, struct move *move, const struct reading *reading)
{
	const struct sa_facts *facts = &reading->facts;

	if (facts->hands_off != HANDS_OFF_NONE)
		return facts->hands_off;
	if (facts->offload_ifindex != move->expected_ifindex)
		return HANDS_OFF_FOREIGN;
	if (reading->error == -E2BIG)
		return HANDS_OFF_TOO_LARGE;
	/* GETAE tells the timer in other units than NEWSA takes (jiffies), so only the default
	 * can be restored: xfrm_update_ae_params(), build_aevent(). */
	if (reading->timer_known && m->parameters.event_timer_default >= 0 &&
	    reading->timer != m->parameters.event_timer_default)
		return HANDS_OFF_THRESHOLDS;
	return sa_facts_check_limits(facts, clock_realtime(m->parameters.clock));
}

static void step_read(struct migrator *m, struct move *move)
{
	struct reading reading = {
		.move = move, .arena = m->arena, .type = XFRM_MSG_NEWSA, .capture = true};
	int r;

	sa_id_write(&move->id, &m->batch, XFRM_MSG_GETSA);
	sa_id_write_get_thresholds(&move->id, &m->batch);
	r = exchange(m, &reading);
	if (r < 0) {
		note_error(move, r, "");
		finish(move, MOVE_RESULT_FAILED);
		return;
	}
	if (m->batch.answers[0].error < 0 || !reading.found) {
		note_answer(move, &m->batch.answers[0]);
		finish(move, move->error == -ESRCH ? MOVE_RESULT_GONE : MOVE_RESULT_FAILED);
		return;
	}
	if (move->anew && reading.facts.hands_off == HANDS_OFF_LARVAL) {
		move->state = MOVE_UNMASK;
		return;
	}
	move->facts = reading.facts;
	move->facts_known = true;
	if (reading.timer_known)
		move->image.replay_threshold = reading.threshold;

	move->hands_off = check(m, move, &reading);
	if (move->hands_off != HANDS_OFF_NONE) {
		finish(move, MOVE_RESULT_HANDS_OFF);
	} else if (reading.error < 0) {
		note_error(move, reading.error, "no room for its image");
		finish(move, MOVE_RESULT_FAILED);
	} else if (!reading.timer_known) {
		/* What cannot be read cannot be restored. */
		note_answer(move, &m->batch.answers[1]);
		finish(move, MOVE_RESULT_FAILED);
	} else if (move->target.ifindex == move->expected_ifindex && !move->anew) {
		finish(move, MOVE_RESULT_DONE);
	} else if (move->target.direction == SA_DIRECTION_OUT &&
		   !guards_has(&m->guards, &move->id)) {
		move->state = MOVE_GUARD;
	} else if (!move->anew &&
		   (move->target.ifindex != 0 ? m->kernel_promotes : m->kernel_evicts)) {
		move->state = MOVE_MIGRATE;
	} else {
		move->state = MOVE_REMOVE;
	}
}

/* ---- guard ---- */

static void step_guard(struct migrator *m, struct move *move)
{
	const struct sa_image *image = &move->image;
	int r = guards_add(&m->guards, m->kernel, &m->batch, &image, 1);

	if (r < 0) {
		note_error(move, r, "it cannot be guarded by a larval SA");
		finish(move, MOVE_RESULT_FAILED);
		return;
	}
	kernel_wait_for_lookups(m->kernel);
	/* It sent packets in the meantime, or the IKE daemon was here. */
	move->state = MOVE_READ;
}

static void step_migrate(struct migrator *m, struct move *move)
{
	const struct kernel_answer *answer = &m->batch.answers[0];
	bool promote = move->target.ifindex != 0;
	int r;

	sa_image_write_migrate(&move->image, &m->batch, &move->target);
	r = write_only(m);
	if (r < 0 || answer->error == 0) {
		move->acknowledged = r >= 0;
		move->offered = promote;
		move->state = MOVE_VERIFY; /* it can only have happened or not */
	} else if (answer->error == -ESRCH) {
		note_answer(move, answer);
		finish(move, MOVE_RESULT_GONE);
	} else if (!promote || strcmp(answer->text, CANNOT_PROMOTE) == 0) {
		*(promote ? &m->kernel_promotes : &m->kernel_evicts) = false;
		move->state = MOVE_REMOVE;
	} else {
		/* The driver's words, but not its errno: the kernel makes everything EINVAL. */
		note_answer(move, answer);
		if (strstr(answer->text, "No space"))
			move->error = -ENOSPC;
		move->state = MOVE_VERIFY;
	}
}

/* ---- 2. remove ---- */

/* Takes away the larval SA with the SPI, if it is there and no SA is. */
static void discard_larval(struct migrator *m, struct move *move)
{
	struct reading reading = {.move = move, .type = XFRM_MSG_NEWSA};
	int error = -EAGAIN;

	/* An attempt takes two exchanges. */
	for (unsigned attempt = 0; attempt < 2 * ATTEMPTS_MAX && error < 0; attempt++) {
		kernel_batch_clear(&m->batch);
		sa_id_write(&move->id, &m->batch, XFRM_MSG_GETSA);
		reading.found = false;
		(void)exchange(m, &reading);
		if (m->batch.answers[0].error == -ESRCH)
			break;
		if (!reading.found)
			continue;
		if (reading.facts.hands_off != HANDS_OFF_LARVAL)
			break;
		kernel_batch_clear(&m->batch);
		sa_id_write(&move->id, &m->batch, XFRM_MSG_DELSA);
		(void)write_only(m);
		error = m->batch.answers[0].error;
	}
	move->larval = move->held = false;
}

/* Deletes an SA that we made and nobody wants. */
static void delete_made(struct migrator *m, struct move *move)
{
	guards_delete(m->kernel, &m->batch, &move->id);
	move->larval = move->held = false;
}

/* Before an SA is put back: if its final numbers are not known, because the notification was lost
 * or the daemon died before it came, go past all that can have been used. */
static void make_safe(struct move *move)
{
	if (!move->exact && move->target.direction == SA_DIRECTION_OUT)
		sa_image_advance(&move->image, SEQUENCE_JUMP);
	move->exact = true;
	move->sequence_floor = sa_image_output_sequence(&move->image);
}

/* What bears the SA's identity, where a request meets the first in the chain only. What cannot be
 * read is taken to be there. */
static void find_bearers(struct migrator *m, struct move *move, bool *ret_sa, bool *ret_larval)
{
	struct reading reading = {.move = move, .type = XFRM_MSG_NEWSA};
	bool unknown = reading_dump(m->kernel, &reading) < 0;

	*ret_sa = unknown || reading.found;
	*ret_larval = unknown || reading.larval_is_ours;
}

/* The DELSA met the larval SA of a packet whose template names the SPI. Either the SA had gone
 * before, and ALLOCSPI found the SPI free, if no other packet was faster; or it is behind that one
 * in the chain, and stays. */
static void handle_larval_removed(struct migrator *m, struct move *move, bool spi_was_free)
{
	if (!spi_was_free) {
		move->missed = true;
		move->state = MOVE_PROBE;
		return;
	}
	discard_larval(m, move);
	finish(move, MOVE_RESULT_GONE);
}

/*
 * DELSA, and a larval SA with the SPI if there was the SA. The kernel has no condition, but for the
 * SPI: it gives one away only if no SA has it, wherever it leads to (xfrm_alloc_spi(), since 2025).
 * So a larval SA to nowhere asks for it first. As long as the SA is there it gets none. If the IKE
 * daemon just deleted the SA, in order to make it anew, it gets the SPI; ours then gets none, and
 * does not stand in the way of the IKE daemon's NEWSA.
 *
 * Older kernels give an SPI away once for each destination. That is noticed by the first move, and
 * the witness is not called again.
 */
static int remove_sa(struct migrator *m, struct move *move, struct reading *reading,
		     const struct kernel_answer **ret_removal,
		     const struct kernel_answer **ret_larval)
{
	const struct kernel_answer *answers = m->batch.answers;
	unsigned first = m->no_witness ? 0 : 1;
	int r;

	if (first > 0)
		sa_image_write_witness(&m->batch, move->id.spi, move->id.spi);
	sa_id_write(&move->id, &m->batch, XFRM_MSG_DELSA);
	sa_image_write_larval(&move->image, &m->batch, move->id.spi, move->id.spi);
	r = exchange(m, reading);
	*ret_removal = &answers[first];
	*ret_larval = &answers[first + 1];
	/* An answer that was lost was most likely a good one, and the probe finds out. If it was
	 * none, there is a larval SA without an SPI, which nothing shows. */
	move->held = (*ret_larval)->error == 0;
	move->larval = move->held || (*ret_larval)->error == -ETIMEDOUT;
	move->leftover |= !move->held;
	if (first > 0) {
		m->guards.witness = true;
		move->witness = answers[0].error == 0 || answers[0].error == -ETIMEDOUT;
		m->no_witness = answers[0].error == 0 && (*ret_removal)->error == 0;
	}
	return r;
}

static int store(struct migrator *m, struct move *move)
{
	int r = m->rescue ? rescue_store(m->rescue, &move->image, &move->target) : 0;

	move->stored = r == 0;
	return r;
}

/* From here on a crash continues from the exact state. */
static void store_exact(struct migrator *m, const struct move *move)
{
	if (m->rescue)
		(void)rescue_store_exact(m->rescue, &move->image, &move->target);
}

/* In the middle of a move the slot holds what the SA was before it was back. */
static int store_anew(struct migrator *m, struct move *move)
{
	if (m->rescue && move->stored)
		rescue_clear(m->rescue);
	return store(m, move);
}

static void step_remove(struct migrator *m, struct move *move)
{
	struct reading reading = {
		.move = move, .arena = m->arena, .type = XFRM_MSG_DELSA, .capture = true};
	const struct kernel_answer *removal, *larval;
	int r;

	r = store(m, move);
	if (r < 0) {
		note_error(move, r, "the rescue slot does not take it");
		finish(move, MOVE_RESULT_FAILED);
		return;
	}

	r = remove_sa(m, move, &reading, &removal, &larval);
	if (r < 0 && removal->error == -ETIMEDOUT) {
		/* It is not known whether the SA was deleted. */
		note_error(move, r, "");
		move->state = MOVE_PROBE;
		return;
	}
	if (removal->error < 0) {
		note_answer(move, removal);
		r = move->error;
		if (move->larval)
			discard_larval(m, move);
		finish(move, r == -ESRCH ? MOVE_RESULT_GONE : MOVE_RESULT_FAILED);
		return;
	}

	if (reading.larval) {
		handle_larval_removed(m, move, larval->error == 0);
		return;
	}
	move->removed = true;
	if (reading.found && reading.error == 0) {
		move->facts = reading.facts;
		store_exact(m, move);
		move->exact = true;
	}
	make_safe(move);
	/* ENOENT: the SPI is taken. A packet that names it was faster, and its larval SA has it. */
	move->state = larval->error == -ENOENT ? MOVE_PROBE : MOVE_INSTALL;
}

/* ---- 3. install ---- */

/* A larval SA in place is replaced by UPDSA; without one there is nothing to update. */
static uint16_t install_type(const struct move *move)
{
	return move->larval ? XFRM_MSG_UPDSA : XFRM_MSG_NEWSA;
}

/*
 * Puts back what our UPDSA changed of an SA that somebody else made (xfrm_state_update()): limits,
 * encapsulation, marks.
 *
 * If the IKE daemon deleted that SA meanwhile, and a packet whose template names the SPI has a
 * larval SA in its place, this UPDSA makes the SA again. No packet of that may use a number twice,
 * so the numbers go past all that can have been used; a living SA keeps its own. Then it is
 * deleted.
 */
static void undo_update(struct migrator *m, struct move *move, struct sa_image *before)
{
	static const struct sa_offload as_it_is = {};
	struct reading reading = {.move = move, .type = XFRM_MSG_NEWSA};
	bool undone = false, made = false;

	if (move->target.direction == SA_DIRECTION_OUT)
		sa_image_advance(before, SEQUENCE_JUMP);
	for (unsigned attempt = 0; attempt < ATTEMPTS_MAX && !undone; attempt++) {
		kernel_batch_clear(&m->batch);
		sa_id_write(&move->id, &m->batch, XFRM_MSG_GETSA);
		sa_image_write(before, &m->batch, XFRM_MSG_UPDSA, &as_it_is);
		undone = exchange(m, &reading) >= 0 && m->batch.answers[1].error == 0;
		made |= reading.found && reading.facts.hands_off == HANDS_OFF_LARVAL;
	}
	if (made)
		delete_made(m, move);
}

/*
 * Whether the IKE daemon deleted the larval SA that held the place, or was told that it expired: it
 * does not want the SA any more. A packet whose template names the SPI then leaves a larval SA of
 * its own there. It may also have left that before ours, which then still exists.
 */
static bool has_lost_its_place(struct migrator *m, struct move *move, const struct sa_facts *larval)
{
	bool sa, ours;

	if (!move->held || sa_image_is_larval(&move->image, larval))
		return false;
	find_bearers(m, move, &sa, &ours);
	return !ours;
}

/*
 * Returns 1 when there is an SA in the larval one's place: the IKE daemon deleted that and made its
 * own. Finishes the move when it only deleted that. No request replaces larval SAs only, but what
 * stands before the UPDSA in the same buffer sees what that meets, and what it changed is put back.
 */
static int install(struct migrator *m, struct move *move, const struct sa_offload *offload,
		   struct kernel_answer *ret_answer)
{
	struct sa_image before = {};
	struct reading reading = {.move = move,
				  .arena = m->arena,
				  .image = &before,
				  .type = XFRM_MSG_NEWSA,
				  .capture = true};
	uint16_t type = install_type(move);
	bool replaced_packet;
	int r;

	if (type == XFRM_MSG_UPDSA)
		sa_id_write(&move->id, &m->batch, XFRM_MSG_GETSA);
	sa_image_write(&move->image, &m->batch, type, offload);
	r = exchange(m, &reading);
	*ret_answer = m->batch.answers[m->batch.n - 1];
	/* There was nothing, and a packet came between the two messages. */
	replaced_packet = type == XFRM_MSG_UPDSA && m->batch.answers[0].error == -ESRCH &&
			  ret_answer->error == 0;
	if (reading.found && reading.facts.hands_off != HANDS_OFF_LARVAL) {
		if (ret_answer->error == 0 && reading.error == 0)
			undo_update(m, move, &before);
		r = 1;
	} else if (reading.found ? has_lost_its_place(m, move, &reading.facts) : replaced_packet) {
		delete_made(m, move);
		finish(move, MOVE_RESULT_GONE);
	}
	if (ret_answer->error == 0 || ret_answer->error == -ETIMEDOUT)
		move->held = false;
	sa_image_wipe(&before);
	return r;
}

static void step_install(struct migrator *m, struct move *move)
{
	struct kernel_answer answer;
	int r = install(m, move, &move->place, &answer);

	move->installs++;
	move->offered = move->place.ifindex != 0 && r <= 0 &&
			(answer.error == 0 || answer.error == -ETIMEDOUT);
	if (move->state == MOVE_FINISHED)
		return;
	if (r > 0) {
		move->state = MOVE_VERIFY;
	} else if (r < 0 && answer.error == -ETIMEDOUT) {
		note_error(move, r, "");
		move->state = MOVE_PROBE;
	} else if (answer.error == 0) {
		move->acknowledged = true;
		move->state = MOVE_VERIFY;
	} else if (answer.error == (move->larval ? -ESRCH : -EEXIST)) {
		/* The IKE daemon was here, or the packet of an ACQUIRE. */
		move->state = MOVE_PROBE;
	} else {
		note_answer(move, &answer);
		move->state = MOVE_SOFTWARE;
	}
}

static void step_software(struct migrator *m, struct move *move)
{
	static const struct sa_offload software = {};
	struct kernel_answer answer;
	int r = install(m, move, &software, &answer);

	if (move->state == MOVE_FINISHED)
		return;
	if (r > 0 || (r == 0 && answer.error == 0))
		move->state = MOVE_VERIFY;
	else
		move->state = MOVE_PROBE;
}

/* ---- when something unforeseen happened: look ---- */

/* With the offload as long as nobody said anything against it. */
static enum move_state install_again(const struct move *move)
{
	return move->error == 0 && move->installs < INSTALLS_MAX ? MOVE_INSTALL : MOVE_SOFTWARE;
}

/* In the SA's place is the larval SA of a packet, not ours. What we had put there, or the last run
 * of the daemon, may have sent and then gone down with its NIC: the image is older than that. */
static void doubt_numbers(struct move *move, const struct sa_facts *facts)
{
	if (move->target.direction != SA_DIRECTION_OUT || sa_image_is_larval(&move->image, facts))
		return;
	if (move->interrupted)
		sa_image_advance(&move->image, INTERRUPTED_JUMP);
	else if (move->offered)
		sa_image_advance(&move->image, SEQUENCE_JUMP);
	move->interrupted = false;
}

/* Takes the image of the SA that a packet's larval SA, which is before it in the chain, hides from
 * GETSA. */
static bool find_hidden(struct migrator *m, struct move *move)
{
	struct sa_image image = {.replay_threshold = move->image.replay_threshold};
	struct reading reading = {.move = move,
				  .arena = m->arena,
				  .image = &image,
				  .type = XFRM_MSG_NEWSA,
				  .capture = true};

	if (reading_dump(m->kernel, &reading) < 0 || !reading.found || reading.error < 0 ||
	    reading.facts.hands_off != HANDS_OFF_NONE) {
		sa_image_wipe(&image);
		return false;
	}
	sa_image_wipe(&move->image);
	move->image = image;
	move->exact = false; /* it sends */
	return true;
}

/* In the SA's place is a larval SA, ours or that of a packet whose template names the SPI. */
static void handle_larval_found(struct migrator *m, struct move *move, const struct sa_facts *facts)
{
	bool sa, ours;

	if (move->missed) {
		find_bearers(m, move, &sa, &ours);
		finish(move, sa ? MOVE_RESULT_FAILED : MOVE_RESULT_GONE);
		return;
	}
	if (has_lost_its_place(m, move, facts)) {
		finish(move, MOVE_RESULT_GONE);
		return;
	}
	move->removed = true;
	move->larval = true;
	doubt_numbers(move, facts);
	make_safe(move);
	move->state = install_again(move);
}

static void step_probe(struct migrator *m, struct move *move)
{
	struct reading reading = {.move = move, .type = XFRM_MSG_NEWSA};
	int r;

	sa_id_write(&move->id, &m->batch, XFRM_MSG_GETSA);
	r = exchange(m, &reading);

	if (++move->attempts > ATTEMPTS_MAX) {
		finish(move, move->missed ? MOVE_RESULT_FAILED : MOVE_RESULT_LOST);
		return;
	}
	if (r < 0 || (m->batch.answers[0].error < 0 && m->batch.answers[0].error != -ESRCH))
		return; /* look again */

	if (!reading.found) {
		/* A larval SA of ours that is gone was deleted by the IKE daemon, which believed
		 * it to be the SA. Only if it is known that we deleted the SA and could leave no
		 * larval one, we owe it back. */
		if (!move->removed || move->larval) {
			finish(move, MOVE_RESULT_GONE);
			return;
		}
		make_safe(move);
		move->state = install_again(move);
	} else if (reading.facts.hands_off == HANDS_OFF_LARVAL && move->interrupted &&
		   !sa_image_is_larval(&move->image, &reading.facts) && find_hidden(m, move)) {
		/* It was killed in that step. */
		move->interrupted = false;
		move->state = MOVE_UNMASK;
	} else if (reading.facts.hands_off == HANDS_OFF_LARVAL) {
		handle_larval_found(m, move, &reading.facts);
	} else if (reading.facts.add_time != move->image.info.curlft.add_time) {
		/* Neither the SA nor what we made of it: somebody made it anew in the larval SA's
		 * place. */
		move->removed = true;
		make_safe(move);
		move->state = MOVE_VERIFY;
	} else if (!move->removed) {
		move->facts = reading.facts;
		finish(move, MOVE_RESULT_FAILED);
	} else {
		move->state = MOVE_VERIFY;
	}
}

/* ---- 4. verify ---- */

/* The IKE daemon's UPDSA met the larval SA, and ours the one that it made of it. */
static bool is_renewed(const struct move *move)
{
	const struct xfrm_lifetime_cur *before = &move->image.info.curlft;

	return move->facts.add_time != before->add_time || move->facts.packets < before->packets;
}

/* What counts is where it is, whatever the answers said on the way. */
static void judge(struct move *move)
{
	int ifindex = move->facts.offload_ifindex;

	if (ifindex == move->target.ifindex) {
		note_error(move, 0, "");
		finish(move, MOVE_RESULT_DONE);
	} else if (ifindex != 0) {
		finish(move, MOVE_RESULT_ELSEWHERE);
	} else if (move->error < 0) {
		finish(move, MOVE_RESULT_REFUSED);
	} else {
		/* If the kernel never said that it is in the NIC, or said it of another, the driver
		 * is not to blame. */
		finish(move, move->acknowledged && !is_renewed(move) ? MOVE_RESULT_SILENT
								     : MOVE_RESULT_FAILED);
	}
}

/* It cannot be read. What was acknowledged is believed until the next sample: an SA that is in a
 * NIC and not known to be would not be restored when that goes down. */
static void finish_unread(struct move *move)
{
	move->facts.offload_ifindex = move->error < 0 ? 0 : move->target.ifindex;
	finish(move, move->error < 0 ? MOVE_RESULT_REFUSED : MOVE_RESULT_DONE);
}

static void step_verify(struct migrator *m, struct move *move)
{
	struct reading reading = {
		.move = move,
		.arena = m->arena,
		.type = XFRM_MSG_NEWSA,
		.capture = move->keep_image && move->target.ifindex != 0,
	};
	int r;

	sa_id_write(&move->id, &m->batch, XFRM_MSG_GETSA);
	r = exchange(m, &reading);
	if (r < 0 || (m->batch.answers[0].error < 0 && m->batch.answers[0].error != -ESRCH)) {
		if (++move->attempts > ATTEMPTS_MAX)
			finish_unread(move);
		return;
	}
	if (!reading.found) {
		finish(move, MOVE_RESULT_GONE);
		return;
	}
	if (reading.facts.hands_off == HANDS_OFF_LARVAL) {
		/* Ours has the SPI, so the SA is not behind it. */
		move->state =
			sa_image_is_larval(&move->image, &reading.facts) ? MOVE_PROBE : MOVE_UNMASK;
		return;
	}
	move->facts = reading.facts;
	if (move->facts.output_sequence < move->sequence_floor)
		move->state = MOVE_ADVANCE;
	else
		judge(move);
}

/*
 * Where the template names the SPI, a packet that found no SA inserts a larval SA with that SPI,
 * without a look whether the SA is back by now: before it in the chain, so that every request that
 * names the SA meets the larval one. When that expires, charon closes the tunnel. No request
 * deletes larval SAs only. Should the DELSA meet the SA after all, because the larval one was
 * deleted or expired in between, its notification tells, and the SA is put back exactly, and where
 * it was: that need not be where the move wanted it. For that case the image goes to the rescue
 * slot before, and a larval SA takes the SA's place, as in every removal.
 *
 * An inbound SA has no such thing: there it is the reservation of another one.
 */
static void step_unmask(struct migrator *m, struct move *move)
{
	/* Larval SAs do not count as found. */
	struct reading reading = {
		.move = move, .arena = m->arena, .type = XFRM_MSG_DELSA, .capture = true};
	const struct kernel_answer *removal, *larval;

	if (move->target.direction != SA_DIRECTION_OUT || ++move->attempts > ATTEMPTS_MAX ||
	    !sa_image_has_room(m->arena)) {
		/* Whether it is there, the next sample tells. */
		finish(move, MOVE_RESULT_GONE);
		return;
	}
	/* There may be more of them to come, if the SA was away just now. */
	if (!move->anew || move->removed)
		kernel_wait_for_lookups(m->kernel);
	if (!find_hidden(m, move) || store_anew(m, move) < 0) {
		finish(move, MOVE_RESULT_GONE);
		return;
	}
	(void)remove_sa(m, move, &reading, &removal, &larval);
	if (!reading.found) {
		/* The SPI was free: the IKE daemon deleted the SA. */
		if (larval->error == 0)
			discard_larval(m, move);
		move->state = MOVE_VERIFY;
		return;
	}
	move->removed = true;
	if (reading.error == 0) {
		store_exact(m, move);
		move->exact = true;
	}
	move->place = (struct sa_offload){.ifindex = reading.facts.offload_ifindex,
					  .direction = move->target.direction};
	make_safe(move);
	move->state = larval->error == -ENOENT ? MOVE_PROBE : MOVE_INSTALL;
}

/* Somebody made the SA anew from old numbers while we were moving it (an UPDSA that hit the larval
 * SA): never let a sequence number be used twice. */
static void step_advance(struct migrator *m, struct move *move)
{
	uint64_t known = sa_image_output_sequence(&move->image);
	uint64_t behind = known < move->sequence_floor ? move->sequence_floor - known : 0;
	int r;

	/* Numbers were used since it was read: go past them, never back. An image that is kept is
	 * that of the SA as it was made anew, far behind them. */
	if (move->target.direction == SA_DIRECTION_OUT)
		sa_image_advance(&move->image, behind + SEQUENCE_JUMP);
	sa_image_write_sequence(&move->image, &m->batch);
	r = kernel_transact(m->kernel, &m->batch, NULL, NULL);
	if (r >= 0)
		r = m->batch.answers[0].error;
	if (r < 0 && ++move->attempts <= ATTEMPTS_MAX)
		return; /* once more */
	judge(move);
}

void move_make_step(struct migrator *m, struct move *move)
{
	switch (move->state) {
	case MOVE_READ:
		step_read(m, move);
		break;
	case MOVE_GUARD:
		step_guard(m, move);
		break;
	case MOVE_MIGRATE:
		step_migrate(m, move);
		break;
	case MOVE_REMOVE:
		step_remove(m, move);
		break;
	case MOVE_INSTALL:
		step_install(m, move);
		break;
	case MOVE_SOFTWARE:
		step_software(m, move);
		break;
	case MOVE_PROBE:
		step_probe(m, move);
		break;
	case MOVE_VERIFY:
		step_verify(m, move);
		break;
	case MOVE_UNMASK:
		step_unmask(m, move);
		break;
	case MOVE_ADVANCE:
		step_advance(m, move);
		break;
	case MOVE_FINISHED:
		break;
	}
}

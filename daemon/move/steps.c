// SPDX-License-Identifier: GPL-2.0-or-later
#include "move/steps.h"

#include "move/reading.h"
#include "rescue.h"

#include <errno.h>
#include <string.h>

/* Immediate retries when the kernel cannot make an SA (memory pressure), before the caller's timer
 * tries again. */
#define ATTEMPTS_MAX 3
/* How far the sequence number is advanced when the notification with the exact number was lost. It
 * is more than any NIC can send in the some milliseconds between the read and the deletion. */
#define SEQUENCE_JUMP (UINT64_C(1) << 20)
/* The same when the SA may have been in a NIC since, while no daemon was running: 1.8 s at 100
 * Gbit/s. systemd starts the daemon again after 250 ms. */
#define INTERRUPTED_JUMP (UINT64_C(1) << 28)

/* The answer of a kernel without the fix to every promotion by MIGRATE_STATE. It depends neither on
 * the NIC nor on the SA. */
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

/* An exchange of which only the answers are needed. */
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
	/* GETAE shows the timer in another unit (100 ms) than NEWSA takes (jiffies), so only the
	 * default can be restored: build_aevent(), xfrm_update_ae_params(). */
	if (reading->timer_known && m->parameters.event_timer_default >= 0 &&
	    reading->timer != m->parameters.event_timer_default)
		return HANDS_OFF_THRESHOLDS;
	return sa_facts_check_limits(facts, clock_realtime(m->parameters.clock));
}

static bool *no_offload_module(struct migrator *m, const struct move *move)
{
	return &m->parameters.no_offload_module[move->id.family == AF_INET6];
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
		/* Thresholds that cannot be read cannot be restored. */
		note_answer(move, &m->batch.answers[1]);
		finish(move, MOVE_RESULT_FAILED);
	} else if (move->target.ifindex == move->expected_ifindex && !move->anew) {
		finish(move, MOVE_RESULT_DONE);
	} else if (move->target.ifindex != 0 && *no_offload_module(m, move)) {
		move->state = MOVE_LOAD;
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

/* ---- load and guard ---- */

/* The first SA with an offload makes the kernel run modprobe, and wait for it. In UPDSA the SA
 * would be absent meanwhile: 1.3 s in an emulated machine, on 6.1. */
static void step_load(struct migrator *m, struct move *move)
{
	sa_image_write_offload_probe(&move->image, &m->batch);
	(void)write_only(m);
	*no_offload_module(m, move) = false; /* it is not to be had if this failed */
	/* That may have taken long. */
	move->state = MOVE_READ;
}

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
	/* The SA may have sent packets meanwhile, or the IKE daemon may have changed it: read it
	 * again. */
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
		move->state = MOVE_VERIFY; /* it was moved completely or not at all */
	} else if (answer->error == -ESRCH) {
		note_answer(move, answer);
		finish(move, MOVE_RESULT_GONE);
	} else if (!promote || strcmp(answer->text, CANNOT_PROMOTE) == 0) {
		*(promote ? &m->kernel_promotes : &m->kernel_evicts) = false;
		move->state = MOVE_REMOVE;
	} else {
		/* The answer has the driver's message but not its errno: the kernel returns EINVAL
		 * for all. */
		note_answer(move, answer);
		if (strstr(answer->text, "No space"))
			move->error = -ENOSPC;
		move->state = MOVE_VERIFY;
	}
}

/* ---- 2. remove ---- */

/* Deletes the larval SA with the SPI, if it exists and GETSA shows no real SA. */
static void discard_larval(struct migrator *m, struct move *move)
{
	struct reading reading = {.move = move, .type = XFRM_MSG_NEWSA};
	int error = -EAGAIN;

	/* Each attempt has two exchanges. */
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

/* Deletes an SA that we made and that the IKE daemon does not want. */
static void delete_made(struct migrator *m, struct move *move)
{
	guards_delete(m->kernel, &m->batch, &move->id);
	move->larval = move->held = false;
}

/* Called before an SA is put back. If its final numbers are not known, because the notification was
 * lost or the daemon was killed before it, advances past all numbers that can have been used. */
static void make_safe(struct move *move)
{
	if (!move->exact && move->target.direction == SA_DIRECTION_OUT)
		sa_image_advance(&move->image, SEQUENCE_JUMP);
	move->exact = true;
	move->sequence_floor = sa_image_output_sequence(&move->image);
}

/* Finds which SAs have this identity: the real SA, our larval one. A dump is needed, since a
 * request finds only the first in the chain. If it fails, both are assumed to exist. */
static void find_bearers(struct migrator *m, struct move *move, bool *ret_sa, bool *ret_larval)
{
	struct reading reading = {.move = move, .type = XFRM_MSG_NEWSA};
	bool unknown = reading_dump(m->kernel, &reading) < 0;

	*ret_sa = unknown || reading.found;
	*ret_larval = unknown || reading.larval_is_ours;
}

/* The DELSA deleted the larval SA of a packet whose template contains the SPI. If ALLOCSPI then got
 * the SPI, the SA had been deleted before. If not, the SA may be behind the larval one in the chain
 * and still exist, or the larval SA of another packet has the SPI. */
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
 * Deletes the SA and makes a larval SA with its SPI, but only if the SA existed. Netlink has no
 * conditional request. But the kernel gives an SPI to a larval SA only if no other SA has it,
 * whatever the destination (xfrm_alloc_spi(), since 2025). So the witness, a larval SA with a
 * loopback destination, asks for the SPI first. While the SA exists, the witness does not get the
 * SPI. If the IKE daemon has just deleted the SA in order to make it again, the witness gets the
 * SPI. Our larval SA then does not get it, and does not prevent the IKE daemon's NEWSA.
 *
 * Older kernels allow an SPI once per destination. The first move detects that, and the witness is
 * not used again.
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
	/* If the answer was lost, the larval SA most likely has the SPI; the probe finds out. If it
	 * did not get the SPI, a larval SA without an SPI is left, which GETSA cannot show. */
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

/* From here on a restarted daemon continues from the exact state. */
static void store_exact(struct migrator *m, const struct move *move)
{
	if (m->rescue)
		(void)rescue_store_exact(m->rescue, &move->image, &move->target);
}

/* Replaces the image in the rescue slot, which may be from before the SA was put back. */
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
	/* ENOENT: the SPI is in use. The larval SA of a packet whose template contains the SPI has
	 * it. */
	move->state = larval->error == -ENOENT ? MOVE_PROBE : MOVE_INSTALL;
}

/* ---- 3. install ---- */

/* UPDSA replaces a larval SA with the SPI. Without one, NEWSA makes the SA. */
static uint16_t install_type(const struct move *move)
{
	return move->larval ? XFRM_MSG_UPDSA : XFRM_MSG_NEWSA;
}

/*
 * Undoes what our UPDSA changed in an SA that another program made (xfrm_state_update()): limits,
 * encapsulation, marks.
 *
 * If the IKE daemon has deleted that SA meanwhile, and a packet whose template contains the SPI has
 * a larval SA in its place, this UPDSA makes the SA again. That SA must not use a number twice, so
 * the numbers are advanced past all that can have been used, and then the SA is deleted. If the SA
 * still exists, UPDSA does not change its numbers.
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
 * Whether our larval SA with the SPI is gone: the IKE daemon deleted it or was told that it
 * expired, and does not want the SA any more. A larval SA that is found then belongs to a packet
 * whose template contains the SPI. The packet's larval SA may also be before ours in the chain,
 * while ours still exists.
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
 * Returns 1 when a real SA has taken the place of our larval SA: the IKE daemon deleted the larval
 * one and made its own. Finishes the move when the IKE daemon only deleted the larval one. UPDSA
 * cannot be limited to larval SAs. So a GETSA before it in the same buffer shows which SA the UPDSA
 * finds, and a change of a real SA is undone.
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
	/* GETSA found none, and the larval SA of a packet was made between the two messages. */
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
		/* The IKE daemon or a packet has changed what is there. */
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

/* With the offload, unless it was refused or was tried often enough. */
static enum move_state install_again(const struct move *move)
{
	return move->error == 0 && move->installs < INSTALLS_MAX ? MOVE_INSTALL : MOVE_SOFTWARE;
}

/* If the larval SA of a packet is in the SA's place, and not ours, then the SA may have been put
 * back, by us or by the previous run of the daemon, have sent packets, and been lost with its NIC.
 * The image is older than that, so its numbers are advanced. */
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

/* Captures the image of an SA that is masked: a packet's larval SA is before it in the chain, so
 * that GETSA shows only the larval one. */
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
	move->exact = false; /* the SA continues to send */
	return true;
}

/* GETSA shows a larval SA: ours, or that of a packet whose template contains the SPI. */
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
		return; /* probe again */

	if (!reading.found) {
		/* If our larval SA is gone, the IKE daemon deleted it instead of the SA. The SA
		 * must be put back only if we deleted it and could not leave a larval one. */
		if (!move->removed || move->larval) {
			finish(move, MOVE_RESULT_GONE);
			return;
		}
		make_safe(move);
		move->state = install_again(move);
	} else if (reading.facts.hands_off == HANDS_OFF_LARVAL && move->interrupted &&
		   !sa_image_is_larval(&move->image, &reading.facts) && find_hidden(m, move)) {
		/* The daemon was killed in MOVE_UNMASK. */
		move->interrupted = false;
		move->state = MOVE_UNMASK;
	} else if (reading.facts.hands_off == HANDS_OFF_LARVAL) {
		handle_larval_found(m, move, &reading.facts);
	} else if (reading.facts.add_time != move->image.info.curlft.add_time) {
		/* Another program has made an SA in the place of the larval one. */
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

/* Whether the IKE daemon's UPDSA replaced the larval SA, and our UPDSA found the SA that this
 * made. */
static bool is_renewed(const struct move *move)
{
	const struct xfrm_lifetime_cur *before = &move->image.info.curlft;

	return move->facts.add_time != before->add_time || move->facts.packets < before->packets;
}

/* The result depends on where the SA is now, not on the answers. */
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
		/* MOVE_RESULT_SILENT only if the kernel acknowledged the offload of this very SA.
		 * Otherwise the driver is not the cause. */
		finish(move, move->acknowledged && !is_renewed(move) ? MOVE_RESULT_SILENT
								     : MOVE_RESULT_FAILED);
	}
}

/* The SA cannot be read. Until the next sample it is assumed to be in the NIC unless that was
 * refused: otherwise it would not be restored if the NIC goes down. */
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
		/* Our larval SA has the SPI, so the real SA does not exist. */
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
 * For a packet that found no SA, the kernel inserts a larval SA, with the SPI of the SA if the
 * template contains the SPI. It does not check whether the SA is back. The larval SA is then before
 * the SA in the chain, so every request for the SA finds the larval one. When the larval SA
 * expires, charon closes the tunnel. DELSA cannot be limited to larval SAs: if the larval one was
 * deleted or expired before the DELSA, the DELSA deletes the real SA. Its notification shows that,
 * and the SA is put back exactly and where it was, which may differ from the target of the move.
 * For this case the image is stored in the rescue slot before, and a larval SA takes the SA's
 * place, as in every removal.
 *
 * For an inbound SA this does not happen. A larval SA is there the IKE daemon's reservation of an
 * SPI.
 */
static void step_unmask(struct migrator *m, struct move *move)
{
	/* With the type DELSA, larval SAs do not count as found. */
	struct reading reading = {
		.move = move, .arena = m->arena, .type = XFRM_MSG_DELSA, .capture = true};
	const struct kernel_answer *removal, *larval;

	if (move->target.direction != SA_DIRECTION_OUT || ++move->attempts > ATTEMPTS_MAX ||
	    !sa_image_has_room(m->arena)) {
		/* The next sample shows whether the SA exists. */
		finish(move, MOVE_RESULT_GONE);
		return;
	}
	/* If the SA was absent just now, lookups that found none may still insert larval SAs. */
	if (!move->anew || move->removed)
		kernel_wait_for_lookups(m->kernel);
	if (!find_hidden(m, move) || store_anew(m, move) < 0) {
		finish(move, MOVE_RESULT_GONE);
		return;
	}
	(void)remove_sa(m, move, &reading, &removal, &larval);
	if (!reading.found) {
		/* The SPI was free, so the IKE daemon has deleted the SA. */
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

/* Another program's UPDSA replaced the larval SA during the move, with older sequence numbers. They
 * are advanced, so that none is used twice. */
static void step_advance(struct migrator *m, struct move *move)
{
	uint64_t known = sa_image_output_sequence(&move->image);
	uint64_t behind = known < move->sequence_floor ? move->sequence_floor - known : 0;
	int r;

	/* Advance past the numbers used since the SA was read, and never decrease. An image that is
	 * kept is that of the other program's SA, whose numbers are lower than sequence_floor. */
	if (move->target.direction == SA_DIRECTION_OUT)
		sa_image_advance(&move->image, behind + SEQUENCE_JUMP);
	sa_image_write_sequence(&move->image, &m->batch);
	r = kernel_transact(m->kernel, &m->batch, NULL, NULL);
	if (r >= 0)
		r = m->batch.answers[0].error;
	if (r < 0 && ++move->attempts <= ATTEMPTS_MAX)
		return; /* try again */
	judge(move);
}

void move_make_step(struct migrator *m, struct move *move)
{
	switch (move->state) {
	case MOVE_READ:
		step_read(m, move);
		break;
	case MOVE_LOAD:
		step_load(m, move);
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

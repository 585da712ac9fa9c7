// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel does it (XFRM_MSG_MIGRATE_STATE, Linux 7.2 and later): the keys do not leave it, the
 * numbers are exact, and a failure leaves the SA as it was. Probed at start. On 7.2 and 7.3 it can
 * move an SA out of a NIC but not into one (the clone's type_offload is never set, so
 * xfrm_dev_state_add() refuses); that is noticed at the first try and not tried again.
 *
 * Otherwise an SA is moved in four exchanges with the kernel:
 *
 *   1. GETSA: the SA as it is now; all checks are made on this.
 *   2. DELSA and ALLOCSPI with the very same SPI, in one buffer. The kernel processes both under
 *      xfrm_cfg_mutex, so no other program sees the SA absent: a larval SA (XFRM_STATE_ACQ) takes
 *      its place at once. The DELSA notification tells the final counters and sequence numbers,
 *      taken under the SA's lock after which it sends nothing (xfrm_state_delete() before
 *      km_state_notify()).
 *   3. UPDSA with the offload device, made from that notification. UPDSA of a larval SA inserts the
 *      new one as it is and deletes the larval (xfrm_state_update()), as IKE daemons do for every
 *      inbound SA. If the driver refuses, UPDSA again in software.
 *   4. GETSA: an acknowledgement proves nothing, since the kernel falls back to software silently.
 *
 * Packets do not take the mutex, and there are moments in which an outbound one finds neither the
 * SA nor a larval one: between the DELSA and the ALLOCSPI; in UPDSA, where the new SA is inserted
 * and the larval one deleted before xfrm_add_sa() makes it valid (seen on 7.3, whose kernel can be
 * preempted there); and in MIGRATE_STATE, which deletes before it inserts. The kernel would then
 * ask the IKE daemon for an SA that it has. So a second larval SA covers all of an outbound move,
 * by either way: outbound packets find "an acquire in progress" and wait or are dropped (cover.h).
 * Without it nothing is moved.
 *
 * The larval SA with the SA's own SPI is out of the way of packets, by another reqid. One that
 * stood at it in xfrm_state_find() while UPDSA deletes it would lose the chain, and with it the
 * cover: __xfrm_state_destroy() overwrites the pointers (union of gclist and bydst; 14 ACQUIREs in
 * 80 moves on 6.12 with lookups slowed down to 3 ms). What it is for:
 *   - The IKE daemon that deletes the SA in the gap deletes the larval one, and our UPDSA answers
 *     ESRCH: an SA that it deleted is never resurrected.
 *   - A packet whose template names the SPI, as charon's do, does not match the cover, which has
 *     another. It finds that the SPI is taken, and the kernel asks for nothing (-EEXIST).
 *   - Should this daemon die in the gap and never come back, the larval SA expires after
 *     net.core.xfrm_acq_expires and the kernel tells the IKE daemon with a hard EXPIRE.
 *
 * Sequence numbers are exact, in both directions: none is skipped, none is used twice, no packet
 * can be replayed. The alternative, one buffer with all messages made from a snapshot, has no
 * moment in which only this daemon knows the SA, but must guess how many packets leave between the
 * snapshot and the deletion; a wrong guess reuses a nonce. The rescue slot covers the moment.
 */
#include "migrator.h"
#include "rescue.h"
#include "xfrm-compat.h"

#include <errno.h>
#include <netlink/msg.h>
#include <string.h>

/* Immediate retries when the kernel cannot make an SA (memory pressure) before giving it to the
 * caller's timer. */
#define ATTEMPTS_MAX 3
/* So often an SA is offered to the NIC before it goes to software: once more when somebody was
 * faster than the first time. */
#define INSTALLS_MAX 2
/* Jump of the sequence number when the notification with the exact one was lost: more than can be
 * sent between the read and the deletion, some milliseconds, at any rate a NIC can do. */
#define SEQUENCE_JUMP (UINT64_C(1) << 20)

struct migrator {
	struct kernel *kernel;
	struct secret_arena *arena;
	struct rescue *rescue;
	struct migrator_parameters parameters;
	struct kernel_batch batch;
	bool kernel_evicts, kernel_promotes; /* by MIGRATE_STATE */
	struct covers covers;
	bool covers_stay;   /* for the moves that follow */
	bool no_witness;    /* this kernel has SPIs twice */
	unsigned n_holding; /* moves that are lost, and hold them */
};

/* What a kernel without the fix says to every promotion by MIGRATE_STATE: of the kernel, not of the
 * NIC or the SA. */
#define CANNOT_PROMOTE "Type doesn't support offload"

static void probe_migrate_state(struct migrator *m)
{
	int r;

	sa_image_write_migrate_probe(&m->batch);
	r = kernel_transact(m->kernel, &m->batch, NULL, NULL);
	/* EINVAL: the message is unknown; ENOPROTOOPT: CONFIG_XFRM_MIGRATE is off. */
	m->kernel_evicts = m->kernel_promotes = r >= 0 && m->batch.answers[0].error == -ESRCH;
	kernel_batch_clear(&m->batch);
}

const char *migrator_mechanism(const struct migrator *m, bool promote)
{
	return (promote ? m->kernel_promotes : m->kernel_evicts) ? "migrate-state" : "re-add";
}

int migrator_new(struct kernel *kernel, struct secret_arena *arena, struct rescue *rescue,
		 const struct migrator_parameters *parameters, struct migrator **ret_migrator)
{
	_cleanup_free_ struct migrator *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->kernel = kernel;
	m->arena = arena;
	m->rescue = rescue;
	m->parameters = *parameters;
	r = kernel_batch_init(&m->batch, arena);
	if (r < 0)
		return r;
	probe_migrate_state(m);
	*ret_migrator = TAKE_PTR(m);
	return 0;
}

struct migrator *migrator_free(struct migrator *m)
{
	if (!m)
		return NULL;
	kernel_batch_release(&m->batch);
	free(m);
	return NULL;
}

const char *move_result_name(enum move_result result)
{
	switch (result) {
	case MOVE_RESULT_NONE:
		return "none";
	case MOVE_RESULT_DONE:
		return "done";
	case MOVE_RESULT_REFUSED:
		return "refused";
	case MOVE_RESULT_SILENT:
		return "silent-software";
	case MOVE_RESULT_ELSEWHERE:
		return "wrong-device";
	case MOVE_RESULT_GONE:
		return "gone";
	case MOVE_RESULT_HANDS_OFF:
		return "hands-off";
	case MOVE_RESULT_FAILED:
		return "failed";
	case MOVE_RESULT_LOST:
		return "lost";
	}
	return "?";
}

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

/* What one exchange told about the SA of a move. */
struct reading {
	struct move *move;
	struct secret_arena *arena;
	struct sa_image *image; /* where to; NULL: the move's */
	uint16_t type; /* XFRM_MSG_NEWSA: the reply of GETSA; XFRM_MSG_DELSA: the notification */
	bool capture;  /* keep the image, not only the facts */
	bool found;
	bool larval; /* what was deleted was a larval SA */
	int error;   /* of capturing */
	struct sa_facts facts;
	bool timer_known;
	uint32_t timer;
	uint32_t threshold;
};

static bool same_sa(const struct sa_id *id, const struct sa_id *other)
{
	return memcmp(id, other, sizeof(*id)) == 0;
}

static void take_thresholds(struct reading *reading, const struct nlmsghdr *message)
{
	struct nlmsghdr *m = (struct nlmsghdr *)message;
	struct nlattr *timer =
		nlmsg_find_attr(m, sizeof(struct xfrm_aevent_id), XFRMA_ETIMER_THRESH);
	struct nlattr *threshold =
		nlmsg_find_attr(m, sizeof(struct xfrm_aevent_id), XFRMA_REPLAY_THRESH);

	if (!timer || !threshold || nla_len(timer) < 4 || nla_len(threshold) < 4)
		return;
	reading->timer_known = true;
	reading->timer = nla_get_u32(timer);
	reading->threshold = nla_get_u32(threshold);
}

static int read_message(const struct nlmsghdr *message, bool own, void *userdata)
{
	struct reading *reading = userdata;
	struct sa_image *image = reading->image ? reading->image : &reading->move->image;
	uint32_t threshold = image->replay_threshold;
	struct sa_facts facts;

	(void)own; /* transact() hands out nothing else */
	if (message->nlmsg_type == XFRM_MSG_NEWAE)
		take_thresholds(reading, message);
	/* ALLOCSPI answers with the larval SA as a NEWSA, which is not what was asked for. */
	if (message->nlmsg_type != reading->type)
		return 0;
	if (sa_facts_read(message, &facts) < 0 ||
	    !same_sa(&facts.description.id, &reading->move->id))
		return 0;
	if (reading->type == XFRM_MSG_DELSA && facts.hands_off == HANDS_OFF_LARVAL) {
		reading->larval = true;
		return 0;
	}
	reading->found = true;
	reading->facts = facts;
	/* An image of a larval SA would replace that of the SA whose place it has. */
	if (reading->capture && facts.hands_off != HANDS_OFF_LARVAL) {
		reading->error = sa_image_capture(image, reading->arena, message);
		if (reading->error == 0)
			image->replay_threshold = threshold;
	}
	return 0;
}

static int exchange(struct migrator *m, struct reading *reading)
{
	return kernel_transact(m->kernel, &m->batch, read_message, reading);
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
		   !covers_has(&m->covers, &move->id)) {
		move->state = MOVE_COVER;
	} else if (!move->anew &&
		   (move->target.ifindex != 0 ? m->kernel_promotes : m->kernel_evicts)) {
		move->state = MOVE_MIGRATE;
	} else {
		move->state = MOVE_REMOVE;
	}
}

/* ---- cover ---- */

static void step_cover(struct migrator *m, struct move *move)
{
	const struct sa_image *image = &move->image;
	int r = covers_add(&m->covers, m->kernel, &m->batch, &image, 1);

	if (r < 0) {
		note_error(move, r, "it cannot be covered by a larval SA");
		finish(move, MOVE_RESULT_FAILED);
		return;
	}
	m->kernel->ops->wait_for_lookups(m->kernel);
	/* It sent packets in the meantime, or the IKE daemon was here. */
	move->state = MOVE_READ;
}

void migrator_cover(struct migrator *m, const struct sa_id *ids, size_t n)
{
	m->covers_stay = true;
	if (n == 0)
		return;
	covers_add_by_id(&m->covers, m->kernel, m->arena, &m->batch, ids, n);
	m->kernel->ops->wait_for_lookups(m->kernel);
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

static void discard_larval(struct migrator *m, struct move *move)
{
	kernel_batch_clear(&m->batch);
	sa_id_write(&move->id, &m->batch, XFRM_MSG_DELSA);
	(void)kernel_transact(m->kernel, &m->batch, NULL, NULL);
	move->larval = false;
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

/* The DELSA met the larval SA of a packet whose template names the SPI. Either the SA had gone
 * before, and ALLOCSPI found the SPI free; or it is behind that one in the chain, and stays. */
static void handle_larval_removed(struct migrator *m, struct move *move, bool spi_was_free)
{
	if (!spi_was_free) {
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
	if (first > 0) {
		m->covers.witness = true;
		move->witness = answers[0].error == 0 || answers[0].error == -ETIMEDOUT;
		m->no_witness = answers[0].error == 0 && (*ret_removal)->error == 0;
	}
	return r;
}

static void step_remove(struct migrator *m, struct move *move)
{
	struct reading reading = {
		.move = move, .arena = m->arena, .type = XFRM_MSG_DELSA, .capture = true};
	const struct kernel_answer *removal, *larval;
	int r;

	if (m->rescue) {
		r = rescue_store(m->rescue, &move->image, &move->target);
		if (r < 0) {
			note_error(move, r, "the rescue slot does not take it");
			finish(move, MOVE_RESULT_FAILED);
			return;
		}
	}

	r = remove_sa(m, move, &reading, &removal, &larval);
	/* An answer that was lost was most likely a good one, and the probe finds out. */
	move->larval = larval->error == 0 || larval->error == -ETIMEDOUT;
	move->leftover = !move->larval;

	if (r < 0 && removal->error == -ETIMEDOUT) {
		/* Did it happen? Nobody told. */
		note_error(move, r, "");
		move->state = MOVE_PROBE;
		return;
	}
	if (removal->error < 0) {
		note_answer(move, removal);
		r = move->error;
		/* If its answer was lost, a DELSA could meet the SA itself. */
		if (larval->error == 0)
			discard_larval(m, move);
		else
			move->leftover = true;
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
		/* From here on a crash continues from the exact state. */
		if (m->rescue)
			(void)rescue_store_exact(m->rescue, &move->image, &move->target);
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

/* Puts back what our UPDSA changed of an SA that somebody else made (xfrm_state_update()): limits,
 * encapsulation, marks. */
static void undo_update(struct migrator *m, const struct sa_image *before)
{
	static const struct sa_offload as_it_is = {};

	for (unsigned attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
		kernel_batch_clear(&m->batch);
		sa_image_write(before, &m->batch, XFRM_MSG_UPDSA, &as_it_is);
		if (write_only(m) >= 0 && m->batch.answers[0].error == 0)
			break;
	}
}

/*
 * Returns 1 when there is an SA in the larval one's place: the IKE daemon deleted that and made its
 * own. No request replaces larval SAs only, but what stands before the UPDSA in the same buffer
 * sees what that meets, and what it changed is put back.
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
	int r;

	if (type == XFRM_MSG_UPDSA)
		sa_id_write(&move->id, &m->batch, XFRM_MSG_GETSA);
	sa_image_write(&move->image, &m->batch, type, offload);
	r = exchange(m, &reading);
	*ret_answer = m->batch.answers[m->batch.n - 1];
	if (reading.found && reading.facts.hands_off != HANDS_OFF_LARVAL) {
		if (ret_answer->error == 0 && reading.error == 0)
			undo_update(m, &before);
		r = 1;
	}
	sa_image_wipe(&before);
	return r;
}

static void step_install(struct migrator *m, struct move *move)
{
	struct kernel_answer answer;
	int r = install(m, move, &move->target, &answer);

	move->installs++;
	move->offered = r <= 0 && (answer.error == 0 || answer.error == -ETIMEDOUT);
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

static void step_probe(struct migrator *m, struct move *move)
{
	struct reading reading = {.move = move, .arena = m->arena, .type = XFRM_MSG_NEWSA};
	int r;

	sa_id_write(&move->id, &m->batch, XFRM_MSG_GETSA);
	r = exchange(m, &reading);

	if (++move->attempts > ATTEMPTS_MAX) {
		finish(move, MOVE_RESULT_LOST);
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
	} else if (reading.facts.hands_off == HANDS_OFF_LARVAL) {
		/* Ours, or that of a packet whose template names the SPI. */
		move->removed = true;
		move->larval = true;
		make_safe(move);
		move->state = install_again(move);
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
			/* It was acknowledged. */
			finish(move, move->error < 0 ? MOVE_RESULT_REFUSED : MOVE_RESULT_DONE);
		return;
	}
	if (!reading.found) {
		finish(move, MOVE_RESULT_GONE);
		return;
	}
	if (reading.facts.hands_off == HANDS_OFF_LARVAL) {
		move->state = MOVE_UNMASK;
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
 * deletes larval SAs only; should the DELSA meet the SA after all, because the larval one was
 * deleted or expired in between, its notification tells, and the SA is put back exactly.
 *
 * An inbound SA has no such thing: there it is the reservation of another one.
 */
static void step_unmask(struct migrator *m, struct move *move)
{
	/* Larval SAs do not count as found. */
	struct reading reading = {
		.move = move, .arena = m->arena, .type = XFRM_MSG_DELSA, .capture = true};

	if (move->target.direction != SA_DIRECTION_OUT || ++move->attempts > ATTEMPTS_MAX ||
	    !sa_image_has_room(m->arena)) {
		/* Whether it is there, the next sample tells. */
		finish(move, MOVE_RESULT_GONE);
		return;
	}
	/* There may be more of them to come. */
	m->kernel->ops->wait_for_lookups(m->kernel);
	sa_id_write(&move->id, &m->batch, XFRM_MSG_DELSA);
	(void)exchange(m, &reading);
	move->state = MOVE_VERIFY;
	if (!reading.found)
		return;
	move->removed = true;
	move->larval = false;
	move->exact = reading.error == 0;
	move->target.ifindex = reading.facts.offload_ifindex;
	make_safe(move);
	move->state = MOVE_INSTALL;
}

/* Somebody made the SA anew from old numbers while we were moving it (an UPDSA that hit the larval
 * SA): never let a sequence number be used twice. */
static void step_advance(struct migrator *m, struct move *move)
{
	int r;

	/* Numbers were used since it was read: go past them, never back. */
	if (move->target.direction == SA_DIRECTION_OUT)
		sa_image_advance(&move->image, SEQUENCE_JUMP);
	sa_image_write_sequence(&move->image, &m->batch);
	r = kernel_transact(m->kernel, &m->batch, NULL, NULL);
	if (r >= 0)
		r = m->batch.answers[0].error;
	if (r < 0 && ++move->attempts <= ATTEMPTS_MAX)
		return; /* once more */
	judge(move);
}

static void make_step(struct migrator *m, struct move *move)
{
	switch (move->state) {
	case MOVE_READ:
		step_read(m, move);
		break;
	case MOVE_COVER:
		step_cover(m, move);
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

static void hold_covers(struct migrator *m, struct move *move, bool hold)
{
	m->n_holding += hold;
	m->n_holding -= move->holds_covers;
	move->holds_covers = hold;
}

static bool leaves_image(const struct move *move)
{
	if (!move->keep_image || move->target.ifindex == 0)
		return false;
	return move->result == MOVE_RESULT_DONE ||
	       (move->result == MOVE_RESULT_GONE && move->offered);
}

static void run_steps(struct migrator *m, struct move *move)
{
	while (move->state != MOVE_FINISHED) {
		make_step(m, move);
		kernel_batch_clear(&m->batch);
	}
}

struct masked {
	const struct sa_id *ids;
	size_t n;
	bool larval[COVERED_MAX];
};

static int take_masked(const struct nlmsghdr *message, bool own, void *userdata)
{
	struct masked *masked = userdata;
	struct sa_facts facts;

	(void)own;
	if (message->nlmsg_type != XFRM_MSG_NEWSA || sa_facts_read(message, &facts) < 0)
		return 0;
	for (size_t i = 0; i < masked->n; i++)
		if (same_sa(&masked->ids[i], &facts.description.id))
			masked->larval[i] = facts.hands_off == HANDS_OFF_LARVAL;
	return 0;
}

/* Takes larval SAs away that GETSA shows in the stead of these SAs. */
static bool unmask(struct migrator *m, const struct sa_id *ids, size_t n, struct move *ret_lost)
{
	struct masked masked = {.ids = ids, .n = n};

	kernel_batch_clear(&m->batch);
	for (size_t i = 0; i < n; i++)
		sa_id_write(&ids[i], &m->batch, XFRM_MSG_GETSA);
	if (n > 0)
		(void)kernel_transact(m->kernel, &m->batch, take_masked, &masked);
	kernel_batch_clear(&m->batch);
	for (size_t i = 0; i < n; i++) {
		struct move move = {
			.id = ids[i], .target.direction = SA_DIRECTION_OUT, .state = MOVE_UNMASK};

		if (!masked.larval[i])
			continue;
		run_steps(m, &move);
		if (move.result == MOVE_RESULT_LOST) {
			*ret_lost = move;
			return true;
		}
		sa_image_wipe(&move.image);
	}
	return false;
}

bool migrator_unmask(struct migrator *m, const struct sa_id *ids, size_t n, struct move *ret_lost)
{
	if (n == 0)
		return false;
	m->kernel->ops->wait_for_lookups(m->kernel);
	for (size_t i = 0; i < n; i += COVERED_MAX)
		if (unmask(m, ids + i, n - i < COVERED_MAX ? n - i : COVERED_MAX, ret_lost))
			return true;
	return false;
}

bool migrator_uncover(struct migrator *m, struct move *ret_lost)
{
	struct covers done = m->covers;

	m->covers_stay = false;
	if (m->n_holding > 0)
		return false;
	covers_remove(&m->covers, m->kernel, &m->batch);
	/* No packet is looking any more that began while they were away. */
	return unmask(m, done.covered, done.n_covered, ret_lost);
}

static void make_steps(struct migrator *m, struct move *move)
{
	struct sa_id witness;
	struct move lost;

	run_steps(m, move);
	hold_covers(m, move, move->result == MOVE_RESULT_LOST);
	if (move->result == MOVE_RESULT_LOST)
		return;
	if (m->rescue)
		rescue_clear(m->rescue);
	if (move->leftover)
		covers_take_leftover(&m->covers, m->kernel, &m->batch, &move->image);
	if (move->witness) {
		witness = sa_image_witness_id(move->id.spi);
		covers_delete(m->kernel, &m->batch, &witness);
	}
	move->leftover = move->witness = false;
	if (!leaves_image(move))
		sa_image_wipe(&move->image);
	if (!m->covers_stay && migrator_uncover(m, &lost)) {
		sa_image_wipe(&move->image);
		*move = lost;
	}
}

void migrator_run(struct migrator *m, struct move *move)
{
	struct move fresh = {
		.id = move->id,
		.target = move->target,
		.expected_ifindex = move->expected_ifindex,
		.keep_image = move->keep_image,
		.anew = move->anew,
	};

	*move = fresh;
	make_steps(m, move);
}

void migrator_reinstate(struct migrator *m, const struct sa_image *const *images, size_t n,
			enum reinstatement *results)
{
	reinstate(m->kernel, &m->batch, images, n, results);
}

void migrator_restore(struct migrator *m, struct move *move)
{
	const struct sa_image *image = &move->image;

	/* Without waiting: it is wanted now. */
	if (move->target.direction == SA_DIRECTION_OUT && !covers_has(&m->covers, &move->id))
		(void)covers_add(&m->covers, m->kernel, &m->batch, &image, 1);
	move->attempts = 0;
	move->installs = INSTALLS_MAX;
	move->removed = true;
	move->sequence_floor = sa_image_output_sequence(&move->image);
	move->state = MOVE_PROBE;
	make_steps(m, move);
}

void migrator_sweep(struct migrator *m)
{
	covers_sweep(m->kernel, &m->batch);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * On Linux 7.2 and later the kernel can move an SA (XFRM_MSG_MIGRATE_STATE). It copies the SA, so
 * the sequence numbers are exact, and a failure leaves the SA unchanged. The daemon probes for this
 * at the start. Linux 7.2 and 7.3 can move an SA out of a NIC but not into one: the clone's
 * type_offload is never set, so xfrm_dev_state_add() refuses. The first attempt detects this, and
 * it is not tried again.
 *
 * Otherwise an SA is moved in four exchanges with the kernel (re-add):
 *
 *   1. GETSA reads the SA. All checks use this image.
 *   2. DELSA, and ALLOCSPI with the same SPI, in one buffer. The kernel processes both under
 *      xfrm_cfg_mutex, so no other program sees the SA absent: a larval SA (XFRM_STATE_ACQ) takes
 *      its place at once. The DELSA notification contains the final counters and sequence numbers:
 *      the SA sends nothing after xfrm_state_delete(), which comes before km_state_notify().
 *   3. UPDSA with the offload device, made from that notification. UPDSA of a larval SA inserts the
 *      new SA and deletes the larval one (xfrm_state_update()); IKE daemons do the same for every
 *      inbound SA. If the driver refuses, UPDSA again in software.
 *   4. GETSA shows where the SA is. An acknowledgement does not prove that it is in the NIC, since
 *      the kernel falls back to software without a message.
 *
 * Packets do not take the mutex. There are moments in which an outbound packet finds neither the SA
 * nor a larval one:
 *   - between the DELSA and the ALLOCSPI,
 *   - in UPDSA, where the new SA is inserted and the larval one deleted before xfrm_add_sa() makes
 *     the new one valid (seen on 7.3, whose kernel can be preempted there),
 *   - in MIGRATE_STATE, which deletes the SA before it inserts the new one.
 * The kernel would then ask the IKE daemon for an SA. So a second larval SA guards the whole move
 * of an outbound SA, in both mechanisms: the kernel finds "an acquire in progress" for the packets,
 * and they wait or are dropped (larval-guard.h). Without a guard no outbound SA is moved.
 *
 * The larval SA with the SA's own SPI has another reqid, so that packets do not find it. If a
 * lookup in xfrm_state_find() were at this larval SA while UPDSA deletes it, the lookup would leave
 * the chain and not find the guard: __xfrm_state_destroy() overwrites the pointers (union of gclist
 * and bydst; 14 ACQUIREs in 80 moves on 6.12 with lookups slowed down to 3 ms). The larval SA has
 * three purposes:
 *   - An IKE daemon that deletes the SA in the gap deletes the larval one. Our UPDSA then returns
 *     ESRCH, or finds the larval SA of a packet, which the GETSA before it shows. So an SA that the
 *     IKE daemon deleted is not made again.
 *   - A packet whose template contains the SPI, as charon's do, does not match the guard, which has
 *     another SPI. The kernel finds that the SPI is in use, and sends no ACQUIRE (-EEXIST).
 *   - If the daemon is killed in the gap and not started again, the larval SA expires after
 *     net.core.xfrm_acq_expires, and the kernel sends a hard EXPIRE to the IKE daemon.
 *
 * Sequence numbers are exact in both directions: none is skipped, none is used twice, no packet can
 * be replayed. The alternative is one buffer with all messages, made from a snapshot. It has no
 * moment in which only this daemon knows the SA, but it must guess how many packets are sent
 * between the snapshot and the deletion, and a wrong guess reuses a nonce. In the gap the rescue
 * slot has the image.
 */
#include "migrator.h"

#include "move/steps.h"
#include "rescue.h"

#include <errno.h>
#include <string.h>

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
void migrator_begin_group(struct migrator *m)
{
	m->guards_stay = true;
}

void migrator_guard(struct migrator *m, const struct sa_id *ids, size_t n)
{
	migrator_begin_group(m);
	if (n == 0)
		return;
	guards_add_by_id(&m->guards, m->kernel, m->arena, &m->batch, ids, n);
	kernel_begin_wait(m->kernel);
}

void migrator_end_moves(struct migrator *m)
{
	/* Guards of SAs that are owed stay until these are back. */
	if (m->n_holding > 0)
		return;
	guards_remove_witness(&m->guards, m->kernel, &m->batch);
	m->moves_ended = m->guards.n_larvals > 0;
	if (m->moves_ended)
		kernel_begin_wait(m->kernel);
}

bool migrator_is_waiting(struct migrator *m)
{
	return kernel_is_waiting(m->kernel);
}

static void hold_guards(struct migrator *m, struct move *move, bool hold)
{
	m->n_holding += hold;
	m->n_holding -= move->holds_guards;
	move->holds_guards = hold;
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
		move_make_step(m, move);
		kernel_batch_clear(&m->batch);
	}
}

static void make_steps(struct migrator *m, struct move *move);

struct masked {
	const struct sa_id *ids;
	size_t n;
	bool larval[GUARDED_MAX];
};

static int take_masked(const struct nlmsghdr *message, bool own, void *userdata)
{
	struct masked *masked = userdata;
	struct sa_facts facts;

	(void)own;
	if (message->nlmsg_type != XFRM_MSG_NEWSA || sa_facts_read(message, &facts) < 0)
		return 0;
	for (size_t i = 0; i < masked->n; i++)
		if (memcmp(&masked->ids[i], &facts.description.id, sizeof(struct sa_id)) == 0)
			masked->larval[i] = facts.hands_off == HANDS_OFF_LARVAL;
	return 0;
}

/* Removes the larval SAs that GETSA shows instead of these SAs. */
static bool unmask(struct migrator *m, const struct sa_id *ids, size_t n, struct move *ret_lost)
{
	struct masked masked = {.ids = ids, .n = n};

	for (size_t i = 0; i < n; i++)
		sa_id_write(&ids[i], &m->batch, XFRM_MSG_GETSA);
	if (n > 0)
		(void)kernel_transact(m->kernel, &m->batch, take_masked, &masked);
	kernel_batch_clear(&m->batch);
	for (size_t i = 0; i < n; i++) {
		struct move move = {
			.id = ids[i],
			.target.direction = SA_DIRECTION_OUT,
			.anew = true,
			.state = MOVE_UNMASK,
		};

		if (!masked.larval[i])
			continue;
		make_steps(m, &move);
		if (move.result == MOVE_RESULT_LOST) {
			*ret_lost = move;
			return true;
		}
	}
	return false;
}

bool migrator_unmask(struct migrator *m, const struct sa_id *ids, size_t n, struct move *ret_lost)
{
	if (n == 0)
		return false;
	kernel_wait_for_lookups(m->kernel);
	for (size_t i = 0; i < n; i += GUARDED_MAX)
		if (unmask(m, ids + i, n - i < GUARDED_MAX ? n - i : GUARDED_MAX, ret_lost))
			return true;
	return false;
}

bool migrator_unguard(struct migrator *m, struct move *ret_lost)
{
	struct guards done = m->guards;
	bool waited = m->moves_ended && !kernel_is_waiting(m->kernel);

	m->guards_stay = m->moves_ended = false;
	if (m->n_holding > 0)
		return false;
	guards_remove_witness(&m->guards, m->kernel, &m->batch);
	if (m->guards.n_larvals > 0 && !waited)
		kernel_wait_for_lookups(m->kernel);
	guards_remove(&m->guards, m->kernel, &m->batch);
	/* All lookups that began while the SAs were absent have finished. */
	return unmask(m, done.guarded, done.n_guarded, ret_lost);
}

static void make_steps(struct migrator *m, struct move *move)
{
	struct sa_id witness;
	struct move lost;

	m->moves_ended = false;
	run_steps(m, move);
	hold_guards(m, move, move->result == MOVE_RESULT_LOST);
	if (move->result == MOVE_RESULT_LOST)
		return;
	if (m->rescue && move->stored)
		rescue_clear(m->rescue);
	move->stored = false;
	if (move->leftover)
		guards_take_leftover(&m->guards, m->kernel, &m->batch, &move->image);
	if (move->witness) {
		witness = sa_image_witness_id(move->id.spi);
		guards_delete(m->kernel, &m->batch, &witness);
	}
	move->leftover = move->witness = false;
	if (!leaves_image(move))
		sa_image_wipe(&move->image);
	if (!m->guards_stay && migrator_unguard(m, &lost)) {
		sa_image_wipe(&move->image);
		*move = lost;
	}
}

void migrator_run(struct migrator *m, struct move *move)
{
	struct move fresh = {
		.id = move->id,
		.target = move->target,
		.place = move->target,
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

	/* The guard is made without waiting for lookups, since the SA must be back soon. */
	if (guards_has(&m->guards, &move->id))
		guards_forget_expired(&m->guards, m->kernel, &m->batch);
	if (move->target.direction == SA_DIRECTION_OUT && !guards_has(&m->guards, &move->id))
		(void)guards_add(&m->guards, m->kernel, &m->batch, &image, 1);
	move->attempts = 0;
	move->installs = INSTALLS_MAX;
	move->removed = true;
	/* The daemon may have been killed before it gave the leftover larval SA an SPI. */
	move->leftover |= move->interrupted;
	move->sequence_floor = sa_image_output_sequence(&move->image);
	move->state = MOVE_PROBE;
	make_steps(m, move);
}

int migrator_sweep(struct migrator *m)
{
	return guards_sweep(m->kernel, &m->batch);
}

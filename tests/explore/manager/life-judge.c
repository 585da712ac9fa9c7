// SPDX-License-Identifier: GPL-2.0-or-later
/* Checks after a life, and what the daemon does not promise. */
#include "life.h"
#include "sa/shadow.h"

#include <errno.h>
#include <stdarg.h>

/* How long SAs may be absent when their NIC goes down: the kernel may delete them after the link
 * message. */
#define AWAY_SECONDS 0.005
/* ... if the kernel has no memory at first, and if an exchange failed. */
#define AWAY_NO_MEMORY_SECONDS 0.02
#define AWAY_FAULT_SECONDS 0.05
/* The interval of the samples in the story, and how long one sample may take. */
#define SAMPLE_SECONDS 0.1
#define SAMPLE_TAKES_SECONDS 0.02

void life_complain(struct life *life, const char *format, ...)
{
	va_list arguments;

	life->outcome->wrong++;
	if (!life->text)
		return;
	va_start(arguments, format);
	(void)vfprintf(life->text, format, arguments);
	va_end(arguments);
	(void)fputc('\n', life->text);
}

static bool slot_is_used(struct life *life)
{
	struct life_explorer *explorer = life->explorer;
	struct sa_image image = {};
	struct sa_offload target;

	if (rescue_load(explorer->rescue, explorer->arena, &image, &target) == -ENOENT)
		return false;
	sa_image_wipe(&image);
	return true;
}

static void judge_daemon(struct life *life)
{
	struct manager *m = life->manager;
	const struct sa *sa;

	if (executor_owed(m->executor) > 0)
		life_complain(life, "%zu SAs are owed to the kernel", executor_owed(m->executor));
	if (shadows_restoring(m->shadows) > 0)
		life_complain(life, "the restore after a link down has not ended");
	TAILQ_FOREACH(sa, &m->sas->all, list)
		if (sa->residence.foreign)
			life_complain(life, "SA %#x has become foreign", sa->description.id.spi);
	if (life->sibling_moved)
		life_complain(life, "an SA without packets was promoted");
	if (slot_is_used(life))
		life_complain(life, "the rescue slot is not empty");
}

double life_allowed_away(const struct life_scenario *s)
{
	static const double more[_LIFE_EVENT_MAX] = {
		[LIFE_DOWN_LATE] = 0.3,    [LIFE_DOWN_SLOW] = 0.2, /* a dump finds them missing */
		[LIFE_DOWN_UNSEEN] = 0.05, [LIFE_DOWN_NO_MEMORY] = AWAY_NO_MEMORY_SECONDS,
		[LIFE_BURST] = 0.01,       [LIFE_BURST_AND_DOWN] = 0.01,
	};

	return AWAY_SECONDS + more[s->first.event] + more[s->second.event] +
	       (s->fault.kind != FAKE_FAULT_NONE ? AWAY_FAULT_SECONDS : 0);
}

/* If the daemon knows the exact state, it must not skip sequence numbers: that uses up sequence
 * space. After a link down it may skip those that the NIC can have used since the last sample. */
static uint64_t allowed_to_skip(const struct life *life)
{
	const struct life_scenario *s = life->scenario;

	if (s->world->sas[0].inbound || life->was_updated || life->has_moved ||
	    s->fault.kind != FAKE_FAULT_NONE || life->unknown_life || life->was_inexact ||
	    (life->was_killed && life->was_down) || (life->was_down && s->second.event))
		return UINT64_MAX;
	if (!life->was_down)
		return 0;
	return shadow_numbers_possible(SAMPLE_SECONDS + SAMPLE_TAKES_SECONDS + life_allowed_away(s),
				       0);
}

/* Packets always find their SA or its guard if only the daemon deleted the SA and templates do not
 * name the SPI (docs/safety.md). */
static bool may_acquire(const struct life *life)
{
	const struct life_scenario *s = life->scenario;

	return s->world->templates_name_spi || life->was_down || life->was_killed ||
	       life->stalled || s->fault.kind != FAKE_FAULT_NONE ||
	       (s->first.event && s->first.event < _LIFE_IKE_MAX) ||
	       (s->second.event && s->second.event < _LIFE_IKE_MAX);
}

/* An outbound SA may continue below used numbers if the IKE daemon installed it again, with number
 * 0, during the move. */
static void judge_numbers(struct life *life)
{
	for (size_t i = 0; i < life->scenario->world->n; i++) {
		const struct fake_belief *belief = life->latest[i];
		struct fake_view view;

		if (!belief || life->scenario->world->sas[i].inbound || !fake_belief_alive(belief))
			continue;
		view = fake_kernel_view(life->fake, belief);
		if (view.exists &&
		    view.sequence_out < fake_kernel_last_sequence(life->fake, belief))
			life->stayed_behind = true;
	}
}

void life_judge_moves(struct life *life)
{
	judge_numbers(life);
	if (life->optional_within && !life->within_is_over) {
		life->within_is_over = true;
		life->clear_within = fake_kernel_clear_texts(life->fake);
	}
}

static void judge_kernel(struct life *life)
{
	const struct life_scenario *s = life->scenario;
	unsigned flags = 0;

	if (life->was_down || life->was_killed || s->fault.kind != FAKE_FAULT_NONE)
		flags |= FAKE_CHECK_COUNTERS_MAY_DIFFER;
	life->outcome->wrong += fake_kernel_check(life->fake, flags, life->text);
	if (fake_kernel_count(life->fake, true) > 0)
		life_complain(life, "%u larval SAs are left", fake_kernel_count(life->fake, true));
	if (fake_kernel_skipped(life->fake, life->first) > allowed_to_skip(life))
		life_complain(life, "%llu sequence numbers were skipped",
			      (unsigned long long)fake_kernel_skipped(life->fake, life->first));
	if (life->stayed_behind)
		life_complain(life, "an SA went on with numbers that were used");
	if (fake_kernel_late_replays(life->fake, life->first) > 1)
		life_complain(life, "packets inside crypto were accepted more than twice");
	if (life->optional && fake_kernel_clear_texts(life->fake) > 0)
		life_complain(life, "%u packets left in clear text",
			      fake_kernel_clear_texts(life->fake));
	if (!may_acquire(life) && fake_kernel_acquires(life->fake) > 0)
		life_complain(life, "the IKE daemon was asked for %u SAs",
			      fake_kernel_acquires(life->fake));
	if (life->outcome->ike_errors > 0)
		life_complain(life, "the IKE daemon did not find its SA");
}

static bool is_undone(const struct life *life)
{
	return fake_kernel_view(life->fake, life->first).exists && !fake_belief_alive(life->first);
}

/* Whether the only violation is that the last step of its update_sa() failed. */
static bool is_refused_copy(const struct life *life)
{
	return life->scenario->world->nat && life->read_in_nic &&
	       fake_ike_errors(life->fake) == 1 && life->outcome->ike_errors == 0 &&
	       !fake_kernel_view(life->fake, life->first).exists;
}

static bool is_any_missing(const struct life *life)
{
	for (size_t i = 0; i < life->scenario->world->n; i++)
		if (fake_belief_alive(life->latest[i]) &&
		    !fake_kernel_view(life->fake, life->latest[i]).exists)
			return true;
	return false;
}

/* Later moves know the policy. */
static bool is_optional_within(const struct life *life)
{
	return life->optional_within && fake_kernel_clear_texts(life->fake) == life->clear_within;
}

static enum life_limit limit_of(const struct life *life)
{
	if (life->wrote_while_down)
		return LIFE_LIMIT_WROTE_WHILE_DOWN;
	if (life->read_larval)
		return LIFE_LIMIT_READ_LARVAL;
	if (is_refused_copy(life))
		return LIFE_LIMIT_COPY_REFUSED;
	if (life->has_moved && life->scenario->world->sas[0].inbound &&
	    life->scenario->world->migrate_state != FAKE_MIGRATE_ABSENT)
		return LIFE_LIMIT_MADE_BEFORE_MIGRATE;
	if (fake_kernel_clear_texts(life->fake) > 0 && (is_optional_within(life) || life->was_down))
		return LIFE_LIMIT_OPTIONAL_WITHIN;
	if (life->was_updated && life->was_down)
		return LIFE_LIMIT_UPDATE_LOST;
	if (life->has_moved && life->was_down)
		return LIFE_LIMIT_COPY_UNSEEN;
	/* Without a link down no SA is lost: larval SAs may be left, or a recent update may be
	 * lost. */
	if (life->was_killed &&
	    (life->was_down || (life->scenario->second.event && !is_any_missing(life))))
		return LIFE_LIMIT_TWO_FAULTS;
	if (life->was_killed && life->scenario->fault.kind != FAKE_FAULT_NONE)
		return LIFE_LIMIT_TWO_FAULTS;
	if (life->scenario->fault.count > 1 && life->scenario->first.event &&
	    life->scenario->first.event < _LIFE_IKE_MAX)
		return LIFE_LIMIT_TWO_FAULTS;
	if (life->met_acquired && (is_undone(life) || life->has_moved))
		return LIFE_LIMIT_MET_ACQUIRED;
	if (life->stalled && fake_ike_wrong_closures(life->fake) > 0)
		return LIFE_LIMIT_LARVAL_EXPIRED;
	return LIFE_LIMIT_NONE;
}

/* This must hold beyond any limit. */
static void judge_beyond(struct life *life)
{
	life->outcome->wrong = 0;
	fake_ike_forget(life->fake, life->first);
	for (size_t i = 0; i < life->scenario->world->n; i++)
		fake_ike_forget(life->fake, life->latest[i]);
	life->outcome->wrong += fake_kernel_check(
		life->fake,
		FAKE_CHECK_COUNTERS_MAY_DIFFER | FAKE_CHECK_LARVALS_MAY_STAY |
			FAKE_CHECK_NIC_MAY_DIFFER | FAKE_CHECK_CLOSURES_MAY_HAPPEN |
			FAKE_CHECK_REQUESTS_MAY_FAIL,
		life->text);
	judge_daemon(life);
}

void life_judge(struct life *life, size_t arena_in_use)
{
	FILE *text = life->text;

	life->text = NULL;
	judge_daemon(life);
	judge_kernel(life);
	life->text = text;
	if (life->outcome->wrong > 0)
		life->outcome->limit = limit_of(life);
	if (life->outcome->limit != LIFE_LIMIT_NONE) {
		judge_beyond(life);
	} else if (life->outcome->wrong > 0) {
		/* Reported now. */
		unsigned wrong = life->outcome->wrong;

		judge_daemon(life);
		judge_kernel(life);
		life->outcome->wrong = wrong;
	}
	life_stop(life);
	if (secret_arena_in_use(life->explorer->arena) != arena_in_use)
		life_complain(life, "memory with keys was not freed");
}

const char *life_limit_name(enum life_limit limit)
{
	static const char *const names[] = {
		[LIFE_LIMIT_NONE] = "none",
		[LIFE_LIMIT_WROTE_WHILE_DOWN] =
			"the IKE daemon wrote while its SA was lost with its NIC",
		[LIFE_LIMIT_MET_ACQUIRED] =
			"the IKE daemon's request hit the larval SA of a packet",
		[LIFE_LIMIT_UPDATE_LOST] =
			"the IKE daemon's update was newer than the last sample at a link down",
		[LIFE_LIMIT_COPY_UNSEEN] =
			"the IKE daemon's copy of a moved SA was not yet read at a link down",
		[LIFE_LIMIT_COPY_REFUSED] =
			"the kernel refused the IKE daemon's copy with UDP encapsulation",
		[LIFE_LIMIT_READ_LARVAL] = "the IKE daemon read the larval SA of a move",
		[LIFE_LIMIT_MADE_BEFORE_MIGRATE] =
			"the IKE daemon installed the SA again right before MIGRATE_STATE",
		[LIFE_LIMIT_OPTIONAL_WITHIN] =
			"a policy made protection optional during a move, or before a link down",
		[LIFE_LIMIT_LARVAL_EXPIRED] = "the larval SA in the SA's place expired",
		[LIFE_LIMIT_TWO_FAULTS] = "a second failure prevented the daemon from cleaning up",
	};

	return names[limit];
}

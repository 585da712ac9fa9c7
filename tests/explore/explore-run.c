// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs one scenario: sets up the world, moves the SA, causes the events and faults, and
 * recovers. */
#include "explore-run.h"

#include <errno.h>
#include <string.h>

/* Longer than net.core.xfrm_acq_expires. */
#define LATE_SECONDS 40
/* A kernel without faults must have put the SA back within this many calls of
 * migrator_restore(). */
#define RESTORES_MAX 3

/* ---- Events ---- */

static void packets(struct run *run, unsigned n)
{
	const struct fake_sa_spec *spec = &run->scenario->world->spec;
	uint64_t last;

	if (!spec->inbound) {
		(void)fake_kernel_send(run->fake, run->latest, n, 100);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		(void)fake_kernel_receive_next(run->fake, run->belief, 100);
	/* An attacker replays earlier packets. */
	last = fake_kernel_last_sequence(run->fake, run->belief);
	for (uint64_t i = 0; i < 4 && i < last; i++)
		(void)fake_kernel_receive(run->fake, run->belief, last - i, 100);
}

static void add_back(struct run *run)
{
	struct fake_sa_spec spec = run->scenario->world->spec;
	struct fake_belief *belief;

	spec.ifindex = 0;
	spec.by_update = false;
	if (fake_belief_alive(run->belief))
		return;
	if (fake_ike_add(run->fake, &spec, &belief) == 0)
		run->belief = run->latest = belief;
	else
		run->outcome->ike_errors++;
}

static void rekey(struct run *run)
{
	struct fake_belief *successor;

	if (fake_belief_alive(run->belief) &&
	    fake_ike_rekey(run->fake, run->belief, run->next_spi++, &successor) == 0)
		run->latest = successor;
}

static void update(struct run *run)
{
	if (!fake_belief_alive(run->belief))
		return;
	(void)fake_ike_update(run->fake, run->belief, 5000, 4501);
}

static void link_down(struct run *run)
{
	if (fake_kernel_view(run->fake, run->belief).ifindex == EXPLORE_NIC)
		run->flushed = true;
	(void)fake_kernel_link_down(run->fake, EXPLORE_NIC);
}

static void kill_daemon(struct run *run)
{
	struct explore *explore = run->explore;
	int r;

	run->killed = true;
	fake_kernel_kill(run->fake);
	r = rescue_load(explore->rescue, explore->arena, &run->image, &run->target);
	run->stored = r >= 0;
	run->exact = r > 0;
}

static bool deletes(enum explore_event event)
{
	return event == EVENT_DELETE || event == EVENT_REKEY_AND_DELETE || event == EVENT_READD ||
	       event == EVENT_FLUSH || event == EVENT_EXPIRE;
}

static void happen(struct run *run, enum explore_event event)
{
	bool exists = fake_kernel_view(run->fake, run->belief).exists;

	if (event < _EVENT_IKE_MAX && fake_kernel_view(run->fake, run->belief).acquired)
		run->met_packets = true;
	if (deletes(event) && exists)
		run->deleted_before = true;
	else if (deletes(event))
		run->deleted_away = true;
	if (event == EVENT_UPDATE && fake_kernel_view(run->fake, run->belief).larval)
		run->renewed = true;
	if (exists && (deletes(event) || event == EVENT_UPDATE))
		run->written_before = true;
	switch (event) {
	case EVENT_DELETE:
		(void)fake_ike_delete(run->fake, run->belief);
		break;
	case EVENT_UPDATE:
		update(run);
		break;
	case EVENT_REKEY:
		rekey(run);
		break;
	case EVENT_REKEY_AND_DELETE:
		rekey(run);
		(void)fake_ike_delete(run->fake, run->belief);
		break;
	case EVENT_READD:
		(void)fake_ike_delete(run->fake, run->belief);
		add_back(run);
		break;
	case EVENT_ADD_BACK:
		add_back(run);
		break;
	case EVENT_EXPIRE:
		(void)fake_ike_expire(run->fake, run->belief);
		break;
	case EVENT_FLUSH:
		(void)fake_ike_flush(run->fake);
		break;
	case EVENT_SECOND:
		fake_kernel_advance(run->fake, 1);
		break;
	case EVENT_LATE:
		fake_kernel_advance(run->fake, LATE_SECONDS);
		break;
	case EVENT_LINK_DOWN:
		link_down(run);
		break;
	case EVENT_PACKETS:
		packets(run, 3);
		break;
	case EVENT_LOOKUP:
		if (!run->scenario->world->spec.inbound)
			fake_kernel_hold_lookup(run->fake, run->latest);
		break;
	case EVENT_KILL:
		kill_daemon(run);
		break;
	case EVENT_NONE:
	case _EVENT_MAX:
		break;
	}
}

static bool can_happen(const struct run *run, enum explore_event event, enum fake_moment moment)
{
	if (event == EVENT_LOOKUP)
		return !run->scenario->world->spec.inbound;
	if (moment == FAKE_WITHIN_MESSAGE)
		return event == EVENT_PACKETS;
	return event >= _EVENT_IKE_MAX || moment != FAKE_BEFORE_MESSAGE;
}

static bool loses_window(const struct explore_scenario *s)
{
	return s->fault.kind == FAKE_FAULT_LOSE_NOTE || s->fault.kind == FAKE_FAULT_LOSE_ANSWER ||
	       s->fault.kind == FAKE_FAULT_RECEIVE || has_event(s, EVENT_KILL);
}

/* The daemon knows the exact state from the notification. It has that as soon as the exchange that
 * deletes the SA is over. */
static void track(struct run *run, enum fake_moment moment)
{
	bool exists = fake_kernel_view(run->fake, run->belief).exists;
	uint64_t last = fake_kernel_last_sequence(run->fake, run->belief);

	run->seen_away |= !exists;
	if (moment != FAKE_BEFORE_TRANSACT || run->outcome->killed)
		return;
	run->noted = !exists && run->scenario->fault.kind == FAKE_FAULT_NONE;
	if (run->noted) {
		fake_kernel_tolerate_replays(run->fake, run->belief, UINT64_MAX);
		run->read = false;
	} else if (exists && !run->read && loses_window(run->scenario)) {
		/* The SA is read now. Packets accepted from now on are only in the notification. */
		fake_kernel_tolerate_replays(run->fake, run->belief, last);
		run->read = true;
	}
}

static void at_step(struct fake_kernel *k, enum fake_moment moment, unsigned step, void *userdata)
{
	struct run *run = userdata;
	const struct explore_scenario *s = run->scenario;
	struct explore_outcome *o = run->outcome;

	if (run->killed)
		return;
	track(run, moment);
	if (s->busy)
		packets(run, 2);
	if (s->first.event && !o->first_happened && step >= s->first.step &&
	    can_happen(run, s->first.event, moment)) {
		o->first_happened = true;
		o->first_step = step;
		happen(run, s->first.event);
	} else if (s->second.event && o->first_happened && !o->second_happened &&
		   step >= s->second.step && can_happen(run, s->second.event, moment)) {
		o->second_happened = true;
		o->second_step = step;
		happen(run, s->second.event);
	}
	run->was_dead |= !fake_belief_alive(run->belief);
}

/* ---- The world ---- */

static void set_up(struct run *run)
{
	const struct explore_world *world = run->scenario->world;
	struct fake_nic nic = {.ifindex = EXPLORE_NIC, .name = "nic", .capacity_in = 8};
	struct fake_nic other = {.ifindex = EXPLORE_OTHER_NIC, .name = "other", .capacity_in = 8};
	struct fake_sa_spec twin = {.spi = world->spec.spi, .peer = 99, .reqid = 99};
	struct fake_belief *twin_belief;
	struct fake_nic *made;

	if (fake_kernel_new(&run->fake) < 0)
		abort();
	made = fake_kernel_add_nic(run->fake, &nic);
	fake_kernel_add_nic(run->fake, &other);
	if (fake_ike_add(run->fake, &world->spec, &run->belief) < 0)
		abort();
	if (world->spi != SPI_UNIQUE && fake_ike_add(run->fake, &twin, &twin_belief) < 0)
		abort();
	fake_kernel_config(run->fake)->spi_unique_per_protocol = world->spi != SPI_SHARED;
	fake_kernel_config(run->fake)->migrate_state = world->migrate_state;
	fake_kernel_config(run->fake)->templates_name_spi = world->names_spi;
	fake_kernel_config(run->fake)->broken_wait = run->explore->broken_wait;
	run->original = run->latest = run->belief;
	run->next_spi = 0x2000;
	fake_kernel_advance(run->fake, 100);
	packets(run, 5);
	if (world->answer == ANSWER_FULL)
		made->capacity_in = 0;
	made->key_128_only = made->transport_only = false;
	if (world->answer == ANSWER_REFUSES || world->answer == ANSWER_OUT_OF_MEMORY) {
		made->fail_adds = world->answer == ANSWER_REFUSES ? 100 : 1;
		made->fail_error = world->answer == ANSWER_REFUSES ? -EINVAL : -ENOMEM;
	}
	made->unsupported = world->answer == ANSWER_SILENT;
	made->lands_on = world->answer == ANSWER_ELSEWHERE ? EXPLORE_OTHER_NIC : 0;
}

static uint64_t read_clock(void *userdata)
{
	return (uint64_t)fake_kernel_now(((const struct run *)userdata)->fake);
}

static struct migrator *open_migrator(struct run *run, struct kernel *kernel)
{
	struct migrator_parameters parameters = {
		.event_timer_default = fake_kernel_config(run->fake)->aevent_etime,
		.no_offload_module = {true, true},
		.clock = &run->clock,
	};
	struct migrator *migrator;

	if (migrator_new(kernel, run->explore->arena, run->explore->rescue, &parameters,
			 &migrator) < 0)
		abort();
	return migrator;
}

static struct kernel *open_kernel(struct run *run)
{
	struct kernel *kernel;

	if (fake_kernel_open(run->fake, &kernel) < 0)
		abort();
	return kernel;
}

/* ---- The daemon ---- */

/* Like the manager, tries again until the SA is back. */
static void restore(struct run *run, struct migrator *migrator, struct move *move)
{
	/* By then the fault is over. */
	fake_kernel_end_fault(run->fake);
	while (move->result == MOVE_RESULT_LOST && !run->killed &&
	       run->outcome->restores < RESTORES_MAX) {
		run->outcome->restores++;
		migrator_restore(migrator, move);
	}
}

/* The manager moves back an SA that the kernel put into another NIC than requested. */
static void take_back(struct run *run, struct migrator *migrator, struct move *move)
{
	struct move back = {
		.id = move->id,
		.target = {.direction = move->target.direction},
		.expected_ifindex = move->facts.offload_ifindex,
	};

	if (move->result != MOVE_RESULT_ELSEWHERE || run->killed)
		return;
	migrator_run(migrator, &back);
	if (!run->killed)
		restore(run, migrator, &back);
	sa_image_wipe(&move->image);
	*move = back;
}

/* Events may happen in this time. */
static void wait_for_lookups(struct run *run)
{
	if (fake_kernel_is_waiting(run->fake))
		fake_kernel_end_wait(run->fake);
}

static void first_life(struct run *run)
{
	const struct explore_world *world = run->scenario->world;
	_cleanup_(kernel_freep) struct kernel *kernel = open_kernel(run);
	_cleanup_(migrator_freep) struct migrator *migrator = open_migrator(run, kernel);
	struct move move = {
		.id = fake_belief_id(run->belief),
		.target = {.ifindex = world->evict ? 0 : EXPLORE_NIC,
			   .direction = world->spec.inbound ? SA_DIRECTION_IN : SA_DIRECTION_OUT},
		.expected_ifindex = world->evict ? EXPLORE_NIC : 0,
	};
	struct move lost = {};

	fake_kernel_restart_counts(run->fake);
	fake_kernel_set_hook(run->fake, at_step, run);
	fake_kernel_set_filter(run->fake, run->explore->filter, run);
	fake_kernel_set_fault(run->fake, &run->scenario->fault);
	if (run->scenario->busy && !world->spec.inbound) {
		migrator_guard(migrator, &move.id, 1);
		wait_for_lookups(run);
	}
	migrator_run(migrator, &move);
	migrator_end_moves(migrator);
	wait_for_lookups(run);
	if (migrator_unguard(migrator, &lost) && !run->killed)
		restore(run, migrator, &lost);
	run->outcome->fault_struck =
		run->scenario->fault.kind == FAKE_FAULT_NONE || fake_kernel_struck(run->fake);
	if (!run->killed) {
		restore(run, migrator, &move);
		run->outcome->result = move.result;
		take_back(run, migrator, &move);
	}
	/* The memory of a dead daemon does not count. */
	sa_image_wipe(&move.image);
	sa_image_wipe(&lost.image);
}

static void second_life(struct run *run)
{
	_cleanup_(kernel_freep) struct kernel *kernel = open_kernel(run);
	_cleanup_(migrator_freep) struct migrator *migrator = open_migrator(run, kernel);
	struct move move = {
		.image = run->image,
		.target = run->target,
		.stored = true,
		.larval = true,
		.interrupted = true,
		.exact = run->exact,
	};

	run->killed = false;
	run->met_acquired = fake_kernel_view(run->fake, run->belief).acquired;
	if (!run->stored) {
		rescue_clear(run->explore->rescue);
		migrator_sweep(migrator);
		return;
	}
	move.id = sa_image_id(&move.image);
	move.result = MOVE_RESULT_LOST;
	restore(run, migrator, &move);
	migrator_sweep(migrator);
	run->outcome->result = move.result;
	take_back(run, migrator, &move);
	sa_image_wipe(&move.image);
}

static bool happened(const struct explore_scenario *scenario, const struct explore_outcome *o)
{
	if (scenario->first.event && !o->first_happened)
		return false;
	if (scenario->second.event && !o->second_happened)
		return false;
	return o->fault_struck && !o->implausible;
}

static void count(struct explore *explore, const struct explore_outcome *o)
{
	explore->scenarios++;
	explore->results[o->result]++;
	explore->kills += o->killed;
	explore->limits[o->limit]++;
	explore->with_acquire += o->acquires > 0;
	explore->with_ike_error += o->ike_errors > 0;
	explore->lost_packets += o->lost_packets;
	explore->wrong += o->wrong > 0;
}

static void run_once(struct explore *explore, const struct explore_scenario *scenario, FILE *text,
		     struct explore_outcome *ret_outcome)
{
	size_t in_use = secret_arena_in_use(explore->arena);
	struct run run = {
		.explore = explore, .scenario = scenario, .outcome = ret_outcome, .text = text};

	*ret_outcome = (struct explore_outcome){};
	run.clock = (struct clock){.realtime = read_clock, .userdata = &run};
	set_up(&run);
	first_life(&run);
	ret_outcome->killed = run.killed;
	run.seen_away |= !fake_kernel_view(run.fake, run.belief).exists;
	if (run.killed) {
		happen(&run, scenario->before_recovery);
		second_life(&run);
	}
	fake_kernel_set_hook(run.fake, NULL, NULL);
	fake_kernel_end_lookup(run.fake);
	packets(&run, 2);
	if (explore_is_implausible(&run))
		ret_outcome->implausible = true;
	else
		explore_judge(&run, in_use);
	rescue_clear(explore->rescue);
	fake_kernel_free(run.fake);
}

void explore_run(struct explore *explore, const struct explore_scenario *scenario,
		 struct explore_outcome *ret_outcome)
{
	run_once(explore, scenario, NULL, ret_outcome);
	if (!happened(scenario, ret_outcome))
		return;
	count(explore, ret_outcome);
	if (!explore->report ||
	    (ret_outcome->wrong == 0 && (!explore->excused || ret_outcome->limit == LIMIT_NONE)))
		return;
	/* Runs the scenario again for the report; the run is deterministic. */
	explore_describe(explore->report, scenario, ret_outcome);
	run_once(explore, scenario, explore->report, ret_outcome);
	(void)fputc('\n', explore->report);
}

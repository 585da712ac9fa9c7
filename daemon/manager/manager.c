// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Start and end, the tick, and the work of the schedule.
 *
 * A tick reads the SAs, passes their counters to the policy, asks it for a plan, and begins the
 * moves. It reads all by a dump, or only those that matter where a dump takes long
 * (placement/sampling.h). Between ticks, events are read, and then the SAs that they name. If the
 * kernel dropped events (ENOBUFS), nothing is moved until all SAs have been dumped again.
 */
#include "manager/manager.h"
#include "move/rescue.h"

#include <errno.h>
#include <math.h>

static bool dump_is_due(const struct manager *m)
{
	double now = manager_now(m);

	if (tracker_is_dumping(m->tracker))
		return false;
	if (tracker_is_stale(m->tracker))
		return sampling_may_resync(&m->sampling, now);
	return sampling_dump_is_due(&m->sampling, m->sas, now, m->config->interval);
}

/* Returns as manager_continue_dump(). */
static int read_sas(struct manager *m)
{
	if (!dump_is_due(m)) {
		manager_sample(m);
		return 1;
	}
	return sampling_is_sliced(&m->sampling, m->sas) ? manager_begin_dump(m) : manager_dump(m);
}

static void fail_dump(struct manager *m, int error)
{
	tracker_set_stale(m->tracker);
	(void)health_set(m->health, HEALTH_NO_DUMP, true);
	report_dump_failed(m->reporter, error);
}

static void end_resync(struct manager *m)
{
	m->resyncs++;
	(void)health_set(m->health, HEALTH_NO_DUMP, false);
	report_resynchronised(m->reporter, m->sas->n);
}

static void note_read(struct manager *m, bool was_stale)
{
	bool stale = tracker_is_stale(m->tracker);

	if (was_stale && !stale)
		end_resync(m);
	if (stale && !tracker_is_dumping(m->tracker))
		schedule_no_later(&m->schedule, MANAGER_TICK, m->sampling.resync_at);
	tracker_save_ownership(m->tracker);
	(void)shadows_run(m->shadows);
	manager_expire_sa_orders(m);
	manager_expire(m);
	manager_unmask(m);
	m->nics_changed = true; /* foreign SAs may have changed */
	manager_plan(m);
}

void manager_tick(struct manager *m)
{
	bool was_stale = tracker_is_stale(m->tracker);
	int r = read_sas(m);

	if (r < 0)
		fail_dump(m, r);
	else
		note_read(m, was_stale);
}

static void run_dump(void *userdata)
{
	struct manager *m = userdata;
	bool was_stale = tracker_is_stale(m->tracker);
	int r;

	if (!tracker_is_dumping(m->tracker))
		return; /* all SAs were read at once meanwhile */
	r = manager_continue_dump(m);
	if (r < 0)
		fail_dump(m, r);
	else if (r == 0)
		note_read(m, was_stale);
}

static void run_tick(void *userdata)
{
	struct manager *m = userdata;
	double begun = manager_now(m), now;

	manager_tick(m);
	now = manager_now(m);
	/* One interval after the beginning of this tick. If this one took longer, idle work gets a
	 * fifth of the time, an interval at most: a group of moves that has begun must come to its
	 * end. */
	schedule_no_later(&m->schedule, MANAGER_TICK,
			  fmax(begun, now + fmin((now - begun) / 4 - m->config->interval, 0)) +
				  m->config->interval);
}

int manager_read_events(struct manager *m)
{
	bool was_stale = tracker_is_stale(m->tracker);
	int r = tracker_read_events(m->tracker);

	if (tracker_is_stale(m->tracker) && !was_stale)
		executor_cancel(m->executor);
	return r;
}

static int on_kernel(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source;
	(void)fd;
	(void)revents;
	(void)manager_read_events(userdata);
	return 0;
}

/* A group of moves goes on. It may also have ended without that wait. */
static int on_lookups(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct manager *m = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	if (!kernel_is_waiting(m->environment.kernel))
		manager_make_moves(m);
	return 0;
}

static void run_reconfigure(void *userdata)
{
	manager_reconfigure(userdata);
}

static void run_lost(void *userdata)
{
	struct manager *m = userdata;

	(void)shadows_run(m->shadows);
}

static void run_changes(void *userdata)
{
	struct manager *m = userdata;

	tracker_read_changed(m->tracker);
	manager_reconfigure_if_due(m);
	manager_plan_soon(m);
}

static void run_plan(void *userdata)
{
	manager_plan(userdata);
}

static void run_restore(void *userdata)
{
	struct manager *m = userdata;

	executor_restore(m->executor);
}

static void run_moves(void *userdata)
{
	manager_make_moves(userdata);
}

static void run_stop(void *userdata)
{
	manager_stop_if_settled(userdata);
}

static void run_trial(void *userdata)
{
	manager_end_trial(userdata);
}

/* Moves are idle work, so changes are read before moves are made. */
static const struct schedule_work work[_MANAGER_WORK_MAX] = {
	[MANAGER_LOST] = {.run = run_lost},
	[MANAGER_CHANGES] = {.run = run_changes},
	[MANAGER_TICK] = {.run = run_tick},
	[MANAGER_DUMP] = {.run = run_dump},
	[MANAGER_RECONFIGURE] = {.run = run_reconfigure},
	[MANAGER_PLAN] = {.run = run_plan},
	[MANAGER_RESTORE] = {.run = run_restore},
	[MANAGER_MOVES] = {.run = run_moves, .idle = true},
	[MANAGER_STOP] = {.run = run_stop},
	[MANAGER_TRIAL] = {.run = run_trial},
};

int manager_attach(struct manager *m, sd_event *event)
{
	struct kernel *kernel = m->environment.kernel;
	int r;

	r = sd_event_add_io(event, &m->kernel_source, kernel_event_fd(kernel), EPOLLIN, on_kernel,
			    m);
	if (r < 0)
		return r;
	r = sd_event_add_io(event, &m->wait_source, kernel_wait_fd(kernel), EPOLLIN, on_lookups, m);
	if (r < 0)
		return r;
	/* As MANAGER_MOVES. */
	r = sd_event_source_set_priority(m->wait_source, SD_EVENT_PRIORITY_IDLE);
	return r < 0 ? r : schedule_attach(&m->schedule, event);
}

static int new_tracker(struct manager *m)
{
	const struct tracker_parameters parameters = {
		.clock = &m->environment.clock,
		.arena = m->environment.arena,
		.kernel = m->environment.kernel,
		.ownership = m->environment.ownership,
		.callbacks = &manager_tracker_callbacks,
		.userdata = m,
	};
	int r = tracker_new(&parameters, &m->tracker);

	if (r >= 0)
		m->sas = tracker_sas(m->tracker);
	return r;
}

static int new_executor(struct manager *m)
{
	const struct executor_parameters parameters = {
		.clock = &m->environment.clock,
		.migrator = m->migrator,
		.sas = m->sas,
		.callbacks = &manager_executor_callbacks,
		.userdata = m,
	};

	return executor_new(&parameters, &m->executor);
}

static int new_shadows(struct manager *m)
{
	const struct shadows_parameters parameters = {
		.clock = &m->environment.clock,
		.arena = m->environment.arena,
		.sas = m->sas,
		.migrator = m->migrator,
		.executor = m->executor,
		.callbacks = &manager_shadows_callbacks,
		.userdata = m,
	};
	int r = shadows_new(&parameters, &m->shadows);

	if (r >= 0)
		shadows_set_mode(m->shadows, m->config->on_link_down);
	return r;
}

static int new_nics(struct manager *m)
{
	const struct nics_parameters parameters = {
		.clock = &m->environment.clock,
		.orders = m->orders,
		.peer_moves = tracker_peer_moves(m->tracker),
		.kernel_release = m->environment.kernel_release,
		.fips = m->environment.fips,
	};
	int r = nics_new(&parameters, &m->nics);

	if (r >= 0)
		nics_set_config(m->nics, m->config);
	return r;
}

static int new_migrator(struct manager *m)
{
	const struct manager_environment *environment = &m->environment;
	const struct migrator_parameters parameters = {
		.event_timer_default = environment->event_timer_default,
		.no_offload_module = {environment->no_offload_module[0],
				      environment->no_offload_module[1]},
		.clock = &environment->clock,
	};

	return migrator_new(environment->kernel, environment->arena, environment->rescue,
			    &parameters, &m->migrator);
}

/* Each component uses only those before it. */
static int build(struct manager *m)
{
	int r;

	if ((r = reporter_new(&m->environment.clock, m->environment.journal, &m->reporter)) < 0 ||
	    (r = health_new(&m->health)) < 0 || (r = new_tracker(m)) < 0 ||
	    (r = software_new(m->environment.crypto_path, &m->software)) < 0 ||
	    (r = cpu_costs_new(m->environment.measure_cpu_cost, &m->cpu_costs)) < 0 ||
	    (r = orders_new(m->environment.orders_path, &m->orders)) < 0 || (r = new_nics(m)) < 0 ||
	    (r = manager_new_policy(m)) < 0 || (r = new_migrator(m)) < 0 ||
	    (r = new_executor(m)) < 0)
		return r;
	return new_shadows(m);
}

int manager_new(const struct manager_environment *environment, struct config *config,
		struct manager **ret_manager)
{
	_cleanup_(manager_freep) struct manager *m = calloc(1, sizeof(*m));
	int r;

	if (!m) {
		kernel_free(environment->kernel);
		config_free(config);
		return -ENOMEM;
	}
	m->environment = *environment;
	m->config = config;
	m->sampling.few = SAMPLING_FEW;
	m->sampling.slice = SAMPLING_SLICE;
	schedule_init(&m->schedule, &m->environment.clock, work, _MANAGER_WORK_MAX, m);
	r = build(m);
	if (r < 0)
		return r;
	m->started_at = manager_now(m);
	*ret_manager = TAKE_PTR(m);
	return 0;
}

/* Completes a move during which the previous run of the daemon was killed. */
static int complete_interrupted(struct manager *m)
{
	struct move move = {};
	int r;

	if (!m->environment.rescue)
		return 0;
	r = executor_reserve(m->executor, 1);
	if (r < 0)
		return r;
	r = rescue_load(m->environment.rescue, m->environment.arena, &move.image, &move.target);
	if (r == -ENOENT)
		return 0;
	if (r == -EBADMSG) {
		report_slot_damaged(m->reporter);
		rescue_clear(m->environment.rescue);
		return 0;
	}
	if (r < 0)
		return r;
	move.id = sa_image_id(&move.image);
	move.stored = true;
	move.larval = true;
	move.interrupted = true;
	move.exact = r > 0;
	migrator_restore(m->migrator, &move);
	report_completed(m->reporter, &move);
	if (move.result == MOVE_RESULT_LOST)
		executor_keep(m->executor, &move);
	return 0;
}

int manager_start(struct manager *m)
{
	int r;

	m->network = m->environment.network;
	nics_set_network(m->nics, m->network);
	shadows_set_network(m->shadows, m->network);
	manager_load_orders(m);
	r = complete_interrupted(m);
	if (r < 0)
		return r;
	r = migrator_sweep(m->migrator);
	if (r < 0)
		return r;
	manager_update_nics(m);
	r = manager_dump(m);
	if (r < 0)
		return r;
	tracker_start_ownership(m->tracker);
	manager_update_nics(m);
	schedule_in(&m->schedule, MANAGER_TICK, m->config->interval);
	return 0;
}

struct manager *manager_free(struct manager *m)
{
	if (!m)
		return NULL;
	schedule_release(&m->schedule);
	sd_event_source_unref(m->kernel_source);
	sd_event_source_unref(m->wait_source);
	shadows_free(m->shadows);
	executor_free(m->executor);
	orders_free(m->orders);
	nics_free(m->nics);
	cpu_costs_free(m->cpu_costs);
	software_free(m->software);
	health_free(m->health);
	reporter_free(m->reporter);
	policy_free(m->policy);
	migrator_free(m->migrator);
	tracker_free(m->tracker);
	network_free(m->environment.network);
	kernel_free(m->environment.kernel);
	config_free(m->config);
	config_free(m->trial.before);
	free(m);
	return NULL;
}

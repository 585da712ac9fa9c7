// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Start and end, the tick, and what wakes the daemon.
 *
 * A tick is: dump all SAs, feed the counters to the policy, let it plan, make the moves. Between
 * ticks events are read and the SAs they name are looked at again. When the kernel had to drop
 * events (ENOBUFS) nothing is moved until a dump has shown everything anew.
 */
#include "manager.h"
#include "move/rescue.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* An event is mostly one of several (an IKE daemon adds two SAs at once); a new SA whose
 * predecessor was in the NIC is promoted this much later. */
#define PLAN_SOON_SECONDS 0.02
/* A storm of events must not become a storm of dumps. */
#define RESYNC_WAIT_SECONDS 0.1
/* Nor a storm of links, addresses or routes one of passes over all SAs: they are debounced, and
 * spaced by so many times what the last one took. */
#define LINK_DEBOUNCE_SECONDS 0.1
#define LOOK_ANEW_SPACING 10.0
#define FOREIGN_REPORT_SECONDS 86400.0

double manager_now(const struct manager *m)
{
	return clock_monotonic(&m->environment.clock);
}

void manager_set_health(struct manager *m, enum health_condition condition, bool holds)
{
	if (health_set(m->health, condition, holds))
		report_health(m->reporter, condition, holds);
}

void manager_tick(struct manager *m)
{
	bool was_stale = tracker_is_stale(m->tracker);
	int r = manager_dump(m);

	if (r < 0) {
		tracker_set_stale(m->tracker);
		(void)health_set(m->health, HEALTH_NO_DUMP, true);
		report_dump_failed(m->reporter, r);
		return;
	}
	if (was_stale) {
		tracker_set_current(m->tracker);
		m->resyncs++;
		(void)health_set(m->health, HEALTH_NO_DUMP, false);
		report_resynchronised(m->reporter, m->sas->n);
	}
	tracker_save_ownership(m->tracker);
	(void)shadows_run(m->shadows);
	manager_watch_tick(m);
	manager_unmask(m);
	m->nics_changed = true; /* foreign SAs come and go, and every tick counts them anew */
	manager_plan(m);
}

static void run_tick(void *userdata)
{
	struct manager *m = userdata;
	double begun = manager_now(m);

	manager_tick(m);
	/* In step with the clock; a tick that takes longer than the interval skips some. */
	if (!schedule_is_pending(&m->schedule, MANAGER_TICK))
		schedule_at(&m->schedule, MANAGER_TICK,
			    fmax(begun, manager_now(m) - m->config->interval) +
				    m->config->interval);
}

/* Once, and again if it is still so the next day. */
static void report_foreign_sas(struct manager *m)
{
	double now = manager_now(m);

	for (size_t i = 0; i < nics_count(m->nics); i++) {
		struct placement_nic *n = nics_at(m->nics, i);

		if (n->foreign_in + n->foreign_out == 0 ||
		    (n->foreign_reported_at > 0 &&
		     now - n->foreign_reported_at < FOREIGN_REPORT_SECONDS))
			continue;
		n->foreign_reported_at = now;
		report_foreign(m->reporter, n->name,
			       n->config && n->config->allow && n->config->trusted,
			       n->foreign_in + n->foreign_out);
	}
}

void manager_update_nics(struct manager *m)
{
	nics_update(m->nics, m->sas);
	report_foreign_sas(m);
}

void manager_plan_soon(struct manager *m)
{
	schedule_in(&m->schedule, MANAGER_PLAN, PLAN_SOON_SECONDS);
}

void manager_tick_soon(struct manager *m)
{
	double soon = manager_now(m) + RESYNC_WAIT_SECONDS;

	if (!schedule_is_pending(&m->schedule, MANAGER_TICK) ||
	    m->schedule.due[MANAGER_TICK] > soon)
		schedule_at(&m->schedule, MANAGER_TICK, soon);
}

static void resync_soon(struct manager *m)
{
	executor_cancel(m->executor);
	manager_tick_soon(m);
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

static void run_look_anew(void *userdata)
{
	manager_look_anew(userdata);
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
	manager_look_anew_if_due(m);
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

/* Changes are looked at before moves are made. */
static const struct schedule_work work[_MANAGER_WORK_MAX] = {
	[MANAGER_LOST] = {.run = run_lost},
	[MANAGER_CHANGES] = {.run = run_changes},
	[MANAGER_TICK] = {.run = run_tick},
	[MANAGER_LOOK_ANEW] = {.run = run_look_anew},
	[MANAGER_PLAN] = {.run = run_plan},
	[MANAGER_RESTORE] = {.run = run_restore},
	[MANAGER_MOVES] = {.run = run_moves, .idle = true},
	[MANAGER_STOP] = {.run = run_stop},
};

void manager_look_anew(struct manager *m)
{
	double begun = manager_now(m);

	schedule_cancel(&m->schedule, MANAGER_LOOK_ANEW);
	nics_forget_routes(m->nics);
	manager_update_nics(m);
	manager_configure_all(m);
	manager_plan_soon(m);
	m->looked_anew_at = manager_now(m);
	m->looked_anew_for = m->looked_anew_at - begun;
}

void manager_look_anew_soon(struct manager *m, double delay)
{
	double at = fmax(manager_now(m) + delay,
			 m->looked_anew_at + LOOK_ANEW_SPACING * m->looked_anew_for);

	if (!schedule_is_pending(&m->schedule, MANAGER_LOOK_ANEW) ||
	    m->schedule.due[MANAGER_LOOK_ANEW] > at)
		schedule_at(&m->schedule, MANAGER_LOOK_ANEW, at);
}

void manager_look_anew_if_due(struct manager *m)
{
	if (!m->look_anew)
		return;
	m->look_anew = false;
	manager_look_anew(m);
}

static void report_link(struct manager *m, const struct nic *old, const struct nic *new)
{
	bool lost = old && (!new || (old->up && !new->up));
	bool came = new &&new->up &&new->esp_offload && (!old || !old->up || !old->esp_offload);

	if (lost && (old->esp_offload || nics_get(m->nics, old->ifindex)))
		report_nic_lost(m->reporter, old->name, !new);
	else if (came)
		report_nic_usable(m->reporter, new->name);
}

static void on_link(const struct nic *old, const struct nic *new, void *userdata)
{
	struct manager *m = userdata;
	bool lost = old && (!new || (old->up && !new->up));
	bool matters = nics_change_matters(m->nics, old, new);

	if (old && new &&strcmp(old->name, new->name) != 0)
		manager_rename_evacuation(m, old->name, new->name);
	if (!matters)
		return;
	report_link(m, old, new);
	m->nics_changed = true;
	if (lost && nics_get(m->nics, old->ifindex)) {
		executor_cancel(m->executor);
		if (shadows_restore_lost(m->shadows, old->ifindex)) {
			/* Then look at all SAs. */
			tracker_set_stale(m->tracker);
			resync_soon(m);
		}
	}
	manager_look_anew_soon(m, LINK_DEBOUNCE_SECONDS);
}

/* These two are debounced where they come from. */

static void on_addresses(void *userdata)
{
	manager_look_anew_soon(userdata, 0);
}

static void on_routes(const struct nic_route_changes *changes, void *userdata)
{
	(void)changes;
	manager_look_anew_soon(userdata, 0);
}

static void on_network_resynced(void *userdata)
{
	struct manager *m = userdata;

	manager_set_health(m, HEALTH_NO_NETWORK, false);
	/* A NIC may have been down and up again unseen. */
	(void)shadows_restore_lost(m->shadows, 0);
	tracker_set_stale(m->tracker);
	m->network_overruns++;
	resync_soon(m);
	manager_look_anew(m);
}

static void on_network_failed(int error, void *userdata)
{
	(void)error;
	manager_set_health(userdata, HEALTH_NO_NETWORK, true);
}

const struct nic_watch_callbacks manager_network_callbacks = {
	.link = on_link,
	.addresses = on_addresses,
	.routes = on_routes,
	.resynced = on_network_resynced,
	.failed = on_network_failed,
};

/* SAs name their group by its place in the configuration: after this they are configured anew. */
static int set_groups(struct manager *m)
{
	struct policy_group_config groups[POLICY_GROUPS_MAX];

	for (size_t i = 0; i < m->config->n_groups; i++)
		groups[i] = (struct policy_group_config){
			.floor = m->config->groups[i].floor,
			.ceiling = m->config->groups[i].ceiling,
		};
	return policy_set_groups(m->policy, groups, m->config->n_groups, manager_now(m));
}

static int new_policy(struct manager *m)
{
	struct policy_parameters parameters = policy_parameters_default();
	int r;

	parameters.refused_wait = m->config->retry_refused;
	r = policy_new(&parameters, &m->policy);
	nics_set_policy(m->nics, m->policy);
	return r < 0 ? r : set_groups(m);
}

static void drop_policy(struct manager *m)
{
	struct sa *sa;

	executor_cancel(m->executor);
	m->policy = policy_free(m->policy);
	nics_set_policy(m->nics, NULL);
	TAILQ_FOREACH(sa, &m->sas->all, list)
		sa->handle = POLICY_NONE;
	memset(m->sas->by_handle, 0, m->sas->n_by_handle * sizeof(*m->sas->by_handle));
}

void manager_apply_config(struct manager *m, struct config *config)
{
	bool mode_changed = config->mode != m->config->mode;
	struct sa *sa;

	m->config = (config_free(m->config), config);
	reporter_set_config_path(m->reporter, config->path);
	shadows_set_mode(m->shadows, config->on_link_down);
	/* The entries that NICs and SAs point to are gone. */
	nics_set_config(m->nics, config);
	TAILQ_FOREACH(sa, &m->sas->all, list) {
		sa->rule = NULL;
		sa->group = NULL;
	}
	/* In observe mode the policy's residents are imagined. */
	if (mode_changed)
		drop_policy(m);
	manager_set_health(m, HEALTH_POLICY, (mode_changed ? new_policy(m) : set_groups(m)) < 0);
	manager_look_anew(m);
}

int manager_reload(struct manager *m, char **ret_messages)
{
	_cleanup_(config_report_done) struct config_report report = {0};
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_free_ char *messages = NULL;
	int r, printed;

	r = config_load(m->environment.config_path, &report, &config);
	printed = config_report_text(&report, &messages);
	if (printed < 0)
		return printed;
	if (r >= 0)
		manager_apply_config(m, TAKE_PTR(config));
	report_reload(m->reporter, m->environment.config_path, m->config, r, messages);
	if (ret_messages)
		*ret_messages = TAKE_PTR(messages);
	return r;
}

int manager_attach(struct manager *m, sd_event *event)
{
	struct kernel *kernel = m->environment.kernel;
	int r = sd_event_add_io(event, &m->kernel_source, kernel_event_fd(kernel), EPOLLIN,
				on_kernel, m);

	return r < 0 ? r : schedule_attach(&m->schedule, event);
}

static int new_tracker(struct manager *m)
{
	const struct tracker_parameters parameters = {
		.clock = &m->environment.clock,
		.arena = m->environment.arena,
		.kernel = m->environment.kernel,
		.placed = m->environment.placed,
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

static int drain_for_shadows(void *userdata)
{
	struct manager *m = userdata;

	return tracker_drain_events(m->tracker);
}

static void read_again(const struct sa_id *ids, size_t n, void *userdata)
{
	struct manager *m = userdata;

	tracker_read_again(m->tracker, ids, n);
}

static uint32_t speed_of(int ifindex, void *userdata)
{
	struct manager *m = userdata;
	const struct placement_nic *n = nics_get(m->nics, ifindex);

	return n ? n->speed : 0;
}

static void restored(int ifindex, size_t n, size_t left, double seconds, void *userdata)
{
	struct manager *m = userdata;
	const struct placement_nic *nic = nics_get(m->nics, ifindex);

	report_restored(m->reporter, nic ? nic->name : "", n, left, seconds);
}

static void lost_due(double time, void *userdata)
{
	struct manager *m = userdata;

	schedule_at(&m->schedule, MANAGER_LOST, time);
}

static const struct shadows_callbacks shadows_callbacks = {
	.drain_events = drain_for_shadows,
	.read_again = read_again,
	.speed = speed_of,
	.restored = restored,
	.due = lost_due,
};

static int new_shadows(struct manager *m)
{
	const struct shadows_parameters parameters = {
		.clock = &m->environment.clock,
		.arena = m->environment.arena,
		.sas = m->sas,
		.migrator = m->migrator,
		.executor = m->executor,
		.callbacks = &shadows_callbacks,
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
	const struct migrator_parameters parameters = {
		.event_timer_default = m->environment.event_timer_default,
		.clock = &m->environment.clock,
	};

	return migrator_new(m->environment.kernel, m->environment.arena, m->environment.rescue,
			    &parameters, &m->migrator);
}

/* Each uses only those before it. */
static int build(struct manager *m)
{
	int r;

	if ((r = reporter_new(&m->environment.clock, m->environment.journal, &m->reporter)) < 0 ||
	    (r = health_new(&m->health)) < 0 || (r = new_tracker(m)) < 0 ||
	    (r = orders_new(m->environment.orders_path, &m->orders)) < 0 || (r = new_nics(m)) < 0 ||
	    (r = new_policy(m)) < 0 || (r = new_migrator(m)) < 0 || (r = new_executor(m)) < 0)
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
	schedule_init(&m->schedule, &m->environment.clock, work, _MANAGER_WORK_MAX, m);
	r = build(m);
	if (r < 0)
		return r;
	reporter_set_config_path(m->reporter, config->path);
	m->started_at = manager_now(m);
	*ret_manager = TAKE_PTR(m);
	return 0;
}

/* A move that the last run of the daemon was killed in. */
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
	shadows_free(m->shadows);
	executor_free(m->executor);
	orders_free(m->orders);
	nics_free(m->nics);
	health_free(m->health);
	reporter_free(m->reporter);
	policy_free(m->policy);
	migrator_free(m->migrator);
	tracker_free(m->tracker);
	network_free(m->environment.network);
	kernel_free(m->environment.kernel);
	config_free(m->config);
	free(m);
	return NULL;
}

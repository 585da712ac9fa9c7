// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The complete outcome of one move: the SA in the kernel, the state of the policy, counters and
 * messages, the daemon's entry of the SA, and locked memory; and the recovery after the cause is
 * gone.
 */
#include "manager-bench.h"

#include <math.h>

/* The program is linked with --wrap for these two. */
void *__real_reallocarray(void *pointer, size_t n, size_t size);
void *__wrap_reallocarray(void *pointer, size_t n, size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

static size_t no_memory_for; /* elements of this size; 0: there is memory for all */
static bool no_growth;       /* of any array */

void *__wrap_reallocarray(void *pointer, size_t n, size_t size)
{
	return no_growth || size == no_memory_for ? NULL : __real_reallocarray(pointer, n, size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return size == no_memory_for ? NULL : __real_calloc(n, size);
}

/* The GETSAs of the move of an outbound SA, in order. */
enum {
	TO_GUARD,
	TO_READ,
	TO_INSTALL, /* in one buffer with the UPDSA */
	TO_VERIFY,
};

/* An event in the kernel while the daemon moves the SA. */
typedef void (*happening)(struct bench *b, struct fake_belief *belief);

struct scenario {
	bool evict;
	struct fake_fault fault;
	happening before; /* the plan */
	/* The event happens between the exchange with this message of the daemon and the next
	 * one. */
	uint16_t after;      /* XFRM_MSG_*; 0: before the first exchange */
	unsigned occurrence; /* of that type, from 0 */
	happening happens;

	const char *what, *reason; /* as reported */
	const char *text;
	bool in_nic;  /* in the end */
	bool is_gone; /* it is not in the kernel */
	bool is_owed; /* ... and the daemon must put it back */
	bool is_kept; /* ... and its entry is kept, with its shadow */
	unsigned promoted, evicted, refused, failed;
	int refusal;
	const char *refusal_text; /* NULL: that of the error */
	double retry;             /* s, the wait of the policy after a refusal */
	enum config_reject on_reject;
	enum refusal_cause cause; /* of a refusal */
	enum hands_off hands_off;
	enum candidacy candidacy;
	bool stays; /* when the cause is gone, the SA is not in the wanted place */
};

struct stage {
	struct bench *bench;
	struct fake_belief *belief;
	const struct scenario *scenario;
	bool done;
	size_t in_use; /* of locked memory, while the SA is in software */
};

static bool is_time(const struct fake_kernel *k, const struct scenario *s)
{
	return !s->after || fake_kernel_messages(k, s->after) > s->occurrence;
}

static void run_happening(struct fake_kernel *k, enum fake_moment moment, unsigned step,
			  void *userdata)
{
	struct stage *stage = userdata;

	(void)step;
	if (stage->done || moment != FAKE_BEFORE_TRANSACT || !is_time(k, stage->scenario))
		return;
	stage->done = true;
	stage->scenario->happens(stage->bench, stage->belief);
}

static void ike_deletes(struct bench *b, struct fake_belief *belief)
{
	(void)fake_ike_delete(b->fake, belief);
}

/* The link message is read later. */
static void nic_goes_down(struct bench *b, struct fake_belief *belief)
{
	(void)belief;
	(void)fake_kernel_link_down(b->fake, NIC);
	b->nics[0].up = false;
}

static void packet_meets_gap(struct bench *b, struct fake_belief *belief)
{
	nic_goes_down(b, belief);
	fake_kernel_config(b->fake)->templates_name_spi = true;
	(void)fake_kernel_send(b->fake, belief, 1, 100);
	assert_true(fake_kernel_view(b->fake, belief).larval);
}

static void events_are_lost(struct bench *b, struct fake_belief *belief)
{
	(void)belief;
	fake_kernel_overrun(b->fake);
}

static void protection_becomes_optional(struct bench *b, struct fake_belief *belief)
{
	(void)belief;
	fake_kernel_add_policy(b->fake, &(struct fake_policy_spec){.index = 1, .optional = true});
}

static void spi_is_shared(struct bench *b, struct fake_belief *belief)
{
	(void)belief;
	(void)add(b, (struct fake_sa_spec){.spi = 0x1001, .peer = 11, .reqid = 2});
	tracker_drain_events(b->manager->tracker);
	tracker_read_changed(b->manager->tracker);
}

/* The SA gets an attribute because of which the daemon does not move it. */
static void sa_changes(struct bench *b, struct fake_belief *belief)
{
	static const uint32_t padding = 64;

	fake_kernel_plant(b->fake, belief, XFRMA_TFCPAD, &padding, sizeof(padding));
}

static void clock_is_stepped(struct bench *b, struct fake_belief *belief)
{
	fake_kernel_set_add_time(b->fake, belief, 12345);
}

static void nic_is_full(struct bench *b, struct fake_belief *belief)
{
	(void)belief;
	fake_kernel_nic(b->fake, NIC)->capacity_in = 0;
}

static void nic_is_silent(struct bench *b, struct fake_belief *belief)
{
	(void)belief;
	fake_kernel_nic(b->fake, NIC)->unsupported = true;
}

static void nic_lies(struct bench *b, struct fake_belief *belief)
{
	(void)belief;
	(void)fake_kernel_add_nic(
		b->fake,
		&(struct fake_nic){.ifindex = OTHER_NIC, .name = "eth1", .capacity_in = 33});
	fake_kernel_nic(b->fake, NIC)->lands_on = OTHER_NIC;
}

static void packets_are_sent(struct bench *b, struct fake_belief *belief)
{
	(void)fake_kernel_send(b->fake, belief, 10, 100);
}

static void refuse(struct bench *b, int error)
{
	fake_kernel_nic(b->fake, NIC)->fail_adds = 1;
	fake_kernel_nic(b->fake, NIC)->fail_error = error;
	fake_kernel_nic(b->fake, NIC)->fail_text = "";
}

static void nic_refuses(struct bench *b, struct fake_belief *belief)
{
	(void)belief;
	refuse(b, -EINVAL);
}

static void nic_refuses_without_memory(struct bench *b, struct fake_belief *belief)
{
	nic_refuses(b, belief);
	no_growth = true;
}

static void nic_is_busy(struct bench *b, struct fake_belief *belief)
{
	(void)belief;
	refuse(b, -EBUSY);
}

/* Ends the cause, and samples everything again. */
static void clear_up(struct bench *b, struct fake_belief *belief)
{
	struct fake_nic *nic = fake_kernel_nic(b->fake, NIC);

	fake_kernel_end_fault(b->fake);
	fake_kernel_set_hook(b->fake, NULL, NULL);
	fake_kernel_delete_policy(b->fake, 1);
	no_growth = false;
	nic->capacity_in = 33;
	nic->unsupported = false;
	nic->lands_on = 0;
	nic->fail_adds = 0;
	if (!b->nics[0].up) {
		b->nics[0].up = true;
		tell_link(b, false);
		tell_link(b, true);
	}
	work(b, 70.0, fake_belief_alive(belief) ? belief : NULL);
}

#define ON_REJECT(what)                                                            \
	"mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\n"                 \
	"nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 4}]\n" \
	"rules: [{on-reject: " what "}]\n"

/* Events are read from the socket right before the move, as in the event loop. */
static void open_stage(struct stage *stage, struct bench *b, const struct scenario *scenario)
{
	static const char *const configurations[] = {
		[CONFIG_REJECT_SOFTWARE] = ON_REJECT("software"),
		[CONFIG_REJECT_RETRY] = ON_REJECT("retry"),
		[CONFIG_REJECT_ALARM] = ON_REJECT("alarm"),
	};

	*stage = (struct stage){.bench = b, .scenario = scenario, .done = !scenario->happens};
	open_bench_with(b, configurations[scenario->on_reject]);
	manager_set_paused(b->manager, true);
	stage->belief = add(b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(b, 0.5, stage->belief);
	stage->in_use = secret_arena_in_use(b->arena);
	if (scenario->evict) {
		manager_set_paused(b->manager, false);
		work(b, 0.5, stage->belief);
		assert_int_equal(fake_kernel_view(b->fake, stage->belief).ifindex, NIC);
		assert_int_equal(manager_evacuate(b->manager, "eth0"), 0);
	} else {
		manager_set_paused(b->manager, false);
	}
	fake_kernel_restart_counts(b->fake);
	fake_kernel_set_fault(b->fake, &scenario->fault);
	fake_kernel_set_hook(b->fake, run_happening, stage);
}

static const struct action *last_action(const struct manager *m)
{
	assert_non_null(reporter_action(m->reporter, 0));
	return reporter_action(m->reporter, 0);
}

/* The counters of the NIC. */
static void check_counted(const struct manager *m, const struct scenario *s)
{
	const struct nic_moves *moves = &nics_get(m->nics, NIC)->moves;
	uint64_t promoted = 0, evicted = 0;

	for (unsigned i = 0; i < _POLICY_REASON_MAX; i++) {
		promoted += moves->promoted[i];
		evicted += moves->evicted[i];
	}
	assert_int_equal(moves->promoted[POLICY_REASON_FREE_SLOT], m->promoted);
	assert_int_equal(promoted, m->promoted);
	assert_int_equal(moves->evicted[POLICY_REASON_NO_LONGER_ALLOWED], m->evicted);
	assert_int_equal(evicted, m->evicted);
	for (unsigned i = 0; i < _REFUSAL_CAUSE_MAX; i++)
		assert_int_equal(moves->refused[i], i == s->cause ? m->refused : 0);
}

static void check_told(const struct manager *m, const struct scenario *s)
{
	const struct action *action = last_action(m);

	assert_string_equal(action->what, s->what);
	assert_string_equal(action->reason, s->reason);
	assert_string_equal(action->nic, "eth0");
	if (s->text)
		assert_non_null(strstr(action->text, s->text));
	assert_int_equal(m->promoted, s->promoted + s->evict);
	assert_int_equal(m->evicted, s->evicted);
	assert_int_equal(m->refused, s->refused);
	assert_int_equal(m->failed, s->failed);
	check_counted(m, s);
}

static void check_owed(const struct manager *m, const struct sa_id *id, bool owed)
{
	struct sa_id other = *id;

	other.spi++;
	assert_int_equal(executor_owed(m->executor), owed);
	assert_int_equal(executor_owes(m->executor, id), owed);
	assert_false(executor_owes(m->executor, &other));
	assert_int_equal(health_holds(m->health, HEALTH_OWED), owed);
	assert_false(health_holds(m->health, HEALTH_NO_MEMORY));
	assert_int_equal(schedule_is_pending(&m->schedule, MANAGER_RESTORE), owed);
	if (owed)
		assert_true(fabs(m->schedule.due[MANAGER_RESTORE] - manager_now(m) - 0.01) < 1e-9);
}

static bool is_pending(struct bench *b, struct fake_belief *belief)
{
	struct policy_sa_view view;

	policy_sa_get(b->manager->policy, entry(b, belief)->handle, b->now, &view);
	return view.pending;
}

static void check_refusal(struct manager *m, const struct sa *sa, const struct scenario *s)
{
	const char *expected = s->refusal_text ? s->refusal_text : strerror(-s->refusal);
	const char *text;

	assert_int_equal(nics_have_refused(m->nics, sa, &text),
			 s->candidacy == CANDIDACY_REFUSED_SHAPE);
	assert_int_equal(health_holds(m->health, HEALTH_REFUSED),
			 s->candidacy == CANDIDACY_REFUSED_SHAPE &&
				 s->on_reject == CONFIG_REJECT_ALARM);
	if (s->candidacy == CANDIDACY_REFUSED_SHAPE)
		assert_string_equal(text, expected);
	if (strcmp(s->reason, "silent-software") != 0)
		assert_string_equal(sa->refusal, expected);
}

/* Checks the entry of an SA that is in the kernel, and its state in the policy. */
static void check_entry(struct stage *stage)
{
	const struct scenario *s = stage->scenario;
	struct manager *m = stage->bench->manager;
	struct sa *sa = entry(stage->bench, stage->belief);
	struct policy_sa_view view;

	assert_non_null(sa);
	assert_int_equal(sa->residence.ifindex, s->in_nic ? NIC : 0);
	assert_false(sa->residence.foreign);
	assert_int_equal(sa->hands_off, s->hands_off);
	assert_int_equal(sa->candidate.candidacy, s->candidacy);
	assert_int_equal(sa->refusal != NULL, s->refusal != 0);
	if (sa->refusal)
		check_refusal(m, sa, s);
	assert_int_equal(sa->shadow != NULL, s->in_nic);
	assert_int_equal(sa->probation != NULL, s->in_nic);
	if (s->in_nic)
		assert_true(ownership_contains(m->environment.ownership, &sa->description.id, NIC,
					       sa->add_time));
	assert_false(
		ownership_contains(m->environment.ownership, &sa->description.id, 0, sa->add_time));
	if (s->evicted)
		assert_false(ownership_contains(m->environment.ownership, &sa->description.id, NIC,
						sa->add_time));
	if (s->promoted || s->evicted)
		assert_true(sa->residence.since == manager_now(m));
	policy_sa_get(m->policy, sa->handle, manager_now(m), &view);
	assert_false(view.pending);
	assert_int_equal(view.resident, s->in_nic);
	assert_true(fabs(view.retry_in - s->retry) < 1e-9);
}

/* The entry keeps its NIC and its shadow until the link message comes, or there is no entry. */
static void check_entry_of_gone(struct stage *stage)
{
	struct sa *sa = entry(stage->bench, stage->belief);

	assert_int_equal(sa != NULL, stage->scenario->is_kept || stage->scenario->is_owed);
	if (!stage->scenario->is_kept)
		return;
	assert_int_equal(sa->residence.ifindex, NIC);
	assert_true(sa->shadow);
	assert_true(sa->shadow->sampled_at > 0);
	assert_false(is_pending(stage->bench, stage->belief));
}

static void check_scenario(const struct scenario *s)
{
	struct stage stage;
	struct sa_id id;
	struct bench b;

	open_stage(&stage, &b, s);
	id = fake_belief_id(stage.belief);
	if (s->before)
		s->before(&b, stage.belief);
	b.now += 0.003;
	plan_moves(&b);
	assert_int_equal(ownership_save_if_changed(b.ownership), 0);
	assert_true(stage.done);
	assert_int_equal(fake_kernel_struck(b.fake) != 0, s->fault.kind != FAKE_FAULT_NONE);

	assert_int_equal(fake_kernel_view(b.fake, stage.belief).exists &&
				 !fake_kernel_view(b.fake, stage.belief).larval,
			 !s->is_gone);
	check_told(b.manager, s);
	assert_int_equal(told(&b, "is full below its capacity"), s->refusal == -ENOSPC);
	check_owed(b.manager, &id, s->is_owed);
	if (s->is_gone)
		check_entry_of_gone(&stage);
	else
		check_entry(&stage);
	if (!s->is_owed && !s->is_kept && !s->in_nic)
		assert_int_equal(secret_arena_in_use(b.arena), stage.in_use);
	else
		assert_true(secret_arena_in_use(b.arena) > stage.in_use);
	assert_int_equal(executor_queued(b.manager->executor), 0);
	if (s->evict)
		manager_end_evacuations(b.manager);
	clear_up(&b, stage.belief);
	assert_int_equal(executor_owed(b.manager->executor), 0);
	assert_int_equal(fake_kernel_count(b.fake, true), 0);
	if (fake_belief_alive(stage.belief)) {
		assert_true(fake_kernel_view(b.fake, stage.belief).exists);
		assert_int_equal(fake_kernel_view(b.fake, stage.belief).ifindex,
				 s->stays ? 0 : NIC);
	} else {
		assert_null(entry(&b, stage.belief));
		assert_int_equal(secret_arena_in_use(b.arena), stage.in_use);
	}
	assert_int_equal(fake_kernel_check(b.fake, FAKE_CHECK_COUNTERS_MAY_DIFFER, stderr), 0);
	close_bench(&b);
}

static void check_scenarios(const struct scenario *scenarios, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		print_message("scenario %zu: %s, %s\n", i, scenarios[i].what, scenarios[i].reason);
		check_scenario(&scenarios[i]);
	}
}

/* From message n of the type on, counted from 0. */
#define NO_MEMORY(message, n)                                                                    \
	{                                                                                        \
		.kind = FAKE_FAULT_REFUSE, .type = (message), .occurrence = (n), .onward = true, \
		.error = -ENOMEM                                                                 \
	}
#define UNSENT(message)                                                            \
	{                                                                          \
		.kind = FAKE_FAULT_SEND, .type = (message), .error = -ECONNREFUSED \
	}

/* A refusal by the driver, in words or without them, or by the device that took the SA instead. */
#define REFUSED(number) .what = "refused", .reason = "refused", .refused = 1, .refusal = (number)
#define REFUSED_SILENTLY                                                                      \
	.what = "refused", .reason = "silent-software", .refused = 1, .refusal = -EOPNOTSUPP, \
	.cause = REFUSAL_SILENT
#define REFUSED_ELSEWHERE \
	.what = "refused", .reason = "wrong-device", .refused = 1, .cause = REFUSAL_ELSEWHERE
/* The shape is remembered, and the SA's rule says whether it is offered again. */
#define NOT_AGAIN(rule) .candidacy = CANDIDACY_REFUSED_SHAPE, .on_reject = (rule), .stays = true
#define AGAIN .candidacy = CANDIDACY_REFUSED_SHAPE, .on_reject = CONFIG_REJECT_RETRY, .retry = 60

static void test_promotions(void **state)
{
	static const struct scenario scenarios[] = {
		{.what = "promoted", .reason = "free-slot", .promoted = 1, .in_nic = true},
		/* The driver's answers. */
		{.happens = nic_refuses,
		 .text = "Invalid argument",
		 REFUSED(-EINVAL),
		 NOT_AGAIN(CONFIG_REJECT_SOFTWARE)},
		{.happens = nic_refuses,
		 .text = "Invalid argument",
		 REFUSED(-EINVAL),
		 NOT_AGAIN(CONFIG_REJECT_ALARM)},
		{.happens = nic_refuses, .text = "Invalid argument", REFUSED(-EINVAL), AGAIN},
		{.happens = nic_refuses_without_memory, REFUSED(-EINVAL), .retry = 60},
		{.happens = nic_is_busy, .cause = REFUSAL_TEMPORARY, REFUSED(-EBUSY), .retry = 60},
		{.fault = {.kind = FAKE_FAULT_REFUSE,
			   .type = XFRM_MSG_UPDSA,
			   .error = -EOPNOTSUPP,
			   .text = "?"},
		 .text = ": ?",
		 REFUSED(-EOPNOTSUPP),
		 .refusal_text = "?",
		 AGAIN},
		{.happens = nic_is_full,
		 .cause = REFUSAL_NO_SPACE,
		 REFUSED(-ENOSPC),
		 .refusal_text = "No space for SA in Tx table!"},
		{.happens = nic_is_silent, REFUSED_SILENTLY, AGAIN},
		{.happens = nic_is_silent, REFUSED_SILENTLY, NOT_AGAIN(CONFIG_REJECT_SOFTWARE)},
		{.happens = nic_lies, REFUSED_ELSEWHERE, .retry = 60},
		/* When it is moved back, the notification with its numbers is lost. */
		{.before = nic_lies,
		 .fault = {.kind = FAKE_FAULT_LOSE_NOTE, .type = XFRM_MSG_DELSA, .occurrence = 1},
		 .after = XFRM_MSG_GETAE,
		 .occurrence = 1,
		 .happens = packets_are_sent,
		 REFUSED_ELSEWHERE,
		 .retry = 60},
		/* The SA is not moved. */
		{.after = XFRM_MSG_GETSPDINFO,
		 .happens = sa_changes,
		 .what = "hands-off",
		 .reason = "tfc-padding",
		 .hands_off = HANDS_OFF_TFC,
		 .stays = true},
		{.after = XFRM_MSG_ALLOCSPI,
		 .happens = protection_becomes_optional,
		 .what = "hands-off",
		 .reason = "optional-template",
		 .hands_off = HANDS_OFF_OPTIONAL_TEMPLATE},
		{.before = spi_is_shared,
		 .what = "hands-off",
		 .reason = "shared-spi",
		 .hands_off = HANDS_OFF_SHARED_SPI,
		 .stays = true},
		{.after = XFRM_MSG_ALLOCSPI,
		 .happens = events_are_lost,
		 .what = "failed",
		 .reason = "failed",
		 .failed = 1},
		{.fault = UNSENT(XFRM_MSG_GETAE),
		 .what = "failed",
		 .reason = "failed",
		 .failed = 1},
		/* The SA is deleted. */
		{.after = XFRM_MSG_GETSPDINFO,
		 .happens = ike_deletes,
		 .what = "gone",
		 .reason = "gone",
		 .is_gone = true},
		{.after = XFRM_MSG_DELSA,
		 .happens = ike_deletes,
		 .what = "gone",
		 .reason = "gone",
		 .is_gone = true},
		{.after = XFRM_MSG_UPDSA,
		 .happens = ike_deletes,
		 .what = "gone",
		 .reason = "gone",
		 .is_gone = true},
		{.after = XFRM_MSG_UPDSA,
		 .happens = nic_goes_down,
		 .what = "gone",
		 .reason = "gone",
		 .is_gone = true,
		 .is_kept = true},
		/* It cannot be put back yet. */
		{.fault = NO_MEMORY(XFRM_MSG_GETSA, TO_INSTALL),
		 .what = "failed",
		 .reason = "lost",
		 .failed = 1,
		 .is_gone = true,
		 .is_owed = true},
	};

	(void)state;
	check_scenarios(scenarios, ELEMENTSOF(scenarios));
}

static void test_evictions(void **state)
{
	static const struct scenario scenarios[] = {
		{.evict = true,
		 .candidacy = CANDIDACY_NIC_EVACUATED,
		 .what = "evicted",
		 .reason = "no-longer-allowed",
		 .evicted = 1},
		{.evict = true,
		 .candidacy = CANDIDACY_NIC_EVACUATED,
		 .fault = UNSENT(XFRM_MSG_GETAE),
		 .what = "failed",
		 .reason = "failed",
		 .failed = 1,
		 .in_nic = true},
		{.evict = true,
		 .candidacy = CANDIDACY_NIC_EVACUATED,
		 .after = XFRM_MSG_ALLOCSPI,
		 .happens = events_are_lost,
		 .what = "failed",
		 .reason = "failed",
		 .failed = 1,
		 .in_nic = true},
		{.evict = true,
		 .candidacy = CANDIDACY_NIC_EVACUATED,
		 .after = XFRM_MSG_GETSPDINFO,
		 .happens = ike_deletes,
		 .what = "gone",
		 .reason = "gone",
		 .is_gone = true},
		{.evict = true,
		 .candidacy = CANDIDACY_NIC_EVACUATED,
		 .after = XFRM_MSG_GETSPDINFO,
		 .happens = nic_goes_down,
		 .what = "gone",
		 .reason = "gone",
		 .is_gone = true,
		 .is_kept = true},
		{.evict = true,
		 .candidacy = CANDIDACY_NIC_EVACUATED,
		 .after = XFRM_MSG_GETSPDINFO,
		 .happens = packet_meets_gap,
		 .what = "gone",
		 .reason = "gone",
		 .is_gone = true,
		 .is_kept = true},
		{.evict = true,
		 .candidacy = CANDIDACY_NIC_EVACUATED,
		 .fault = NO_MEMORY(XFRM_MSG_GETSA, TO_INSTALL),
		 .what = "failed",
		 .reason = "lost",
		 .failed = 1,
		 .is_gone = true,
		 .is_owed = true},
	};

	(void)state;
	check_scenarios(scenarios, ELEMENTSOF(scenarios));
}

struct sent {
	uint16_t types[16];
	unsigned n;
};

static bool note_sent(struct nlmsghdr *message, void *userdata)
{
	struct sent *sent = userdata;

	assert_true(sent->n < ELEMENTSOF(sent->types));
	sent->types[sent->n++] = message->nlmsg_type;
	return true;
}

/* An inbound SA needs no guard and no check of policies. In the end leftovers of its larval SA are
 * deleted. */
static void test_inbound(void **state)
{
	static const uint16_t types[] = {XFRM_MSG_GETSA, XFRM_MSG_GETAE,    XFRM_MSG_ALLOCSPI,
					 XFRM_MSG_DELSA, XFRM_MSG_ALLOCSPI, XFRM_MSG_GETSA,
					 XFRM_MSG_UPDSA, XFRM_MSG_GETSA,    XFRM_MSG_ALLOCSPI,
					 XFRM_MSG_DELSA};
	struct fake_belief *belief;
	struct sent sent = {};
	struct bench b;

	(void)state;
	open_bench(&b);
	manager_set_paused(b.manager, true);
	belief = add(&b,
		     (struct fake_sa_spec){.inbound = true, .spi = 0x1001, .peer = 10, .reqid = 1});
	for (unsigned i = 0; i < 25; i++) {
		for (unsigned j = 0; j < 50; j++)
			(void)fake_kernel_receive_next(b.fake, belief, 1000);
		pass(&b, 0.02);
	}
	manager_set_paused(b.manager, false);
	fake_kernel_set_filter(b.fake, note_sent, &sent);
	plan_moves(&b);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	assert_int_equal(sent.n, ELEMENTSOF(types));
	assert_memory_equal(sent.types, types, sizeof(types));
	close_bench(&b);
}

/* ---- Moves that depend on each other ---- */

#define NIC_OF_ONE                                                 \
	"mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\n" \
	"nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 1}]"

/* An SA in a NIC with one slot, and a hotter one that should get the slot. */
static void open_swap(struct bench *b, struct fake_belief **cold, struct fake_belief **hot)
{
	open_bench_with(b, NIC_OF_ONE);
	*cold = add(b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	for (unsigned i = 0; fake_kernel_view(b->fake, *cold).ifindex == 0; i++) {
		assert_true(i < 500);
		(void)fake_kernel_send(b->fake, *cold, 2, 1000);
		work(b, 0.02, NULL);
	}
	manager_set_paused(b->manager, true);
	*hot = add(b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2});
	for (unsigned i = 0; i < 250; i++) {
		(void)fake_kernel_send(b->fake, *cold, 2, 1000);
		work(b, 0.02, *hot);
	}
	manager_set_paused(b->manager, false);
	fake_kernel_restart_counts(b->fake);
}

/* A promotion is not tried when the eviction that it needs has failed. */
static void test_swaps(void **state)
{
	static const struct {
		struct fake_fault fault;
		happening happens;
		uint16_t after;
		unsigned promoted, evicted, failed;
	} cases[] = {
		{.promoted = 2, .evicted = 1},
		{.fault = UNSENT(XFRM_MSG_GETAE), .promoted = 1, .failed = 1},
		{.happens = sa_changes, .after = XFRM_MSG_GETSPDINFO, .promoted = 1},
		{.happens = ike_deletes, .after = XFRM_MSG_GETSPDINFO, .promoted = 2},
		/* Both are guarded. */
		{.fault = NO_MEMORY(XFRM_MSG_GETSA, TO_INSTALL + 1), .promoted = 1, .failed = 1},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct scenario scenario = {.after = cases[i].after, .happens = cases[i].happens};
		struct fake_belief *cold, *hot;
		struct bench b;
		struct stage stage = {
			.bench = &b, .scenario = &scenario, .done = !cases[i].happens};

		open_swap(&b, &cold, &hot);
		stage.belief = cold;
		fake_kernel_set_fault(b.fake, &cases[i].fault);
		fake_kernel_set_hook(b.fake, run_happening, &stage);
		plan_moves(&b);
		assert_true(stage.done);
		assert_int_equal(fake_kernel_struck(b.fake) != 0,
				 cases[i].fault.kind != FAKE_FAULT_NONE);
		assert_int_equal(b.manager->promoted, cases[i].promoted);
		assert_int_equal(b.manager->evicted, cases[i].evicted);
		assert_int_equal(b.manager->failed, cases[i].failed);
		assert_int_equal(fake_kernel_view(b.fake, hot).ifindex == NIC,
				 cases[i].promoted == 2);
		assert_false(is_pending(&b, hot));
		assert_true(!entry(&b, cold) || !is_pending(&b, cold));
		assert_int_equal(executor_queued(b.manager->executor), 0);
		assert_int_equal(fake_kernel_count(b.fake, true) > 0,
				 executor_owed(b.manager->executor));
		close_bench(&b);
	}
}

/* ---- SAs that are owed to the kernel ---- */

static void run_restore(struct bench *b)
{
	b->now = b->manager->schedule.due[MANAGER_RESTORE];
	schedule_cancel(&b->manager->schedule, MANAGER_RESTORE);
	executor_restore(b->manager->executor);
}

/* Each is tried again after 10 ms, doubling up to a second, until it is back. */
static void test_owed(void **state)
{
	struct fake_belief *beliefs[3];
	struct sa_id ids[3];
	double wait = 0.01;
	size_t in_use;
	struct bench b;

	(void)state;
	open_bench(&b);
	manager_set_paused(b.manager, true);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++) {
		beliefs[i] = add(&b, (struct fake_sa_spec){
					     .spi = 0x1001 + i, .peer = 10 + i, .reqid = 1 + i});
		ids[i] = fake_belief_id(beliefs[i]);
		work(&b, 0.5, beliefs[i]);
	}
	in_use = secret_arena_in_use(b.arena);
	manager_set_paused(b.manager, false);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++) {
		work(&b, 0.5, beliefs[i]);
		assert_int_equal(fake_kernel_view(b.fake, beliefs[i]).ifindex, NIC);
	}
	fake_kernel_set_fault(b.fake, &(struct fake_fault)NO_MEMORY(0, 0));
	nic_goes_down(&b, NULL);
	(void)shadows_restore_lost(b.manager->shadows, NIC);
	assert_int_equal(executor_owed(b.manager->executor), 3);
	for (unsigned i = 0; i < 10; i++) {
		assert_true(fabs(b.manager->schedule.due[MANAGER_RESTORE] - b.now - wait) < 1e-9);
		assert_true(health_holds(b.manager->health, HEALTH_OWED));
		run_restore(&b);
		wait = fmin(2 * wait, 1);
	}
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		assert_true(executor_owes(b.manager->executor, &ids[i]));

	/* Each time there is memory for a little more. */
	for (unsigned n = 0; executor_owed(b.manager->executor) > 0; n++) {
		unsigned back = 0;

		assert_true(n < 100);
		fake_kernel_set_fault(b.fake, &(struct fake_fault)NO_MEMORY(0, n));
		run_restore(&b);
		for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++) {
			struct fake_view view = fake_kernel_view(b.fake, beliefs[i]);
			bool is_back = view.exists && !view.larval;

			assert_int_equal(executor_owes(b.manager->executor, &ids[i]), !is_back);
			back += is_back;
		}
		assert_int_equal(executor_owed(b.manager->executor), ELEMENTSOF(beliefs) - back);
		assert_int_equal(health_holds(b.manager->health, HEALTH_OWED), back < 3);
	}
	assert_false(schedule_is_pending(&b.manager->schedule, MANAGER_RESTORE));
	fake_kernel_end_fault(b.fake);
	settle(&b);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		assert_int_equal(entry(&b, beliefs[i])->residence.ifindex, 0);
	assert_int_equal(secret_arena_in_use(b.arena), in_use);
	/* There is also no memory for deleting guards. */
	assert_int_equal(
		fake_kernel_check(b.fake,
				  FAKE_CHECK_COUNTERS_MAY_DIFFER | FAKE_CHECK_LARVALS_MAY_STAY,
				  stderr),
		0);
	close_bench(&b);
}

/* More SAs than can be guarded at once: all are tried in groups, and the guards of a group are
 * deleted together unless an attempt failed. */
static void check_many_owed(bool in_vain)
{
	struct fake_belief *beliefs[GUARDED_MAX + 3];
	unsigned waits;
	size_t in_use;
	struct bench b;

	open_bench_with(&b, with_many_slots);
	in_use = secret_arena_in_use(b.arena);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		beliefs[i] = add(&b, (struct fake_sa_spec){
					     .spi = 0x1001 + i, .peer = 10 + i, .reqid = 1 + i});
	for (unsigned i = 0; i < 50; i++) {
		for (unsigned j = 0; j < ELEMENTSOF(beliefs); j++)
			(void)fake_kernel_send(b.fake, beliefs[j], 50, 1000);
		work(&b, 0.02, NULL);
	}
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		assert_int_equal(fake_kernel_view(b.fake, beliefs[i]).ifindex, NIC);
	fake_kernel_set_fault(b.fake, &(struct fake_fault)NO_MEMORY(0, 0));
	nic_goes_down(&b, NULL);
	(void)shadows_restore_lost(b.manager->shadows, NIC);
	if (in_vain)
		run_restore(&b);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++) {
		struct sa_id id = fake_belief_id(beliefs[i]);

		assert_true(executor_owes(b.manager->executor, &id));
	}
	fake_kernel_end_fault(b.fake);
	waits = fake_kernel_waits(b.fake);
	run_restore(&b);
	assert_int_equal(fake_kernel_waits(b.fake) - waits, in_vain ? 1 : 2);
	assert_int_equal(executor_owed(b.manager->executor), 0);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		assert_true(fake_kernel_view(b.fake, beliefs[i]).exists);
	settle(&b);
	assert_int_equal(secret_arena_in_use(b.arena), in_use);
	close_bench(&b);
}

static void test_many_owed(void **state)
{
	(void)state;
	check_many_owed(false);
	check_many_owed(true);
}

/* The IKE daemon deletes the SA in the meantime. */
static void test_owed_and_deleted(void **state)
{
	static const struct scenario scenario = {.fault = NO_MEMORY(XFRM_MSG_GETSA, TO_INSTALL)};
	struct stage stage;
	struct bench b;

	(void)state;
	open_stage(&stage, &b, &scenario);
	plan_moves(&b);
	assert_int_equal(executor_owed(b.manager->executor), 1);
	fake_kernel_end_fault(b.fake);
	(void)fake_ike_delete(b.fake, stage.belief);
	run_restore(&b);
	assert_int_equal(executor_owed(b.manager->executor), 0);
	assert_false(health_holds(b.manager->health, HEALTH_OWED));
	assert_null(entry(&b, stage.belief));
	assert_int_equal(secret_arena_in_use(b.arena), stage.in_use);
	assert_int_equal(fake_kernel_count(b.fake, true), 0);
	close_bench(&b);
}

/* After it is back from an eviction its place is known at once. */
static void test_owed_and_back(void **state)
{
	static const struct scenario scenario = {.evict = true,
						 .fault = NO_MEMORY(XFRM_MSG_GETSA, TO_INSTALL)};
	struct policy_sa_view view;
	struct stage stage;
	struct bench b;

	(void)state;
	open_stage(&stage, &b, &scenario);
	plan_moves(&b);
	assert_int_equal(executor_owed(b.manager->executor), 1);
	fake_kernel_end_fault(b.fake);
	run_restore(&b);
	assert_int_equal(executor_owed(b.manager->executor), 0);
	assert_int_equal(entry(&b, stage.belief)->residence.ifindex, 0);
	policy_sa_get(b.manager->policy, entry(&b, stage.belief)->handle, b.now, &view);
	assert_false(view.resident);
	assert_int_equal(fake_kernel_count(b.fake, true), 0);
	close_bench(&b);
}

/* The SA may have been in the NIC, and the IKE daemon deletes it: its image is not kept. */
static void test_owed_promotion_and_deleted(void **state)
{
	static const struct scenario scenarios[] = {
		{.fault = NO_MEMORY(XFRM_MSG_GETSA, TO_INSTALL)},
		{.fault = NO_MEMORY(XFRM_MSG_UPDSA, 0)},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(scenarios); i++) {
		struct stage stage;
		struct bench b;

		open_stage(&stage, &b, &scenarios[i]);
		plan_moves(&b);
		assert_int_equal(executor_owed(b.manager->executor), 1);
		fake_kernel_end_fault(b.fake);
		(void)fake_ike_delete(b.fake, stage.belief);
		run_restore(&b);
		assert_int_equal(executor_owed(b.manager->executor), 0);
		assert_null(entry(&b, stage.belief));
		assert_int_equal(secret_arena_in_use(b.arena), stage.in_use);
		close_bench(&b);
	}
}

#define OBSERVE(more)                                              \
	"mode: observe\ninterval: 100ms\nmoves-per-second: 1000\n" \
	"nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 4}]\n" more

/* ---- Changes of the SA between the plan and its turn ---- */

static void plan_promotion(struct bench *b, policy_sa handle)
{
	struct policy_move planned = {.sa = handle, .action = POLICY_PROMOTE, .other = POLICY_NONE};

	assert_int_equal(executor_plan(b->manager->executor, &planned, 1), 1);
	manager_make_moves(b->manager);
	assert_int_equal(executor_queued(b->manager->executor), 0);
}

static void test_turn_of_none(void **state)
{
	(void)state;
	for (unsigned observe = 0; observe < 2; observe++) {
		struct bench b;

		open_bench_with(&b, observe ? OBSERVE("") : rules);
		fake_kernel_restart_counts(b.fake);
		plan_promotion(&b, POLICY_NONE);
		assert_int_equal(fake_kernel_messages(b.fake, 0), 0);
		assert_null(reporter_action(b.manager->reporter, 0));
		close_bench(&b);
	}
}

static void take_time(struct fake_kernel *k, enum fake_moment moment, unsigned step, void *userdata)
{
	(void)k;
	(void)moment;
	(void)step;
	((struct bench *)userdata)->now += 0.001;
}

/* One SA more than can be guarded at once: the turn is over, so it is moved in the next one. */
static void test_turn_of_the_last(void **state)
{
	struct fake_belief *beliefs[GUARDED_MAX + 1];
	struct bench b;

	(void)state;
	open_bench_with(&b, with_many_slots);
	manager_set_paused(b.manager, true);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		beliefs[i] = add(&b, (struct fake_sa_spec){.spi = 0x1001 + i,
							   .peer = 10 + i,
							   .inbound = true,
							   .reqid = 1 + i});
	for (unsigned i = 0; i < 50; i++) {
		for (unsigned j = 0; j < ELEMENTSOF(beliefs); j++)
			carry(&b, beliefs[j], true);
		work(&b, 0.02, NULL);
	}
	manager_set_paused(b.manager, false);
	fake_kernel_set_hook(b.fake, take_time, &b);
	manager_plan(b.manager);
	fake_kernel_set_hook(b.fake, NULL, NULL);
	assert_int_equal(b.manager->promoted, GUARDED_MAX);
	assert_int_equal(executor_queued(b.manager->executor), 1);
	assert_true(is_due(&b, MANAGER_MOVES));
	settle(&b);
	assert_int_equal(b.manager->promoted, GUARDED_MAX + 1);
	close_bench(&b);
}

/* The state is stale: no request is sent. */
static void test_turn_when_stale(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	settle(&b);
	fake_kernel_overrun(b.fake);
	while (manager_read_events(b.manager) > 0)
		;
	fake_kernel_restart_counts(b.fake);
	plan_promotion(&b, entry(&b, belief)->handle);
	assert_int_equal(fake_kernel_messages(b.fake, 0), 0);
	close_bench(&b);
}

/* ---- In observe mode ---- */

static void check_pretended(struct bench *b, struct fake_belief *belief, const char *what,
			    bool resident, uint64_t n_actions)
{
	struct policy_sa_view view;

	policy_sa_get(b->manager->policy, entry(b, belief)->handle, b->now, &view);
	assert_string_equal(last_action(b->manager)->what, what);
	assert_int_equal(count_actions(b), n_actions);
	assert_int_equal(entry(b, belief)->virtually_resident, resident);
	assert_int_equal(view.resident, resident);
	assert_false(view.pending);
	assert_int_equal(b->manager->promoted + b->manager->evicted, 0);
	assert_int_equal(fake_kernel_view(b->fake, belief).ifindex, 0);
	assert_int_equal(entry(b, belief)->residence.ifindex, 0);
}

/* The plan continues as if moves were made. */
static void test_observe(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench_with(&b, OBSERVE(""));
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(&b, 1.0, belief);
	check_pretended(&b, belief, "would-promote", true, 1);
	apply(&b, OBSERVE("rules: [{offload: never}]"));
	work(&b, 1.0, belief);
	check_pretended(&b, belief, "would-evict", false, 2);
	close_bench(&b);
}

/* ---- A NIC with fewer slots than configured ---- */

/* The driver frees slots late, and the daemon does not know it. An SA that makes room leaves a full
 * table behind: that is no smaller capacity, and no further SA makes room before the slot is free.
 */
static void test_full_of_those_that_left(void **state)
{
	static const char text[] =
		"mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\nnics: [{match: {name: "
		"eth0}, allow: true, trusted: true, capacity: {in: 2, out: 2}}]";
	struct fake_belief *beliefs[4];
	struct policy_table_view view;
	struct fake_nic *nic;
	struct bench b;

	(void)state;
	open_bench_with(&b, text);
	nic = fake_kernel_nic(b.fake, NIC);
	nic->split = nic->late_free = true;
	nic->capacity_in = nic->capacity_out = 2;
	for (uint32_t i = 0; i < ELEMENTSOF(beliefs); i++)
		beliefs[i] = add(&b, (struct fake_sa_spec){
					     .spi = 0x1001 + i, .peer = 10 + i, .reqid = 1 + i});
	for (unsigned i = 0; i < 100; i++)
		for (unsigned j = 0; j < 2; j++) {
			carry(&b, beliefs[j], false);
			pass(&b, 0.01);
		}
	assert_int_equal(b.manager->promoted, 2);
	for (unsigned i = 0; i < 250; i++)
		for (unsigned j = 2; j < 4; j++) {
			carry(&b, beliefs[j], false);
			pass(&b, 0.01);
		}
	assert_true(b.manager->refused >= 1 && b.manager->refused <= 4);
	assert_int_equal(b.manager->evicted, 1);
	assert_int_equal(told(&b, "is full below its capacity"), 0);
	policy_table_get(b.manager->policy, nics_get(b.manager->nics, NIC)->out, &view);
	assert_int_equal(view.capacity, 2);
	fake_kernel_gc(b.fake);
	for (unsigned i = 0; i < 500; i++) {
		for (unsigned j = 2; j < 4; j++) {
			carry(&b, beliefs[j], false);
			pass(&b, 0.01);
		}
		fake_kernel_gc(b.fake);
	}
	for (unsigned j = 0; j < 4; j++)
		assert_int_equal(fake_kernel_view(b.fake, beliefs[j]).ifindex, j < 2 ? 0 : NIC);
	close_bench(&b);
}

/* The message has the number of slots that is used from then on, for the direction that is full. */
static void test_full(void **state)
{
	static const char text[] =
		"mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\nnics: [{match: {name: "
		"eth0}, allow: true, trusted: true, capacity: {in: 8, out: 9}}]";

	(void)state;
	for (unsigned inbound = 0; inbound < 2; inbound++) {
		struct fake_belief *beliefs[3];
		struct fake_nic *nic;
		struct bench b;

		open_bench_with(&b, text);
		nic = fake_kernel_nic(b.fake, NIC);
		nic->split = true;
		nic->capacity_in = inbound ? 0 : 8;
		nic->capacity_out = inbound ? 9 : 0;
		for (uint32_t i = 0; i < ELEMENTSOF(beliefs); i++)
			beliefs[i] = add(&b, (struct fake_sa_spec){.inbound = inbound,
								   .spi = 0x1001 + i,
								   .peer = 10 + i,
								   .reqid = 1 + i});
		for (unsigned i = 0; i < 50; i++) {
			for (size_t j = 0; j < ELEMENTSOF(beliefs); j++)
				carry(&b, beliefs[j], inbound);
			work(&b, 0.02, NULL);
		}
		/* The first answer is enough for all that were planned with it. */
		assert_int_equal(b.manager->refused, 1);
		assert_int_equal(told(&b, "is full below its capacity: planning with 0 slots"), 1);
		close_bench(&b);
	}
}

/* ---- Without memory ---- */

/* A move is not begun if a lost SA could not be recorded. */
static void test_no_memory_to_owe(void **state)
{
	static const struct scenario scenario = {.fault = NO_MEMORY(XFRM_MSG_GETSA, TO_INSTALL)};
	struct stage stage;
	struct bench b;

	(void)state;
	open_stage(&stage, &b, &scenario);
	no_memory_for = sizeof(struct move);
	plan_moves(&b);
	no_memory_for = 0;
	assert_int_equal(executor_owed(b.manager->executor), 0);
	assert_true(health_holds(b.manager->health, HEALTH_NO_MEMORY));
	assert_int_equal(secret_arena_in_use(b.arena), stage.in_use);
	assert_int_equal(fake_kernel_messages(b.fake, 0), 0);
	assert_false(is_pending(&b, stage.belief));
	close_bench(&b);
}

/* Moves that cannot be queued are planned again. */
static void test_no_memory_to_queue(void **state)
{
	struct fake_belief *beliefs[4];
	struct bench b;

	(void)state;
	open_bench(&b);
	manager_set_paused(b.manager, true);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++) {
		beliefs[i] = add(&b, (struct fake_sa_spec){
					     .spi = 0x1001 + i, .peer = 10 + i, .reqid = 1 + i});
		work(&b, 0.5, beliefs[i]);
	}
	manager_set_paused(b.manager, false);
	no_memory_for = sizeof(struct policy_move);
	plan_moves(&b);
	no_memory_for = 0;
	assert_int_equal(b.manager->promoted, 0);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		assert_false(is_pending(&b, beliefs[i]));
	work(&b, 10, beliefs[3]);
	assert_int_equal(fake_kernel_view(b.fake, beliefs[3]).ifindex, NIC);
	close_bench(&b);
}

/* Only a limited number of shapes is recorded. */
static void test_many_refusals(void **state)
{
	static struct fake_belief *beliefs[256 + 2];
	unsigned n = 0;
	struct bench b;

	(void)state;
	open_bench_with(&b, ALWAYS);
	strcpy(b.nics[0].driver, "another");
	manager_reconfigure(b.manager);
	refuse(&b, -EINVAL);
	fake_kernel_nic(b.fake, NIC)->fail_adds = 2 * ELEMENTSOF(beliefs);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++) {
		beliefs[i] = add(&b, (struct fake_sa_spec){.spi = 0x1001 + i,
							   .peer = 10 + i,
							   .reqid = 1,
							   .key_bits = 160 + 8 * (i % 17),
							   .icv_bits = 8 * (1 + i / 17)});
		pass(&b, 0.05);
	}
	pass(&b, 1.0);
	assert_int_equal(b.manager->refused, ELEMENTSOF(beliefs));
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		n += refusals_hold(nics_refusals(b.manager->nics), NIC,
				   entry(&b, beliefs[i])->shape, false, manager_now(b.manager),
				   NULL);
	assert_int_equal(n, 256);
	close_bench(&b);
}

/* An SA that could not be added to the policy for lack of memory is added when it is read again,
 * and only once. */
static void test_no_memory_for_policy(void **state)
{
	struct sa_facts facts = {};
	struct fake_belief *belief;
	unsigned failures = 0;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	settle(&b);
	facts.description = entry(&b, belief)->description;
	facts.shape = *entry(&b, belief)->shape;
	for (policy_sa n = 1; n < 300; n++) {
		const struct sa *sa;

		facts.description.id.spi++;
		facts.description.reqid++;
		no_growth = true;
		tracker_handle_facts(b.manager->tracker, &facts);
		no_growth = false;
		sa = sa_table_find(b.manager->sas, &facts.description.id);
		assert_non_null(sa);
		failures += sa->handle == POLICY_NONE;
		assert_true(sa->handle == POLICY_NONE || sa->handle == n);
		tracker_handle_facts(b.manager->tracker, &facts);
		assert_int_equal(sa->handle, n);
	}
	assert_true(failures > 10);
	close_bench(&b);
}

/* If the list of SAs to read again has no memory, a dump finds them. */
static void test_no_memory_for_changes(void **state)
{
	struct sa_id id = {.spi = 1};
	struct bench b;

	(void)state;
	open_bench(&b);
	no_growth = true;
	while (b.manager->tracker->changes.n < b.manager->tracker->changes.n_allocated)
		tracker_note_changed(b.manager->tracker, &id);
	assert_false(b.manager->tracker->stale);
	tracker_note_changed(b.manager->tracker, &id);
	no_growth = false;
	assert_true(b.manager->tracker->stale);
	close_bench(&b);
}

/* There is no memory for the entry that the SA needs after its move. No key may stay in memory. */
static void plan_without_entry(struct stage *stage, struct bench *b,
			       const struct scenario *scenario)
{
	open_stage(stage, b, scenario);
	no_memory_for = sizeof(struct sa);
	plan_moves(b);
	no_memory_for = 0;
	assert_null(entry(b, stage->belief));
	assert_int_equal(secret_arena_in_use(b->arena), stage->in_use);
}

/* The SA is on another device, and its entry is lost: the next dump finds it there. */
static void test_no_memory_for_entry(void **state)
{
	static const struct scenario scenario = {.after = XFRM_MSG_GETSPDINFO, .happens = nic_lies};
	struct stage stage;
	struct bench b;

	(void)state;
	plan_without_entry(&stage, &b, &scenario);
	fake_kernel_nic(b.fake, NIC)->lands_on = 0;
	work(&b, 1.0, stage.belief);
	assert_non_null(entry(&b, stage.belief));
	close_bench(&b);
}

static void nic_lies_of_another(struct bench *b, struct fake_belief *belief)
{
	nic_lies(b, belief);
	clock_is_stepped(b, belief);
}

/* An SA without an entry is not moved back from the other device. */
static void test_no_memory_for_entry_elsewhere(void **state)
{
	static const struct scenario scenario = {.after = XFRM_MSG_GETSPDINFO,
						 .happens = nic_lies_of_another};
	struct stage stage;
	struct bench b;

	(void)state;
	plan_without_entry(&stage, &b, &scenario);
	assert_int_equal(fake_kernel_view(b.fake, stage.belief).ifindex, OTHER_NIC);
	close_bench(&b);
}

/* By its time it is another SA. The next dump finds it, and recognizes it as owned. */
static void test_no_memory_for_entry_of_promoted(void **state)
{
	static const struct scenario scenario = {.after = XFRM_MSG_GETSPDINFO,
						 .happens = clock_is_stepped};
	struct stage stage;
	struct bench b;

	(void)state;
	plan_without_entry(&stage, &b, &scenario);
	assert_int_equal(b.manager->promoted, 1);
	assert_int_equal(ownership_save_if_changed(b.ownership), 0); /* it was saved before */
	work(&b, 1.0, stage.belief);
	assert_false(entry(&b, stage.belief)->residence.foreign);
	close_bench(&b);
}

/* ---- SAs that are installed again because a larval one is beside them ---- */

/* An SA in the NIC, with a larval one in the last dump, too. */
static void open_masked_stage(struct stage *stage, struct bench *b, const struct scenario *scenario)
{
	open_stage(stage, b, scenario);
	b->manager->tracker->masked[0] = fake_belief_id(stage->belief);
	b->manager->tracker->n_masked = 1;
}

/* The GETSA then shows another SA, and the entry is lost until the next dump. */
static void test_no_memory_for_entry_anew(void **state)
{
	static const struct scenario scenario = {.evict = true};
	struct stage stage;
	struct bench b;

	(void)state;
	open_masked_stage(&stage, &b, &scenario);
	clock_is_stepped(&b, stage.belief);
	no_memory_for = sizeof(struct sa);
	unmask(&b);
	no_memory_for = 0;
	assert_null(entry(&b, stage.belief));
	assert_int_equal(secret_arena_in_use(b.arena), stage.in_use);
	work(&b, 1.0, stage.belief);
	assert_non_null(entry(&b, stage.belief));
	close_bench(&b);
}

/* The entry does not change. */
static void test_not_made_anew(void **state)
{
	static const struct scenario scenarios[] = {
		{.evict = true, .happens = events_are_lost},
		{.evict = true, .fault = UNSENT(XFRM_MSG_GETAE)},
		{.evict = true, .happens = protection_becomes_optional},
		{.evict = true, .after = XFRM_MSG_GETSPDINFO, .happens = ike_deletes},
		{.evict = true, .after = XFRM_MSG_DELSA, .happens = ike_deletes},
		{.evict = true, .after = XFRM_MSG_UPDSA, .happens = ike_deletes},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(scenarios); i++) {
		struct stage stage;
		uint64_t packets;
		struct sa *sa;
		struct bench b;
		size_t n;

		open_masked_stage(&stage, &b, &scenarios[i]);
		sa = entry(&b, stage.belief);
		n = b.manager->sas->n;
		packets = sa->packets;
		(void)fake_kernel_send(b.fake, stage.belief, 10, 100);
		unmask(&b);
		assert_true(stage.done);
		assert_int_equal(b.manager->sas->n, n);
		assert_ptr_equal(entry(&b, stage.belief), sa);
		assert_int_equal(sa->packets, packets);
		assert_int_equal(sa->residence.ifindex, NIC);
		assert_true(sa->shadow);
		assert_int_equal(executor_owed(b.manager->executor), 0);
		assert_int_equal(b.manager->tracker->n_masked, 0);
		close_bench(&b);
	}
}

/* Some drivers have another error for a full table. */
static void test_full_by_driver(void **state)
{
	static const struct {
		const char *driver;
		int error;
		enum refusal_cause cause;
	} cases[] = {
		{"mlx5_core", -ENOMEM, REFUSAL_NO_SPACE},  {"mlx5_core", -EAGAIN, REFUSAL_NO_SPACE},
		{"mlx5_core", -EBUSY, REFUSAL_TEMPORARY},  {"nfp", -EBUSY, REFUSAL_NO_SPACE},
		{"netdevsim", -ENOMEM, REFUSAL_TEMPORARY}, {"netdevsim", -EBUSY, REFUSAL_TEMPORARY},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct fake_belief *belief;
		struct fake_nic *nic;
		struct bench b;

		open_bench(&b);
		(void)snprintf(b.nics[0].driver, sizeof(b.nics[0].driver), "%s", cases[i].driver);
		manager_reconfigure(b.manager);
		b.now += 11.0; /* until then an SA may have left it before the start */
		nic = fake_kernel_nic(b.fake, NIC);
		nic->fail_adds = 1;
		nic->fail_error = cases[i].error;
		belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
		for (unsigned n = 0; b.manager->refused == 0; n++) {
			assert_true(n < 100);
			work(&b, 0.1, belief);
		}
		assert_int_equal(nics_get(b.manager->nics, NIC)->moves.refused[cases[i].cause], 1);
		assert_int_equal(told(&b, "is full below its capacity"),
				 cases[i].cause == REFUSAL_NO_SPACE);
		close_bench(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_promotions),
		cmocka_unit_test(test_evictions),
		cmocka_unit_test(test_inbound),
		cmocka_unit_test(test_swaps),
		cmocka_unit_test(test_owed),
		cmocka_unit_test(test_many_owed),
		cmocka_unit_test(test_owed_and_deleted),
		cmocka_unit_test(test_owed_and_back),
		cmocka_unit_test(test_owed_promotion_and_deleted),
		cmocka_unit_test(test_turn_of_none),
		cmocka_unit_test(test_turn_of_the_last),
		cmocka_unit_test(test_turn_when_stale),
		cmocka_unit_test(test_observe),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_full_of_those_that_left),
		cmocka_unit_test(test_no_memory_to_owe),
		cmocka_unit_test(test_no_memory_to_queue),
		cmocka_unit_test(test_many_refusals),
		cmocka_unit_test(test_no_memory_for_policy),
		cmocka_unit_test(test_no_memory_for_changes),
		cmocka_unit_test(test_no_memory_for_entry),
		cmocka_unit_test(test_no_memory_for_entry_elsewhere),
		cmocka_unit_test(test_no_memory_for_entry_of_promoted),
		cmocka_unit_test(test_no_memory_for_entry_anew),
		cmocka_unit_test(test_not_made_anew),
		cmocka_unit_test(test_full_by_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

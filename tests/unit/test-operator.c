// SPDX-License-Identifier: GPL-2.0-or-later
/* The operator's view and orders: health, pause, evacuation, reload. */
#include "manager-bench.h"
#include "move/rescue.h"

#include <sys/stat.h>

static json_t *get_status(struct bench *b)
{
	struct methods methods = {.manager = b->manager};
	json_t *reply = NULL;
	const char *error = NULL;

	for (size_t i = 0; i < methods_count; i++)
		if (strcmp(methods_table[i].name, "GetStatus") == 0)
			assert_int_equal(methods_table[i].call(NULL, &methods, &reply, &error), 0);
	assert_non_null(reply);
	return reply;
}

static bool is_degraded(struct bench *b, const char *text)
{
	json_t *status = get_status(b);
	const char *degraded = json_string_value(json_object_get(status, "degraded"));
	bool found = degraded && strstr(degraded, text);

	json_decref(status);
	return found;
}

/* The links cannot be read while an SA cannot be put back: one condition ends before the other. */
static void test_conditions_do_not_hide_each_other(void **state)
{
	/* From the ALLOCSPI after the DELSA on. */
	static const struct fake_fault no_memory = {.kind = FAKE_FAULT_REFUSE,
						    .type = XFRM_MSG_ALLOCSPI,
						    .occurrence = 2,
						    .onward = true,
						    .error = -ENOMEM};
	struct fake_belief *busy;
	struct bench b;
	json_t *status;

	(void)state;
	open_bench(&b);
	status = get_status(&b);
	assert_true(json_is_null(json_object_get(status, "degraded")));
	assert_int_equal(json_array_size(json_object_get(status, "conditions")), 0);
	json_decref(status);
	manager_set_paused(b.manager, true);
	busy = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(&b, 0.5, busy);
	fake_kernel_set_fault(b.fake, &no_memory);
	manager_set_paused(b.manager, false);
	work(&b, 0.3, busy);
	assert_int_equal(executor_owed(b.manager->executor), 1);
	assert_true(is_degraded(&b, "could not be put back"));
	manager_network_callbacks.failed(-ENOBUFS, b.manager);
	assert_true(is_degraded(&b, "could not be put back"));
	assert_true(is_degraded(&b, "links and routes"));
	status = get_status(&b);
	assert_int_equal(json_array_size(json_object_get(status, "conditions")), 2);
	json_decref(status);

	fake_kernel_end_fault(b.fake);
	work(&b, 2.0, busy);
	assert_int_equal(executor_owed(b.manager->executor), 0);
	assert_false(is_degraded(&b, "could not be put back"));
	assert_true(is_degraded(&b, "links and routes"));
	manager_network_callbacks.resynced(b.manager);
	work(&b, 0.5, busy);
	status = get_status(&b);
	assert_true(json_is_null(json_object_get(status, "degraded")));
	json_decref(status);
	close_bench(&b);
}

/* Both tables of a NIC share one budget, and the first plan has no more than later ones. */
static void test_one_move_a_second(void **state)
{
	static const char text[] = "mode: enforce\ninterval: 100ms\nmoves-per-second: 1\n"
				   "nics: [{match: {name: eth0}, allow: true, trusted: true, "
				   "capacity: {in: 8, out: 8}}]";
	struct fake_belief *in[6], *out[6];
	struct bench b;
	double begun;

	(void)state;
	open_bench_with(&b, text);
	for (unsigned i = 0; i < 6; i++) {
		in[i] = add(&b, (struct fake_sa_spec){.spi = 0x1001 + i,
						      .inbound = true,
						      .peer = (uint16_t)(10 + i),
						      .reqid = 1 + i});
		out[i] = add(&b, (struct fake_sa_spec){
					 .spi = 0x2001 + i,
					 .peer = (uint16_t)(10 + i),
					 .reqid = 1 + i,
				 });
	}
	begun = b.now;
	while (b.now < begun + 14.5) {
		uint64_t moves = b.manager->promoted + b.manager->evicted;

		for (unsigned i = 0; i < 6; i++) {
			(void)fake_kernel_send(b.fake, out[i], 50, 1000);
			for (unsigned j = 0; j < 50; j++)
				(void)fake_kernel_receive_next(b.fake, in[i], 1000);
		}
		work(&b, 0.1, NULL);
		assert_true(b.manager->promoted + b.manager->evicted <= moves + 1);
		assert_true(b.manager->promoted + b.manager->evicted <= b.now - begun + 1);
	}
	assert_int_equal(b.manager->promoted, 12);
	close_bench(&b);
}

#define NIC_ENTRY(text)                                            \
	"mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\n" \
	"nics: [{match: {name: eth0}, capacity: 4, " text "}]"

/* A pause stops moves for performance, but not those for safety. */
static void test_pause_keeps_no_key_in_a_nic(void **state)
{
	static const char *const forbidden[] = {NIC_ENTRY("allow: true, trusted: false"),
						NIC_ENTRY("allow: false, trusted: true")};
	struct fake_belief *busy, *other;
	struct bench b;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(forbidden); i++) {
		open_bench_with(&b, NIC_ENTRY("allow: true, trusted: true"));
		busy = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
		work(&b, 0.8, busy);
		assert_int_equal(fake_kernel_view(b.fake, busy).ifindex, NIC);
		manager_set_paused(b.manager, true);
		other = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2});
		work(&b, 0.8, other);
		assert_int_equal(fake_kernel_view(b.fake, busy).ifindex, NIC);
		assert_int_equal(fake_kernel_view(b.fake, other).ifindex, 0);
		apply(&b, forbidden[i]);
		work(&b, 0.3, other);
		assert_int_equal(fake_kernel_view(b.fake, busy).ifindex, 0);
		assert_int_equal(b.manager->evicted, 1);
		assert_int_equal(b.manager->promoted, 1);
		/* The NIC may hold keys again, but the daemon is still paused. */
		apply(&b, NIC_ENTRY("allow: true, trusted: true"));
		work(&b, 0.8, busy);
		assert_int_equal(b.manager->promoted, 1);
		close_bench(&b);
	}
}

/* A rule is no matter of keys, so it waits during a pause. An evacuation is executed, because it is
 * the later order. */
/* What the status counts of the first NIC, by reason: "free-slot 2, hotter 1". */
static void check_counts(struct bench *b, const char *member, const char *expected)
{
	json_t *status = get_status(b), *count;
	const json_t *nic = json_array_get(json_object_get(status, "nics"), 0);
	char text[256] = "";
	size_t i, used = 0;

	json_array_foreach(json_object_get(nic, member), i, count)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %d", i ? ", " : "",
					 json_string_value(json_object_get(count, "reason")),
					 (int)json_integer_value(json_object_get(count, "count")));
	assert_string_equal(text, expected);
	json_decref(status);
}

static void test_pause_and_evacuate(void **state)
{
	struct fake_belief *busy;
	struct bench b;

	(void)state;
	open_bench(&b);
	busy = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(&b, 0.8, busy);
	manager_set_paused(b.manager, true);
	apply(&b, NIC_ENTRY("allow: true, trusted: true") "\nrules: [{offload: never}]");
	work(&b, 0.3, busy);
	assert_int_equal(fake_kernel_view(b.fake, busy).ifindex, NIC);
	assert_int_equal(manager_evacuate(b.manager, "eth0"), 0);
	work(&b, 0.3, busy);
	assert_int_equal(fake_kernel_view(b.fake, busy).ifindex, 0);
	check_counts(&b, "promoted", "free-slot 1");
	check_counts(&b, "evicted", "banned 1");
	check_counts(&b, "refused", "");
	close_bench(&b);
}

/* The daemon dies, and a new one continues. */
static void restart(struct bench *b, const char *text)
{
	manager_free(b->manager);
	start_manager(b, text);
}

static void call(struct bench *b, const char *method, const char *nic, const char *expected)
{
	struct methods methods = {.manager = b->manager};
	json_t *parameters = nic ? json_pack("{s:s}", "nic", nic) : json_object(), *reply = NULL;
	const char *error = NULL;

	for (size_t i = 0; i < methods_count; i++)
		if (strcmp(methods_table[i].name, method) == 0)
			assert_int_equal(
				methods_table[i].call(parameters, &methods, &reply, &error), 0);
	if (expected)
		assert_string_equal(error, expected);
	else
		assert_null(error);
	json_decref(parameters);
	json_decref(reply);
}

static bool is_paused(struct bench *b)
{
	json_t *status = get_status(b);
	bool paused = json_is_true(json_object_get(status, "paused"));

	json_decref(status);
	return paused;
}

static size_t n_evacuated(struct bench *b)
{
	json_t *status = get_status(b);
	size_t n = json_array_size(json_object_get(status, "evacuated"));

	json_decref(status);
	return n;
}

/* After a crash during maintenance an evacuated NIC stays empty. */
static void test_orders_survive_a_restart(void **state)
{
	struct fake_belief *busy;
	struct bench b;

	(void)state;
	open_bench(&b);
	busy = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	call(&b, "Evacuate", "eth0", NULL);
	restart(&b, rules);
	work(&b, 0.8, busy);
	assert_int_equal(n_evacuated(&b), 1);
	assert_int_equal(fake_kernel_view(b.fake, busy).ifindex, 0);
	assert_false(is_paused(&b));

	call(&b, "Pause", NULL, NULL);
	call(&b, "Resume", "eth1", "NotEvacuated");
	call(&b, "Resume", "eth0", NULL);
	restart(&b, rules);
	assert_true(is_paused(&b));
	assert_int_equal(n_evacuated(&b), 0);
	work(&b, 0.8, busy);
	assert_int_equal(fake_kernel_view(b.fake, busy).ifindex, 0);

	call(&b, "Evacuate", "eth0", NULL);
	call(&b, "Resume", NULL, NULL);
	restart(&b, rules);
	assert_false(is_paused(&b));
	assert_int_equal(n_evacuated(&b), 0);
	work(&b, 0.8, busy);
	assert_int_equal(fake_kernel_view(b.fake, busy).ifindex, NIC);
	close_bench(&b);
}

static void test_damaged_orders_are_a_pause(void **state)
{
	char damaged[80];
	FILE *file;
	struct bench b;

	(void)state;
	open_bench(&b);
	call(&b, "Evacuate", "eth0", NULL);
	file = fopen(b.orders_path, "we");
	assert_non_null(file);
	(void)fputs("espoffloadd-orders 1 1\nevacuat", file);
	(void)fclose(file);
	restart(&b, rules);
	assert_true(is_paused(&b));
	assert_true(is_degraded(&b, "could not be read"));
	/* The pause ends by the operator's order, not by a restart. */
	restart(&b, rules);
	assert_true(is_paused(&b));
	call(&b, "Resume", NULL, NULL);
	assert_false(is_paused(&b));
	assert_false(is_degraded(&b, "could not be read"));
	snprintf(damaged, sizeof(damaged), "%s.damaged", b.orders_path);
	assert_int_equal(unlink(damaged), 0);
	close_bench(&b);
}

static void test_orders_that_cannot_be_written(void **state)
{
	char temporary[80];
	struct bench b;

	(void)state;
	open_bench(&b);
	snprintf(temporary, sizeof(temporary), "%s.new", b.orders_path);
	assert_int_equal(mkdir(temporary, 0700), 0);
	call(&b, "Pause", NULL, NULL);
	assert_true(is_paused(&b));
	assert_true(is_degraded(&b, "orders of the operator"));
	assert_int_equal(rmdir(temporary), 0);
	call(&b, "Resume", NULL, NULL);
	assert_false(is_degraded(&b, "orders of the operator"));
	close_bench(&b);
}

/* libreswan without nic-offload=no: one warning, whatever happens to its SAs. */
static void test_foreign_offload_is_told(void **state)
{
	static const char text[] = "other program offloaded";
	struct fake_belief *first;
	struct bench b;

	(void)state;
	open_bench_with(&b, NIC_ENTRY("allow: true, trusted: false"));
	add(&b, (struct fake_sa_spec){.spi = 0x1000, .peer = 9});
	work(&b, 0.3, NULL);
	assert_int_equal(told(&b, text), 0);
	/* Inbound, as pluto does it: first a larval SA. */
	first = add(&b, (struct fake_sa_spec){.spi = 0x1001,
					      .peer = 10,
					      .inbound = true,
					      .by_update = true,
					      .ifindex = NIC});
	work(&b, 0.3, NULL);
	assert_int_equal(told(&b, text), 1);
	assert_int_equal(told(&b, "not trusted"), 1);
	assert_int_equal(told(&b, "nic-offload=no"), 1);
	for (unsigned i = 0; i < 3; i++) {
		(void)fake_ike_delete(b.fake, first);
		work(&b, 0.3, NULL);
		first = add(&b,
			    (struct fake_sa_spec){.spi = 0x2001 + i, .peer = 10, .ifindex = NIC});
		work(&b, 0.3, NULL);
	}
	assert_int_equal(told(&b, text), 1);
	b.now += 86400;
	work(&b, 0.3, NULL);
	assert_int_equal(told(&b, text), 2);
	close_bench(&b);
}

static void test_own_offload_is_not_foreign(void **state)
{
	struct fake_belief *busy;
	struct bench b;

	(void)state;
	open_bench(&b);
	busy = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(&b, 0.8, busy);
	assert_int_equal(fake_kernel_view(b.fake, busy).ifindex, NIC);
	assert_int_equal(told(&b, "other program"), 0);
	assert_int_equal(told(&b, "promoted"), 1);
	close_bench(&b);
}

static void note_stopped(void *userdata)
{
	*(bool *)userdata = true;
}

/* A bench with a rescue slot, and an SA that the kernel has no memory for. Returns it; another one
 * is as busy. */
static struct fake_belief *owe(struct bench *b)
{
	/* From the GETSA before the UPDSA on. */
	static const struct fake_fault no_memory = {.kind = FAKE_FAULT_REFUSE,
						    .type = XFRM_MSG_GETSA,
						    .occurrence = 2,
						    .onward = true,
						    .error = -ENOMEM};
	struct fake_belief *busy;

	open_bench(b);
	manager_free(b->manager);
	assert_int_equal(rescue_open(-1, &b->rescue), 0);
	start_manager(b, rules);
	call(b, "Pause", NULL, NULL);
	busy = add(b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(b, 0.5, busy);
	fake_kernel_set_fault(b->fake, &no_memory);
	call(b, "Resume", NULL, NULL);
	work(b, 0.3, busy);
	assert_int_equal(executor_owed(b->manager->executor), 1);
	return busy;
}

static void close_owing(struct bench *b)
{
	struct rescue *rescue = b->rescue;

	close_bench(b);
	rescue_close(rescue);
}

static void test_stop_waits_for_what_is_owed(void **state)
{
	struct fake_belief *owed, *busy;
	bool stopped = false;
	struct bench b;

	(void)state;
	owed = owe(&b);
	manager_stop(b.manager, note_stopped, &stopped);
	assert_int_equal(told(&b, "Told to stop"), 1);
	work(&b, 5, owed);
	assert_false(stopped);
	/* No other move begins in that time. */
	busy = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2});
	fake_kernel_end_fault(b.fake);
	for (double end = b.now + 3; b.now < end && !stopped;)
		work(&b, 0.1, busy);
	assert_true(stopped);
	assert_true(fake_kernel_view(b.fake, owed).exists);
	assert_false(fake_kernel_view(b.fake, owed).larval);
	work(&b, 1, busy);
	assert_int_equal(b.manager->promoted, 0);
	assert_int_equal(fake_kernel_check(b.fake, 0, stderr), 0);
	close_owing(&b);
}

/* Finally the daemon gives up, and leaves the image to the next start. */
static void test_stop_gives_up(void **state)
{
	struct fake_belief *owed;
	bool stopped = false;
	struct sa_offload target;
	struct sa_image image;
	struct bench b;
	double begun;

	(void)state;
	owed = owe(&b);
	begun = b.now;
	manager_stop(b.manager, note_stopped, &stopped);
	while (!stopped && b.now < begun + 100)
		pass(&b, 0.5);
	assert_true(stopped);
	assert_true(b.now - begun >= MANAGER_STOP_SECONDS &&
		    b.now - begun < MANAGER_STOP_SECONDS + 1);
	assert_true(fake_kernel_view(b.fake, owed).larval);
	assert_int_equal(rescue_load(b.rescue, b.arena, &image, &target), 1);
	sa_image_wipe(&image);
	fake_kernel_end_fault(b.fake);
	restart(&b, rules);
	assert_true(fake_kernel_view(b.fake, owed).exists);
	assert_false(fake_kernel_view(b.fake, owed).larval);
	close_owing(&b);
}

static void test_stop_at_once(void **state)
{
	bool stopped = false;
	struct bench b;

	(void)state;
	open_bench(&b);
	manager_stop(b.manager, note_stopped, &stopped);
	assert_true(stopped);
	close_bench(&b);
}

/* ---- Moves that are planned but not made yet ---- */

#define SIXTEEN(text, more)                                        \
	"mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\n" \
	"nics: [{match: {name: eth0}, capacity: 16, trusted: true, " text "}]\n" more

/* Each exchange takes the time of a turn of the loop, so that each turn makes one group of
 * moves. */
static void take_a_turn(struct fake_kernel *k, enum fake_moment moment, unsigned step,
			void *userdata)
{
	struct bench *b = userdata;

	(void)k;
	(void)step;
	if (moment == FAKE_AFTER_TRANSACT)
		b->now += 0.02;
}

/* Twelve SAs whose promotion is planned. */
static void open_twelve_of(struct bench *b, struct fake_belief *beliefs[12], bool inbound)
{
	open_bench_with(b, SIXTEEN("allow: true", ""));
	manager_set_paused(b->manager, true);
	for (unsigned i = 0; i < 12; i++)
		beliefs[i] = add(b, (struct fake_sa_spec){.spi = 0x1001 + i,
							  .peer = (uint16_t)(10 + i),
							  .inbound = inbound,
							  .reqid = 1 + i});
	for (unsigned i = 0; i < 50; i++) {
		for (unsigned j = 0; j < 12; j++)
			carry(b, beliefs[j], inbound);
		pass(b, 0.02);
	}
	manager_set_paused(b->manager, false);
}

static void open_twelve(struct bench *b, struct fake_belief *beliefs[12])
{
	open_twelve_of(b, beliefs, false);
}

/* One group of them is promoted. */
static void open_half_way(struct bench *b, struct fake_belief *beliefs[12])
{
	open_twelve(b, beliefs);
	fake_kernel_set_hook(b->fake, take_a_turn, b);
	plan_moves(b);
	fake_kernel_set_hook(b->fake, NULL, NULL);
	assert_int_equal(b->manager->promoted, KERNEL_BATCH_MESSAGES);
	assert_true(executor_queued(b->manager->executor) > 0);
}

/* The operator's orders in the meantime apply to them. */
static void test_orders_hold_for_what_is_planned(void **state)
{
	static const char *const texts[] = {NULL, SIXTEEN("allow: false", ""),
					    SIXTEEN("allow: true", "rules: [{offload: never}]")};
	struct fake_belief *beliefs[12];
	struct bench b;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		open_half_way(&b, beliefs);
		if (texts[i])
			apply(&b, texts[i]);
		else
			assert_int_equal(manager_evacuate(b.manager, "eth0"), 0);
		pass(&b, 1.0);
		assert_int_equal(b.manager->promoted, KERNEL_BATCH_MESSAGES);
		assert_int_equal(b.manager->evicted, KERNEL_BATCH_MESSAGES);
		close_bench(&b);
	}
}

static unsigned n_pending(struct bench *b, struct fake_belief *const *beliefs)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 12; i++) {
		struct policy_sa_view view;

		policy_sa_get(b->manager->policy, entry(b, beliefs[i])->handle, b->now, &view);
		n += view.pending;
	}
	return n;
}

/* Moves that were not made are planned again. */
static void test_cancelled_moves(void **state)
{
	struct fake_belief *beliefs[12];
	struct bench b;

	(void)state;
	for (unsigned stale = 0; stale < 2; stale++) {
		open_half_way(&b, beliefs);
		assert_int_equal(n_pending(&b, beliefs), 4);
		if (stale) {
			b.manager->tracker->stale = true;
			make_moves(&b);
		} else {
			manager_set_paused(b.manager, true);
		}
		assert_int_equal(n_pending(&b, beliefs), 0);
		assert_int_equal(executor_queued(b.manager->executor), 0);
		assert_int_equal(b.manager->promoted, KERNEL_BATCH_MESSAGES);
		/* There is no plan from outdated data. */
		manager_set_paused(b.manager, false);
		b.now += 10;
		plan_moves(&b);
		assert_int_equal(b.manager->promoted, stale ? KERNEL_BATCH_MESSAGES : 12);
		b.manager->tracker->stale = false;
		plan_moves(&b);
		assert_int_equal(b.manager->promoted, 12);
		close_bench(&b);
	}
}

/* While an SA is owed, no other is moved or planned. */
static void test_nothing_beside_what_is_owed(void **state)
{
	unsigned n_owed = 0;

	(void)state;
	/* The number of failures varies: with some numbers the first SA of the group is lost. */
	for (unsigned count = 1; count < 40; count++) {
		struct fake_fault no_memory = {.kind = FAKE_FAULT_REFUSE,
					       .type = XFRM_MSG_GETSA,
					       .occurrence = KERNEL_BATCH_MESSAGES + 1,
					       .onward = true,
					       .count = count,
					       .error = -ENOMEM};
		struct fake_belief *beliefs[12];
		struct bench b;

		open_twelve(&b, beliefs);
		fake_kernel_set_fault(b.fake, &no_memory);
		plan_moves(&b);
		if (executor_owed(b.manager->executor) > 0) {
			n_owed++;
			assert_int_equal(b.manager->promoted, 0);
			assert_int_equal(n_pending(&b, beliefs), 0);
			b.now += 10;
			plan_moves(&b);
			fake_kernel_end_fault(b.fake);
			executor_restore(b.manager->executor);
			assert_int_equal(executor_owed(b.manager->executor), 0);
			plan_moves(&b);
			/* The rate of one SA is not known yet. */
			assert_int_equal(b.manager->promoted, 11);
		}
		close_bench(&b);
	}
	assert_true(n_owed > 0);
}

/* An SA that may not be moved any more for a reason that appeared after the plan, and not in the SA
 * itself. */
static void test_hands_off_what_is_planned(void **state)
{
	struct fake_belief *beliefs[12];
	struct bench b;

	(void)state;
	for (unsigned what = 0; what < 3; what++) {
		open_half_way(&b, beliefs);
		for (unsigned i = 0; what == 0 && i < 12; i++)
			tell_event(&b, beliefs[i], XFRM_MSG_EXPIRE, false);
		for (unsigned i = 0; what == 1 && i < 12; i++)
			(void)add(&b, (struct fake_sa_spec){.spi = 0x1001 + i,
							    .peer = (uint16_t)(30 + i),
							    .reqid = 30 + i});
		for (unsigned i = 0; what == 2 && i < 12; i++)
			(void)add(&b, (struct fake_sa_spec){.spi = 0x2001 + i,
							    .peer = (uint16_t)(10 + i),
							    .reqid = 1 + i,
							    .inbound = true,
							    .packet = true,
							    .ifindex = NIC});
		pass(&b, 0);
		assert_int_equal(executor_queued(b.manager->executor), 0);
		assert_int_equal(b.manager->promoted, KERNEL_BATCH_MESSAGES);
		assert_int_equal(n_pending(&b, beliefs), 0);
		close_bench(&b);
	}
}

/* Takes a little more than a turn, once. */
static void take_time(struct fake_kernel *k, enum fake_moment moment, unsigned step, void *userdata)
{
	struct bench *b = userdata;

	(void)moment;
	(void)step;
	b->now += 0.021;
	fake_kernel_set_hook(k, NULL, NULL);
}

/* The loop runs again after the group in which the time is used up. Groups of inbound SAs do not
 * wait for lookups. */
static void test_turns(void **state)
{
	struct fake_belief *beliefs[12];
	struct bench b;

	(void)state;
	for (unsigned late = 0; late < 2; late++) {
		open_twelve_of(&b, beliefs, true);
		if (late)
			fake_kernel_set_hook(b.fake, take_time, &b);
		manager_plan(b.manager);
		assert_false(fake_kernel_is_waiting(b.fake));
		assert_int_equal(b.manager->promoted, late ? KERNEL_BATCH_MESSAGES : 12);
		assert_int_equal(schedule_is_pending(&b.manager->schedule, MANAGER_MOVES), late);
		if (late)
			assert_true(b.manager->schedule.due[MANAGER_MOVES] == b.now);
		manager_make_moves(b.manager);
		assert_int_equal(b.manager->promoted, 12);
		close_bench(&b);
	}
}

/* The SA of a planned move disappears, and another one gets its handle. */
static void test_planned_move_is_of_one_sa(void **state)
{
	struct fake_belief *beliefs[12], *other;
	struct bench b;
	struct policy_sa_view view = {};
	unsigned i = 0;
	policy_sa handle;

	(void)state;
	open_half_way(&b, beliefs);
	for (; !view.pending; i++) {
		handle = entry(&b, beliefs[i])->handle;
		policy_sa_get(b.manager->policy, handle, b.now, &view);
	}
	assert_int_equal(fake_ike_delete(b.fake, beliefs[i - 1]), 0);
	(void)tracker_drain_events(b.manager->tracker);
	tracker_read_changed(b.manager->tracker);
	other = add(&b, (struct fake_sa_spec){.spi = 0x2001, .peer = 30, .reqid = 30});
	(void)tracker_drain_events(b.manager->tracker);
	tracker_read_changed(b.manager->tracker);
	pass(&b, 0);
	assert_int_equal(entry(&b, other)->handle, handle);
	assert_int_equal(fake_kernel_view(b.fake, other).ifindex, 0);
	assert_int_equal(b.manager->promoted, 11);
	close_bench(&b);
}

/* A reload reads the drop-ins too, and the status names all files. */
static void test_reload_reads_drop_ins(void **state)
{
	const char *const files[] = {"/etc/espoffloadd.conf", "/etc/espoffloadd.conf.d/a.conf"};
	_cleanup_free_ char *messages = NULL;
	char path[2][128], directory[2][128];
	const json_t *named;
	json_t *status;
	struct bench b;

	(void)state;
	open_bench(&b);
	snprintf(directory[0], sizeof(directory[0]), "%s/etc", b.directory);
	snprintf(directory[1], sizeof(directory[1]), "%s/etc/espoffloadd.conf.d", b.directory);
	for (unsigned i = 0; i < 2; i++) {
		FILE *file;

		assert_int_equal(mkdir(directory[i], 0700), 0);
		snprintf(path[i], sizeof(path[i]), "%s%s", b.directory, files[i]);
		file = fopen(path[i], "we");
		assert_non_null(file);
		(void)fprintf(file, "interval: %us\n", i + 2);
		assert_int_equal(fclose(file), 0);
	}
	b.manager->environment.config_source = (struct config_source){.root = b.directory};
	assert_int_equal(manager_reload(b.manager, 0, &messages), 0);
	assert_string_equal(messages, "");
	assert_true(b.manager->config->interval == 3);
	status = get_status(&b);
	assert_string_equal(json_string_value(json_object_get(status, "configuration")), path[0]);
	named = json_object_get(status, "configurationFiles");
	assert_int_equal(json_array_size(named), 2);
	for (unsigned i = 0; i < 2; i++)
		assert_string_equal(json_string_value(json_array_get(named, i)), path[i]);
	json_decref(status);
	for (unsigned i = 2; i-- > 0;) {
		(void)unlink(path[i]);
		(void)rmdir(directory[i]);
	}
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conditions_do_not_hide_each_other),
		cmocka_unit_test(test_one_move_a_second),
		cmocka_unit_test(test_pause_keeps_no_key_in_a_nic),
		cmocka_unit_test(test_pause_and_evacuate),
		cmocka_unit_test(test_orders_survive_a_restart),
		cmocka_unit_test(test_damaged_orders_are_a_pause),
		cmocka_unit_test(test_orders_that_cannot_be_written),
		cmocka_unit_test(test_foreign_offload_is_told),
		cmocka_unit_test(test_own_offload_is_not_foreign),
		cmocka_unit_test(test_stop_waits_for_what_is_owed),
		cmocka_unit_test(test_stop_gives_up),
		cmocka_unit_test(test_stop_at_once),
		cmocka_unit_test(test_orders_hold_for_what_is_planned),
		cmocka_unit_test(test_cancelled_moves),
		cmocka_unit_test(test_nothing_beside_what_is_owed),
		cmocka_unit_test(test_hands_off_what_is_planned),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_planned_move_is_of_one_sa),
		cmocka_unit_test(test_reload_reads_drop_ins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Which SAs are restored after their NIC went down, when, and the messages about it. */
#include "manager-bench.h"

#include <math.h>

static const char *const with_mode = "mode: enforce\n"
				     "interval: 100ms\n"
				     "moves-per-second: 1000\n"
				     "on-link-down: %s\n"
				     "nics:\n"
				     "  - match: {name: eth*}\n"
				     "    allow: true\n"
				     "    trusted: true\n"
				     "    capacity: 16\n"
				     "rules:\n"
				     "  - {match: {reqid: 8}, nic: eth1, offload: always}\n"
				     "  - {match: {reqid: 9}, offload: always}\n";

static void open_mode(struct bench *b, const char *mode)
{
	char text[512];

	snprintf(text, sizeof(text), with_mode, mode);
	open_bench_with(b, text);
}

static struct fake_belief *outbound(struct bench *b, unsigned n)
{
	return promoted(b, (struct fake_sa_spec){.spi = 0x1000 + n, .peer = 10 + n, .reqid = n});
}

static struct fake_belief *inbound(struct bench *b, unsigned n)
{
	return promoted(b, (struct fake_sa_spec){
				   .inbound = true, .spi = 0x2000 + n, .peer = 10 + n, .reqid = n});
}

static bool is_back(struct bench *b, struct fake_belief *belief)
{
	struct fake_view view = fake_kernel_view(b->fake, belief);

	if (!view.exists)
		return false;
	assert_int_equal(view.ifindex, 0);
	assert_false(view.larval);
	return true;
}

/* The values of on-link-down, and the counters. */
static void test_modes(void **state)
{
	static const struct {
		const char *mode, *line;
		bool out, in;
	} cases[] = {
		{"restore",
		 "SAs that went down with NIC eth0: 2 back in software after 0.0 ms, 0 not", true,
		 true},
		{"restore-outbound",
		 "SAs that went down with NIC eth0: 1 back in software after 0.0 ms, 1 not", true,
		 false},
		{"leave",
		 "SAs that went down with NIC eth0: 0 back in software after 0.0 ms, 2 not", false,
		 false},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct fake_belief *out, *in;
		struct bench b;

		open_mode(&b, cases[i].mode);
		out = outbound(&b, 1);
		in = inbound(&b, 1);
		go_down(&b);
		assert_true(b.manager->tracker->stale); /* all SAs are read again */
		assert_false(is_due(&b, MANAGER_LOST));
		assert_int_equal(is_back(&b, out), cases[i].out);
		assert_int_equal(is_back(&b, in), cases[i].in);
		assert_int_equal(entry(&b, out) != NULL, cases[i].out);
		assert_int_equal(entry(&b, in) != NULL, cases[i].in);
		pass(&b, 2.0);
		assert_int_equal(is_back(&b, out), cases[i].out);
		assert_int_equal(is_back(&b, in), cases[i].in);
		assert_int_equal(told(&b, cases[i].line), 1);
		assert_int_equal(told(&b, "SAs that went down"), 1);
		close_bench(&b);
	}
}

/* Many SAs, of both directions; those of another NIC and those of other programs are not
 * changed. */
static void test_many(void **state)
{
	struct fake_belief *out[5], *in[4], *foreign, *software;
	unsigned n = 0;
	char line[64];
	struct bench b;

	(void)state;
	open_mode(&b, "restore");
	for (unsigned i = 0; i < ELEMENTSOF(out); i++)
		out[i] = outbound(&b, i + 1);
	for (unsigned i = 0; i < ELEMENTSOF(in); i++)
		in[i] = inbound(&b, i + 1);
	foreign = add(
		&b, (struct fake_sa_spec){.spi = 0x1100, .peer = 90, .reqid = 90, .ifindex = NIC});
	software = add(&b, (struct fake_sa_spec){.spi = 0x1101, .peer = 91, .reqid = 91});
	pass(&b, 0.5);
	for (unsigned i = 0; i < ELEMENTSOF(out); i++)
		n += fake_kernel_view(b.fake, out[i]).ifindex == NIC;
	for (unsigned i = 0; i < ELEMENTSOF(in); i++)
		n += fake_kernel_view(b.fake, in[i]).ifindex == NIC;
	assert_true(n > 6);
	snprintf(line, sizeof(line), "%u back in software after 0.0 ms, 0 not", n);
	go_down(&b);
	for (unsigned i = 0; i < ELEMENTSOF(out); i++) {
		assert_true(is_back(&b, out[i]));
		assert_int_equal(fake_kernel_send(b.fake, out[i], 5, 100), 5);
	}
	for (unsigned i = 0; i < ELEMENTSOF(in); i++)
		assert_true(is_back(&b, in[i]));
	assert_true(fake_kernel_view(b.fake, software).exists);
	assert_false(fake_kernel_view(b.fake, foreign).exists);
	pass(&b, 2.0);
	assert_int_equal(told(&b, line), 1);
	close_bench(&b);
}

/* A link that goes down without SAs in it causes no message. */
static void test_nothing_there(void **state)
{
	struct bench b;

	(void)state;
	open_mode(&b, "restore");
	(void)add(&b, (struct fake_sa_spec){.spi = 0x1101, .peer = 91, .reqid = 91});
	pass(&b, 0.5);
	tell_link(&b, false);
	assert_false(b.manager->tracker->stale || is_due(&b, MANAGER_LOST));
	pass(&b, 2.0);
	assert_int_equal(told(&b, "SAs that went down"), 0);
	close_bench(&b);
}

/* A dump shows missing SAs before the link message is read: the NIC is down, or removed. */
static void check_dump_first(bool gone, const char *mode, bool comes_back)
{
	struct fake_belief *belief;
	struct bench b;

	open_mode(&b, mode);
	belief = outbound(&b, 1);
	fall(&b);
	b.nics[0].up = false;
	b.network.n = !gone;
	pass(&b, 0.2);
	assert_int_equal(is_back(&b, belief), comes_back);
	pass(&b, 1.5);
	assert_int_equal(entry(&b, belief) != NULL, comes_back);
	close_bench(&b);
}

static void test_dump_first(void **state)
{
	(void)state;
	check_dump_first(false, "restore", true);
	check_dump_first(true, "restore", true);
	check_dump_first(false, "leave", false);
}

/* Missing while its NIC seems up: kept for a second, since the message may be late. */
static void test_message_is_late(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_mode(&b, "restore");
	belief = outbound(&b, 1);
	fall(&b);
	pass(&b, 0.9);
	assert_non_null(entry(&b, belief));
	assert_false(is_back(&b, belief));
	tell_link(&b, false);
	assert_true(is_back(&b, belief));
	assert_int_equal(fake_kernel_send(b.fake, belief, 5, 100), 5);
	close_bench(&b);

	open_mode(&b, "restore");
	belief = outbound(&b, 1);
	fall(&b);
	pass(&b, 1.3);
	assert_null(entry(&b, belief));
	tell_link(&b, false);
	pass(&b, 1.0);
	assert_false(fake_kernel_view(b.fake, belief).exists);
	close_bench(&b);
}

/* The link message comes first, and the kernel deletes the SAs during the attempts, or after the
 * last. */
static void check_attempts(double after, bool within)
{
	struct fake_belief *one, *other;
	struct bench b;
	double end;

	open_mode(&b, "restore");
	one = outbound(&b, 1);
	other = outbound(&b, 2);
	pass(&b, 0.01);
	tell_link(&b, false);
	end = b.now + after;
	while (schedule_next(&b.manager->schedule) < end) {
		b.now = schedule_next(&b.manager->schedule);
		settle(&b);
	}
	b.now = end;
	fall(&b);
	pass(&b, 0.02);
	assert_int_equal(is_back(&b, one), within);
	pass(&b, 1.0);
	assert_true(is_back(&b, one)); /* finally a dump finds it missing */
	assert_true(is_back(&b, other));
	assert_int_equal(told(&b, "2 back in software"), 1);
	close_bench(&b);
}

static void test_attempts(void **state)
{
	(void)state;
	check_attempts(0.0005, true);
	check_attempts(0.014, true);
}

/* The kernel deletes the SAs late or never: the times of the attempts, and when they end. */
static void test_when_attempts_are_made(void **state)
{
	static const double milliseconds[] = {1, 3, 7, 15, 31, 63};
	struct bench b;
	double start;

	(void)state;
	open_mode(&b, "restore");
	(void)outbound(&b, 1);
	tell_link(&b, false);
	start = b.now;
	for (size_t i = 0; i < ELEMENTSOF(milliseconds); i++) {
		double due = b.manager->schedule.due[MANAGER_LOST];

		assert_true(fabs(due - start - milliseconds[i] / 1e3) < 1e-9);
		b.now = due;
		settle(&b);
	}
	assert_false(is_due(&b, MANAGER_LOST));
	assert_int_equal(shadows_restoring(b.manager->shadows), 0);
	assert_int_equal(told(&b, "SAs that went down"), 0);
	close_bench(&b);
}

/* Each NIC has its own attempts. */
static void test_two_nics(void **state)
{
	struct fake_belief *one, *other;
	struct bench b;
	double due;

	(void)state;
	open_mode(&b, "restore");
	add_other_nic(&b);
	one = outbound(&b, 1);
	other = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 18, .reqid = 8});
	pass(&b, 0.3);
	assert_int_equal(fake_kernel_view(b.fake, other).ifindex, OTHER_NIC);

	/* Link messages of both, and again of each. */
	tell_link(&b, false);
	due = b.manager->schedule.due[MANAGER_LOST];
	b.now += 0.0005;
	tell_link_of(&b, &b.nics[1], false);
	assert_int_equal(shadows_restoring(b.manager->shadows), 2);
	assert_true(b.manager->schedule.due[MANAGER_LOST] == due);
	tell_link_of(&b, &b.nics[1], true);
	tell_link_of(&b, &b.nics[1], false);
	tell_link(&b, true);
	fall(&b);
	fake_kernel_restart_counts(b.fake);
	tell_link(&b, false);
	/* NEWSA; GETSA for a larval SA with its identity; GETSA for the result. */
	assert_int_equal(fake_kernel_messages(b.fake, 0), 3);
	assert_true(is_back(&b, one));
	assert_int_equal(told(&b, "NIC eth0: 1 back in software after 0.5 ms, 0 not"), 1);
	assert_int_equal(shadows_restoring(b.manager->shadows), 1);
	pass(&b, 0.005);
	assert_int_equal(fake_kernel_view(b.fake, other).ifindex, OTHER_NIC);
	(void)fake_kernel_link_down(b.fake, OTHER_NIC);
	pass(&b, 0.005);
	assert_true(is_back(&b, other));
	assert_int_equal(told(&b, "NIC eth1: 1 back in software after"), 1);
	assert_int_equal(told(&b, "SAs that went down"), 2);
	assert_int_equal(shadows_restoring(b.manager->shadows), 0);
	close_bench(&b);
}

/* Link messages were lost: the SAs of the NIC that is down are restored, those of the other
 * stay. */
static void test_unknown_nic(void **state)
{
	struct fake_belief *one, *other;
	struct bench b;

	(void)state;
	open_mode(&b, "restore");
	add_other_nic(&b);
	one = outbound(&b, 1);
	other = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 18, .reqid = 8});
	pass(&b, 0.3);
	fall(&b);
	manager_network_callbacks.resynced(b.manager);
	assert_true(is_back(&b, one));
	assert_int_equal(fake_kernel_view(b.fake, other).ifindex, OTHER_NIC);
	assert_int_equal(told(&b, "1 back in software after 0.0 ms, 0 not"), 1);
	assert_int_equal(shadows_restoring(b.manager->shadows), 0);
	assert_false(is_due(&b, MANAGER_LOST));
	close_bench(&b);
}

/* The number is increased by what the link can have carried since the sample, at its last known
 * speed. The speed of a removed NIC is unknown. */
static void test_speed(void **state)
{
	static const struct {
		uint32_t known, assumed;
		bool forgotten;
	} cases[] = {{0, 100000, false}, {400000, 400000, false}, {400000, 100000, true}};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct fake_belief *belief;
		struct shadow shadow;
		struct nic old;
		struct bench b;

		open_mode(&b, "restore");
		b.nics[0].speed = cases[i].known;
		manager_reconfigure(b.manager);
		belief = outbound(&b, 1);
		b.now += 0.05;
		if (cases[i].forgotten) {
			old = b.nics[0];
			b.network.n = 0;
			manager_network_callbacks.link(&old, NULL, b.manager);
			pass(&b, 0.35);
			assert_null(nics_get(b.manager->nics, NIC));
			b.now += 0.05;
		}
		shadow = *entry(&b, belief)->shadow;
		fall(&b);
		if (cases[i].forgotten)
			manager_tick(b.manager);
		else
			tell_link(&b, false);
		assert_true(is_back(&b, belief));
		assert_int_equal(fake_kernel_view(b.fake, belief).sequence_out,
				 shadow.sequence +
					 shadow_numbers_possible(b.now - shadow.sampled_at,
								 cases[i].assumed));
		close_bench(&b);
	}
}

/* The sequence space does not limit an inbound SA, which does not send. */
static void test_inbound_after_a_long_time(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_mode(&b, "restore");
	belief = inbound(&b, 1);
	b.manager->config->interval = 100;
	b.now += 60;
	go_down(&b);
	assert_true(b.manager->tracker->stale);
	assert_true(is_back(&b, belief));
	assert_int_equal(fake_kernel_view(b.fake, belief).sequence_out, 0);
	close_bench(&b);
}

/* The SA is lost before it was sampled in the NIC: it is restored from the image of its move. After
 * it left the NIC no image is kept. */
static void test_shadow_of_a_move(void **state)
{
	struct fake_belief *belief;
	struct bench b;
	size_t in_use;

	(void)state;
	for (unsigned evicted = 0; evicted < 2; evicted++) {
		open_mode(&b, "restore");
		in_use = secret_arena_in_use(b.arena);
		b.manager->config->interval = 100;
		pass(&b, 1.0);
		belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 9});
		pass(&b, 0.05);
		assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
		assert_true(secret_arena_in_use(b.arena) > in_use);
		if (evicted) {
			assert_int_equal(manager_evacuate(b.manager, "eth0"), 0);
			pass(&b, 0.05);
			assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
		} else {
			go_down(&b);
			assert_true(is_back(&b, belief));
		}
		assert_int_equal(secret_arena_in_use(b.arena), in_use);
		close_bench(&b);
	}
}

/* An event names the SA before the link message: it is back in the next turn of the loop. */
static void test_event_first(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_mode(&b, "restore");
	belief = outbound(&b, 1);
	assert_int_equal(fake_ike_update(b.fake, belief, 1000, 0), 0);
	fall(&b);
	b.nics[0].up = false;
	settle(&b);
	assert_true(is_back(&b, belief));
	close_bench(&b);
}

/* An owed SA is put back only by the executor, from the image with the final numbers. */
static void test_owed(void **state)
{
	struct move move = {.target.direction = SA_DIRECTION_OUT, .exact = true};
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_mode(&b, "restore");
	belief = outbound(&b, 1);
	move.id = fake_belief_id(belief);
	move.image = entry(&b, belief)->shadow->image;
	move.image.attributes = secret_alloc(b.arena, move.image.size);
	memcpy(move.image.attributes, entry(&b, belief)->shadow->image.attributes, move.image.size);
	sa_image_advance(&move.image, 1000000);
	executor_keep(b.manager->executor, &move);
	go_down(&b);
	assert_false(fake_kernel_view(b.fake, belief).exists);
	assert_false(b.manager->tracker->stale);
	b.manager->config->on_link_down = CONFIG_LINK_DOWN_LEAVE;
	manager_tick(b.manager);
	assert_non_null(entry(&b, belief));
	pass(&b, 0.05);
	assert_true(is_back(&b, belief));
	assert_true(fake_kernel_view(b.fake, belief).sequence_out > 1000000);
	assert_true(fake_kernel_view(b.fake, belief).sequence_out < 1010000);
	assert_int_equal(told(&b, "SAs that went down"), 0);
	close_bench(&b);
}

/* SAs of other programs are not restored, and are removed from the table at once. The IKE daemon
 * may put one in packet offload in the place of one of ours. */
static void test_of_others(void **state)
{
	struct fake_sa_spec spec = {.spi = 0x1001, .peer = 10, .reqid = 1};
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	for (unsigned packet = 0; packet < 2; packet++) {
		open_mode(&b, "restore");
		if (packet) {
			belief = promoted(&b, spec);
			assert_int_equal(fake_ike_delete(b.fake, belief), 0);
		}
		spec.ifindex = NIC;
		spec.packet = packet;
		belief = add(&b, spec);
		pass(&b, 0.3);
		assert_int_equal(entry(&b, belief)->residence.foreign, !packet);
		fall(&b);
		pass(&b, 0.15);
		assert_null(entry(&b, belief));
		tell_link(&b, false);
		assert_false(fake_kernel_view(b.fake, belief).exists);
		close_bench(&b);
		spec.ifindex = 0;
	}
}

/* The IKE daemon deletes an SA at that moment: it is not restored, and is not counted. */
static void test_deleted(void **state)
{
	struct fake_belief *kept, *deleted;
	struct bench b;

	(void)state;
	open_mode(&b, "restore");
	kept = outbound(&b, 1);
	deleted = outbound(&b, 2);
	assert_int_equal(fake_ike_delete(b.fake, deleted), 0);
	go_down(&b);
	pass(&b, 2.0);
	assert_true(is_back(&b, kept));
	assert_false(fake_kernel_view(b.fake, deleted).exists);
	assert_int_equal(told(&b, "1 back in software after 0.0 ms, 0 not"), 1);
	close_bench(&b);
}

/* shadows_may_be_lost() has no side effect. */
static void test_question(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_mode(&b, "restore");
	belief = outbound(&b, 1);
	assert_true(shadows_may_be_lost(b.manager->shadows, entry(&b, belief)));
	assert_true(entry(&b, belief)->presence.missing_since == 0);
	b.nics[0].up = false;
	assert_true(shadows_may_be_lost(b.manager->shadows, entry(&b, belief)));
	assert_false(is_due(&b, MANAGER_LOST));
	shadows_note_missing(b.manager->shadows, entry(&b, belief));
	assert_true(is_due(&b, MANAGER_LOST));
	close_bench(&b);
}

static void ask_again(struct fake_kernel *k, enum fake_moment moment, unsigned step, void *userdata)
{
	struct bench *b = userdata;

	(void)step;
	fake_kernel_set_hook(k, NULL, NULL);
	assert_int_equal(moment, FAKE_BEFORE_TRANSACT);
	shadows_restore_soon(b->manager->shadows, OTHER_NIC);
	shadows_restore_soon(b->manager->shadows, NIC);
}

/* An SA is found missing in the middle of an attempt for its NIC: another attempt follows. */
static void test_asked_again_meanwhile(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_mode(&b, "restore");
	belief = outbound(&b, 1);
	fall(&b);
	b.nics[0].up = false;
	shadows_restore_soon(b.manager->shadows, NIC);
	fake_kernel_set_hook(b.fake, ask_again, &b);
	assert_true(shadows_run(b.manager->shadows));
	assert_true(is_back(&b, belief));
	assert_int_equal(shadows_restoring(b.manager->shadows), 1);
	assert_true(is_due(&b, MANAGER_LOST));
	settle(&b);
	assert_int_equal(shadows_restoring(b.manager->shadows), 0);
	assert_int_equal(told(&b, "SAs that went down"), 1);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asked_again_meanwhile),
		cmocka_unit_test(test_question),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_nothing_there),
		cmocka_unit_test(test_dump_first),
		cmocka_unit_test(test_message_is_late),
		cmocka_unit_test(test_attempts),
		cmocka_unit_test(test_deleted),
		cmocka_unit_test(test_when_attempts_are_made),
		cmocka_unit_test(test_two_nics),
		cmocka_unit_test(test_unknown_nic),
		cmocka_unit_test(test_speed),
		cmocka_unit_test(test_inbound_after_a_long_time),
		cmocka_unit_test(test_shadow_of_a_move),
		cmocka_unit_test(test_event_first),
		cmocka_unit_test(test_owed),
		cmocka_unit_test(test_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

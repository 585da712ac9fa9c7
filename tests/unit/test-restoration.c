// SPDX-License-Identifier: GPL-2.0-or-later
/* Which SAs come back after their NIC went down, when, and what is told of it. */
#include "manager-bench.h"

static const char *const with_mode = "mode: enforce\n"
				     "interval: 100ms\n"
				     "moves-per-second: 1000\n"
				     "on-link-down: %s\n"
				     "nics:\n"
				     "  - match: {name: eth*}\n"
				     "    allow: true\n"
				     "    trusted: true\n"
				     "    capacity: 16\n";

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

/* What the operator wants back, and how it is counted. */
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
		fall(&b);
		tell_link(&b, false);
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

/* Many, of both directions; those of another NIC and those of others are not touched. */
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
	fall(&b);
	tell_link(&b, false);
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

/* A link that falls without any SA in it is nothing to talk about. */
static void test_nothing_there(void **state)
{
	struct bench b;

	(void)state;
	open_mode(&b, "restore");
	(void)add(&b, (struct fake_sa_spec){.spi = 0x1101, .peer = 91, .reqid = 91});
	pass(&b, 0.5);
	tell_link(&b, false);
	pass(&b, 2.0);
	assert_int_equal(told(&b, "SAs that went down"), 0);
	close_bench(&b);
}

/* A dump shows what is missing before the message of the link is read: the NIC is down, or gone. */
static void check_dump_first(bool gone, const char *mode, bool comes_back)
{
	struct fake_belief *belief;
	struct bench b;

	open_mode(&b, mode);
	belief = outbound(&b, 1);
	fall(&b);
	b.network.nic.up = false;
	b.network.present = !gone;
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

/* The kernel tells of the link first, and deletes while attempts are made, or after the last. */
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
	assert_true(is_back(&b, one)); /* a dump finds it missing at last */
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

/* The IKE daemon deletes an SA in that moment: it does not come back, and is not counted. */
static void test_deleted(void **state)
{
	struct fake_belief *kept, *deleted;
	struct bench b;

	(void)state;
	open_mode(&b, "restore");
	kept = outbound(&b, 1);
	deleted = outbound(&b, 2);
	assert_int_equal(fake_ike_delete(b.fake, deleted), 0);
	fall(&b);
	tell_link(&b, false);
	pass(&b, 2.0);
	assert_true(is_back(&b, kept));
	assert_false(fake_kernel_view(b.fake, deleted).exists);
	assert_int_equal(told(&b, "1 back in software after 0.0 ms, 0 not"), 1);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),           cmocka_unit_test(test_many),
		cmocka_unit_test(test_nothing_there),   cmocka_unit_test(test_dump_first),
		cmocka_unit_test(test_message_is_late), cmocka_unit_test(test_attempts),
		cmocka_unit_test(test_deleted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

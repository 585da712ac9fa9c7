// SPDX-License-Identifier: GPL-2.0-or-later
/* What comes of a move: what is remembered of a refusal, what is counted, what is told. */
#include "manager-bench.h"

#include <sys/stat.h>

static const char *const quick_retry = "mode: enforce\n"
				       "interval: 100ms\n"
				       "moves-per-second: 1000\n"
				       "retry-refused: 10s\n"
				       "nics:\n"
				       "  - match: {name: eth0}\n"
				       "    allow: true\n"
				       "    trusted: true\n"
				       "    capacity: 4\n";

static bool is_refused(struct bench *b, struct fake_belief *belief, const char **ret_text)
{
	return manager_shape_is_refused(b->manager, NIC, entry(b, belief)->shape, ret_text);
}

/* The driver's words and the time until it is asked again, which doubles. */
static void test_refused(void **state)
{
	struct fake_belief *belief, *other;
	const char *text = NULL;
	struct fake_nic *nic;
	struct bench b;

	(void)state;
	open_bench_with(&b, quick_retry);
	nic = fake_kernel_nic(b.fake, NIC);
	nic->fail_error = -EINVAL;
	nic->fail_adds = 1000;
	nic->fail_text = "not this one";
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(&b, 1.0, belief);
	assert_int_equal(b.manager->refused, 1);
	assert_int_equal(b.manager->promoted, 0);
	assert_int_equal(b.manager->failed, 0);
	assert_true(is_refused(&b, belief, &text));
	assert_string_equal(text, "not this one");
	assert_true(is_refused(&b, belief, NULL));
	assert_string_equal(entry(&b, belief)->refusal_text, "not this one");
	assert_int_equal(entry(&b, belief)->refusal, -EINVAL);

	/* Not for another NIC, nor for another shape. */
	other = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2, .esn = true});
	pass(&b, 0.3);
	assert_false(is_refused(&b, other, NULL));
	assert_false(manager_shape_is_refused(b.manager, NIC + 1, entry(&b, belief)->shape, NULL));
	assert_int_equal(fake_ike_delete(b.fake, other), 0);

	/* After 10, 20 and 40 seconds. */
	work(&b, 8.0, belief);
	assert_int_equal(b.manager->refused, 1);
	work(&b, 3.0, belief);
	assert_int_equal(b.manager->refused, 2);
	work(&b, 17.0, belief);
	assert_int_equal(b.manager->refused, 2);
	work(&b, 5.0, belief);
	assert_int_equal(b.manager->refused, 3);
	nic->fail_adds = 0;
	work(&b, 35.0, belief);
	assert_int_equal(b.manager->refused, 3);
	assert_int_equal(b.manager->promoted, 0);
	work(&b, 8.0, belief);
	assert_int_equal(b.manager->promoted, 1);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	assert_false(is_refused(&b, belief, NULL));
	assert_null(entry(&b, belief)->refusal_text);
	assert_int_equal(entry(&b, belief)->refusal, 0);
	close_bench(&b);
}

/* What says something of the moment is no fault of the shape. */
static void check_error(int error, bool shape_is_refused)
{
	struct fake_belief *belief;
	struct fake_nic *nic;
	struct bench b;

	open_bench_with(&b, quick_retry);
	nic = fake_kernel_nic(b.fake, NIC);
	nic->fail_error = error;
	nic->fail_adds = 1;
	nic->fail_text = "";
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	for (unsigned i = 0; b.manager->refused == 0; i++) {
		assert_true(i < 50);
		work(&b, 0.1, belief);
	}
	assert_int_equal(is_refused(&b, belief, NULL), shape_is_refused);
	assert_int_equal(entry(&b, belief)->refusal, error);
	assert_string_equal(entry(&b, belief)->refusal_text, strerror(-error));
	close_bench(&b);
}

static void test_errors(void **state)
{
	(void)state;
	check_error(-EINVAL, true);
	check_error(-EBUSY, false);
	check_error(-ENOMEM, false);
}

/* It says yes, and leaves it in software. */
static void test_silent(void **state)
{
	static const char text[] = "the kernel accepted the offload and left the SA in software "
				   "without a word";
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench_with(&b, quick_retry);
	fake_kernel_nic(b.fake, NIC)->unsupported = true;
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(&b, 1.0, belief);
	assert_int_equal(b.manager->refused, 1);
	assert_true(is_refused(&b, belief, NULL));
	assert_string_equal(entry(&b, belief)->refusal_text, text);
	assert_int_equal(entry(&b, belief)->refusal, -EOPNOTSUPP);
	close_bench(&b);
}

/* It ends up on another NIC: back at once. */
static void test_elsewhere(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench_with(&b, quick_retry);
	(void)fake_kernel_add_nic(
		b.fake,
		&(struct fake_nic){.ifindex = OTHER_NIC, .name = "eth1", .capacity_in = 33});
	fake_kernel_nic(b.fake, NIC)->lands_on = OTHER_NIC;
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	for (unsigned i = 0; b.manager->refused == 0; i++) {
		assert_true(i < 50);
		work(&b, 0.1, belief);
		assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	}
	assert_int_equal(entry(&b, belief)->ifindex, 0);
	assert_int_equal(b.manager->promoted, 0);
	assert_int_equal(fake_kernel_check(b.fake, FAKE_CHECK_COUNTERS_MAY_DIFFER, stderr), 0);
	close_bench(&b);
}

/* What cannot be remembered is not promoted. */
static void test_ownership_cannot_be_written(void **state)
{
	struct fake_belief *belief;
	char temporary[80];
	struct bench b;

	(void)state;
	open_bench_with(&b, quick_retry);
	snprintf(temporary, sizeof(temporary), "%s.new", b.path);
	assert_int_equal(mkdir(temporary, 0700), 0);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(&b, 1.0, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	assert_int_equal(b.manager->promoted, 0);
	assert_true(health_holds(b.manager->health, HEALTH_OWNERSHIP));
	assert_int_equal(rmdir(temporary), 0);
	work(&b, 10.0, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	assert_false(health_holds(b.manager->health, HEALTH_OWNERSHIP));
	assert_int_equal(b.manager->promoted, 1);
	assert_int_equal(b.manager->evicted, 0);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_elsewhere),
		cmocka_unit_test(test_ownership_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

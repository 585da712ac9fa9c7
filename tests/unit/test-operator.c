// SPDX-License-Identifier: GPL-2.0-or-later
/* What an operator orders and reads: health, pause, evacuation, reload. */
#include "manager-bench.h"

static json_t *get_status(struct bench *b)
{
	json_t *reply = NULL;
	const char *error = NULL;

	for (size_t i = 0; i < methods_count; i++)
		if (strcmp(methods_table[i].name, "GetStatus") == 0)
			assert_int_equal(methods_table[i].call(NULL, b->manager, &reply, &error),
					 0);
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

/* The kernel stops to show links while an SA cannot be put back: the one is over before the other.
 */
static void test_conditions_do_not_hide_each_other(void **state)
{
	/* Before: GETSA, ALLOCSPI; GETSA, GETAE, DELSA, ALLOCSPI. */
	static const struct fake_fault no_memory = {
		.kind = FAKE_FAULT_REFUSE, .message = 6, .count = 100000, .error = -ENOMEM};
	struct fake_belief *busy;
	struct bench b;
	json_t *status;

	(void)state;
	open_bench(&b);
	assert_true(json_is_null(json_object_get(status = get_status(&b), "degraded")));
	assert_int_equal(json_array_size(json_object_get(status, "conditions")), 0);
	json_decref(status);
	manager_set_paused(b.manager, true);
	busy = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(&b, 0.5, busy);
	fake_kernel_restart_counts(b.fake);
	fake_kernel_set_fault(b.fake, &no_memory);
	manager_set_paused(b.manager, false);
	work(&b, 0.3, busy);
	assert_int_equal(b.manager->n_restoring, 1);
	assert_true(is_degraded(&b, "could not be put back"));
	manager_network_callbacks.failed(-ENOBUFS, b.manager);
	assert_true(is_degraded(&b, "could not be put back"));
	assert_true(is_degraded(&b, "links and routes"));
	status = get_status(&b);
	assert_int_equal(json_array_size(json_object_get(status, "conditions")), 2);
	json_decref(status);

	fake_kernel_set_fault(b.fake, &(struct fake_fault){});
	work(&b, 2.0, busy);
	assert_int_equal(b.manager->n_restoring, 0);
	assert_false(is_degraded(&b, "could not be put back"));
	assert_true(is_degraded(&b, "links and routes"));
	manager_network_callbacks.resynced(b.manager);
	work(&b, 0.5, busy);
	status = get_status(&b);
	assert_true(json_is_null(json_object_get(status, "degraded")));
	json_decref(status);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conditions_do_not_hide_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

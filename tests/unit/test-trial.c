// SPDX-License-Identifier: GPL-2.0-or-later
/* A configuration on trial: it comes, stays if it is confirmed, and goes else. */
#include "manager-bench.h"

#include <math.h>

#define HEAD "interval: 100ms\nmoves-per-second: 1000\n"
#define NICS "nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 4}]\n"

static const char *const pinned =
	"mode: enforce\n" HEAD NICS "rules: [{match: {reqid: 1}, offload: always}]\n";
static const char *const banned =
	"mode: enforce\n" HEAD NICS "rules: [{match: {reqid: 1}, offload: never}]\n";
static const char *const observing =
	"mode: observe\n" HEAD NICS "rules: [{match: {reqid: 1}, offload: never}]\n";
static const char *const broken = "mode: enforced\n";

struct trial_bench {
	struct bench b;
	char path[64];
	struct fake_belief *sa;
};

static void write_file(const struct trial_bench *t, const char *text)
{
	FILE *file = fopen(t->path, "we");

	assert_non_null(file);
	(void)fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

/* The SA is in the NIC by its rule. */
static void open_trial(struct trial_bench *t)
{
	open_bench_with(&t->b, pinned);
	snprintf(t->path, sizeof(t->path), "%s/conf", t->b.directory);
	t->b.manager->environment.config_source.path = t->path;
	t->sa = add(&t->b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	pass(&t->b, 1);
	assert_int_equal(fake_kernel_view(t->b.fake, t->sa).ifindex, NIC);
}

static void close_trial(struct trial_bench *t)
{
	(void)unlink(t->path);
	close_bench(&t->b);
}

static bool is_in_nic(const struct trial_bench *t)
{
	return fake_kernel_view(t->b.fake, t->sa).ifindex == NIC;
}

static int reload(struct trial_bench *t, const char *text, double seconds)
{
	write_file(t, text);
	return manager_reload(t->b.manager, seconds, NULL);
}

/* Calls a method without its socket. The caller releases the reply. */
static json_t *call(struct trial_bench *t, const char *method, json_t *parameters,
		    const char **ret_error)
{
	struct methods methods = {.manager = t->b.manager};
	json_t *reply = NULL;

	*ret_error = NULL;
	for (size_t i = 0; i < methods_count; i++)
		if (strcmp(methods_table[i].name, method) == 0)
			assert_int_equal(
				methods_table[i].call(parameters, &methods, &reply, ret_error), 0);
	json_decref(parameters);
	return reply;
}

/* -1: the status shows no trial. */
static double shown_left(struct trial_bench *t)
{
	const char *error;
	json_t *status = call(t, "GetStatus", json_object(), &error);
	const json_t *trial = json_object_get(status, "trial");
	double left = -1;

	assert_non_null(trial);
	if (!json_is_null(trial)) {
		left = json_number_value(json_object_get(trial, "secondsLeft"));
		assert_int_equal(json_integer_value(json_object_get(trial, "until")),
				 t->b.manager->trial.until);
	}
	json_decref(status);
	return left;
}

/* The SA leaves the NIC by the configuration on trial, and returns by the one before. */
static void test_comes_back(void **state)
{
	struct trial_bench t;
	const struct config *before;

	(void)state;
	open_trial(&t);
	before = t.b.manager->config;
	assert_true(shown_left(&t) < 0);
	assert_int_equal(reload(&t, banned, 60), 0);
	assert_int_equal(t.b.manager->trial.until, bench_realtime(&t.b) + 60);
	assert_true(shown_left(&t) == 60);
	pass(&t.b, 59.9);
	assert_false(is_in_nic(&t));
	assert_true(fabs(shown_left(&t) - 0.1) < 1e-6);
	assert_int_equal(told(&t.b, "on trial: the configuration before comes back in 1 min"), 1);
	assert_int_equal(told(&t.b, "not confirmed"), 0);
	pass(&t.b, 1);
	assert_true(is_in_nic(&t));
	assert_ptr_equal(t.b.manager->config, before);
	assert_true(shown_left(&t) < 0);
	assert_int_equal(told(&t.b, "was not confirmed within 1 min: the one before is in force "
				    "again. The files still have the one that was tried"),
			 1);
	/* Once, and the next reload uses the file. */
	pass(&t.b, 120);
	assert_true(is_in_nic(&t));
	assert_int_equal(told(&t.b, "not confirmed"), 1);
	assert_int_equal(manager_reload(t.b.manager, 0, NULL), 0);
	pass(&t.b, 1);
	assert_false(is_in_nic(&t));
	close_trial(&t);
}

static void test_is_confirmed(void **state)
{
	struct trial_bench t;
	const char *error;
	json_t *reply;

	(void)state;
	open_trial(&t);
	assert_int_equal(reload(&t, banned, 60), 0);
	pass(&t.b, 59.9);
	reply = call(&t, "ConfirmReload", json_object(), &error);
	assert_null(error);
	assert_string_equal(json_string_value(json_object_get(reply, "path")), t.path);
	json_decref(reply);
	assert_true(shown_left(&t) < 0);
	assert_false(is_due(&t.b, MANAGER_TRIAL));
	pass(&t.b, 120);
	assert_false(is_in_nic(&t));
	assert_int_equal(told(&t.b, "is confirmed and stays in force"), 1);
	assert_int_equal(told(&t.b, "not confirmed"), 0);
	reply = call(&t, "ConfirmReload", json_object(), &error);
	assert_string_equal(error, "NotOnTrial");
	json_decref(reply);
	close_trial(&t);
}

/* The next trial begins where the last one ended. */
static void test_again(void **state)
{
	struct trial_bench t;

	(void)state;
	open_trial(&t);
	assert_int_equal(reload(&t, banned, 5), 0);
	pass(&t.b, 6);
	assert_int_equal(reload(&t, banned, 5), 0);
	assert_true(shown_left(&t) == 5);
	assert_int_equal(manager_confirm(t.b.manager), 0);
	assert_int_equal(reload(&t, pinned, 5), 0);
	pass(&t.b, 4);
	assert_true(is_in_nic(&t));
	pass(&t.b, 2);
	assert_false(is_in_nic(&t));
	close_trial(&t);
}

static void test_errors_begin_no_trial(void **state)
{
	struct trial_bench t;
	const struct config *before;
	const char *error;
	json_t *reply;

	(void)state;
	open_trial(&t);
	before = t.b.manager->config;
	write_file(&t, broken);
	reply = call(&t, "Reload", json_pack("{s:i}", "trySeconds", 60), &error);
	assert_string_equal(error, "InvalidConfiguration");
	json_decref(reply);
	assert_ptr_equal(t.b.manager->config, before);
	assert_true(shown_left(&t) < 0);
	assert_false(is_due(&t.b, MANAGER_TRIAL));
	assert_int_equal(manager_confirm(t.b.manager), -ENOENT);
	pass(&t.b, 61);
	assert_ptr_equal(t.b.manager->config, before);
	assert_true(is_in_nic(&t));
	close_trial(&t);
}

/* Of the time of a trial: `seconds`, or something else. */
static void check_time(struct trial_bench *t, json_int_t seconds, const char *expected)
{
	const char *error;
	json_t *reply = call(t, "Reload", json_pack("{s:I}", "trySeconds", seconds), &error);

	if (expected)
		assert_string_equal(error, expected);
	else
		assert_null(error);
	assert_int_equal(manager_is_on_trial(t->b.manager), !expected);
	assert_int_equal(manager_confirm(t->b.manager), expected ? -ENOENT : 0);
	json_decref(reply);
}

static void test_bounds_of_the_time(void **state)
{
	struct trial_bench t;

	(void)state;
	open_trial(&t);
	write_file(&t, banned);
	check_time(&t, 0, "InvalidValue");
	check_time(&t, 4, "InvalidValue");
	check_time(&t, 3601, "InvalidValue");
	pass(&t.b, 1);
	assert_true(is_in_nic(&t));
	check_time(&t, 5, NULL);
	check_time(&t, 3600, NULL);
	close_trial(&t);
}

/* By the control socket and by a signal: neither what is in force nor the time changes. */
static void test_no_reload_during_a_trial(void **state)
{
	static const int seconds[] = {0, 600};
	struct trial_bench t;
	const struct config *tried;

	(void)state;
	open_trial(&t);
	assert_int_equal(reload(&t, banned, 60), 0);
	tried = t.b.manager->config;
	write_file(&t, pinned);
	pass(&t.b, 20);
	for (size_t i = 0; i < ELEMENTSOF(seconds); i++) {
		json_t *parameters = json_object(), *reply;
		const char *error;

		if (seconds[i] > 0)
			json_object_set_new(parameters, "trySeconds", json_integer(seconds[i]));
		reply = call(&t, "Reload", parameters, &error);
		assert_string_equal(error, "OnTrial");
		assert_true(json_number_value(json_object_get(reply, "secondsLeft")) == 40);
		json_decref(reply);
	}
	assert_int_equal(manager_reload(t.b.manager, 0, NULL), -EBUSY);
	assert_int_equal(told(&t.b, "was not read: a configuration is on trial for another 40 s"),
			 3);
	assert_ptr_equal(t.b.manager->config, tried);
	assert_true(shown_left(&t) == 40);
	pass(&t.b, 39);
	assert_false(is_in_nic(&t));
	pass(&t.b, 2);
	assert_true(is_in_nic(&t));
	close_trial(&t);
}

/* The mode is a part of the configuration, and the SA stays where it is in observe mode. */
static void test_mode_comes_back(void **state)
{
	struct trial_bench t;

	(void)state;
	open_trial(&t);
	assert_int_equal(reload(&t, observing, 30), 0);
	pass(&t.b, 29);
	assert_int_equal(t.b.manager->config->mode, CONFIG_MODE_OBSERVE);
	assert_true(is_in_nic(&t));
	pass(&t.b, 2);
	assert_int_equal(t.b.manager->config->mode, CONFIG_MODE_ENFORCE);
	apply(&t.b, banned);
	pass(&t.b, 1);
	assert_false(is_in_nic(&t));
	close_trial(&t);
}

/* A NIC that the trial allowed must be empty when it is over, also during a pause. */
static void test_trust_ends_with_the_trial(void **state)
{
	struct trial_bench t;

	(void)state;
	open_trial(&t);
	apply(&t.b, "mode: enforce\n" HEAD);
	pass(&t.b, 1);
	assert_false(is_in_nic(&t));
	assert_int_equal(reload(&t, pinned, 30), 0);
	pass(&t.b, 10);
	assert_true(is_in_nic(&t));
	manager_set_paused(t.b.manager, true);
	pass(&t.b, 19);
	assert_true(is_in_nic(&t));
	pass(&t.b, 2);
	assert_false(is_in_nic(&t));
	close_trial(&t);
}

/* A start reads the files, and the configuration before is freed with the manager. */
static void test_ends_with_the_daemon(void **state)
{
	struct trial_bench t;

	(void)state;
	open_trial(&t);
	assert_int_equal(reload(&t, banned, 60), 0);
	pass(&t.b, 10);
	t.b.manager = manager_free(t.b.manager);
	start_manager(&t.b, banned);
	assert_false(manager_is_on_trial(t.b.manager));
	pass(&t.b, 120);
	assert_false(is_in_nic(&t));
	close_trial(&t);
}

static void on_stopped(void *userdata)
{
	(void)userdata;
	fail_msg("nothing is owed, so this is called by manager_stop() only");
}

/* The daemon waits for an SA that it owes to the kernel, and moves none when a trial ends. */
static void test_ends_during_a_stop(void **state)
{
	struct trial_bench t;

	(void)state;
	open_trial(&t);
	assert_int_equal(reload(&t, banned, 10), 0);
	pass(&t.b, 1);
	t.b.manager->stop.done = on_stopped;
	pass(&t.b, 10);
	assert_false(manager_is_on_trial(t.b.manager));
	assert_false(is_in_nic(&t));
	close_trial(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comes_back),
		cmocka_unit_test(test_is_confirmed),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_errors_begin_no_trial),
		cmocka_unit_test(test_bounds_of_the_time),
		cmocka_unit_test(test_no_reload_during_a_trial),
		cmocka_unit_test(test_mode_comes_back),
		cmocka_unit_test(test_trust_ends_with_the_trial),
		cmocka_unit_test(test_ends_with_the_daemon),
		cmocka_unit_test(test_ends_during_a_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rank-by: which SAs get the slots, what algorithms are measured, and what is shown of that. */
#include "full-nic.h"

#include <math.h>
#include <semaphore.h>

#define ONE_SLOT                                                   \
	"mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\n" \
	"nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 1}]\n"
#define BY_CPU ONE_SLOT "rank-by: cpu\n"

static unsigned n_measured;
static int failure;

/* authenc() costs ten times as much as an AEAD. */
static int measure(const struct cipher *cipher, struct policy_cpu_cost *ret_cost)
{
	double factor = cipher->authenc ? 10 : 1;

	n_measured++;
	*ret_cost = (struct policy_cpu_cost){.per_byte = 0.5 * factor, .per_packet = 200 * factor};
	return failure;
}

static void open_with(struct bench *b, const char *text, cpu_costs_measure function)
{
	open_bench_with(b, text);
	cpu_costs_free(b->manager->cpu_costs);
	assert_int_equal(cpu_costs_new(function, &b->manager->cpu_costs), 0);
	n_measured = 0;
	failure = 0;
}

/* A tick begins, the thread ends, and the next tick has the results. */
static void measure_all(struct bench *b)
{
	pass(b, 0.2);
	cpu_costs_wait(b->manager->cpu_costs);
	pass(b, 0.2);
}

static int place(const struct bench *b, const struct fake_belief *belief)
{
	return fake_kernel_view(b->fake, belief).ifindex;
}

static double weight(struct bench *b, const struct fake_belief *belief)
{
	struct policy_sa_view view = {};

	policy_sa_get(b->manager->policy, entry(b, belief)->handle, b->now, &view);
	return view.cpu_weight;
}

static bool is_near(double value, double expected)
{
	return fabs(value - expected) < 0.001 * expected;
}

/* The first one has the slot when the second begins. */
static void compete(struct bench *b, struct fake_belief *const *beliefs, const unsigned *packets)
{
	measure_all(b);
	run(b, 5, beliefs, packets, 1);
	assert_int_equal(place(b, beliefs[0]), NIC);
	run(b, 20, beliefs, packets, 2);
}

static void test_algorithms(void **state)
{
	static const char *const texts[] = {ONE_SLOT, BY_CPU};
	static const unsigned packets[] = {50, 40};

	(void)state;
	for (unsigned by_cpu = 0; by_cpu < 2; by_cpu++) {
		struct fake_belief *beliefs[2];
		struct bench b;

		open_with(&b, texts[by_cpu], measure);
		beliefs[0] = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
		beliefs[1] = add(
			&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .cbc_sha256 = true});
		compete(&b, beliefs, packets);
		assert_int_equal(place(&b, beliefs[by_cpu]), NIC);
		assert_int_equal(place(&b, beliefs[!by_cpu]), 0);
		assert_int_equal(n_measured, by_cpu ? 2 : 0);
		assert_true(is_near(weight(&b, beliefs[1]),
				    by_cpu ? 10 * (0.5 + 0.2) / (0.5 + 200 / 1424.0) : 1));
		close_bench(&b);
	}
}

/* The kernel counts ten packets of one of them as one, so only the sequence numbers differ. */
static void test_packets(void **state)
{
	static const char *const texts[] = {ONE_SLOT, BY_CPU};

	(void)state;
	for (unsigned by_cpu = 0; by_cpu < 2; by_cpu++) {
		struct fake_belief *large, *small;
		struct bench b;

		open_with(&b, texts[by_cpu], measure);
		fake_kernel_config(b.fake)->segments = 10;
		large = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .esn = true});
		small = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .esn = true});
		measure_all(&b);
		for (unsigned i = 0; i < 1000; i++) {
			(void)fake_kernel_send(b.fake, large, 50, 1000);
			if (i > 100)
				(void)fake_kernel_send(b.fake, small, 400, 100);
			pass(&b, 0.02);
		}
		assert_int_equal(place(&b, by_cpu ? small : large), NIC);
		assert_int_equal(place(&b, by_cpu ? large : small), 0);
		close_bench(&b);
	}
}

/* A cost for each algorithm, key and direction, however many SAs have it. */
static void test_what_is_measured(void **state)
{
	struct cpu_costs_view view;
	struct bench b;
	size_t n;

	(void)state;
	open_with(&b, BY_CPU, measure);
	for (unsigned i = 0; i < 8; i++)
		(void)add(&b, (struct fake_sa_spec){.spi = 0x1001 + i,
						    .peer = 10 + i,
						    .inbound = i % 2 == 1,
						    .esn = i / 2 == 1,
						    .cbc_sha256 = i / 2 == 2,
						    .key_bits = i / 2 == 3 ? 288 : 0});
	measure_all(&b);
	assert_int_equal(n_measured, 6);
	(void)cpu_costs_values(b.manager->cpu_costs, &n);
	assert_int_equal(n, 6);
	for (size_t i = 0; i < n; i++) {
		bool aead;

		view = cpu_costs_get(b.manager->cpu_costs, i);
		aead = !view.cipher->authenc;
		assert_string_equal(view.cipher->name,
				    aead ? "rfc4106(gcm(aes))" : "authenc(hmac(sha256),cbc(aes))");
		assert_int_equal(view.cipher->icv_bytes, 16);
		assert_int_equal(view.cipher->auth_key_bytes, aead ? 0 : 32);
		assert_true(view.measured && view.cost.per_byte > 0);
	}
	measure_all(&b);
	assert_int_equal(n_measured, 6);
	close_bench(&b);
}

/* It is tried again, but not for ever. */
static void test_inexact(void **state)
{
	struct bench b;

	(void)state;
	open_with(&b, BY_CPU, measure);
	failure = -ERANGE;
	(void)add(&b, (struct fake_sa_spec){.peer = 10});
	for (unsigned i = 0; i < 10; i++)
		measure_all(&b);
	assert_int_equal(n_measured, 5);
	assert_true(cpu_costs_get(b.manager->cpu_costs, 0).cost.per_byte == 0);
	cpu_costs_renew(b.manager->cpu_costs);
	for (unsigned i = 0; i < 10; i++)
		measure_all(&b);
	assert_int_equal(n_measured, 10);
	cpu_costs_renew(b.manager->cpu_costs);
	failure = 0;
	for (unsigned i = 0; i < 10; i++)
		measure_all(&b);
	assert_int_equal(n_measured, 11);
	assert_true(cpu_costs_get(b.manager->cpu_costs, 0).cost.per_byte > 0);
	close_bench(&b);
}

/* Another driver has other costs. */
static void test_driver(void **state)
{
	struct bench b;

	(void)state;
	open_with(&b, BY_CPU, measure);
	set_software_driver(&b, "seqiv(rfc4106-gcm-aesni)");
	(void)add(&b, (struct fake_sa_spec){.peer = 10});
	measure_all(&b);
	pass(&b, SOFTWARE_MAX_AGE + 1);
	assert_int_equal(n_measured, 1);
	set_software_driver(&b, "seqiv(rfc4106(gcm_base(ctr(aes-generic),ghash-generic)))");
	pass(&b, SOFTWARE_MAX_AGE + 1);
	measure_all(&b);
	assert_int_equal(n_measured, 2);
	close_bench(&b);
}

static json_t *ranking_of(struct bench *b)
{
	json_t *reply = ask_method(b, method_get_status, json_object());
	json_t *ranking = json_incref(json_object_get(reply, "ranking"));

	json_decref(reply);
	assert_non_null(ranking);
	return ranking;
}

static void check_ranking(struct bench *b, const char *configured, const char *in_force,
			  const char *reason)
{
	json_t *ranking = ranking_of(b);
	const char *shown = json_string_value(json_object_get(ranking, "reason"));

	assert_string_equal(json_string_value(json_object_get(ranking, "configured")), configured);
	assert_string_equal(json_string_value(json_object_get(ranking, "inForce")), in_force);
	assert_int_equal(shown == NULL, reason == NULL);
	if (shown && reason)
		assert_non_null(strstr(shown, reason));
	json_decref(ranking);
}

/* Without AF_ALG SAs are ranked by bytes. */
static void test_fallback(void **state)
{
	static const unsigned packets[] = {50, 40};
	struct fake_belief *beliefs[2];
	struct bench b;

	(void)state;
	open_with(&b, BY_CPU, measure);
	failure = -EAFNOSUPPORT;
	check_ranking(&b, "cpu", "bytes", NULL);
	beliefs[0] = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	beliefs[1] = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .cbc_sha256 = true});
	compete(&b, beliefs, packets);
	assert_int_equal(place(&b, beliefs[0]), NIC);
	assert_true(weight(&b, beliefs[1]) == 1);
	check_ranking(&b, "cpu", "bytes", "RestrictAddressFamilies=");
	assert_int_equal(told(&b, "Ranking SAs by bytes: "), 1);
	assert_int_equal(n_measured, 2);
	close_bench(&b);
}

/* Not even a thread: nothing can be measured at all. */
static void test_nothing_to_measure_with(void **state)
{
	struct bench b;

	(void)state;
	open_bench_with(&b, BY_CPU);
	(void)add(&b, (struct fake_sa_spec){.peer = 10});
	measure_all(&b);
	check_ranking(&b, "cpu", "bytes", NULL);
	close_bench(&b);
}

static bool has_sentence(const json_t *explanation, const char *text)
{
	const json_t *sentences = json_object_get(explanation, "sentences");
	bool found = false;
	json_t *sentence;
	size_t i;

	json_array_foreach((json_t *)sentences, i, sentence)
		found |= strstr(json_string_value(sentence), text) != NULL;
	return found;
}

static const char *detail_of(const json_t *explanation, const char *name)
{
	json_t *detail;
	size_t i;

	json_array_foreach(json_object_get(explanation, "details"), i, detail)
		if (strcmp(json_string_value(json_object_get(detail, "name")), name) == 0)
			return json_string_value(json_object_get(detail, "value"));
	return NULL;
}

static void test_shown(void **state)
{
	static const unsigned packets[] = {100};
	const json_t *explanation;
	struct fake_belief *belief;
	json_t *ranking, *reply;
	struct bench b;

	(void)state;
	open_with(&b, BY_CPU, measure);
	check_ranking(&b, "cpu", "bytes", NULL);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	pass(&b, 0.05);
	check_ranking(&b, "cpu", "bytes", NULL);
	measure_all(&b);
	check_ranking(&b, "cpu", "cpu", NULL);
	assert_int_equal(told(&b, "Ranking SAs by CPU time: measured 1 of 1 algorithms"), 1);
	run(&b, 30, &belief, packets, 1);
	ranking = ranking_of(&b);
	assert_true(json_real_value(json_object_get(
			    json_array_get(json_object_get(ranking, "algorithms"), 0),
			    "nsPerByte")) == 0.5);
	json_decref(ranking);
	/* 5 MB/s and 5000 packets/s. */
	reply = ask_explain(&b, "0x1001");
	explanation = json_array_get(reply, 0);
	assert_true(has_sentence(
		explanation, "SAs are ranked by CPU time: in software it takes about 0.35 % of a "
			     "core, with packets of 1000 bytes, so its bytes count 1.09 times."));
	assert_string_equal(detail_of(explanation, "CPU time by byte"), "0.5 ns");
	assert_string_equal(detail_of(explanation, "CPU time by packet"), "200 ns");
	assert_string_equal(detail_of(explanation, "share of a core in software"), "0.35 %");
	assert_string_equal(detail_of(explanation, "weight by CPU time"), "1.09");
	json_decref(reply);

	/* Without rank-by nothing of it is shown. */
	apply(&b, ONE_SLOT);
	check_ranking(&b, "bytes", "bytes", NULL);
	reply = ask_explain(&b, "0x1001");
	explanation = json_array_get(reply, 0);
	assert_false(has_sentence(explanation, "CPU time"));
	assert_null(detail_of(explanation, "CPU time by byte"));
	assert_null(detail_of(explanation, "unit of gains and costs"));
	json_decref(reply);
	assert_true(weight(&b, belief) == 1);
	apply(&b, BY_CPU);
	assert_true(weight(&b, belief) > 1);
	close_bench(&b);
}

/* What a swap would win is not in bytes as they are. */
static void test_weighted_gain(void **state)
{
	static const unsigned packets[] = {50, 55};
	struct fake_belief *beliefs[2];
	bool said = false;
	struct bench b;

	(void)state;
	open_with(&b, BY_CPU, measure);
	for (unsigned i = 0; i < 2; i++)
		beliefs[i] = add(&b, (struct fake_sa_spec){.spi = 0x1001 + i, .peer = 10 + i});
	measure_all(&b);
	run(&b, 5, beliefs, packets, 1);
	while (!said) {
		json_t *reply;
		const json_t *explanation;

		run(&b, 1, beliefs, packets, 2);
		assert_true(b.now < 1200);
		reply = ask_explain(&b, "0x1002");
		explanation = json_array_get(reply, 0);
		said = has_sentence(explanation, "A swap of the two would win ");
		if (said) {
			assert_true(has_sentence(explanation, " on (bytes weighted by CPU time)."));
			assert_string_equal(detail_of(explanation, "unit of gains and costs"),
					    "bytes weighted by CPU time");
		}
		json_decref(reply);
	}
	close_bench(&b);
}

/* Another mode needs another policy, which gets the costs that are known. */
static void test_new_policy(void **state)
{
	static const unsigned packets[] = {100};
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_with(&b, BY_CPU, measure);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	measure_all(&b);
	apply(&b, "mode: observe\ninterval: 100ms\nrank-by: cpu\n");
	run(&b, 2, &belief, packets, 1);
	assert_true(is_near(weight(&b, belief), 0.7 / (0.5 + 200 / 1424.0)));
	assert_int_equal(n_measured, 1);
	close_bench(&b);
}

/* A fault must not be a test that never ends. */
#define PATIENCE 10 /* s */

static sem_t answer, answered;

static int wait_for(sem_t *semaphore)
{
	struct timespec end;
	int r;

	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE;
	while ((r = sem_timedwait(semaphore, &end)) < 0 && errno == EINTR)
		;
	return r;
}

static int never_answer(const struct cipher *cipher, struct policy_cpu_cost *ret_cost)
{
	(void)cipher;
	(void)ret_cost;
	if (wait_for(&answer) == 0)
		(void)sem_post(&answered);
	return -EIO;
}

/* The daemon does its work meanwhile, and ends. */
static void test_a_driver_that_never_answers(void **state)
{
	static const unsigned packets[] = {50};
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	assert_int_equal(sem_init(&answer, 0, 0), 0);
	assert_int_equal(sem_init(&answered, 0, 0), 0);
	open_with(&b, BY_CPU, never_answer);
	belief = add(&b, (struct fake_sa_spec){.peer = 10});
	run(&b, 5, &belief, packets, 1);
	assert_int_equal(place(&b, belief), NIC);
	close_bench(&b);
	assert_int_equal(sem_post(&answer), 0);
	assert_int_equal(wait_for(&answered), 0);
}

/* More algorithms than have room. */
static void test_many_algorithms(void **state)
{
	struct sa_shape shape = {.aead = "rfc4106(gcm(aes))"};
	struct cpu_costs *costs;
	size_t n;

	(void)state;
	assert_int_equal(cpu_costs_new(measure, &costs), 0);
	for (uint32_t i = 1; i <= POLICY_CPU_COSTS_MAX; i++) {
		shape.key_bits = 8 * i;
		assert_int_equal(cpu_costs_find(costs, &shape), i);
	}
	shape.key_bits = 8000;
	assert_int_equal(cpu_costs_find(costs, &shape), 0);
	shape.key_bits = 16;
	assert_int_equal(cpu_costs_find(costs, &shape), 2);
	(void)cpu_costs_values(costs, &n);
	assert_int_equal(n, POLICY_CPU_COSTS_MAX);
	assert_int_equal(cpu_costs_find(costs, &(struct sa_shape){}), 0);
	costs = cpu_costs_free(costs);
	assert_int_equal(cpu_costs_new(measure, &costs), 0);
	memset(shape.aead, 'x', sizeof(shape.aead) - 1);
	assert_int_equal(cpu_costs_find(costs, &shape), 1);
	shape = (struct sa_shape){.cipher = "ecb(cipher_null)"};
	assert_int_equal(cpu_costs_find(costs, &shape), 2);
	assert_string_equal(cpu_costs_get(costs, 1).cipher->name,
			    "authenc(digest_null,ecb(cipher_null))");
	memset(shape.cipher, 'x', sizeof(shape.cipher) - 1);
	assert_int_equal(cpu_costs_find(costs, &shape), 0);
	cpu_costs_free(costs);
}

static void test_costs_of_times(void **state)
{
	struct policy_cpu_cost cost = {};

	(void)state;
	assert_int_equal(cipher_cost_of(264, 1624, &cost), 0);
	assert_true(is_near(cost.per_byte, 1) && is_near(cost.per_packet, 200));
	assert_int_equal(cipher_cost_of(-10, 1350, &cost), 0);
	assert_true(is_near(cost.per_byte, 1) && cost.per_packet == 0);
	assert_int_equal(cipher_cost_of(100, 100, &cost), -ERANGE);
	assert_int_equal(cipher_cost_of(100, 90, &cost), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_algorithms),
		cmocka_unit_test(test_packets),
		cmocka_unit_test(test_what_is_measured),
		cmocka_unit_test(test_inexact),
		cmocka_unit_test(test_driver),
		cmocka_unit_test(test_fallback),
		cmocka_unit_test(test_nothing_to_measure_with),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_weighted_gain),
		cmocka_unit_test(test_new_policy),
		cmocka_unit_test(test_a_driver_that_never_answers),
		cmocka_unit_test(test_many_algorithms),
		cmocka_unit_test(test_costs_of_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

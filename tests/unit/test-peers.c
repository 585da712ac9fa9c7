// SPDX-License-Identifier: GPL-2.0-or-later
/* ListPeers: sums by peer, their order, and what is not shown. */
#include "manager-bench.h"

#include <math.h>

/* More than ListPeers tells apart (1024), collects (2048), and one pass of a slice. */
#define MANY 2500u
#define SHOWN 1024u

static const json_t *peer_at(const json_t *reply, size_t i)
{
	return json_array_get(json_object_get(reply, "peers"), i);
}

static json_int_t count_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static double rate_of(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

static json_t *ask(struct bench *b, const char *parameters)
{
	return ask_list(b, &list_of_peers, json_loads(parameters, 0, NULL), NULL);
}

/* "10.0.0.4 4/2 eth0, ..." with SAs and those in NICs. */
static void check_peers(const json_t *reply, const char *expected)
{
	char text[1024] = "";
	size_t used = 0, n = json_array_size(json_object_get(reply, "peers"));

	for (size_t i = 0; i < n; i++) {
		const json_t *peer = peer_at(reply, i), *nics = json_object_get(peer, "nics");

		used += (size_t)snprintf(
			text + used, sizeof(text) - used, "%s%s %d/%d", i ? ", " : "",
			json_string_value(json_object_get(peer, "peer")),
			(int)count_of(peer, "sas"), (int)count_of(peer, "offloaded"));
		for (size_t j = 0; j < json_array_size(nics); j++)
			used += (size_t)snprintf(text + used, sizeof(text) - used, " %s",
						 json_string_value(json_array_get(nics, j)));
	}
	assert_string_equal(text, expected);
}

/* The sums are those of the peers that are shown and of the others. */
static void check_reply_sums(const json_t *reply)
{
	const json_t *sums = json_object_get(reply, "sums"),
		     *others = json_object_get(reply, "others");
	size_t n = json_array_size(json_object_get(reply, "peers"));
	json_int_t sas = count_of(others, "sas"), offloaded = count_of(others, "offloaded");
	double rate = rate_of(others, "bytesPerSecond");
	double offloaded_rate = rate_of(others, "offloadedBytesPerSecond");

	for (size_t i = 0; i < n; i++) {
		sas += count_of(peer_at(reply, i), "sas");
		offloaded += count_of(peer_at(reply, i), "offloaded");
		rate += rate_of(peer_at(reply, i), "bytesPerSecond");
		offloaded_rate += rate_of(peer_at(reply, i), "offloadedBytesPerSecond");
	}
	assert_int_equal(sas, count_of(sums, "sas"));
	assert_int_equal(offloaded, count_of(sums, "offloaded"));
	assert_int_equal(n + (size_t)count_of(others, "peers"), count_of(sums, "peers"));
	assert_int_equal(count_of(reply, "total"), count_of(sums, "peers"));
	/* Each is rounded. */
	assert_true(fabs(rate - rate_of(sums, "bytesPerSecond")) <= 1 + 0.5 * (double)n);
	assert_true(fabs(offloaded_rate - rate_of(sums, "offloadedBytesPerSecond")) <=
		    1 + 0.5 * (double)n);
}

/* Peers 10.0.0.2 to 10.0.0.5 have 1 to 4 SAs, of 1 to 10 packets each time; the four slots of eth0
 * get the hottest four. One of the last peer's is inbound. A peer with IPv6 carries nothing. */
static void open_peers(struct bench *b)
{
	struct fake_belief *beliefs[10];
	unsigned n = 0;

	open_bench(b);
	for (unsigned peer = 1; peer <= 4; peer++)
		for (unsigned i = 0; i < peer; i++, n++)
			beliefs[n] = add(b, (struct fake_sa_spec){.spi = 0x1000 + n,
								  .peer = peer,
								  .reqid = n + 1,
								  .inbound = n == 9});
	(void)add(b, (struct fake_sa_spec){.spi = 0x2000, .peer = 5, .family = AF_INET6});
	for (unsigned i = 0; i < 40; i++) {
		for (unsigned j = 0; j < n; j++)
			(void)fake_kernel_send(b->fake, beliefs[j], 1 + j, 1000);
		pass(b, 0.1);
	}
}

static void test_sums(void **state)
{
	json_t *reply, *four;
	struct bench b;

	(void)state;
	open_peers(&b);
	reply = ask(&b, "{}");
	check_peers(reply, "10.0.0.5 4/4 eth0, 10.0.0.4 3/0, 10.0.0.3 2/0, 10.0.0.2 1/0, "
			   "2001:db8::6 1/0");
	check_reply_sums(reply);
	assert_int_equal(count_of(json_object_get(reply, "others"), "peers"), 0);
	/* As ListSAs has it. */
	four = ask_list(&b, &list_of_sas, json_pack("{s:s}", "peer", "10.0.0.5"), NULL);
	assert_int_equal(count_of(four, "total"), 4);
	for (size_t i = 0; i < 4; i++)
		json_object_set_new(
			four, "sum",
			json_real(rate_of(four, "sum") +
				  rate_of(json_array_get(json_object_get(four, "sas"), i),
					  "bytesPerSecond")));
	assert_true(fabs(rate_of(four, "sum") - rate_of(peer_at(reply, 0), "bytesPerSecond")) <= 3);
	assert_true(rate_of(four, "sum") > 0);
	assert_true(rate_of(peer_at(reply, 0), "bytesPerSecond") ==
		    rate_of(peer_at(reply, 0), "offloadedBytesPerSecond"));
	assert_true(rate_of(peer_at(reply, 1), "offloadedBytesPerSecond") == 0);
	json_decref(four);
	json_decref(reply);
	close_bench(&b);
}

static void test_order(void **state)
{
	static const struct {
		const char *parameters, *expected;
	} cases[] = {
		{"{\"limit\": 2, \"offset\": 1}", "10.0.0.4 3/0, 10.0.0.3 2/0"},
		{"{\"limit\": 0}", ""},
		{"{\"offset\": 9}", ""},
		{"{\"limit\": 2, \"reverse\": true}", "2001:db8::6 1/0, 10.0.0.2 1/0"},
		{"{\"limit\": 2, \"sort\": \"sas\"}", "10.0.0.5 4/4 eth0, 10.0.0.4 3/0"},
		{"{\"limit\": 2, \"sort\": \"sas\", \"reverse\": true}",
		 "2001:db8::6 1/0, 10.0.0.2 1/0"},
		{"{\"limit\": 2, \"sort\": \"offloaded\"}", "10.0.0.5 4/4 eth0, 10.0.0.4 3/0"},
		{"{\"sort\": \"peer\", \"limit\": 2}", "10.0.0.2 1/0, 10.0.0.3 2/0"},
		{"{\"sort\": \"peer\", \"limit\": 1, \"reverse\": true}", "2001:db8::6 1/0"},
		/* The peer is followed as far as necessary. */
		{"{\"limit\": 2, \"followPeer\": \"10.0.0.2\"}", "10.0.0.3 2/0, 10.0.0.2 1/0"},
		{"{\"limit\": 2, \"offset\": 3, \"followPeer\": \"10.0.0.4\"}",
		 "10.0.0.4 3/0, 10.0.0.3 2/0"},
		{"{\"limit\": 2, \"offset\": 3, \"followPeer\": \"2001:db8::6\"}",
		 "10.0.0.2 1/0, 2001:db8::6 1/0"},
		{"{\"limit\": 1, \"followPeer\": \"192.0.2.99\"}", "10.0.0.5 4/4 eth0"},
		{"{\"limit\": 1, \"followPeer\": \"x\"}", "10.0.0.5 4/4 eth0"},
	};
	struct bench b;

	(void)state;
	open_peers(&b);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		json_t *reply = ask(&b, cases[i].parameters);

		check_peers(reply, cases[i].expected);
		check_reply_sums(reply);
		assert_int_equal(count_of(reply, "total"), 5);
		json_decref(reply);
	}
	close_bench(&b);
}

/* Only SAs that match are added up. */
static void test_filters(void **state)
{
	static const struct {
		const char *parameters, *expected;
	} cases[] = {
		{"{\"direction\": \"in\"}", "10.0.0.5 1/1 eth0"},
		{"{\"placement\": \"nic\"}", "10.0.0.5 4/4 eth0"},
		{"{\"nic\": \"eth0\"}", "10.0.0.5 4/4 eth0"},
		{"{\"placement\": \"software\", \"peer\": \"10.0.0.2/31\"}",
		 "10.0.0.3 2/0, 10.0.0.2 1/0"},
		{"{\"filter\": \"0x00001000\"}", "10.0.0.2 1/0"},
		{"{\"filter\": \"nothing\"}", ""},
	};
	struct bench b;

	(void)state;
	open_peers(&b);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		json_t *reply = ask(&b, cases[i].parameters);

		check_peers(reply, cases[i].expected);
		check_reply_sums(reply);
		assert_int_equal(count_of(json_object_get(reply, "others"), "peers"), 0);
		json_decref(reply);
	}
	close_bench(&b);
}

/* More than are told apart: the hottest are, and the others are in one sum. */
static void test_many(void **state)
{
	struct fake_belief *hot[3];
	size_t slices;
	json_t *reply;
	struct bench b;

	(void)state;
	open_bench(&b);
	for (unsigned i = 0; i < MANY; i++) {
		struct fake_belief *belief =
			add(&b, (struct fake_sa_spec){.spi = 0x10000 + i, .peer = i + 1});

		if (i % (MANY / 2 - 1) == 0)
			hot[i / (MANY / 2 - 1)] = belief;
	}
	for (unsigned i = 0; i < 20; i++) {
		for (unsigned j = 0; j < 3; j++)
			(void)fake_kernel_send(b.fake, hot[j], 1 + 10 * j, 1000);
		pass(&b, 0.1);
	}
	reply = ask_list(&b, &list_of_peers, json_object(), &slices);
	assert_int_equal(json_array_size(json_object_get(reply, "peers")), SHOWN);
	check_reply_sums(reply);
	assert_int_equal(count_of(reply, "total"), MANY);
	assert_int_equal(count_of(json_object_get(reply, "others"), "peers"), MANY - SHOWN);
	assert_int_equal(count_of(json_object_get(reply, "others"), "sas"), MANY - SHOWN);
	for (size_t i = 0; i < 3; i++)
		assert_true(rate_of(peer_at(reply, i), "bytesPerSecond") > 0);
	assert_string_equal(json_string_value(json_object_get(peer_at(reply, 0), "peer")),
			    "10.0.9.196");
	assert_true(rate_of(peer_at(reply, 3), "bytesPerSecond") == 0);
	/* A slice has a bounded number of rows: of the snapshot, of the sums, of the reply. */
	assert_true(slices > (2 * MANY * 100 + SHOWN * 3000) / 200000);
	json_decref(reply);
	reply = ask(&b, "{\"sort\": \"peer\", \"reverse\": true, \"limit\": 1}");
	check_peers(reply, "10.0.9.197 1/0");
	json_decref(reply);
	reply = ask(&b, "{\"offset\": 1024, \"limit\": 5}");
	check_peers(reply, "");
	check_reply_sums(reply);
	json_decref(reply);
	/* Explain looks at all for the rank. */
	json_decref(
		ask_list(&b, &list_of_explanations, json_pack("{s:s}", "spi", "0x10000"), &slices));
	assert_true(slices > MANY * 100 / 200000);
	close_bench(&b);
}

static void test_bad_values(void **state)
{
	static const struct {
		const char *parameters, *expected;
	} cases[] = {
		{"{\"limit\": 1025}", "{\"parameter\": \"limit\", \"value\": \"1025\", "
				      "\"expected\": \"0 to 1024\"}"},
		{"{\"sort\": \"spi\"}", "{\"parameter\": \"sort\", \"value\": \"spi\", "
					"\"expected\": \"rate, sas, offloaded, peer\"}"},
		{"{\"nic\": \"eth9\"}", "{\"parameter\": \"nic\", \"value\": \"eth9\", "
					"\"expected\": \"eth0\"}"},
	};
	struct methods methods = {};
	struct bench b;

	(void)state;
	open_bench(&b);
	methods.manager = b.manager;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		json_t *parameters = json_loads(cases[i].parameters, 0, NULL);
		json_t *expected = json_loads(cases[i].expected, 0, NULL), *reply = NULL;
		const char *error = NULL;
		void *list = NULL;

		assert_int_equal(list_of_peers.begin(parameters, &methods, &list, &reply, &error),
				 0);
		assert_null(list);
		assert_string_equal(error, "InvalidValue");
		assert_true(json_equal(reply, expected));
		json_decref(parameters);
		json_decref(expected);
		json_decref(reply);
	}
	assert_int_equal(methods.snapshots.bytes, 0);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),       cmocka_unit_test(test_order),
		cmocka_unit_test(test_filters),    cmocka_unit_test(test_many),
		cmocka_unit_test(test_bad_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The file of the operator's orders: it is read as it was written, and one that cannot be read
 * means a pause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "placement/orders.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static char directory[32], path[64], damaged[80];

static int set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/test-orders-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/orders", directory);
	(void)snprintf(damaged, sizeof(damaged), "%s.damaged", path);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)unlink(damaged);
	return rmdir(directory);
}

static struct orders *open_orders(void)
{
	struct orders *orders;

	assert_int_equal(orders_new(path, &orders), 0);
	return orders;
}

static void write_file(const char *text, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, size, file), size);
}

static void test_no_file(void **state)
{
	_cleanup_(orders_freep) struct orders *orders = open_orders();

	(void)state;
	assert_int_equal(orders_load(orders), 0);
	assert_false(orders_are_paused(orders));
	assert_int_equal(orders_n_evacuated(orders), 0);
}

static void test_written_is_read(void **state)
{
	_cleanup_(orders_freep) struct orders *orders = open_orders(), *again = open_orders();

	(void)state;
	orders_set_paused(orders, true);
	assert_int_equal(orders_evacuate(orders, "eth0"), 0);
	assert_int_equal(orders_evacuate(orders, "enp59s0f1np1"), 0);
	assert_int_equal(orders_evacuate(orders, "eth0"), 0);
	assert_int_equal(orders_save(orders), 0);
	assert_int_equal(orders_load(again), 0);
	assert_true(orders_are_paused(again));
	assert_int_equal(orders_n_evacuated(again), 2);
	assert_string_equal(orders_evacuated(again, 0), "eth0");
	assert_true(orders_are_to_evacuate(again, "enp59s0f1np1"));

	assert_true(orders_end_evacuation(again, "eth0"));
	assert_false(orders_end_evacuation(again, "eth0"));
	orders_set_paused(again, false);
	assert_int_equal(orders_save(again), 0);
	(void)orders_free(orders);
	orders = open_orders();
	assert_int_equal(orders_load(orders), 0);
	assert_false(orders_are_paused(orders));
	assert_int_equal(orders_n_evacuated(orders), 1);
	assert_true(orders_are_to_evacuate(orders, "enp59s0f1np1"));
}

static struct sa_order peer_order(const char *peer, bool ban, bool persist)
{
	struct sa_order order = {.ban = ban, .persist = persist, .until = 86400.125};

	assert_int_equal(config_parse_prefix(peer, &order.peer), 0);
	return order;
}

static struct sa_description description(uint16_t family)
{
	return (struct sa_description){
		.id = {.destination = {{198, 51, 100, 1, family == AF_INET6}},
		       .spi = 0x1001,
		       .mark_value = 2,
		       .mark_mask = 0xff,
		       .family = family,
		       .protocol = IPPROTO_ESP},
		.source = {{192, 0, 2, 1}},
		.reqid = 3,
		.if_id = 4,
		.cpu = 5,
		.label = UINT32_MAX,
		.mode = 1,
		.direction = SA_DIRECTION_OUT,
	};
}

/* Each member of the lineage is kept. */
static void check_sa(uint16_t family)
{
	_cleanup_(orders_freep) struct orders *orders = open_orders(), *again = open_orders();
	struct sa_description sa = description(family), other = sa;
	struct sa_order order = {.persist = true};
	uint32_t *const members[] = {&other.id.mark_value, &other.id.mark_mask, &other.reqid,
				     &other.if_id,         &other.cpu,          &other.label};

	sa_order_set_sa(&order, &sa);
	assert_int_equal(sa_orders_add(orders_on_sas(orders), &order), 0);
	assert_int_equal(orders_save(orders), 0);
	assert_int_equal(orders_load(again), 0);
	assert_int_equal(orders_on_sas(again)->n, 1);
	assert_memory_equal(&orders_on_sas(again)->entries[0].id, &sa.id, sizeof(sa.id));
	assert_false(orders_on_sas(again)->entries[0].ban);
	assert_true(orders_on_sas(again)->entries[0].until <= 0);
	/* The successor has another SPI. The direction depends on the local addresses. */
	other.id.spi = 0x2002;
	assert_non_null(orders_find(again, &other));
	other.direction = SA_DIRECTION_UNKNOWN;
	assert_non_null(orders_find(again, &other));
	for (size_t i = 0; i < ELEMENTSOF(members); i++) {
		(*members[i])--;
		assert_null(orders_find(again, &other));
		(*members[i])++;
	}
	other.mode = 0;
	assert_null(orders_find(again, &other));
	other = sa;
	other.id.protocol = IPPROTO_AH;
	assert_null(orders_find(again, &other));
	other = sa;
	other.source.bytes[3]++;
	assert_null(orders_find(again, &other));
	assert_int_equal(unlink(path), 0);
}

static void test_orders_on_sas(void **state)
{
	_cleanup_(orders_freep) struct orders *orders = open_orders(), *again = open_orders();
	const struct sa_order of_peer = peer_order("198.51.100.0/24", true, true);
	const struct sa_order forgotten = peer_order("203.0.113.1", false, false);
	struct sa_description sa = description(AF_INET);
	const struct sa_order *found;

	(void)state;
	check_sa(AF_INET);
	check_sa(AF_INET6);
	assert_int_equal(sa_orders_add(orders_on_sas(orders), &of_peer), 0);
	assert_int_equal(sa_orders_add(orders_on_sas(orders), &forgotten), 0);
	assert_int_equal(orders_save(orders), 0);
	assert_int_equal(orders_load(again), 0);
	assert_int_equal(orders_on_sas(again)->n, 1);
	found = orders_find(again, &sa);
	assert_non_null(found);
	assert_true(found->ban && found->persist);
	assert_true(found->until > 86400.12 && found->until < 86400.13);
	sa.direction = SA_DIRECTION_IN;
	assert_null(orders_find(again, &sa));
}

/* The bits behind the length do not count. */
static void test_same_prefix(void **state)
{
	_cleanup_(orders_freep) struct orders *orders = open_orders();
	static const char *const prefixes[] = {"198.51.100.0/24", "198.51.100.7/24",
					       "198.51.101.0/24", "198.51.100.0/23"};
	static const size_t n[] = {1, 1, 2, 3};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(prefixes); i++) {
		const struct sa_order order = peer_order(prefixes[i], i != 0, true);

		assert_int_equal(sa_orders_add(orders_on_sas(orders), &order), 0);
		assert_int_equal(orders_on_sas(orders)->n, n[i]);
	}
	assert_true(orders_on_sas(orders)->entries[0].ban);
}

static void test_names(void **state)
{
	static const char *const bad[] = {"",    ".",   "..",   "a b",
					  "a/b", "a:1", "a\nb", "a-name-of-16-let"};
	_cleanup_(orders_freep) struct orders *orders = open_orders();

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		assert_int_equal(orders_evacuate(orders, bad[i]), -EINVAL);
	assert_int_equal(orders_evacuate(orders, "a-name-of-15-le"), 0);
}

static void check_damaged(const char *text, size_t size, int error)
{
	_cleanup_(orders_freep) struct orders *orders = open_orders();

	write_file(text, size);
	assert_int_equal(orders_load(orders), error);
	assert_true(orders_are_paused(orders));
	assert_int_equal(orders_n_evacuated(orders), 0);
	/* Users may read it. */
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(unlink(damaged), 0);
}

static void test_damaged(void **state)
{
	static const char whole[] = "espoffloadd-orders 1 4\npaused\nevacuated eth0\n"
				    "pin 0 peer 192.0.2.1\n"
				    "ban 1 sa 0x1 50 1 192.0.2.1 192.0.2.2 0x0/0x0 1 0 0 0\n";
	static const char *const texts[] = {
		"espoffloadd-orders 1 0\npaused\n",
		"espoffloadd-orders 1 x\n",
		"espoffloadd-orders 1 -1\n",
		"espoffloadd-orders 1 1\nstopped\n",
		"espoffloadd-orders 1 1\nevacuated \n",
		"espoffloadd-orders 1 1\nevacuated a b\n",
		"espoffloadd-orders 1 2\npaused\npaused\n",
		"espoffloadd-orders 1 2\nevacuated eth0\nevacuated eth0\n",
		"espoffloadd-orders 1 1\npin x peer 192.0.2.1\n",
		"espoffloadd-orders 1 1\npin -1 peer 192.0.2.1\n",
		"espoffloadd-orders 1 1\npin 0 peer 192.0.2.1/33\n",
		"espoffloadd-orders 1 1\npin 0 all\n",
		"espoffloadd-orders 1 1\nban 0 sa 0x1 50 1 192.0.2.1 ::1 0x0/0x0 1 0 0 0\n",
		"espoffloadd-orders 1 1\nban 0 sa 0x1 256 1 192.0.2.1 192.0.2.2 0x0/0x0 1 0 0 0\n",
		"espoffloadd-orders 1 1\nban 0 sa 0x1 50 1 192.0.2.1 192.0.2.2 0x0/0x0 1 0 0 0 0\n",
		"espoffloadd-orders 1 2\npin 0 peer 192.0.2.1\nban 0 peer 192.0.2.1/32\n",
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++)
		check_damaged(texts[i], strlen(texts[i]), -EBADMSG);
	/* Truncated at each position, and with a NUL inside. */
	for (size_t size = 0; size < strlen(whole); size++)
		check_damaged(whole, size, -EBADMSG);
	check_damaged("espoffloadd-orders 1 1\npaused\n\0", 31, -EBADMSG);
	/* What another version wrote is not read, even if it looks the same. */
	check_damaged("espoffloadd-orders 2 0\n", 23, -ENOTSUP);
	check_damaged("espoffloadd-orders 0 1\npaused\n", 30, -ENOTSUP);
}

static void test_not_readable(void **state)
{
	_cleanup_(orders_freep) struct orders *orders = open_orders();

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(orders_load(orders) < 0);
	assert_true(orders_are_paused(orders));
	assert_int_equal(rmdir(damaged), 0);
}

/* The old file stays when the new one cannot be written. */
static void test_failed_save(void **state)
{
	_cleanup_(orders_freep) struct orders *orders = open_orders(), *again = open_orders();
	char temporary[80];

	(void)state;
	orders_set_paused(orders, true);
	assert_int_equal(orders_save(orders), 0);
	orders_set_paused(orders, false);
	(void)snprintf(temporary, sizeof(temporary), "%s.new", path);
	assert_int_equal(mkdir(temporary, 0700), 0);
	assert_true(orders_save(orders) < 0);
	assert_int_equal(orders_load(again), 0);
	assert_true(orders_are_paused(again));
	assert_int_equal(rmdir(temporary), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_written_is_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_orders_on_sas, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_same_prefix, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_readable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failed_save, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

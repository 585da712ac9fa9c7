// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The netlink interface to XFRM against the running kernel, in a network namespace of its own: a
 * dump that is read in parts. The SAs are larval ones, which a kernel without ESP has, too. Skipped
 * without root or NETLINK_XFRM.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sa/facts.h"
#include "xfrm/kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>

#define SKIP 77
#define SAS 400
#define SPI_FIRST 0x1000u

struct bench {
	struct secret_arena *arena;
	struct kernel *kernel;
	struct kernel_batch batch;
	unsigned shown[SAS];
	unsigned n, stop_after;
};

static struct xfrm_usersa_info info_of(unsigned i)
{
	return (struct xfrm_usersa_info){
		.saddr.a4 = htonl(0xc0000201),
		.id = {.daddr.a4 = htonl(0xc6336401),
		       .spi = htonl(SPI_FIRST + i),
		       .proto = IPPROTO_ESP},
		.family = AF_INET,
		.mode = XFRM_MODE_TUNNEL,
		.reqid = 1,
	};
}

static void add_alloc(struct kernel_batch *batch, unsigned i)
{
	struct xfrm_userspi_info alloc = {
		.info = info_of(i), .min = SPI_FIRST + i, .max = SPI_FIRST + i};

	alloc.info.id.spi = 0;
	alloc.info.seq = i + 1; /* otherwise the kernel takes the last larval SA again */
	kernel_batch_add(batch, XFRM_MSG_ALLOCSPI, 0, &alloc, sizeof(alloc));
}

static void add_by_id(struct kernel_batch *batch, uint16_t type, unsigned i)
{
	struct xfrm_usersa_info info = info_of(i);
	struct xfrm_usersa_id id = {.daddr = info.id.daddr,
				    .spi = info.id.spi,
				    .family = info.family,
				    .proto = info.id.proto};

	kernel_batch_add(batch, type, 0, &id, sizeof(id));
}

static int request(struct bench *b, kernel_handler handler)
{
	int r = kernel_transact(b->kernel, &b->batch, handler, b);

	for (unsigned i = 0; r >= 0 && i < b->batch.n; i++)
		r = b->batch.answers[i].error;
	kernel_batch_clear(&b->batch);
	return r;
}

static int take(const struct nlmsghdr *message, bool own, void *userdata)
{
	struct bench *b = userdata;
	struct xfrm_usersa_info info;
	unsigned i;

	assert_true(own);
	assert_true(kernel_message_sa(message, &info));
	i = ntohl(info.id.spi) - SPI_FIRST;
	assert_true(i < SAS);
	b->shown[i]++;
	return ++b->n == b->stop_after ? -ECANCELED : 0;
}

static void forget(struct bench *b)
{
	memset(b->shown, 0, sizeof(b->shown));
	b->n = b->stop_after = 0;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	assert_int_equal(secret_arena_new(1u << 20, &b->arena), 0);
	assert_int_equal(kernel_netlink_new(b->arena, &b->kernel), 0);
	assert_int_equal(kernel_batch_init(&b->batch, b->arena), 0);
	for (unsigned i = 0; i < SAS; i++) {
		add_alloc(&b->batch, i);
		assert_int_equal(request(b, NULL), 0);
	}
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < SAS; i++) {
		add_by_id(&b->batch, XFRM_MSG_DELSA, i);
		(void)request(b, NULL);
	}
	kernel_batch_release(&b->batch);
	kernel_free(b->kernel);
	secret_arena_free(b->arena);
	free(b);
	return 0;
}

/* Returns the number of parts. */
static unsigned read_all(struct bench *b)
{
	unsigned parts = 1;
	int r;

	while ((r = kernel_dump_read(b->kernel, take, b)) > 0)
		parts++;
	assert_int_equal(r, 0);
	return parts;
}

static void test_parts(void **state)
{
	struct bench *b = *state;

	forget(b);
	assert_int_equal(kernel_dump_begin(b->kernel), 0);
	assert_int_equal(kernel_dump_read(b->kernel, take, b), 1);
	assert_true(b->n > 0 && b->n < SAS);
	assert_true(read_all(b) > 1);
	assert_int_equal(b->n, SAS);
	for (unsigned i = 0; i < SAS; i++)
		assert_int_equal(b->shown[i], 1);
	/* It has ended. */
	assert_int_equal(kernel_dump_read(b->kernel, take, b), -ESTALE);
	/* All at once. */
	forget(b);
	assert_int_equal(kernel_dump(b->kernel, XFRM_MSG_GETSA, take, b), 0);
	assert_int_equal(b->n, SAS);
}

/* Requests and other dumps pass between two parts. */
static void test_requests_between(void **state)
{
	struct bench *b = *state;
	unsigned n;

	forget(b);
	assert_int_equal(kernel_dump_begin(b->kernel), 0);
	do {
		n = b->n;
		add_by_id(&b->batch, XFRM_MSG_GETSA, 7);
		assert_int_equal(request(b, take), 0);
		assert_int_equal(b->n, n + 1);
		b->shown[7]--;
		b->n = 0;
		assert_int_equal(kernel_dump(b->kernel, XFRM_MSG_GETPOLICY, take, b), 0);
		assert_int_equal(b->n, 0);
		b->n = n;
	} while (kernel_dump_read(b->kernel, take, b) > 0);
	assert_int_equal(b->n, SAS);
	for (unsigned i = 0; i < SAS; i++)
		assert_int_equal(b->shown[i], 1);
}

/* The kernel prepares a part when the one before is read: an SA that was deleted since then is
 * still shown. The part after it is up to date. */
static void test_prepared_before(void **state)
{
	struct bench *b = *state;
	unsigned first, early = SAS, later;

	/* Which SAs are in the second part, and which one is the last. */
	forget(b);
	assert_int_equal(kernel_dump_begin(b->kernel), 0);
	assert_int_equal(kernel_dump_read(b->kernel, take, b), 1);
	first = b->n;
	assert_int_equal(kernel_dump_read(b->kernel, take, b), 1);
	assert_true(b->n > first);
	memset(b->shown, 0, sizeof(b->shown));
	(void)read_all(b);
	for (later = 0; later < SAS && !b->shown[later]; later++)
		;
	assert_true(later < SAS);

	forget(b);
	assert_int_equal(kernel_dump_begin(b->kernel), 0);
	assert_int_equal(kernel_dump_read(b->kernel, take, b), 1);
	for (unsigned i = 0; i < SAS; i++) {
		add_by_id(&b->batch, XFRM_MSG_DELSA, i);
		assert_int_equal(request(b, NULL), 0);
	}
	memset(b->shown, 0, sizeof(b->shown));
	(void)read_all(b);
	for (unsigned i = 0; i < SAS; i++)
		if (b->shown[i])
			early = i;
	assert_true(early < SAS);
	assert_int_equal(b->shown[later], 0);
	for (unsigned i = 0; i < SAS; i++) {
		add_alloc(&b->batch, i);
		assert_int_equal(request(b, NULL), 0);
	}
}

/* A dump is begun again before its end, or the handler ends it. */
static void test_ended_early(void **state)
{
	struct bench *b = *state;

	forget(b);
	assert_int_equal(kernel_dump_begin(b->kernel), 0);
	assert_int_equal(kernel_dump_read(b->kernel, take, b), 1);
	forget(b);
	assert_int_equal(kernel_dump_begin(b->kernel), 0);
	(void)read_all(b);
	assert_int_equal(b->n, SAS);

	forget(b);
	b->stop_after = 3;
	assert_int_equal(kernel_dump_begin(b->kernel), 0);
	assert_int_equal(kernel_dump_read(b->kernel, take, b), -ECANCELED);
	assert_int_equal(b->n, 3);
	assert_int_equal(kernel_dump_read(b->kernel, take, b), -ESTALE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_requests_between),
		cmocka_unit_test(test_prepared_before),
		cmocka_unit_test(test_ended_early),
	};
	struct secret_arena *arena;
	struct kernel *kernel;

	if (unshare(CLONE_NEWNET) < 0 || secret_arena_new(1u << 20, &arena) < 0)
		return SKIP;
	if (kernel_netlink_new(arena, &kernel) < 0) {
		secret_arena_free(arena);
		return SKIP;
	}
	kernel_free(kernel);
	secret_arena_free(arena);
	return cmocka_run_group_tests(tests, setup, teardown);
}

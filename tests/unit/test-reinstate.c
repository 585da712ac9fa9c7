// SPDX-License-Identifier: GPL-2.0-or-later
/* SAs are restored in software, with anything that the kernel may have in their place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "move/reinstate.h"
#include "scripted-kernel.h"

static unsigned number_of(const struct scripted_request *request)
{
	return ntohl(request->type == XFRM_MSG_GETSA ? request->id.spi
						     : request->alloc.info.id.spi) -
	       MESSAGE_SPI;
}

static void test_many(void **state)
{
	struct scripted *s = *state;
	struct sa_image images[KERNEL_BATCH_MESSAGES + 2];
	const struct sa_image *pointers[ELEMENTSOF(images)];
	enum reinstatement results[ELEMENTSOF(images)];

	for (unsigned i = 0; i < ELEMENTSOF(images); i++) {
		images[i] = numbered_image(s->arena, i);
		pointers[i] = &images[i];
		results[i] = REINSTATE_FAILED;
	}
	sa_image_write_larval(&images[0], &s->batch, 77,
			      77); /* left in the batch by another user */
	reinstate(&s->kernel, &s->batch, pointers, ELEMENTSOF(images), results);
	assert_int_equal(s->n, ELEMENTSOF(images));
	for (unsigned i = 0; i < ELEMENTSOF(images); i++) {
		assert_int_equal(s->requests[i].type, XFRM_MSG_NEWSA);
		assert_int_equal(number_of(&s->requests[i]), i);
		assert_int_equal(s->requests[i].exchange, i / KERNEL_BATCH_MESSAGES);
		assert_int_equal(results[i], REINSTATED);
		sa_image_wipe(&images[i]);
	}
	reinstate(&s->kernel, &s->batch, pointers, 0, results);
	assert_int_equal(s->n, ELEMENTSOF(images));
}

/* What is in the place of each SA, and how the kernel answers. */
enum {
	FREE,
	REAL,
	LARVAL,
	LARVAL_THAT_WENT,
	NO_MEMORY,
	DUMB,
	LARVAL_FOR_EVER,
	KINDS,
};

static int serve(struct scripted *s, const struct scripted_request *request)
{
	unsigned n = number_of(request);
	struct xfrm_usersa_info info = numbered(n);

	if (request->type == XFRM_MSG_NEWSA)
		return n == FREE || (n == LARVAL_THAT_WENT && s->exchanges > 0) ? 0
		       : n == NO_MEMORY                                         ? -ENOMEM
		       : n == DUMB                                              ? -ETIMEDOUT
										: -EEXIST;
	if (request->type == XFRM_MSG_UPDSA)
		return n == LARVAL ? 0 : -ESRCH;
	assert_int_equal(request->type, XFRM_MSG_GETSA);
	/* Messages about other SAs have no effect. */
	say(s, XFRM_MSG_UPDSA, &info, true);
	info.family = AF_UNIX;
	say(s, XFRM_MSG_NEWSA, &info, true);
	info = numbered(n + 100);
	say(s, XFRM_MSG_NEWSA, &info, true);
	info = numbered(n);
	if (n == DUMB)
		return -ENOMEM;
	if (n == LARVAL_THAT_WENT)
		return -ESRCH;
	say(s, XFRM_MSG_NEWSA, &info, n == REAL);
	return 0;
}

static void test_what_is_there(void **state)
{
	static const enum reinstatement expected[KINDS] = {
		[FREE] = REINSTATED,
		[REAL] = REINSTATE_ALIVE,
		[LARVAL] = REINSTATED,
		[LARVAL_THAT_WENT] = REINSTATED,
		[NO_MEMORY] = REINSTATE_FAILED,
		[DUMB] = REINSTATE_FAILED,
		[LARVAL_FOR_EVER] = REINSTATE_FAILED,
	};
	struct scripted *s = *state;
	struct sa_image images[KINDS];
	const struct sa_image *pointers[KINDS];
	enum reinstatement results[KINDS];
	unsigned writes[KINDS] = {}, looks[KINDS] = {};

	for (unsigned i = 0; i < KINDS; i++) {
		/* Their order differs from that of their numbers. */
		images[i] = numbered_image(s->arena, KINDS - 1 - i);
		pointers[i] = &images[i];
		results[i] = 99;
	}
	s->serve = serve;
	reinstate(&s->kernel, &s->batch, pointers, KINDS, results);
	for (unsigned i = 0; i < s->n; i++)
		(s->requests[i].type == XFRM_MSG_GETSA ? looks
						       : writes)[number_of(&s->requests[i])]++;
	for (unsigned i = 0; i < KINDS; i++) {
		assert_int_equal(results[KINDS - 1 - i], expected[i]);
		assert_int_equal(looks[i], i == FREE || i == NO_MEMORY ? 0
					   : i == LARVAL_FOR_EVER      ? 3
								       : 1);
		assert_int_equal(writes[i], i == LARVAL_FOR_EVER                   ? 4
					    : i == LARVAL || i == LARVAL_THAT_WENT ? 2
										   : 1);
		sa_image_wipe(&images[i]);
	}
	/* The result of the last writes is not read any more. */
	assert_int_equal(s->requests[s->n - 1].type, XFRM_MSG_UPDSA);
}

static int serve_gone(struct scripted *s, const struct scripted_request *request)
{
	return request->type == XFRM_MSG_GETSA ? -ESRCH : s->exchanges == 0 ? -EEXIST : 0;
}

/* All SAs of a batch, and a single one. */
static void test_gone(void **state)
{
	struct scripted *s = *state;
	struct sa_image images[KERNEL_BATCH_MESSAGES];
	const struct sa_image *pointers[KERNEL_BATCH_MESSAGES];
	enum reinstatement results[KERNEL_BATCH_MESSAGES];

	for (unsigned i = 0; i < KERNEL_BATCH_MESSAGES; i++) {
		images[i] = numbered_image(s->arena, i);
		pointers[i] = &images[i];
	}
	s->serve = serve_gone;
	for (unsigned n = 1; n <= KERNEL_BATCH_MESSAGES; n++) {
		s->n = s->exchanges = 0;
		reinstate(&s->kernel, &s->batch, pointers, n, results);
		assert_int_equal(s->n, 3 * n);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(results[i], REINSTATED);
	}
	for (unsigned i = 0; i < KERNEL_BATCH_MESSAGES; i++)
		sa_image_wipe(&images[i]);
}

/* Larval at first, deleted at the second read: the first result must not be used. */
static int change(struct scripted *s, const struct scripted_request *request)
{
	struct xfrm_usersa_info info = numbered(number_of(request));

	if (request->type != XFRM_MSG_GETSA)
		return s->exchanges == 0 ? -EEXIST : -ESRCH;
	if (s->exchanges == 1) {
		say(s, XFRM_MSG_NEWSA, &info, false);
		return 0;
	}
	return -ETIMEDOUT;
}

static void test_forgets(void **state)
{
	struct scripted *s = *state;
	struct sa_image image = numbered_image(s->arena, 0);
	const struct sa_image *pointer = &image;
	enum reinstatement result;

	s->serve = change;
	reinstate(&s->kernel, &s->batch, &pointer, 1, &result);
	assert_int_equal(result, REINSTATE_FAILED);
	assert_int_equal(s->n, 4); /* NEWSA, GETSA, UPDSA, GETSA */
	sa_image_wipe(&image);
}

static struct sa_image large_image(struct secret_arena *arena, size_t size)
{
	struct sa_image image = {.arena = arena, .info = make_info(), .size = size};
	struct nlattr *attribute = secret_alloc(arena, size);

	assert_non_null(attribute);
	attribute->nla_type = XFRMA_SEC_CTX;
	attribute->nla_len = (uint16_t)size;
	image.attributes = (uint8_t *)attribute;
	return image;
}

/* As many in one batch as fit, with 1024 bytes for the rest of each. */
static void test_sizes(void **state)
{
	static const struct {
		size_t sizes[3];
		unsigned last_exchange;
	} cases[] = {
		{{10000, 10000, KERNEL_BATCH_SIZE - 2 * (10000 + 1024) - 1024 - 4}, 0},
		{{10000, 10000, KERNEL_BATCH_SIZE - 2 * (10000 + 1024) - 1024}, 1},
		{{KERNEL_BATCH_SIZE - 1024, 100, 100}, 1},
		{{100, KERNEL_BATCH_SIZE - 1024, 100}, 2},
	};
	struct scripted *s = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct sa_image images[3];
		const struct sa_image *pointers[3];
		enum reinstatement results[3];

		for (size_t j = 0; j < 3; j++) {
			images[j] = large_image(s->arena, cases[i].sizes[j]);
			pointers[j] = &images[j];
		}
		s->n = s->exchanges = 0;
		reinstate(&s->kernel, &s->batch, pointers, 3, results);
		assert_int_equal(s->n, 3);
		assert_int_equal(s->requests[2].exchange, cases[i].last_exchange);
		for (size_t j = 0; j < 3; j++)
			sa_image_wipe(&images[j]);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		SCRIPTED_TEST(test_many),  SCRIPTED_TEST(test_what_is_there),
		SCRIPTED_TEST(test_gone),  SCRIPTED_TEST(test_forgets),
		SCRIPTED_TEST(test_sizes),
	};

	return cmocka_run_group_tests_name("reinstate", tests, NULL, NULL);
}

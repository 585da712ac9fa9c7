// SPDX-License-Identifier: GPL-2.0-or-later
/* The larval SAs that guard moves are made, counted and deleted, with any answer of the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "move/larval-guard.h"
#include "scripted-kernel.h"

static void images_of(struct scripted *s, struct sa_image *images, const struct sa_image **pointers,
		      size_t n)
{
	for (size_t i = 0; i < n; i++) {
		images[i] = numbered_image(s->arena, (unsigned)i);
		pointers[i] = &images[i];
	}
}

static void wipe(struct sa_image *images, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sa_image_wipe(&images[i]);
}

/* Larval SAs get the SPIs 1, 2, ...; other messages are between them. */
static int give_spis(struct scripted *s, const struct scripted_request *request)
{
	struct xfrm_usersa_info info = request->alloc.info, other = info;

	assert_int_equal(request->type, XFRM_MSG_ALLOCSPI);
	info.id.spi = htonl(s->n);
	say(s, XFRM_MSG_NEWSA, &info, false);

	/* Not an SA at all, not larval, not ESP, not with such an SPI, not a reply. */
	other = info;
	other.family = AF_UNIX;
	say(s, XFRM_MSG_NEWSA, &other, false);
	other = info;
	say(s, XFRM_MSG_NEWSA, &info, true);
	say(s, XFRM_MSG_NEWAE, &info, false);
	say(s, XFRM_MSG_UPDSA, &info, false);
	other.id.proto = IPPROTO_AH;
	other.id.spi = htonl(7);
	say(s, XFRM_MSG_NEWSA, &other, false);
	other = info;
	other.id.spi = 0;
	say(s, XFRM_MSG_NEWSA, &other, false);
	other.id.spi = htonl(256);
	say(s, XFRM_MSG_NEWSA, &other, false);
	other = info;
	other.id.proto = IPPROTO_AH;
	say(s, XFRM_MSG_NEWSA, &other, false);
	other = info;
	other.family = AF_UNIX; /* not an SA at all */
	say(s, XFRM_MSG_NEWSA, &other, false);
	return 0;
}

static void test_add(void **state)
{
	struct scripted *s = *state;
	struct guards guards = {};
	struct sa_image images[3];
	const struct sa_image *pointers[3];
	struct sa_id none = {};

	images_of(s, images, pointers, 3);
	s->serve = give_spis;
	/* Messages that an earlier user left in the batch are not sent. */
	sa_image_write_larval(&images[0], &s->batch, 77, 77);
	assert_int_equal(guards_add(&guards, &s->kernel, &s->batch, pointers, 3), 0);
	assert_int_equal(s->batch.used, 0);
	assert_int_equal(s->exchanges, 1);
	assert_int_equal(s->n, 3);
	assert_int_equal(guards.n_guarded, 3);
	assert_int_equal(guards.n_larvals, 3);
	assert_false(guards.lost);
	for (unsigned i = 0; i < 3; i++) {
		struct sa_id id = sa_image_id(&images[i]);

		assert_int_equal(s->requests[i].alloc.min, 1);
		assert_int_equal(s->requests[i].alloc.max, 255);
		assert_int_equal(s->requests[i].alloc.info.reqid, images[i].info.reqid);
		assert_true(guards_has(&guards, &id));
		assert_int_equal(guards.larvals[i].spi, i + 1);
		id.spi += 3;
		assert_false(guards_has(&guards, &id));
	}
	assert_false(guards_has(&guards, &none));
	wipe(images, 3);
}

static int give_last_spis(struct scripted *s, const struct scripted_request *request)
{
	struct xfrm_usersa_info info = request->alloc.info;

	info.id.spi = htonl(s->n % 2 ? 255 : 1);
	say(s, XFRM_MSG_NEWSA, &info, false);
	return 0;
}

static void test_edges(void **state)
{
	struct scripted *s = *state;
	struct guards guards = {};
	struct sa_image images[2];
	const struct sa_image *pointers[2];

	images_of(s, images, pointers, 2);
	s->serve = give_last_spis;
	assert_int_equal(guards_add(&guards, &s->kernel, &s->batch, pointers, 2), 0);
	assert_int_equal(guards.n_larvals, 2);
	wipe(images, 2);
}

static int answer_in_turn(struct scripted *s, const struct scripted_request *request)
{
	static const int errors[] = {-ENOMEM, 0, 0, -ETIMEDOUT, 0};

	(void)request;
	return errors[(s->n - 1) % ELEMENTSOF(errors)];
}

static void test_refused(void **state)
{
	struct scripted *s = *state;
	struct guards guards = {};
	struct sa_image images[5];
	const struct sa_image *pointers[5];
	struct sa_id id;

	images_of(s, images, pointers, 5);
	s->serve = answer_in_turn;
	assert_int_equal(guards_add(&guards, &s->kernel, &s->batch, pointers, 2), -ENOMEM);
	assert_int_equal(guards.n_guarded, 1);
	id = sa_image_id(&images[0]);
	assert_false(guards_has(&guards, &id));
	id = sa_image_id(&images[1]);
	assert_true(guards_has(&guards, &id));
	/* A refused guard does not exist; one without an answer may exist. */
	assert_false(guards.lost);
	assert_int_equal(guards_add(&guards, &s->kernel, &s->batch, pointers + 2, 2), -ETIMEDOUT);
	assert_true(guards.lost);
	/* `lost` stays set. */
	assert_int_equal(guards_add(&guards, &s->kernel, &s->batch, pointers + 4, 1), 0);
	assert_true(guards.lost);
	wipe(images, 5);
}

static void test_full(void **state)
{
	struct scripted *s = *state;
	struct guards guards = {};
	struct sa_image images[GUARDED_MAX];
	const struct sa_image *pointers[GUARDED_MAX];

	images_of(s, images, pointers, GUARDED_MAX);
	s->serve = give_last_spis;
	assert_int_equal(guards_add(&guards, &s->kernel, &s->batch, pointers, 1), 0);
	assert_int_equal(guards_add(&guards, &s->kernel, &s->batch, pointers, GUARDED_MAX),
			 -ENOSPC);
	assert_int_equal(s->n, 1);
	assert_int_equal(guards_add(&guards, &s->kernel, &s->batch, pointers + 1, GUARDED_MAX - 1),
			 0);
	assert_int_equal(guards.n_guarded, GUARDED_MAX);
	assert_int_equal(guards_add(&guards, &s->kernel, &s->batch, pointers, 1), -ENOSPC);

	/* More larval SAs than there is room for: a dump finds the rest. */
	for (unsigned i = GUARDED_MAX; i < 2 * GUARDED_MAX; i++)
		guards_take_leftover(&guards, &s->kernel, &s->batch, pointers[0]);
	assert_int_equal(guards.n_larvals, 2 * GUARDED_MAX);
	assert_false(guards.lost);
	guards_take_leftover(&guards, &s->kernel, &s->batch, pointers[0]);
	assert_int_equal(guards.n_larvals, 2 * GUARDED_MAX);
	assert_true(guards.lost);
	wipe(images, GUARDED_MAX);
}

/* Even SAs exist, odd ones are larval; the last one is of a kind that is not moved. */
static int show_sas(struct scripted *s, const struct scripted_request *request)
{
	struct xfrm_usersa_info info = make_info();
	unsigned n = ntohl(request->id.spi) - MESSAGE_SPI;

	if (request->type == XFRM_MSG_ALLOCSPI)
		return give_last_spis(s, request);
	assert_int_equal(request->type, XFRM_MSG_GETSA);
	info.id.spi = request->id.spi;
	info.mode = n == 6 ? XFRM_MODE_ROUTEOPTIMIZATION : XFRM_MODE_TUNNEL;
	say(s, XFRM_MSG_UPDSA, &info, true);
	say(s, XFRM_MSG_NEWSA, &info, n % 2 == 0);
	info.family = AF_UNIX;
	say(s, XFRM_MSG_NEWSA, &info, true);
	return 0;
}

static void test_add_by_id(void **state)
{
	struct scripted *s = *state;
	struct guards guards = {};
	struct sa_id ids[GUARDED_MAX + 2];
	size_t in_use = secret_arena_in_use(s->arena);

	for (unsigned i = 0; i < ELEMENTSOF(ids); i++) {
		struct sa_image image = numbered_image(s->arena, i);

		ids[i] = sa_image_id(&image);
		if (i == 0)
			sa_image_write_larval(&image, &s->batch, 77, 77);
		sa_image_wipe(&image);
	}
	s->serve = show_sas;
	guards_add_by_id(&guards, &s->kernel, s->arena, &s->batch, ids, ELEMENTSOF(ids));
	assert_int_equal(s->exchanges, 2);
	assert_int_equal(s->n, GUARDED_MAX + 3); /* as many as fit, then 0, 2 and 4 */
	assert_int_equal(guards.n_guarded, 3);
	for (unsigned i = 0; i < ELEMENTSOF(ids); i++)
		assert_int_equal(guards_has(&guards, &ids[i]), i == 0 || i == 2 || i == 4);
	assert_int_equal(secret_arena_in_use(s->arena), in_use);
	assert_int_equal(s->batch.used, 0);

	/* No SA that can be moved: no guard is made. */
	guards_add_by_id(&guards, &s->kernel, s->arena, &s->batch, ids + 1, 1);
	assert_int_equal(s->exchanges, 3);
	assert_int_equal(s->batch.used, 0);
}

static int show_many(struct scripted *s, const struct scripted_request *request)
{
	struct xfrm_usersa_info info = make_info();

	if (request->type == XFRM_MSG_GETSA)
		for (unsigned i = 0; i <= GUARDED_MAX; i++) {
			info.id.spi = htonl(MESSAGE_SPI + i);
			say(s, XFRM_MSG_NEWSA, &info, true);
		}
	return 0;
}

/* A kernel that sends more than was requested, and an arena without room. */
static void test_add_by_id_extremes(void **state)
{
	struct scripted *s = *state;
	struct guards guards = {};
	struct sa_image image = numbered_image(s->arena, 0);
	struct sa_id id = sa_image_id(&image);
	static void *rest[256 * 1024 / 16 + 1];
	size_t n = 0;

	sa_image_wipe(&image);
	s->serve = show_many;
	guards_add_by_id(&guards, &s->kernel, s->arena, &s->batch, &id, 1);
	assert_int_equal(guards.n_guarded, GUARDED_MAX);

	guards = (struct guards){};
	while ((rest[n] = secret_alloc(s->arena, 16)))
		n++;
	guards_add_by_id(&guards, &s->kernel, s->arena, &s->batch, &id, 1);
	assert_int_equal(guards.n_guarded, 0);
	while (n > 0)
		secret_free(s->arena, rest[--n]);
}

static int refuse(struct scripted *s, const struct scripted_request *request)
{
	assert_int_equal(request->alloc.info.reqid, make_info().reqid ^ 0x40000001u);
	return s->n < 3 ? -ENOMEM : 0;
}

static int refuse_always(struct scripted *s, const struct scripted_request *request)
{
	(void)s;
	(void)request;
	return -ENOMEM;
}

/* Three attempts. */
static void test_leftover(void **state)
{
	struct scripted *s = *state;
	struct guards guards = {};
	struct sa_image image = numbered_image(s->arena, 0);

	s->serve = refuse;
	sa_image_write_guard(&image, &s->batch, 77, 77);
	guards_take_leftover(&guards, &s->kernel, &s->batch, &image);
	assert_int_equal(s->n, 3);
	assert_int_equal(s->requests[2].alloc.min, 1);
	assert_int_equal(s->requests[2].alloc.max, 255);
	guards_take_leftover(&guards, &s->kernel, &s->batch, &image);
	assert_int_equal(s->n, 4);
	s->serve = refuse_always;
	guards_take_leftover(&guards, &s->kernel, &s->batch, &image);
	assert_int_equal(s->n, 7);
	assert_int_equal(s->batch.used, 0);
	sa_image_wipe(&image);
}

static int fail_some_deletions(struct scripted *s, const struct scripted_request *request)
{
	(void)s;
	assert_int_equal(request->type, XFRM_MSG_DELSA);
	if (ntohl(request->id.spi) == 3)
		return -ESRCH; /* it expired */
	if (ntohl(request->id.spi) == 10)
		return -ENOMEM;
	return 0;
}

static void make_guards(struct guards *guards, unsigned n)
{
	*guards = (struct guards){.n_larvals = n, .n_guarded = 1};
	for (unsigned i = 0; i < n; i++)
		guards->larvals[i] =
			(struct sa_id){.spi = i + 1, .family = AF_INET, .protocol = IPPROTO_ESP};
}

/* A guard that still exists after three attempts expires. The caller has waited for lookups. */
static void test_remove(void **state)
{
	static const struct guards none;
	struct scripted *s = *state;
	struct guards guards;

	s->serve = fail_some_deletions;
	make_guards(&guards, 10);
	sa_id_write(&guards.larvals[0], &s->batch, XFRM_MSG_GETSA);
	guards_remove(&guards, &s->kernel, &s->batch);
	assert_int_equal(s->exchanges, 1 + 3);
	assert_int_equal(s->n, 8 + 3 * 2);
	for (unsigned i = 0; i < s->n; i++) {
		assert_int_equal(ntohl(s->requests[i].id.spi), i < 8 ? i + 1 : 9 + i % 2);
	}
	assert_memory_equal(&guards, &none, sizeof(guards));

	make_guards(&guards, 8);
	guards_remove(&guards, &s->kernel, &s->batch);
	assert_int_equal(s->exchanges, 5);

	/* Nothing to delete. */
	guards_remove(&guards, &s->kernel, &s->batch);
	assert_int_equal(s->exchanges, 5);
	assert_int_equal(s->waits, 0);
}

static int fail_first_deletion(struct scripted *s, const struct scripted_request *request)
{
	(void)request;
	return s->n == 1 ? -ETIMEDOUT : 0;
}

static void test_remove_again(void **state)
{
	struct scripted *s = *state;
	struct guards guards;

	s->serve = fail_first_deletion;
	make_guards(&guards, 2);
	guards_remove(&guards, &s->kernel, &s->batch);
	assert_int_equal(s->exchanges, 2);
	assert_int_equal(s->n, 4);
}

static void show_leftovers(struct scripted *s)
{
	struct xfrm_usersa_info info = make_info();

	say(s, XFRM_MSG_NEWSA, &info, true);
	say(s, XFRM_MSG_NEWSA, &info, false);
	info.id.spi = htonl(5);
	say(s, XFRM_MSG_NEWSA, &info, true);
	say(s, XFRM_MSG_NEWSA, &info, false);
	info.id.spi = htonl(9);
	say(s, XFRM_MSG_NEWSA, &info, false);
	info.id.spi = htonl(11);
	info.family = AF_UNIX;
	say(s, XFRM_MSG_NEWSA, &info, false);
}

static void show_nothing(struct scripted *s)
{
	struct xfrm_usersa_info info = make_info();

	say(s, XFRM_MSG_NEWSA, &info, true);
}

/* SPIs are unique per address only. */
static void show_too_many(struct scripted *s)
{
	struct xfrm_usersa_info info = make_info();

	info.id.spi = htonl(5);
	for (unsigned i = 0; i < 260; i++) {
		info.id.daddr.a4 = htonl(i);
		say(s, XFRM_MSG_NEWSA, &info, false);
	}
}

static void test_sweep(void **state)
{
	struct scripted *s = *state;
	struct guards guards = {.lost = true};

	s->dump = show_nothing;
	guards_sweep(&s->kernel, &s->batch);
	assert_int_equal(s->waits, 0);
	assert_int_equal(s->n, 0);

	s->dump = show_leftovers;
	guards_sweep(&s->kernel, &s->batch);
	assert_int_equal(s->waits, 1);
	assert_int_equal(s->n, 2);
	assert_int_equal(s->requests[0].type, XFRM_MSG_DELSA);
	assert_int_equal(s->requests[0].waits, 1);
	assert_int_equal(ntohl(s->requests[0].id.spi), 5);
	assert_int_equal(ntohl(s->requests[1].id.spi), 9);

	/* So is one whose SPI is not known. */
	guards_remove(&guards, &s->kernel, &s->batch);
	assert_int_equal(s->n, 4);
	assert_false(guards.lost);

	s->n = 0;
	s->dump = show_too_many;
	guards_sweep(&s->kernel, &s->batch);
	assert_int_equal(s->n, 255);
}

/* Larval SAs that a dump shows before it fails are deleted, and the caller knows that there may be
 * more. */
static void test_sweep_fails(void **state)
{
	struct scripted *s = *state;
	struct guards guards = {.lost = true};

	s->dump = show_leftovers;
	s->dump_error = -ENOMEM;
	assert_int_equal(guards_sweep(&s->kernel, &s->batch), -ENOMEM);
	assert_int_equal(s->n, 2);
	guards_remove(&guards, &s->kernel, &s->batch);
	assert_int_equal(s->n, 4);
	assert_true(guards.lost);

	s->dump = show_nothing;
	assert_int_equal(guards_sweep(&s->kernel, &s->batch), -ENOMEM);

	s->dump_error = 0;
	assert_int_equal(guards_sweep(&s->kernel, &s->batch), 0);
	guards_remove(&guards, &s->kernel, &s->batch);
	assert_false(guards.lost);
}

/* The larval SA that sa_image_write_witness() requests. */
static struct xfrm_usersa_info witness(uint32_t spi)
{
	struct xfrm_usersa_info info = {
		.id = {.daddr.a4 = htonl(INADDR_LOOPBACK), .spi = htonl(spi), .proto = IPPROTO_ESP},
		.saddr.a4 = htonl(INADDR_LOOPBACK),
		.reqid = 0x40000001u,
		.family = AF_INET,
		.mode = XFRM_MODE_TRANSPORT,
	};

	return info;
}

/* The first attempts for a witness get no answer, the third gives it the SPI 200. */
static int serve_witness(struct scripted *s, const struct scripted_request *request)
{
	struct xfrm_usersa_info info = request->alloc.info, expected = witness(0);

	if (request->type == XFRM_MSG_DELSA)
		return 0;
	assert_memory_equal(&info, &expected, sizeof(info));
	assert_int_equal(request->alloc.min, 1);
	assert_int_equal(request->alloc.max, 255);
	if (s->n < 3)
		return s->n == 1 ? -ENOMEM : -ETIMEDOUT;
	info.id.spi = htonl(200);
	say(s, XFRM_MSG_NEWSA, &info, false);
	return 0;
}

static int refuse_always_witness(struct scripted *s, const struct scripted_request *request)
{
	return request->type == XFRM_MSG_DELSA ? 0 : s->n == 1 ? -ETIMEDOUT : -ENOMEM;
}

static void remove_all(struct guards *guards, struct kernel *kernel, struct kernel_batch *batch)
{
	guards_remove_witness(guards, kernel, batch);
	guards_remove(guards, kernel, batch);
}

static void test_remove_witness(void **state)
{
	struct scripted *s = *state;
	struct guards guards = {.witness = true};
	struct xfrm_usersa_info info = make_info();

	s->serve = serve_witness;
	s->dump = show_nothing;
	kernel_batch_add(&s->batch, XFRM_MSG_NEWSA, 0, &info,
			 sizeof(info)); /* left in the batch by another user */
	remove_all(&guards, &s->kernel, &s->batch);
	assert_int_equal(s->n, 4);
	assert_int_equal(s->requests[3].type, XFRM_MSG_DELSA);
	assert_int_equal(ntohl(s->requests[3].id.spi), 200);
	assert_int_equal(s->waits, 0);

	/* Three attempts; an attempt without an answer may have made a larval SA that only a dump
	 * shows. */
	s->n = 0;
	s->serve = refuse_always_witness;
	s->dump = show_leftovers;
	guards = (struct guards){.witness = true};
	remove_all(&guards, &s->kernel, &s->batch);
	assert_int_equal(s->n, 3 + 2);
	s->n = 0;
	s->serve = NULL;
	guards = (struct guards){.witness = true, .lost = true};
	remove_all(&guards, &s->kernel, &s->batch);
	assert_int_equal(s->n, 1 + 2);
}

static void show_witness_without_spi(struct scripted *s)
{
	struct xfrm_usersa_info info = witness(0);

	say(s, XFRM_MSG_NEWSA, &info, false);
}

static void show_witness(struct scripted *s)
{
	struct xfrm_usersa_info info = witness(0x1234567), other = info;

	say(s, XFRM_MSG_NEWSA, &info, false);
	/* Larval SAs of other programs, and of packets: without an SPI the daemon must not delete
	 * them. */
	other.reqid++;
	say(s, XFRM_MSG_NEWSA, &other, false);
	other.id.spi = 0;
	say(s, XFRM_MSG_NEWSA, &other, false);
	other = info;
	other.saddr.a4++;
	say(s, XFRM_MSG_NEWSA, &other, false);
	other = info;
	other.id.daddr.a4++;
	say(s, XFRM_MSG_NEWSA, &other, false);
	say(s, XFRM_MSG_NEWSA, &info, true);
	info.id.spi = htonl(1);
	info.family = AF_UNIX;
	say(s, XFRM_MSG_NEWSA, &info, false);
}

static void test_sweep_witness(void **state)
{
	struct scripted *s = *state;

	s->serve = serve_witness;
	s->dump = show_witness_without_spi;
	guards_sweep(&s->kernel, &s->batch);
	assert_int_equal(s->n, 4);
	assert_int_equal(ntohl(s->requests[3].id.spi), 200);
	assert_int_equal(s->waits, 0);

	s->n = 0;
	s->dump = show_witness;
	guards_sweep(&s->kernel, &s->batch);
	assert_int_equal(s->n, 1);
	assert_int_equal(s->requests[0].type, XFRM_MSG_DELSA);
	assert_int_equal(ntohl(s->requests[0].id.spi), 0x1234567);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		SCRIPTED_TEST(test_add),           SCRIPTED_TEST(test_edges),
		SCRIPTED_TEST(test_refused),       SCRIPTED_TEST(test_full),
		SCRIPTED_TEST(test_add_by_id),     SCRIPTED_TEST(test_add_by_id_extremes),
		SCRIPTED_TEST(test_leftover),      SCRIPTED_TEST(test_remove),
		SCRIPTED_TEST(test_remove_again),  SCRIPTED_TEST(test_sweep),
		SCRIPTED_TEST(test_sweep_fails),   SCRIPTED_TEST(test_remove_witness),
		SCRIPTED_TEST(test_sweep_witness),
	};

	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}

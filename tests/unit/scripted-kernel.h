/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel that gives the test's answer to each request, and records the requests. */
#pragma once

#include "sa-message.h"

#define SCRIPT_REQUESTS 256

struct scripted_request {
	unsigned exchange; /* requests of one batch share it */
	unsigned waits;    /* number of earlier waits for lookups */
	uint16_t type;
	struct xfrm_usersa_id id;
	struct xfrm_userspi_info alloc; /* of ALLOCSPI */
	const struct nlmsghdr *message; /* while it is served */
};

struct scripted {
	struct kernel kernel;
	struct secret_arena *arena;
	struct kernel_batch batch;
	/* Returns the error of the answer, and may send messages with say(). */
	int (*serve)(struct scripted *s, const struct scripted_request *request);
	/* Called after the requests of a batch; returns the result of the exchange. */
	int (*finish)(struct scripted *s);
	const char *text; /* of the next answer */
	void *context;    /* of these callbacks */
	/* Sends every SA of a dump. */
	void (*dump)(struct scripted *s);
	int dump_error; /* after it */
	kernel_handler handler;
	void *userdata;
	struct scripted_request requests[SCRIPT_REQUESTS];
	unsigned n, exchanges, waits, begun_waits;
	bool waiting; /* the wait that was begun is not over */
};

/* Sends an SA; without a key it is larval. */
static inline void say(struct scripted *s, uint16_t type, const struct xfrm_usersa_info *info,
		       bool key)
{
	static const struct xfrm_algo cipher = {.alg_name = "ecb(cipher_null)"};
	struct attribute attribute = VALUE(XFRMA_ALG_CRYPT, cipher);
	struct nl_msg *message = make_message(type, info, sizeof(*info), &attribute, key);

	assert_int_equal(s->handler(nlmsg_hdr(message), false, s->userdata), 0);
	nlmsg_free(message);
}

static inline int scripted_transact(struct kernel *kernel, struct kernel_batch *batch,
				    kernel_handler handler, void *userdata)
{
	struct scripted *s = (struct scripted *)kernel;
	struct nlmsghdr *message = (struct nlmsghdr *)batch->buffer;
	int left = (int)batch->used;

	assert_false(batch->overflow);
	assert_true(batch->n > 0);
	/* Answers without a request are never read. */
	for (unsigned i = 0; i < KERNEL_BATCH_MESSAGES; i++)
		batch->answers[i] = (struct kernel_answer){.error = -ETIMEDOUT};
	s->handler = handler;
	s->userdata = userdata;
	for (unsigned i = 0; i < batch->n; i++, message = nlmsg_next(message, &left)) {
		struct scripted_request *request = &s->requests[s->n++];

		assert_true(s->n <= SCRIPT_REQUESTS);
		assert_true(nlmsg_ok(message, left));
		request->exchange = s->exchanges;
		request->waits = s->waits;
		request->message = message;
		request->type = message->nlmsg_type;
		switch (message->nlmsg_type) {
		case XFRM_MSG_ALLOCSPI:
			memcpy(&request->alloc, nlmsg_data(message), sizeof(request->alloc));
			break;
		case XFRM_MSG_GETSA:
		case XFRM_MSG_DELSA:
			memcpy(&request->id, nlmsg_data(message), sizeof(request->id));
			break;
		default: /* NEWSA, UPDSA */
			memcpy(&request->alloc.info, nlmsg_data(message),
			       sizeof(request->alloc.info));
		}
		s->text = NULL;
		batch->answers[i].error = s->serve ? s->serve(s, request) : 0;
		snprintf(batch->answers[i].text, sizeof(batch->answers[i].text), "%s",
			 s->text ? s->text : "");
		request->message = NULL;
	}
	s->exchanges++;
	return s->finish ? s->finish(s) : 0;
}

static inline int scripted_dump(struct kernel *kernel, uint16_t type, kernel_handler handler,
				void *userdata)
{
	struct scripted *s = (struct scripted *)kernel;

	assert_int_equal(type, XFRM_MSG_GETSA);
	s->handler = handler;
	s->userdata = userdata;
	s->dump(s);
	return s->dump_error;
}

static inline void scripted_wait(struct kernel *kernel)
{
	((struct scripted *)kernel)->waits++;
}

static inline void scripted_begin_wait(struct kernel *kernel)
{
	((struct scripted *)kernel)->begun_waits++;
}

static inline bool scripted_is_waiting(struct kernel *kernel)
{
	return ((struct scripted *)kernel)->waiting;
}

static inline int scripted_setup(void **state)
{
	static const struct kernel_ops ops = {.transact = scripted_transact,
					      .dump = scripted_dump,
					      .wait_for_lookups = scripted_wait,
					      .begin_wait = scripted_begin_wait,
					      .is_waiting = scripted_is_waiting};
	struct scripted *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->kernel.ops = &ops;
	assert_int_equal(secret_arena_new(256 * 1024, &s->arena), 0);
	assert_int_equal(kernel_batch_init(&s->batch, s->arena), 0);
	*state = s;
	return 0;
}

static inline int scripted_teardown(void **state)
{
	struct scripted *s = *state;

	assert_int_equal(s->batch.used, 0); /* the batch is empty after each use */
	kernel_batch_release(&s->batch);
	assert_int_equal(secret_arena_in_use(s->arena), 0);
	secret_arena_free(s->arena);
	free(s);
	return 0;
}

/* The n-th of several SAs that differ in their SPI. */
static inline struct xfrm_usersa_info numbered(unsigned n)
{
	struct xfrm_usersa_info info = make_info();

	info.id.spi = htonl(MESSAGE_SPI + n);
	return info;
}

static inline struct sa_image numbered_image(struct secret_arena *arena, unsigned n)
{
	static const struct xfrm_replay_state replay = {.oseq = 100};
	struct attribute attribute = VALUE(XFRMA_REPLAY_VAL, replay);
	struct xfrm_usersa_info info = numbered(n);
	struct nl_msg *message = make_message(XFRM_MSG_NEWSA, &info, sizeof(info), &attribute, 1);
	struct sa_image image = {};

	assert_int_equal(sa_image_capture(&image, arena, nlmsg_hdr(message)), 0);
	nlmsg_free(message);
	return image;
}

#define SCRIPTED_TEST(function) \
	cmocka_unit_test_setup_teardown(function, scripted_setup, scripted_teardown)

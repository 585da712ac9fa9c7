/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SAs that compete for the two slots of a NIC, and the replies that tell about them. */
#pragma once

#include "manager-bench.h"

#define NIC_OF_TWO                                                 \
	"mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\n" \
	"nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 2}]\n"

/* Each sends its number of packets every 20 ms. */
static inline void run(struct bench *b, double seconds, struct fake_belief *const *beliefs,
		       const unsigned *packets, size_t n)
{
	for (double end = b->now + seconds; b->now < end - 1e-9;) {
		for (size_t i = 0; i < n; i++)
			if (packets[i] > 0)
				(void)fake_kernel_send(b->fake, beliefs[i], packets[i], 1000);
		pass(b, 0.02);
	}
}

/* Three SAs, of which two are in the NIC. */
static inline void open_full(struct bench *b, struct fake_belief **beliefs, const char *text)
{
	static const unsigned packets[] = {50, 40, 10};

	open_bench_with(b, text);
	for (unsigned i = 0; i < 3; i++)
		beliefs[i] = add(b, (struct fake_sa_spec){
					    .spi = 0x1001 + i, .peer = 10 + i, .reqid = 1 + i});
	run(b, 20, beliefs, packets, 3);
}

/* The reply to a method without an error. The caller frees it. */
static inline json_t *ask_method(struct bench *b,
				 int (*method)(json_t *parameters, void *userdata,
					       json_t **ret_reply, const char **ret_error),
				 json_t *parameters)
{
	struct methods methods = {.manager = b->manager};
	const char *error = NULL;
	json_t *reply = NULL;

	assert_int_equal(method(parameters, &methods, &reply, &error), 0);
	assert_null(error);
	assert_non_null(reply);
	json_decref(parameters);
	plans_release(&methods.plans);
	return reply;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bench for tests of the fake kernel: a model with two NICs, a daemon's socket, and requests
 * built by the test, with cmocka's assertions.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake-kernel.h"

#define BENCH_NIC 3
#define BENCH_OTHER_NIC 4

struct bench {
	struct secret_arena *arena;
	struct fake_kernel *fake;
	struct kernel *kernel;
	struct kernel_batch batch;
	struct fake_nic *nic;
	/* The received messages: all types, and the first message. */
	unsigned n_messages;
	uint16_t types[32];
	_Alignas(8) uint8_t first[8192];
	bool own;
};

int bench_open(void **state);
int bench_close(void **state);
#define BENCH_TEST(f) cmocka_unit_test_setup_teardown(f, bench_open, bench_close)

/* Sends the batch; bench_take() stores the received messages in the bench. */
int bench_transact(struct bench *b);
int bench_take(const struct nlmsghdr *message, bool own, void *bench);
/* An attribute of the first message, after a fixed header of that size. NULL: absent. */
const struct nlattr *bench_find(const struct bench *b, size_t fixed, uint16_t type);
const void *bench_payload(const struct bench *b, size_t fixed, uint16_t type);

/* Builds requests. */
struct xfrm_usersa_id bench_id(const struct fake_belief *belief);
void bench_add(struct bench *b, uint16_t type, const struct fake_belief *belief);
/* A message that installs the SA of the first message (a GETSA reply or DELSA notification)
 * again. */
void bench_add_copy(struct bench *b, uint16_t type, const struct xfrm_user_offload *offload,
		    bool with_lifetime);
void bench_add_larval(struct bench *b, uint32_t spi);

/* Complete exchanges. */
void bench_get(struct bench *b, const struct fake_belief *belief);
/* DELSA, then NEWSA from its notification. */
void bench_remake(struct bench *b, const struct fake_belief *belief,
		  const struct xfrm_user_offload *offload, bool with_lifetime);
struct fake_belief *bench_install(struct bench *b, const struct fake_sa_spec *spec);
void bench_assert_sound(struct bench *b);

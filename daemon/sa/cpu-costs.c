// SPDX-License-Identifier: GPL-2.0-or-later
#include "sa/cpu-costs.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Bytes. HMAC takes keys of any length, and its time does not depend on it. */
#define HMAC_KEY_BYTES 32
#define CMAC_KEY_BYTES 16
/* A busy host of a virtual machine makes a measurement inexact. Then it is tried again. */
#define TRIES_MAX 5

struct entry {
	struct cipher cipher;
	struct policy_cpu_cost cost;
	int error;
	bool measured;
	bool wanted;    /* to be measured */
	unsigned tries; /* that gave no exact result */
};

/* What the thread measures. It belongs to the thread and to `costs`: the last to leave frees it. */
struct job {
	cpu_costs_measure measure;
	enum {
		JOB_RUNNING,
		JOB_ENDED,     /* by the thread */
		JOB_ABANDONED, /* by cpu_costs_free() */
	} _Atomic state;
	size_t n;
	struct {
		size_t index; /* of the entry */
		struct cipher cipher;
		struct policy_cpu_cost cost;
		int error;
	} tasks[POLICY_CPU_COSTS_MAX];
};

struct cpu_costs {
	cpu_costs_measure measure;
	struct job *job; /* NULL: none */
	pthread_t thread;
	bool joined;
	struct entry entries[POLICY_CPU_COSTS_MAX];
	struct policy_cpu_cost values[POLICY_CPU_COSTS_MAX];
	size_t n;
};

int cpu_costs_new(cpu_costs_measure measure, struct cpu_costs **ret_costs)
{
	struct cpu_costs *costs = calloc(1, sizeof(*costs));

	if (!costs)
		return -ENOMEM;
	costs->measure = measure;
	*ret_costs = costs;
	return 0;
}

/* Returns the state before. */
static int leave(struct job *job, int state)
{
	return (int)atomic_exchange(&job->state, state);
}

void cpu_costs_wait(struct cpu_costs *costs)
{
	if (!costs->job || costs->joined)
		return;
	(void)pthread_join(costs->thread, NULL);
	costs->joined = true;
}

struct cpu_costs *cpu_costs_free(struct cpu_costs *costs)
{
	if (!costs)
		return NULL;
	if (costs->job && leave(costs->job, JOB_ABANDONED) == JOB_RUNNING) {
		(void)pthread_detach(costs->thread);
	} else if (costs->job) {
		cpu_costs_wait(costs);
		free(costs->job);
	}
	free(costs);
	return NULL;
}

/* The kernel's name of what ESP uses, without the generator of IVs, and its keys. An SA with ESN
 * has authencesn(), which differs in a few bytes. */
static bool describe(const struct sa_shape *shape, struct cipher *cipher)
{
	bool hmac = strncmp(shape->authenticator, "hmac(", strlen("hmac(")) == 0;
	int n;

	*cipher = (struct cipher){
		.key_bytes = shape->key_bits / 8,
		.icv_bytes = shape->icv_bits / 8,
		.decrypts = shape->direction == SA_DIRECTION_IN,
	};
	if (shape->aead[0]) {
		n = snprintf(cipher->name, sizeof(cipher->name), "%s", shape->aead);
	} else {
		cipher->authenc = true;
		if (shape->authenticator[0])
			cipher->auth_key_bytes = hmac ? HMAC_KEY_BYTES : CMAC_KEY_BYTES;
		n = snprintf(cipher->name, sizeof(cipher->name), "authenc(%s,%s)",
			     shape->authenticator[0] ? shape->authenticator : "digest_null",
			     shape->cipher);
	}
	return n < CIPHER_NAME_SIZE && (shape->aead[0] || shape->cipher[0]);
}

static bool is_same(const struct cipher *a, const struct cipher *b)
{
	return strcmp(a->name, b->name) == 0 && a->key_bytes == b->key_bytes &&
	       a->icv_bytes == b->icv_bytes && a->decrypts == b->decrypts;
}

uint32_t cpu_costs_find(struct cpu_costs *costs, const struct sa_shape *shape)
{
	struct cipher cipher;

	if (!describe(shape, &cipher))
		return 0;
	for (size_t i = 0; i < costs->n; i++)
		if (is_same(&costs->entries[i].cipher, &cipher))
			return 1 + (uint32_t)i;
	if (costs->n == POLICY_CPU_COSTS_MAX)
		return 0;
	costs->entries[costs->n] = (struct entry){.cipher = cipher, .wanted = true};
	return (uint32_t)++costs->n;
}

void cpu_costs_renew(struct cpu_costs *costs)
{
	for (size_t i = 0; i < costs->n; i++) {
		costs->entries[i].wanted = true;
		costs->entries[i].tries = 0;
	}
}

static void measure(struct job *job)
{
	for (size_t i = 0; i < job->n; i++)
		job->tasks[i].error = job->measure(&job->tasks[i].cipher, &job->tasks[i].cost);
}

static void *run(void *userdata)
{
	struct job *job = userdata;

	measure(job);
	if (leave(job, JOB_ENDED) == JOB_ABANDONED)
		free(job);
	return NULL;
}

static void take_results(struct cpu_costs *costs)
{
	struct job *job = costs->job;

	for (size_t i = 0; i < job->n; i++) {
		struct entry *entry = &costs->entries[job->tasks[i].index];

		entry->measured = true;
		entry->error = job->tasks[i].error;
		entry->wanted |= entry->error == -ERANGE && ++entry->tries < TRIES_MAX;
		entry->cost = entry->error < 0 ? (struct policy_cpu_cost){} : job->tasks[i].cost;
		costs->values[job->tasks[i].index] = entry->cost;
	}
	cpu_costs_wait(costs);
	free(job);
	costs->job = NULL;
}

static bool is_any_wanted(const struct cpu_costs *costs)
{
	for (size_t i = 0; i < costs->n; i++)
		if (costs->entries[i].wanted)
			return true;
	return false;
}

/* Without memory or a thread, the next call tries again. */
static void begin(struct cpu_costs *costs)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return;
	job->measure = costs->measure;
	for (size_t i = 0; i < costs->n; i++) {
		if (!costs->entries[i].wanted)
			continue;
		job->tasks[job->n].index = i;
		job->tasks[job->n++].cipher = costs->entries[i].cipher;
	}
	if (pthread_create(&costs->thread, NULL, run, job) != 0) {
		free(job);
		return;
	}
	for (size_t i = 0; i < job->n; i++)
		costs->entries[job->tasks[i].index].wanted = false;
	costs->job = job;
	costs->joined = false;
}

bool cpu_costs_run(struct cpu_costs *costs)
{
	bool ended = costs->job && atomic_load(&costs->job->state) == JOB_ENDED;

	if (ended)
		take_results(costs);
	if (!costs->job && costs->measure && is_any_wanted(costs))
		begin(costs);
	return ended;
}

const struct policy_cpu_cost *cpu_costs_values(const struct cpu_costs *costs, size_t *ret_n)
{
	*ret_n = costs->n;
	return costs->values;
}

struct cpu_costs_view cpu_costs_get(const struct cpu_costs *costs, size_t index)
{
	const struct entry *entry = &costs->entries[index];

	return (struct cpu_costs_view){
		.cipher = &entry->cipher,
		.cost = entry->cost,
		.measured = entry->measured,
		.error = entry->error,
	};
}

int cpu_costs_error(const struct cpu_costs *costs)
{
	int error = 0;

	for (size_t i = 0; i < costs->n; i++) {
		if (costs->entries[i].measured && costs->entries[i].error >= 0)
			return 0;
		if (costs->entries[i].measured && error == 0)
			error = costs->entries[i].error;
	}
	return error;
}

const char *cpu_costs_error_text(int error)
{
	switch (error) {
	case -EOPNOTSUPP:
		return "its driver works elsewhere (pcrypt, an accelerator)";
	case -EAFNOSUPPORT:
		return "there are no sockets of AF_ALG (see RestrictAddressFamilies= in "
		       "espoffloadd.conf(5))";
	case -ENOENT:
		return "the kernel does not have it, or not the module algif_aead";
	case -ERANGE:
		return "its times could not be measured exactly";
	default:
		return strerror(-error);
	}
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The whole model: creation, release, settings. */
#include "fake-internal.h"

#include <string.h>

int fake_kernel_new(struct fake_kernel **ret_kernel)
{
	struct fake_kernel *k = fake_allocate(sizeof(*k));

	k->config = (struct fake_config){
		.spi_unique_per_protocol = true,
		.attribute_max = XFRM_COMPAT_ATTRIBUTE_KNOWN_MAX,
		.acquire_listener = true,
		.acq_expires = 30,
		.aevent_rseqth = 2,
		.aevent_etime = 10,
		.event_queue = 4096,
	};
	k->now = 1800000000; /* any plausible real time */
	k->next_port = 1000;
	k->next_spi = 0x1000;
	*ret_kernel = k;
	return 0;
}

struct fake_kernel *fake_kernel_free(struct fake_kernel *k)
{
	struct fake_belief *next;

	if (!k)
		return NULL;
	(void)fake_kernel_end_packet(k);
	while (k->sas)
		fake_delete(k, k->sas);
	fake_policies_flush(k, 0);
	fake_kernel_gc(k);
	for (struct fake_belief *b = k->beliefs; b; b = next) {
		next = b->next;
		fake_sa_free(b->sa);
		if (b->moving)
			fake_sa_free(b->moving);
		free(b->wire.accepted);
		free(b);
	}
	if (k->held.like)
		fake_sa_free(k->held.like);
	for (size_t i = 0; i < k->n_nics; i++)
		free(k->nics[i]);
	free(k->nics);
	free(k);
	return NULL;
}

struct fake_config *fake_kernel_config(struct fake_kernel *k)
{
	return &k->config;
}

void fake_kernel_set_hook(struct fake_kernel *k, fake_hook hook, void *userdata)
{
	k->hook = hook;
	k->hook_userdata = userdata;
}

void fake_kernel_set_filter(struct fake_kernel *k, fake_filter filter, void *userdata)
{
	k->filter = filter;
	k->filter_userdata = userdata;
}

void fake_kernel_set_fault(struct fake_kernel *k, const struct fake_fault *fault)
{
	k->fault = *fault;
	k->fault_seen = 0;
	k->fault_count = 0;
	k->struck = 0;
}

void fake_kernel_end_fault(struct fake_kernel *k)
{
	k->fault.kind = FAKE_FAULT_NONE;
}

uint16_t fake_kernel_struck(const struct fake_kernel *k)
{
	return k->struck;
}

void fake_kernel_fail_dumps(struct fake_kernel *k, unsigned count, int error, bool halfway)
{
	k->dump_fault =
		(struct fake_dump_fault){.count = count, .error = error, .halfway = halfway};
}

void fake_kernel_restart_counts(struct fake_kernel *k)
{
	k->step = 0;
	memset(k->messages, 0, sizeof(k->messages));
	k->last_message = 0;
}

unsigned fake_kernel_steps(const struct fake_kernel *k)
{
	return k->step;
}

unsigned fake_kernel_messages(const struct fake_kernel *k, uint16_t type)
{
	return k->messages[type];
}

uint16_t fake_kernel_last_message(const struct fake_kernel *k)
{
	return k->last_message;
}

unsigned fake_kernel_dumps(const struct fake_kernel *k)
{
	return k->dumps;
}

void fake_kernel_unload_offload(struct fake_kernel *k)
{
	k->offload_loaded[0] = k->offload_loaded[1] = false;
}

unsigned fake_kernel_loaded_while_absent(const struct fake_kernel *k)
{
	return k->loaded_while_absent;
}

unsigned fake_kernel_waits(const struct fake_kernel *k)
{
	return k->waits;
}

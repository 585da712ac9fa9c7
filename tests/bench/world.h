/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the benchmarks measure: a manager over a kernel and a network that cost next to nothing, so
 * that what is measured is the daemon. Waiting is skipped, work takes its time. The kernel can be
 * given a cost; then the clock shows it.
 */
#pragma once

#include "fake-network.h"
#include "manager/manager.h"

#include <stdio.h>

#define WORLD_NIC 7
#define WORLD_SPI_FIRST 0x10000u /* of the SA with the number 0 */

/* One SA of the kernel, by its number. */
struct world_sa {
	bool alive;
	uint64_t bytes; /* carried */
};

struct world_event {
	uint16_t type; /* XFRM_MSG_NEWSA or XFRM_MSG_DELSA */
	uint32_t sa;
};

struct world_kernel {
	struct kernel kernel;
	struct world_sa *sas;
	uint32_t n;
	struct world_event *events; /* that wait to be read */
	size_t n_events, next_event, events_allocated;
	size_t events_max;    /* that wait; more of them are lost */
	bool congested;       /* some were lost, and all are until the others have been read */
	bool overrun;         /* to be told */
	int event_fd;         /* readable while events wait */
	int wait_fd;          /* never readable */
	double dumped;        /* s of CPU, with the handling of what was shown */
	uint32_t next_dumped; /* the dump in progress goes on with this SA */
	double dump_takes;    /* s for each SA; 0 as opened */
	double request_takes; /* s for each GETSA; 0 as opened */
	double taken;         /* s by these two */
};

struct world_network {
	struct fake_network fake;
	struct network_ops ops;
	struct route_cache *cache; /* lookups are remembered as the daemon remembers them */
};

struct world {
	double skipped; /* s of waiting */
	struct secret_arena *arena;
	struct world_kernel kernel;
	struct world_network network;
	struct clock clock;
	struct journal *journal;
	struct ownership *ownership;
	struct manager *manager;
	double start_took, start_cpu; /* s, from manager_start() until it returned */
	FILE *log;
};

/* `n` SAs can exist, the first `alive` of them do. The process ends when there is no memory. */
void world_open(struct world *world, uint32_t n, uint32_t alive, size_t n_nics);
/* The same over the network of the kernel, attached to this event loop. NULL: as world_open(), with
 * one NIC. */
void world_open_over(struct world *world, uint32_t n, uint32_t alive, sd_event *event);
/* The same over the kernel that `open_kernel` opens, as kernel_netlink_new(). */
void world_open_on(struct world *world,
		   int (*open_kernel)(struct secret_arena *arena, struct kernel **ret_kernel),
		   size_t n_nics);
void world_close(struct world *world);

double world_now(struct world *world);
/* Runs what is due until that time, and stands there then. `longest` is raised to the longest work
 * without a return to the event loop, in s of CPU. */
void world_run_until(struct world *world, double until, double *longest);

/* An SA is made or deleted, and the event waits. */
void world_make(struct world *world, uint32_t sa);
void world_delete(struct world *world, uint32_t sa);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A manager and the control socket in one event loop, and a client that asks for the status again
 * and again, in a thread of its own.
 */
#pragma once

#include "control/control.h"
#include "control/methods.h"
#include "world.h"

#include <pthread.h>
#include <stdatomic.h>

#define SERVICE_CLIENTS_MAX 208
#define SERVICE_STATUSES_MAX 32768

struct service {
	struct world world;
	struct methods methods;
	sd_event *event;
	struct control *control;
	char directory[32];
	char path[64];

	pthread_t client;
	atomic_bool end;
	double statuses[SERVICE_STATUSES_MAX]; /* s, until the client has each */
	size_t n_statuses;
};

/* As world_open(). The process ends when that fails. */
void service_open(struct service *service, uint32_t n, uint32_t alive);
void service_close(struct service *service);

/* Waits for work, some milliseconds at most. Returns whether there is some to dispatch. */
bool service_wait(struct service *service, uint64_t usec);
void service_dispatch(struct service *service);

/* A connection of a client. */
int service_dial(const struct service *service);
void service_begin_asking(struct service *service);
/* Then the times are sorted. */
void service_end_asking(struct service *service);
/* Of the times, the one that this share does not exceed, s. */
double service_status(const struct service *service, double share);

/* Ends the process unless it holds. */
void service_need(bool holds, const char *what);

// SPDX-License-Identifier: GPL-2.0-or-later
#include "service.h"
#include "measure.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PAUSE_NSEC 20000000

static const char status_request[] = "{\"method\":\"io.espoffload.GetStatus\"}";

void service_need(bool holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

void service_open(struct service *service, uint32_t n, uint32_t alive)
{
	struct control_settings settings = control_settings_default;

	*service = (struct service){.directory = "/tmp/bench-XXXXXX"};
	settings.clients_max = SERVICE_CLIENTS_MAX;
	settings.clients_root = 0;
	settings.clients_per_user_max = settings.clients_max;
	world_open(&service->world, n, alive, 1);
	service->methods.manager = service->world.manager;
	service_need(mkdtemp(service->directory) != NULL, service->directory);
	(void)snprintf(service->path, sizeof(service->path), "%s/socket", service->directory);
	service_need(sd_event_new(&service->event) >= 0 &&
			     manager_attach(service->world.manager, service->event) >= 0,
		     "event loop");
	service_need(control_new_with(service->event, service->path, methods_table, methods_count,
				      &service->methods, &settings, &service->control) >= 0,
		     "control socket");
}

void service_close(struct service *service)
{
	control_free(service->control);
	snapshots_release(&service->methods.snapshots);
	world_close(&service->world);
	sd_event_unref(service->event);
	(void)rmdir(service->directory);
}

bool service_wait(struct service *service, uint64_t usec)
{
	service_need(sd_event_prepare(service->event) >= 0, "event loop");
	if (sd_event_get_state(service->event) == SD_EVENT_ARMED)
		return sd_event_wait(service->event, usec) > 0;
	return true;
}

void service_dispatch(struct service *service)
{
	service_need(sd_event_dispatch(service->event) >= 0, "event loop");
}

int service_dial(const struct service *service)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", service->path);
	service_need(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0,
		     service->path);
	return fd;
}

static void *ask_for_status(void *userdata)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NSEC};
	struct service *service = userdata;
	int fd = service_dial(service);

	while (!service->end && service->n_statuses < SERVICE_STATUSES_MAX) {
		double asked = measure_now();
		char text[8192] = "x";
		ssize_t n = 0;

		service_need(send(fd, status_request, sizeof(status_request), MSG_NOSIGNAL) > 0,
			     "status");
		do
			n = recv(fd, text, sizeof(text), 0);
		while (n > 0 && text[n - 1] != '\0');
		if (n <= 0)
			break;
		service->statuses[service->n_statuses++] = measure_now() - asked;
		(void)nanosleep(&pause, NULL);
	}
	(void)close(fd);
	return NULL;
}

void service_begin_asking(struct service *service)
{
	service->end = false;
	service->n_statuses = 0;
	service_need(pthread_create(&service->client, NULL, ask_for_status, service) == 0,
		     "thread");
}

void service_end_asking(struct service *service)
{
	service->end = true;
	/* The last status is still to be answered. */
	while (pthread_tryjoin_np(service->client, NULL) != 0)
		(void)sd_event_run(service->event, 1000);
	qsort(service->statuses, service->n_statuses, sizeof(double), measure_compare);
}

double service_status(const struct service *service, double share)
{
	size_t n = service->n_statuses;

	return n > 0 ? service->statuses[(size_t)(share * (double)(n - 1))] : NAN;
}

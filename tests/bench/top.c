// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * top [SAS...]: what a frame of `top` costs (default 1,000, 10,000 and 100,000 SAs), of 50 lines,
 * 43 of them SAs with history. CPU of the daemon and of `top`, in ms, medians. Ticks are left out.
 *
 *   again      ListSAs of the same rows, while the snapshot of the last frame still serves
 *   rate       a frame: GetStatus, ListSAs with a new snapshot, and what `top` makes of them
 *   SPI        the same sorted by SPI
 *   end        the last page
 *   filter     a text that 256 or fewer SAs have
 *   peers      the same with rows of peers; each SA has one of its own
 *   explain    Explain of the selected SA, right after its frame, as with the graph
 *   turn       the longest turn of the daemon's event loop during the frames before it
 *   plan       Plan, the first one and the median of later ones: all of it is one turn of the loop
 *   list       `espoffloadctl list --json` of all SAs: the time until it ends, in us per SA.
 *              Compare with `ip -s xfrm state` (sampling --larval).
 */
#include "measure.h"
#include "service.h"
#include "top/render.h"
#include "varlink-client.h"

#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define FRAMES 9
#define HEIGHT 50
#define BUSY_PART 20

struct bench {
	struct service service;
	struct top_model model;
	struct top_ui ui;
	double daemon[FRAMES], top[FRAMES]; /* s of CPU */
	bool again;
	bool explain; /* only that */
	bool plan;    /* the same */
	double turn;  /* the longest, s */
	atomic_bool done;
	double cpu; /* of the client's thread, for one frame */
	struct varlink_client *client;
	const char *ctl; /* path */
};

static void explain(struct bench *b)
{
	_cleanup_(varlink_reply_done) struct varlink_reply reply = {};
	json_t *parameters =
		json_pack("{s:s, s:s}", "spi", b->model.selected.spi, "dst", b->model.selected.dst);

	service_need(varlink_client_call(b->client, "io.espoffload.Explain", parameters, 60,
					 &reply) >= 0 &&
			     json_array_size(json_object_get(reply.parameters, "sas")) == 1,
		     "Explain");
}

static void plan(struct bench *b)
{
	_cleanup_(varlink_reply_done) struct varlink_reply reply = {};

	service_need(varlink_client_call(b->client, "io.espoffload.Plan", NULL, 60, &reply) >= 0 &&
			     !reply.error,
		     "Plan");
}

static void ask(struct bench *b, const char *method, json_t *parameters, double now)
{
	_cleanup_(varlink_reply_done) struct varlink_reply reply = {};
	bool status = strstr(method, "Status") != NULL;
	int r;

	service_need(varlink_client_call(b->client, method, parameters, 60, &reply) >= 0 &&
			     !reply.error,
		     method);
	if (status)
		r = top_model_set_status(&b->model, reply.parameters);
	else if (b->model.asked.peers)
		r = top_model_set_peers(&b->model, reply.parameters, NULL, now);
	else
		r = top_model_set_sas(&b->model, reply.parameters, now);
	service_need(r >= 0, "reply");
}

static void make_frame(struct bench *b)
{
	_cleanup_(frame_freep) struct frame *frame = NULL;

	if (!b->again)
		ask(b, "io.espoffload.GetStatus", NULL, 0);
	top_model_scroll(&b->model, top_table_rows(&b->model, &b->ui, HEIGHT));
	ask(b, b->model.page.peers ? "io.espoffload.ListPeers" : "io.espoffload.ListSAs",
	    top_model_ask(&b->model), 0);
	service_need(top_render(&b->model, &b->ui, 160, HEIGHT, false, &frame) >= 0, "frame");
}

static void *be_top(void *userdata)
{
	struct bench *b = userdata;
	double begun = measure_thread_cpu();

	if (b->explain)
		explain(b);
	else if (b->plan)
		plan(b);
	else
		make_frame(b);
	b->cpu = measure_thread_cpu() - begun;
	b->done = true;
	return NULL;
}

static void serve(struct bench *b)
{
	pthread_t client;

	b->done = false;
	service_need(pthread_create(&client, NULL, be_top, b) == 0, "thread");
	while (!b->done) {
		double begun;

		if (!service_wait(&b->service, 1000))
			continue;
		begun = measure_thread_cpu();
		service_dispatch(&b->service);
		b->turn = fmax(b->turn, measure_thread_cpu() - begun);
	}
	(void)pthread_join(client, NULL);
}

static void serve_frame(struct bench *b, size_t i)
{
	double begun;

	if (!b->again)
		snapshots_release(&b->service.methods.snapshots);
	if (b->explain) {
		b->explain = false;
		serve(b);
		b->explain = true;
		b->turn = 0;
	}
	begun = measure_thread_cpu();
	serve(b);
	b->daemon[i] = measure_thread_cpu() - begun;
	b->top[i] = b->cpu;
}

static void measure(struct bench *b, const char *name)
{
	for (size_t i = 0; i < FRAMES; i++)
		serve_frame(b, i);
	(void)printf(", %s %.2f + %.2f", name, measure_median(b->daemon, FRAMES) * 1e3,
		     measure_median(b->top, FRAMES) * 1e3);
	(void)fflush(stdout);
}

static void measure_plan(struct bench *b)
{
	double first = 0;

	b->plan = true;
	for (size_t i = 0; i < FRAMES; i++) {
		plans_release(&b->service.methods.plans);
		b->turn = 0;
		serve(b);
		if (i == 0)
			first = b->turn;
		b->daemon[i] = b->turn;
	}
	b->plan = false;
	(void)printf(", plan %.2f, later %.2f", first * 1e3,
		     measure_median(b->daemon, FRAMES) * 1e3);
}

static void run_list(const struct bench *b)
{
	service_need(freopen("/dev/null", "w", stdout) != NULL, "/dev/null");
	(void)execl(b->ctl, b->ctl, "--socket", b->service.path, "list", "--json", NULL);
	service_need(false, b->ctl);
}

static void measure_list(struct bench *b)
{
	double begun = measure_now();
	int status = 0;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();

	service_need(pid >= 0, "fork");
	if (pid == 0)
		run_list(b);
	while (waitpid(pid, &status, WNOHANG) == 0)
		if (service_wait(&b->service, 1000))
			service_dispatch(&b->service);
	service_need(WIFEXITED(status) && WEXITSTATUS(status) == 0, "list --json");
	(void)printf("; list --json %.2f us/SA\n",
		     (measure_now() - begun) / b->service.world.kernel.n * 1e6);
}

/* Then nothing is due any more. */
static void make_rates(struct service *service)
{
	struct schedule *schedule = &service->world.manager->schedule;
	double longest = 0;

	for (unsigned i = 0; i < 4; i++) {
		for (uint32_t sa = 0; sa < service->world.kernel.n; sa += BUSY_PART)
			service->world.kernel.sas[sa].bytes += 1000 * (1 + sa % 977);
		world_run_until(&service->world, world_now(&service->world) + 10, &longest);
	}
	for (size_t i = 0; i < _MANAGER_WORK_MAX; i++)
		schedule->due[i] = INFINITY;
}

static void run(uint32_t n, const char *ctl)
{
	static struct bench bench;
	struct bench *b = &bench;

	*b = (struct bench){.ui = {.delay = 1}, .ctl = ctl};
	service_open(&b->service, n, n);
	make_rates(&b->service);
	service_need(varlink_client_connect(b->service.path, &b->client) >= 0, b->service.path);
	(void)printf("%7u SAs", n);
	measure(b, "rate");
	b->again = true;
	measure(b, "again");
	b->again = false;
	b->model.page.sort = TOP_SORT_SPI;
	measure(b, "SPI");
	b->model.page.sort = TOP_SORT_RATE;
	top_model_move(&b->model, (long)n);
	measure(b, "end");
	top_model_move(&b->model, -(long)n);
	(void)snprintf(b->model.page.filter, sizeof(b->model.page.filter), "10.1.3.");
	measure(b, "filter");
	b->model.page.filter[0] = '\0';
	b->model.page.peers = true;
	b->turn = 0;
	measure(b, "peers");
	b->model.page.peers = false;
	(void)printf(", turn %.2f", b->turn * 1e3);
	serve_frame(b, 0);
	top_model_move(&b->model, 0);
	b->explain = true;
	measure(b, "explain");
	(void)printf(", turn %.2f (ms of the daemon + of top)", b->turn * 1e3);
	b->explain = false;
	measure_plan(b);
	measure_list(b);
	varlink_client_free(b->client);
	top_model_done(&b->model);
	service_close(&b->service);
}

int main(int argc, char **argv)
{
	static const uint32_t defaults[] = {1000, 10000, 100000};
	char path[4096], ctl[4096 + 32];

	(void)snprintf(path, sizeof(path), "%s", argv[0]);
	(void)snprintf(ctl, sizeof(ctl), "%s/../../ctl/espoffloadctl", dirname(path));
	for (int i = 1; i < argc; i++) {
		char *end;
		unsigned long n = strtoul(argv[i], &end, 10);

		if (*end || n < 1 || n > 10000000) {
			(void)fprintf(stderr, "usage: top [SAS...]   (1 to 10,000,000 each)\n");
			return 2;
		}
		run((uint32_t)n, ctl);
	}
	for (size_t i = 0; argc == 1 && i < ELEMENTSOF(defaults); i++)
		run(defaults[i], ctl);
	return 0;
}

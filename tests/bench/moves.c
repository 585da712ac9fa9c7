// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * moves [--nic NAME] [--seconds N]: how fast SAs are moved into a NIC and out of it, and for how
 * long that keeps the daemon from other work. 32 SAs, AES-GCM, without traffic, first outbound,
 * then inbound: all are promoted, then all evicted, again and again. In one run, for each:
 *
 *   rate     moves per second, sustained, waits for lookups included
 *   move     one move alone: median, 90 %, 99 % and the longest, ms
 *   turn     the time outside the event loop, ms: the same
 *   wait     for lookups, in which the loop does other work, ms: the same, and its share
 *   ip       pairs of `ip xfrm state delete` and `add` per second, of the same SAs, by turns into
 *            the NIC and out of it: by a process for each command, and by one for all (-batch);
 *            and how many times as many moves the daemon makes
 *
 * The NIC must have a table for 32 SAs, which must be empty. Needs root. Without --nic the daemon's
 * part alone: on the model of the kernel that the tests use, which waits for nothing.
 */
#include "measure.h"

#include "fake-kernel.h"
#include "move/executor.h"
#include "move/rescue.h"
#include "xfrm/kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>

#define SAS 32u
#define SPI_FIRST 0x10000u
#define FAKE_NIC 3
#define ARENA_SIZE (4u << 20)

struct samples {
	double *values; /* s */
	size_t n, allocated;
};

struct bench {
	struct secret_arena *arena;
	struct rescue *rescue;
	struct fake_kernel *fake; /* NULL: a real kernel */
	struct kernel *kernel;
	struct migrator *migrator;
	struct executor *executor;
	struct sa_table sas;
	const char *nic;
	int ifindex;
	enum sa_direction direction;
	size_t failed;
	struct samples moves, turns, waits;
};

static void need(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "moves: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double monotonic(void *userdata)
{
	struct timespec now;

	(void)userdata;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static uint64_t realtime(void *userdata)
{
	const struct bench *b = userdata;

	return b->fake ? (uint64_t)fake_kernel_now(b->fake) : (uint64_t)time(NULL);
}

static void note(struct samples *samples, double value)
{
	if (samples->n == samples->allocated) {
		samples->allocated = 2 * samples->allocated + 1024;
		samples->values =
			reallocarray(samples->values, samples->allocated, sizeof(*samples->values));
		if (!samples->values)
			abort();
	}
	samples->values[samples->n++] = value;
}

static double sum(const struct samples *samples)
{
	double total = 0;

	for (size_t i = 0; i < samples->n; i++)
		total += samples->values[i];
	return total;
}

/* ---- the executor's callbacks: what the manager does beside the move costs nothing ---- */

static bool refresh(void *userdata)
{
	(void)userdata;
	return true;
}

static void refresh_policies(void *userdata)
{
	(void)userdata;
}

static bool prepare(struct sa *sa, const struct policy_move *planned, struct move *move,
		    void *userdata)
{
	const struct bench *b = userdata;

	move->id = sa->description.id;
	move->target.direction = b->direction;
	if (planned->action == POLICY_PROMOTE)
		move->target.ifindex = b->ifindex;
	else
		move->expected_ifindex = b->ifindex;
	return true;
}

static enum hands_off check(const struct sa *sa, void *userdata)
{
	(void)sa;
	(void)userdata;
	return HANDS_OFF_NONE;
}

static void done(struct sa *sa, const struct policy_move *planned, struct move *move, double begun,
		 void *userdata)
{
	struct bench *b = userdata;

	(void)sa;
	(void)planned;
	note(&b->moves, monotonic(NULL) - begun);
	if (move->result != MOVE_RESULT_DONE && b->failed++ == 0)
		(void)fprintf(stderr, "moves: %s: %s %s\n", move_result_name(move->result),
			      strerror(-move->error), move->text);
	sa_image_wipe(&move->image);
}

static void cancelled(struct sa *sa, const struct policy_move *planned, void *userdata)
{
	(void)sa;
	(void)planned;
	((struct bench *)userdata)->failed++;
}

static void owing(double wait, void *userdata)
{
	(void)wait;
	(void)userdata;
}

static void no_memory(bool holds, void *userdata)
{
	(void)userdata;
	need(!holds, "memory");
}

static const struct executor_callbacks callbacks = {
	.refresh = refresh,
	.refresh_policies = refresh_policies,
	.prepare = prepare,
	.check = check,
	.done = done,
	.cancelled = cancelled,
	.owing = owing,
	.no_memory = no_memory,
};

/* ---- SAs ---- */

/* Commands of ip: a process for each, or one for all. */
struct ip {
	const char *shell, *command, *quote;
};
static const struct ip each = {"sh -e", "ip ", "'"}, batch = {"ip -batch -", "", ""};

static FILE *begin_ip(const struct ip *ip)
{
	FILE *pipe = popen(ip->shell, "we");

	need(pipe != NULL, ip->shell);
	return pipe;
}

static void end_ip(FILE *pipe)
{
	errno = 0;
	need(pclose(pipe) == 0, "ip");
}

static uint32_t spi_of(const struct bench *b, unsigned i)
{
	return SPI_FIRST + i + (b->direction == SA_DIRECTION_IN ? 0x1000 : 0);
}

static void write_delete(const struct bench *b, const struct ip *ip, FILE *pipe, unsigned i)
{
	(void)fprintf(pipe, "%sxfrm state delete src 10.9.0.1 dst 10.9.1.%u proto esp spi %#x\n",
		      ip->command, i + 1, spi_of(b, i));
}

static void write_add(const struct bench *b, const struct ip *ip, FILE *pipe, unsigned i,
		      bool in_nic)
{
	(void)fprintf(pipe,
		      "%sxfrm state add src 10.9.0.1 dst 10.9.1.%u proto esp spi %#x reqid %u "
		      "mode tunnel replay-window 32 aead %srfc4106(gcm(aes))%s "
		      "0x000102030405060708090a0b0c0d0e0f10111213 128",
		      ip->command, i + 1, spi_of(b, i), i + 1, ip->quote, ip->quote);
	if (in_nic)
		(void)fprintf(pipe, " offload dev %s dir %s", b->nic,
			      b->direction == SA_DIRECTION_IN ? "in" : "out");
	(void)fputc('\n', pipe);
}

static void add_sas(struct bench *b)
{
	FILE *pipe = b->fake ? NULL : begin_ip(&batch);

	for (unsigned i = 0; i < SAS; i++) {
		struct fake_sa_spec spec = {.spi = spi_of(b, i),
					    .peer = (uint16_t)(10 + i),
					    .inbound = b->direction == SA_DIRECTION_IN,
					    .reqid = 1 + i};
		struct sa_description description = {
			.id = {.spi = spec.spi, .family = AF_INET, .protocol = IPPROTO_ESP},
			.direction = b->direction};
		struct sa_shape shape = {};
		struct fake_belief *belief;
		struct sa *sa;

		if (b->fake) {
			need(fake_ike_add(b->fake, &spec, &belief) == 0, "an SA");
			description.id = fake_belief_id(belief);
		} else {
			char text[32];

			write_add(b, &batch, pipe, i, false);
			(void)snprintf(text, sizeof(text), "10.9.1.%u", i + 1);
			(void)inet_pton(AF_INET, text, description.id.destination.bytes);
		}
		need(sa_table_add(&b->sas, &description, &shape, &sa) == 0 &&
			     sa_table_set_handle(&b->sas, sa, i) == 0,
		     "memory");
	}
	if (pipe)
		end_ip(pipe);
}

static void delete_sas(struct bench *b)
{
	FILE *pipe = begin_ip(&batch);

	for (unsigned i = 0; i < SAS; i++)
		write_delete(b, &batch, pipe, i);
	end_ip(pipe);
}

/* ---- measuring ---- */

/* Waits as the event loop does. */
static void wait_for_lookups(struct bench *b)
{
	struct pollfd poll_fd = {.events = POLLIN};
	double begun = monotonic(NULL);

	if (b->fake) {
		fake_kernel_end_wait(b->fake);
		return;
	}
	poll_fd.fd = kernel_wait_fd(b->kernel);
	need(poll(&poll_fd, 1, 10000) == 1, "lookups");
	note(&b->waits, monotonic(NULL) - begun);
}

/* Events are only read, so that the socket does not overrun. */
static int ignore(const struct nlmsghdr *message, bool own, void *userdata)
{
	(void)message;
	(void)own;
	(void)userdata;
	return 0;
}

static void move_all(struct bench *b, enum policy_action action)
{
	struct policy_move moves[SAS] = {};
	bool more = true;

	for (unsigned i = 0; i < SAS; i++)
		moves[i] = (struct policy_move){.sa = i, .action = action, .other = POLICY_NONE};
	need(executor_plan(b->executor, moves, SAS) == SAS, "memory");
	while (more) {
		double begun = monotonic(NULL);

		more = executor_proceed(b->executor);
		note(&b->turns, monotonic(NULL) - begun);
		if (!more && executor_is_in_group(b->executor)) {
			wait_for_lookups(b);
			more = true;
		}
	}
	while (kernel_receive_events(b->kernel, ignore, NULL) > 0) {
	}
}

static double rate_of_ip(const struct bench *b, const struct ip *ip)
{
	FILE *pipe = begin_ip(ip);
	double begun = monotonic(NULL);

	for (unsigned in_nic = 2; in_nic-- > 0;)
		for (unsigned i = 0; i < SAS; i++) {
			write_delete(b, ip, pipe, i);
			write_add(b, ip, pipe, i, in_nic);
		}
	end_ip(pipe);
	return 2 * SAS / (monotonic(NULL) - begun);
}

static void print_samples(const char *name, struct samples *samples)
{
	double *values = samples->values;
	size_t n = samples->n;

	if (n == 0)
		return;
	qsort(values, n, sizeof(*values), measure_compare);
	(void)printf("  %s: %.3f, %.3f, %.3f, %.3f ms\n", name, 1e3 * values[n / 2],
		     1e3 * values[n * 9 / 10], 1e3 * values[n * 99 / 100], 1e3 * values[n - 1]);
	free(values);
	*samples = (struct samples){};
}

static void measure(struct bench *b, enum policy_action action, double seconds, const double *ip)
{
	static const enum policy_action back[] = {
		[POLICY_PROMOTE] = POLICY_EVICT, [POLICY_EVICT] = POLICY_PROMOTE};
	double spent = 0, waited, rate;
	size_t n;

	if (action == POLICY_EVICT)
		move_all(b, POLICY_PROMOTE);
	b->moves.n = b->turns.n = b->waits.n = 0;
	for (bool first = true; spent < seconds; first = false) {
		struct samples moves = b->moves, turns = b->turns, waits = b->waits;
		double begun;

		if (!first) {
			b->moves = b->turns = b->waits = (struct samples){};
			move_all(b, back[action]);
			free(b->moves.values);
			free(b->turns.values);
			free(b->waits.values);
			b->moves = moves;
			b->turns = turns;
			b->waits = waits;
		}
		begun = monotonic(NULL);
		move_all(b, action);
		spent += monotonic(NULL) - begun;
	}
	n = b->moves.n;
	waited = sum(&b->waits);
	rate = (double)n / spent;
	(void)printf("%s, %s: %.0f per second, %zu moves, %zu failed",
		     b->direction == SA_DIRECTION_OUT ? "outbound" : "inbound",
		     action == POLICY_PROMOTE ? "promotions" : "evictions", rate, n, b->failed);
	if (ip)
		(void)printf("; ip: %.1f per second (%.1f times), -batch: %.1f (%.1f times)", ip[0],
			     rate / ip[0], ip[1], rate / ip[1]);
	(void)printf("\n");
	print_samples("move", &b->moves);
	print_samples("turn", &b->turns);
	print_samples("wait", &b->waits);
	if (waited > 0)
		(void)printf("  waiting: %.0f %% of the time\n", 100 * waited / spent);
	(void)fflush(stdout);
	if (action == POLICY_PROMOTE)
		move_all(b, POLICY_EVICT);
	b->moves.n = b->turns.n = b->waits.n = 0;
}

static int64_t event_timer(const struct bench *b)
{
	FILE *file = b->fake ? NULL : fopen("/proc/sys/net/core/xfrm_aevent_etime", "re");
	char line[32];
	int64_t value = b->fake ? (int64_t)fake_kernel_config(b->fake)->aevent_etime : -1;

	if (file && fgets(line, sizeof(line), file))
		value = strtol(line, NULL, 10);
	if (file)
		(void)fclose(file);
	return value;
}

static void open_bench(struct bench *b)
{
	static const struct fake_nic nic = {.ifindex = FAKE_NIC, .name = "nic", .capacity_in = SAS};
	static struct clock clock = {.monotonic = monotonic, .realtime = realtime};
	struct migrator_parameters parameters = {.clock = &clock};
	struct executor_parameters of_executor = {
		.clock = &clock, .sas = &b->sas, .callbacks = &callbacks, .userdata = b};

	clock.userdata = b;
	errno = 0;
	need(secret_arena_new(ARENA_SIZE, &b->arena) == 0 && rescue_open(-1, &b->rescue) == 0,
	     "locked memory (RLIMIT_MEMLOCK)");
	if (!b->nic) {
		b->ifindex = FAKE_NIC;
		need(fake_kernel_new(&b->fake) == 0 && fake_kernel_add_nic(b->fake, &nic) != NULL &&
			     fake_kernel_open(b->fake, &b->kernel) == 0,
		     "memory");
	} else {
		b->ifindex = (int)if_nametoindex(b->nic);
		need(b->ifindex > 0, b->nic);
		need(kernel_netlink_new(b->arena, &b->kernel) == 0, "NETLINK_XFRM");
	}
	parameters.event_timer_default = event_timer(b);
	need(sa_table_init(&b->sas) == 0 &&
		     migrator_new(b->kernel, b->arena, b->rescue, &parameters, &b->migrator) == 0,
	     "memory");
	of_executor.migrator = b->migrator;
	need(executor_new(&of_executor, &b->executor) == 0, "memory");
}

static void close_bench(struct bench *b)
{
	executor_free(b->executor);
	migrator_free(b->migrator);
	sa_table_release(&b->sas);
	kernel_free(b->kernel);
	if (b->fake)
		fake_kernel_free(b->fake);
	rescue_close(b->rescue);
	secret_arena_free(b->arena);
}

static size_t run(const char *nic, enum sa_direction direction, double seconds)
{
	struct bench b = {.nic = nic, .direction = direction};
	double ip[2] = {};

	open_bench(&b);
	add_sas(&b);
	if (nic) {
		ip[0] = rate_of_ip(&b, &each);
		ip[1] = rate_of_ip(&b, &batch);
	}
	measure(&b, POLICY_PROMOTE, seconds, nic ? ip : NULL);
	measure(&b, POLICY_EVICT, seconds, nic ? ip : NULL);
	if (nic)
		delete_sas(&b);
	close_bench(&b);
	return b.failed;
}

static int usage(void)
{
	(void)fprintf(stderr, "usage: moves [--nic NAME] [--seconds N]\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *nic = NULL;
	double seconds = 5;

	for (int i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			return usage();
		if (strcmp(argv[i], "--nic") == 0)
			nic = argv[i + 1];
		else if (strcmp(argv[i], "--seconds") == 0)
			seconds = strtod(argv[i + 1], NULL);
		else
			return usage();
	}
	if (seconds <= 0)
		return usage();
	(void)printf("each: median, 90 %%, 99 %%, longest\n");
	return run(nic, SA_DIRECTION_OUT, seconds) + run(nic, SA_DIRECTION_IN, seconds) > 0;
}

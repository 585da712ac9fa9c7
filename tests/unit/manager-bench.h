/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The manager with all its components, on the fake kernel and a network of one or two NICs. Each
 * test of the manager is one file that includes this.
 */
#pragma once

#include "config-of.h"
#include "control/control.h"
#include "control/describe.h"
#include "control/methods.h"
#include "fake-kernel.h"
#include "fake-network.h"
#include "manager/manager.h"
#include "report/journal.h"
#include "sa/ownership.h"
#include "sa/tracker-internal.h"

#include <errno.h>
#include <linux/xfrm.h>
#include <netlink/msg.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NIC 7
#define OTHER_NIC 8

struct bench {
	double now; /* s, monotonic */
	struct secret_arena *arena;
	struct fake_kernel *fake;
	struct clock clock;
	struct journal *journal;
	struct ownership *ownership;
	struct rescue *rescue; /* NULL: none */
	struct fake_network network;
	struct nic nics[2]; /* the second one has no route, and does not exist at first */
	struct manager *manager;
	FILE *log;
	char directory[32];
	char path[64];
	char orders_path[64];
	char crypto_path[64];
};

static const char *const rules = "mode: enforce\n"
				 "interval: 100ms\n"
				 "moves-per-second: 1000\n"
				 "nics:\n"
				 "  - match: {name: eth0}\n"
				 "    allow: true\n"
				 "    trusted: true\n"
				 "    capacity: 4\n";

/* The same, but an SA with reqid 1 is promoted even without traffic. */
#define ALWAYS                                                                     \
	"mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\n"                 \
	"nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 4}]\n" \
	"rules: [{match: {reqid: 1}, offload: always}]\n"

static const char *const with_many_slots = "mode: enforce\n"
					   "interval: 100ms\n"
					   "moves-per-second: 1000\n"
					   "nics:\n"
					   "  - match: {name: eth0}\n"
					   "    allow: true\n"
					   "    trusted: true\n"
					   "    capacity: 33\n";

static double bench_monotonic(void *userdata)
{
	return ((const struct bench *)userdata)->now;
}

static uint64_t bench_realtime(void *userdata)
{
	return (uint64_t)fake_kernel_now(((const struct bench *)userdata)->fake);
}

static void start_manager(struct bench *b, const char *text)
{
	struct manager_environment environment = {.event_timer_default = 10,
						  .kernel_release = "6.18.1",
						  .config_source.path = "/nonexistent",
						  .orders_path = b->orders_path,
						  .crypto_path = b->crypto_path};
	struct config *config;

	config = config_of(text);
	assert_non_null(config);
	environment.clock = b->clock;
	environment.arena = b->arena;
	environment.journal = b->journal;
	environment.ownership = b->ownership;
	environment.rescue = b->rescue;
	assert_int_equal(fake_kernel_open(b->fake, &environment.kernel), 0);
	environment.network = &b->network.network;
	assert_int_equal(manager_new(&environment, config, &b->manager), 0);
	assert_int_equal(manager_start(b->manager), 0);
}

/* From now on this driver does the cryptography of the SAs in software. */
static inline void set_software_driver(const struct bench *b, const char *driver)
{
	FILE *file = fopen(b->crypto_path, "we");

	assert_non_null(file);
	(void)fprintf(file, "name : seqiv(rfc4106(gcm(aes)))\ndriver : %s\npriority : 1\n", driver);
	assert_int_equal(fclose(file), 0);
}

static void open_bench_on(struct bench *b, const char *text, enum fake_migrate_state migrate)
{
	*b = (struct bench){.log = tmpfile(), .now = 1000};
	assert_non_null(b->log);
	assert_int_equal(secret_arena_new(4u << 20, &b->arena), 0);
	assert_int_equal(fake_kernel_new(&b->fake), 0);
	fake_kernel_config(b->fake)->migrate_state = migrate;
	b->clock = (struct clock){
		.monotonic = bench_monotonic, .realtime = bench_realtime, .userdata = b};
	assert_int_equal(journal_new(&b->clock, b->log, 7, &b->journal), 0);
	strcpy(b->directory, "/tmp/test-manager-XXXXXX");
	assert_non_null(mkdtemp(b->directory));
	snprintf(b->path, sizeof(b->path), "%s/placed", b->directory);
	snprintf(b->orders_path, sizeof(b->orders_path), "%s/orders", b->directory);
	snprintf(b->crypto_path, sizeof(b->crypto_path), "%s/crypto", b->directory);
	assert_int_equal(ownership_new(b->path, &b->ownership), 0);
	(void)fake_kernel_add_nic(
		b->fake, &(struct fake_nic){.ifindex = NIC, .name = "eth0", .capacity_in = 33});
	b->nics[0] = (struct nic){.ifindex = NIC,
				  .name = "eth0",
				  .driver = "netdevsim",
				  .up = true,
				  .carrier = true,
				  .esp_offload_known = true,
				  .esp_offload = true};
	fake_network_init(&b->network, b->nics, 1);
	start_manager(b, text);
}

static void open_bench_with(struct bench *b, const char *text)
{
	open_bench_on(b, text, FAKE_MIGRATE_ABSENT);
}

static inline void open_bench(struct bench *b)
{
	open_bench_with(b, rules);
}

/* Compares the sums that every change updates with a count. */
static void check_sums(struct bench *b)
{
	const struct sa_table *sas = b->manager->sas;
	struct holders counted = {};
	size_t n_shown = 0;
	const struct sa *sa;

	TAILQ_FOREACH(sa, &sas->all, list) {
		holders_add(&counted, sa->residence.ifindex, sa->description.direction,
			    sa->residence.foreign);
		n_shown += sa->presence.generation == b->manager->tracker->generation;
	}
	assert_int_equal(counted.n_held, sas->holders.n_held);
	assert_int_equal(counted.n, sas->holders.n);
	for (size_t i = 0; i < counted.n; i++) {
		struct holder holder = holders_get(&sas->holders, counted.entries[i].ifindex);

		assert_memory_equal(&holder, &counted.entries[i], sizeof(holder));
	}
	holders_release(&counted);
	assert_int_equal(n_shown, b->manager->tracker->n_shown);
}

static void close_bench(struct bench *b)
{
	if (b->manager)
		check_sums(b);
	manager_free(b->manager);
	ownership_free(b->ownership);
	journal_free(b->journal);
	fake_kernel_free(b->fake);
	secret_arena_free(b->arena);
	(void)fclose(b->log);
	(void)unlink(b->path);
	(void)unlink(b->orders_path);
	(void)unlink(b->crypto_path);
	(void)rmdir(b->directory);
}

static struct fake_belief *add(struct bench *b, struct fake_sa_spec spec)
{
	struct fake_belief *belief;

	assert_int_equal(fake_ike_add(b->fake, &spec, &belief), 0);
	return belief;
}

/* The number of journal lines that contain the text. */
static inline unsigned told(struct bench *b, const char *text)
{
	char line[1024];
	unsigned n = 0;

	rewind(b->log);
	while (fgets(line, sizeof(line), b->log))
		n += strstr(line, text) != NULL;
	return n;
}

static inline struct sa *entry(struct bench *b, const struct fake_belief *belief)
{
	struct sa_id id = fake_belief_id(belief);

	return sa_table_find(b->manager->sas, &id);
}

static void do_due_work(struct bench *b)
{
	do
		while (manager_read_events(b->manager) > 0)
			;
	while (schedule_run_due(&b->manager->schedule));
}

/* Lookups have finished, so a group of moves goes on. */
static inline void end_wait(struct bench *b)
{
	fake_kernel_end_wait(b->fake);
	manager_make_moves(b->manager);
}

/* Makes the queued moves, with no other work between their steps. */
static inline void make_moves(struct bench *b)
{
	for (manager_make_moves(b->manager); fake_kernel_is_waiting(b->fake);)
		end_wait(b);
}

static inline void unmask(struct bench *b)
{
	manager_unmask(b->manager);
	make_moves(b);
}

static inline void plan_moves(struct bench *b)
{
	manager_plan(b->manager);
	make_moves(b);
}

/* Does what the event loop would do now: reads the kernel's events and runs the due work. Waits for
 * lookups take no time. */
static void settle(struct bench *b)
{
	for (do_due_work(b); fake_kernel_is_waiting(b->fake); do_due_work(b))
		end_wait(b);
}

static void pass(struct bench *b, double seconds)
{
	double end = b->now + seconds;

	for (;;) {
		settle(b);
		if (schedule_next(&b->manager->schedule) > end)
			break;
		b->now = schedule_next(&b->manager->schedule);
	}
	b->now = end;
}

/* If `busy` is not NULL, it sends 50 packets every 20 ms. */
static void work(struct bench *b, double seconds, struct fake_belief *busy)
{
	double end = b->now + seconds;

	while (b->now < end - 1e-9) {
		if (busy)
			(void)fake_kernel_send(b->fake, busy, 50, 1000);
		pass(b, 0.02);
	}
}

/* 50 packets of 1000 bytes. */
static inline void carry(struct bench *b, struct fake_belief *belief, bool inbound)
{
	if (!inbound)
		(void)fake_kernel_send(b->fake, belief, 50, 1000);
	for (unsigned i = 0; inbound && i < 50; i++)
		(void)fake_kernel_receive_next(b->fake, belief, 1000);
}

/* A second NIC like the first. */
static inline void add_other_nic(struct bench *b)
{
	(void)fake_kernel_add_nic(
		b->fake,
		&(struct fake_nic){.ifindex = OTHER_NIC, .name = "eth1", .capacity_in = 33});
	b->nics[1] = b->nics[0];
	b->nics[1].ifindex = OTHER_NIC;
	strcpy(b->nics[1].name, "eth1");
	b->network.n = 2;
	manager_reconfigure(b->manager);
}

static inline bool is_due(const struct bench *b, enum manager_work work)
{
	return schedule_is_pending(&b->manager->schedule, work);
}

/* Adds an SA that is busy until it is in the NIC. */
static inline struct fake_belief *promoted(struct bench *b, struct fake_sa_spec spec)
{
	struct fake_belief *belief = add(b, spec);

	for (unsigned i = 0; spec.inbound && i < 40; i++) {
		carry(b, belief, true);
		pass(b, 0.02);
	}
	if (!spec.inbound)
		work(b, 0.6, belief);
	assert_int_equal(fake_kernel_view(b->fake, belief).ifindex, NIC);
	return belief;
}

/* The kernel deletes the SAs of the NIC, and the daemon does not know it yet. */
static inline void fall(struct bench *b)
{
	(void)fake_kernel_link_down(b->fake, NIC);
}

static inline void tell_link_of(struct bench *b, struct nic *nic, bool up)
{
	struct nic old = *nic;

	nic->up = up;
	manager_network_callbacks.link(&old, nic, b->manager);
}

static inline void tell_link(struct bench *b, bool up)
{
	tell_link_of(b, &b->nics[0], up);
}

static inline void go_down(struct bench *b)
{
	fall(b);
	tell_link(b, false);
}

/* The number of recorded actions. */
static inline size_t count_actions(const struct bench *b)
{
	size_t n = 0;

	while (reporter_action(b->manager->reporter, n))
		n++;
	return n;
}

static inline void apply(struct bench *b, const char *text)
{
	struct config *config;

	config = config_of(text);
	assert_non_null(config);
	manager_apply_config(b->manager, config);
}

/* Delivers an event about the SA whose content GETSA does not show. */
static inline void tell_event(struct bench *b, struct fake_belief *belief, uint16_t type, bool hard)
{
	struct sa_id id = fake_belief_id(belief);
	struct xfrm_user_expire expire = {.hard = hard};
	struct nl_msg *message = nlmsg_alloc();

	assert_non_null(message);
	memcpy(&expire.state.id.daddr, id.destination.bytes, sizeof(expire.state.id.daddr));
	expire.state.id.spi = htonl(id.spi);
	expire.state.id.proto = id.protocol;
	expire.state.family = id.family;
	assert_non_null(nlmsg_put(message, 0, 0, type, 0, 0));
	assert_int_equal(nlmsg_append(message, &expire, sizeof(expire), NLMSG_ALIGNTO), 0);
	assert_int_equal(tracker_handle_event(nlmsg_hdr(message), false, b->manager->tracker), 0);
	nlmsg_free(message);
}

/* Of the reasons that the tests below check. */
static inline bool ends_by_itself(const char *reason)
{
	static const char *const names[] = {"idle",       "rate-ceiling", "sequence-space",
					    "near-limit", "soft-expired", "foreign"};

	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		if (strcmp(reason, names[i]) == 0)
			return true;
	return false;
}

static inline void check_reason(struct bench *b, const struct fake_belief *belief,
				const char *reason)
{
	const struct sa *sa = entry(b, belief);
	struct policy_sa_view view = {};
	struct explanation e;

	assert_non_null(sa);
	policy_sa_get(b->manager->policy, sa->handle, manager_now(b->manager), &view);
	describe_place(b->manager, sa, &view, &e);
	assert_string_equal(e.reason, reason);
	assert_int_equal(e.lasting, !ends_by_itself(reason));
	assert_int_equal(fake_kernel_view(b->fake, belief).ifindex,
			 sa->residence.foreign ? NIC : 0);
	assert_int_equal(b->manager->promoted + b->manager->evicted, 0);
}

/* The whole reply to a method that answers with a list. Takes `parameters`. */
static inline json_t *ask_list(struct bench *b, const struct control_list *of, json_t *parameters,
			       size_t *ret_slices)
{
	struct methods methods = {.manager = b->manager};
	json_t *reply = NULL, *rows = json_array(), *rest;
	const char *error = NULL;
	void *list = NULL;
	size_t slices = 0;
	int more;

	assert_int_equal(of->begin(parameters, &methods, &list, &reply, &error), 0);
	assert_null(error);
	do
		more = of->next(list, rows);
	while (slices++, more > 0);
	assert_int_equal(more, 0);
	rest = of->rest(list);
	assert_int_equal(json_object_set_new(rest, of->member, rows), 0);
	of->free(list);
	snapshots_release(&methods.snapshots);
	assert_int_equal(methods.snapshots.bytes, 0);
	json_decref(parameters);
	if (ret_slices)
		*ret_slices = slices;
	return rest;
}

/* The explanations of the SAs with this SPI. */
static inline json_t *ask_explain(struct bench *b, const char *spi)
{
	json_t *reply = ask_list(b, &list_of_explanations, json_pack("{s:s}", "spi", spi), NULL);
	json_t *sas = json_incref(json_object_get(reply, "sas"));

	json_decref(reply);
	return sas;
}

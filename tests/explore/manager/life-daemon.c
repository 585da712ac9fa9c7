// SPDX-License-Identifier: GPL-2.0-or-later
/* The daemon of a life: its network, its event loop, its death and its restart. */
#include "config-of.h"
#include "life.h"
#include "report/journal.h"
#include "sa/ownership.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

/* More turns without time passing than correct work takes. */
#define TURNS_MAX 10000
/* How long the daemon waits for lookups. */
#define LOOKUPS_SECONDS 0.012
/* No lookup and no decryption of a packet takes that long. */
#define LOOKUP_SECONDS_MAX 1.0
/* The interval in which the kernel frees deleted SAs, and a NIC that frees late frees them. */
#define GARBAGE_SECONDS 4

static const char rules[] =
	"mode: enforce\n"
	"interval: 100ms\n"
	"moves-per-second: 1000\n"
	"nics:\n"
	"  - match: {name: eth0}\n"
	"    allow: true\n"
	"    trusted: %s\n"
	"    capacity: 4\n"
	"rules:\n"
	"  - match: {reqid: 1}\n"
	"    offload: %s\n"
	/* By default a refused SA stays in software, where there is less to judge. */
	"    on-reject: retry\n";

static struct config *make_config(const struct life *life, bool trusted)
{
	struct config *config;
	char text[512];

	(void)snprintf(text, sizeof(text), rules, trusted ? "true" : "false",
		       life->scenario->world->always ? "always" : "auto");
	config = config_of(text);
	if (!config)
		abort();
	return config;
}

static void open_network(struct life *life)
{
	const char *driver = life->scenario->world->driver;
	bool up = life->link_up;

	life->nic = (struct nic){.ifindex = LIFE_NIC,
				 .name = "eth0",
				 .up = up,
				 .carrier = up,
				 .esp_offload_known = true,
				 .esp_offload = true};
	(void)snprintf(life->nic.driver, sizeof(life->nic.driver), "%s",
		       driver ? driver : "netdevsim");
	fake_network_init(&life->network, &life->nic, !life->nic_removed);
}

/* ---- Messages and effects of the link, each at its time ---- */

enum link_kind {
	LINK_DOWN,
	LINK_UP,
	LINK_GONE,
	LINK_RESYNCED,
	LINK_FLUSH, /* the kernel deletes the SAs */
	NO_MEMORY,  /* ... and has no memory for the next request */
	RELOAD_TRUSTED,
	RELOAD_UNTRUSTED,
};

struct link_message {
	double at;
	enum link_kind kind;
};

static void queue_message(struct life *life, double in_seconds, enum link_kind kind)
{
	struct link_message *grown =
		reallocarray(life->messages, life->n_messages + 1, sizeof(*grown));

	if (!grown)
		abort();
	life->messages = grown;
	grown[life->n_messages++] = (struct link_message){life->now + in_seconds, kind};
}

void life_link(struct life *life, double in_seconds, bool up)
{
	queue_message(life, in_seconds, up ? LINK_UP : LINK_DOWN);
}

/* There are no messages about a NIC that is unregistered. */
void life_remove_nic(struct life *life, double in_seconds)
{
	life->nic_gone = true;
	fake_kernel_remove_nic(life->fake, LIFE_NIC);
	queue_message(life, in_seconds, LINK_GONE);
}

void life_trust(struct life *life, double in_seconds, bool trusted)
{
	queue_message(life, in_seconds, trusted ? RELOAD_TRUSTED : RELOAD_UNTRUSTED);
}

void life_refuse_next(struct life *life)
{
	queue_message(life, 0, NO_MEMORY);
}

void life_resync(struct life *life, double in_seconds)
{
	queue_message(life, in_seconds, LINK_RESYNCED);
}

void life_flush(struct life *life, double in_seconds)
{
	if (in_seconds > 0) {
		queue_message(life, in_seconds, LINK_FLUSH);
		return;
	}
	if (fake_kernel_link_down(life->fake, LIFE_NIC) == 0)
		return;
	life->was_down = true;
	life_lose_window(life);
}

void life_lose_window(struct life *life)
{
	for (size_t i = 0; i < life->scenario->world->n; i++)
		if (life->latest[i] && life->scenario->world->sas[i].inbound)
			fake_kernel_tolerate_replays(life->fake, life->latest[i], life->dumped[i]);
}

/* A dead daemon gets no message; the next one reads the state of the link when it starts. */
static void deliver(struct life *life, enum link_kind kind)
{
	bool up = kind == LINK_UP;
	struct nic old;

	if (kind == LINK_FLUSH) {
		life_flush(life, 0);
		return;
	}
	if (kind == RELOAD_TRUSTED || kind == RELOAD_UNTRUSTED) {
		life->trusted = kind == RELOAD_TRUSTED;
		if (!life->killed)
			manager_apply_config(life->manager, make_config(life, life->trusted));
		return;
	}
	if (kind == NO_MEMORY) {
		if (life->was_down && life->scenario->fault.kind == FAKE_FAULT_NONE)
			fake_kernel_set_fault(
				life->fake,
				&(struct fake_fault){.kind = FAKE_FAULT_REFUSE, .error = -ENOMEM});
		return;
	}
	if (life->nic_removed)
		return;
	if (kind == LINK_GONE)
		life->nic_removed = true;
	if (kind != LINK_RESYNCED)
		life->link_up = up;
	if (life->killed)
		return;
	if (kind == LINK_RESYNCED) {
		manager_network_callbacks.resynced(life->manager);
		return;
	}
	old = life->nic;
	if (kind == LINK_GONE) {
		life->network.n = 0;
		manager_network_callbacks.link(&old, NULL, life->manager);
		return;
	}
	life->nic.up = life->nic.carrier = up;
	manager_network_callbacks.link(&old, &life->nic, life->manager);
}

static double next_message(const struct life *life)
{
	double next = INFINITY;

	for (size_t i = 0; i < life->n_messages; i++)
		next = fmin(next, life->messages[i].at);
	return next;
}

/* Delivers one due message, the earliest first, then the oldest. */
static bool deliver_next(struct life *life)
{
	double next = next_message(life);

	if (next > life->now)
		return false;
	for (size_t i = 0; i < life->n_messages; i++)
		if (life->messages[i].at == next) {
			enum link_kind kind = life->messages[i].kind;

			life->n_messages--;
			memmove(&life->messages[i], &life->messages[i + 1],
				(life->n_messages - i) * sizeof(life->messages[0]));
			deliver(life, kind);
			break;
		}
	return true;
}

/* ---- Start and death ---- */

static double read_monotonic(void *userdata)
{
	return ((const struct life *)userdata)->now;
}

static uint64_t read_realtime(void *userdata)
{
	return (uint64_t)fake_kernel_now(((const struct life *)userdata)->fake);
}

void life_start(struct life *life)
{
	struct manager_environment environment = {
		.clock = {.monotonic = read_monotonic, .realtime = read_realtime, .userdata = life},
		.arena = life->explorer->arena,
		.journal = life->explorer->journal,
		.rescue = life->explorer->rescue,
		.config_source.path = "/nonexistent",
		.event_timer_default = fake_kernel_config(life->fake)->aevent_etime,
		.no_offload_module = {true, true},
		.kernel_release = "6.12.1",
	};

	if (ownership_new(life->explorer->ownership_path, &life->ownership) < 0 ||
	    ownership_load(life->ownership) < 0 ||
	    fake_kernel_open(life->fake, &environment.kernel) < 0)
		abort();
	open_network(life);
	environment.network = &life->network.network;
	environment.ownership = life->ownership;
	if (manager_new(&environment, make_config(life, life->trusted), &life->manager) < 0)
		abort();
	if (life->scenario->world->sliced) {
		life->manager->sampling.few = 0;
		life->manager->sampling.slice = 0;
		fake_kernel_config(life->fake)->dump_part = 1;
	}
	/* As systemd would, starts it again. */
	if (manager_start(life->manager) < 0 && !life->killed)
		life_kill(life, 0.25);
}

void life_stop(struct life *life)
{
	life->manager = manager_free(life->manager);
	life->ownership = ownership_free(life->ownership);
}

static void keep_ownership(struct life *life)
{
	FILE *file = fopen(life->explorer->ownership_path, "re");

	free(life->ownership_text);
	life->ownership_text = NULL;
	life->ownership_size = 0;
	if (!file)
		return;
	if (getdelim(&life->ownership_text, &life->ownership_size, EOF, file) < 0)
		life->ownership_size = 0;
	else
		life->ownership_size = strlen(life->ownership_text);
	(void)fclose(file);
}

static void bring_back_ownership(struct life *life)
{
	FILE *file;

	(void)unlink(life->explorer->ownership_path);
	if (!life->ownership_size)
		return;
	file = fopen(life->explorer->ownership_path, "we");
	if (!file ||
	    fwrite(life->ownership_text, 1, life->ownership_size, file) != life->ownership_size)
		abort();
	(void)fclose(file);
}

/* SIGKILL. The daemon's functions still return, but that has no effect any more: its sockets are
 * dead, and the files and memory that outlive it are saved as they are now. */
void life_kill(struct life *life, double dead_seconds)
{
	struct life_explorer *explorer = life->explorer;

	if (life->killed)
		return;
	life->killed = life->was_killed = true;
	life->back_at = life->now + dead_seconds;
	life->waited_at = 0;
	fake_kernel_kill(life->fake);
	life->rescued = rescue_load(explorer->rescue, explorer->arena, &life->image, &life->target);
	/* The rescue slot is empty, so the next start does not know of a finished move whose larval
	 * SA is left. */
	if (life->rescued == -ENOENT)
		life->nameless = fake_kernel_nameless_larvals(life->fake);
	if (life->rescued == 0) {
		life->was_inexact = true;
		life_lose_window(life);
	}
	keep_ownership(life);
}

static void bury(struct life *life)
{
	struct rescue *rescue = life->explorer->rescue;

	if (!life->manager)
		return;
	life_stop(life);
	bring_back_ownership(life);
	rescue_clear(rescue);
	if (life->rescued >= 0)
		(void)rescue_store(rescue, &life->image, &life->target);
	if (life->rescued > 0)
		(void)rescue_store_exact(rescue, &life->image, &life->target);
	sa_image_wipe(&life->image);
}

static void come_back(struct life *life)
{
	/* If a packet's larval SA has the place, the daemon cannot know what happened to the SA. */
	if (life->first)
		life->unknown_life |= fake_kernel_view(life->fake, life->first).acquired;
	life->killed = false;
	life_start(life);
}

/* ---- The event loop ---- */

void life_stand_still(struct life *life, double seconds)
{
	bool in_group = fake_kernel_is_waiting(life->fake) && seconds < LOOKUP_SECONDS_MAX;
	int64_t whole;

	if (seconds > 0 && !in_group) {
		if (!life->killed)
			life_judge_moves(life);
		fake_kernel_end_lookup(life->fake);
		(void)fake_kernel_end_packet(life->fake);
	}
	life->now += seconds;
	whole = (int64_t)life->now;
	if (whole > life->seconds)
		fake_kernel_advance(life->fake, whole - life->seconds);
	if (whole / GARBAGE_SECONDS > life->seconds / GARBAGE_SECONDS)
		fake_kernel_gc(life->fake);
	life->seconds = whole;
}

/* Measures how long not all SAs exist: they are deleted with their NIC, or behind the larval SA of
 * a packet. Between the steps of the IKE daemon's update_sa() the absence is the IKE daemon's own
 * and does not count. */
static void track_away(struct life *life)
{
	bool away = false;

	for (size_t i = 0; i < life->scenario->world->n; i++)
		away |= life->latest[i] && fake_belief_alive(life->latest[i]) &&
			!(life->moving && life->latest[i] == life->first) &&
			!fake_kernel_view(life->fake, life->latest[i]).exists;
	if (away && life->away_since == 0)
		life->away_since = life->now;
	if (away && life->now - life->away_since > life->away_longest)
		life->away_longest = life->now - life->away_since;
	if (!away)
		life->away_since = 0;
}

double life_larval_seconds(const struct life *life)
{
	return fake_kernel_config(life->fake)->acq_expires + 10;
}

/* Lookups end LOOKUPS_SECONDS after the daemon began to wait for them. Returns whether a group of
 * moves went on. */
static bool end_wait(struct life *life)
{
	if (!fake_kernel_is_waiting(life->fake)) {
		life->waited_at = 0;
		return false;
	}
	if (life->waited_at == 0)
		life->waited_at = life->now + LOOKUPS_SECONDS;
	if (life->now < life->waited_at)
		return false;
	life->waited_at = 0;
	fake_kernel_end_wait(life->fake);
	if (!life->killed)
		manager_make_moves(life->manager);
	return true;
}

/* One turn of the loop: reads the events and runs the due work. */
static void turn(struct life *life)
{
	struct schedule *schedule = &life->manager->schedule;
	unsigned turns = 0;

	do {
		while (!life->killed && deliver_next(life)) {
		}
		while (!life->killed && manager_read_events(life->manager) > 0) {
		}
		if (turns++ == TURNS_MAX) {
			life_complain(life, "the daemon's work does not end");
			life_kill(life, 0.25);
		}
	} while (!life->killed && (schedule_run_due(schedule) || end_wait(life)));
}

static double next_time(const struct life *life)
{
	double next = fmin(next_message(life),
			   life->killed ? life->back_at : schedule_next(&life->manager->schedule));

	return life->waited_at > 0 ? fmin(next, life->waited_at) : next;
}

void life_pass(struct life *life, double seconds)
{
	double end = life->now + seconds, next;

	for (;;) {
		if (life->killed) {
			bury(life);
			while (deliver_next(life)) {
			}
			if (life->now >= life->back_at)
				come_back(life);
		}
		if (!life->killed)
			turn(life);
		track_away(life);
		next = next_time(life);
		if (next > end)
			break;
		life_stand_still(life, fmax(next - life->now, 0));
	}
	life_stand_still(life, fmax(end - life->now, 0));
}

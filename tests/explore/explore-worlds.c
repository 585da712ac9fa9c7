// SPDX-License-Identifier: GPL-2.0-or-later
/* The worlds: every kind of SA, promoted with every possible answer of a NIC, and evicted. */
#include "explore.h"

static const struct {
	const char *name;
	struct fake_sa_spec spec;
} shapes[] = {
	{"out", {.sequence = 10}},
	{"out-esn", {.esn = true, .sequence = UINT64_C(0x1fffffffd)}},
	{"out-threshold", {.replay_threshold = 7, .km_seq = 33, .transport = true}},
	{"out-marked", {.direction = true, .esn = true, .mark = {.v = 5, .m = 0xff}, .if_id = 9}},
	{"out-cbc-encap6", {.family = AF_INET6, .cbc_sha256 = true, .encap = true}},
	{"out-limits", {.soft_seconds = 3600, .hard_seconds = 4000}},
	{"out-rare",
	 {.direction = true,
	  .mode = XFRM_MODE_BEET,
	  .encap = true,
	  .nat_keepalive = 20,
	  .label = "label",
	  .cpu = 3,
	  .extra_flags = XFRM_SA_XFLAG_DONT_ENCAP_DSCP,
	  .set_mark = {.v = 7, .m = 0xff}}},
	{"in", {.inbound = true, .sequence = 10}},
	{"in-esn", {.inbound = true, .esn = true, .window = 64, .sequence = 0xfffffffd}},
	{"in-window", {.inbound = true, .window = 128, .sequence = 1000}},
	{"in-marked",
	 {.inbound = true,
	  .direction = true,
	  .mark = {.v = 5, .m = 0xff},
	  .if_id = 9,
	  .by_update = true}},
	{"in-rare",
	 {.inbound = true, .direction = true, .coaddr = true, .label = "label", .cpu = 3}},
};

static const struct {
	enum explore_spi spi;
	enum fake_migrate_state migrate_state;
	bool names_spi; /* templates of outbound policies */
} kernels[] = {
	{SPI_UNIQUE, FAKE_MIGRATE_ABSENT, false},
	{SPI_UNIQUE, FAKE_MIGRATE_ABSENT, true},
	{SPI_SHARED, FAKE_MIGRATE_ABSENT, false},
	{SPI_SHARED_REFUSED, FAKE_MIGRATE_ABSENT, false},
	{SPI_UNIQUE, FAKE_MIGRATE_EVICT_ONLY, false},
	{SPI_UNIQUE, FAKE_MIGRATE_WORKS, false},
};

#define WORLDS_MAX (ELEMENTSOF(shapes) * (_ANSWER_MAX + 1) * ELEMENTSOF(kernels))

const struct explore_world *explore_worlds(size_t *ret_n)
{
	static struct explore_world worlds[WORLDS_MAX]; /* filled in once, always the same */
	size_t n = 0;

	for (size_t i = 0; i < ELEMENTSOF(shapes); i++)
		for (size_t j = 0; j < ELEMENTSOF(kernels); j++) {
			if (kernels[j].names_spi && shapes[i].spec.inbound)
				continue;
			for (unsigned answer = 0; answer <= _ANSWER_MAX; answer++) {
				worlds[n] = (struct explore_world){
					.name = shapes[i].name,
					.spec = shapes[i].spec,
					.evict = answer == _ANSWER_MAX,
					.answer = answer == _ANSWER_MAX ? ANSWER_ACCEPTS : answer,
					.spi = kernels[j].spi,
					.migrate_state = kernels[j].migrate_state,
					.names_spi = kernels[j].names_spi,
				};
				worlds[n].spec.spi = 0x1000;
				if (worlds[n].evict)
					worlds[n].spec.ifindex = EXPLORE_NIC;
				n++;
			}
		}
	*ret_n = n;
	return worlds;
}

void explore_world_name(const struct explore_world *world, char name[EXPLORE_WORLD_NAME_SIZE])
{
	static const char *const answers[] = {", NIC accepts",   ", NIC full",
					      ", NIC refuses",   ", NIC silent",
					      ", NIC elsewhere", ", NIC out of memory"};
	static const char *const spis[] = {"", ", SPI shared", ", SPI shared against the rules"};
	static const char *const migrate_states[] = {"", ", MIGRATE_STATE evicts",
						     ", MIGRATE_STATE"};

	(void)snprintf(
		name, EXPLORE_WORLD_NAME_SIZE, "%s %s%s%s%s%s", world->evict ? "evict" : "promote",
		world->name, world->names_spi ? ", templates name the SPI" : "", spis[world->spi],
		migrate_states[world->migrate_state], world->evict ? "" : answers[world->answer]);
}

const char *explore_event_name(enum explore_event event)
{
	static const char *const names[] = {"nothing",
					    "IKE deletes",
					    "IKE updates",
					    "IKE rekeys",
					    "IKE rekeys and deletes",
					    "IKE deletes and adds again",
					    "IKE adds again",
					    "IKE expires",
					    "flush",
					    "a second passes",
					    "40 s pass",
					    "link down",
					    "packets",
					    "a lookup is held up",
					    "kill"};

	return names[event];
}

const char *explore_fault_name(enum fake_fault_kind kind)
{
	static const char *const names[] = {"no fault",    "refuse",     "lose note",
					    "lose answer", "send fails", "receive fails"};

	return names[kind];
}

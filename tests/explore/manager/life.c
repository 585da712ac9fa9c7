// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs one scenario: the story, its events and faults, and the time after it. */
#include "life.h"
#include "control/describe.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The traffic of a hot SA. */
#define SLICE_SECONDS 0.02
#define SLICE_PACKETS 20
/* By then a hot SA has been promoted, and one that has to leave has left. */
#define HOT_SECONDS 0.8
#define LEAVE_SECONDS 0.3
/* After the story. */
#define AFTER_SECONDS 1.0
/* How long an SA may have to wait before it is moved again: a refused SA is tried again after a
 * minute. */
#define AGAIN_SECONDS 150.0
/* By then a NIC that frees late has freed all SAs that left it. */
#define LONG_SECONDS 15.0

/* The daemon knows at least what was true when the last dump began, in slices the last one that it
 * has read to the end. Called before the packets of a step. */
static void track_dumps(struct life *life)
{
	unsigned begun = fake_kernel_dumps(life->fake);
	bool ended = life->manager && !tracker_is_dumping(life->manager->tracker);

	if (begun != life->dumps)
		memcpy(life->at_dump, life->accepted, sizeof(life->at_dump));
	if (life->scenario->world->sliced ? ended : begun != life->dumps)
		memcpy(life->dumped, life->at_dump, sizeof(life->dumped));
	life->dumps = begun;
}

static void track_accepted(struct life *life)
{
	for (size_t i = 0; i < life->scenario->world->n; i++)
		if (life->latest[i])
			life->accepted[i] = fake_kernel_last_sequence(life->fake, life->latest[i]);
}

/* Only its own packets make it hot. */
static void track_sibling(struct life *life)
{
	if (life->sibling && fake_kernel_view(life->fake, life->sibling).ifindex != 0)
		life->sibling_moved = true;
}

static void tell_event(const struct life *life, enum life_event event, enum fake_moment moment)
{
	static const char *const moments[] = {"before an exchange", "before a message",
					      "within a message", "after an exchange",
					      "after a wait"};

	if (life->text && life->explorer->trace)
		(void)fprintf(life->text, "  %.3f s: %s, %s\n", life->now - 1000,
			      life_event_name(event), moments[moment]);
}

static void at_step(struct fake_kernel *k, enum fake_moment moment, unsigned step, void *userdata)
{
	struct life *life = userdata;
	const struct life_scenario *s = life->scenario;
	struct life_outcome *o = life->outcome;

	(void)k;
	if (life->killed)
		return;
	track_dumps(life);
	track_sibling(life);
	if (moment == FAKE_BEFORE_TRANSACT || moment == FAKE_AFTER_TRANSACT)
		life_go_on_moving(life);
	life_go_on_in_crypto(life);
	if (s->busy)
		life_traffic(life, 2);
	track_accepted(life);
	if (s->first.event && !o->first_happened && step >= s->first.step &&
	    life_can_happen(life, s->first.event, moment)) {
		o->first_happened = true;
		tell_event(life, s->first.event, moment);
		life_happen(life, s->first.event);
	} else if (s->second.event && o->first_happened && !o->second_happened &&
		   step >= s->second.step && life_can_happen(life, s->second.event, moment)) {
		o->second_happened = true;
		tell_event(life, s->second.event, moment);
		life_happen(life, s->second.event);
	}
}

static bool trace(struct nlmsghdr *message, void *userdata)
{
	static const char *const names[] = {
		[XFRM_MSG_NEWSA - XFRM_MSG_BASE] = "NEWSA",
		[XFRM_MSG_DELSA - XFRM_MSG_BASE] = "DELSA",
		[XFRM_MSG_GETSA - XFRM_MSG_BASE] = "GETSA",
		[XFRM_MSG_ALLOCSPI - XFRM_MSG_BASE] = "ALLOCSPI",
		[XFRM_MSG_UPDSA - XFRM_MSG_BASE] = "UPDSA",
		[XFRM_MSG_GETAE - XFRM_MSG_BASE] = "GETAE",
	};
	struct life *life = userdata;
	unsigned type = message->nlmsg_type - XFRM_MSG_BASE;

	(void)fprintf(life->text, "  %.3f s, step %u, message %u: %s (%u)\n", life->now - 1000,
		      fake_kernel_steps(life->fake), fake_kernel_messages(life->fake, 0) - 1,
		      type < ELEMENTSOF(names) && names[type] ? names[type] : "?", type);
	return true;
}

static void set_up(struct life *life)
{
	const struct life_world *world = life->scenario->world;
	struct fake_nic nic = {.ifindex = LIFE_NIC,
			       .name = "eth0",
			       .capacity_in = 8,
			       .late_free = world->frees_late,
			       .decrypts_late = world->frees_late};
	struct fake_config *config;

	if (fake_kernel_new(&life->fake) < 0)
		abort();
	(void)fake_kernel_add_nic(life->fake, &nic);
	config = fake_kernel_config(life->fake);
	config->templates_name_spi = world->templates_name_spi;
	config->acq_expires =
		world->templates_name_spi ? LIFE_LARVAL_SECONDS_CHARON : LIFE_LARVAL_SECONDS;
	config->migrate_state = world->migrate_state;
	config->encap_refused = world->nat;
	for (size_t i = 0; i < LIFE_POLICIES_MAX && world->policies[i].index; i++)
		fake_kernel_add_policy(life->fake, &world->policies[i]);
	life->now = 1000;
	life->seconds = 1000;
	life->next_spi = 0x2000;
	life->link_up = life->trusted = true;
	(void)unlink(life->explorer->ownership_path);
}

static void be_born(struct life *life)
{
	const struct life_world *world = life->scenario->world;

	for (size_t i = 0; i < world->n; i++)
		if (fake_ike_add(life->fake, &world->sas[i], &life->latest[i]) < 0)
			abort();
	life->first = life->latest[0];
	/* So that no SA has a successor in the same second. */
	life_stand_still(life, 1.0);
}

static void live(struct life *life, double seconds)
{
	for (double end = life->now + seconds; life->now < end - 1e-9;) {
		life_traffic(life, SLICE_PACKETS);
		life_pass(life, SLICE_SECONDS);
	}
}

static void story(struct life *life)
{
	const struct life_scenario *s = life->scenario;

	fake_kernel_set_hook(life->fake, at_step, life);
	fake_kernel_set_fault(life->fake, &s->fault);
	if (life->text && life->explorer->trace)
		fake_kernel_set_filter(life->fake, trace, life);
	life_start(life);
	if (life->scenario->world->frees_late)
		life_stand_still(life, LONG_SECONDS);
	life_pass(life, 0.05);
	be_born(life);
	live(life, HOT_SECONDS);
	if (life->manager)
		(void)manager_evacuate(life->manager, "eth0");
	live(life, LEAVE_SECONDS);
	life->outcome->fault_struck =
		s->fault.kind == FAKE_FAULT_NONE || fake_kernel_struck(life->fake);
	if (life->manager) {
		life->outcome->promoted = life->manager->promoted;
		life->outcome->evicted = life->manager->evicted;
	}
	while (life->moving)
		life_go_on_moving(life);
	fake_kernel_delete_policy(life->fake, LIFE_POLICY);
	fake_kernel_delete_policy(life->fake, LIFE_POLICY_OF_SOCKET);
	fake_kernel_set_hook(life->fake, NULL, NULL);
	fake_kernel_end_fault(life->fake);
	fake_kernel_end_lookup(life->fake);
	life->is_over = true;
}

static bool is_encapsulated(const struct life *life)
{
	const struct life_world *world = life->scenario->world;

	return world->nat && (life->has_moved || world->sas[0].encap);
}

static void explain(struct life *life, const struct fake_belief *belief)
{
	struct manager *m = life->manager;
	struct sa_id id = fake_belief_id(belief);
	const struct sa *sa = sa_table_find(m->sas, &id);
	struct policy_sa_view view = {};
	struct explanation e;

	if (!sa) {
		life_complain(life, "SA %#x is not known to the daemon", id.spi);
		return;
	}
	policy_sa_get(m->policy, sa->handle, manager_now(m), &view);
	describe_place(m, sa, &view, &e);
	/* This is expected. */
	if (life->has_moved && strcmp(e.reason, "peer-moves") == 0)
		return;
	if (is_encapsulated(life) && strcmp(e.reason, "refused") == 0)
		return;
	life_complain(life, "SA %#x is hot and not promoted again: %s", id.spi, e.reason);
}

static bool all_are(const struct life *life, int ifindex)
{
	for (size_t i = 0; i < life->scenario->world->n; i++) {
		const struct fake_belief *belief = life->latest[i];

		if (fake_belief_alive(belief) &&
		    fake_kernel_view(life->fake, belief).ifindex != ifindex)
			return false;
	}
	return true;
}

/* The SA must be moved again: no state of it may be pending for ever or wrong. */
static void move_again(struct life *life)
{
	bool may_stay = (life->has_moved && !life->was_killed) || is_encapsulated(life);
	double end = life->now + (may_stay ? 1.0 : AGAIN_SECONDS);

	manager_end_evacuations(life->manager);
	life->manager->config->interval = 1.0;
	while (!life->nic_gone && !all_are(life, LIFE_NIC) && life->now < end)
		live(life, 10 * SLICE_SECONDS);
	for (size_t i = 0; i < life->scenario->world->n; i++)
		if (!life->nic_gone && fake_belief_alive(life->latest[i]) &&
		    fake_kernel_view(life->fake, life->latest[i]).ifindex != LIFE_NIC)
			explain(life, life->latest[i]);
	(void)manager_evacuate(life->manager, "eth0");
	life->manager->config->interval = 0.1;
	live(life, LEAVE_SECONDS);
	if (!all_are(life, 0))
		life_complain(life, "an SA is left in a NIC that is evacuated");
}

/* It is no fault of a NIC that it still decrypts for a deleted SA. Replayed packets count as a
 * fault with ESN: their numbers are taken for new ones and fail the integrity check. */
static bool is_nic_blamed(const struct life *life)
{
	const struct placement_nic *nic = nics_get(life->manager->nics, LIFE_NIC);

	return nic && !life->scenario->world->sas[0].esn &&
	       (nic->trust.strikes > 0 || nic->trust.lost_until != 0);
}

/* Checks that must hold before larval SAs expire. */
static void judge_soon(struct life *life)
{
	const struct life_scenario *s = life->scenario;
	unsigned larvals = fake_kernel_larvals_of_daemon(life->fake);
	unsigned nameless = fake_kernel_nameless_larvals(life->fake);

	larvals -= nameless < life->nameless ? nameless : life->nameless;
	if (larvals > 0 && s->fault.kind == FAKE_FAULT_NONE)
		life_complain(life, "%u larval SAs of ours are left", larvals);
	if (is_nic_blamed(life))
		life_complain(life, "the NIC has strikes");
	if (life->away_longest > life_allowed_away(s) + 1e-9 && !life->was_killed && !life->stalled)
		life_complain(life, "SAs were absent for %.3f s", life->away_longest);
}

static void aftermath(struct life *life)
{
	/* The SA enters the NIC again while the NIC still decrypts for the deleted SA. */
	if (life->scenario->world->frees_late && life->manager)
		manager_end_evacuations(life->manager);
	live(life, AFTER_SECONDS);
	if (!life->trusted && !life->killed && !all_are(life, 0))
		life_complain(life, "an SA is left in a NIC that is not trusted");
	live(life, 1.0);
	while (life->killed || !life->manager)
		life_pass(life, 1.0);
	if (!life->link_up)
		life_link(life, 0, true);
	judge_soon(life);
	/* Until everything that can expire has expired. */
	life->manager->config->interval = life_larval_seconds(life) / 8;
	life_pass(life, life_larval_seconds(life));
	move_again(life);
}

static bool happened(const struct life_scenario *s, const struct life_outcome *o)
{
	if ((s->first.event && !o->first_happened) || (s->second.event && !o->second_happened))
		return false;
	return o->fault_struck;
}

static void count(struct life_explorer *explorer, const struct life_scenario *s,
		  const struct life_outcome *o)
{
	explorer->scenarios++;
	explorer->wrong += o->wrong > 0;
	explorer->limits[o->limit]++;
	explorer->events[s->first.event]++;
	explorer->faults += s->fault.kind != FAKE_FAULT_NONE;
	explorer->promoted += o->promoted;
	explorer->evicted += o->evicted;
	explorer->lost_packets += o->lost_packets;
	explorer->acquires += o->acquires;
}

static void run_once(struct life_explorer *explorer, const struct life_scenario *scenario,
		     FILE *text, struct life_outcome *ret_outcome)
{
	size_t in_use = secret_arena_in_use(explorer->arena);
	struct life life = {
		.explorer = explorer, .scenario = scenario, .outcome = ret_outcome, .text = text};

	*ret_outcome = (struct life_outcome){};
	set_up(&life);
	story(&life);
	if (happened(scenario, ret_outcome)) {
		aftermath(&life);
		life_judge(&life, in_use);
		ret_outcome->lost_packets = fake_kernel_lost(life.fake);
		ret_outcome->acquires = fake_kernel_acquires(life.fake);
	}
	life_stop(&life);
	sa_image_wipe(&life.image);
	rescue_clear(explorer->rescue);
	fake_kernel_free(life.fake);
	free(life.messages);
	free(life.ownership_text);
}

/* Runs the scenario again for the report; the run is deterministic. */
static void tell(struct life_explorer *explorer, const struct life_scenario *scenario)
{
	_cleanup_free_ char *told = NULL;
	struct life_outcome outcome;
	size_t size = 0;
	FILE *text = open_memstream(&told, &size);

	if (!text)
		abort();
	run_once(explorer, scenario, text, &outcome);
	(void)fclose(text);
	if (explorer->count_causes)
		life_causes_add(explorer, scenario, told);
	if (!explorer->report)
		return;
	life_describe(explorer->report, scenario);
	(void)fprintf(explorer->report, "%s\n", told);
	(void)fflush(explorer->report);
}

void life_run(struct life_explorer *explorer, const struct life_scenario *scenario,
	      struct life_outcome *ret_outcome)
{
	run_once(explorer, scenario, NULL, ret_outcome);
	if (!happened(scenario, ret_outcome))
		return;
	count(explorer, scenario, ret_outcome);
	if ((ret_outcome->wrong > 0 || explorer->tell_all) &&
	    (explorer->report || explorer->count_causes))
		tell(explorer, scenario);
}

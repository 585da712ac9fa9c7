// SPDX-License-Identifier: GPL-2.0-or-later
/* The events between two steps of the daemon. */
#include "life.h"

#include <errno.h>
#include <limits.h>

#define BYTES 1000
#define BURST_PACKETS 200000
#define BURST_SECONDS 0.01

static void receive(struct life *life, struct fake_belief *belief, unsigned packets, uint64_t known)
{
	uint64_t last;

	for (unsigned i = 0; i < packets; i++)
		(void)fake_kernel_receive_next(life->fake, belief, BYTES);
	/* An attacker replays earlier packets. */
	last = fake_kernel_last_sequence(life->fake, belief);
	if (known > 0)
		(void)fake_kernel_receive(life->fake, belief, known, BYTES);
	for (uint64_t i = 0; i < 2 && i < last; i++)
		(void)fake_kernel_receive(life->fake, belief, last - i, BYTES);
}

/* The last number that a sample showed: an SA that was lost with its NIC is restored with it. */
static uint64_t known_number(const struct life *life, size_t i)
{
	return life->was_down && !life->has_moved ? life->dumped[i] : 0;
}

static bool is_inbound(const struct life *life, size_t i)
{
	return life->scenario->world->sas[i].inbound;
}

/* charon deletes the policies before the SA. Other IKE daemons leave the policies, so packets cause
 * an ACQUIRE; this stops after the story. */
static bool has_traffic(const struct life *life, size_t i)
{
	const struct life_world *world = life->scenario->world;

	if (!life->latest[i] || (life->moving && life->latest[i] == life->first))
		return false;
	return fake_belief_alive(life->latest[i]) || !(world->templates_name_spi || life->is_over);
}

void life_traffic(struct life *life, unsigned packets)
{
	for (size_t i = 0; i < life->scenario->world->n; i++)
		if (!has_traffic(life, i))
			continue;
		else if (is_inbound(life, i))
			receive(life, life->latest[i], packets, known_number(life, i));
		else
			(void)fake_kernel_send(life->fake, life->latest[i], packets, BYTES);
}

/* A replay window is short: for an inbound SA a burst has the same effect as some packets. */
static void burst(struct life *life)
{
	life->now += BURST_SECONDS;
	for (size_t i = 0; i < life->scenario->world->n; i++)
		if (!has_traffic(life, i))
			continue;
		else if (is_inbound(life, i))
			receive(life, life->latest[i], 100, 0);
		else
			(void)fake_kernel_send(life->fake, life->latest[i], BURST_PACKETS, 64);
}

static void rekey(struct life *life)
{
	struct fake_belief *successor;

	if (fake_belief_alive(life->first) &&
	    fake_ike_rekey(life->fake, life->first, life->next_spi++, &successor) == 0)
		life->latest[0] = successor;
}

static void delete (struct life *life)
{
	if (fake_belief_alive(life->first) && fake_ike_delete(life->fake, life->first) < 0)
		life->outcome->ike_errors++;
}

static void expire(struct life *life)
{
	if (fake_ike_expire(life->fake, life->first) < 0)
		delete (life);
}

/* The NIC goes down, and up again after half a second. */
static void go_down(struct life *life, double message, double flush, double resync)
{
	life_flush(life, flush);
	if (resync > 0) {
		life_resync(life, resync);
		return;
	}
	life_link(life, message, false);
	life_link(life, message + 0.5, true);
}

/* As charon does, which copies our offload too. */
static void begin_move(struct life *life, unsigned pace)
{
	struct fake_view view = fake_kernel_view(life->fake, life->first);

	if (!fake_belief_alive(life->first) || life->moving)
		return;
	life->has_moved = true;
	life->read_larval |= view.larval;
	life->read_in_nic |= view.ifindex != 0;
	life->moving_pace = life->moving_wait = pace;
	if (!view.exists && !view.larval)
		life->outcome->ike_errors++;
	else if (fake_ike_move_read(life->fake, life->first) >= 0)
		life->moving = LIFE_MOVING_READ;
}

void life_go_on_moving(struct life *life)
{
	struct fake_new_place place = {
		.peer = 77, .encap = life->scenario->world->nat, .ifindex = LIFE_NIC};
	struct fake_view view;

	if (!life->moving || --life->moving_wait > 0)
		return;
	life->moving_wait = life->moving_pace;
	view = fake_kernel_view(life->fake, life->first);
	if (life->moving == LIFE_MOVING_READ) {
		life->met_acquired |= view.acquired;
		life->moving = LIFE_MOVING_DELETED;
		if (fake_ike_move_delete(life->fake, life->first) < 0) {
			life->outcome->ike_errors++;
			life->moving = LIFE_MOVING_NOT;
		}
	} else {
		(void)fake_ike_move_make(life->fake, life->first, &place);
		life->moving = LIFE_MOVING_NOT;
	}
}

static void add_optional_policy(struct life *life, bool socket)
{
	life->optional = true;
	life->optional_within |= fake_kernel_larvals_of_daemon(life->fake) > 0;
	fake_kernel_add_policy(
		life->fake,
		&(struct fake_policy_spec){.index = socket ? LIFE_POLICY_OF_SOCKET : LIFE_POLICY,
					   .socket = socket,
					   .reqid = 1,
					   .optional = true});
}

/* The peer's next packet enters crypto. */
static void enter_crypto(struct life *life, unsigned steps)
{
	uint64_t last = fake_kernel_last_sequence(life->fake, life->first);

	(void)fake_kernel_hold_packet(life->fake, life->first, last + 1, BYTES);
	life->packet_wait = steps;
}

void life_go_on_in_crypto(struct life *life)
{
	if (life->packet_wait > 0 && --life->packet_wait == 0)
		(void)fake_kernel_end_packet(life->fake);
}

static bool is_down_now(const struct life *life)
{
	return life->was_down && !fake_kernel_view(life->fake, life->first).exists;
}

void life_happen(struct life *life, enum life_event event)
{
	if (event < _LIFE_IKE_MAX && is_down_now(life))
		life->wrote_while_down = true;
	if (event < _LIFE_IKE_MAX && life->first)
		life->met_acquired |= fake_kernel_view(life->fake, life->first).acquired;
	switch (event) {
	case LIFE_DELETE:
		delete (life);
		break;
	case LIFE_UPDATE:
		if (fake_belief_alive(life->first))
			(void)fake_ike_update(life->fake, life->first, 5000, 4501);
		life->was_updated = true;
		break;
	case LIFE_REKEY:
		rekey(life);
		break;
	case LIFE_REKEY_AND_DELETE:
		rekey(life);
		delete (life);
		break;
	case LIFE_EXPIRE:
		expire(life);
		break;
	case LIFE_FLUSH:
		(void)fake_ike_flush(life->fake);
		break;
	case LIFE_MOVE:
		begin_move(life, 1);
		life_go_on_moving(life);
		life_go_on_moving(life);
		break;
	case LIFE_MOVE_STEPS:
		begin_move(life, 1);
		break;
	case LIFE_MOVE_SLOWLY:
		begin_move(life, 4);
		break;
	case LIFE_OPTIONAL:
		add_optional_policy(life, false);
		break;
	case LIFE_OPTIONAL_SOCKET:
		add_optional_policy(life, true);
		break;
	case LIFE_OPTIONAL_UNSEEN:
		add_optional_policy(life, false);
		fake_kernel_overrun(life->fake);
		break;
	case LIFE_DELETE_AND_DOWN:
		delete (life);
		go_down(life, 0, 0, 0);
		break;
	case LIFE_SIBLING:
		(void)fake_ike_add(life->fake, &life->scenario->world->sibling, &life->sibling);
		break;
	case LIFE_DOWN:
		go_down(life, 0, 0, 0);
		break;
	case LIFE_DOWN_NO_MEMORY:
		life_refuse_next(life);
		go_down(life, 0, 0, 0);
		break;
	case LIFE_DOWN_LATE:
		go_down(life, 0.3, 0, 0);
		break;
	case LIFE_DOWN_FIRST:
		go_down(life, 0, 0.005, 0);
		break;
	case LIFE_DOWN_SLOW:
		go_down(life, 0, 0.2, 0);
		break;
	case LIFE_FLAP:
		life_flush(life, 0);
		life_link(life, 0, false);
		life_link(life, 0, true);
		break;
	case LIFE_DOWN_UNSEEN:
		go_down(life, 0, 0, 0.05);
		break;
	case LIFE_GONE:
		life_flush(life, 0);
		life_link(life, 0, false);
		life_remove_nic(life, 0.002);
		break;
	case LIFE_GONE_AT_ONCE:
		life_flush(life, 0);
		life_remove_nic(life, 0);
		break;
	case LIFE_DOWN_AND_LOOKUP:
		go_down(life, 0, 0, 0);
		fake_kernel_hold_lookup(life->fake, life->latest[0]);
		break;
	case LIFE_BURST:
		burst(life);
		break;
	case LIFE_BURST_AND_DOWN:
		burst(life);
		go_down(life, 0, 0, 0);
		break;
	case LIFE_LOOKUP:
		fake_kernel_hold_lookup(life->fake, life->latest[0]);
		break;
	case LIFE_PACKET:
		enter_crypto(life, 2);
		break;
	case LIFE_PACKET_SLOW:
		enter_crypto(life, UINT_MAX);
		break;
	case LIFE_OVERRUN:
		fake_kernel_overrun(life->fake);
		break;
	case LIFE_DUMP_FAILS:
		fake_kernel_fail_dumps(life->fake, 1, -EINTR, true);
		break;
	case LIFE_DUMPS_FAIL:
		fake_kernel_fail_dumps(life->fake, 4, -ENOMEM, false);
		break;
	case LIFE_OPTIONAL_AND_DUMP_FAILS:
		add_optional_policy(life, false);
		fake_kernel_fail_dumps(life->fake, 1, -EINTR, true);
		break;
	case LIFE_OVERRUN_AND_DUMP_FAILS:
		fake_kernel_overrun(life->fake);
		fake_kernel_fail_dumps(life->fake, 1, -EINTR, true);
		break;
	case LIFE_DOWN_AND_DUMP_FAILS:
		go_down(life, 0, 0, 0);
		fake_kernel_fail_dumps(life->fake, 1, -EINTR, true);
		break;
	case LIFE_KILL_AND_DUMP_FAILS:
		life_kill(life, 0.25);
		fake_kernel_fail_dumps(life->fake, 2, -ENOMEM, false);
		break;
	case LIFE_DISTRUST:
		life_trust(life, 0, false);
		life_trust(life, 2.0, true);
		break;
	case LIFE_STALL:
		life->stalled = true;
		life_stand_still(life, life_larval_seconds(life));
		break;
	case LIFE_KILL:
		life_kill(life, 0.25);
		break;
	case LIFE_KILL_LATE:
		life->stalled = true;
		life_kill(life, life_larval_seconds(life));
		break;
	case LIFE_KILL_AND_DOWN:
		life_kill(life, 0.25);
		burst(life);
		go_down(life, 0, 0, 0);
		break;
	case LIFE_NOTHING:
	case _LIFE_EVENT_MAX:
		break;
	}
}

bool life_can_happen(const struct life *life, enum life_event event, enum fake_moment moment)
{
	if (!life->first)
		return event >= _LIFE_IKE_MAX && event != LIFE_LOOKUP && event != LIFE_PACKET &&
		       event != LIFE_PACKET_SLOW && event != LIFE_DOWN_AND_LOOKUP &&
		       event != LIFE_STALL;
	if (event == LIFE_SIBLING && life->scenario->world->sibling.spi == 0)
		return false;
	if (event == LIFE_PACKET || event == LIFE_PACKET_SLOW)
		return is_inbound(life, 0);
	if (event == LIFE_LOOKUP)
		return !is_inbound(life, 0);
	if (event == LIFE_DOWN_AND_LOOKUP && is_inbound(life, 0))
		return false;
	if (moment == FAKE_WITHIN_MESSAGE)
		return event == LIFE_BURST;
	if (event == LIFE_OPTIONAL_AND_DUMP_FAILS && moment == FAKE_BEFORE_MESSAGE)
		return false;
	if (event == LIFE_STALL)
		return moment == FAKE_BEFORE_TRANSACT;
	return event >= _LIFE_IKE_MAX || moment != FAKE_BEFORE_MESSAGE;
}

const char *life_event_name(enum life_event event)
{
	static const char *const names[] = {
		[LIFE_NOTHING] = "nothing",
		[LIFE_DELETE] = "IKE deletes",
		[LIFE_UPDATE] = "IKE updates",
		[LIFE_REKEY] = "IKE rekeys",
		[LIFE_REKEY_AND_DELETE] = "IKE rekeys and deletes",
		[LIFE_EXPIRE] = "IKE expires",
		[LIFE_FLUSH] = "flush",
		[LIFE_MOVE] = "the peer moves",
		[LIFE_MOVE_STEPS] = "the peer moves, in steps",
		[LIFE_MOVE_SLOWLY] = "the peer moves, slowly",
		[LIFE_OPTIONAL] = "a policy with level use",
		[LIFE_OPTIONAL_SOCKET] = "a policy of a socket with level use",
		[LIFE_OPTIONAL_UNSEEN] = "a policy with level use, its event lost",
		[LIFE_DELETE_AND_DOWN] = "IKE deletes, then link down",
		[LIFE_SIBLING] = "an SA for another CPU or label",
		[LIFE_DOWN_NO_MEMORY] = "link down, and no memory at first",
		[LIFE_DISTRUST] = "the NIC is not trusted any more",
		[LIFE_DOWN] = "link down",
		[LIFE_DOWN_LATE] = "link down, told 0.3 s later",
		[LIFE_DOWN_FIRST] = "link down, deleted 5 ms later",
		[LIFE_DOWN_SLOW] = "link down, deleted 0.2 s later",
		[LIFE_FLAP] = "link down and up at once",
		[LIFE_DOWN_UNSEEN] = "link down, its messages lost",
		[LIFE_GONE] = "the NIC goes down, and away for good",
		[LIFE_GONE_AT_ONCE] = "the NIC goes away for good",
		[LIFE_DOWN_AND_LOOKUP] = "link down, and a lookup is held up",
		[LIFE_BURST] = "packets at line rate",
		[LIFE_BURST_AND_DOWN] = "packets at line rate, link down",
		[LIFE_LOOKUP] = "a lookup is held up",
		[LIFE_PACKET] = "a packet is inside crypto",
		[LIFE_PACKET_SLOW] = "a packet is inside crypto for long",
		[LIFE_OVERRUN] = "events are lost",
		[LIFE_DUMP_FAILS] = "a dump fails halfway",
		[LIFE_DUMPS_FAIL] = "four dumps fail",
		[LIFE_OPTIONAL_AND_DUMP_FAILS] = "a policy with level use, and a dump fails",
		[LIFE_OVERRUN_AND_DUMP_FAILS] = "events are lost, and a dump fails",
		[LIFE_DOWN_AND_DUMP_FAILS] = "link down, and a dump fails",
		[LIFE_KILL_AND_DUMP_FAILS] = "kill, and two dumps fail",
		[LIFE_STALL] = "the daemon stands still until larval SAs expire",
		[LIFE_KILL] = "kill",
		[LIFE_KILL_LATE] = "kill, back when larval SAs have expired",
		[LIFE_KILL_AND_DOWN] = "kill, and link down before it is back",
	};

	return names[event];
}

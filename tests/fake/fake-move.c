// SPDX-License-Identifier: GPL-2.0-or-later
/* SAs that change their addresses or other identifying properties and stay the same SAs. */
#include "fake-internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static struct fake_sa *must_find(struct fake_kernel *k, const struct fake_belief *belief)
{
	struct fake_sa *sa = fake_belief_find(k, belief);

	if (!sa)
		abort();
	return sa;
}

static void set_peer(struct fake_sa *sa, bool inbound, uint32_t peer)
{
	xfrm_address_t address = fake_address(sa->info.family, 1 + peer);

	*(inbound ? &sa->info.saddr : &sa->info.id.daddr) = address;
}

/* charon stops at the first step that fails; then its SA is missing. */
static int step(struct fake_kernel *k, struct fake_belief *belief, const char *what, int r)
{
	if (r >= 0)
		return r;
	if (belief->moving)
		fake_sa_free(belief->moving);
	belief->moving = NULL;
	fake_ike_failed(k, "update_sa() of SA %#x, %s: %s", ntohl(belief->sa->info.id.spi), what,
			strerrorname_np(-r));
	return r;
}

int fake_ike_move_read(struct fake_kernel *k, struct fake_belief *belief)
{
	const struct fake_sa *sa = fake_belief_find(k, belief);

	if (!sa)
		return step(k, belief, "GETSA", -ESRCH);
	belief->moving = fake_sa_copy(sa);
	/* Neither GETSA nor GETAE without flags shows it. */
	belief->moving->replay_maxdiff = 0;
	return 0;
}

int fake_ike_move_delete(struct fake_kernel *k, struct fake_belief *belief)
{
	int r = fake_ike_delete(k, belief);

	belief->alive = true;
	return step(k, belief, "DELSA", r);
}

static void change(const struct fake_belief *belief, struct fake_sa *sa,
		   const struct fake_new_place *place)
{
	static const struct xfrm_encap_tmpl encap = {.encap_type = 2, /* UDP_ENCAP_ESPINUDP */
						     .encap_sport = 0x9411,
						     .encap_dport = 0x9411};

	set_peer(sa, belief->inbound, place->peer);
	fake_attribute_clear(sa, XFRMA_ENCAP);
	if (place->encap)
		fake_attribute_set(sa, XFRMA_ENCAP, &encap, sizeof(encap));
	if (sa->ifindex != 0)
		sa->ifindex = place->ifindex;
	if (place->reqid != 0)
		sa->info.reqid = place->reqid;
}

int fake_ike_move_make(struct fake_kernel *k, struct fake_belief *belief,
		       const struct fake_new_place *place)
{
	struct fake_sa *sa = belief->moving;
	int r;

	change(belief, sa, place);
	/* The expected SA is the one that the IKE daemon had, not the one that it read. */
	change(belief, belief->sa, place);
	belief->sa->replay_maxdiff = k->config.aevent_rseqth;
	r = fake_submit_sa(k, XFRM_MSG_NEWSA, sa, true);
	if (r < 0)
		return step(k, belief, "NEWSA", r);
	fake_wire_go_on(belief, sa);
	fake_sa_free(sa);
	belief->moving = NULL;
	return r;
}

void fake_ike_migrate(struct fake_kernel *k, struct fake_belief *belief, uint32_t peer)
{
	struct fake_sa *sa = must_find(k, belief);
	struct xfrm_userpolicy_id policy = {.dir = belief->inbound ? XFRM_POLICY_IN
								   : XFRM_POLICY_OUT};
	struct xfrm_user_migrate migrate = {
		.old_daddr = sa->info.id.daddr,
		.old_saddr = sa->info.saddr,
		.proto = sa->info.id.proto,
		.mode = sa->info.mode,
		.reqid = sa->info.reqid,
		.old_family = sa->info.family,
		.new_family = sa->info.family,
	};
	struct fake_buffer b = {};
	size_t start;

	fake_offload_delete(k, sa);
	sa->ifindex = 0;
	set_peer(sa, belief->inbound, peer);
	set_peer(belief->sa, belief->inbound, peer);
	migrate.new_daddr = sa->info.id.daddr;
	migrate.new_saddr = sa->info.saddr;
	start = fake_message_begin(&b, XFRM_MSG_MIGRATE, 0, 1, FAKE_IKE_PORT, &policy,
				   sizeof(policy));
	fake_message_add(&b, start, XFRMA_MIGRATE, &migrate, sizeof(migrate));
	fake_broadcast(k, (const struct nlmsghdr *)b.data);
	fake_buffer_release(&b);
}

int fake_ike_migrate_state(struct fake_kernel *k, struct fake_belief *belief, uint32_t peer)
{
	const struct fake_sa *sa = must_find(k, belief);
	struct xfrm_compat_migrate_state migrate = {
		.id = {.daddr = sa->info.id.daddr,
		       .spi = sa->info.id.spi,
		       .family = sa->info.family,
		       .proto = sa->info.id.proto},
		.old_mark = sa->mark,
		.new_sel = sa->info.sel,
		.new_reqid = sa->info.reqid,
		.new_family = sa->info.family,
	};
	struct fake_buffer b = {};
	struct fake_request request = {.k = k, .port = FAKE_IKE_PORT};
	int r;

	set_peer(belief->sa, belief->inbound, peer);
	migrate.new_daddr = belief->sa->info.id.daddr;
	migrate.new_saddr = belief->sa->info.saddr;
	fake_message_begin(&b, XFRM_COMPAT_MSG_MIGRATE_STATE, NLM_F_REQUEST | NLM_F_ACK, 1,
			   FAKE_IKE_PORT, &migrate, sizeof(migrate));
	request.message = (const struct nlmsghdr *)b.data;
	r = fake_process(&request);
	fake_buffer_release(&b);
	return r;
}

int fake_ike_change_if_id(struct fake_kernel *k, struct fake_belief *belief, uint32_t if_id)
{
	struct fake_sa *sa = fake_template(belief);
	int r;

	fake_attribute_set(sa, XFRMA_IF_ID, &if_id, sizeof(if_id));
	r = fake_submit_sa(k, XFRM_MSG_UPDSA, sa, false);
	if (r >= 0)
		fake_update_valid(belief->sa, sa);
	fake_sa_free(sa);
	return r;
}

void fake_kernel_set_add_time(struct fake_kernel *k, struct fake_belief *belief, uint64_t time)
{
	must_find(k, belief)->info.curlft.add_time = time;
	belief->sa->info.curlft.add_time = time;
}

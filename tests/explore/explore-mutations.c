// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mutations: they change the migrator's messages on the way to the kernel, as a wrong line in the
 * migrator would. The exploration must notice each of them.
 */
#include "explore-run.h"
#include "xfrm/compat.h"

#include <arpa/inet.h>
#include <string.h>

static bool makes_sa(const struct nlmsghdr *message)
{
	return message->nlmsg_type == XFRM_MSG_NEWSA || message->nlmsg_type == XFRM_MSG_UPDSA;
}

static size_t fixed_size(const struct nlmsghdr *message)
{
	switch (message->nlmsg_type) {
	case XFRM_MSG_ALLOCSPI:
		return sizeof(struct xfrm_userspi_info);
	case XFRM_MSG_NEWAE:
		return sizeof(struct xfrm_aevent_id);
	case XFRM_MSG_NEWSA:
	case XFRM_MSG_UPDSA:
		return sizeof(struct xfrm_usersa_info);
	default:
		return sizeof(struct xfrm_usersa_id);
	}
}

static struct nlattr *find(struct nlmsghdr *message, uint16_t type)
{
	size_t offset = NLMSG_SPACE(fixed_size(message));

	while (offset + NLA_HDRLEN <= message->nlmsg_len) {
		struct nlattr *attribute = (struct nlattr *)((uint8_t *)message + offset);

		if (attribute->nla_type == type)
			return attribute;
		offset += NLA_ALIGN(attribute->nla_len);
	}
	return NULL;
}

/* XFRMA_PAD is ignored everywhere. */
static void drop(struct nlmsghdr *message, uint16_t type)
{
	struct nlattr *attribute = find(message, type);

	if (attribute)
		attribute->nla_type = XFRMA_PAD;
}

static void zero(struct nlmsghdr *message, uint16_t type, size_t from)
{
	struct nlattr *attribute = find(message, type);

	if (attribute)
		memset((uint8_t *)(attribute + 1) + from, 0,
		       attribute->nla_len - NLA_HDRLEN - from);
}

#define DEFINE_DROP(name, attribute)                               \
	static bool name(struct nlmsghdr *message, void *userdata) \
	{                                                          \
		(void)userdata;                                    \
		if (makes_sa(message))                             \
			drop(message, attribute);                  \
		return true;                                       \
	}

DEFINE_DROP(drop_lifetime, XFRMA_LTIME_VAL)
DEFINE_DROP(drop_threshold, XFRMA_REPLAY_THRESH)
DEFINE_DROP(drop_encap, XFRMA_ENCAP)
DEFINE_DROP(drop_mark, XFRMA_MARK)
DEFINE_DROP(drop_if_id, XFRMA_IF_ID)
DEFINE_DROP(drop_direction, XFRM_COMPAT_SA_DIR)
DEFINE_DROP(drop_replay, XFRMA_REPLAY_VAL)

static bool reset_replay(struct nlmsghdr *message, void *userdata)
{
	(void)userdata;
	if (makes_sa(message)) {
		zero(message, XFRMA_REPLAY_VAL, 0);
		/* After bmp_len: oseq, seq, oseq_hi, seq_hi; the window stays. */
		struct nlattr *attribute = find(message, XFRMA_REPLAY_ESN_VAL);

		if (attribute)
			memset((uint8_t *)(attribute + 1) + 4, 0, 16);
	}
	return true;
}

static bool lose_one_number(struct nlmsghdr *message, void *userdata)
{
	struct nlattr *attribute = makes_sa(message) ? find(message, XFRMA_REPLAY_VAL) : NULL;
	struct xfrm_replay_state *replay = attribute ? (void *)(attribute + 1) : NULL;

	(void)userdata;
	if (replay && replay->oseq > 0)
		replay->oseq--;
	return true;
}

static bool forget_bitmap(struct nlmsghdr *message, void *userdata)
{
	struct nlattr *attribute = makes_sa(message) ? find(message, XFRMA_REPLAY_VAL) : NULL;

	(void)userdata;
	if (attribute)
		((struct xfrm_replay_state *)(attribute + 1))->bitmap = 0;
	return true;
}

static bool zero_key(struct nlmsghdr *message, void *userdata)
{
	(void)userdata;
	if (makes_sa(message))
		zero(message, XFRMA_ALG_AEAD, sizeof(struct xfrm_algo_aead));
	return true;
}

/* The SA is installed in the NIC or not at all. */
static bool no_software(struct nlmsghdr *message, void *userdata)
{
	(void)userdata;
	return !makes_sa(message) || find(message, XFRMA_OFFLOAD_DEV);
}

static bool no_larval(struct nlmsghdr *message, void *userdata)
{
	(void)userdata;
	return message->nlmsg_type != XFRM_MSG_ALLOCSPI;
}

/* Like DELSA and NEWSA without a larval SA: an SA that the IKE daemon deleted comes back. */
static bool no_larval_but_add(struct nlmsghdr *message, void *userdata)
{
	(void)userdata;
	if (message->nlmsg_type == XFRM_MSG_UPDSA)
		message->nlmsg_type = XFRM_MSG_NEWSA;
	return message->nlmsg_type != XFRM_MSG_ALLOCSPI;
}

/* Like a move with only the ALLOCSPI after the DELSA: a packet in between finds no SA. */
static bool no_guard(struct nlmsghdr *message, void *userdata)
{
	const struct xfrm_userspi_info *info = NLMSG_DATA(message);

	(void)userdata;
	return message->nlmsg_type != XFRM_MSG_ALLOCSPI || info->min == info->max;
}

/* With the SA's own reqid: the other reqid differs in bit 0 and in bit 30. */
static bool larval_in_the_way(struct nlmsghdr *message, void *userdata)
{
	struct xfrm_userspi_info *info = NLMSG_DATA(message);

	(void)userdata;
	if (message->nlmsg_type == XFRM_MSG_ALLOCSPI && info->info.reqid & 0x40000000)
		info->info.reqid ^= 0x40000001;
	return true;
}

static bool no_advance(struct nlmsghdr *message, void *userdata)
{
	(void)userdata;
	return message->nlmsg_type != XFRM_MSG_NEWAE;
}

/* Without the increase for the packets that were sent since the SA was read. */
static bool forget_jump(struct nlmsghdr *message, void *userdata)
{
	struct nlattr *attribute = makes_sa(message) ? find(message, XFRMA_REPLAY_VAL) : NULL;
	struct xfrm_replay_state *replay = attribute ? (void *)(attribute + 1) : NULL;

	(void)userdata;
	if (replay && replay->oseq > 1u << 20)
		replay->oseq -= 1u << 20;
	return true;
}

static bool wrong_direction(struct nlmsghdr *message, void *userdata)
{
	struct nlattr *attribute = makes_sa(message) ? find(message, XFRMA_OFFLOAD_DEV) : NULL;

	(void)userdata;
	if (attribute)
		((struct xfrm_user_offload *)(attribute + 1))->flags ^= XFRM_OFFLOAD_INBOUND;
	return true;
}

static bool change_limits(struct nlmsghdr *message, void *userdata)
{
	(void)userdata;
	if (makes_sa(message))
		((struct xfrm_usersa_info *)NLMSG_DATA(message))->lft.hard_byte_limit = 1 << 30;
	return true;
}

static bool leave_deletion_out(struct nlmsghdr *message, void *userdata)
{
	(void)userdata;
	return message->nlmsg_type != XFRM_MSG_DELSA;
}

static bool deletes_guard(const struct nlmsghdr *message)
{
	const struct xfrm_usersa_id *id = NLMSG_DATA(message);

	return message->nlmsg_type == XFRM_MSG_DELSA && ntohl(id->spi) <= 255;
}

/* Each of these leaves out a clean-up, only after something else failed as well. */

static bool no_cleaning_after_two_failures(struct nlmsghdr *message, void *userdata)
{
	const struct run *run = userdata;

	return run->scenario->fault.count != 2 || !deletes_guard(message);
}

static bool no_cleaning_where_spi_is_named(struct nlmsghdr *message, void *userdata)
{
	const struct explore_scenario *s = ((const struct run *)userdata)->scenario;

	return !s->world->names_spi || !s->busy || s->fault.kind == FAKE_FAULT_NONE ||
	       !deletes_guard(message);
}

static bool no_sweep(struct nlmsghdr *message, void *userdata)
{
	const struct run *run = userdata;

	return !run->outcome->killed || run->stored || !deletes_guard(message);
}

static bool no_sweep_after_failure(struct nlmsghdr *message, void *userdata)
{
	const struct run *run = userdata;

	return !run->outcome->killed || run->scenario->fault.kind == FAKE_FAULT_NONE ||
	       !deletes_guard(message);
}

/* A reqid other than its own, and a reserved SPI. */
static bool leave_nameless(struct nlmsghdr *message, void *userdata)
{
	const struct run *run = userdata;
	const struct xfrm_userspi_info *info = NLMSG_DATA(message);

	return run->scenario->fault.kind != FAKE_FAULT_LOSE_ANSWER ||
	       message->nlmsg_type != XFRM_MSG_ALLOCSPI || info->max > 255 ||
	       !(info->info.reqid & 0x40000000);
}

/* The IKE daemon had deleted our larval SA, and our UPDSA hit that of a packet. */
static bool keep_what_was_deleted(struct nlmsghdr *message, void *userdata)
{
	const struct run *run = userdata;

	return !run->deleted_away || message->nlmsg_type != XFRM_MSG_DELSA ||
	       !fake_kernel_view(run->fake, run->belief).exists;
}

static const struct explore_mutation mutations[] = {
	{"drops XFRMA_LTIME_VAL", drop_lifetime},
	{"drops XFRMA_REPLAY_THRESH", drop_threshold},
	{"drops XFRMA_ENCAP", drop_encap},
	{"drops XFRMA_MARK", drop_mark},
	{"drops XFRMA_IF_ID", drop_if_id},
	{"drops XFRMA_SA_DIR", drop_direction},
	{"drops XFRMA_REPLAY_VAL", drop_replay},
	{"resets the replay state", reset_replay},
	{"sets back the sequence number by one", lose_one_number},
	{"forgets the replay bitmap", forget_bitmap},
	{"installs a zero key", zero_key},
	{"does not fall back to software", no_software},
	{"leaves no larval SA", no_larval},
	{"leaves no larval SA and adds", no_larval_but_add},
	{"does not guard the move", no_guard},
	{"leaves the larval SA in the way of packets", larval_in_the_way},
	{"does not wait before the move", NULL, .broken_wait = 1},
	{"does not wait after the move", NULL, .broken_wait = 2},
	{"does not advance the sequence number", no_advance},
	{"forgets the jump of the sequence number", forget_jump},
	{"offloads in the wrong direction", wrong_direction},
	{"changes the limits", change_limits},
	{"does not delete", leave_deletion_out},
	{"does not clean up after two failures", no_cleaning_after_two_failures},
	{"does not clean up where the SPI is named", no_cleaning_where_spi_is_named},
	{"does not sweep after its death", no_sweep},
	{"does not sweep after a failure and its death", no_sweep_after_failure, .pairs = true},
	{"leaves a larval SA without an SPI", leave_nameless},
	{"keeps an SA that was deleted during the move", keep_what_was_deleted},
};

const struct explore_mutation *explore_mutations(size_t *ret_n)
{
	*ret_n = ELEMENTSOF(mutations);
	return mutations;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Attributes are copied unchanged, except those that the table of sa/attributes.c drops.
 * XFRMA_OFFLOAD_DEV is written anew. XFRMA_LTIME_VAL is added, since NEWSA ignores the counters and
 * times in the struct.
 */
#include "sa/image.h"
#include "sa/attributes.h"
#include "xfrm/compat.h"

#include <errno.h>
#include <netlink/msg.h>
#include <string.h>

#define IMAGE_ATTRIBUTES_MAX (12u * 1024u)
/* XORed with a reqid this gives one that no SA uses, in another hash chain: bit 0 of a reqid is
 * also bit 0 of the chain's number (__xfrm_dst_hash()). */
#define APART 0x40000001u

static xfrm_address_t address_write(const struct sa_address *address)
{
	xfrm_address_t result;

	memcpy(&result, address->bytes, sizeof(result));
	return result;
}

/* An attribute that this version does not know is copied too, so that every image is complete. The
 * SA is not moved, because of its facts (HANDS_OFF_UNKNOWN_ATTRIBUTE). */
static bool attribute_is_copied(uint16_t type, bool has_auth_trunc)
{
	const struct sa_attribute *known = sa_attribute_find(type);

	if (!known)
		return true;
	return known->copy == SA_ATTRIBUTE_COPIED ||
	       (known->copy == SA_ATTRIBUTE_REPEATED && !has_auth_trunc);
}

/* Writes those attributes of a message that are copied to `copy`, which may be NULL. Returns their
 * size in bytes. */
static size_t copy_attributes(struct nlmsghdr *m, int offset, uint8_t *copy)
{
	bool has_auth_trunc = nlmsg_find_attr(m, offset, XFRMA_ALG_AUTH_TRUNC) != NULL;
	struct nlattr *attribute;
	size_t used = 0;
	int remaining;

	nlmsg_for_each_attr(attribute, m, offset, remaining) {
		if (!attribute_is_copied((uint16_t)nla_type(attribute), has_auth_trunc))
			continue;
		if (copy) {
			memset(copy + used, 0, (size_t)nla_total_size(nla_len(attribute)));
			memcpy(copy + used, attribute, (size_t)attribute->nla_len);
		}
		used += (size_t)nla_total_size(nla_len(attribute));
	}
	return used;
}

int sa_image_capture(struct sa_image *image, struct secret_arena *arena,
		     const struct nlmsghdr *message)
{
	struct nlmsghdr *m = (struct nlmsghdr *)message;
	int offset = (int)sa_facts_attributes_offset(message);
	struct xfrm_usersa_info info;
	uint8_t *copy = NULL;
	size_t size;

	if (!kernel_message_sa(message, &info))
		return -EBADMSG;
	size = copy_attributes(m, offset, NULL);
	if (size > IMAGE_ATTRIBUTES_MAX)
		return -E2BIG;

	/* Reuses the old memory if the new image fits: capturing the final state of an SA that is
	 * already deleted must not fail because of memory. */
	if (image->arena == arena && size <= image->size)
		copy = TAKE_PTR(image->attributes);
	else
		copy = secret_alloc(arena, size);
	if (!copy)
		return -ENOMEM;
	(void)copy_attributes(m, offset, copy);
	sa_image_wipe(image);
	image->arena = arena;
	image->info = info;
	image->attributes = copy;
	image->size = size;
	return 0;
}

bool sa_image_has_room(struct secret_arena *arena)
{
	void *room = secret_alloc(arena, IMAGE_ATTRIBUTES_MAX);

	secret_free(arena, room);
	return room;
}

void sa_image_wipe(struct sa_image *image)
{
	if (image->attributes)
		secret_free(image->arena, image->attributes);
	*image = (struct sa_image){};
}

/* NULL: there is none, or it is too short for its type. */
static const struct nlattr *image_find(const struct sa_image *image, uint16_t type)
{
	const struct nlattr *attribute =
		nla_find((struct nlattr *)image->attributes, (int)image->size, type);
	bool whole = attribute && (size_t)nla_len(attribute) >= sa_attribute_find(type)->size;

	return whole ? attribute : NULL;
}

struct sa_id sa_image_id(const struct sa_image *image)
{
	const struct nlattr *mark = image_find(image, XFRMA_MARK);
	struct sa_id id = {
		.destination = sa_address_read(image->info.family, &image->info.id.daddr),
		.spi = ntohl(image->info.id.spi),
		.family = image->info.family,
		.protocol = image->info.id.proto,
	};

	if (mark) {
		id.mark_value = ((const struct xfrm_mark *)nla_data(mark))->v;
		id.mark_mask = ((const struct xfrm_mark *)nla_data(mark))->m;
	}
	return id;
}

static void copy_attribute(const struct sa_image *image, struct kernel_batch *batch, uint16_t type)
{
	const struct nlattr *attribute = image_find(image, type);

	if (attribute)
		kernel_batch_attribute(batch, type, nla_data(attribute),
				       (size_t)nla_len(attribute));
}

static void write_offload(struct kernel_batch *batch, const struct sa_offload *offload)
{
	struct xfrm_user_offload value = {
		.ifindex = offload->ifindex,
		.flags = offload->direction == SA_DIRECTION_IN ? XFRM_OFFLOAD_INBOUND : 0,
	};

	if (offload->ifindex != 0)
		kernel_batch_attribute(batch, XFRMA_OFFLOAD_DEV, &value, sizeof(value));
}

static void write_sa(const struct sa_image *image, struct kernel_batch *batch, uint16_t type)
{
	struct nlattr *attribute;
	int remaining;

	kernel_batch_add(batch, type, 0, &image->info, sizeof(image->info));
	nla_for_each_attr(attribute, (struct nlattr *)image->attributes, (int)image->size,
			  remaining)
		kernel_batch_attribute(batch, (uint16_t)nla_type(attribute), nla_data(attribute),
				       (size_t)nla_len(attribute));
	kernel_batch_attribute(batch, XFRMA_LTIME_VAL, &image->info.curlft,
			       sizeof(image->info.curlft));
	if (image->replay_threshold != 0)
		kernel_batch_attribute(batch, XFRMA_REPLAY_THRESH, &image->replay_threshold,
				       sizeof(image->replay_threshold));
}

void sa_image_write(const struct sa_image *image, struct kernel_batch *batch, uint16_t type,
		    const struct sa_offload *offload)
{
	write_sa(image, batch, type);
	write_offload(batch, offload);
}

void sa_image_write_offload_probe(const struct sa_image *image, struct kernel_batch *batch)
{
	const struct xfrm_user_offload value = {.flags = UINT8_MAX};

	write_sa(image, batch, XFRM_MSG_NEWSA);
	kernel_batch_attribute(batch, XFRMA_OFFLOAD_DEV, &value, sizeof(value));
}

void sa_image_write_migrate(const struct sa_image *image, struct kernel_batch *batch,
			    const struct sa_offload *offload)
{
	const struct nlattr *mark = image_find(image, XFRMA_MARK);
	const struct xfrm_usersa_info *info = &image->info;
	struct xfrm_compat_migrate_state request = {
		.id =
			{
				.daddr = info->id.daddr,
				.spi = info->id.spi,
				.family = info->family,
				.proto = info->id.proto,
			},
		.new_daddr = info->id.daddr,
		.new_saddr = info->saddr,
		.new_sel = info->sel,
		.new_reqid = info->reqid,
		.new_family = info->family,
		.flags = offload->ifindex == 0 ? XFRM_COMPAT_MIGRATE_STATE_CLEAR_OFFLOAD : 0,
	};

	if (mark)
		memcpy(&request.old_mark, nla_data(mark), sizeof(request.old_mark));
	kernel_batch_add(batch, XFRM_COMPAT_MSG_MIGRATE_STATE, 0, &request, sizeof(request));
	write_offload(batch, offload);
}

void sa_image_write_migrate_probe(struct kernel_batch *batch)
{
	/* An SPI of the reserved range (RFC 4303, 2.1): no SA has it. */
	struct xfrm_compat_migrate_state request = {
		.id = {.spi = htonl(1), .family = AF_INET, .proto = IPPROTO_ESP},
		.new_sel.family = AF_INET,
		.new_family = AF_INET,
		.flags = XFRM_COMPAT_MIGRATE_STATE_CLEAR_OFFLOAD,
	};

	kernel_batch_add(batch, XFRM_COMPAT_MSG_MIGRATE_STATE, 0, &request, sizeof(request));
}

static void write_alloc_spi(const struct sa_image *image, struct kernel_batch *batch,
			    uint32_t reqid, uint32_t min, uint32_t max)
{
	struct xfrm_userspi_info request = {.info = image->info, .min = min, .max = max};

	request.info.reqid = reqid;
	/* With a sequence number the kernel would look for its own larval SA of that number. */
	request.info.seq = 0;
	kernel_batch_add(batch, XFRM_MSG_ALLOCSPI, 0, &request, sizeof(request));
	copy_attribute(image, batch, XFRMA_MARK);
	copy_attribute(image, batch, XFRMA_IF_ID);
	copy_attribute(image, batch, XFRM_COMPAT_SA_DIR);
	copy_attribute(image, batch, XFRM_COMPAT_SA_PCPU);
}

void sa_image_write_guard(const struct sa_image *image, struct kernel_batch *batch, uint32_t min,
			  uint32_t max)
{
	write_alloc_spi(image, batch, image->info.reqid, min, max);
}

void sa_image_write_larval(const struct sa_image *image, struct kernel_batch *batch, uint32_t min,
			   uint32_t max)
{
	write_alloc_spi(image, batch, image->info.reqid ^ APART, min, max);
}

bool sa_image_is_larval(const struct sa_image *image, const struct sa_facts *facts)
{
	return facts->hands_off == HANDS_OFF_LARVAL &&
	       facts->description.reqid == (image->info.reqid ^ APART);
}

static struct xfrm_usersa_info witness_info(void)
{
	return (struct xfrm_usersa_info){
		.id = {.daddr.a4 = htonl(INADDR_LOOPBACK), .proto = IPPROTO_ESP},
		.saddr.a4 = htonl(INADDR_LOOPBACK),
		.reqid = APART,
		.family = AF_INET,
		.mode = XFRM_MODE_TRANSPORT,
	};
}

void sa_image_write_witness(struct kernel_batch *batch, uint32_t min, uint32_t max)
{
	struct xfrm_userspi_info request = {.info = witness_info(), .min = min, .max = max};

	kernel_batch_add(batch, XFRM_MSG_ALLOCSPI, 0, &request, sizeof(request));
}

struct sa_id sa_image_witness_id(uint32_t spi)
{
	struct xfrm_usersa_info info = witness_info();

	return (struct sa_id){
		.destination = sa_address_read(info.family, &info.id.daddr),
		.spi = spi,
		.family = info.family,
		.protocol = info.id.proto,
	};
}

bool sa_image_is_witness(const struct sa_facts *facts)
{
	const struct sa_description *d = &facts->description;
	struct sa_id id = sa_image_witness_id(d->id.spi);

	return facts->hands_off == HANDS_OFF_LARVAL && d->reqid == APART &&
	       memcmp(&id, &d->id, sizeof(id)) == 0 &&
	       memcmp(&d->source, &d->id.destination, sizeof(d->source)) == 0;
}

bool sa_image_is_guard(const struct sa_facts *facts)
{
	const struct sa_id *id = &facts->description.id;

	return facts->hands_off == HANDS_OFF_LARVAL && id->protocol == IPPROTO_ESP &&
	       id->spi >= SA_GUARD_SPI_MIN && id->spi <= SA_GUARD_SPI_MAX;
}

static struct xfrm_usersa_id usersa_id(const struct sa_id *id)
{
	return (struct xfrm_usersa_id){
		.daddr = address_write(&id->destination),
		.spi = htonl(id->spi),
		.family = id->family,
		.proto = id->protocol,
	};
}

static void write_mark(const struct sa_id *id, struct kernel_batch *batch)
{
	struct xfrm_mark mark = {.v = id->mark_value, .m = id->mark_mask};

	if (mark.v != 0 || mark.m != 0)
		kernel_batch_attribute(batch, XFRMA_MARK, &mark, sizeof(mark));
}

void sa_id_write(const struct sa_id *id, struct kernel_batch *batch, uint16_t type)
{
	struct xfrm_usersa_id request = usersa_id(id);

	kernel_batch_add(batch, type, 0, &request, sizeof(request));
	write_mark(id, batch);
}

void sa_id_write_get_thresholds(const struct sa_id *id, struct kernel_batch *batch)
{
	struct xfrm_aevent_id request = {
		.sa_id = usersa_id(id),
		.flags = XFRM_AE_RTHR | XFRM_AE_ETHR,
	};

	kernel_batch_add(batch, XFRM_MSG_GETAE, 0, &request, sizeof(request));
	write_mark(id, batch);
}

uint64_t sa_image_output_sequence(const struct sa_image *image)
{
	const struct nlattr *attribute = image_find(image, XFRMA_REPLAY_ESN_VAL);

	if (attribute) {
		const struct xfrm_replay_state_esn *esn = nla_data(attribute);

		return (uint64_t)esn->oseq_hi << 32 | esn->oseq;
	}
	attribute = image_find(image, XFRMA_REPLAY_VAL);
	if (attribute)
		return ((const struct xfrm_replay_state *)nla_data(attribute))->oseq;
	return 0;
}

static uint64_t sequence_maximum(const struct sa_image *image)
{
	return image->info.flags & XFRM_STATE_ESN ? UINT64_MAX : UINT32_MAX;
}

bool sa_image_is_exhausted(const struct sa_image *image)
{
	return sa_image_output_sequence(image) >= sequence_maximum(image);
}

void sa_image_advance(struct sa_image *image, uint64_t by)
{
	uint64_t maximum = sequence_maximum(image);
	uint64_t sequence = sa_image_output_sequence(image);
	struct nlattr *attribute = (struct nlattr *)image_find(image, XFRMA_REPLAY_ESN_VAL);

	sequence = by > maximum - sequence ? maximum : sequence + by;
	if (attribute) {
		struct xfrm_replay_state_esn *esn = nla_data(attribute);

		esn->oseq = (uint32_t)sequence;
		esn->oseq_hi = (uint32_t)(sequence >> 32);
		return;
	}
	attribute = (struct nlattr *)image_find(image, XFRMA_REPLAY_VAL);
	if (attribute)
		((struct xfrm_replay_state *)nla_data(attribute))->oseq = (uint32_t)sequence;
}

void sa_image_write_sequence(const struct sa_image *image, struct kernel_batch *batch)
{
	struct xfrm_aevent_id request = {
		.sa_id =
			{
				.daddr = image->info.id.daddr,
				.spi = image->info.id.spi,
				.family = image->info.family,
				.proto = image->info.id.proto,
			},
		.saddr = image->info.saddr,
		.reqid = image->info.reqid,
		.flags = XFRM_AE_RVAL,
	};

	/* xfrm_new_ae() requires NLM_F_REPLACE. */
	kernel_batch_add(batch, XFRM_MSG_NEWAE, NLM_F_REPLACE, &request, sizeof(request));
	copy_attribute(image, batch, XFRMA_MARK);
	copy_attribute(image, batch, XFRMA_REPLAY_VAL);
	copy_attribute(image, batch, XFRMA_REPLAY_ESN_VAL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as messages of the kernel: facts and images of SAs, policies, and images written back;
 * links, addresses, features and answers of route lookups. The kernel is trusted, but a message
 * that this code misreads must have no effect beyond this message.
 */
#include "network/address.h"
#include "network/ethtool.h"
#include "network/nic-table.h"
#include "network/route-cache.h"
#include "sa/image.h"
#include "sa/spd.h"
#include "xfrm/compat.h"

#include <netlink/msg.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_back(const struct sa_image *image, struct secret_arena *arena)
{
	static const struct sa_offload offload = {.ifindex = 7, .direction = SA_DIRECTION_IN};
	struct kernel_batch batch;

	if (kernel_batch_init(&batch, arena) < 0)
		abort();
	sa_image_write_larval(image, &batch, 256, 512);
	sa_image_write(image, &batch, XFRM_MSG_UPDSA, &offload);
	sa_image_write_migrate(image, &batch, &offload);
	sa_image_write_sequence(image, &batch);
	kernel_batch_release(&batch);
}

static void take(const struct nlmsghdr *message, struct secret_arena *arena)
{
	struct sa_facts facts;
	struct sa_image image = {};
	struct spd spd = {};

	if (sa_facts_read(message, &facts) == 0) {
		(void)sa_facts_check_limits(&facts, 1000);
		if (sa_image_capture(&image, arena, message) == 0) {
			(void)sa_image_id(&image);
			sa_image_advance(&image, 1000);
			write_back(&image, arena);
		}
		sa_image_wipe(&image);
		(void)spd_makes_optional(&spd, &facts.description);
	}
	spd_handle(&spd, message);
	spd_clear(&spd);
}

static void take_network(const struct nlmsghdr *message)
{
	struct nic_address address;
	struct nic nic;
	int ifindex;
	struct ethtool_offload offload;

	if (nic_parse_link(message, &nic) == NIC_LINK_SET &&
	    strnlen(nic.name, sizeof(nic.name)) == sizeof(nic.name))
		abort();
	(void)nic_parse_address(message, &address);
	(void)route_parse_answer(message);
	(void)ethtool_parse_features(message, message->nlmsg_type, &ifindex, &offload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(secret_arena_freep) struct secret_arena *arena = NULL;
	_cleanup_free_ uint8_t *copy = malloc(size + 1);
	struct nlmsghdr *message = (struct nlmsghdr *)copy;
	int remaining = (int)size;

	if (!copy || secret_arena_new(1u << 20, &arena) < 0)
		return 0;
	memcpy(copy, data, size);
	for (; nlmsg_ok(message, remaining); message = nlmsg_next(message, &remaining)) {
		take(message, arena);
		take_network(message);
	}
	if (secret_arena_in_use(arena) != 0)
		abort();
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds messages about an SA from single attributes; include cmocka first. */
#pragma once

#include "sa/image.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netlink/msg.h>
#include <string.h>

#define MESSAGE_SPI 0xc0012345u

struct attribute {
	uint16_t type;
	const void *data;
	size_t size;
};
#define VALUE(type, value)                    \
	{                                     \
		type, &(value), sizeof(value) \
	}

static inline struct xfrm_usersa_info make_info(void)
{
	return (struct xfrm_usersa_info){
		.sel = {.daddr.a4 = 5, .prefixlen_d = 24, .family = AF_INET},
		.id = {.daddr.a4 = htonl(0xc0000201),
		       .spi = htonl(MESSAGE_SPI),
		       .proto = IPPROTO_ESP},
		.saddr.a4 = htonl(0xc0000202),
		.curlft = {.bytes = 1000, .packets = 10, .add_time = 1700000000, .use_time = 1},
		.seq = 4711,
		.reqid = 42,
		.family = AF_INET,
		.mode = XFRM_MODE_TUNNEL,
	};
}

static inline struct nl_msg *make_message(uint16_t type, const void *fixed, size_t size,
					  const struct attribute *attributes, size_t n)
{
	struct nl_msg *message = nlmsg_alloc_size(64 * 1024);

	assert_non_null(message);
	assert_non_null(nlmsg_put(message, 0, 0, type, 0, 0));
	assert_int_equal(nlmsg_append(message, (void *)fixed, size, NLMSG_ALIGNTO), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(nla_put(message, attributes[i].type, (int)attributes[i].size,
					 attributes[i].data),
				 0);
	return message;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XFRM constants newer than the headers of Debian 12 (Linux 6.1), with the version that introduced
 * each. All are user-space ABI and cannot change.
 */
#pragma once

#include <linux/xfrm.h>
#include <stdint.h>

enum {
	XFRM_COMPAT_SA_DIR = 33,                 /* u8, 6.10 */
	XFRM_COMPAT_NAT_KEEPALIVE_INTERVAL = 34, /* u32, 6.11 */
	XFRM_COMPAT_SA_PCPU = 35,                /* u32, 6.13 and 6.12.13 */
	XFRM_COMPAT_ATTRIBUTE_KNOWN_MAX = XFRM_COMPAT_SA_PCPU,
};

enum {
	XFRM_COMPAT_SA_DIR_IN = 1,
	XFRM_COMPAT_SA_DIR_OUT = 2,
};

#define XFRM_COMPAT_OFFLOAD_PACKET 4       /* flag of XFRMA_OFFLOAD_DEV, 6.2 */
#define XFRM_COMPAT_MSG_MIGRATE_STATE 0x29 /* 7.2 */
#define XFRM_COMPAT_MIGRATE_STATE_CLEAR_OFFLOAD 1

/* struct xfrm_user_migrate_state of 7.2 */
struct xfrm_compat_migrate_state {
	struct xfrm_usersa_id id;
	xfrm_address_t new_daddr;
	xfrm_address_t new_saddr;
	struct xfrm_mark old_mark;
	struct xfrm_selector new_sel;
	uint32_t new_reqid;
	uint32_t flags;
	uint16_t new_family;
	uint16_t reserved;
};

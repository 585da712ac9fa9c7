// SPDX-License-Identifier: GPL-2.0-or-later
#include "network/drivers.h"

#include "cleanup.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

/*
 * Drivers with xfrmdev_ops, as read in Linux 6.1.192 and 6.12.117 (cn10k: 6.14). Paths are below
 * drivers/net/.
 */
static const struct nic_driver drivers[] = {
	{
		/* netdevsim/netdevsim.h: NSIM_IPSEC_MAX_SA_COUNT. */
		.name = "netdevsim",
		.directions = NIC_DIRECTION_BOTH,
		.has_table = true,
		.shared = true,
		.in = 33,
	},
	{
		/* ethernet/intel/ixgbe/ixgbe_ipsec.h: IXGBE_IPSEC_MAX_SA_COUNT. Inbound SAs with
		 * more than 128 local addresses (IXGBE_IPSEC_MAX_RX_IP_COUNT) get ENOSPC. With VFs
		 * and a bridge mode other than VEPA, ixgbe_ipsec_add_sa() returns EOPNOTSUPP for
		 * outbound SAs, and the kernel falls back to software. */
		.name = "ixgbe",
		.directions = NIC_DIRECTION_BOTH,
		.has_table = true,
		.in = 1024,
		.out = 1024,
	},
	{
		/* ethernet/intel/ixgbevf/ipsec.h: the same number, but the slots are those of the
		 * PF, shared by all VFs. ixgbe_ipsec_vf_add_sa() refuses outbound SAs with
		 * EOPNOTSUPP. */
		.name = "ixgbevf",
		.directions = NIC_DIRECTION_IN,
		.has_table = true,
		.in = 1024,
	},
	{
		/* ethernet/mellanox/mlx5/core/en_accel/ipsec_fs.c: NUM_IPSEC_FTE, BIT(15) per
		 * direction; the device's own limits (log_max_ipsec_offload, DEKs) may be lower.
		 * mlx5e_xfrm_free_state() frees rules, objects and DEKs with the last reference. */
		.name = "mlx5_core",
		.directions = NIC_DIRECTION_BOTH,
		.has_table = true,
		.in = 32768,
		.out = 32768,
		.frees_late = true,
	},
	{
		/* ethernet/netronome/nfp/crypto/ipsec.c: NFP_NET_IPSEC_MAX_SA_CNT. */
		.name = "nfp",
		.directions = NIC_DIRECTION_BOTH,
		.has_table = true,
		.shared = true,
		.in = 16384,
	},
	{
		/* ethernet/marvell/octeontx2/nic/cn10k_ipsec.c: DMA memory for each SA, without a
		 * limit. cn10k_ipsec_inb_add_state() returns EOPNOTSUPP. */
		.name = "rvu-nicpf",
		.directions = NIC_DIRECTION_OUT,
		.has_table = true,
	},
	{
		/* ethernet/chelsio/inline_crypto/ch_ipsec/chcr_ipsec.c: the key is part of every
		 * work request, and only transmission uses it. */
		.name = "cxgb4",
		.directions = NIC_DIRECTION_OUT,
		.frees_late = true,
	},
	{
		/* bonding/bond_main.c: bond_ipsec_add_sa() asks the active slave. */
		.name = "bonding",
		.directions = NIC_DIRECTION_BOTH,
		.has_table = true,
	},
};

/* SAs that a driver accepts and then handles wrongly, without an error. */
struct trap {
	const char *driver;
	uint32_t key_bits_max; /* with salt; longer keys are affected; 0: none */
	bool encap;            /* true: encapsulated SAs are affected */
	const char *reason;
};

#define ENCAP_REASON \
	"the driver accepts UDP encapsulation but does not know it (Linux 6.11 and later)"

static const struct trap traps[] = {
	/* nsim_ipsec_parse_proto_keys(): if `key_len > 128` it takes 16 bytes as the key, and the
	 * next four bytes, which are part of the key, as the salt. */
	{
		.driver = "netdevsim",
		.key_bits_max = 160,
		.reason = "the driver accepts AES keys longer than 128 bits but uses 128 bits of "
			  "them",
	},
	/* ixgbevf_ipsec_set_pf_sa() sends 20 bytes to the PF, even of a longer key. */
	{
		.driver = "ixgbevf",
		.key_bits_max = 160,
		.reason = "the driver accepts AES keys longer than 128 bits but uses 128 bits of "
			  "them",
	},
	/* None of these drivers checks x->encap. xfrm_dev_state_add() refused encapsulation until
	 * commit a10fb4a84a69 (6.11) left the check to the drivers. */
	{.driver = "netdevsim", .encap = true, .reason = ENCAP_REASON},
	{.driver = "ixgbe", .encap = true, .reason = ENCAP_REASON},
	{.driver = "ixgbevf", .encap = true, .reason = ENCAP_REASON},
	{.driver = "nfp", .encap = true, .reason = ENCAP_REASON},
};

/* Treats '-' and '_' as equal: ethtool shows the octeontx2 driver as rvu-nicpf, the PCI bus as
 * rvu_nicpf. */
static bool same_name(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		char x = *a == '_' ? '-' : *a;
		char y = *b == '_' ? '-' : *b;

		if (x != y)
			return false;
	}
	return *a == *b;
}

const struct nic_driver *nic_driver_find(const char *driver)
{
	for (size_t i = 0; i < ELEMENTSOF(drivers); i++)
		if (same_name(drivers[i].name, driver))
			return &drivers[i];
	return NULL;
}

int nic_driver_check(const char *driver, const struct sa_shape *shape, const char **ret_reason)
{
	for (size_t i = 0; i < ELEMENTSOF(traps); i++) {
		const struct trap *trap = &traps[i];

		if (!same_name(trap->driver, driver))
			continue;
		if ((trap->encap && shape->encap) ||
		    (trap->key_bits_max != 0 && shape->key_bits > trap->key_bits_max)) {
			*ret_reason = trap->reason;
			return -EOPNOTSUPP;
		}
	}
	return 0;
}

unsigned kernel_release_parse(const char *release, unsigned long *ret_numbers, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char *end;

		if (*release < '0' || *release > '9')
			return i;
		ret_numbers[i] = strtoul(release, &end, 10);
		if (*end != '.')
			return i + 1;
		release = end + 1;
	}
	return n;
}

bool nic_bond_allowed(const char *release)
{
	unsigned long number[3] = {};
	unsigned long major, minor, patch;

	if (kernel_release_parse(release, number, 3) < 2)
		return false;
	major = number[0];
	minor = number[1];
	patch = number[2];
	if (major != 6)
		return true;

	/*
	 * 6.12.36 and similar releases mark offloaded states as active without passing the slave's
	 * device to the slave's driver. The driver then writes into the private data of the bond,
	 * and the next failover crashes (seen on 6.12.117). Since 6.11 (and 6.10.9)
	 * bond_ipsec_del_sa() takes a mutex under a spin lock. Both are fixed in 6.16
	 * (43eca05b6a3b, d2fddbd34799).
	 *
	 * The release of a distribution may have patch level 0 and contain such backports, so the
	 * whole range is refused.
	 */
	return minor < 10 || (minor == 10 && patch > 0 && patch < 9) || minor >= 16;
}

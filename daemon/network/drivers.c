// SPDX-License-Identifier: GPL-2.0-or-later
#include "network/drivers.h"

#include "cleanup.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

/* Read in Linux 7.3.4. */
#define CN10K_REASON                                                        \
	"the driver can send packets of an SA in clear text after another " \
	"SA left the NIC, and can corrupt memory when an SA is deleted under traffic"

/*
 * All drivers with xfrmdev_ops in Linux 6.1.192, 6.12.117 and 7.3.4, where they were read.
 * docs/hardware.md has the rest of what was read, for operators. A bond has the facts of its active
 * slave.
 */
static const struct nic_driver drivers[] = {
	{
		/* NSIM_IPSEC_MAX_SA_COUNT. It sends by the slot's number, but encrypts nothing. */
		.name = "netdevsim",
		.source = "netdevsim/ipsec.c",
		.directions = NIC_DIRECTION_BOTH,
		.has_table = true,
		.shared = true,
		.in = 33,
	},
	{
		/* IXGBE_IPSEC_MAX_SA_COUNT. Inbound SAs with more than 128 local addresses
		 * (IXGBE_IPSEC_MAX_RX_IP_COUNT) get ENOSPC. With VFs and a bridge mode other than
		 * VEPA, ixgbe_ipsec_add_sa() returns EOPNOTSUPP for outbound SAs, and the kernel
		 * falls back to software. ixgbe_ipsec_del_sa() overwrites the key of the slot with
		 * zeros at once. Descriptors in the queue have the number of the slot
		 * (ixgbe_ipsec_tx()). */
		.name = "ixgbe",
		.source = "ethernet/intel/ixgbe/ixgbe_ipsec.c",
		.directions = NIC_DIRECTION_BOTH,
		.has_table = true,
		.in = 1024,
		.out = 1024,
		.sends_by_slot = true,
	},
	{
		/* The same number, but the slots are those of the PF, shared by all VFs.
		 * ixgbe_ipsec_vf_add_sa() refuses outbound SAs with EOPNOTSUPP. Since the PF's
		 * ixgbe_ipsec_add_sa() checks xso.type (in 6.12 and 7.3, not in 6.1), which
		 * ixgbe_ipsec_vf_add_sa() does not set, it refuses every SA of a VF with EINVAL. */
		.name = "ixgbevf",
		.source = "ethernet/intel/ixgbevf/ipsec.c",
		.directions = NIC_DIRECTION_IN,
		.has_table = true,
		.in = 1024,
	},
	{
		/* ipsec_fs.c: tables of NUM_IPSEC_FTE (2^15) rules, some of them reserved. An
		 * inbound SA has one rule in the table of SAs and two in the table of its status
		 * (6.12, 7.3; rx_add_rule_drop_auth_trailer()), for each address family. The
		 * device's own limits (log_max_ipsec_offload, DEKs) may be lower. At these,
		 * cmd_status_to_err() (core/cmd.c) returns ENOMEM or EAGAIN.
		 * mlx5e_xfrm_free_state() frees rules, objects and DEKs with the last reference, so
		 * not before the packets in the queue are sent. Their rule matches the SPI
		 * (tx_add_rule()). */
		.name = "mlx5_core",
		.source = "ethernet/mellanox/mlx5/core/en_accel/ipsec.c",
		.directions = NIC_DIRECTION_BOTH,
		.has_table = true,
		.in = 16382,
		.out = 32767,
		.full = {-ENOMEM, -EAGAIN},
		.frees_late = true,
	},
	{
		/* NFP_NET_IPSEC_MAX_SA_CNT. xa_alloc() returns EBUSY when all are in use; the
		 * answer of the firmware comes later and is only logged. nfp_net_ipsec_tx_prep()
		 * puts the number of the slot into the packet's metadata, and
		 * nfp_net_xfrm_del_state() frees the number at once. */
		.name = "nfp",
		.source = "ethernet/netronome/nfp/crypto/ipsec.c",
		.directions = NIC_DIRECTION_BOTH,
		.has_table = true,
		.shared = true,
		.in = 16384,
		.full = {-EBUSY},
		.sends_by_slot = true,
	},
	{
		/* A VF has the same code and a table of its own in the driver. */
		.name = "nfp_netvf",
		.source = "ethernet/netronome/nfp/crypto/ipsec.c",
		.directions = NIC_DIRECTION_BOTH,
		.has_table = true,
		.shared = true,
		.in = 16384,
		.full = {-EBUSY},
		.sends_by_slot = true,
	},
	{
		/* Not in 6.12. DMA memory for each SA, without a limit. cn10k_ipsec_inb_add_state()
		 * returns EOPNOTSUPP. When the last SA of any device has left,
		 * cn10k_ipsec_sa_wq_handler() disables the static key without which
		 * otx2_sq_append_skb() sends packets as they are, even if SAs were added meanwhile
		 * or another device has some. A packet that reaches cn10k_ipsec_transmit() after
		 * its SA was deleted is freed, and otx2_xmit() then returns NETDEV_TX_BUSY for it,
		 * so that the kernel uses it again. */
		.name = "rvu-nicpf",
		.source = "ethernet/marvell/octeontx2/nic/cn10k_ipsec.c",
		.directions = NIC_DIRECTION_OUT,
		.has_table = true,
		.unsafe = CN10K_REASON,
	},
	{
		/* The same code, and otx2vf_set_features() does not start the crypto engine, so
		 * that cn10k_outb_write_sa() returns ENODEV. */
		.name = "rvu-nicvf",
		.source = "ethernet/marvell/octeontx2/nic/cn10k_ipsec.c",
		.directions = NIC_DIRECTION_OUT,
		.has_table = true,
		.unsafe = CN10K_REASON,
	},
	{
		/* The key is part of every work request, and only transmission uses it. */
		.name = "cxgb4",
		.source = "ethernet/chelsio/inline_crypto/ch_ipsec/chcr_ipsec.c",
		.directions = NIC_DIRECTION_OUT,
		.frees_late = true,
	},
};

/* SAs that a driver accepts and then handles wrongly, without an error. */
struct trap {
	const char *driver;
	uint32_t key_bits_max; /* with salt; longer keys are affected; 0: none */
	bool encap;            /* true: encapsulated SAs are affected */
	bool esn_in_bond;      /* true: SAs with ESN are affected if the device is in a bond */
	bool in_rx_all;        /* true: inbound SAs are affected if rx-all is on */
	const char *reason;
};

#define ENCAP_REASON \
	"the driver accepts UDP encapsulation but does not know it (Linux 6.11 and later)"

#define ESN_REASON                                                                            \
	"the driver does not know ESN, and the kernel does not notice that in a bond (Linux " \
	"6.12 and later)"

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
	{.driver = "nfp_netvf", .encap = true, .reason = ENCAP_REASON},
	/* None of these drivers checks XFRM_STATE_ESN. xfrm_dev_state_add() refuses ESN for a
	 * device without xdo_dev_state_advance_esn, which a bond has (bond_advance_esn_state()) and
	 * its slave may not have. */
	{.driver = "netdevsim", .esn_in_bond = true, .reason = ESN_REASON},
	{.driver = "ixgbe", .esn_in_bond = true, .reason = ESN_REASON},
	{.driver = "ixgbevf", .esn_in_bond = true, .reason = ESN_REASON},
	/* ixgbe_cleanup_headers() drops frames with IXGBE_RXDADV_ERR_IPSEC_AUTH_FAILED only without
	 * NETIF_F_RXALL, and ixgbe_ipsec_rx() sets CRYPTO_SUCCESS without looking at the error. */
	{
		.driver = "ixgbe",
		.in_rx_all = true,
		.reason = "with rx-all the driver accepts packets that fail their integrity check",
	},
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

const struct nic_driver *nic_driver_at(size_t index)
{
	return index < ELEMENTSOF(drivers) ? &drivers[index] : NULL;
}

bool nic_driver_is_full(const struct nic_driver *driver, int error)
{
	if (error == -ENOSPC)
		return true;
	for (size_t i = 0; driver && i < ELEMENTSOF(driver->full); i++)
		if (error < 0 && driver->full[i] == error)
			return true;
	return false;
}

static bool affects(const struct trap *trap, const struct nic_setting *nic,
		    const struct sa_shape *shape)
{
	return (trap->encap && shape->encap) ||
	       (trap->key_bits_max != 0 && shape->key_bits > trap->key_bits_max) ||
	       (trap->esn_in_bond && nic->in_bond && shape->esn) ||
	       (trap->in_rx_all && nic->rx_all && shape->direction == SA_DIRECTION_IN);
}

int nic_driver_check(const struct nic_setting *nic, const struct sa_shape *shape,
		     const char **ret_reason)
{
	const struct nic_driver *driver = nic_driver_find(nic->driver);

	if (driver && driver->unsafe) {
		*ret_reason = driver->unsafe;
		return -EOPNOTSUPP;
	}
	for (size_t i = 0; i < ELEMENTSOF(traps); i++) {
		if (!same_name(traps[i].driver, nic->driver) || !affects(&traps[i], nic, shape))
			continue;
		*ret_reason = traps[i].reason;
		return -EOPNOTSUPP;
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

// SPDX-License-Identifier: GPL-2.0
/* /sys/kernel/debug/espsim/DEVICE: one file for each knob, `profile` sets them all, `sadb` and
 * `stats` tell what happened. */
#include "espsim.h"

#include <crypto/aead.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

/* What all profiles share. With a profile the device has the name of the driver that it behaves
 * like, so that a program treats it as such. */
#define USUAL .full_errno = ENOSPC, .refuse_errno = EINVAL, .fail_errno = EIO

static const struct {
	const char *name;
	struct espsim_knobs knobs;
} profiles[] = {
	/* A NIC without faults. */
	{"none",
	 {.driver = ESPSIM_NAME, .tx_slots = 1024, .rx_slots = 1024, USUAL, .release_ms = 1000}},
	/* ixgbe_ipsec.c: 1024 slots for each direction, transport mode, AES-GCM with a key of 128
	   bits and the full ICV, no ESN. */
	{"ixgbe",
	 {.driver = "ixgbe",
	  .tx_slots = 1024,
	  .rx_slots = 1024,
	  USUAL,
	  .release_ms = 1000,
	  .refuse_esn = true,
	  .refuse_tunnel = true,
	  .refuse_chacha = true,
	  .min_icv_bits = 128,
	  .max_key_bits = 128}},
	/* mlx5 en_accel/ipsec.c: AES-GCM, the full ICV; objects are freed with the last reference,
	   and its rule decrypts until then. */
	{"mlx5-crypto",
	 {.driver = "mlx5_core",
	  .tx_slots = 32768,
	  .rx_slots = 32768,
	  USUAL,
	  .release_ms = 1000,
	  .refuse_chacha = true,
	  .min_icv_bits = 128,
	  .release = RELEASE_AT_FREE,
	  .decrypt_after_delete = true,
	  .counters_lag_ms = 1000}},
	/* nfp crypto/ipsec.c: one table of 16384, no ESN; a mailbox of the firmware works off
	   deletions. */
	{"nfp",
	 {.driver = "nfp",
	  .tx_slots = 16384,
	  .rx_slots = 16384,
	  .shared_slots = true,
	  USUAL,
	  .refuse_esn = true,
	  .refuse_udp = true,
	  .release = RELEASE_LATER,
	  .release_ms = 100}},
	/* chcr_ipsec.c: the key travels with the packet, so only what is sent; no table, no
	   encapsulation; freed in free. */
	{"chelsio",
	 {.driver = "cxgb4",
	  .tx_slots = 1u << 20,
	  .rx_slots = 0,
	  USUAL,
	  .release_ms = 1000,
	  .refuse_in = true,
	  .refuse_udp = true,
	  .refuse_chacha = true,
	  .min_icv_bits = 96,
	  .release = RELEASE_AT_FREE}},
};

static ssize_t profile_write(struct file *file, const char __user *text, size_t size,
			     loff_t *position)
{
	struct espsim_device *device = file->private_data;
	char name[32] = {};

	if (size >= sizeof(name))
		return -EINVAL;
	if (copy_from_user(name, text, size))
		return -EFAULT;
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++)
		if (strcmp(strim(name), profiles[i].name) == 0) {
			device->knobs = profiles[i].knobs;
			return size;
		}
	return -EINVAL;
}

static const struct file_operations profile_operations = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = profile_write,
};

/* Never a key. */
static int sadb_show(struct seq_file *file, void *unused)
{
	struct espsim_device *device = file->private;
	struct espsim_slot *slot;
	unsigned long handle;

	spin_lock_bh(&device->lock);
	seq_printf(file, "used tx %u rx %u\n", device->tx_used, device->rx_used);
	spin_unlock_bh(&device->lock);
	rcu_read_lock();
	xa_for_each(&device->slots, handle, slot)
	{
		seq_printf(file, "%lu %s spi 0x%08x ", handle, slot->inbound ? "in" : "out",
			   ntohl(slot->spi));
		if (slot->family == AF_INET)
			seq_printf(file, "dst %pI4", &slot->destination.a4);
		else
			seq_printf(file, "dst %pI6c", &slot->destination.in6);
		seq_printf(file, " packets %lld bytes %lld errors %lld%s%s driver %s\n",
			   atomic64_read(&slot->packets), atomic64_read(&slot->bytes),
			   atomic64_read(&slot->errors), slot->dead ? " dead" : "",
			   slot->released ? " released" : "",
			   crypto_tfm_alg_driver_name(crypto_aead_tfm(slot->aead)));
	}
	rcu_read_unlock();
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(sadb);

static int stats_show(struct seq_file *file, void *unused)
{
	struct espsim_device *device = file->private;

	for (size_t i = 0; i < _STAT_MAX; i++)
		seq_printf(file, "%s %lld\n", espsim_stat_names[i],
			   atomic64_read(&device->stats[i]));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static void add_number(struct espsim_device *device, const char *name, u32 *value)
{
	debugfs_create_u32(name, 0600, device->directory, value);
}

static void add_switch(struct espsim_device *device, const char *name, bool *value)
{
	debugfs_create_bool(name, 0600, device->directory, value);
}

void espsim_knobs_init(struct espsim_device *device, struct dentry *parent)
{
	struct espsim_knobs *knobs = &device->knobs;

	*knobs = profiles[0].knobs;
	device->directory = debugfs_create_dir(netdev_name(device->dev), parent);
	debugfs_create_file("profile", 0200, device->directory, device, &profile_operations);
	debugfs_create_file("sadb", 0400, device->directory, device, &sadb_fops);
	debugfs_create_file("stats", 0400, device->directory, device, &stats_fops);

	/* The table: separate for each direction (ixgbe), or shared (nfp, netdevsim), in which case
	 * tx_slots is its size. */
	add_number(device, "tx_slots", &knobs->tx_slots);
	add_number(device, "rx_slots", &knobs->rx_slots);
	add_switch(device, "shared_slots", &knobs->shared_slots);
	/* 28, ENOSPC: ixgbe, netdevsim. 95, EOPNOTSUPP: the core keeps the SA in software and tells
	 * nobody. */
	add_number(device, "full_errno", &knobs->full_errno);

	/* Refusals. EINVAL: most drivers; EOPNOTSUPP: cn10k (inbound), ixgbe with virtual
	 * functions. */
	add_number(device, "refuse_errno", &knobs->refuse_errno);
	add_switch(device, "refuse_in", &knobs->refuse_in);         /* cn10k, chelsio */
	add_switch(device, "refuse_out", &knobs->refuse_out);       /* ixgbevf */
	add_switch(device, "refuse_esn", &knobs->refuse_esn);       /* ixgbe, nfp */
	add_switch(device, "refuse_tunnel", &knobs->refuse_tunnel); /* ixgbe */
	add_switch(device, "refuse_transport",
		   &knobs->refuse_transport); /* none known; for symmetry of tests */
	add_switch(device, "refuse_ipv6", &knobs->refuse_ipv6);     /* none known */
	add_switch(device, "refuse_udp", &knobs->refuse_udp);       /* chelsio */
	add_switch(device, "refuse_aes", &knobs->refuse_aes);       /* none known */
	add_switch(device, "refuse_chacha", &knobs->refuse_chacha); /* all but nfp on NFP3800 */
	add_number(device, "min_icv_bits",
		   &knobs->min_icv_bits); /* 128: ixgbe, mlx5, cn10k; 96: chelsio */
	add_number(device, "max_key_bits", &knobs->max_key_bits); /* 128: ixgbe */
	/* The next so many additions fail: firmware that does not answer, allocation of objects
	 * (mlx5). */
	add_number(device, "fail_adds", &knobs->fail_adds);
	add_number(device, "fail_errno", &knobs->fail_errno);

	/* Commands to firmware take time (mlx5, nfp). A deletion may not sleep, so it occupies its
	 * CPU. */
	add_number(device, "add_ms", &knobs->add_ms);
	add_number(device, "delete_ms", &knobs->delete_ms);
	/* enum espsim_release, and for 2 how long it takes. */
	add_number(device, "release", &knobs->release);
	add_number(device, "release_ms", &knobs->release_ms);
	/* With release 1 or 2. mlx5: the rule decrypts until the SA is freed, but the driver's
	 * table has forgotten the SA. */
	add_switch(device, "decrypt_after_delete", &knobs->decrypt_after_delete);

	/* Decrypted packets wait in the receive queue: interrupt moderation, deep queues. */
	add_number(device, "rx_delay_us", &knobs->rx_delay_us);
	/* The crypto engine of both directions; 0: without limit. */
	add_number(device, "packets_per_second", &knobs->packets_per_second);
	/* The next so many ESP packets leave, or arrive, with a bit flipped. */
	add_number(device, "corrupt_tx", &knobs->corrupt_tx);
	add_number(device, "corrupt_rx", &knobs->corrupt_rx);
	/* Linux 6.9 and later: counters are shown so late (mlx5: a second). */
	add_number(device, "counters_lag_ms", &knobs->counters_lag_ms);
}

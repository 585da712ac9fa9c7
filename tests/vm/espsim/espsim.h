/* SPDX-License-Identifier: GPL-2.0 */
/*
 * espsim: a NIC that encrypts and decrypts ESP, without the hardware. For tests only.
 *
 * Its devices come in pairs, joined back to back. What a real NIC does in hardware happens here in
 * the softirq of the sender: the transmit engine encrypts a copy of the packet, the wire carries
 * finished packets only, the receive engine of the peer decrypts, and NAPI hands the packet to the
 * stack later. Behaviour that differs between real NICs is set in debugfs.
 */
#ifndef ESPSIM_H
#define ESPSIM_H

#include <linux/debugfs.h>
#include <linux/hashtable.h>
#include <linux/hrtimer.h>
#include <linux/netdevice.h>
#include <linux/version.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/xfrm.h>

#define ESPSIM_NAME "espsim"
#define ESPSIM_HASH_BITS 10

/* Events that `stats` and `ethtool -S` count. */
enum espsim_stat {
	STAT_TX_PACKETS,
	STAT_TX_BYTES,
	STAT_RX_PACKETS,
	STAT_RX_BYTES,
	STAT_TX_ENCRYPTED,
	STAT_TX_ENCRYPTED_BYTES, /* of whole frames, as tx_bytes */
	STAT_TX_DROP_DEAD,       /* the slot of the packet was freed: never sent in clear */
	STAT_TX_DROP_ERROR,
	STAT_TX_GSO,     /* super-packets that the device cut up itself */
	STAT_TX_STOPPED, /* the queue, by packets_per_second */
	STAT_RX_DECRYPTED,
	STAT_RX_DECRYPTED_BYTES, /* without the Ethernet header, as rx_bytes */
	STAT_RX_BAD_ICV,
	STAT_RX_MISS,        /* ESP without a slot: the stack decrypts it */
	STAT_RX_ORPHANED,    /* decrypted, but the SA was deleted before the stack had the packet */
	STAT_RX_DROP_ENGINE, /* beyond packets_per_second */
	STAT_RX_DROP_QUEUE,
	STAT_RX_DROP_DOWN,
	STAT_SA_ADDED,
	STAT_SA_REFUSED, /* by its properties */
	STAT_SA_FULL,
	STAT_SA_FAILED, /* by fail_adds */
	STAT_SA_DELETED,
	STAT_SA_FREED,
	_STAT_MAX,
};

/* When a slot can be used again. */
enum espsim_release {
	RELEASE_AT_DELETE, /* ixgbe */
	RELEASE_AT_FREE,   /* mlx5, chelsio: with the last reference to the SA */
	RELEASE_LATER,     /* firmware that works off a queue: nfp. release_ms after the deletion */
	_RELEASE_MAX,
};

/* Each is a file in debugfs: see knobs.c, which also says which driver behaves so. */
struct espsim_knobs {
	u32 tx_slots, rx_slots;
	bool shared_slots;
	u32 full_errno;
	u32 refuse_errno;
	bool refuse_in, refuse_out, refuse_esn, refuse_tunnel, refuse_transport, refuse_ipv6,
		refuse_udp;
	bool refuse_aes, refuse_chacha;
	u32 min_icv_bits, max_key_bits;
	u32 fail_adds, fail_errno;
	u32 add_ms, delete_ms;
	u32 release, release_ms;
	bool decrypt_after_delete;
	u32 rx_delay_us;
	u32 packets_per_second;
	u32 corrupt_tx, corrupt_rx;
	u32 counters_lag_ms;
	const char *driver; /* of which ethtool tells, set by the profile */
};

struct espsim_device;

/* One SA in the NIC: its own copy of the key is in `aead`. */
struct espsim_slot {
	struct espsim_device *device;
	struct xfrm_state *state; /* to be used under RCU while `dead` is false */
	u32 handle;               /* never 0: that is "none" for the core */
	bool inbound;
	bool dead;     /* the driver has forgotten it */
	bool released; /* it does not count any more */
	refcount_t references;
	struct rcu_work free_work;
	struct delayed_work release_work;

	/* What identifies it on the wire. */
	struct hlist_node node;
	__be32 spi;
	xfrm_address_t destination;
	u16 family;

	struct crypto_aead *aead;
	bool esn;
	u32 esn_high; /* of the last inbound packet that was authentic */

	atomic64_t packets, bytes, errors;

	/* counters_lag_ms: what the core counted and the device does not show yet; under the lock
	 * of the SA. */
	u64 shown_bytes, shown_packets, hidden_bytes, hidden_packets;
	ktime_t refreshed;
};

struct espsim_device {
	struct net_device *dev;
	struct espsim_device __rcu *peer;
	struct espsim_knobs knobs;
	struct dentry *directory;

	spinlock_t
		lock; /* the table: used, slots, by_spi, and `dead` and `released` of its slots */
	u32 tx_used, rx_used;
	u32 next_handle;
	struct xarray slots; /* by handle */
	DECLARE_HASHTABLE(by_spi, ESPSIM_HASH_BITS);

	struct napi_struct napi;
	struct sk_buff_head rx_queue;
	struct hrtimer rx_timer;

	spinlock_t engine_lock;
	ktime_t engine_free; /* when the engine has worked off what it was given */
	struct hrtimer engine_timer;

	atomic64_t stats[_STAT_MAX];
};

static inline void espsim_count(struct espsim_device *device, enum espsim_stat stat, s64 n)
{
	atomic64_add(n, &device->stats[stat]);
}

/* device.c */
extern const char *const espsim_stat_names[_STAT_MAX];

/* sadb.c */
extern const struct xfrmdev_ops espsim_xfrmdev_ops;
/* Under RCU. The slot may be dead. */
struct espsim_slot *espsim_slot_of(struct espsim_device *device, u32 handle);
struct espsim_slot *espsim_slot_on_wire(struct espsim_device *device, __be32 spi,
					const xfrm_address_t *destination, u16 family);
void espsim_sadb_init(struct espsim_device *device);
void espsim_sadb_destroy(struct espsim_device *device);
int espsim_sadb_module_init(void);
void espsim_sadb_module_exit(void);

/* crypt.c */
struct espsim_packet {
	u16 family;
	unsigned int network; /* offsets in the packet */
	unsigned int esp;
	__be32 spi;
	u32 sequence;
	xfrm_address_t destination;
};
/* False if the packet, which is linear, has no ESP header. `network` is the offset of its IP
 * header. */
bool espsim_parse(const struct sk_buff *skb, unsigned int network, struct espsim_packet *ret);
void espsim_crypt_init(void);
void espsim_crypt_exit(void);
int espsim_key(struct espsim_slot *slot, const struct xfrm_state *x);
/* In place; the packet is linear and not shared. */
int espsim_encrypt(struct espsim_slot *slot, struct sk_buff *skb,
		   const struct espsim_packet *packet, u32 high);
int espsim_decrypt(struct espsim_slot *slot, struct sk_buff *skb,
		   const struct espsim_packet *packet, u32 high);
/* The length of padding, next header and ICV; 0 if the packet is too short for what it says. */
unsigned int espsim_trailer(const struct espsim_slot *slot, const struct sk_buff *skb,
			    const struct espsim_packet *packet);

/* knobs.c */
void espsim_knobs_init(struct espsim_device *device, struct dentry *parent);

#endif

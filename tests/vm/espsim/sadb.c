// SPDX-License-Identifier: GPL-2.0
/* The table of SAs: what the core calls, and which slot is free when. */
#include "espsim.h"

#include <crypto/aead.h>
#include <linux/delay.h>
#include <linux/wait_bit.h>

static struct workqueue_struct *work;
/* Slots whose memory is in use, of all devices. */
static atomic_t living;

/* xfrmdev_ops changed twice: extack came with 6.2, the device with 6.16. Before that it is
 * xso.real_dev. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define OP(...) struct net_device *dev, struct xfrm_state *x, ##__VA_ARGS__
#define DEVICE_OF(x) netdev_priv(dev)
#else
#define OP(...) struct xfrm_state *x, ##__VA_ARGS__
#define DEVICE_OF(x) netdev_priv((x)->xso.real_dev ?: (x)->xso.dev)
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#define OP_ADD OP(struct netlink_ext_ack *extack)
#else
#define OP_ADD OP()
#endif

static u32 hash_of(__be32 spi, const xfrm_address_t *destination, u16 family)
{
	return (__force u32)spi ^
	       (__force u32)(family == AF_INET ? destination->a4 : destination->a6[3]);
}

struct espsim_slot *espsim_slot_of(struct espsim_device *device, u32 handle)
{
	return xa_load(&device->slots, handle);
}

struct espsim_slot *espsim_slot_on_wire(struct espsim_device *device, __be32 spi,
					const xfrm_address_t *destination, u16 family)
{
	struct espsim_slot *slot;

	hash_for_each_possible_rcu(
		device->by_spi, slot, node,
		hash_of(spi, destination, family)) if (slot->spi == spi && slot->family == family &&
						       xfrm_addr_equal(&slot->destination,
								       destination,
								       family)) return slot;
	return NULL;
}

/* ---- How a slot ends ---- */

static void free_slot(struct work_struct *item)
{
	struct espsim_slot *slot = container_of(to_rcu_work(item), struct espsim_slot, free_work);

	crypto_free_aead(slot->aead);
	kfree(slot);
	if (atomic_dec_and_test(&living))
		wake_up_var(&living);
}

static void put_slot(struct espsim_slot *slot)
{
	/* Receivers may still use it under RCU, and freeing a transformation needs a process. */
	if (refcount_dec_and_test(&slot->references))
		queue_rcu_work(work, &slot->free_work);
}

static void release_locked(struct espsim_slot *slot)
{
	struct espsim_device *device = slot->device;

	lockdep_assert_held(&device->lock);
	if (slot->released)
		return;
	slot->released = true;
	if (slot->inbound)
		device->rx_used--;
	else
		device->tx_used--;
	hash_del_rcu(&slot->node);
}

static void release_later(struct work_struct *item)
{
	struct espsim_slot *slot =
		container_of(to_delayed_work(item), struct espsim_slot, release_work);

	spin_lock_bh(&slot->device->lock);
	release_locked(slot);
	spin_unlock_bh(&slot->device->lock);
	put_slot(slot);
}

/* ---- Adding ---- */

/* A refusal for what the SA is; NULL: accepted. */
static const char *refusal(const struct espsim_knobs *knobs, const struct xfrm_state *x)
{
	bool inbound = x->xso.dir == XFRM_DEV_OFFLOAD_IN;
	unsigned int key_bits;

	if (x->id.proto != IPPROTO_ESP)
		return "only ESP can be offloaded";
	if (x->calg)
		return "compression cannot be offloaded";
	if (inbound ? knobs->refuse_in : knobs->refuse_out)
		return inbound ? "inbound SAs cannot be offloaded"
			       : "outbound SAs cannot be offloaded";
	if (x->props.mode != XFRM_MODE_TRANSPORT && x->props.mode != XFRM_MODE_TUNNEL)
		return "this mode cannot be offloaded";
	if (x->props.mode == XFRM_MODE_TUNNEL ? knobs->refuse_tunnel : knobs->refuse_transport)
		return x->props.mode == XFRM_MODE_TUNNEL ? "tunnel mode cannot be offloaded"
							 : "transport mode cannot be offloaded";
	if (x->props.family == AF_INET6 && knobs->refuse_ipv6)
		return "IPv6 cannot be offloaded";
	if (x->encap && (knobs->refuse_udp || x->encap->encap_type != UDP_ENCAP_ESPINUDP))
		return "encapsulation cannot be offloaded";
	if ((x->props.flags & XFRM_STATE_ESN) && knobs->refuse_esn)
		return "ESN cannot be offloaded";
	if (!x->aead || !x->geniv || strcmp(x->geniv, "seqiv") != 0)
		return "only AES-GCM and ChaCha20-Poly1305 can be offloaded";
	if (strcmp(x->aead->alg_name, "rfc4106(gcm(aes))") == 0) {
		if (knobs->refuse_aes)
			return "AES-GCM cannot be offloaded";
	} else if (strcmp(x->aead->alg_name, "rfc7539esp(chacha20,poly1305)") == 0) {
		if (knobs->refuse_chacha)
			return "ChaCha20-Poly1305 cannot be offloaded";
	} else {
		return "only AES-GCM and ChaCha20-Poly1305 can be offloaded";
	}
	if (x->aead->alg_icv_len < knobs->min_icv_bits)
		return "this ICV length cannot be offloaded";
	key_bits = x->aead->alg_key_len - 32; /* the salt */
	if (knobs->max_key_bits && key_bits > knobs->max_key_bits)
		return "this key length cannot be offloaded";
	return NULL;
}

/* Reserves a slot and makes it visible to both engines. */
static int insert(struct espsim_slot *slot)
{
	struct espsim_device *device = slot->device;
	const struct espsim_knobs *knobs = &device->knobs;
	int r;

	/* The lock is not held: an allocation may sleep. Nobody knows the handle yet. Handles are
	 * not used again soon: packets that were decrypted for a freed slot carry its handle. */
	r = xa_alloc_cyclic(&device->slots, &slot->handle, slot, XA_LIMIT(1, INT_MAX),
			    &device->next_handle, GFP_KERNEL);
	if (r < 0)
		return r;
	spin_lock_bh(&device->lock);
	if (knobs->shared_slots)
		r = device->tx_used + device->rx_used < knobs->tx_slots ? 0 : -ENOSPC;
	else if (slot->inbound)
		r = device->rx_used < knobs->rx_slots ? 0 : -ENOSPC;
	else
		r = device->tx_used < knobs->tx_slots ? 0 : -ENOSPC;
	if (!r) {
		if (slot->inbound) {
			device->rx_used++;
			hash_add_rcu(device->by_spi, &slot->node,
				     hash_of(slot->spi, &slot->destination, slot->family));
		} else {
			device->tx_used++;
		}
	}
	spin_unlock_bh(&device->lock);
	if (r)
		xa_erase(&device->slots, slot->handle);
	return r;
}

/* Takes one of `fail_adds`, which tests write at any time. */
static bool fails_now(struct espsim_knobs *knobs)
{
	u32 n = READ_ONCE(knobs->fail_adds);

	while (n > 0) {
		u32 seen = cmpxchg(&knobs->fail_adds, n, n - 1);

		if (seen == n)
			return true;
		n = seen;
	}
	return false;
}

static int refuse(struct espsim_device *device, enum espsim_stat stat, u32 error,
		  struct netlink_ext_ack *extack, const char *why)
{
	espsim_count(device, stat, 1);
	if (extack) /* NL_SET_ERR_MSG takes literals only, and all of `why` are */
		extack->_msg = why;
	return -(int)error;
}

static int state_add(OP_ADD)
{
	struct espsim_device *device = DEVICE_OF(x);
	struct espsim_knobs *knobs = &device->knobs;
	struct espsim_slot *slot;
	const char *why = refusal(knobs, x);
	int r;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	struct netlink_ext_ack *extack = NULL;
#else
	if (x->xso.type != XFRM_DEV_OFFLOAD_CRYPTO)
		why = "only crypto offload is supported";
#endif
	if (knobs->add_ms)
		msleep(knobs->add_ms);
	if (why)
		return refuse(device, STAT_SA_REFUSED, knobs->refuse_errno, extack, why);
	if (fails_now(knobs))
		return refuse(device, STAT_SA_FAILED, knobs->fail_errno, extack,
			      "the firmware did not answer");

	slot = kzalloc(sizeof(*slot), GFP_KERNEL);
	if (!slot)
		return -ENOMEM;
	slot->device = device;
	slot->state = x;
	slot->inbound = x->xso.dir == XFRM_DEV_OFFLOAD_IN;
	slot->spi = x->id.spi;
	slot->destination = x->id.daddr;
	slot->family = x->props.family;
	slot->esn = x->props.flags & XFRM_STATE_ESN;
	if (slot->esn)
		slot->esn_high = slot->inbound ? x->replay_esn->seq_hi : x->replay_esn->oseq_hi;
	refcount_set(&slot->references, 1);
	INIT_RCU_WORK(&slot->free_work, free_slot);
	INIT_DELAYED_WORK(&slot->release_work, release_later);
	INIT_HLIST_NODE(&slot->node);
	r = espsim_key(slot, x);
	if (r) {
		kfree(slot);
		return r;
	}
	atomic_inc(&living);
	r = insert(slot);
	if (r) {
		put_slot(slot);
		if (r == -ENOSPC)
			return refuse(device, STAT_SA_FULL, knobs->full_errno, extack,
				      "no free slot");
		return r;
	}
	x->xso.offload_handle = slot->handle;
	espsim_count(device, STAT_SA_ADDED, 1);
	return 0;
}

/* ---- Deleting: x->lock is held, so nothing may sleep ---- */

static void state_delete(OP())
{
	struct espsim_device *device = DEVICE_OF(x);
	const struct espsim_knobs *knobs = &device->knobs;
	struct espsim_slot *slot;

	if (knobs->delete_ms)
		mdelay(knobs->delete_ms);
	espsim_count(device, STAT_SA_DELETED, 1);
	spin_lock_bh(&device->lock);
	slot = espsim_slot_of(device, x->xso.offload_handle);
	if (slot && !slot->dead) {
		WRITE_ONCE(slot->dead, true);
		if (knobs->release == RELEASE_AT_DELETE) {
			release_locked(slot);
		} else {
			if (!knobs->decrypt_after_delete)
				hash_del_rcu(&slot->node);
			if (knobs->release == RELEASE_LATER) {
				refcount_inc(&slot->references);
				queue_delayed_work(work, &slot->release_work,
						   msecs_to_jiffies(knobs->release_ms));
			}
		}
	}
	spin_unlock_bh(&device->lock);
}

static void state_free(OP())
{
	struct espsim_device *device = DEVICE_OF(x);
	struct espsim_slot *slot = espsim_slot_of(device, x->xso.offload_handle);

	if (!slot)
		return;
	spin_lock_bh(&device->lock);
	if (!delayed_work_pending(&slot->release_work))
		release_locked(slot);
	spin_unlock_bh(&device->lock);
	xa_erase(&device->slots, slot->handle);
	/* When the link goes down the SA outlives its slot. */
	x->xso.offload_handle = 0;
	espsim_count(device, STAT_SA_FREED, 1);
	put_slot(slot);
}

/* ---- ESN, counters ---- */

/* Its presence tells the core that ESN can be offloaded. The high half comes from the SA: see
 * device.c. */
static void advance_esn(struct xfrm_state *x)
{
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
/* The engine has no limits of its own; the core tested length and route. */
static bool offload_ok(struct sk_buff *skb, struct xfrm_state *x)
{
	if (x->props.family == AF_INET)
		return ip_hdr(skb)->ihl == 5;
	return !ipv6_ext_hdr(ipv6_hdr(skb)->nexthdr);
}
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
/*
 * The core counts by itself in crypto mode. With counters_lag_ms its figures are held back and
 * shown later, as if they came from hardware that is asked now and then (mlx5: a cache of one
 * second). Nothing is lost: what is hidden is added at the next refresh.
 */
static void update_stats(struct xfrm_state *x)
{
	struct net_device *dev = x->xso.real_dev ?: x->xso.dev;
	struct espsim_device *device;
	struct espsim_slot *slot;
	ktime_t now = ktime_get();

	if (!dev)
		return;
	device = netdev_priv(dev);
	if (!device->knobs.counters_lag_ms)
		return;
	rcu_read_lock();
	slot = espsim_slot_of(device, x->xso.offload_handle);
	if (slot) {
		if (!slot->refreshed) {
			slot->shown_bytes = x->curlft.bytes;
			slot->shown_packets = x->curlft.packets;
			slot->refreshed = now;
		}
		slot->hidden_bytes += x->curlft.bytes - slot->shown_bytes;
		slot->hidden_packets += x->curlft.packets - slot->shown_packets;
		if (ktime_ms_delta(now, slot->refreshed) >= device->knobs.counters_lag_ms) {
			slot->shown_bytes += slot->hidden_bytes;
			slot->shown_packets += slot->hidden_packets;
			slot->hidden_bytes = slot->hidden_packets = 0;
			slot->refreshed = now;
		}
		x->curlft.bytes = slot->shown_bytes;
		x->curlft.packets = slot->shown_packets;
	}
	rcu_read_unlock();
}
#endif

const struct xfrmdev_ops espsim_xfrmdev_ops = {
	.xdo_dev_state_add = state_add,
	.xdo_dev_state_delete = state_delete,
	.xdo_dev_state_free = state_free,
	.xdo_dev_state_advance_esn = advance_esn,
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
	.xdo_dev_offload_ok = offload_ok,
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
	.xdo_dev_state_update_stats = update_stats,
#endif
};

void espsim_sadb_init(struct espsim_device *device)
{
	spin_lock_init(&device->lock);
	hash_init(device->by_spi);
	xa_init_flags(&device->slots, XA_FLAGS_ALLOC1);
}

/* After the device is unregistered: the core has freed all SAs. */
void espsim_sadb_destroy(struct espsim_device *device)
{
	WARN_ON(!xa_empty(&device->slots));
	xa_destroy(&device->slots);
}

int espsim_sadb_module_init(void)
{
	work = alloc_workqueue("espsim", WQ_UNBOUND, 0);
	return work ? 0 : -ENOMEM;
}

/*
 * After the devices are unregistered and before they are freed: releases that wait for their time
 * use them. To drain the workqueue is not enough, because a delayed work is not in it before its
 * time, nor an RCU work before its grace period.
 */
void espsim_sadb_module_exit(void)
{
	wait_var_event(&living, atomic_read(&living) == 0);
	destroy_workqueue(work);
}

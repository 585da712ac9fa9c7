// SPDX-License-Identifier: GPL-2.0
/* The devices, the wire between two of them, and both engines. */
#include "espsim.h"

#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/module.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#include <net/gso.h>
#endif

#define RX_QUEUE_MAX 4096
/* The engine is this far behind at most; then the queue stops, and what is received is dropped. */
#define ENGINE_BACKLOG (20 * NSEC_PER_MSEC)

static unsigned int pairs = 1;
module_param(pairs, uint, 0444);
MODULE_PARM_DESC(pairs,
		 "number of pairs of devices: espsim0 with espsim1, espsim2 with espsim3, ...");
static bool gso_esp;
module_param(gso_esp, bool, 0444);
MODULE_PARM_DESC(gso_esp,
		 "the devices cut up TCP super-packets of ESP themselves (tx-esp-segmentation)");

#define ESP_FEATURES (NETIF_F_HW_ESP | NETIF_F_HW_ESP_TX_CSUM)
#define GSO_FEATURES (NETIF_F_GSO_ESP | NETIF_F_TSO | NETIF_F_TSO6)
#define BASE_FEATURES (NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_HIGHDMA)

const char *const espsim_stat_names[_STAT_MAX] = {
	[STAT_TX_PACKETS] = "tx_packets",
	[STAT_TX_BYTES] = "tx_bytes",
	[STAT_RX_PACKETS] = "rx_packets",
	[STAT_RX_BYTES] = "rx_bytes",
	[STAT_TX_ENCRYPTED] = "tx_encrypted",
	[STAT_TX_ENCRYPTED_BYTES] = "tx_encrypted_bytes",
	[STAT_TX_DROP_DEAD] = "tx_drop_dead",
	[STAT_TX_DROP_ERROR] = "tx_drop_error",
	[STAT_TX_GSO] = "tx_gso",
	[STAT_TX_STOPPED] = "tx_stopped",
	[STAT_RX_DECRYPTED] = "rx_decrypted",
	[STAT_RX_DECRYPTED_BYTES] = "rx_decrypted_bytes",
	[STAT_RX_BAD_ICV] = "rx_bad_icv",
	[STAT_RX_MISS] = "rx_miss",
	[STAT_RX_ORPHANED] = "rx_orphaned",
	[STAT_RX_DROP_ENGINE] = "rx_drop_engine",
	[STAT_RX_DROP_QUEUE] = "rx_drop_queue",
	[STAT_RX_DROP_DOWN] = "rx_drop_down",
	[STAT_SA_ADDED] = "sa_added",
	[STAT_SA_REFUSED] = "sa_refused",
	[STAT_SA_FULL] = "sa_full",
	[STAT_SA_FAILED] = "sa_failed",
	[STAT_SA_DELETED] = "sa_deleted",
	[STAT_SA_FREED] = "sa_freed",
};

/* What the receive engine leaves for the driver. */
struct rx_note {
	ktime_t ready;
	u32 handle; /* 0: not decrypted */
	bool authentic;
};

static struct rx_note *note_of(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct rx_note) > sizeof(skb->cb));
	return (struct rx_note *)skb->cb;
}

static bool take_one(u32 *counter)
{
	u32 n = READ_ONCE(*counter);

	if (n == 0)
		return false;
	WRITE_ONCE(*counter, n - 1);
	return true;
}

/* ---- The engine: so many packets a second, both directions ---- */

/* Gives the engine one packet. Returns how far behind it is then. */
static s64 engine_take(struct espsim_device *device)
{
	u32 rate = READ_ONCE(device->knobs.packets_per_second);
	ktime_t now = ktime_get();
	s64 behind;

	if (!rate)
		return 0;
	spin_lock_bh(&device->engine_lock);
	if (ktime_before(device->engine_free, now))
		device->engine_free = now;
	device->engine_free = ktime_add_ns(device->engine_free, NSEC_PER_SEC / rate);
	behind = ktime_to_ns(ktime_sub(device->engine_free, now));
	spin_unlock_bh(&device->engine_lock);
	return behind;
}

static s64 engine_behind(struct espsim_device *device)
{
	s64 behind;

	spin_lock_bh(&device->engine_lock);
	behind = ktime_to_ns(ktime_sub(device->engine_free, ktime_get()));
	spin_unlock_bh(&device->engine_lock);
	return behind > 0 ? behind : 0;
}

static enum hrtimer_restart engine_wake(struct hrtimer *timer)
{
	struct espsim_device *device = container_of(timer, struct espsim_device, engine_timer);

	netif_wake_queue(device->dev);
	return HRTIMER_NORESTART;
}

static void stop_if_behind(struct espsim_device *device, s64 behind)
{
	if (behind <= ENGINE_BACKLOG)
		return;
	netif_stop_queue(device->dev);
	espsim_count(device, STAT_TX_STOPPED, 1);
	hrtimer_start(&device->engine_timer, ns_to_ktime(behind - ENGINE_BACKLOG / 2),
		      HRTIMER_MODE_REL);
}

/* ---- Receiving ---- */

/*
 * The receive engine. It decrypts in place and leaves header, padding and ICV to the stack. Returns
 * the packet, which may be another one, or NULL if it was dropped.
 */
static struct sk_buff *rx_engine(struct espsim_device *device, struct sk_buff *skb, s64 *ret_behind)
{
	struct espsim_packet packet;
	struct espsim_slot *slot;
	struct sk_buff *own;
	u32 high;
	int r;

	*ret_behind = 0;
	/* The packet may be the sender's own: the engine writes, so it needs a copy. */
	own = skb_copy(skb, GFP_ATOMIC);
	if (!own || !espsim_parse(own, skb_network_offset(own), &packet)) {
		kfree_skb(own);
		return skb;
	}
	slot = espsim_slot_on_wire(device, packet.spi, &packet.destination, packet.family);
	if (!slot) {
		espsim_count(device, STAT_RX_MISS, 1);
		kfree_skb(own);
		return skb;
	}
	if (engine_behind(device) > ENGINE_BACKLOG) {
		espsim_count(device, STAT_RX_DROP_ENGINE, 1);
		kfree_skb(own);
		kfree_skb(skb);
		return NULL;
	}
	*ret_behind = engine_take(device);
	consume_skb(skb);
	if (take_one(&device->knobs.corrupt_rx))
		own->data[own->len - 1] ^= 1;
	high = READ_ONCE(slot->esn_high);
	if (slot->esn && !READ_ONCE(slot->dead))
		high = xfrm_replay_seqhi(slot->state, htonl(packet.sequence));
	r = espsim_decrypt(slot, own, &packet, high);
	note_of(own)->handle = slot->handle;
	note_of(own)->authentic = r == 0;
	if (r) {
		espsim_count(device, STAT_RX_BAD_ICV, 1);
		atomic64_inc(&slot->errors);
	} else {
		WRITE_ONCE(slot->esn_high, high);
		espsim_count(device, STAT_RX_DECRYPTED, 1);
		espsim_count(device, STAT_RX_DECRYPTED_BYTES, own->len);
		atomic64_inc(&slot->packets);
		atomic64_add(own->len, &slot->bytes);
	}
	return own;
}

/* A finished packet arrives. In the sender's softirq, under RCU. */
static void receive(struct espsim_device *device, struct sk_buff *skb)
{
	u32 delay = READ_ONCE(device->knobs.rx_delay_us);
	s64 behind;

	if (!netif_running(device->dev)) {
		espsim_count(device, STAT_RX_DROP_DOWN, 1);
		kfree_skb(skb);
		return;
	}
	skb_scrub_packet(skb, true);
	skb->ip_summed = CHECKSUM_NONE;
	skb->encapsulation = 0;
	skb->priority = 0;
	skb->protocol = eth_type_trans(skb, device->dev);
	skb_reset_network_header(skb);
	memset(skb->cb, 0, sizeof(skb->cb));
	skb = rx_engine(device, skb, &behind);
	if (!skb)
		return;
	if (skb_queue_len(&device->rx_queue) >= RX_QUEUE_MAX) {
		espsim_count(device, STAT_RX_DROP_QUEUE, 1);
		kfree_skb(skb);
		return;
	}
	if (delay || behind)
		note_of(skb)->ready =
			ktime_add_ns(ktime_get(), max_t(s64, (s64)delay * NSEC_PER_USEC, behind));
	skb_queue_tail(&device->rx_queue, skb);
	napi_schedule(&device->napi);
}

/* The driver's part: the packet gets its SA, unless that was deleted in the meantime. */
static void attach_state(struct espsim_device *device, struct sk_buff *skb)
{
	const struct rx_note *note = note_of(skb);
	struct xfrm_offload *offload;
	struct espsim_slot *slot;
	struct xfrm_state *x;
	struct sec_path *path;

	if (!note->handle)
		return;
	slot = espsim_slot_of(device, note->handle);
	/* A dead slot's SA may be freed; one that lives is not freed before this grace period ends.
	 */
	x = slot && !READ_ONCE(slot->dead) ? slot->state : NULL;
	/* The last reference may be gone already. */
	if (!x || !refcount_inc_not_zero(&x->refcnt)) {
		espsim_count(device, STAT_RX_ORPHANED, 1);
		return;
	}
	path = secpath_set(skb);
	if (!path) {
		xfrm_state_put(x);
		return;
	}
	path->xvec[path->len++] = x;
	path->olen++;
	offload = xfrm_offload(skb);
	offload->flags = CRYPTO_DONE;
	if (note->authentic)
		offload->status = CRYPTO_SUCCESS;
	else if (x->props.mode == XFRM_MODE_TUNNEL)
		offload->status = CRYPTO_TUNNEL_ESP_AUTH_FAILED;
	else
		offload->status = CRYPTO_TRANSPORT_ESP_AUTH_FAILED;
}

static enum hrtimer_restart rx_ready(struct hrtimer *timer)
{
	struct espsim_device *device = container_of(timer, struct espsim_device, rx_timer);

	napi_schedule(&device->napi);
	return HRTIMER_NORESTART;
}

static int poll(struct napi_struct *napi, int budget)
{
	struct espsim_device *device = container_of(napi, struct espsim_device, napi);
	ktime_t wait = 0;
	int done = 0;

	rcu_read_lock();
	while (done < budget) {
		struct sk_buff *skb = skb_dequeue(&device->rx_queue);

		if (!skb)
			break;
		if (ktime_after(note_of(skb)->ready, ktime_get())) {
			wait = note_of(skb)->ready;
			skb_queue_head(&device->rx_queue, skb);
			break;
		}
		attach_state(device, skb);
		espsim_count(device, STAT_RX_PACKETS, 1);
		espsim_count(device, STAT_RX_BYTES, skb->len);
		memset(skb->cb, 0, sizeof(skb->cb));
		napi_gro_receive(napi, skb);
		done++;
	}
	rcu_read_unlock();
	if (done < budget && napi_complete_done(napi, done)) {
		if (wait)
			hrtimer_start(&device->rx_timer, wait, HRTIMER_MODE_ABS);
		else if (!skb_queue_empty(&device->rx_queue))
			napi_schedule(napi); /* it arrived after the last look */
	}
	return done;
}

/* ---- Sending ---- */

/* Puts a finished packet on the wire. */
static void wire(struct espsim_device *device, struct sk_buff *skb)
{
	struct espsim_device *peer = rcu_dereference(device->peer);

	espsim_count(device, STAT_TX_PACKETS, 1);
	espsim_count(device, STAT_TX_BYTES, skb->len);
	/* The sender's socket must not wait for the receiver. */
	skb_orphan(skb);
	if (peer)
		receive(peer, skb);
	else
		kfree_skb(skb);
}

/*
 * HW_ESP_TX_CSUM: the checksum of TCP or UDP is ours. It ends before the ESP trailer, which
 * skb_checksum_help() would include.
 */
static int finish_checksum(struct sk_buff *skb, unsigned int trailer)
{
	unsigned int start;
	__sum16 sum;

	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return 0;
	start = skb_checksum_start_offset(skb);
	if (start + skb->csum_offset + sizeof(sum) > skb->len - trailer)
		return -EINVAL;
	sum = csum_fold(skb_checksum(skb, start, skb->len - trailer - start, 0)) ?: CSUM_MANGLED_0;
	*(__sum16 *)(skb->data + start + skb->csum_offset) = sum;
	skb->ip_summed = CHECKSUM_NONE;
	return 0;
}

/* One packet with its trailer. Under RCU. */
static void send_esp(struct espsim_device *device, struct sk_buff *skb)
{
	struct xfrm_offload *offload = xfrm_offload(skb);
	struct xfrm_state *x = xfrm_input_state(skb); /* the last SA of the path */
	u32 high = offload->seq.hi;
	struct espsim_packet packet;
	struct espsim_slot *slot;
	unsigned int trailer;
	struct sk_buff *own;

	slot = espsim_slot_of(device, x->xso.offload_handle);
	if (!slot || READ_ONCE(slot->dead)) {
		espsim_count(device, STAT_TX_DROP_DEAD, 1);
		kfree_skb(skb);
		return;
	}
	/* A NIC only reads. The data may be shared with TCP's queue of what it may have to send
	 * again. */
	own = skb_copy_expand(skb, skb_headroom(skb), 0, GFP_ATOMIC);
	consume_skb(skb);
	if (!own || !espsim_parse(own, skb_network_offset(own), &packet))
		goto drop;
	trailer = espsim_trailer(slot, own, &packet);
	if (!trailer || finish_checksum(own, trailer) || espsim_encrypt(slot, own, &packet, high))
		goto drop;
	if (take_one(&device->knobs.corrupt_tx))
		own->data[own->len - 1] ^= 1;
	espsim_count(device, STAT_TX_ENCRYPTED, 1);
	espsim_count(device, STAT_TX_ENCRYPTED_BYTES, own->len);
	atomic64_inc(&slot->packets);
	atomic64_add(own->len, &slot->bytes);
	stop_if_behind(device, engine_take(device));
	wire(device, own);
	return;
drop:
	espsim_count(device, STAT_TX_DROP_ERROR, 1);
	kfree_skb(own);
}

static bool is_ours(const struct sk_buff *skb)
{
	const struct xfrm_offload *offload = xfrm_offload((struct sk_buff *)skb);

	/* A path alone is not enough: forwarded packets that arrived decrypted have one too. */
	return offload && (offload->flags & XFRM_XMIT);
}

/* Sends a list of packets that are no super-packets any more. */
static void send_list(struct espsim_device *device, struct sk_buff *list)
{
	struct sk_buff *skb, *next;

	skb_list_walk_safe(list, skb, next)
	{
		skb_mark_not_on_list(skb);
		if (is_ours(skb)) {
			send_esp(device, skb);
		} else if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb)) {
			espsim_count(device, STAT_TX_DROP_ERROR, 1);
			kfree_skb(skb);
		} else {
			wire(device, skb);
		}
	}
}

static netdev_tx_t start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct espsim_device *device = netdev_priv(dev);
	struct sk_buff *list = skb;

	rcu_read_lock();
	if (skb_is_gso(skb)) {
		/* The trailers of a super-packet of ESP are still to be made: the core does that,
		 * packet by packet. */
		bool again = false, ours = is_ours(skb);
		netdev_features_t features =
			netif_skb_features(skb) & ~(NETIF_F_GSO_MASK | NETIF_F_GSO_ESP);

		if (ours)
			xfrm_offload(skb)->flags &= ~XFRM_XMIT;
		list = skb_gso_segment(skb, features);
		if (IS_ERR_OR_NULL(list)) {
			espsim_count(device, STAT_TX_DROP_ERROR, 1);
			kfree_skb(skb);
			goto out;
		}
		consume_skb(skb);
		espsim_count(device, STAT_TX_GSO, 1);
		if (ours)
			list = validate_xmit_xfrm(list, features, &again);
		if (again) {
			/* Packets wait in the backlog of asynchronous crypto, and ours would
			 * overtake them. */
			espsim_count(device, STAT_TX_DROP_ERROR, 1);
			kfree_skb_list(list);
			goto out;
		}
	}
	send_list(device, list);
out:
	rcu_read_unlock();
	return NETDEV_TX_OK;
}

/* ---- The device ---- */

static void set_carrier(struct espsim_device *device)
{
	struct espsim_device *peer = rtnl_dereference(device->peer);

	if (peer && netif_running(device->dev) && netif_running(peer->dev)) {
		netif_carrier_on(device->dev);
		netif_carrier_on(peer->dev);
		return;
	}
	netif_carrier_off(device->dev);
	if (peer)
		netif_carrier_off(peer->dev);
}

static int device_open(struct net_device *dev)
{
	struct espsim_device *device = netdev_priv(dev);

	napi_enable(&device->napi);
	netif_start_queue(dev);
	set_carrier(device);
	return 0;
}

static int device_stop(struct net_device *dev)
{
	struct espsim_device *device = netdev_priv(dev);
	struct espsim_device *peer = rtnl_dereference(device->peer);

	netif_stop_queue(dev);
	netif_carrier_off(dev);
	if (peer)
		netif_carrier_off(peer->dev);
	/* Senders saw netif_running() false, or have finished. */
	synchronize_net();
	hrtimer_cancel(&device->engine_timer);
	hrtimer_cancel(&device->rx_timer);
	napi_disable(&device->napi);
	hrtimer_cancel(&device->rx_timer); /* the last poll may have started it */
	skb_queue_purge(&device->rx_queue);
	return 0;
}

static netdev_features_t fix_features(struct net_device *dev, netdev_features_t features)
{
	/* The core refuses the others without HW_ESP. */
	if (!(features & NETIF_F_HW_ESP))
		features &= ~(NETIF_F_HW_ESP_TX_CSUM | NETIF_F_GSO_ESP);
	return features;
}

static void get_stats(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	struct espsim_device *device = netdev_priv(dev);

	stats->tx_packets = atomic64_read(&device->stats[STAT_TX_PACKETS]);
	stats->tx_bytes = atomic64_read(&device->stats[STAT_TX_BYTES]);
	stats->rx_packets = atomic64_read(&device->stats[STAT_RX_PACKETS]);
	stats->rx_bytes = atomic64_read(&device->stats[STAT_RX_BYTES]);
	stats->tx_dropped = atomic64_read(&device->stats[STAT_TX_DROP_DEAD]) +
			    atomic64_read(&device->stats[STAT_TX_DROP_ERROR]);
	stats->rx_dropped = atomic64_read(&device->stats[STAT_RX_DROP_ENGINE]) +
			    atomic64_read(&device->stats[STAT_RX_DROP_QUEUE]);
}

static const struct net_device_ops device_operations = {
	.ndo_open = device_open,
	.ndo_stop = device_stop,
	.ndo_start_xmit = start_xmit,
	.ndo_fix_features = fix_features,
	.ndo_get_stats64 = get_stats,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
};

static void get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	struct espsim_device *device = netdev_priv(dev);

	strscpy(info->driver, device->knobs.driver, sizeof(info->driver));
}

static int get_sset_count(struct net_device *dev, int set)
{
	return set == ETH_SS_STATS ? _STAT_MAX : -EOPNOTSUPP;
}

static void get_strings(struct net_device *dev, u32 set, u8 *data)
{
	if (set != ETH_SS_STATS)
		return;
	for (size_t i = 0; i < _STAT_MAX; i++)
		strscpy(data + i * ETH_GSTRING_LEN, espsim_stat_names[i], ETH_GSTRING_LEN);
}

static void get_ethtool_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *data)
{
	struct espsim_device *device = netdev_priv(dev);

	for (size_t i = 0; i < _STAT_MAX; i++)
		data[i] = atomic64_read(&device->stats[i]);
}

static const struct ethtool_ops ethtool_operations = {
	.get_drvinfo = get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_sset_count = get_sset_count,
	.get_strings = get_strings,
	.get_ethtool_stats = get_ethtool_stats,
};

static void setup_timer(struct hrtimer *timer, enum hrtimer_restart (*f)(struct hrtimer *timer),
			enum hrtimer_mode mode)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, f, CLOCK_MONOTONIC, mode);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, mode);
	timer->function = f;
#endif
}

static void device_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &device_operations;
	dev->ethtool_ops = &ethtool_operations;
	dev->xfrmdev_ops = &espsim_xfrmdev_ops;
	dev->hw_features = BASE_FEATURES | ESP_FEATURES | (gso_esp ? GSO_FEATURES : 0);
	dev->features = dev->hw_features;
	/* Offloaded packets are marked as encapsulated: without HW_ESP here the core encrypts in
	 * software and tells nobody. */
	dev->hw_enc_features = dev->hw_features;
	eth_hw_addr_random(dev);
}

static struct net_device **devices;
static struct dentry *directory;

static struct net_device *make_device(void)
{
	struct net_device *dev = alloc_netdev(sizeof(struct espsim_device), ESPSIM_NAME "%d",
					      NET_NAME_ENUM, device_setup);
	struct espsim_device *device;
	int r;

	if (!dev)
		return ERR_PTR(-ENOMEM);
	device = netdev_priv(dev);
	device->dev = dev;
	espsim_sadb_init(device);
	spin_lock_init(&device->engine_lock);
	skb_queue_head_init(&device->rx_queue);
	setup_timer(&device->rx_timer, rx_ready, HRTIMER_MODE_ABS);
	setup_timer(&device->engine_timer, engine_wake, HRTIMER_MODE_REL);
	netif_napi_add(dev, &device->napi, poll);
	r = register_netdev(dev);
	if (r) {
		netif_napi_del(&device->napi);
		free_netdev(dev);
		return ERR_PTR(r);
	}
	netif_carrier_off(dev);
	espsim_knobs_init(device, directory);
	return dev;
}

static void destroy(void)
{
	debugfs_remove_recursive(directory);
	for (size_t i = 0; i < 2 * (size_t)pairs; i++)
		if (devices[i])
			RCU_INIT_POINTER(((struct espsim_device *)netdev_priv(devices[i]))->peer,
					 NULL);
	synchronize_net();
	/* The core flushes the SAs of each device. */
	for (size_t i = 0; i < 2 * (size_t)pairs; i++)
		if (devices[i])
			unregister_netdev(devices[i]);
	espsim_sadb_module_exit();
	for (size_t i = 0; i < 2 * (size_t)pairs; i++)
		if (devices[i]) {
			espsim_sadb_destroy(netdev_priv(devices[i]));
			free_netdev(devices[i]);
		}
	espsim_crypt_exit();
	kfree(devices);
}

static int __init espsim_init(void)
{
	int r;

	if (pairs < 1 || pairs > 64)
		return -EINVAL;
	devices = kcalloc(2 * (size_t)pairs, sizeof(*devices), GFP_KERNEL);
	if (!devices)
		return -ENOMEM;
	r = espsim_sadb_module_init();
	if (r) {
		kfree(devices);
		return r;
	}
	espsim_crypt_init();
	directory = debugfs_create_dir(ESPSIM_NAME, NULL);
	for (size_t i = 0; i < 2 * (size_t)pairs; i++) {
		struct net_device *dev = make_device();

		if (IS_ERR(dev)) {
			destroy();
			return PTR_ERR(dev);
		}
		devices[i] = dev;
	}
	for (size_t i = 0; i < 2 * (size_t)pairs; i++)
		rcu_assign_pointer(((struct espsim_device *)netdev_priv(devices[i]))->peer,
				   netdev_priv(devices[i ^ 1]));
	return 0;
}

static void __exit espsim_exit(void)
{
	destroy();
}

module_init(espsim_init);
module_exit(espsim_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("NIC that encrypts ESP, simulated; for tests");

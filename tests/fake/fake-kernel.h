/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A deterministic model of the kernel's XFRM, behind the boundary of daemon/xfrm/kernel.h: netlink
 * messages in, netlink messages out, laid out as linux/xfrm.h says. It has SAs with every
 * attribute, NICs with a table of limited size, packets, a clock, other sockets that write, and
 * faults at any step. It also knows what is right: it records each sequence number that was sent
 * or accepted and what the IKE daemon believes, and fake_kernel_check() tells what is broken.
 *
 * What is modelled is what Linux does, from 6.1 on, with the functions of the source named beside
 * the code; where kernels differ, struct fake_config has a switch.
 *
 * The model outlives the sockets opened on it: a daemon can be killed and started again. Everything
 * belongs to the model and lives until fake_kernel_free(). Running out of memory aborts: these are
 * tests.
 */
#pragma once

#include "xfrm/kernel.h"

#include <linux/xfrm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct fake_kernel;

enum fake_migrate_state {
	FAKE_MIGRATE_ABSENT,     /* up to 7.1: the message type is unknown */
	FAKE_MIGRATE_EVICT_ONLY, /* 7.2 and 7.3: the clone has no type_offload, promotion is refused
				  */
	FAKE_MIGRATE_WORKS,
};

/* How this kernel is. fake_kernel_new() fills in Linux 6.12 with an IKE daemon that listens. */
struct fake_config {
	/* xfrm_alloc_spi(): an SPI must be unique per protocol (6.1.y and 6.12.y of 2025 and
	 * later), or per destination (before). */
	bool spi_unique_per_protocol;
	enum fake_migrate_state migrate_state;
	unsigned attribute_max; /* newest XFRMA_* this kernel knows; newer ones are ignored */
	bool redact;            /* lockdown = confidentiality: keys read as zero */
	bool pad;               /* XFRMA_PAD before XFRMA_LASTUSED, as on 32-bit machines */
	bool updsa_leaks_slot;  /* before 6.1.170 and 6.12.85: UPDSA with offload on a valid SA */
	bool encap_refused;     /* up to 6.10: no offload of an SA with XFRMA_ENCAP */
	bool if_id_inbound_refused; /* 6.16: no inbound offload with an if_id */
	bool acquire_listener;      /* an IKE daemon has joined XFRMNLGRP_ACQUIRE (km_is_alive()) */
	bool templates_name_spi;    /* of outbound policies, as charon writes them */
	bool cpu_acquire;           /* XFRM_POLICY_CPU_ACQUIRE: each CPU wants an SA of its own */
	uint32_t acq_expires;       /* s, net.core.xfrm_acq_expires */
	uint32_t aevent_rseqth;     /* packets, net.core.xfrm_aevent_rseqth */
	uint32_t aevent_etime;      /* 100 ms, net.core.xfrm_aevent_etime */
	size_t event_queue;         /* messages that fit a socket's receive buffer */
	unsigned broken_wait;       /* the so-manieth wait for lookups does not wait; 0: none */
};

/* A NIC and its table. The test may change it at any time. */
struct fake_nic {
	int ifindex;
	const char *name;
	bool split; /* capacity_in and capacity_out; else capacity_in is for both */
	unsigned capacity_in;
	unsigned capacity_out;
	bool no_ops;       /* like veth: success, in software (xfrm_dev_state_add()) */
	bool unsupported;  /* the driver says -EOPNOTSUPP: success, in software */
	bool no_esn;       /* no xdo_dev_state_advance_esn: -EINVAL */
	bool icv_128_only; /* -EINVAL for others */
	bool key_128_only;
	bool transport_only;
	bool no_encap;
	bool untrusted;     /* the operator's word: no key may be there */
	int lands_on;       /* it lies: the SA ends up on this ifindex; 0: honest */
	bool late_free;     /* slots come back with fake_kernel_gc() only (mlx5) */
	bool decrypts_late; /* with late_free: inbound packets of SAs that are deleted, till then */
	bool hw_esp_off;    /* ethtool -K esp-hw-offload off: NETDEV_DOWN flushes nothing */
	int fail_error;     /* what the next fail_adds adds get */
	unsigned fail_adds;
	const char *fail_text; /* extended ack of those; NULL: the core's */
	/* Counted by the model. */
	unsigned used_in;
	unsigned used_out;
	unsigned late_in; /* slots that wait for fake_kernel_gc() */
	unsigned late_out;
};

int fake_kernel_new(struct fake_kernel **ret_kernel);
struct fake_kernel *fake_kernel_free(struct fake_kernel *k);
DEFINE_CLEANUP(struct fake_kernel *, fake_kernel_free);

struct fake_config *fake_kernel_config(struct fake_kernel *k);
struct fake_nic *fake_kernel_add_nic(struct fake_kernel *k, const struct fake_nic *nic);
struct fake_nic *fake_kernel_nic(struct fake_kernel *k, int ifindex); /* NULL: none */
/* NETDEV_UNREGISTER: what is offloaded to it is deleted as if it went down. */
void fake_kernel_remove_nic(struct fake_kernel *k, int ifindex);
/* Where the routing table would send packets: the NIC used for an unknown ifindex, 0: none. */
void fake_kernel_set_route(struct fake_kernel *k, int ifindex);

/* A daemon's sockets. Freed by kernel_free(), before the model. */
int fake_kernel_open(struct fake_kernel *k, struct kernel **ret_kernel);

/* ---- Time, NICs, and what else happens to a kernel ---- */

int64_t fake_kernel_now(const struct fake_kernel *k); /* s, real time */
void fake_kernel_advance(struct fake_kernel *k, int64_t seconds);
/* NETDEV_DOWN: the SAs and policies offloaded to the NIC are deleted and nobody is told
 * (xfrm_dev_state_flush(), xfrm_dev_policy_flush()). Returns how many SAs. */
unsigned fake_kernel_link_down(struct fake_kernel *k, int ifindex);
void fake_kernel_gc(struct fake_kernel *k); /* xfrm_state_gc_task(): late slots come back */
/* An event socket's receive buffer overran: what waits is lost, -ENOBUFS is next. */
void fake_kernel_overrun(struct fake_kernel *k);
/* SIGKILL: sockets open now do nothing any more; a buffer under way is still processed whole. */
void fake_kernel_kill(struct fake_kernel *k);

/* ---- Steps, hooks and faults ---- */

enum fake_moment {
	FAKE_BEFORE_TRANSACT, /* anybody may write */
	FAKE_BEFORE_MESSAGE, /* inside a buffer, xfrm_cfg_mutex is held: packets, link down, kill */
	FAKE_WITHIN_MESSAGE, /* a state was removed, and its successor is not valid yet: packets */
	FAKE_AFTER_TRANSACT, /* the kernel has acted, the daemon has not read its answers */
};

/* Called at every moment of the daemon's transactions; `step` counts them from 0. */
typedef void (*fake_hook)(struct fake_kernel *k, enum fake_moment moment, unsigned step,
			  void *userdata);
void fake_kernel_set_hook(struct fake_kernel *k, fake_hook hook, void *userdata);

/* Sees and may change each message of the daemon before the kernel does (it may cut attributes
 * off). False: the message is not sent, and counts as answered with 0. For mutations. */
typedef bool (*fake_filter)(struct nlmsghdr *message, void *userdata);
void fake_kernel_set_filter(struct fake_kernel *k, fake_filter filter, void *userdata);

enum fake_fault_kind {
	FAKE_FAULT_NONE,
	FAKE_FAULT_REFUSE,      /* the message is answered with `error`, and not carried out */
	FAKE_FAULT_LOSE_NOTE,   /* its notification could not be allocated (xfrm_notify_sa()) */
	FAKE_FAULT_LOSE_ANSWER, /* carried out, but replies and answer do not arrive: -ETIMEDOUT */
	FAKE_FAULT_SEND,        /* the buffer with it could not be sent: transact returns `error` */
	FAKE_FAULT_RECEIVE,     /* the buffer was processed, then receiving fails with `error` */
};

/* Which of the messages that the daemon sends from now on are struck, in whatever buffers. */
struct fake_fault {
	enum fake_fault_kind kind;
	uint16_t type;       /* XFRM_MSG_*; 0: any */
	unsigned occurrence; /* the first one is this message of the type, counted from 0 */
	bool onward;         /* the ones after it are of any type, and not of its type only */
	unsigned count;      /* how many are struck; 0: one, with `onward` all */
	int error;           /* negative errno */
	const char *text;
};
void fake_kernel_set_fault(struct fake_kernel *k, const struct fake_fault *fault);
void fake_kernel_end_fault(struct fake_kernel *k);
/* Type of the first message that the fault struck, also after its end; 0: it struck none. */
uint16_t fake_kernel_struck(const struct fake_kernel *k);

/* The next dumps, of SAs or policies: at once, or after half of what there is. */
void fake_kernel_fail_dumps(struct fake_kernel *k, unsigned count, int error, bool halfway);

/* Restarts the counts of steps and messages. Hook and filter stay, and so does the fault with its
 * own count. */
void fake_kernel_restart_counts(struct fake_kernel *k);
unsigned fake_kernel_steps(const struct fake_kernel *k);
/* How many messages of the type XFRM_MSG_* the daemon sent; 0: of any. */
unsigned fake_kernel_messages(const struct fake_kernel *k, uint16_t type);
uint16_t fake_kernel_last_message(const struct fake_kernel *k); /* its type; 0: none yet */
unsigned fake_kernel_dumps(const struct fake_kernel *k);        /* of all SAs, ever */
unsigned fake_kernel_waits(const struct fake_kernel *k);        /* for lookups, ever */

/* ---- The IKE daemon's side, and packets ---- */

/* A policy with one template for ESP between any addresses, or none. */
struct fake_policy_spec {
	uint32_t index; /* which it is: one that there is already is updated */
	bool inbound;
	bool socket;   /* of a socket (IP_XFRM_POLICY): nobody is told of it */
	bool bypass;   /* without a template */
	bool optional; /* level use */
	uint32_t reqid;
	uint32_t spi; /* of the template, host order */
	int ifindex;  /* in packet offload there; 0: in software */
};
void fake_kernel_add_policy(struct fake_kernel *k, const struct fake_policy_spec *spec);
void fake_kernel_delete_policy(struct fake_kernel *k, uint32_t index);

/* One SA as the IKE daemon believes it to be. */
struct fake_belief;

/* Zero is a usable default for every field: a tunnel-mode IPv4 SA with AES-128-GCM. */
struct fake_sa_spec {
	bool inbound;
	uint32_t spi;    /* host order; 0: 0x1000 */
	uint16_t family; /* 0: AF_INET */
	uint32_t peer;   /* last bytes of the peer's address */
	uint8_t mode;    /* XFRM_MODE_*, 0: tunnel, or transport by the next */
	bool transport;
	uint32_t reqid;
	bool esn;
	uint32_t window;   /* 0: 32 inbound, 0 outbound; beyond 32 makes a REPLAY_ESN_VAL */
	uint64_t sequence; /* last one sent or accepted */
	uint32_t km_seq;
	uint32_t if_id;
	struct xfrm_mark mark;
	bool direction; /* XFRMA_SA_DIR */
	bool encap;
	uint32_t nat_keepalive; /* s, XFRMA_NAT_KEEPALIVE_INTERVAL: with encap and direction */
	bool coaddr;
	const char *label; /* XFRMA_SEC_CTX: only packets with the same meet it */
	uint32_t cpu;      /* 1 + that of XFRMA_SA_PCPU, with direction; its packets are there */
	uint32_t extra_flags;
	struct xfrm_mark set_mark; /* of its packets on the way out */
	unsigned key_bits;         /* 0: 160 (128 and salt) */
	unsigned icv_bits;         /* 0: 128 */
	bool cbc_sha256;           /* two algorithms instead of the AEAD */
	int ifindex;               /* the IKE daemon offloads it itself */
	bool packet;               /* in packet mode */
	uint64_t soft_seconds;     /* 0: none */
	uint64_t hard_seconds;
	uint32_t replay_threshold; /* XFRMA_REPLAY_THRESH, 0: the sysctl */
	bool by_update;            /* ALLOCSPI and UPDSA, as IKE daemons do inbound */
};

/* Installs an SA. Returns 0 and its belief, or what the kernel answered. */
int fake_ike_add(struct fake_kernel *k, const struct fake_sa_spec *spec,
		 struct fake_belief **ret_belief);
/* Deletes it: it must never be seen again. The kernel's answer, which is no error of the IKE
 * daemon's when the SA is gone. */
int fake_ike_delete(struct fake_kernel *k, struct fake_belief *belief);
/* UPDSA with new limits (and if NAT moved, a new source port of the encapsulation). It names no
 * sequence numbers, as an IKE daemon does not know them: an update that meets a larval SA makes the
 * SA anew from nothing. What that breaks is not held against the daemon, except that outbound
 * numbers must go on from the right place in the end. */
int fake_ike_update(struct fake_kernel *k, struct fake_belief *belief, uint64_t hard_seconds,
		    uint16_t encap_sport);
/* Reserves an SPI for the successor of an SA, as IKE daemons do before they negotiate it: a larval
 * SA of the same tuple, which fake_ike_rekey() completes. */
int fake_ike_reserve(struct fake_kernel *k, const struct fake_belief *belief, uint32_t spi);
/* A new SA with the same tuple and another SPI; then the caller deletes the old one. */
int fake_ike_rekey(struct fake_kernel *k, const struct fake_belief *belief, uint32_t spi,
		   struct fake_belief **ret_belief);

/* An SA whose peer or own address changes. */
struct fake_new_place {
	uint32_t peer; /* as in struct fake_sa_spec */
	bool encap;
	int ifindex;    /* of the NIC of the local address, where the SA was offloaded */
	uint32_t reqid; /* 0: the same */
};
/* What charon does then (update_sa()), in this order: GETSA and GETAE; DELSA; NEWSA with everything
 * copied from what it read, XFRMA_OFFLOAD_DEV too. A step that fails is an error of the IKE
 * daemon's, and the next ones do not come. Numbers that are used between the first two are used
 * again: that is charon's own affair, and not held against anybody. */
int fake_ike_move_read(struct fake_kernel *k, struct fake_belief *belief);
int fake_ike_move_delete(struct fake_kernel *k, struct fake_belief *belief);
int fake_ike_move_make(struct fake_kernel *k, struct fake_belief *belief,
		       const struct fake_new_place *place);
/* XFRM_MSG_MIGRATE up to Linux 6.15: the offload is dropped, and no message names the SA. */
void fake_ike_migrate(struct fake_kernel *k, struct fake_belief *belief, uint32_t peer);
/* XFRM_MSG_MIGRATE_STATE: it stays in its NIC. */
int fake_ike_migrate_state(struct fake_kernel *k, struct fake_belief *belief, uint32_t peer);
/* UPDSA with another if_id. */
int fake_ike_change_if_id(struct fake_kernel *k, struct fake_belief *belief, uint32_t if_id);
/* The clock was stepped, and xfrm_timer_handler() rewrote the time when the SA was added. */
void fake_kernel_set_add_time(struct fake_kernel *k, struct fake_belief *belief, uint64_t time);

/* XFRM_MSG_EXPIRE, as a key manager sends it: the SA is gone for all (xfrm_add_sa_expire()). */
int fake_ike_expire(struct fake_kernel *k, struct fake_belief *belief);
/* XFRM_MSG_FLUSHSA: all SAs are gone. */
int fake_ike_flush(struct fake_kernel *k);
/* The IKE daemon no longer cares: neither missing nor present is wrong. */
void fake_ike_forget(struct fake_kernel *k, struct fake_belief *belief);
/* Packets with higher numbers than this may be accepted a second time: the exact window was lost.
 */
void fake_kernel_tolerate_replays(struct fake_kernel *k, struct fake_belief *belief,
				  uint64_t above);
/* Requests of the IKE daemon that the kernel refused and that no tunnel survives, and the last of
 * them as text. Without the daemon none would fail: fake_kernel_check() complains. */
unsigned fake_ike_errors(const struct fake_kernel *k);
const char *fake_ike_failure(const struct fake_kernel *k);
/* SAs that the IKE daemon closes because a larval SA with their identity expired. */
unsigned fake_ike_wrong_closures(const struct fake_kernel *k);

/* Outbound packets of the belief's tuple, over whichever SA xfrm_state_find() picks. Returns how
 * many left. */
unsigned fake_kernel_send(struct fake_kernel *k, struct fake_belief *belief, unsigned packets,
			  unsigned bytes);
/* Such a packet begins to look for its SA, as xfrm_state_find() does without a lock, and is held up
 * until the daemon waits for it or fake_kernel_end_lookup(). There is one at most. */
void fake_kernel_hold_lookup(struct fake_kernel *k, const struct fake_belief *belief);
void fake_kernel_end_lookup(struct fake_kernel *k);
/* One inbound packet of the SA. Returns 0 when it was accepted. */
int fake_kernel_receive(struct fake_kernel *k, struct fake_belief *belief, uint64_t sequence,
			unsigned bytes);
/* Such a packet is inside synchronous crypto on another CPU until the daemon waits for it or
 * fake_kernel_end_packet(), which returns 0 when it was accepted. There is one at most. Its SA may
 * be deleted meanwhile, and accepts it all the same; the one that was made anew then accepts it
 * once more. That is counted apart. */
int fake_kernel_hold_packet(struct fake_kernel *k, struct fake_belief *belief, uint64_t sequence,
			    unsigned bytes);
int fake_kernel_end_packet(struct fake_kernel *k);
unsigned fake_kernel_late_replays(const struct fake_kernel *k, const struct fake_belief *belief);
/* The next packet the peer has not sent yet. */
int fake_kernel_receive_next(struct fake_kernel *k, struct fake_belief *belief, unsigned bytes);
unsigned fake_kernel_lost(const struct fake_kernel *k);        /* packets, both directions */
unsigned fake_kernel_clear_texts(const struct fake_kernel *k); /* left unprotected */
unsigned fake_kernel_acquires(const struct fake_kernel *k);    /* sent to the IKE daemon */
/* Outbound sequence numbers that were passed over. */
uint64_t fake_kernel_skipped(const struct fake_kernel *k, const struct fake_belief *belief);
uint64_t fake_kernel_last_sequence(const struct fake_kernel *k, const struct fake_belief *belief);

/* ---- Looking in from outside ---- */

struct fake_view {
	bool exists;
	bool larval;
	bool acquired; /* ... that a packet inserted */
	bool dying;
	int ifindex; /* 0: software */
	uint64_t sequence_out;
	uint64_t sequence_in;
	struct xfrm_lifetime_cur current;
};
struct fake_view fake_kernel_view(const struct fake_kernel *k, const struct fake_belief *belief);
bool fake_belief_alive(const struct fake_belief *belief);
struct sa_id fake_belief_id(const struct fake_belief *belief);
unsigned fake_kernel_count(const struct fake_kernel *k, bool larval);
unsigned fake_kernel_larvals_of_daemon(const struct fake_kernel *k);
/* Those of them that were to hold the place of an SA, and got no SPI. */
unsigned fake_kernel_nameless_larvals(const struct fake_kernel *k);
/* Gives the SA an attribute the daemon does not know, or takes a larval's place in a test. */
void fake_kernel_plant(struct fake_kernel *k, struct fake_belief *belief, uint16_t type,
		       const void *data, size_t size);
void fake_kernel_set_last_used(struct fake_kernel *k, struct fake_belief *belief, uint64_t seconds);
void fake_kernel_add_integrity_failures(struct fake_kernel *k, struct fake_belief *belief,
					uint32_t n);

/* So often the daemon must have tried to delete a larval SA before it may leave it. */
#define FAKE_DELETIONS 3

/* What is wrong, a line each to `report` (may be NULL). Returns how many things are. */
enum fake_check_flags {
	/* Byte and packet counters may differ from what flowed: an SA restored from an old image.
	 */
	FAKE_CHECK_COUNTERS_MAY_DIFFER = 1,
	/* Larval SAs of the daemon's are allowed: it was killed, or cannot help it. */
	FAKE_CHECK_LARVALS_MAY_STAY = 2,
	/* An SA may sit on another NIC than asked for: nobody could look. */
	FAKE_CHECK_NIC_MAY_DIFFER = 4,
	/* Larval SAs in the place of an SA may have expired: nobody was there to look after them.
	 */
	FAKE_CHECK_CLOSURES_MAY_HAPPEN = 8,
	/* Requests of the IKE daemon may have failed that would not fail without the daemon. */
	FAKE_CHECK_REQUESTS_MAY_FAIL = 16,
	/* Larval SAs are allowed whose deletion a fault refused FAKE_DELETIONS times. */
	FAKE_CHECK_SPARED_MAY_STAY = 32,
	/* Larval SAs without an SPI are allowed, which no request can delete. */
	FAKE_CHECK_NAMELESS_MAY_STAY = 64,
	/* The SA has other limits than the IKE daemon gave it. */
	FAKE_CHECK_LIMITS_MAY_DIFFER = 128,
};
unsigned fake_kernel_check(struct fake_kernel *k, unsigned flags, FILE *report);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A deterministic model of the kernel's XFRM, behind the boundary of daemon/xfrm/kernel.h: netlink
 * messages in, netlink messages out, in the layout of linux/xfrm.h. It has SAs with every
 * attribute, NICs with a table of limited size, packets, a clock, other sockets that write, and
 * faults at any step. It also has the reference for checks: it records each sequence number that
 * was sent or accepted, and the SAs that the IKE daemon expects (beliefs). fake_kernel_check()
 * reports violations.
 *
 * The model follows Linux from 6.1 on; the functions of its source are named beside the code. Where
 * kernels differ, struct fake_config has a switch.
 *
 * The model outlives the sockets that are opened on it: a daemon can be killed and started again.
 * All objects belong to the model and exist until fake_kernel_free(). Lack of memory aborts the
 * test.
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

/* The properties of the kernel. fake_kernel_new() sets those of Linux 6.12 with an IKE daemon that
 * listens. */
struct fake_config {
	/* xfrm_alloc_spi(): an SPI must be unique per protocol (6.1.y and 6.12.y of 2025 and
	 * later), or per destination (before). */
	bool spi_unique_per_protocol;
	enum fake_migrate_state migrate_state;
	unsigned attribute_max; /* newest XFRMA_* that this kernel knows; newer ones are ignored */
	bool redact;            /* lockdown = confidentiality: keys read as zero */
	bool pad;               /* XFRMA_PAD before XFRMA_LASTUSED, as on 32-bit machines */
	bool updsa_leaks_slot;  /* before 6.1.170 and 6.12.85: UPDSA with offload on a valid SA */
	bool encap_refused;     /* up to 6.10: no offload of an SA with XFRMA_ENCAP */
	bool if_id_inbound_refused; /* 6.16: no inbound offload with an if_id */
	bool acquire_listener;      /* an IKE daemon has joined XFRMNLGRP_ACQUIRE (km_is_alive()) */
	bool templates_name_spi;    /* of outbound policies, as charon writes them */
	bool cpu_acquire;           /* XFRM_POLICY_CPU_ACQUIRE: each CPU needs its own SA */
	uint32_t acq_expires;       /* s, net.core.xfrm_acq_expires */
	uint32_t aevent_rseqth;     /* packets, net.core.xfrm_aevent_rseqth */
	uint32_t aevent_etime;      /* 100 ms, net.core.xfrm_aevent_etime */
	size_t event_queue;         /* number of messages that fit into a socket's receive buffer */
	unsigned dump_part;         /* SAs in a part of a dump; 0: all */
	unsigned segments;    /* outbound packets that count as one, segmented late (GSO); 0: 1 */
	unsigned broken_wait; /* number (from 1) of the wait for lookups that does not wait */
};

/* A NIC and its table. The test may change it at any time. */
struct fake_nic {
	int ifindex;
	const char *name;
	bool split; /* capacity_in and capacity_out are separate; else capacity_in is for both */
	unsigned capacity_in;
	unsigned capacity_out;
	bool no_ops;       /* like veth: success, in software (xfrm_dev_state_add()) */
	bool unsupported;  /* the driver returns -EOPNOTSUPP: success, in software */
	bool no_esn;       /* no xdo_dev_state_advance_esn: -EINVAL */
	bool icv_128_only; /* -EINVAL for others */
	bool key_128_only;
	bool transport_only;
	bool no_encap;
	bool untrusted;     /* not trusted by the operator: no key may be there */
	int lands_on;       /* the SA is put into this ifindex instead; 0: into the requested NIC */
	bool late_free;     /* only fake_kernel_gc() frees slots (mlx5) */
	bool decrypts_late; /* with late_free: decrypts for deleted SAs until then */
	bool hw_esp_off;    /* ethtool -K esp-hw-offload off: NETDEV_DOWN flushes nothing */
	int fail_error;     /* the error of the next fail_adds additions */
	unsigned fail_adds;
	const char *fail_text; /* their extended ack; NULL: that of the core */
	/* Counted by the model. */
	unsigned used_in;
	unsigned used_out;
	unsigned late_in; /* slots that fake_kernel_gc() will free */
	unsigned late_out;
};

int fake_kernel_new(struct fake_kernel **ret_kernel);
struct fake_kernel *fake_kernel_free(struct fake_kernel *k);
DEFINE_CLEANUP(struct fake_kernel *, fake_kernel_free);

struct fake_config *fake_kernel_config(struct fake_kernel *k);
struct fake_nic *fake_kernel_add_nic(struct fake_kernel *k, const struct fake_nic *nic);
struct fake_nic *fake_kernel_nic(struct fake_kernel *k, int ifindex); /* NULL: none */
/* NETDEV_UNREGISTER: SAs and policies offloaded to the NIC are deleted, as when it goes down. */
void fake_kernel_remove_nic(struct fake_kernel *k, int ifindex);
/* The NIC of the route, which is used for an unknown ifindex; 0: none. */
void fake_kernel_set_route(struct fake_kernel *k, int ifindex);

/* A daemon's sockets. Freed by kernel_free(), before the model. */
int fake_kernel_open(struct fake_kernel *k, struct kernel **ret_kernel);

/* ---- Time, NICs, and other events of a kernel ---- */

int64_t fake_kernel_now(const struct fake_kernel *k); /* s, real time */
void fake_kernel_advance(struct fake_kernel *k, int64_t seconds);
/* NETDEV_DOWN: the SAs and policies offloaded to the NIC are deleted without a message
 * (xfrm_dev_state_flush(), xfrm_dev_policy_flush()). Returns the number of SAs. */
unsigned fake_kernel_link_down(struct fake_kernel *k, int ifindex);
void fake_kernel_gc(struct fake_kernel *k); /* xfrm_state_gc_task(): frees late slots */
/* The receive buffer of an event socket overran: queued messages are lost, and the next read
 * returns -ENOBUFS. */
void fake_kernel_overrun(struct fake_kernel *k);
/* SIGKILL: open sockets do nothing any more; a buffer in progress is still processed completely. */
void fake_kernel_kill(struct fake_kernel *k);

/* ---- Steps, hooks and faults ---- */

enum fake_moment {
	FAKE_BEFORE_TRANSACT, /* any program may write */
	FAKE_BEFORE_MESSAGE, /* inside a buffer, xfrm_cfg_mutex is held: packets, link down, kill */
	FAKE_WITHIN_MESSAGE, /* a state was removed, its replacement is not valid: packets */
	FAKE_AFTER_TRANSACT, /* the buffer is processed, the answers are not read yet */
	FAKE_WAITED,         /* a wait for lookups is over, and the daemon does not know it yet */
};

/* Called at every moment of the daemon's transactions; `step` counts them from 0. */
typedef void (*fake_hook)(struct fake_kernel *k, enum fake_moment moment, unsigned step,
			  void *userdata);
void fake_kernel_set_hook(struct fake_kernel *k, fake_hook hook, void *userdata);

/* Gets each message of the daemon before the kernel, and may change it or remove attributes. False:
 * the message is not sent, and counts as answered with 0. For mutations. */
typedef bool (*fake_filter)(struct nlmsghdr *message, void *userdata);
void fake_kernel_set_filter(struct fake_kernel *k, fake_filter filter, void *userdata);

enum fake_fault_kind {
	FAKE_FAULT_NONE,
	FAKE_FAULT_REFUSE,      /* the message is answered with `error`, and not executed */
	FAKE_FAULT_LOSE_NOTE,   /* its notification could not be allocated (xfrm_notify_sa()) */
	FAKE_FAULT_LOSE_ANSWER, /* executed, but replies and answer do not arrive: -ETIMEDOUT */
	FAKE_FAULT_SEND,        /* the buffer with it could not be sent: transact returns `error` */
	FAKE_FAULT_RECEIVE,     /* the buffer was processed, then receiving fails with `error` */
};

/* Selects the messages of the daemon that the fault affects, from now on and in all buffers. */
struct fake_fault {
	enum fake_fault_kind kind;
	uint16_t type;       /* XFRM_MSG_*; 0: any */
	unsigned occurrence; /* number of the first affected message of the type, from 0 */
	bool onward;         /* later messages of any type are affected, not only those of `type` */
	unsigned count;      /* number of affected messages; 0: one, with `onward` all */
	int error;           /* negative errno */
	const char *text;
};
void fake_kernel_set_fault(struct fake_kernel *k, const struct fake_fault *fault);
void fake_kernel_end_fault(struct fake_kernel *k);
/* Type of the first affected message, also after the fault ended; 0: none was affected. */
uint16_t fake_kernel_struck(const struct fake_kernel *k);

/* The next `count` dumps of SAs or policies fail, at once or after half of the entries. */
void fake_kernel_fail_dumps(struct fake_kernel *k, unsigned count, int error, bool halfway);

/* Restarts the counts of steps and messages. Hook, filter and fault stay, and the fault keeps its
 * own count. */
void fake_kernel_restart_counts(struct fake_kernel *k);
unsigned fake_kernel_steps(const struct fake_kernel *k);
/* The number of messages of this type (XFRM_MSG_*, 0: any) that the daemon sent. */
unsigned fake_kernel_messages(const struct fake_kernel *k, uint16_t type);
/* Unloads the modules for offloaded SAs (esp4_offload, esp6_offload), as at the beginning. */
void fake_kernel_unload_offload(struct fake_kernel *k);
/* How often the kernel loaded one of them while the SA concerned was absent. */
unsigned fake_kernel_loaded_while_absent(const struct fake_kernel *k);
uint16_t fake_kernel_last_message(const struct fake_kernel *k); /* its type; 0: none yet */
unsigned fake_kernel_dumps(const struct fake_kernel *k);        /* dumps of all SAs so far */
unsigned fake_kernel_waits(const struct fake_kernel *k);        /* waits for lookups so far */

/* A wait for lookups that the daemon has begun is over when the test says so: then lookups, and
 * packets inside crypto, that were in progress when it began have ended. */
bool fake_kernel_is_waiting(const struct fake_kernel *k);
void fake_kernel_end_wait(struct fake_kernel *k);

/* ---- The IKE daemon's side, and packets ---- */

/* A policy with one template for ESP between any addresses, or without a template. */
struct fake_policy_spec {
	uint32_t index; /* an existing policy with this index is updated */
	bool inbound;
	bool socket;   /* of a socket (IP_XFRM_POLICY): there is no event */
	bool bypass;   /* without a template */
	bool optional; /* level use */
	uint32_t reqid;
	uint32_t spi; /* of the template, host order */
	int ifindex;  /* in packet offload in this NIC; 0: in software */
};
void fake_kernel_add_policy(struct fake_kernel *k, const struct fake_policy_spec *spec);
void fake_kernel_delete_policy(struct fake_kernel *k, uint32_t index);

/* One SA as the IKE daemon expects it. */
struct fake_belief;

/* Zero is a usable default for every field: a tunnel-mode IPv4 SA with AES-128-GCM. */
struct fake_sa_spec {
	bool inbound;
	uint32_t spi;    /* host order; 0: 0x1000 */
	uint16_t family; /* 0: AF_INET */
	uint32_t peer;   /* last bytes of the peer's address */
	uint8_t mode;    /* XFRM_MODE_*, 0: tunnel, or transport if `transport` */
	bool transport;
	uint32_t reqid;
	bool esn;
	uint32_t window;   /* 0: 32 inbound, 0 outbound; beyond 32 makes a REPLAY_ESN_VAL */
	uint64_t sequence; /* last number sent or accepted */
	uint32_t km_seq;
	uint32_t if_id;
	struct xfrm_mark mark;
	bool direction; /* XFRMA_SA_DIR */
	bool encap;
	uint32_t nat_keepalive; /* s, XFRMA_NAT_KEEPALIVE_INTERVAL: with encap and direction */
	bool coaddr;
	const char *label; /* XFRMA_SEC_CTX: only packets with the same label use it */
	uint32_t cpu;      /* 1 + CPU of XFRMA_SA_PCPU and of its packets; with direction */
	uint32_t extra_flags;
	struct xfrm_mark set_mark; /* XFRMA_SET_MARK of its outgoing packets */
	unsigned key_bits;         /* 0: 160 (128 and the salt) */
	unsigned icv_bits;         /* 0: 128 */
	bool cbc_sha256;           /* two algorithms instead of the AEAD */
	int ifindex;               /* the IKE daemon offloads it itself */
	bool packet;               /* in packet mode */
	uint64_t soft_seconds;     /* 0: none */
	uint64_t hard_seconds;
	uint32_t replay_threshold; /* XFRMA_REPLAY_THRESH, 0: the sysctl */
	bool by_update;            /* by ALLOCSPI and UPDSA, as IKE daemons do for inbound SAs */
};

/* Installs an SA. Returns 0 and its belief, or the kernel's error. */
int fake_ike_add(struct fake_kernel *k, const struct fake_sa_spec *spec,
		 struct fake_belief **ret_belief);
/* Deletes the SA: it must never exist again. Returns the kernel's answer; that the SA is gone
 * already does not count as a failed request. */
int fake_ike_delete(struct fake_kernel *k, struct fake_belief *belief);
/* UPDSA with new limits (and if NAT moved, a new source port of the encapsulation). It has no
 * sequence numbers, because an IKE daemon does not know them: an update that hits a larval SA
 * installs the SA with number 0. Violations because of this are not counted, but in the end
 * outbound numbers must continue from the right place. */
int fake_ike_update(struct fake_kernel *k, struct fake_belief *belief, uint64_t hard_seconds,
		    uint16_t encap_sport);
/* Reserves an SPI for the successor of an SA, as IKE daemons do before they negotiate it: a larval
 * SA with the same addresses, which fake_ike_rekey() completes. */
int fake_ike_reserve(struct fake_kernel *k, const struct fake_belief *belief, uint32_t spi);
/* Adds an SA with the same addresses and another SPI; then the caller deletes the old one. */
int fake_ike_rekey(struct fake_kernel *k, const struct fake_belief *belief, uint32_t spi,
		   struct fake_belief **ret_belief);

/* An SA whose peer or own address changes. */
struct fake_new_place {
	uint32_t peer; /* as in struct fake_sa_spec */
	bool encap;
	int ifindex;    /* the NIC of the new local address, if the SA was offloaded */
	uint32_t reqid; /* 0: the same */
};
/* charon's update_sa(), in three steps: GETSA and GETAE; DELSA; NEWSA with all attributes as read,
 * also XFRMA_OFFLOAD_DEV. If a step fails, this counts as a failed request, and the next ones are
 * not made. Numbers that are used between the first two steps are used again: charon causes this,
 * so it does not count as a violation. */
int fake_ike_move_read(struct fake_kernel *k, struct fake_belief *belief);
int fake_ike_move_delete(struct fake_kernel *k, struct fake_belief *belief);
int fake_ike_move_make(struct fake_kernel *k, struct fake_belief *belief,
		       const struct fake_new_place *place);
/* XFRM_MSG_MIGRATE up to Linux 6.15: the offload is dropped, and no message names the SA. */
void fake_ike_migrate(struct fake_kernel *k, struct fake_belief *belief, uint32_t peer);
/* XFRM_MSG_MIGRATE_STATE: the SA stays in its NIC. */
int fake_ike_migrate_state(struct fake_kernel *k, struct fake_belief *belief, uint32_t peer);
/* UPDSA with another if_id. */
int fake_ike_change_if_id(struct fake_kernel *k, struct fake_belief *belief, uint32_t if_id);
/* After a clock step: xfrm_timer_handler() rewrites the time when the SA was added. */
void fake_kernel_set_add_time(struct fake_kernel *k, struct fake_belief *belief, uint64_t time);

/* XFRM_MSG_EXPIRE, as a key manager sends it: the SA is gone for all (xfrm_add_sa_expire()). */
int fake_ike_expire(struct fake_kernel *k, struct fake_belief *belief);
/* XFRM_MSG_FLUSHSA: all SAs are gone. */
int fake_ike_flush(struct fake_kernel *k);
/* The belief is not checked any more: the SA may exist or not. */
void fake_ike_forget(struct fake_kernel *k, struct fake_belief *belief);
/* Packets with numbers above `above` may be accepted twice, because the exact window was lost. */
void fake_kernel_tolerate_replays(struct fake_kernel *k, struct fake_belief *belief,
				  uint64_t above);
/* The number of refused requests of the IKE daemon that cost it a tunnel, and the last of them as
 * text. Without the daemon none would fail, so fake_kernel_check() reports them. */
unsigned fake_ike_errors(const struct fake_kernel *k);
const char *fake_ike_failure(const struct fake_kernel *k);
/* The number of SAs that the IKE daemon closed because a larval SA with their identity expired. */
unsigned fake_ike_wrong_closures(const struct fake_kernel *k);

/* Sends outbound packets with the belief's addresses over the SA that xfrm_state_find() selects.
 * Returns how many were sent. */
unsigned fake_kernel_send(struct fake_kernel *k, struct fake_belief *belief, unsigned packets,
			  unsigned bytes);
/* Such a packet begins to look up its SA, as xfrm_state_find() does without a lock, and is delayed
 * until the daemon waits for it or until fake_kernel_end_lookup(). There is at most one. */
void fake_kernel_hold_lookup(struct fake_kernel *k, const struct fake_belief *belief);
void fake_kernel_end_lookup(struct fake_kernel *k);
/* One inbound packet of the SA. Returns 0 when it was accepted. */
int fake_kernel_receive(struct fake_kernel *k, struct fake_belief *belief, uint64_t sequence,
			unsigned bytes);
/* Such a packet is inside synchronous crypto on another CPU until the daemon waits for it or until
 * fake_kernel_end_packet(), which returns 0 if it was accepted. There is at most one. If its SA is
 * deleted in that time, the SA still accepts it, and the new SA then accepts it again. This is
 * counted separately. */
int fake_kernel_hold_packet(struct fake_kernel *k, struct fake_belief *belief, uint64_t sequence,
			    unsigned bytes);
int fake_kernel_end_packet(struct fake_kernel *k);
unsigned fake_kernel_late_replays(const struct fake_kernel *k, const struct fake_belief *belief);
/* The peer sends its next packet. */
int fake_kernel_receive_next(struct fake_kernel *k, struct fake_belief *belief, unsigned bytes);
unsigned fake_kernel_lost(const struct fake_kernel *k);        /* packets, both directions */
unsigned fake_kernel_clear_texts(const struct fake_kernel *k); /* packets sent unprotected */
unsigned fake_kernel_acquires(const struct fake_kernel *k);    /* ACQUIREs sent to the IKE daemon */
/* The number of skipped outbound sequence numbers. */
uint64_t fake_kernel_skipped(const struct fake_kernel *k, const struct fake_belief *belief);
uint64_t fake_kernel_last_sequence(const struct fake_kernel *k, const struct fake_belief *belief);

/* ---- Views for tests ---- */

struct fake_view {
	bool exists;
	bool larval;
	bool acquired; /* a larval SA that a packet inserted */
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
/* Larval SAs that should hold the place of an SA but got no SPI. */
unsigned fake_kernel_nameless_larvals(const struct fake_kernel *k);
/* Adds an attribute to the SA, for example one that the daemon does not know. */
void fake_kernel_plant(struct fake_kernel *k, struct fake_belief *belief, uint16_t type,
		       const void *data, size_t size);
void fake_kernel_set_last_used(struct fake_kernel *k, struct fake_belief *belief, uint64_t seconds);
void fake_kernel_add_integrity_failures(struct fake_kernel *k, struct fake_belief *belief,
					uint32_t n);

/* The number of attempts to delete a larval SA before the daemon may leave it. */
#define FAKE_DELETIONS 3

/* Writes one line per violation to `report` (may be NULL). Returns the number of violations. */
enum fake_check_flags {
	/* Byte and packet counters may differ from the traffic: the SA was restored from an old
	 * image. */
	FAKE_CHECK_COUNTERS_MAY_DIFFER = 1,
	/* Larval SAs of the daemon are allowed: it was killed, or cannot delete them. */
	FAKE_CHECK_LARVALS_MAY_STAY = 2,
	/* An SA may be in another NIC than requested: it could not be read back. */
	FAKE_CHECK_NIC_MAY_DIFFER = 4,
	/* Larval SAs in the place of an SA may have expired: the daemon was not running. */
	FAKE_CHECK_CLOSURES_MAY_HAPPEN = 8,
	/* Requests of the IKE daemon may have failed that would not fail without the daemon. */
	FAKE_CHECK_REQUESTS_MAY_FAIL = 16,
	/* Larval SAs are allowed if a fault refused their deletion FAKE_DELETIONS times. */
	FAKE_CHECK_SPARED_MAY_STAY = 32,
	/* Larval SAs without an SPI are allowed, which no request can delete. */
	FAKE_CHECK_NAMELESS_MAY_STAY = 64,
	/* The SA may have other limits than the IKE daemon set. */
	FAKE_CHECK_LIMITS_MAY_DIFFER = 128,
};
unsigned fake_kernel_check(struct fake_kernel *k, unsigned flags, FILE *report);

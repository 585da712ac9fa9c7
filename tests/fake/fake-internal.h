/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The internals of the fake kernel, for its own files only. */
#pragma once

#include "fake-kernel.h"
#include "xfrm/compat.h"

#define FAKE_ATTRIBUTES 64
#define FAKE_MESSAGE_TYPES 64
#define FAKE_IKE_PORT 77
#define FAKE_HZ 250 /* Debian's value */

_Static_assert(sizeof(struct xfrm_compat_migrate_state) == 132,
	       "as struct xfrm_user_migrate_state of Linux 7.2");

struct fake_attribute {
	uint8_t *data; /* NULL: absent */
	size_t size;
};

enum fake_state {
	FAKE_VALID,
	FAKE_LARVAL, /* XFRM_STATE_ACQ */
	FAKE_VOID,   /* inserted, but not yet made valid: packets do not see it */
};

struct fake_sa {
	struct fake_sa *next; /* newest first, as state_all and the hash chains are */
	unsigned serial;      /* number of its insertion, from 1 */
	enum fake_state state;
	bool held; /* by a packet inside crypto, which frees it later */
	bool dead;
	bool dying;
	bool expired;     /* a byte or packet limit was reached: XFRM_STATE_EXPIRED */
	uint32_t creator; /* port of its creator */
	/* Larval: the number of requests that a fault refused, to delete it or to give it the SPI
	 * needed for that. */
	unsigned spared;
	/* sel, id, saddr, lft, curlft, stats, seq, reqid, family, mode, replay_window, flags */
	struct xfrm_usersa_info info;
	struct xfrm_mark mark;
	struct xfrm_replay_state replay;
	struct xfrm_replay_state_esn *esn; /* NULL: `replay` is used */
	uint32_t replay_maxdiff;
	uint32_t replay_maxage;
	uint64_t last_used;
	int ifindex;   /* the NIC that holds it, 0: software */
	int requested; /* the NIC of the last successful request */
	uint8_t offload_flags;
	/* Attributes that the model does not interpret, as bytes. */
	struct fake_attribute attributes[FAKE_ATTRIBUTES];
};

/* Sequence numbers on the wire, for one key. */
struct fake_wire {
	uint64_t last_sent; /* 0: none */
	uint64_t skipped;   /* numbers that were never sent */
	uint64_t *accepted; /* sorted */
	size_t n_accepted;
	uint64_t last_accepted;
	uint64_t late[4]; /* accepted by an SA that was deleted by then; 0: free */
	unsigned late_replayed;
	uint64_t bytes;
	uint64_t packets;
	unsigned reused;    /* sequence numbers that were sent twice or decreased */
	unsigned replayed;  /* packets accepted twice */
	unsigned wrong_key; /* packets that found an SA with another key */
};

struct fake_belief {
	struct fake_belief *next;
	struct fake_sa *sa;     /* what the IKE daemon installed, a copy */
	struct fake_sa *moving; /* between fake_ike_move_read() and _make() */
	bool alive;
	bool closing; /* an EXPIRE arrived: next, an SA that still exists is deleted */
	bool forgotten;
	bool renewed;       /* its UPDSA hit a larval SA, and made the SA from its own numbers */
	uint64_t tolerated; /* a replay of numbers above this one is no violation */
	bool inbound;
	struct fake_wire wire;
};

struct fake_message {
	struct fake_message *next;
	struct nlmsghdr header; /* followed by the rest of the message */
};

/* A growing buffer for messages. */
struct fake_buffer {
	uint8_t *data;
	size_t used;
	size_t size;
};

/* A dump of all SAs. */
struct fake_walk {
	struct fake_sa *next;       /* the walk goes on here */
	struct fake_buffer waiting; /* the part that the next reading gets */
	unsigned part;              /* SAs in each part; 0: there is no dump in progress */
	unsigned left;              /* SAs until the walk fails */
	int error;                  /* how it fails; 0: it does not */
};

struct fake_socket {
	struct kernel kernel;
	struct fake_kernel *fake;
	struct fake_socket *next;
	uint32_t port;
	uint32_t sequence;
	bool dead;    /* its process was killed */
	bool waiting; /* for lookups */
	int event_fd;
	struct fake_message *events; /* oldest first */
	struct fake_message **events_end;
	size_t n_events;
	bool overrun;   /* -ENOBUFS is due */
	bool congested; /* no message is queued until the queue is empty (netlink_overrun()) */
	struct fake_walk whole; /* that is read at once */
	struct fake_walk parts;
};

/* A packet that looks up its outbound SA without a lock and is delayed at the first SA that it
 * finds. It uses the chain as it was at the beginning, and sees later changes only in the SAs of
 * that chain. A packet that finds no SA is delayed before it inserts the larval SA of its
 * ACQUIRE. */
struct fake_lookup_held {
	struct fake_sa *like; /* a copy; NULL: there is no such packet */
	unsigned serial;      /* serial of the newest SA at the beginning */
	unsigned at;          /* serial of the SA that it found, 0: none */
	bool missed;          /* it found no SA: an ACQUIRE is sent, whatever happens later */
	bool awaited;         /* by a wait that has begun */
};

/* An inbound packet inside crypto: the code after crypto does not check whether the SA was
 * deleted. */
struct fake_packet_held {
	struct fake_sa *sa; /* NULL: there is no such packet */
	struct fake_belief *belief;
	uint64_t sequence;
	unsigned bytes;
	bool awaited; /* as for a lookup */
};

/* An inbound rule of a NIC that still exists although its SA was deleted. */
struct fake_late_rule {
	struct fake_late_rule *next;
	int ifindex;
	xfrm_address_t daddr;
	__be32 spi;
	uint16_t family;
};

struct fake_policy {
	struct fake_policy *next;
	struct fake_policy_spec spec;
};

/* One request and its results. */
struct fake_request {
	struct fake_kernel *k;
	const struct nlmsghdr *message;
	const struct nlattr *attributes[FAKE_ATTRIBUTES]; /* last of each type, NULL: absent */
	uint32_t port; /* of the socket, NETLINK_CB(skb).portid */
	bool lose_notes;
	struct fake_buffer *answers; /* unicast replies and own notifications, in order */
	char text[KERNEL_TEXT_SIZE];
};

struct fake_kernel {
	struct fake_config config;
	int64_t now;
	struct fake_sa *sas;
	struct fake_belief *beliefs;
	struct fake_policy *policies;
	struct fake_late_rule *late_rules;
	struct fake_socket *sockets;
	struct fake_nic **nics;
	size_t n_nics;
	int route;
	uint32_t next_port;
	uint32_t next_spi;
	unsigned serial; /* of the last SA inserted */
	struct fake_lookup_held held;
	struct fake_packet_held inside;
	unsigned waits;
	fake_hook hook;
	void *hook_userdata;
	fake_filter filter;
	void *filter_userdata;
	struct fake_fault fault;
	unsigned fault_seen;  /* messages of its type since it was set */
	unsigned fault_count; /* affected messages */
	uint16_t struck;      /* type of the first affected message */
	struct fake_dump_fault {
		unsigned count;
		int error;
		bool halfway;
	} dump_fault;
	unsigned step;
	unsigned messages[FAKE_MESSAGE_TYPES]; /* index 0: of any type */
	uint16_t last_message;
	unsigned dumps;
	unsigned lost;
	unsigned clear_texts;
	unsigned acquires;
	unsigned ike_errors;
	char ike_failure[128]; /* the last failure */
	unsigned wrong_closures;
	bool offload_loaded[2];       /* esp4_offload, esp6_offload */
	unsigned loaded_while_absent; /* loaded by a request for an SA that was absent */
	unsigned wrong_key;           /* outbound packets of an SA whose key was never installed */
};

/* fake-memory.c */
void *fake_allocate(size_t size);
void fake_buffer_append(struct fake_buffer *b, const void *data, size_t size);
void fake_buffer_release(struct fake_buffer *b);
size_t fake_message_begin(struct fake_buffer *b, uint16_t type, uint16_t flags, uint32_t sequence,
			  uint32_t port, const void *fixed, size_t size);
void fake_message_add(struct fake_buffer *b, size_t start, uint16_t type, const void *data,
		      size_t size);
struct nlmsghdr *fake_message_at(uint8_t *data, size_t used, size_t *offset);
void fake_attribute_set(struct fake_sa *sa, uint16_t type, const void *data, size_t size);
void fake_attribute_clear(struct fake_sa *sa, uint16_t type);
uint32_t fake_attribute_u32(const struct fake_sa *sa, uint16_t type);
bool fake_same_attribute(const struct fake_sa *a, const struct fake_sa *b, uint16_t type);
uint32_t fake_cpu_of(const struct fake_sa *sa); /* UINT32_MAX: all CPUs */
size_t fake_esn_size(const struct xfrm_replay_state_esn *esn);
struct fake_sa *fake_sa_copy(const struct fake_sa *sa);
void fake_sa_free(struct fake_sa *sa);

/* fake-state.c */
struct fake_sa *fake_lookup(struct fake_kernel *k, uint32_t mark, const xfrm_address_t *daddr,
			    __be32 spi, uint8_t proto, uint16_t family);
bool fake_spi_taken(struct fake_kernel *k, const struct fake_sa *larval, __be32 spi);
struct fake_sa *fake_find_larval(struct fake_kernel *k, const struct fake_sa *like);
struct fake_sa *fake_find_larval_by_sequence(struct fake_kernel *k, uint32_t mark,
					     const struct fake_sa *like);
void fake_insert(struct fake_kernel *k, struct fake_sa *sa);
void fake_delete(struct fake_kernel *k, struct fake_sa *sa); /* and frees it */
void fake_unlink(struct fake_kernel *k, struct fake_sa *sa); /* it is DEAD, but still readable */
void fake_update_valid(struct fake_sa *sa, const struct fake_sa *from);
bool fake_same_address(const xfrm_address_t *a, const xfrm_address_t *b, uint16_t family);
void fake_expire(struct fake_kernel *k, struct fake_sa *sa, bool hard);

/* fake-construct.c */
int fake_construct(struct fake_request *request, struct fake_sa **ret_sa);
int fake_request_error(struct fake_request *request, int error, const char *text);
const void *fake_payload(const struct fake_request *request, uint16_t type);
uint32_t fake_payload_u32(const struct fake_request *request, uint16_t type);
void fake_update_aevent(struct fake_request *request, struct fake_sa *sa, bool update_esn);

/* fake-offload.c */
int fake_offload_add(struct fake_request *request, struct fake_sa *sa,
		     const struct xfrm_user_offload *offload);
/* Whether a NIC still decrypts the SA's packets for a deleted SA, so that software cannot use
 * them. */
bool fake_offload_decrypts_late(const struct fake_kernel *k, const struct fake_sa *sa);
void fake_offload_delete(struct fake_kernel *k, struct fake_sa *sa);

/* fake-emit.c */
void fake_emit_sa(struct fake_kernel *k, struct fake_buffer *b, size_t start, size_t info_offset,
		  const struct fake_sa *sa);
void fake_emit_state(struct fake_kernel *k, struct fake_buffer *b, const struct fake_sa *sa,
		     uint32_t sequence, uint32_t port, uint16_t flags);
void fake_notify_sa(struct fake_request *request, const struct fake_sa *sa, uint16_t event);
void fake_notify(struct fake_request *request, const struct nlmsghdr *message);
void fake_emit_aevent(struct fake_request *request, const struct fake_sa *sa, uint32_t flags);
void fake_notify_expire(struct fake_kernel *k, const struct fake_sa *sa, bool hard);

/* fake-policy.c */
void fake_policies_flush(struct fake_kernel *k, int ifindex); /* 0: all */
void fake_policies_dump(struct fake_kernel *k, struct fake_buffer *b, uint32_t sequence,
			uint32_t port);
void fake_policies_count(const struct fake_kernel *k, struct xfrmu_spdinfo *ret_counts);
bool fake_policies_let_through(const struct fake_kernel *k, const struct fake_sa *like);

/* fake-request.c */
int fake_process(struct fake_request *request);
void fake_refuse(struct fake_request *request); /* a fault refuses it: it is not executed */

/* fake-migrate.c */
int fake_migrate_state(struct fake_request *request);

/* fake-socket.c */
void fake_moment_within(const struct fake_request *request);
void fake_broadcast(struct fake_kernel *k, const struct nlmsghdr *message);

/* fake-replay.c */
bool fake_replay_next(struct fake_sa *sa, uint64_t *ret_sequence);
bool fake_replay_check(const struct fake_sa *sa, uint32_t sequence);
void fake_replay_advance(struct fake_sa *sa, uint32_t sequence);
uint32_t fake_replay_high(const struct fake_sa *sa, uint32_t sequence);
uint64_t fake_sequence_out(const struct fake_sa *sa);
uint64_t fake_sequence_in(const struct fake_sa *sa);

/* fake-traffic.c */
bool fake_wire_is_late(const struct fake_wire *wire, uint64_t sequence);
/* The IKE daemon installed the SA again from what it had read: packets since then are no
 * violation. */
void fake_wire_go_on(struct fake_belief *belief, const struct fake_sa *sa);

/* fake-ike.c */
xfrm_address_t fake_address(uint16_t family, uint32_t last);
/* `lifetime`: with XFRMA_LTIME_VAL */
int fake_submit_sa(struct fake_kernel *k, uint16_t type, const struct fake_sa *sa, bool lifetime);
struct fake_sa *fake_template(const struct fake_belief *belief);
struct fake_sa *fake_belief_find(struct fake_kernel *k, const struct fake_belief *belief);
struct fake_belief *fake_belief_of_key(struct fake_kernel *k, const struct fake_sa *sa);
bool fake_same_key(const struct fake_sa *a, const struct fake_sa *b);
/* Records the failure of a request without which a tunnel is lost. */
_printf_(2, 3) void fake_ike_failed(struct fake_kernel *k, const char *format, ...);
/* Deletes the SA of an EXPIRE. */
void fake_ike_close(struct fake_kernel *k);

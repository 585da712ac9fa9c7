/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moves as complete conversations with the kernel: each request of the migrator in order, its
 * answer, and the content of the rescue memory at that time. An additional, missing or different
 * request fails the test.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "move/migrator.h"
#include "move/rescue.h"
#include "scripted-kernel.h"
#include "xfrm/compat.h"

#define NIC 7
#define OTHER_NIC 8
#define SEQUENCE 100 /* of the SA when it is first read */
#define THRESHOLD 33
#define TIMER 10
#define APART 0x40000001u /* XOR: gives the reqid of larval SAs that no packet finds */
#define GUARD_SPI 77
#define WITNESS_SPI 200

enum told_kind {
	NOTHING,
	SA,
	LARVAL,   /* in the SA's place, by the migrator */
	ACQUIRED, /* in the SA's place, by a packet */
	GUARD,    /* a larval SA of a reserved SPI */
	WITNESS,
	THRESHOLDS, /* of events */
};

enum told_fault {
	SOUND,
	ANOTHER,    /* SA */
	UNREADABLE, /* of an unknown family */
	UNKNOWN,    /* has an unknown attribute */
	TOO_LARGE,  /* more attributes than an image holds */
	NEAR_LIMIT, /* of its life */
	NO_TIMER,   /* among the thresholds, and so on */
	NO_COUNT,
	SHORT_TIMER,
	SHORT_COUNT,
};

/* The content of an answer. */
struct told {
	enum told_kind kind;
	int ifindex;
	uint32_t sequence; /* 0: unchanged */
	uint32_t timer;    /* 0: the default */
	enum told_fault fault;
	int later;     /* it was created this many seconds after the SA */
	int packets;   /* more than before, or fewer */
	uint16_t type; /* of the message, 0: as the kernel does */
};

/* The next action of the migrator: a request in the format of request_text(), "." for the end of a
 * buffer, "dump", or, for lookups in progress, "wait" or "begin" (to wait). */
struct turn {
	const char *request;
	int error; /* for ".": the result of the exchange */
	struct told told;
	const char *text;   /* of the answer */
	const char *stored; /* content of the rescue memory at that time; NULL: not checked */
};

struct conversation {
	struct scripted *scripted;
	struct rescue *rescue;
	struct migrator *migrator;
	struct clock clock;
	const char *name;
	const struct turn *next;
	unsigned waits, begun_waits;
};

#define check_text(c, is, wanted) check_text_at(c, is, wanted, __LINE__)
static inline void check_text_at(const struct conversation *c, const char *is, const char *wanted,
				 int line)
{
	if (strcmp(is, wanted) != 0)
		fail_msg("%s (line %d): \"%s\" instead of \"%s\"", c->name, line, is, wanted);
}

#define check_number(c, is, wanted) check_number_at(c, #is, (long long)(is), (long long)(wanted))
static inline void check_number_at(const struct conversation *c, const char *what, long long is,
				   long long wanted)
{
	if (is != wanted)
		fail_msg("%s: %s is %lld instead of %lld", c->name, what, is, wanted);
}

/* ---- Answers ---- */

static inline struct xfrm_usersa_info told_info(const struct told *told)
{
	struct xfrm_usersa_info info = make_info();

	info.curlft.add_time += (uint64_t)(int64_t)told->later;
	info.curlft.packets += (uint64_t)(int64_t)told->packets;
	if (told->kind == LARVAL)
		info.reqid ^= APART;
	if (told->kind == GUARD)
		info.id.spi = htonl(GUARD_SPI);
	if (told->kind == WITNESS) {
		info.id.daddr.a4 = info.saddr.a4 = htonl(INADDR_LOOPBACK);
		info.id.spi = htonl(WITNESS_SPI);
		info.reqid = APART;
	}
	if (told->fault == ANOTHER)
		info.id.spi ^= 1;
	if (told->fault == UNREADABLE)
		info.family = AF_UNIX;
	if (told->fault == NEAR_LIMIT)
		info.lft.hard_packet_limit = info.curlft.packets;
	return info;
}

static inline struct nl_msg *told_sa(const struct told *told, uint16_t type)
{
	static const struct xfrm_algo cipher = {.alg_name = "ecb(cipher_null)"};
	static const uint8_t large[13 * 1024];
	const struct xfrm_replay_state replay = {.oseq = told->sequence ? told->sequence
									: SEQUENCE};
	const struct xfrm_user_offload offload = {.ifindex = told->ifindex};
	const struct xfrm_usersa_info info = told_info(told);
	const struct xfrm_usersa_id id = {.daddr = info.id.daddr,
					  .spi = info.id.spi,
					  .family = info.family,
					  .proto = info.id.proto};
	struct attribute attributes[6];
	size_t n = 0;

	if (type == XFRM_MSG_DELSA)
		attributes[n++] = (struct attribute)VALUE(XFRMA_SA, info);
	if (told->kind == SA) {
		attributes[n++] = (struct attribute)VALUE(XFRMA_ALG_CRYPT, cipher);
		attributes[n++] = (struct attribute)VALUE(XFRMA_REPLAY_VAL, replay);
	}
	if (told->ifindex != 0)
		attributes[n++] = (struct attribute)VALUE(XFRMA_OFFLOAD_DEV, offload);
	if (told->fault == TOO_LARGE)
		attributes[n++] = (struct attribute)VALUE(XFRMA_SEC_CTX, large);
	if (told->fault == UNKNOWN)
		attributes[n++] = (struct attribute)VALUE(XFRMA_SRCADDR, info.saddr);
	if (type == XFRM_MSG_DELSA)
		return make_message(type, &id, sizeof(id), attributes, n);
	return make_message(type, &info, sizeof(info), attributes, n);
}

static inline struct nl_msg *told_thresholds(const struct told *told)
{
	const struct xfrm_aevent_id id = {};
	const uint32_t timer = told->timer ? told->timer : TIMER, count = THRESHOLD;
	const uint16_t cut = 1;
	struct attribute attributes[2];
	size_t n = 0;

	if (told->fault == SHORT_TIMER)
		attributes[n++] = (struct attribute)VALUE(XFRMA_ETIMER_THRESH, cut);
	else if (told->fault != NO_TIMER)
		attributes[n++] = (struct attribute)VALUE(XFRMA_ETIMER_THRESH, timer);
	if (told->fault == SHORT_COUNT)
		attributes[n++] = (struct attribute)VALUE(XFRMA_REPLAY_THRESH, cut);
	else if (told->fault != NO_COUNT)
		attributes[n++] = (struct attribute)VALUE(XFRMA_REPLAY_THRESH, count);
	return make_message(XFRM_MSG_NEWAE, &id, sizeof(id), attributes, n);
}

/* Answers with the message type that the kernel uses. */
static inline void tell(struct scripted *s, uint16_t request, const struct told *told)
{
	uint16_t type = request == XFRM_MSG_DELSA ? XFRM_MSG_DELSA : XFRM_MSG_NEWSA;
	struct nl_msg *message;

	if (told->kind == NOTHING || !s->handler)
		return;
	message = told->kind == THRESHOLDS ? told_thresholds(told)
					   : told_sa(told, told->type ? told->type : type);
	assert_int_equal(s->handler(nlmsg_hdr(message), false, s->userdata), 0);
	nlmsg_free(message);
}

/* ---- Requests ---- */

static inline const char *offload_text(const struct nlmsghdr *message, int fixed)
{
	const struct nlattr *attribute =
		nlmsg_find_attr((struct nlmsghdr *)message, fixed, XFRMA_OFFLOAD_DEV);
	const struct xfrm_user_offload *offload;

	if (!attribute)
		return "software";
	offload = nla_data(attribute);
	if (offload->ifindex != NIC)
		return "another NIC";
	return offload->flags & XFRM_OFFLOAD_INBOUND ? "NIC in" : "NIC out";
}

static inline uint32_t attribute_u32(const struct nlmsghdr *message, int fixed, uint16_t type)
{
	const struct nlattr *attribute = nlmsg_find_attr((struct nlmsghdr *)message, fixed, type);

	return attribute ? nla_get_u32(attribute) : 0;
}

/* The SA, or one of the larval SAs. */
static inline const char *id_text(const xfrm_address_t *daddr, __be32 spi)
{
	const struct xfrm_usersa_info sa = make_info();

	if (daddr->a4 == htonl(INADDR_LOOPBACK))
		return ntohl(spi) == MESSAGE_SPI   ? " witness"
		       : ntohl(spi) == WITNESS_SPI ? " witness reserved"
						   : " ?";
	if (daddr->a4 != sa.id.daddr.a4)
		return " ?";
	return spi == sa.id.spi ? "" : ntohl(spi) == GUARD_SPI ? " guard" : " ?";
}

static inline const char *alloc_text(const struct scripted_request *request)
{
	const struct xfrm_userspi_info *alloc = &request->alloc;
	const struct xfrm_usersa_info sa = make_info();
	bool reserved = alloc->min == 1 && alloc->max == 255;

	if (!reserved && (alloc->min != MESSAGE_SPI || alloc->max != MESSAGE_SPI))
		return "?";
	if (alloc->info.id.daddr.a4 == htonl(INADDR_LOOPBACK))
		return reserved ? "witness reserved" : "witness";
	if (alloc->info.reqid == sa.reqid)
		return reserved ? "guard" : "?";
	return reserved ? "larval reserved" : "larval";
}

static inline void install_text(const struct nlmsghdr *message, char *text, size_t size)
{
	const int fixed = sizeof(struct xfrm_usersa_info);
	uint32_t threshold = attribute_u32(message, fixed, XFRMA_REPLAY_THRESH);
	const struct nlattr *replay =
		nlmsg_find_attr((struct nlmsghdr *)message, fixed, XFRMA_REPLAY_VAL);
	const struct nlattr *attribute =
		nlmsg_find_attr((struct nlmsghdr *)message, fixed, XFRMA_OFFLOAD_DEV);
	const struct xfrm_user_offload *offload = attribute ? nla_data(attribute) : NULL;
	char other[32] = "";

	assert_non_null(replay);
	if (offload && offload->flags == UINT8_MAX) {
		snprintf(text, size, "%s with unknown flags",
			 message->nlmsg_type == XFRM_MSG_NEWSA ? "NEWSA" : "?");
		return;
	}
	if (threshold != THRESHOLD)
		snprintf(other, sizeof(other), " threshold %u", threshold);
	snprintf(text, size, "%s %s #%u%s",
		 message->nlmsg_type == XFRM_MSG_UPDSA ? "UPDSA" : "NEWSA",
		 offload_text(message, fixed),
		 ((const struct xfrm_replay_state *)nla_data(replay))->oseq, other);
}

static inline void migrate_text(const struct nlmsghdr *message, char *text, size_t size)
{
	const struct xfrm_compat_migrate_state *migrate = nlmsg_data((struct nlmsghdr *)message);

	if (ntohl(migrate->id.spi) == 1)
		snprintf(text, size, "PROBE");
	else
		snprintf(text, size, "MIGRATE_STATE%s %s",
			 id_text(&migrate->id.daddr, migrate->id.spi),
			 offload_text(message, sizeof(*migrate)));
}

static inline void request_text(const struct scripted_request *request, char *text, size_t size)
{
	const struct xfrm_replay_state *replay;

	switch (request->type) {
	case XFRM_MSG_GETSA:
	case XFRM_MSG_DELSA:
		snprintf(text, size, "%s%s", request->type == XFRM_MSG_GETSA ? "GETSA" : "DELSA",
			 id_text(&request->id.daddr, request->id.spi));
		break;
	case XFRM_MSG_GETAE:
		snprintf(text, size, "GETAE");
		break;
	case XFRM_MSG_ALLOCSPI:
		snprintf(text, size, "ALLOCSPI %s", alloc_text(request));
		break;
	case XFRM_MSG_NEWSA:
	case XFRM_MSG_UPDSA:
		install_text(request->message, text, size);
		break;
	case XFRM_MSG_NEWAE:
		replay = nla_data(nlmsg_find_attr((struct nlmsghdr *)request->message,
						  sizeof(struct xfrm_aevent_id), XFRMA_REPLAY_VAL));
		snprintf(text, size, "NEWAE #%u", replay->oseq);
		break;
	case XFRM_COMPAT_MSG_MIGRATE_STATE:
		migrate_text(request->message, text, size);
		break;
	default:
		snprintf(text, size, "message %u", request->type);
	}
}

static inline void stored_text(const struct conversation *c, char *text, size_t size)
{
	struct sa_offload target = {};
	struct sa_image image = {};
	int r = rescue_load(c->rescue, c->scripted->arena, &image, &target);

	if (r == -ENOENT)
		snprintf(text, size, "nothing");
	else
		snprintf(text, size, "%s#%u %d", r > 0 ? "exact " : "",
			 (unsigned)sa_image_output_sequence(&image), target.ifindex);
	sa_image_wipe(&image);
}

/* ---- The conversation ---- */

static inline const struct turn *take_turn(struct conversation *c, const char *is)
{
	check_text(c, is, c->next->request ? c->next->request : "nothing more");
	return c->next++;
}

static inline void take_waits(struct conversation *c)
{
	for (; c->waits < c->scripted->waits; c->waits++)
		(void)take_turn(c, "wait");
	for (; c->begun_waits < c->scripted->begun_waits; c->begun_waits++)
		(void)take_turn(c, "begin");
}

static inline int serve_turn(struct scripted *s, const struct scripted_request *request)
{
	struct conversation *c = s->context;
	const struct turn *turn;
	char text[80];

	take_waits(c);
	request_text(request, text, sizeof(text));
	turn = take_turn(c, text);
	if (turn->stored) {
		stored_text(c, text, sizeof(text));
		check_text(c, text, turn->stored);
	}
	tell(s, request->type, &turn->told);
	s->text = turn->text;
	return turn->error;
}

static inline int finish_turns(struct scripted *s)
{
	return take_turn(s->context, ".")->error;
}

/* A dump is also a turn, "dump", and shows one SA; it may fail after that. */
static inline void dump_turn(struct scripted *s)
{
	struct conversation *c = s->context;
	const struct turn *turn;

	take_waits(c);
	turn = take_turn(c, "dump");
	tell(s, XFRM_MSG_GETSA, &turn->told);
	s->dump_error = turn->error;
}

static inline double conversation_monotonic(void *userdata)
{
	(void)userdata;
	return 0;
}

static inline uint64_t conversation_realtime(void *userdata)
{
	(void)userdata;
	return 1700000100;
}

static inline void expect(struct conversation *c, const char *name, const struct turn *turns)
{
	c->name = name;
	c->next = turns;
}

static inline void expect_end(struct conversation *c)
{
	take_waits(c);
	check_text(c, "nothing more", c->next->request ? c->next->request : "nothing more");
}

/* The first exchange is the MIGRATE_STATE probe; it gets the error `migrate_state`. */
static inline void open_conversation(struct conversation *c, int migrate_state, int64_t timer)
{
	const struct turn probe[] = {{"PROBE", migrate_state}, {"."}, {}};
	struct migrator_parameters parameters = {.event_timer_default = timer, .clock = &c->clock};
	void *scripted;

	assert_int_equal(scripted_setup(&scripted), 0);
	*c = (struct conversation){
		.scripted = scripted,
		.clock = {.monotonic = conversation_monotonic, .realtime = conversation_realtime}};
	c->scripted->serve = serve_turn;
	c->scripted->finish = finish_turns;
	c->scripted->dump = dump_turn;
	c->scripted->context = c;
	assert_int_equal(rescue_open(-1, &c->rescue), 0);
	expect(c, "probe", probe);
	assert_int_equal(migrator_new(&c->scripted->kernel, c->scripted->arena, c->rescue,
				      &parameters, &c->migrator),
			 0);
	expect_end(c);
}

/* The rescue memory and the arena must be empty. */
static inline void close_conversation(struct conversation *c)
{
	char text[80];
	void *scripted = c->scripted;

	stored_text(c, text, sizeof(text));
	check_text(c, text, "nothing");
	migrator_free(c->migrator);
	rescue_close(c->rescue);
	assert_int_equal(scripted_teardown(&scripted), 0);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The migrator's messages to the kernel, and its reaction to the answers: every message of a move,
 * in order, with its numbers and its device; the content of the rescue memory at each step; the
 * result; and what is left in locked memory. tests/explore tries every event between the messages;
 * this test defines which messages must be sent.
 */
#include "conversation.h"
#include "failing.h"

FAILING(void *, calloc, NULL, (size_t n, size_t size), (n, size))

/* The outcome of a move. */
struct outcome {
	enum move_result result;
	int error;
	const char *text; /* NULL: "" */
	enum hands_off hands_off;
	bool unread;        /* the first step did not read the SA */
	int ifindex;        /* of the facts, and so on */
	uint32_t sequence;  /* 0: there are no facts */
	uint32_t image;     /* the number in the image that the caller gets, 0: no image */
	const char *stored; /* NULL: nothing */
};

struct talk {
	const char *name;
	struct move move;
	int migrate_state;    /* 0: EINVAL, the kernel does not know it */
	const int64_t *timer; /* the default of the kernel, NULL: TIMER */
	uint32_t restored;    /* a restoration from an image with this number; 0: a move */
	const struct turn *turns;
	struct outcome outcome;
};

static const int64_t no_default = -1, zero_default;

/* clang-format off */
#define TURNS(...) ((const struct turn[]){__VA_ARGS__, {}})
#define INTO_NIC(way) {.target = {NIC, SA_DIRECTION_##way}}
#define INTO_NIC_KEPT(way) {.target = {NIC, SA_DIRECTION_##way}, .keep_image = true}
#define OUT_OF_NIC(way) {.target = {0, SA_DIRECTION_##way}, .expected_ifindex = NIC}

/* The parts of a move without faults. The arguments are members of struct told. */
#define READ(...) {"GETSA", 0, {SA, __VA_ARGS__}}, {"GETAE", 0, {THRESHOLDS}}, {"."}
#define GUARDED READ(), {"ALLOCSPI guard", 0, {GUARD}}, {"."}, {"wait"}, READ()
#define REMOVED_BUT(larval, ...) {"ALLOCSPI witness", -ENOENT}, {"DELSA", 0, {SA, __VA_ARGS__}}, \
		{"ALLOCSPI larval", larval}, {"."}
#define REMOVED(...) REMOVED_BUT(0, __VA_ARGS__)
#define ASKED(...) {"GETSA", 0, {__VA_ARGS__}}, {"."}
#define GONE {"GETSA", -ESRCH}, {"."}
#define UPDATED(...) {"GETSA", 0, {LARVAL}}, {__VA_ARGS__}, {"."}
#define WITNESS_AWAY {"ALLOCSPI witness reserved", 0, {WITNESS}}, {"."}, \
		{"DELSA witness reserved"}, {"."}
#define LEFTOVER {"ALLOCSPI larval reserved", 0, {GUARD}}, {"."}
#define GUARD_AWAY {"wait"}, {"DELSA guard"}, {"."}
#define GUARDS_AWAY {"wait"}, {"DELSA guard"}, {"DELSA guard"}, {"."}, ASKED(SA)
#define TWO_AWAY WITNESS_AWAY, GUARDS_AWAY
#define UNGUARDED WITNESS_AWAY, GUARD_AWAY, ASKED(SA)
/* clang-format on */

static void check_outcome(const struct conversation *c, const struct move *move,
			  const struct outcome *wanted)
{
	char text[80];

	check_text(c, move_result_name(move->result), move_result_name(wanted->result));
	check_number(c, move->state, MOVE_FINISHED);
	check_number(c, move->error, wanted->error);
	check_text(c, move->text, wanted->text ? wanted->text : "");
	check_text(c, hands_off_name(move->hands_off), hands_off_name(wanted->hands_off));
	check_number(c, move->facts_known, !wanted->unread);
	check_number(c, move->facts.offload_ifindex, wanted->ifindex);
	check_number(c, move->facts.output_sequence, wanted->sequence);
	check_number(c, move->leftover || move->witness, 0);
	check_number(c, move->stored, wanted->stored != NULL);
	check_number(c, sa_image_output_sequence(&move->image), wanted->image);
	check_number(c, move->image.attributes != NULL, wanted->image != 0);
	stored_text(c, text, sizeof(text));
	check_text(c, text, wanted->stored ? wanted->stored : "nothing");
}

static struct sa_id sa_id_of_message(void)
{
	struct xfrm_usersa_info info = make_info();

	return (struct sa_id){.destination = sa_address_read(info.family, &info.id.daddr),
			      .spi = MESSAGE_SPI,
			      .family = info.family,
			      .protocol = info.id.proto};
}

static void capture(struct conversation *c, struct sa_image *image, uint32_t sequence)
{
	struct nl_msg *message = told_sa(&(struct told){SA, .sequence = sequence}, XFRM_MSG_NEWSA);

	assert_int_equal(sa_image_capture(image, c->scripted->arena, nlmsg_hdr(message)), 0);
	image->replay_threshold = THRESHOLD;
	nlmsg_free(message);
}

static void hold_one(const struct talk *t)
{
	struct move move = t->move;
	struct conversation c;

	open_conversation(&c, t->migrate_state ? t->migrate_state : -EINVAL,
			  t->timer ? *t->timer : TIMER);
	expect(&c, t->name, t->turns);
	move.id = sa_id_of_message();
	if (t->restored) {
		capture(&c, &move.image, t->restored);
		migrator_restore(c.migrator, &move);
	} else {
		migrator_run(c.migrator, &move);
	}
	expect_end(&c);
	check_outcome(&c, &move, &t->outcome);
	sa_image_wipe(&move.image);
	rescue_clear(c.rescue);
	close_conversation(&c);
}

static void hold(const struct talk *talks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hold_one(&talks[i]);
}
#define HOLD(talks) hold(talks, ELEMENTSOF(talks))

static void test_as_it_should(void **state)
{
	const struct talk talks[] = {
		{
			.name = "promote, inbound",
			.move = INTO_NIC(IN),
			.turns = TURNS(
				READ(), {"ALLOCSPI witness", -ENOENT, .stored = "#100 7"},
				{"DELSA", 0, {SA, .sequence = 120}},
				{"ALLOCSPI larval", 0, {LARVAL}}, {"."},
				{"GETSA", 0, {LARVAL}, .stored = "exact #120 7"},
				{"UPDSA NIC in #120"}, {"."},
				{"GETSA", 0, {SA, NIC, 121}, .stored = "exact #120 7"}, {"."},
				{"ALLOCSPI witness reserved", 0, {WITNESS}, .stored = "nothing"},
				{"."}, {"DELSA witness reserved"}, {"."}),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 121},
		},
		{
			.name = "promote, outbound",
			.move = INTO_NIC(OUT),
			.turns = TURNS(GUARDED, REMOVED(.sequence = 120),
				       UPDATED("UPDSA NIC out #120"), ASKED(SA, NIC, 121),
				       UNGUARDED),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 121},
		},
		{
			.name = "evict, outbound",
			.move = OUT_OF_NIC(OUT),
			.turns = TURNS(READ(NIC), {"ALLOCSPI guard", 0, {GUARD}}, {"."}, {"wait"},
				       READ(NIC), REMOVED(NIC, 120), UPDATED("UPDSA software #120"),
				       ASKED(SA, 0, 121), UNGUARDED),
			.outcome = {MOVE_RESULT_DONE, .sequence = 121},
		},
		{
			.name = "evict, inbound, without keeping an image",
			.move = {.target.direction = SA_DIRECTION_IN,
				 .expected_ifindex = NIC,
				 .keep_image = true},
			.turns = TURNS(READ(NIC), REMOVED(NIC), UPDATED("UPDSA software #100"),
				       ASKED(SA, 0, 101), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_DONE, .sequence = 101},
		},
		{
			.name = "the image is kept",
			.move = INTO_NIC_KEPT(IN),
			.turns = TURNS(READ(), REMOVED(.sequence = 120),
				       UPDATED("UPDSA NIC in #120"), ASKED(SA, NIC, 125),
				       WITNESS_AWAY),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 125,
				    .image = 125},
		},
		{
			.name = "the image is kept, and its sequence number is too low",
			.move = INTO_NIC_KEPT(IN),
			.turns = TURNS(READ(), REMOVED(.sequence = 120),
				       UPDATED("UPDSA NIC in #120"), ASKED(SA, NIC, 119),
				       {"NEWAE #119"}, {"."}, WITNESS_AWAY),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 119,
				    .image = 119},
		},
		{
			.name = "it exists",
			.move = {.target = {NIC, SA_DIRECTION_OUT},
				 .expected_ifindex = NIC,
				 .keep_image = true},
			.turns = TURNS(READ(NIC)),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 100,
				    .image = 100},
		},
	};

	(void)state;
	HOLD(talks);
}

/* ---- 1. read and check ---- */

static void test_what_is_read(void **state)
{
	const struct talk talks[] = {
		{
			.name = "the request cannot be sent",
			.move = INTO_NIC(IN),
			.turns = TURNS({"GETSA", -ETIMEDOUT}, {"GETAE", -ETIMEDOUT}, {".", -EIO}),
			.outcome = {MOVE_RESULT_FAILED, -EIO, .unread = true},
		},
		{
			.name = "the SA is gone",
			.move = INTO_NIC(IN),
			.turns = TURNS({"GETSA", -ESRCH, .text = "none"}, {"GETAE", -ESRCH}, {"."}),
			.outcome = {MOVE_RESULT_GONE, -ESRCH, "none", .unread = true},
		},
		{
			.name = "there is no answer",
			.move = INTO_NIC(IN),
			.turns = TURNS({"GETSA", -ENOMEM, .text = "no"}, {"GETAE"}, {"."}),
			.outcome = {MOVE_RESULT_FAILED, -ENOMEM, "no", .unread = true},
		},
		{
			.name = "an answer without an SA",
			.move = INTO_NIC(IN),
			.turns = TURNS({"GETSA"}, {"GETAE", 0, {THRESHOLDS}}, {"."}),
			.outcome = {MOVE_RESULT_FAILED, .unread = true},
		},
		{
			.name = "an SA, and an error",
			.move = INTO_NIC(IN),
			.turns = TURNS({"GETSA", -ENOMEM, {SA}}, {"GETAE", 0, {THRESHOLDS}}, {"."}),
			.outcome = {MOVE_RESULT_FAILED, -ENOMEM, .unread = true},
		},
		{
			.name = "another SA",
			.move = INTO_NIC(IN),
			.turns = TURNS(READ(.fault = ANOTHER)),
			.outcome = {MOVE_RESULT_FAILED, .unread = true},
		},
		{
			.name = "an unreadable SA",
			.move = INTO_NIC(IN),
			.turns = TURNS(READ(.fault = UNREADABLE)),
			.outcome = {MOVE_RESULT_FAILED, .unread = true},
		},
		{
			.name = "a message of another type",
			.move = INTO_NIC(IN),
			.turns = TURNS(READ(.type = XFRM_MSG_UPDSA)),
			.outcome = {MOVE_RESULT_FAILED, .unread = true},
		},
		{
			.name = "an unknown attribute",
			.move = INTO_NIC(IN),
			.turns = TURNS(READ(.fault = UNKNOWN)),
			.outcome = {MOVE_RESULT_HANDS_OFF, .hands_off = HANDS_OFF_UNKNOWN_ATTRIBUTE,
				    .sequence = 100},
		},
		{
			.name = "another program offloaded it",
			.move = INTO_NIC(IN),
			.turns = TURNS(READ(OTHER_NIC, .fault = TOO_LARGE)),
			.outcome = {MOVE_RESULT_HANDS_OFF, .hands_off = HANDS_OFF_FOREIGN,
				    .ifindex = OTHER_NIC, .sequence = 100},
		},
		{
			.name = "another program took it out of the NIC",
			.move = OUT_OF_NIC(IN),
			.turns = TURNS(READ()),
			.outcome = {MOVE_RESULT_HANDS_OFF, .hands_off = HANDS_OFF_FOREIGN,
				    .sequence = 100},
		},
		{
			.name = "too large",
			.move = INTO_NIC(IN),
			.turns = TURNS({"GETSA", 0, {SA, .fault = TOO_LARGE}},
				       {"GETAE", 0, {THRESHOLDS, .timer = 11}}, {"."}),
			.outcome = {MOVE_RESULT_HANDS_OFF, .hands_off = HANDS_OFF_TOO_LARGE,
				    .sequence = 100},
		},
		{
			.name = "its own thresholds",
			.move = INTO_NIC(IN),
			.turns = TURNS({"GETSA", 0, {SA, .fault = NEAR_LIMIT}},
				       {"GETAE", 0, {THRESHOLDS, .timer = 11}}, {"."}),
			.outcome = {MOVE_RESULT_HANDS_OFF, .hands_off = HANDS_OFF_THRESHOLDS,
				    .sequence = 100},
		},
		{
			.name = "its own thresholds, without a default",
			.move = INTO_NIC(IN),
			.timer = &zero_default,
			.turns = TURNS(READ()),
			.outcome = {MOVE_RESULT_HANDS_OFF, .hands_off = HANDS_OFF_THRESHOLDS,
				    .sequence = 100},
		},
		{
			.name = "thresholds, where the default is unknown",
			.move = INTO_NIC(IN),
			.timer = &no_default,
			.turns = TURNS(READ(.fault = NEAR_LIMIT)),
			.outcome = {MOVE_RESULT_HANDS_OFF, .hands_off = HANDS_OFF_NEAR_LIMIT,
				    .sequence = 100},
		},
		{
			.name = "thresholds that cannot be read",
			.move = INTO_NIC(IN),
			.turns = TURNS({"GETSA", 0, {SA}}, {"GETAE", -ENOMEM, .text = "no"}, {"."}),
			.outcome = {MOVE_RESULT_FAILED, -ENOMEM, "no", .sequence = 100},
		},
		{
			.name = "a threshold without a timer",
			.move = INTO_NIC(IN),
			.turns = TURNS({"GETSA", 0, {SA}},
				       {"GETAE", 0, {THRESHOLDS, .fault = NO_TIMER}}, {"."}),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 100},
		},
		{
			.name = "a timer without a threshold",
			.move = INTO_NIC(IN),
			.turns = TURNS({"GETSA", 0, {SA}},
				       {"GETAE", 0, {THRESHOLDS, .fault = NO_COUNT}}, {"."}),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 100},
		},
		{
			.name = "a truncated timer",
			.move = INTO_NIC(IN),
			.turns = TURNS({"GETSA", 0, {SA}},
				       {"GETAE", 0, {THRESHOLDS, .fault = SHORT_TIMER}}, {"."}),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 100},
		},
		{
			.name = "a truncated threshold",
			.move = INTO_NIC(IN),
			.turns = TURNS({"GETSA", 0, {SA}},
				       {"GETAE", 0, {THRESHOLDS, .fault = SHORT_COUNT}}, {"."}),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 100},
		},
		{
			.name = "no guard",
			.move = INTO_NIC(OUT),
			.turns = TURNS(READ(), {"ALLOCSPI guard", -ENOMEM}, {"."}),
			.outcome = {MOVE_RESULT_FAILED, -ENOMEM,
				    "it cannot be guarded by a larval SA", .sequence = 100},
		},
	};

	(void)state;
	HOLD(talks);
}

/* ---- MIGRATE_STATE ---- */

static void test_migrate_state(void **state)
{
	const struct talk talks[] = {
		{
			.name = "evict",
			.move = OUT_OF_NIC(IN),
			.migrate_state = -ESRCH,
			.turns = TURNS(READ(NIC), {"MIGRATE_STATE software", .stored = "nothing"},
				       {"."}, ASKED(SA, 0, 101)),
			.outcome = {MOVE_RESULT_DONE, .sequence = 101},
		},
		{
			.name = "promote",
			.move = INTO_NIC(IN),
			.migrate_state = -ESRCH,
			.turns = TURNS(READ(), {"MIGRATE_STATE NIC in"}, {"."}, ASKED(SA, NIC)),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 100},
		},
		{
			.name = "promote, outbound",
			.move = INTO_NIC_KEPT(OUT),
			.migrate_state = -ESRCH,
			.turns = TURNS(GUARDED, {"MIGRATE_STATE NIC out"}, {"."},
				       ASKED(SA, NIC, 102), GUARD_AWAY, ASKED(SA, NIC)),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 102,
				    .image = 102},
		},
		{
			.name = "left in software",
			.move = INTO_NIC(IN),
			.migrate_state = -ESRCH,
			.turns = TURNS(READ(), {"MIGRATE_STATE NIC in"}, {"."}, ASKED(SA)),
			.outcome = {MOVE_RESULT_SILENT, .sequence = 100},
		},
		{
			.name = "without an answer, and not done",
			.move = INTO_NIC(IN),
			.migrate_state = -ESRCH,
			.turns = TURNS(READ(), {"MIGRATE_STATE NIC in", -ETIMEDOUT}, {".", -EIO},
				       ASKED(SA)),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 100},
		},
		{
			.name = "without an answer, and lost with the NIC",
			.move = INTO_NIC_KEPT(IN),
			.migrate_state = -ESRCH,
			.turns = TURNS(READ(), {"MIGRATE_STATE NIC in", -ETIMEDOUT}, {".", -EIO},
				       GONE),
			.outcome = {MOVE_RESULT_GONE, .sequence = 100, .image = 100},
		},
		{
			.name = "gone when it is evicted",
			.move = {.target.direction = SA_DIRECTION_IN,
				 .expected_ifindex = NIC,
				 .keep_image = true},
			.migrate_state = -ESRCH,
			.turns = TURNS(READ(NIC), {"MIGRATE_STATE software"}, {"."}, GONE),
			.outcome = {MOVE_RESULT_GONE, .ifindex = NIC, .sequence = 100},
		},
		{
			.name = "gone already",
			.move = INTO_NIC_KEPT(IN),
			.migrate_state = -ESRCH,
			.turns = TURNS(READ(), {"MIGRATE_STATE NIC in", -ESRCH, .text = "none"},
				       {"."}),
			.outcome = {MOVE_RESULT_GONE, -ESRCH, "none", .sequence = 100},
		},
		{
			.name = "the driver refuses",
			.move = INTO_NIC(IN),
			.migrate_state = -ESRCH,
			.turns = TURNS(READ(), {"MIGRATE_STATE NIC in", -EINVAL, .text = "not so"},
				       {"."}, ASKED(SA)),
			.outcome = {MOVE_RESULT_REFUSED, -EINVAL, "not so", .sequence = 100},
		},
		{
			.name = "the NIC is full",
			.move = INTO_NIC(IN),
			.migrate_state = -ESRCH,
			.turns = TURNS(READ(),
				       {"MIGRATE_STATE NIC in", -EINVAL, .text = "No space left"},
				       {"."}, ASKED(SA)),
			.outcome = {MOVE_RESULT_REFUSED, -ENOSPC, "No space left", .sequence = 100},
		},
		{
			.name = "refused, and deleted",
			.move = INTO_NIC_KEPT(IN),
			.migrate_state = -ESRCH,
			.turns = TURNS(READ(), {"MIGRATE_STATE NIC in", -EINVAL, .text = "not so"},
				       {"."}, GONE),
			.outcome = {MOVE_RESULT_GONE, -EINVAL, "not so", .sequence = 100},
		},
	};

	(void)state;
	HOLD(talks);
}

/* ---- 2. remove ---- */

/* clang-format off */
/* The deletion hit a packet's larval SA, and the SPI was not free. */
#define MISSED READ(), {"ALLOCSPI witness", -ENOENT}, {"DELSA", 0, {ACQUIRED}}, \
		{"ALLOCSPI larval", -ENOENT}, {"."}
#define GONE_BEFORE READ(), {"ALLOCSPI witness", -ENOENT}, {"DELSA", -ESRCH}, \
		{"ALLOCSPI larval"}, {"."}
#define UNREAD {"GETSA", -ENOMEM}, {"."}
/* clang-format on */

static void test_removal(void **state)
{
	const struct talk talks[] = {
		{
			.name = "not sent, and the SA exists",
			.move = INTO_NIC(IN),
			.turns = TURNS(READ(), {"ALLOCSPI witness", -ETIMEDOUT},
				       {"DELSA", -ETIMEDOUT}, {"ALLOCSPI larval", -ETIMEDOUT},
				       {".", -EIO}, ASKED(SA, 0, 101), LEFTOVER, {"DELSA witness"},
				       {"."}, WITNESS_AWAY, GUARD_AWAY),
			.outcome = {MOVE_RESULT_FAILED, -EIO, .sequence = 101},
		},
		{
			.name = "not answered, and it is gone",
			.move = INTO_NIC_KEPT(IN),
			.turns = TURNS(READ(), {"ALLOCSPI witness", -ENOENT}, {"DELSA", -ETIMEDOUT},
				       {"ALLOCSPI larval", -ETIMEDOUT}, {".", -EIO}, GONE, LEFTOVER,
				       WITNESS_AWAY, GUARD_AWAY),
			.outcome = {MOVE_RESULT_GONE, -EIO, .sequence = 100},
		},
		{
			.name = "not answered, and a larval SA holds its place",
			.move = INTO_NIC(OUT),
			.turns =
				TURNS(GUARDED, {"ALLOCSPI witness", -ENOENT}, {"DELSA", -ETIMEDOUT},
				      {"ALLOCSPI larval", -ETIMEDOUT}, {".", -EIO}, ASKED(LARVAL),
				      UPDATED("UPDSA software #1048676"), ASKED(SA, 0, 1048676),
				      LEFTOVER, TWO_AWAY),
			.outcome = {MOVE_RESULT_REFUSED, -EIO, .sequence = 1048676},
		},
		{
			.name = "not answered after the deletion",
			.move = INTO_NIC(OUT),
			.turns = TURNS(GUARDED, {"ALLOCSPI witness", -ENOENT},
				       {"DELSA", 0, {SA, .sequence = 120}},
				       {"ALLOCSPI larval", -ETIMEDOUT}, {".", -EIO},
				       UPDATED("UPDSA NIC out #120"), ASKED(SA, NIC, 120), LEFTOVER,
				       TWO_AWAY),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 120},
		},
		{
			.name = "gone before",
			.move = INTO_NIC(IN),
			.turns = TURNS(READ(), {"ALLOCSPI witness", -ENOENT},
				       {"DELSA", -ESRCH, .text = "none"}, {"ALLOCSPI larval"},
				       {"."}, ASKED(LARVAL), {"DELSA"}, {"."}, WITNESS_AWAY),
			.outcome = {MOVE_RESULT_GONE, -ESRCH, "none", .sequence = 100},
		},
		{
			.name = "gone before, and the witness has its SPI",
			.move = INTO_NIC(IN),
			.turns = TURNS(READ(), {"ALLOCSPI witness"}, {"DELSA", -ESRCH},
				       {"ALLOCSPI larval", -ENOENT}, {"."}, LEFTOVER,
				       {"DELSA witness"}, {"."}, WITNESS_AWAY, GUARD_AWAY),
			.outcome = {MOVE_RESULT_GONE, -ESRCH, .sequence = 100},
		},
		{
			.name = "gone before, and it is unknown whether a larval SA exists",
			.move = INTO_NIC(IN),
			.turns = TURNS(READ(), {"ALLOCSPI witness", -ENOENT}, {"DELSA", -ESRCH},
				       {"ALLOCSPI larval", -ETIMEDOUT}, {".", -EIO}, GONE, LEFTOVER,
				       WITNESS_AWAY, GUARD_AWAY),
			.outcome = {MOVE_RESULT_GONE, -ESRCH, .sequence = 100},
		},
		{
			.name = "refused",
			.move = INTO_NIC(IN),
			.turns = TURNS(READ(), {"ALLOCSPI witness", -ENOENT},
				       {"DELSA", -ENOMEM, .text = "no"},
				       {"ALLOCSPI larval", -ENOENT}, {"."}, LEFTOVER, WITNESS_AWAY,
				       GUARD_AWAY),
			.outcome = {MOVE_RESULT_FAILED, -ENOMEM, "no", .sequence = 100},
		},
		{
			.name = "a packet's larval SA in its place, and it is gone",
			.move = INTO_NIC(IN),
			.turns = TURNS(READ(), {"ALLOCSPI witness", -ENOENT},
				       {"DELSA", 0, {ACQUIRED}}, {"ALLOCSPI larval"}, {"."},
				       ASKED(LARVAL), {"DELSA"}, {"."}, WITNESS_AWAY),
			.outcome = {MOVE_RESULT_GONE, .sequence = 100},
		},
		{
			.name = "a packet's larval SA before it",
			.move = INTO_NIC(IN),
			.turns =
				TURNS(READ(), {"ALLOCSPI witness", -ENOENT},
				      {"DELSA", 0, {ACQUIRED}}, {"ALLOCSPI larval", -ENOENT}, {"."},
				      ASKED(SA, 0, 101), LEFTOVER, WITNESS_AWAY, GUARD_AWAY),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 101},
		},
		{
			.name = "a packet's larval SA before it, and then in its place",
			.move = INTO_NIC(IN),
			.turns = TURNS(MISSED, ASKED(ACQUIRED), {"dump", 0, {ACQUIRED}}, LEFTOVER,
				       WITNESS_AWAY, GUARD_AWAY),
			.outcome = {MOVE_RESULT_GONE, .sequence = 100},
		},
		{
			.name = "two packets' larval SAs before it",
			.move = INTO_NIC(IN),
			.turns = TURNS(MISSED, ASKED(ACQUIRED), {"dump", 0, {SA}}, LEFTOVER,
				       WITNESS_AWAY, GUARD_AWAY),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 100},
		},
		{
			.name = "a packet's larval SA before an unknown SA",
			.move = INTO_NIC(IN),
			.turns = TURNS(MISSED, ASKED(ACQUIRED), {"dump", -EIO, {ACQUIRED}},
				       LEFTOVER, WITNESS_AWAY, GUARD_AWAY),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 100},
		},
		{
			.name = "a packet's larval SA before it, and no answer then",
			.move = INTO_NIC(IN),
			.turns = TURNS(MISSED, UNREAD, UNREAD, UNREAD, UNREAD, LEFTOVER,
				       WITNESS_AWAY, GUARD_AWAY),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 100},
		},
		{
			.name = "not answered and gone, and its SPI was taken",
			.move = INTO_NIC(IN),
			.turns = TURNS(READ(), {"ALLOCSPI witness", -ENOENT}, {"DELSA", -ETIMEDOUT},
				       {"ALLOCSPI larval", -ENOENT}, {".", -EIO}, GONE, LEFTOVER,
				       WITNESS_AWAY, GUARD_AWAY),
			.outcome = {MOVE_RESULT_GONE, -EIO, .sequence = 100},
		},
		{
			.name = "refused with the answer of a request that was not answered",
			.move = INTO_NIC(IN),
			.turns = TURNS(READ(), {"ALLOCSPI witness", -ENOENT}, {"DELSA", -ETIMEDOUT},
				       {"ALLOCSPI larval", -ENOENT}, {"."}, LEFTOVER, WITNESS_AWAY,
				       GUARD_AWAY),
			.outcome = {MOVE_RESULT_FAILED, -ETIMEDOUT, .sequence = 100},
		},
		{
			.name = "not answered, a larval SA in its place, next attempt not answered",
			.move = INTO_NIC(IN),
			.turns = TURNS(READ(), {"ALLOCSPI witness", -ENOENT}, {"DELSA", -ETIMEDOUT},
				       {"ALLOCSPI larval", -ETIMEDOUT}, {".", -EIO}, ASKED(LARVAL),
				       {"GETSA", 0, {LARVAL}}, {"UPDSA software #100", -ETIMEDOUT},
				       {".", -EIO}, ASKED(SA, 0, 100), ASKED(SA, 0, 101), LEFTOVER,
				       WITNESS_AWAY, GUARD_AWAY),
			.outcome = {MOVE_RESULT_REFUSED, -EIO, .sequence = 101},
		},
		{
			.name = "gone before, and installed again after that",
			.move = INTO_NIC(IN),
			.turns = TURNS(GONE_BEFORE, ASKED(SA, .later = 1), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_GONE, -ESRCH, .sequence = 100},
		},
		{
			.name = "gone before, and the larval SA, too",
			.move = INTO_NIC(IN),
			.turns = TURNS(GONE_BEFORE, GONE, WITNESS_AWAY),
			.outcome = {MOVE_RESULT_GONE, -ESRCH, .sequence = 100},
		},
		{
			.name = "gone before, and the larval SA is deleted at the last attempt",
			.move = INTO_NIC(IN),
			.turns = TURNS(GONE_BEFORE, UNREAD, {"GETSA"}, {"."}, {"GETSA", -EINTR},
				       {"."}, ASKED(LARVAL), {"DELSA", -ENOMEM}, {"."},
				       ASKED(LARVAL), {"DELSA", -ENOMEM}, {"."}, ASKED(LARVAL),
				       {"DELSA"}, {"."}, WITNESS_AWAY),
			.outcome = {MOVE_RESULT_GONE, -ESRCH, .sequence = 100},
		},
		{
			.name = "gone before, and the larval SA cannot be deleted",
			.move = INTO_NIC(IN),
			.turns = TURNS(GONE_BEFORE, ASKED(LARVAL), {"DELSA", -ENOMEM}, {"."},
				       UNREAD, UNREAD, UNREAD, UNREAD, UNREAD, WITNESS_AWAY),
			.outcome = {MOVE_RESULT_GONE, -ESRCH, .sequence = 100},
		},
		{
			.name = "without a notification, outbound",
			.move = INTO_NIC(OUT),
			.turns = TURNS(GUARDED, {"ALLOCSPI witness", -ENOENT}, {"DELSA"},
				       {"ALLOCSPI larval"}, {"."},
				       {"GETSA", 0, {LARVAL}, .stored = "#100 7"},
				       {"UPDSA NIC out #1048676"}, {"."}, ASKED(SA, NIC, 1048676),
				       UNGUARDED),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 1048676},
		},
		{
			.name = "without a notification, inbound",
			.move = INTO_NIC(IN),
			.turns = TURNS(READ(), {"ALLOCSPI witness", -ENOENT}, {"DELSA"},
				       {"ALLOCSPI larval"}, {"."}, UPDATED("UPDSA NIC in #100"),
				       GONE, WITNESS_AWAY),
			.outcome = {MOVE_RESULT_GONE, .sequence = 100},
		},
		{
			.name = "a notification that is too large",
			.move = INTO_NIC(OUT),
			.turns = TURNS(GUARDED, REMOVED(NIC, 120, .fault = TOO_LARGE),
				       UPDATED("UPDSA NIC out #1048676"), GONE, WITNESS_AWAY,
				       GUARD_AWAY, GONE),
			.outcome = {MOVE_RESULT_GONE, .sequence = 100},
		},
		{
			.name = "a packet's larval SA comes first",
			.move = INTO_NIC(OUT),
			.turns = TURNS(GUARDED, REMOVED_BUT(-ENOENT, .sequence = 120),
				       ASKED(ACQUIRED), UPDATED("UPDSA NIC out #120"),
				       ASKED(SA, NIC, 120), LEFTOVER, WITNESS_AWAY, {"wait"},
				       {"DELSA guard"}, {"DELSA guard"}, {"."}, ASKED(SA)),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 120},
		},
		{
			.name = "no memory for the larval SA",
			.move = INTO_NIC(IN),
			.turns = TURNS(READ(), REMOVED_BUT(-ENOMEM, .sequence = 120),
				       {"NEWSA NIC in #120"}, {"."}, ASKED(SA, NIC, 120), LEFTOVER,
				       WITNESS_AWAY, GUARD_AWAY),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 120},
		},
	};

	(void)state;
	HOLD(talks);
}

/* ---- 3. install ---- */

#define REMOVED_IN READ(), REMOVED(.sequence = 120)
#define REMOVED_OUT GUARDED, REMOVED(.sequence = 120)
#define NO_LARVAL READ(), REMOVED_BUT(-ENOMEM, .sequence = 120)
#define TIDY_WITHOUT_LARVAL LEFTOVER, WITNESS_AWAY, GUARD_AWAY

static void test_installation(void **state)
{
	const struct talk talks[] = {
		{
			.name = "the driver refuses",
			.move = INTO_NIC(IN),
			.turns = TURNS(
				REMOVED_IN,
				UPDATED("UPDSA NIC in #120", -EINVAL, .text = "not this one"),
				UPDATED("UPDSA software #120"), ASKED(SA, 0, 120), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_REFUSED, -EINVAL, "not this one", .sequence = 120},
		},
		{
			.name = "refused, and deleted",
			.move = INTO_NIC_KEPT(IN),
			.turns = TURNS(REMOVED_IN, UPDATED("UPDSA NIC in #120", -EINVAL),
				       UPDATED("UPDSA software #120", -ESRCH), GONE, WITNESS_AWAY),
			.outcome = {MOVE_RESULT_GONE, -EINVAL, .sequence = 120},
		},
		{
			.name = "accepted, and lost with the NIC",
			.move = INTO_NIC_KEPT(IN),
			.turns =
				TURNS(REMOVED_IN, UPDATED("UPDSA NIC in #120"), GONE, WITNESS_AWAY),
			.outcome = {MOVE_RESULT_GONE, .sequence = 120, .image = 120},
		},
		{
			.name = "no answer, and lost with the NIC",
			.move = INTO_NIC_KEPT(IN),
			.turns = TURNS(REMOVED_IN, {"GETSA", -ETIMEDOUT},
				       {"UPDSA NIC in #120", -ETIMEDOUT}, {".", -EIO}, GONE,
				       WITNESS_AWAY),
			.outcome = {MOVE_RESULT_GONE, -EIO, .sequence = 120, .image = 120},
		},
		{
			.name = "no answer, and the SA exists",
			.move = INTO_NIC(IN),
			.turns = TURNS(REMOVED_IN, {"GETSA", 0, {LARVAL}},
				       {"UPDSA NIC in #120", -ETIMEDOUT}, {".", -EIO},
				       ASKED(SA, NIC, 121), ASKED(SA, NIC, 122), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 122},
		},
		{
			.name = "no answer, and the SA does not exist",
			.move = INTO_NIC(OUT),
			.turns = TURNS(REMOVED_OUT, {"GETSA", 0, {LARVAL}},
				       {"UPDSA NIC out #120", -ETIMEDOUT}, {".", -EIO},
				       ASKED(LARVAL), UPDATED("UPDSA software #120"),
				       ASKED(SA, 0, 120), UNGUARDED),
			.outcome = {MOVE_RESULT_REFUSED, -EIO, .sequence = 120},
		},
		{
			.name = "no answer, lost with the NIC, and a packet's larval SA",
			.move = INTO_NIC(OUT),
			.turns = TURNS(REMOVED_OUT, {"GETSA", 0, {LARVAL}},
				       {"UPDSA NIC out #120", -ETIMEDOUT}, {".", -EIO},
				       ASKED(ACQUIRED), UPDATED("UPDSA software #1048696"),
				       ASKED(SA, 0, 1048696), UNGUARDED),
			.outcome = {MOVE_RESULT_REFUSED, -EIO, .sequence = 1048696},
		},
		{
			.name = "no answer, lost with the NIC, and a packet's larval SA, inbound",
			.move = INTO_NIC(IN),
			.turns = TURNS(REMOVED_IN, {"GETSA", 0, {LARVAL}},
				       {"UPDSA NIC in #120", -ETIMEDOUT}, {".", -EIO},
				       ASKED(ACQUIRED), UPDATED("UPDSA software #120"),
				       ASKED(SA, 0, 120), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_REFUSED, -EIO, .sequence = 120},
		},
		{
			.name = "answered, with an error after that",
			.move = INTO_NIC(IN),
			.turns = TURNS(REMOVED_IN, {"GETSA", 0, {LARVAL}}, {"UPDSA NIC in #120"},
				       {".", -EIO}, ASKED(SA, 0, 121), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_SILENT, .sequence = 121},
		},
		{
			.name = "the larval SA is absent twice",
			.move = INTO_NIC(OUT),
			.turns = TURNS(REMOVED_OUT, {"GETSA", -ESRCH},
				       {"UPDSA NIC out #120", -ESRCH}, {"."}, ASKED(ACQUIRED),
				       {"dump", 0, {LARVAL}}, {"GETSA", -ESRCH},
				       {"UPDSA NIC out #120", -ESRCH}, {"."}, ASKED(ACQUIRED),
				       {"dump", 0, {LARVAL}}, UPDATED("UPDSA software #120"),
				       ASKED(SA, 0, 120), UNGUARDED),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 120},
		},
		{
			.name = "the IKE daemon deleted it",
			.move = INTO_NIC_KEPT(OUT),
			.turns = TURNS(REMOVED_OUT, {"GETSA", -ESRCH},
				       {"UPDSA NIC out #120", -ESRCH}, {"."}, GONE, WITNESS_AWAY,
				       GUARD_AWAY, GONE),
			.outcome = {MOVE_RESULT_GONE, .sequence = 120},
		},
		{
			.name = "the IKE daemon deleted it, and a packet came between",
			.move = INTO_NIC(OUT),
			.turns = TURNS(REMOVED_OUT, {"GETSA", -ESRCH}, {"UPDSA NIC out #120"},
				       {"."}, {"DELSA"}, {"."}, UNGUARDED),
			.outcome = {MOVE_RESULT_GONE, .sequence = 120},
		},
		{
			.name = "refused, the IKE daemon deleted it, and a packet came between",
			.move = INTO_NIC(IN),
			.turns = TURNS(REMOVED_IN, UPDATED("UPDSA NIC in #120", -EINVAL),
				       {"GETSA", -ESRCH}, {"UPDSA software #120"}, {"."}, {"DELSA"},
				       {"."}, WITNESS_AWAY),
			.outcome = {MOVE_RESULT_GONE, -EINVAL, .sequence = 120},
		},
		{
			.name = "refused with the answer of a request that was not answered",
			.move = INTO_NIC(IN),
			.turns = TURNS(REMOVED_IN,
				       UPDATED("UPDSA NIC in #120", -ETIMEDOUT, .text = "firmware"),
				       UPDATED("UPDSA software #120"), ASKED(SA, 0, 120),
				       WITNESS_AWAY),
			.outcome = {MOVE_RESULT_REFUSED, -ETIMEDOUT, "firmware", .sequence = 120},
		},
		{
			.name = "evicted without an answer, and a packet inserted a larval SA",
			.move = OUT_OF_NIC(OUT),
			.turns = TURNS(READ(NIC), {"ALLOCSPI guard", 0, {GUARD}}, {"."}, {"wait"},
				       READ(NIC), REMOVED(NIC, 120), {"GETSA", 0, {LARVAL}},
				       {"UPDSA software #120", -ETIMEDOUT}, {".", -EIO},
				       ASKED(ACQUIRED), UPDATED("UPDSA software #120"),
				       ASKED(SA, 0, 120), UNGUARDED),
			.outcome = {MOVE_RESULT_DONE, .sequence = 120},
		},
		{
			.name = "acknowledged, absent, and then a packet's larval SA",
			.move = INTO_NIC(IN),
			.turns = TURNS(REMOVED_IN, UPDATED("UPDSA NIC in #120"), ASKED(LARVAL),
				       ASKED(ACQUIRED), UPDATED("UPDSA NIC in #120"),
				       ASKED(SA, NIC, 121), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 121},
		},
		{
			.name = "not seen before, and it exists",
			.move = INTO_NIC(IN),
			.turns = TURNS(REMOVED_IN, {"GETSA", -ENOMEM}, {"UPDSA NIC in #120"}, {"."},
				       ASKED(SA, NIC, 121), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 121},
		},
		{
			.name = "the IKE daemon deleted it, and a packet's larval SA exists",
			.move = INTO_NIC(OUT),
			.turns =
				TURNS(REMOVED_OUT, {"GETSA", 0, {ACQUIRED}}, {"UPDSA NIC out #120"},
				      {"."}, {"dump", 0, {ACQUIRED}}, {"DELSA"}, {"."}, UNGUARDED),
			.outcome = {MOVE_RESULT_GONE, .sequence = 120},
		},
		{
			.name = "a packet's larval SA before ours",
			.move = INTO_NIC(OUT),
			.turns =
				TURNS(REMOVED_OUT, {"GETSA", 0, {ACQUIRED}}, {"UPDSA NIC out #120"},
				      {"."}, {"dump", 0, {LARVAL}}, ASKED(SA, NIC, 121), UNGUARDED),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 121},
		},
		{
			.name = "a packet's larval SA, and it is unknown whether ours exists",
			.move = INTO_NIC(OUT),
			.turns =
				TURNS(REMOVED_OUT, {"GETSA", 0, {ACQUIRED}}, {"UPDSA NIC out #120"},
				      {"."}, {"dump", -EIO}, ASKED(SA, NIC, 121), UNGUARDED),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 121},
		},
		{
			.name = "a packet's larval SA exists, which is noticed later",
			.move = INTO_NIC(OUT),
			.turns = TURNS(REMOVED_OUT, {"GETSA", -ESRCH},
				       {"UPDSA NIC out #120", -ESRCH}, {"."}, ASKED(ACQUIRED),
				       {"dump", 0, {ACQUIRED}}, UNGUARDED),
			.outcome = {MOVE_RESULT_GONE, .sequence = 120},
		},
		{
			.name = "a larval SA exists, although none was left",
			.move = INTO_NIC(IN),
			.turns = TURNS(NO_LARVAL, {"NEWSA NIC in #120", -EEXIST}, {"."},
				       ASKED(ACQUIRED), UPDATED("UPDSA NIC in #120"),
				       ASKED(SA, NIC, 120), TIDY_WITHOUT_LARVAL),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 120},
		},
		{
			.name = "an SA exists, although no larval one was left",
			.move = INTO_NIC(IN),
			.turns = TURNS(NO_LARVAL, {"NEWSA NIC in #120", -EEXIST}, {"."},
				       ASKED(SA, 0, 5, .later = 1), ASKED(SA, 0, 130, .later = 1),
				       TIDY_WITHOUT_LARVAL),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 130},
		},
		{
			.name = "refused with the answer of a larval SA that is gone",
			.move = INTO_NIC(IN),
			.turns = TURNS(NO_LARVAL, {"NEWSA NIC in #120", -ESRCH, .text = "odd"},
				       {"."}, {"NEWSA software #120"}, {"."}, ASKED(SA, 0, 120),
				       TIDY_WITHOUT_LARVAL),
			.outcome = {MOVE_RESULT_REFUSED, -ESRCH, "odd", .sequence = 120},
		},
		{
			.name = "refused with the answer of an existing SA",
			.move = INTO_NIC(IN),
			.turns = TURNS(
				REMOVED_IN, UPDATED("UPDSA NIC in #120", -EEXIST, .text = "odd"),
				UPDATED("UPDSA software #120"), ASKED(SA, 0, 120), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_REFUSED, -EEXIST, "odd", .sequence = 120},
		},
		{
			.name = "owed back, without a larval SA",
			.move = INTO_NIC(IN),
			.turns = TURNS(NO_LARVAL, {"NEWSA NIC in #120", -ETIMEDOUT}, {".", -EIO},
				       GONE, {"NEWSA software #120"}, {"."}, ASKED(SA, 0, 120),
				       TIDY_WITHOUT_LARVAL),
			.outcome = {MOVE_RESULT_REFUSED, -EIO, .sequence = 120},
		},
	};

	(void)state;
	HOLD(talks);
}

/* The IKE daemon has deleted the larval SA, and installed its own SA in that place. */
static void test_an_sa_in_its_place(void **state)
{
	const struct talk talks[] = {
		{
			.name = "corrected",
			.move = INTO_NIC_KEPT(OUT),
			.turns = TURNS(REMOVED_OUT, {"GETSA", 0, {SA, 0, 5, .later = 1}},
				       {"UPDSA NIC out #120"}, {"."}, {"GETSA"},
				       {"UPDSA software #1048581 threshold 0"}, {"."},
				       ASKED(SA, 0, 6, .later = 1), {"NEWAE #1048696"}, {"."},
				       UNGUARDED),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 6},
		},
		{
			.name = "corrected at the third attempt",
			.move = INTO_NIC(IN),
			.turns = TURNS(REMOVED_IN, {"GETSA", 0, {SA, 0, 5, .later = 1}},
				       {"UPDSA NIC in #120"}, {"."}, {"GETSA"},
				       {"UPDSA software #5 threshold 0", -ENOMEM}, {"."}, {"GETSA"},
				       {"UPDSA software #5 threshold 0"}, {".", -EIO}, {"GETSA"},
				       {"UPDSA software #5 threshold 0"}, {"."},
				       ASKED(SA, 0, 130, .later = 1), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 130},
		},
		{
			.name = "not corrected by three attempts",
			.move = INTO_NIC(IN),
			.turns = TURNS(REMOVED_IN, {"GETSA", 0, {SA, 0, 5, .later = 1}},
				       {"UPDSA NIC in #120"}, {"."}, {"GETSA"},
				       {"UPDSA software #5 threshold 0", -ENOMEM}, {"."}, {"GETSA"},
				       {"UPDSA software #5 threshold 0", -ENOMEM}, {"."}, {"GETSA"},
				       {"UPDSA software #5 threshold 0", -ENOMEM}, {"."},
				       ASKED(SA, 0, 130, .later = 1), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 130},
		},
		{
			.name = "not changed",
			.move = INTO_NIC(IN),
			.turns = TURNS(REMOVED_IN, {"GETSA", 0, {SA, 0, 130, .later = 1}},
				       {"UPDSA NIC in #120", -EINVAL}, {"."},
				       ASKED(SA, 0, 130, .later = 1), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 130},
		},
		{
			.name = "too large to correct it",
			.move = INTO_NIC(IN),
			.turns = TURNS(REMOVED_IN,
				       {"GETSA", 0, {SA, 0, 130, .later = 1, .fault = TOO_LARGE}},
				       {"UPDSA NIC in #120"}, {"."}, ASKED(SA, 0, 130, .later = 1),
				       WITNESS_AWAY),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 130},
		},
		{
			.name = "and deleted after that",
			.move = INTO_NIC_KEPT(IN),
			.turns =
				TURNS(REMOVED_IN, {"GETSA", 0, {SA, 0, 5, .later = 1}},
				      {"UPDSA NIC in #120"}, {"."}, {"GETSA"},
				      {"UPDSA software #5 threshold 0"}, {"."}, GONE, WITNESS_AWAY),
			.outcome = {MOVE_RESULT_GONE, .sequence = 120},
		},
		{
			.name = "deleted, and a packet's larval SA in its place when it is put "
				"right",
			.move = INTO_NIC(OUT),
			.turns = TURNS(REMOVED_OUT, {"GETSA", 0, {SA, 0, 5, .later = 1}},
				       {"UPDSA NIC out #120"}, {"."}, {"GETSA", 0, {ACQUIRED}},
				       {"UPDSA software #1048581 threshold 0", -ENOMEM}, {"."},
				       {"GETSA"}, {"UPDSA software #1048581 threshold 0"}, {"."},
				       {"DELSA"}, {"."}, GONE, UNGUARDED),
			.outcome = {MOVE_RESULT_GONE, .sequence = 120},
		},
		{
			.name = "exists when it is corrected",
			.move = INTO_NIC(IN),
			.turns = TURNS(REMOVED_IN, {"GETSA", 0, {SA, 0, 5, .later = 1}},
				       {"UPDSA NIC in #120"}, {"."}, {"GETSA", 0, {SA, .later = 1}},
				       {"UPDSA software #5 threshold 0"}, {"."},
				       ASKED(SA, 0, 130, .later = 1), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 130},
		},
		{
			.name = "when it is moved to software",
			.move = INTO_NIC(IN),
			.turns = TURNS(REMOVED_IN, UPDATED("UPDSA NIC in #120", -EINVAL),
				       {"GETSA", 0, {SA, 0, 130, .later = 1}},
				       {"UPDSA software #120", -ENOMEM}, {"."},
				       ASKED(SA, 0, 131, .later = 1), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_REFUSED, -EINVAL, .sequence = 131},
		},
	};

	(void)state;
	HOLD(talks);
}

/* ---- 4. verify ---- */

/* clang-format off */
#define PROMOTED_IN REMOVED_IN, UPDATED("UPDSA NIC in #120")
#define PROMOTED_OUT REMOVED_OUT, UPDATED("UPDSA NIC out #120")
#define REFUSED_IN REMOVED_IN, UPDATED("UPDSA NIC in #120", -EINVAL, .text = "not so")
#define UNANSWERED {"GETSA", -ENOMEM}, {"."}, {"GETSA", 0, {SA, NIC, 999}}, {".", -EIO}
/* clang-format on */

static void test_verification(void **state)
{
	const struct talk talks[] = {
		{
			.name = "cannot be read",
			.move = INTO_NIC_KEPT(IN),
			.turns = TURNS(PROMOTED_IN, {"GETSA", -ENOMEM}, {"."}, {"GETSA", -ENOMEM},
				       {"."}, {"GETSA", -ETIMEDOUT}, {".", -EIO},
				       {"GETSA", -ENOMEM}, {"."}, WITNESS_AWAY),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 120,
				    .image = 120},
		},
		{
			.name = "refused, and cannot be read",
			.move = INTO_NIC(IN),
			.turns = TURNS(REFUSED_IN, UPDATED("UPDSA software #120"), UNANSWERED,
				       UNANSWERED, WITNESS_AWAY),
			.outcome = {MOVE_RESULT_REFUSED, -EINVAL, "not so", .sequence = 120},
		},
		{
			.name = "read at the fourth attempt",
			.move = INTO_NIC(IN),
			.turns = TURNS(PROMOTED_IN, UNANSWERED, {"GETSA", -ENOMEM}, {"."},
				       ASKED(SA, NIC, 121), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 121},
		},
		{
			.name = "elsewhere",
			.move = INTO_NIC_KEPT(IN),
			.turns = TURNS(PROMOTED_IN, ASKED(SA, OTHER_NIC, 121), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_ELSEWHERE, .ifindex = OTHER_NIC, .sequence = 121},
		},
		{
			.name = "evicted, and still in the NIC",
			.move = OUT_OF_NIC(IN),
			.turns = TURNS(READ(NIC), REMOVED(NIC, 120), UPDATED("UPDSA software #120"),
				       ASKED(SA, NIC, 121), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_ELSEWHERE, .ifindex = NIC, .sequence = 121},
		},
		{
			.name = "left in software",
			.move = INTO_NIC_KEPT(IN),
			.turns = TURNS(PROMOTED_IN, ASKED(SA, 0, 121, .packets = 1), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_SILENT, .sequence = 121},
		},
		{
			.name = "installed again later",
			.move = INTO_NIC(IN),
			.turns = TURNS(PROMOTED_IN, ASKED(SA, 0, 121, .later = 1), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 121},
		},
		{
			.name = "installed again in the same second",
			.move = INTO_NIC(IN),
			.turns = TURNS(PROMOTED_IN, ASKED(SA, 0, 121, .packets = -1), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 121},
		},
		{
			.name = "installed again with older numbers",
			.move = INTO_NIC(OUT),
			.turns = TURNS(PROMOTED_OUT, ASKED(SA, NIC, 119), {"NEWAE #1048696"}, {"."},
				       UNGUARDED),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 119},
		},
		{
			.name = "installed again with much older numbers, and its image is kept",
			.move = INTO_NIC_KEPT(OUT),
			.turns = TURNS(GUARDED, REMOVED(.sequence = 2000000),
				       UPDATED("UPDSA NIC out #2000000"), ASKED(SA, NIC, 1),
				       {"NEWAE #3048576"}, {"."}, UNGUARDED),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 1,
				    .image = 3048576},
		},
		{
			.name = "evicted, and installed again with older numbers",
			.move = {.target.direction = SA_DIRECTION_IN,
				 .expected_ifindex = NIC,
				 .keep_image = true},
			.turns = TURNS(READ(NIC), REMOVED(NIC, 120), UPDATED("UPDSA software #120"),
				       ASKED(SA, 0, 119), {"NEWAE #120"}, {"."}, WITNESS_AWAY),
			.outcome = {MOVE_RESULT_DONE, .sequence = 119},
		},
		{
			.name = "installed again with older numbers, which cannot be corrected",
			.move = INTO_NIC(OUT),
			.turns = TURNS(PROMOTED_OUT, ASKED(SA, 0, 1, .later = 1),
				       {"NEWAE #1048696", -ENOMEM}, {"."}, {"NEWAE #2097272"},
				       {".", -EIO}, {"NEWAE #3145848", -ENOMEM}, {"."},
				       {"NEWAE #4194424", -ENOMEM}, {"."}, UNGUARDED),
			.outcome = {MOVE_RESULT_FAILED, .sequence = 1},
		},
	};

	(void)state;
	HOLD(talks);
}

static void test_probe(void **state)
{
	const struct talk talks[] = {
		{
			.name = "lost",
			.move = INTO_NIC(IN),
			.turns = TURNS(REFUSED_IN, UPDATED("UPDSA software #120", -ENOMEM),
				       ASKED(LARVAL), UPDATED("UPDSA software #120", -ENOMEM),
				       ASKED(LARVAL), UPDATED("UPDSA software #120", -ENOMEM),
				       ASKED(LARVAL), UPDATED("UPDSA software #120", -ENOMEM),
				       ASKED(LARVAL)),
			.outcome = {MOVE_RESULT_LOST, -EINVAL, "not so", .sequence = 120,
				    .image = 120, .stored = "exact #120 7"},
		},
		{
			.name = "lost without an answer",
			.move = INTO_NIC(IN),
			.turns = TURNS(REMOVED_IN, UPDATED("UPDSA NIC in #120", -ESRCH), UNANSWERED,
				       UNANSWERED),
			.outcome = {MOVE_RESULT_LOST, .sequence = 120, .image = 120,
				    .stored = "exact #120 7"},
		},
		{
			.name = "answered at the third attempt",
			.move = INTO_NIC(IN),
			.turns = TURNS(REMOVED_IN, UPDATED("UPDSA NIC in #120", -ESRCH), UNANSWERED,
				       ASKED(LARVAL), UPDATED("UPDSA NIC in #120"),
				       ASKED(SA, NIC, 120), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 120},
		},
		{
			.name = "in software, as the read-back shows",
			.move = INTO_NIC(IN),
			.turns = TURNS(REFUSED_IN, {"GETSA", 0, {LARVAL}}, {"UPDSA software #120"},
				       {".", -EIO}, ASKED(SA, 0, 120), ASKED(SA, 0, 121),
				       WITNESS_AWAY),
			.outcome = {MOVE_RESULT_REFUSED, -EINVAL, "not so", .sequence = 121},
		},
		{
			.name = "installed again while it was unknown whether it was deleted",
			.move = INTO_NIC(OUT),
			.turns =
				TURNS(GUARDED, {"ALLOCSPI witness", -ENOENT}, {"DELSA", -ETIMEDOUT},
				      {"ALLOCSPI larval", -ETIMEDOUT}, {".", -EIO},
				      ASKED(SA, 0, 5, .later = 1), ASKED(SA, 0, 6, .later = 1),
				      {"NEWAE #2097252"}, {"."}, LEFTOVER, TWO_AWAY),
			.outcome = {MOVE_RESULT_REFUSED, -EIO, .sequence = 6},
		},
	};

	(void)state;
	HOLD(talks);
}

/* ---- a packet's larval SA in its place ---- */

/* clang-format off */
/* A dump shows the SA behind the larval one; the larval one is deleted. */
#define HIDDEN(ifindex) {"dump", 0, {SA, ifindex, 125}}
#define UNMASKED(ifindex) HIDDEN(ifindex), {"ALLOCSPI witness", -ENOENT}, {"DELSA", 0, {ACQUIRED}}, \
		{"ALLOCSPI larval", -ENOENT}, {"."}
/* clang-format on */

static void test_masked(void **state)
{
	const struct move anew = {
		.target = {NIC, SA_DIRECTION_OUT}, .expected_ifindex = NIC, .anew = true};
	const struct talk talks[] = {
		{
			.name = "when it is read",
			.move = INTO_NIC(OUT),
			.turns = TURNS({"GETSA", 0, {ACQUIRED}}, {"GETAE", 0, {THRESHOLDS}}, {"."}),
			.outcome = {MOVE_RESULT_HANDS_OFF, .hands_off = HANDS_OFF_LARVAL},
		},
		{
			.name = "an inbound one",
			.move = INTO_NIC_KEPT(IN),
			.turns = TURNS(PROMOTED_IN, ASKED(ACQUIRED), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_GONE, .sequence = 120, .image = 120},
		},
		{
			.name = "deleted",
			.move = INTO_NIC_KEPT(OUT),
			.turns = TURNS(PROMOTED_OUT, ASKED(ACQUIRED), {"wait"}, UNMASKED(NIC),
				       ASKED(SA, NIC, 126), LEFTOVER, TWO_AWAY),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 126,
				    .image = 126},
		},
		{
			.name = "deleted, after the kernel moved the SA",
			.move = INTO_NIC(OUT),
			.migrate_state = -ESRCH,
			.turns = TURNS(GUARDED, {"MIGRATE_STATE NIC out"}, {"."}, ASKED(ACQUIRED),
				       {"wait"}, UNMASKED(NIC), ASKED(SA, NIC, 126), LEFTOVER,
				       TWO_AWAY),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 126},
		},
		{
			.name = "four of them",
			.move = INTO_NIC(OUT),
			.turns =
				TURNS(PROMOTED_OUT, ASKED(ACQUIRED), {"wait"}, UNMASKED(NIC),
				      ASKED(ACQUIRED), {"wait"}, UNMASKED(NIC), ASKED(ACQUIRED),
				      {"wait"}, UNMASKED(NIC), ASKED(ACQUIRED), LEFTOVER, TWO_AWAY),
			.outcome = {MOVE_RESULT_GONE, .sequence = 120},
		},
		{
			.name = "gone by itself, so the deletion hits the SA",
			.move = INTO_NIC(OUT),
			.turns = TURNS(PROMOTED_OUT, ASKED(ACQUIRED), {"wait"}, HIDDEN(NIC),
				       {"ALLOCSPI witness", -ENOENT, .stored = "#125 7"},
				       {"DELSA", 0, {SA, NIC, 130}}, {"ALLOCSPI larval"}, {"."},
				       {"GETSA", 0, {LARVAL}, .stored = "exact #130 7"},
				       {"UPDSA NIC out #130"}, {"."}, ASKED(SA, NIC, 129),
				       {"NEWAE #1048706"}, {"."}, UNGUARDED),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 129},
		},
		{
			.name = "the deletion hits the SA, whose image is too large",
			.move = INTO_NIC(OUT),
			.turns =
				TURNS(PROMOTED_OUT, ASKED(ACQUIRED), {"wait"}, HIDDEN(NIC),
				      {"ALLOCSPI witness", -ENOENT},
				      {"DELSA", 0, {SA, NIC, 130, .fault = TOO_LARGE}},
				      {"ALLOCSPI larval"}, {"."}, UPDATED("UPDSA NIC out #1048701"),
				      ASKED(SA, NIC, 1048701), UNGUARDED),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 1048701},
		},
		{
			.name = "the deletion hits the SA, which is in software",
			.move = INTO_NIC(OUT),
			.turns = TURNS(PROMOTED_OUT, ASKED(ACQUIRED), {"wait"}, HIDDEN(0),
				       {"ALLOCSPI witness", -ENOENT}, {"DELSA", 0, {SA, 0, 130}},
				       {"ALLOCSPI larval"}, {"."}, UPDATED("UPDSA software #130"),
				       ASKED(SA, 0, 130), UNGUARDED),
			.outcome = {MOVE_RESULT_SILENT, .sequence = 130},
		},
		{
			.name = "the deletion hits the SA, and another packet's larval SA comes "
				"first",
			.move = INTO_NIC(OUT),
			.turns = TURNS(PROMOTED_OUT, ASKED(ACQUIRED), {"wait"}, HIDDEN(NIC),
				       {"ALLOCSPI witness", -ENOENT}, {"DELSA", 0, {SA, NIC, 130}},
				       {"ALLOCSPI larval", -ENOENT}, {"."}, ASKED(ACQUIRED),
				       UPDATED("UPDSA NIC out #1048706"), ASKED(SA, NIC, 1048706),
				       LEFTOVER, TWO_AWAY),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 1048706},
		},
		{
			.name = "the SA is gone, and its SPI is free",
			.move = INTO_NIC(OUT),
			.turns = TURNS(PROMOTED_OUT, ASKED(ACQUIRED), {"wait"}, HIDDEN(NIC),
				       {"ALLOCSPI witness", -ENOENT}, {"DELSA", 0, {ACQUIRED}},
				       {"ALLOCSPI larval"}, {"."}, ASKED(LARVAL), {"DELSA"}, {"."},
				       GONE, UNGUARDED),
			.outcome = {MOVE_RESULT_GONE, .sequence = 120},
		},
		{
			.name = "there is no SA",
			.move = INTO_NIC(OUT),
			.turns = TURNS(PROMOTED_OUT, ASKED(ACQUIRED), {"wait"},
				       {"dump", 0, {ACQUIRED}}, UNGUARDED),
			.outcome = {MOVE_RESULT_GONE, .sequence = 120},
		},
		{
			.name = "not all SAs are shown",
			.move = INTO_NIC(OUT),
			.turns = TURNS(PROMOTED_OUT, ASKED(ACQUIRED), {"wait"},
				       {"dump", -EIO, {SA, NIC, 125}}, UNGUARDED),
			.outcome = {MOVE_RESULT_GONE, .sequence = 120},
		},
		{
			.name = "the SA is too large",
			.move = INTO_NIC(OUT),
			.turns = TURNS(PROMOTED_OUT, ASKED(ACQUIRED), {"wait"},
				       {"dump", 0, {SA, NIC, 125, .fault = TOO_LARGE}}, UNGUARDED),
			.outcome = {MOVE_RESULT_GONE, .sequence = 120},
		},
		{
			.name = "the SA cannot be made again",
			.move = INTO_NIC(OUT),
			.turns = TURNS(PROMOTED_OUT, ASKED(ACQUIRED), {"wait"},
				       {"dump", 0, {SA, .fault = UNKNOWN}}, UNGUARDED),
			.outcome = {MOVE_RESULT_GONE, .sequence = 120},
		},
		{
			.name = "before the SA that is to be installed again in its place",
			.move = anew,
			.turns = TURNS({"GETSA", 0, {ACQUIRED}}, {"GETAE", 0, {THRESHOLDS}}, {"."},
				       UNMASKED(NIC), ASKED(SA, NIC, 126), LEFTOVER, WITNESS_AWAY,
				       GUARD_AWAY),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .unread = true,
				    .sequence = 126},
		},
		{
			.name = "gone by itself, and the SA is made again unanswered",
			.move = anew,
			.turns = TURNS({"GETSA", 0, {ACQUIRED}}, {"GETAE", 0, {THRESHOLDS}}, {"."},
				       HIDDEN(NIC), {"ALLOCSPI witness", -ENOENT},
				       {"DELSA", 0, {SA, NIC, 130}}, {"ALLOCSPI larval"}, {"."},
				       {"GETSA", 0, {LARVAL}},
				       {"UPDSA NIC out #130 threshold 0", -ETIMEDOUT}, {".", -EIO},
				       ASKED(SA, NIC, 130), ASKED(SA, NIC, 131), WITNESS_AWAY),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .unread = true,
				    .sequence = 131},
		},
		{
			.name = "another one before the SA that was installed again in its place",
			.move = anew,
			.turns = TURNS(READ(NIC), {"ALLOCSPI guard", 0, {GUARD}}, {"."}, {"wait"},
				       READ(NIC), REMOVED(NIC, 120), UPDATED("UPDSA NIC out #120"),
				       ASKED(ACQUIRED), {"wait"}, UNMASKED(NIC),
				       ASKED(SA, NIC, 126), LEFTOVER, TWO_AWAY),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 126},
		},
		{
			.name = "behind the SA, which is installed again in its place",
			.move = anew,
			.migrate_state = -ESRCH,
			.turns = TURNS(READ(NIC), {"ALLOCSPI guard", 0, {GUARD}}, {"."}, {"wait"},
				       READ(NIC), REMOVED(NIC, 120), UPDATED("UPDSA NIC out #120"),
				       ASKED(SA, NIC, 121), UNGUARDED),
			.outcome = {MOVE_RESULT_DONE, .ifindex = NIC, .sequence = 121},
		},
	};

	(void)state;
	HOLD(talks);
}

/* ---- an SA that is owed ---- */

static void test_restoration(void **state)
{
	const struct talk talks[] = {
		{
			.name = "inbound, at the last attempt",
			.move = {.target = {NIC, SA_DIRECTION_IN},
				 .attempts = 3,
				 .larval = true,
				 .exact = true},
			.restored = 120,
			.turns = TURNS(UNANSWERED, ASKED(LARVAL), UPDATED("UPDSA software #120"),
				       ASKED(SA, 0, 120)),
			.outcome = {MOVE_RESULT_FAILED, .unread = true, .sequence = 120},
		},
		{
			.name = "outbound",
			.move = {.target.direction = SA_DIRECTION_OUT,
				 .larval = true,
				 .exact = true},
			.restored = 120,
			.turns = TURNS({"ALLOCSPI guard", 0, {GUARD}}, {"."}, ASKED(LARVAL),
				       UPDATED("UPDSA software #120"), ASKED(SA, 0, 120),
				       GUARD_AWAY, ASKED(SA)),
			.outcome = {MOVE_RESULT_DONE, .unread = true, .sequence = 120},
		},
		{
			.name = "outbound, without a guard",
			.move = {.target.direction = SA_DIRECTION_OUT, .larval = true},
			.restored = 120,
			.turns = TURNS({"ALLOCSPI guard", -ENOMEM}, {"."}, ASKED(LARVAL),
				       UPDATED("UPDSA software #1048696"), ASKED(SA, 0, 1048696)),
			.outcome = {MOVE_RESULT_DONE, .unread = true, .sequence = 1048696},
		},
		{
			.name = "interrupted, and a packet's larval SA in its place",
			.move = {.target.direction = SA_DIRECTION_OUT,
				 .larval = true,
				 .exact = true,
				 .interrupted = true,
				 .offered = true},
			.restored = 120,
			.turns = TURNS({"ALLOCSPI guard", 0, {GUARD}}, {"."}, ASKED(ACQUIRED),
				       {"dump"}, UPDATED("UPDSA software #268435576", -ESRCH),
				       ASKED(LARVAL), UPDATED("UPDSA software #268435576"),
				       ASKED(SA, 0, 268435576), LEFTOVER, GUARDS_AWAY),
			.outcome = {MOVE_RESULT_DONE, .unread = true, .sequence = 268435576},
		},
		{
			.name = "interrupted, and two of them",
			.move = {.target.direction = SA_DIRECTION_OUT,
				 .larval = true,
				 .interrupted = true},
			.restored = 120,
			.turns = TURNS({"ALLOCSPI guard", 0, {GUARD}}, {"."}, ASKED(ACQUIRED),
				       {"dump"}, UPDATED("UPDSA software #269484152", -ESRCH),
				       ASKED(ACQUIRED), UPDATED("UPDSA software #269484152"),
				       ASKED(SA, 0, 269484152), LEFTOVER, GUARDS_AWAY),
			.outcome = {MOVE_RESULT_DONE, .unread = true, .sequence = 269484152},
		},
		{
			.name = "interrupted, and its own larval SA in its place",
			.move = {.target.direction = SA_DIRECTION_OUT,
				 .larval = true,
				 .exact = true,
				 .interrupted = true},
			.restored = 120,
			.turns = TURNS({"ALLOCSPI guard", 0, {GUARD}}, {"."}, ASKED(LARVAL),
				       UPDATED("UPDSA software #120", -ESRCH), ASKED(ACQUIRED),
				       {"dump"}, UPDATED("UPDSA software #268435576"),
				       ASKED(SA, 0, 268435576), LEFTOVER, GUARDS_AWAY),
			.outcome = {MOVE_RESULT_DONE, .unread = true, .sequence = 268435576},
		},
		{
			.name = "interrupted, and a packet's larval SA before it",
			.move = {.target.direction = SA_DIRECTION_OUT,
				 .larval = true,
				 .interrupted = true},
			.restored = 120,
			.turns = TURNS({"ALLOCSPI guard", 0, {GUARD}}, {"."}, ASKED(ACQUIRED),
				       {"dump", 0, {SA, 0, 130}}, {"wait"}, UNMASKED(0),
				       ASKED(SA, 0, 131), LEFTOVER, TWO_AWAY),
			.outcome = {MOVE_RESULT_DONE, .unread = true, .sequence = 131},
		},
		{
			.name = "interrupted, and a packet's larval SA before it and after it",
			.move = {.target.direction = SA_DIRECTION_OUT,
				 .larval = true,
				 .interrupted = true},
			.restored = 120,
			.turns = TURNS({"ALLOCSPI guard", 0, {GUARD}}, {"."}, ASKED(ACQUIRED),
				       {"dump", 0, {SA, 0, 130}}, {"wait"}, HIDDEN(0),
				       {"ALLOCSPI witness", -ENOENT}, {"DELSA", 0, {SA, 0, 130}},
				       {"ALLOCSPI larval"}, {"."},
				       UPDATED("UPDSA software #130", -ESRCH), ASKED(ACQUIRED),
				       {"dump", 0, {LARVAL}}, UPDATED("UPDSA software #130"),
				       ASKED(SA, 0, 130), LEFTOVER, TWO_AWAY),
			.outcome = {MOVE_RESULT_DONE, .unread = true, .sequence = 130},
		},
		{
			.name = "interrupted, inbound",
			.move = {.target.direction = SA_DIRECTION_IN,
				 .larval = true,
				 .interrupted = true},
			.restored = 120,
			.turns = TURNS(ASKED(ACQUIRED), {"dump"}, UPDATED("UPDSA software #120"),
				       ASKED(SA, 0, 120), LEFTOVER, GUARD_AWAY),
			.outcome = {MOVE_RESULT_DONE, .unread = true, .sequence = 120},
		},
		{
			.name = "the SA exists, with older numbers",
			.move = {.target.direction = SA_DIRECTION_OUT,
				 .larval = true,
				 .exact = true},
			.restored = 120,
			.turns = TURNS({"ALLOCSPI guard", 0, {GUARD}}, {"."}, ASKED(SA, 0, 119),
				       ASKED(SA, 0, 119), {"NEWAE #1048696"}, {"."}, GUARD_AWAY,
				       ASKED(SA)),
			.outcome = {MOVE_RESULT_DONE, .unread = true, .sequence = 119},
		},
		{
			.name = "interrupted, and the SA exists",
			.move = {.target.direction = SA_DIRECTION_OUT,
				 .larval = true,
				 .exact = true,
				 .interrupted = true},
			.restored = 120,
			.turns = TURNS({"ALLOCSPI guard", 0, {GUARD}}, {"."}, ASKED(SA, 0, 121),
				       ASKED(SA, 0, 122), LEFTOVER, GUARDS_AWAY),
			.outcome = {MOVE_RESULT_DONE, .unread = true, .sequence = 122},
		},
		{
			.name = "deleted by the IKE daemon",
			.move = {.target.direction = SA_DIRECTION_IN, .larval = true},
			.restored = 120,
			.turns = TURNS(GONE),
			.outcome = {MOVE_RESULT_GONE, .unread = true},
		},
		{
			.name = "without a larval SA",
			.move = {.target.direction = SA_DIRECTION_IN},
			.restored = 120,
			.turns = TURNS(GONE, {"NEWSA software #120"}, {"."}, ASKED(SA, 0, 120)),
			.outcome = {MOVE_RESULT_DONE, .unread = true, .sequence = 120},
		},
	};

	(void)state;
	HOLD(talks);
}

/* ---- more than one move ---- */

static struct move move_it(struct conversation *c, const char *name, struct move move,
			   const struct turn *turns)
{
	expect(c, name, turns);
	move.id = sa_id_of_message();
	migrator_run(c->migrator, &move);
	expect_end(c);
	return move;
}

static void test_group(void **state)
{
	const struct sa_id id = sa_id_of_message();
	struct conversation c;
	struct move move, lost;

	(void)state;
	open_conversation(&c, -EINVAL, TIMER);
	expect(&c, "guard", TURNS(ASKED(SA), {"ALLOCSPI guard", 0, {GUARD}}, {"."}, {"begin"}));
	migrator_guard(c.migrator, &id, 1);
	expect_end(&c);
	move = move_it(&c, "move", (struct move)INTO_NIC(OUT),
		       TURNS(READ(), REMOVED(.sequence = 120), UPDATED("UPDSA NIC out #120"),
			     ASKED(SA, NIC, 121)));
	check_number(&c, move.result, MOVE_RESULT_DONE);
	expect(&c, "unguard", TURNS(UNGUARDED));
	assert_false(migrator_unguard(c.migrator, &lost));
	expect_end(&c);
	assert_false(migrator_unguard(c.migrator, &lost));

	/* None of these moves can be guarded in advance. */
	migrator_guard(c.migrator, &id, 0);
	move = move_it(&c, "move", (struct move)INTO_NIC(OUT),
		       TURNS(GUARDED, REMOVED(.sequence = 120), UPDATED("UPDSA NIC out #120"),
			     ASKED(SA, NIC, 121)));
	check_number(&c, move.result, MOVE_RESULT_DONE);
	expect(&c, "unguard", TURNS(UNGUARDED));
	assert_false(migrator_unguard(c.migrator, &lost));
	expect_end(&c);

	move = move_it(&c, "alone", (struct move)INTO_NIC(OUT),
		       TURNS(PROMOTED_OUT, ASKED(SA, NIC, 121), UNGUARDED));
	check_number(&c, move.result, MOVE_RESULT_DONE);
	close_conversation(&c);
}

/* After the moves of a group, lookups are waited for once, and other work is done meanwhile. */
static void test_group_waits(void **state)
{
	const struct sa_id id = sa_id_of_message();
	struct conversation c;
	struct move move, lost;

	(void)state;
	open_conversation(&c, -EINVAL, TIMER);
	for (unsigned i = 0; i < 4; i++) {
		expect(&c, "guard",
		       TURNS(ASKED(SA), {"ALLOCSPI guard", 0, {GUARD}}, {"."}, {"begin"}));
		migrator_guard(c.migrator, &id, 1);
		c.scripted->waiting = true;
		assert_true(migrator_is_waiting(c.migrator));
		c.scripted->waiting = false;
		assert_false(migrator_is_waiting(c.migrator));
		expect_end(&c);
		move = move_it(&c, "move", (struct move)INTO_NIC(OUT),
			       TURNS(READ(), REMOVED(.sequence = 120),
				     UPDATED("UPDSA NIC out #120"), ASKED(SA, NIC, 121)));
		check_number(&c, move.result, MOVE_RESULT_DONE);
		expect(&c, "end", TURNS(WITNESS_AWAY, {"begin"}));
		migrator_end_moves(c.migrator);
		expect_end(&c);
		/* The wait is not over, or another move was made since it began. */
		if (i == 2)
			c.scripted->waiting = true;
		if (i == 3) {
			move = move_it(&c, "another move", (struct move)INTO_NIC(OUT),
				       TURNS(READ(NIC)));
			check_number(&c, move.hands_off, HANDS_OFF_FOREIGN);
		}
		expect(&c, "unguard",
		       i < 2 ? TURNS({"DELSA guard"}, {"."}, ASKED(SA))
			     : TURNS(GUARD_AWAY, ASKED(SA)));
		assert_false(migrator_unguard(c.migrator, &lost));
		expect_end(&c);
		c.scripted->waiting = false;
	}

	/* Without guards there is nothing to wait for. */
	migrator_guard(c.migrator, &id, 0);
	expect(&c, "no guards", TURNS({}));
	migrator_end_moves(c.migrator);
	assert_false(migrator_unguard(c.migrator, &lost));
	expect_end(&c);
	close_conversation(&c);
}

#define UNMADE UPDATED("UPDSA software #120", -ENOMEM), ASKED(LARVAL)

/* The guard stays while its SA is owed, also when other SAs are moved. */
static void test_guard_of_one_that_is_owed(void **state)
{
	struct conversation c;
	struct move owed, lost;

	(void)state;
	open_conversation(&c, -EINVAL, TIMER);
	owed = move_it(&c, "lost", (struct move)INTO_NIC(OUT),
		       TURNS(REMOVED_OUT, UPDATED("UPDSA NIC out #120", -EINVAL), UNMADE, UNMADE,
			     UNMADE, UNMADE));
	check_number(&c, owed.result, MOVE_RESULT_LOST);
	expect(&c, "guards stay", TURNS({}));
	assert_false(migrator_unguard(c.migrator, &lost));
	expect_end(&c);

	expect(&c, "lost again",
	       TURNS({"GETSA guard", 0, {GUARD}}, {"."}, ASKED(LARVAL), UNMADE, UNMADE,
		     UPDATED("UPDSA software #120", -ENOMEM),
		     {"GETSA", 0, {LARVAL}, .stored = "exact #120 7"}, {"."}));
	migrator_restore(c.migrator, &owed);
	expect_end(&c);
	check_number(&c, owed.result, MOVE_RESULT_LOST);

	expect(&c, "the end of a group", TURNS({}));
	migrator_end_moves(c.migrator);
	expect_end(&c);

	/* The guard expired. */
	expect(&c, "restored",
	       TURNS({"GETSA guard", -ESRCH}, {"."}, {"ALLOCSPI guard", 0, {GUARD}}, {"."},
		     ASKED(LARVAL), UPDATED("UPDSA software #120"), ASKED(SA, 0, 120), UNGUARDED));
	migrator_restore(c.migrator, &owed);
	expect_end(&c);
	check_number(&c, owed.result, MOVE_RESULT_REFUSED);
	assert_null(owed.image.attributes);
	close_conversation(&c);
}

/* clang-format off */
#define UNMADE_ANEW UPDATED("UPDSA software #130 threshold 0", -ENOMEM)
#define LOST_UNMASKED HIDDEN(0), {"ALLOCSPI witness", -ENOENT}, {"DELSA", 0, {SA, 0, 130}}, \
		{"ALLOCSPI larval"}, {"."}, UNMADE_ANEW, UNMADE_ANEW, ASKED(LARVAL), \
		UNMADE_ANEW, ASKED(LARVAL), UNMADE_ANEW, ASKED(LARVAL)
/* clang-format on */

/* After the guard is deleted, a packet's larval SA with the SPI is found. It has disappeared when
 * the daemon deletes it, so the SA is deleted instead, and the kernel cannot install the SA
 * again. */
static void test_lost_when_it_is_unguarded(void **state)
{
	const struct move kept = INTO_NIC_KEPT(OUT);
	struct conversation c;
	struct move move;

	(void)state;
	open_conversation(&c, -EINVAL, TIMER);
	move = move_it(&c, "lost", kept,
		       TURNS(PROMOTED_OUT, ASKED(SA, NIC, 121), WITNESS_AWAY, GUARD_AWAY,
			     ASKED(ACQUIRED), LOST_UNMASKED));
	check_number(&c, move.result, MOVE_RESULT_LOST);
	check_number(&c, sa_image_output_sequence(&move.image), 130);
	sa_image_wipe(&move.image);
	rescue_clear(c.rescue);
	close_conversation(&c);
}

static void test_unmask(void **state)
{
	struct sa_id ids[GUARDED_MAX + 1];
	struct conversation c;
	struct move lost = {};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(ids); i++)
		ids[i] = sa_id_of_message();
	open_conversation(&c, -EINVAL, TIMER);
	expect(&c, "none", TURNS({}));
	assert_false(migrator_unmask(c.migrator, ids, 0, &lost));
	expect_end(&c);

	/* Only the last answer is used. */
	expect(&c, "two buffers, in which nothing is larval in the end",
	       TURNS({"wait"}, {"GETSA", 0, {ACQUIRED}}, {"GETSA"}, {"GETSA"}, {"GETSA"}, {"GETSA"},
		     {"GETSA", 0, {SA}}, {"GETSA", 0, {ACQUIRED, .fault = ANOTHER}},
		     {"GETSA", 0, {ACQUIRED, .fault = UNREADABLE}}, {"."},
		     {"GETSA", 0, {ACQUIRED, .type = XFRM_MSG_UPDSA}}, {"."}));
	assert_false(migrator_unmask(c.migrator, ids, ELEMENTSOF(ids), &lost));
	expect_end(&c);

	ids[0].spi++;
	expect(&c, "the second one",
	       TURNS({"wait"}, {"GETSA ?"}, {"GETSA", 0, {ACQUIRED}}, {"."}, UNMASKED(NIC),
		     ASKED(SA, NIC, 126), LEFTOVER, WITNESS_AWAY, GUARD_AWAY));
	assert_false(migrator_unmask(c.migrator, ids, 2, &lost));
	expect_end(&c);
	ids[0].spi--;

	/* The second SA is not started. */
	expect(&c, "lost",
	       TURNS({"wait"}, {"GETSA"}, {"GETSA", 0, {ACQUIRED}}, {"."}, LOST_UNMASKED));
	assert_true(migrator_unmask(c.migrator, ids, 2, &lost));
	expect_end(&c);
	check_number(&c, lost.result, MOVE_RESULT_LOST);
	check_number(&c, sa_image_output_sequence(&lost.image), 130);
	sa_image_wipe(&lost.image);
	rescue_clear(c.rescue);
	close_conversation(&c);
}

/* ---- properties of the kernel ---- */

static void check_mechanism(const struct conversation *c, const char *promote, const char *evict)
{
	check_text(c, migrator_mechanism(c->migrator, true), promote);
	check_text(c, migrator_mechanism(c->migrator, false), evict);
}

/* A kernel that allows an SPI once per destination gives the witness the SPI of an existing SA. */
static void test_no_witness(void **state)
{
	struct conversation c;
	struct move move;

	(void)state;
	open_conversation(&c, -EINVAL, TIMER);
	check_mechanism(&c, "re-add", "re-add");
	move = move_it(&c, "gone before, so that it was free", (struct move)INTO_NIC(IN),
		       TURNS(READ(), {"ALLOCSPI witness"}, {"DELSA", -ESRCH},
			     {"ALLOCSPI larval", -ENOENT}, {"."}, LEFTOVER, {"DELSA witness"},
			     {"."}, WITNESS_AWAY, GUARD_AWAY));
	check_number(&c, move.result, MOVE_RESULT_GONE);
	move = move_it(&c, "with the witness", (struct move)INTO_NIC(IN),
		       TURNS(READ(), {"ALLOCSPI witness"}, {"DELSA", 0, {SA, .sequence = 120}},
			     {"ALLOCSPI larval"}, {"."}, UPDATED("UPDSA NIC in #120"),
			     ASKED(SA, NIC, 120), {"DELSA witness"}, {"."}, WITNESS_AWAY));
	check_number(&c, move.result, MOVE_RESULT_DONE);
	move = move_it(&c, "without", (struct move)INTO_NIC(IN),
		       TURNS(READ(), {"DELSA", 0, {SA, .sequence = 120}}, {"ALLOCSPI larval"},
			     {"."}, UPDATED("UPDSA NIC in #120"), ASKED(SA, NIC, 120)));
	check_number(&c, move.result, MOVE_RESULT_DONE);
	close_conversation(&c);
}

static void test_kernel_that_evicts_only(void **state)
{
	struct conversation c;

	(void)state;
	open_conversation(&c, -ESRCH, TIMER);
	check_mechanism(&c, "migrate-state", "migrate-state");
	(void)move_it(
		&c, "tried", (struct move)INTO_NIC(IN),
		TURNS(READ(),
		      {"MIGRATE_STATE NIC in", -EINVAL, .text = "Type doesn't support offload"},
		      {"."}, REMOVED(.sequence = 120), UPDATED("UPDSA NIC in #120"),
		      ASKED(SA, NIC, 120), WITNESS_AWAY));
	check_mechanism(&c, "re-add", "migrate-state");
	(void)move_it(&c, "not tried again", (struct move)INTO_NIC(IN),
		      TURNS(READ(), REMOVED(.sequence = 120), UPDATED("UPDSA NIC in #120"),
			    ASKED(SA, NIC, 120), WITNESS_AWAY));
	(void)move_it(&c, "evict", (struct move)OUT_OF_NIC(IN),
		      TURNS(READ(NIC), {"MIGRATE_STATE software"}, {"."}, ASKED(SA)));
	(void)move_it(&c, "evict, refused", (struct move)OUT_OF_NIC(IN),
		      TURNS(READ(NIC), {"MIGRATE_STATE software", -EINVAL, .text = "odd"}, {"."},
			    REMOVED(NIC, 120), UPDATED("UPDSA software #120"), ASKED(SA, 0, 120),
			    WITNESS_AWAY));
	check_mechanism(&c, "re-add", "re-add");
	close_conversation(&c);
}

static void test_no_answer_to_the_probe(void **state)
{
	const struct migrator_parameters parameters = {};
	struct migrator *migrator;
	struct conversation c;

	(void)state;
	open_conversation(&c, -EINVAL, TIMER);
	expect(&c, "probe", TURNS({"PROBE", -ESRCH}, {".", -EIO}));
	assert_int_equal(
		migrator_new(&c.scripted->kernel, c.scripted->arena, NULL, &parameters, &migrator),
		0);
	expect_end(&c);
	assert_string_equal(migrator_mechanism(migrator, true), "re-add");
	assert_null(migrator_free(migrator));
	assert_null(migrator_free(NULL));
	close_conversation(&c);
}

/* ---- memory ---- */

static size_t fill(struct conversation *c, void **rest, size_t max)
{
	size_t n = 0;

	while ((rest[n] = secret_alloc(c->scripted->arena, 16)))
		assert_true(++n < max);
	return n;
}

static void test_no_memory(void **state)
{
	const struct migrator_parameters parameters = {};
	static void *rest[32 * 1024];
	struct migrator *migrator;
	struct conversation c;
	struct move move;
	size_t n;

	(void)state;
	open_conversation(&c, -EINVAL, TIMER);
	failing_in = 1;
	assert_int_equal(
		migrator_new(&c.scripted->kernel, c.scripted->arena, NULL, &parameters, &migrator),
		-ENOMEM);
	n = fill(&c, rest, ELEMENTSOF(rest));
	move = move_it(&c, "no room", (struct move)INTO_NIC(IN), TURNS(READ()));
	check_number(&c, move.result, MOVE_RESULT_FAILED);
	check_number(&c, move.error, -ENOMEM);
	check_text(&c, move.text, "no room for its image");
	assert_int_equal(
		migrator_new(&c.scripted->kernel, c.scripted->arena, NULL, &parameters, &migrator),
		-ENOMEM);
	/* An SA is not deleted if there may be no room for its image. */
	move = move_it(&c, "masked",
		       (struct move){.target = {NIC, SA_DIRECTION_OUT},
				     .expected_ifindex = NIC,
				     .anew = true},
		       TURNS({"GETSA", 0, {ACQUIRED}}, {"GETAE"}, {"."}));
	check_number(&c, move.result, MOVE_RESULT_GONE);
	while (n > 0)
		secret_free(c.scripted->arena, rest[--n]);
	close_conversation(&c);
}

static void test_rescue_is_taken(void **state)
{
	struct conversation c;
	struct move move = {};
	char text[80];

	(void)state;
	open_conversation(&c, -EINVAL, TIMER);
	capture(&c, &move.image, 7);
	assert_int_equal(rescue_store(c.rescue, &move.image, &move.target), 0);
	sa_image_wipe(&move.image);
	move = move_it(&c, "taken", (struct move)INTO_NIC(IN), TURNS(READ()));
	check_number(&c, move.result, MOVE_RESULT_FAILED);
	check_number(&c, move.error, -EBUSY);
	check_text(&c, move.text, "the rescue slot does not take it");
	move = move_it(&c, "taken, and masked",
		       (struct move){.target = {NIC, SA_DIRECTION_OUT},
				     .expected_ifindex = NIC,
				     .anew = true},
		       TURNS({"GETSA", 0, {ACQUIRED}}, {"GETAE"}, {"."}, HIDDEN(NIC)));
	check_number(&c, move.result, MOVE_RESULT_GONE);
	/* The slot is used by another SA, whose image stays. */
	stored_text(&c, text, sizeof(text));
	check_text(&c, text, "#7 0");
	rescue_clear(c.rescue);
	close_conversation(&c);
}

/* Other parameters, and no rescue slot. */
static void open_with(struct conversation *c, struct migrator_parameters parameters)
{
	open_conversation(c, -EINVAL, TIMER);
	parameters.event_timer_default = TIMER;
	parameters.clock = &c->clock;
	migrator_free(c->migrator);
	expect(c, "probe", TURNS({"PROBE", -EINVAL}, {"."}));
	assert_int_equal(migrator_new(&c->scripted->kernel, c->scripted->arena, NULL, &parameters,
				      &c->migrator),
			 0);
}

/* The kernel loads its module before the first SA is moved into a NIC, and not while it is absent.
 */
static void test_module_first(void **state)
{
	struct conversation c;
	struct move move;

	(void)state;
	open_with(&c, (struct migrator_parameters){.no_offload_module = {true, true}});
	move = move_it(&c, "evicted", (struct move)OUT_OF_NIC(IN),
		       TURNS(READ(NIC), REMOVED(NIC), UPDATED("UPDSA software #100"),
			     ASKED(SA, 0, 101), WITNESS_AWAY));
	check_number(&c, move.result, MOVE_RESULT_DONE);
	move = move_it(&c, "promoted", (struct move)INTO_NIC(OUT),
		       TURNS(READ(), {"NEWSA with unknown flags", -EINVAL}, {"."}, GUARDED,
			     REMOVED(.sequence = 120), UPDATED("UPDSA NIC out #120"),
			     ASKED(SA, NIC, 121), UNGUARDED));
	check_number(&c, move.result, MOVE_RESULT_DONE);
	move = move_it(&c, "another one", (struct move)INTO_NIC(IN),
		       TURNS(READ(), REMOVED(), UPDATED("UPDSA NIC in #100"), ASKED(SA, NIC, 101),
			     WITNESS_AWAY));
	check_number(&c, move.result, MOVE_RESULT_DONE);
	close_conversation(&c);
}

static void test_without_rescue(void **state)
{
	struct conversation c;
	struct move move;

	(void)state;
	open_with(&c, (struct migrator_parameters){});
	move = move_it(&c, "moved", (struct move)INTO_NIC(IN),
		       TURNS(READ(), {"ALLOCSPI witness", -ENOENT, .stored = "nothing"},
			     {"DELSA", 0, {SA, .sequence = 120}}, {"ALLOCSPI larval"}, {"."},
			     {"GETSA", 0, {LARVAL}, .stored = "nothing"}, {"UPDSA NIC in #120"},
			     {"."}, ASKED(SA, NIC, 120), WITNESS_AWAY));
	check_number(&c, move.result, MOVE_RESULT_DONE);
	move = move_it(&c, "masked", (struct move)INTO_NIC(OUT),
		       TURNS(PROMOTED_OUT, ASKED(ACQUIRED), {"wait"}, UNMASKED(NIC),
			     ASKED(SA, NIC, 126), LEFTOVER, TWO_AWAY));
	check_number(&c, move.result, MOVE_RESULT_DONE);
	close_conversation(&c);
}

static void test_sweep_and_reinstate(void **state)
{
	enum reinstatement result = REINSTATE_FAILED;
	struct sa_image image = {};
	const struct sa_image *images = &image;
	struct conversation c;

	(void)state;
	open_conversation(&c, -EINVAL, TIMER);
	expect(&c, "sweep", TURNS({"dump", 0, {GUARD}}, GUARD_AWAY));
	migrator_sweep(c.migrator);
	expect_end(&c);

	capture(&c, &image, 120);
	expect(&c, "reinstate", TURNS({"NEWSA software #120"}, {"."}));
	migrator_reinstate(c.migrator, &images, 1, &result);
	expect_end(&c);
	check_number(&c, result, REINSTATED);
	sa_image_wipe(&image);
	close_conversation(&c);
}

static void test_names(void **state)
{
	static const char *const names[] = {"none",         "done", "refused",   "silent-software",
					    "wrong-device", "gone", "hands-off", "failed",
					    "lost",         "?"};

	(void)state;
	for (unsigned i = 0; i < ELEMENTSOF(names); i++)
		assert_string_equal(move_result_name((enum move_result)i), names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_it_should),
		cmocka_unit_test(test_what_is_read),
		cmocka_unit_test(test_migrate_state),
		cmocka_unit_test(test_removal),
		cmocka_unit_test(test_installation),
		cmocka_unit_test(test_an_sa_in_its_place),
		cmocka_unit_test(test_verification),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_masked),
		cmocka_unit_test(test_restoration),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_group_waits),
		cmocka_unit_test(test_guard_of_one_that_is_owed),
		cmocka_unit_test(test_lost_when_it_is_unguarded),
		cmocka_unit_test(test_unmask),
		cmocka_unit_test(test_no_witness),
		cmocka_unit_test(test_kernel_that_evicts_only),
		cmocka_unit_test(test_no_answer_to_the_probe),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_rescue_is_taken),
		cmocka_unit_test(test_module_first),
		cmocka_unit_test(test_without_rescue),
		cmocka_unit_test(test_sweep_and_reinstate),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

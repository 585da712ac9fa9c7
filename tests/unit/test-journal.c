/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cleanup.h"
#include "message-id.h"
#include "report/journal.h"
#include "text.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <syslog.h>

#include <cmocka.h>

/* The fields, one on each line. */
static char *compose(const struct journal_event *event, const char *message, uint64_t suppressed)
{
	struct journal_record *record = calloc(1, sizeof(*record));
	char *text = calloc(1, sizeof(record->text) + JOURNAL_FIELDS_MAX + 1);
	size_t used = 0;

	assert_non_null(record);
	assert_non_null(text);
	journal_compose(record, event, message, suppressed);
	for (int i = 0; i < record->n_fields; i++) {
		memcpy(text + used, record->fields[i].iov_base, record->fields[i].iov_len);
		used += record->fields[i].iov_len;
		text[used++] = '\n';
	}
	free(record);
	return text;
}

static void test_all_fields(void **state)
{
	const struct journal_event event = {
		.kind = JOURNAL_REFUSED,
		.spi = "0x00000101",
		.source = "192.0.2.1",
		.destination = "2001:db8::1",
		.direction = "out",
		.nic = "eth0",
		.rule = "/etc/espoffloadd.conf:12",
		.reason = "refused",
		.driver_text = "SA table full",
		.rate_known = true,
		.rate = 1250000.4,
		.error = -ENOSPC,
		.action = "refused",
		.from = "software",
		.to = "eth0",
		.text = "the NIC did not accept it\x1b[2J",
		.other_rate_known = true,
		.other_rate = 3,
		.method = "Pause",
		.uid = "1000",
	};
	_cleanup_free_ char *text = compose(&event, "eth0 refused SA 0x00000101", 3);

	assert_string_equal(text, "MESSAGE=eth0 refused SA 0x00000101 (3 similar suppressed)\n"
				  "PRIORITY=5\n"
				  "MESSAGE_ID=" MESSAGE_ID_REFUSED "\n"
				  "ESPOFFLOAD_SPI=0x00000101\n"
				  "ESPOFFLOAD_SRC=192.0.2.1\n"
				  "ESPOFFLOAD_DST=2001:db8::1\n"
				  "ESPOFFLOAD_DIRECTION=out\n"
				  "ESPOFFLOAD_NIC=eth0\n"
				  "ESPOFFLOAD_ACTION=refused\n"
				  "ESPOFFLOAD_FROM=software\n"
				  "ESPOFFLOAD_TO=eth0\n"
				  "ESPOFFLOAD_RATE=1250000\n"
				  "ESPOFFLOAD_OTHER_RATE=3\n"
				  "ESPOFFLOAD_RULE=/etc/espoffloadd.conf:12\n"
				  "ESPOFFLOAD_REASON=refused\n"
				  "ESPOFFLOAD_TEXT=the NIC did not accept it?[2J\n"
				  "ESPOFFLOAD_DRIVER_TEXT=SA table full\n"
				  "ESPOFFLOAD_METHOD=Pause\n"
				  "ESPOFFLOAD_UID=1000\n"
				  "ERRNO=28\n"
				  "ESPOFFLOAD_SUPPRESSED=3\n");
}

/* journalctl -x explains each kind, except what is only for debugging. */
static void test_message_ids(void **state)
{
	for (enum journal_kind kind = JOURNAL_PLAIN; kind < _JOURNAL_KIND_MAX; kind++) {
		_cleanup_free_ char *text = compose(&(struct journal_event){.kind = kind}, "", 0);

		assert_int_equal(strstr(text, "\nMESSAGE_ID=") != NULL, kind != JOURNAL_PLAIN);
	}
}

static void test_few_fields(void **state)
{
	const struct journal_event plain = {.priority = LOG_DEBUG, .nic = ""};
	const struct journal_event idle = {.kind = JOURNAL_EVICTED, .rate_known = true};
	const struct journal_event unknown = {
		.kind = JOURNAL_EVICTED, .rate_known = true, .rate = (double)NAN, .error = 5};
	_cleanup_free_ char *text = compose(&plain, "hello", 0);
	_cleanup_free_ char *zero = compose(&idle, "idle", 0);
	_cleanup_free_ char *nan = compose(&unknown, "unknown", 0);

	assert_string_equal(text, "MESSAGE=hello\nPRIORITY=7\n");
	assert_non_null(strstr(zero, "ESPOFFLOAD_RATE=0\n"));
	assert_null(strstr(nan, "ESPOFFLOAD_RATE"));
	assert_non_null(strstr(nan, "ERRNO=5\n"));
}

/* A driver's text cannot forge a field or send an escape sequence to a terminal. */
static void test_hostile(void **state)
{
	char long_text[2000];
	const struct journal_event event = {
		.kind = JOURNAL_REFUSED,
		.driver_text = "no\nMESSAGE_ID=0\x1b[2J\xff\xe2\x80\xae.",
		.reason = long_text,
	};
	_cleanup_free_ char *text = NULL;
	const char *reason;

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	text = compose(&event, "a\x1b]0;b\n  c\td\n", 0);
	assert_ptr_equal(strstr(text, "MESSAGE=a?]0;b\n  c d\nPRIORITY=5\n"), text);
	assert_non_null(strstr(text, "ESPOFFLOAD_DRIVER_TEXT=no MESSAGE_ID=0?[2J??.\n"));
	reason = strstr(text, "ESPOFFLOAD_REASON=");
	assert_non_null(reason);
	assert_int_equal(strcspn(reason, "\n"), strlen("ESPOFFLOAD_REASON=") + 255);
	assert_memory_equal(reason + strcspn(reason, "\n") - 4, "x...", 4);
}

/* The largest value of every field fits. */
static void test_limits(void **state)
{
	_cleanup_free_ char *large = malloc(100000);
	struct journal_event event;
	_cleanup_free_ char *text = NULL;

	assert_non_null(large);
	for (size_t i = 0; i < 100000; i++)
		large[i] = i % 3 ? 'x' : '\n';
	large[99999] = '\0';
	event = (struct journal_event){JOURNAL_DEGRADED,
				       LOG_DEBUG,
				       large,
				       large,
				       large,
				       large,
				       large,
				       large,
				       large,
				       large,
				       true,
				       9e17,
				       INT32_MIN,
				       large,
				       large,
				       large,
				       large,
				       true,
				       9e17,
				       large,
				       large};
	text = compose(&event, large, UINT64_MAX);
	assert_non_null(strstr(text, " (18446744073709551615 similar suppressed)\nPRIORITY=7\n"));
	assert_non_null(strstr(text, "\nERRNO=2147483648\n"));
	assert_non_null(strstr(text, "\nESPOFFLOAD_OTHER_RATE=900000000000000000\n"));
	assert_true(strlen(text) < sizeof(((struct journal_record *)NULL)->text));
}

static void test_budget(void **state)
{
	struct journal_budget budget = {};
	uint64_t suppressed = 99;

	assert_true(journal_budget_is_full(&budget, 3, 1000));
	for (unsigned i = 0; i < 3; i++) {
		assert_true(journal_budget_take(&budget, 3, 1000, &suppressed));
		assert_int_equal(suppressed, 0);
	}
	suppressed = 99;
	assert_false(journal_budget_take(&budget, 3, 1000, &suppressed));
	assert_false(journal_budget_take(&budget, 3, 1009.9, &suppressed));
	assert_int_equal(suppressed, 99);
	/* A third of the window fills it by one. */
	assert_true(journal_budget_take(&budget, 3, 1010, &suppressed));
	assert_int_equal(suppressed, 2);
	assert_false(journal_budget_take(&budget, 3, 1010, &suppressed));
	assert_false(journal_budget_is_full(&budget, 3, 1039.9));
	assert_true(journal_budget_is_full(&budget, 3, 1040));
	/* No more than the burst is saved. */
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(journal_budget_take(&budget, 3, 5000, &suppressed), i < 3);
	for (unsigned i = 0; i < 1000; i++)
		assert_true(journal_budget_take(&budget, 0, 5000, &suppressed));
}

/* ---- What is written, by the time of the test ---- */

struct bench {
	double now;
	struct clock clock;
	struct journal *journal;
	FILE *output;
	char *text;
	size_t length;
	size_t seen; /* of it */
};

static double monotonic(void *userdata)
{
	return ((const struct bench *)userdata)->now;
}

static void open_bench(struct bench *b)
{
	*b = (struct bench){.now = 1000, .clock = {.monotonic = monotonic, .userdata = b}};
	b->output = open_memstream(&b->text, &b->length);
	assert_non_null(b->output);
	assert_int_equal(journal_new(&b->clock, b->output, LOG_INFO, &b->journal), 0);
}

/* What was written since the last call. */
static const char *written(struct bench *b)
{
	const char *text;

	assert_int_equal(fflush(b->output), 0);
	text = b->text + b->seen;
	b->seen = b->length;
	return text;
}

static void expect(struct bench *b, const char *text)
{
	assert_string_equal(written(b), text);
}

/* The number of lines that were written. */
static unsigned count(struct bench *b)
{
	unsigned n = 0;

	for (const char *text = written(b); *text; text++)
		n += *text == '\n';
	return n;
}

static void close_bench(struct bench *b)
{
	journal_free(b->journal);
	assert_int_equal(fclose(b->output), 0);
	free(b->text);
}

static void lose(struct bench *b, const char *nic)
{
	const struct journal_event event = {.kind = JOURNAL_NIC_LOST, .nic = nic};

	journal_event(b->journal, &event, "%s went down", nic);
}

/* A NIC that flaps hides nothing of another one, and what it hides of itself is told in numbers. */
static void test_flapping(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	for (unsigned i = 0; i < 100; i++)
		lose(&b, "eth0");
	assert_int_equal(count(&b), 20);
	lose(&b, "eth1");
	expect(&b, "eth1 went down\n");
	journal_flush(b.journal);
	expect(&b, "");
	b.now += 1.5;
	lose(&b, "eth0");
	expect(&b, "eth0 went down (80 similar suppressed)\n");
	for (unsigned i = 0; i < 3; i++)
		lose(&b, "eth0");
	b.now += 29.9;
	journal_flush(b.journal);
	expect(&b, "");
	b.now += 0.1;
	journal_flush(b.journal);
	expect(&b, "Further events of this kind of NIC eth0 (3 similar suppressed)\n");
	journal_flush(b.journal);
	expect(&b, "");
	/* To tell the number takes nothing from the budget. */
	for (unsigned i = 0; i < 30; i++)
		lose(&b, "eth0");
	assert_int_equal(count(&b), 20);
	close_bench(&b);
}

static void lose_numbered(struct bench *b, unsigned number)
{
	char nic[16];

	(void)snprintf(nic, sizeof(nic), "eth%u", number);
	lose(b, nic);
}

/* Beyond 128 NICs that flap at a time they share a budget, and later ones have their own again. */
static void test_many_nics(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	for (unsigned i = 0; i < 128 + 30; i++)
		lose_numbered(&b, i);
	assert_int_equal(count(&b), 128 + 20);
	b.now += JOURNAL_WINDOW;
	journal_flush(b.journal);
	expect(&b, "Further events of this kind (10 similar suppressed)\n");
	for (unsigned i = 1000; i < 1000 + 128; i++)
		lose_numbered(&b, i);
	assert_int_equal(count(&b), 128);
	close_bench(&b);
}

/* The limit of all kinds leaves room for those without a limit. */
static void test_all_kinds(void **state)
{
	static const enum journal_kind often[] = {JOURNAL_PROMOTED, JOURNAL_EVICTED};
	const struct journal_event rare = {.kind = JOURNAL_TRUST_LOST, .nic = "eth0"};
	struct bench b;

	(void)state;
	open_bench(&b);
	for (unsigned i = 0; i < 20 * 200; i++) {
		char nic[16];
		const struct journal_event event = {.kind = often[i % 2], .nic = nic};

		(void)snprintf(nic, sizeof(nic), "eth%u", i / 400);
		journal_event(b.journal, &event, "moved");
	}
	assert_int_equal(count(&b), 3000);
	journal_event(b.journal, &rare, "NIC eth0 is not trusted");
	expect(&b, "error: NIC eth0 is not trusted\n");
	/* Those that the limit of all hid are told of their own kind and NIC. */
	b.now += JOURNAL_WINDOW;
	journal_flush(b.journal);
	assert_non_null(strstr(written(&b), "of NIC eth9 (200 similar suppressed)\n"));
	close_bench(&b);
}

static void test_terminal(void **state)
{
	const struct journal_event rejected = {.kind = JOURNAL_CONFIGURATION_REJECTED};
	const struct journal_event promoted = {.kind = JOURNAL_PROMOTED, .nic = "eth0"};
	const struct journal_event hands_off = {.kind = JOURNAL_HANDS_OFF, .priority = LOG_DEBUG};
	struct bench b;

	open_bench(&b);
	journal_event(b.journal, &promoted, "Promoted %s", "0x1");
	journal_event(b.journal, &rejected, "Rejected:\n%s", "f:1:1: error: x\n  ^\n");
	journal_event(b.journal, &hands_off, "not told");
	journal_log(b.journal, LOG_DEBUG, "not told");
	journal_log(b.journal, LOG_WARNING, "50%% of %d", 3);
	journal_flush(b.journal);
	expect(&b, "Promoted 0x1\n"
		   "error: Rejected:\nf:1:1: error: x\n  ^\n"
		   "warning: 50% of 3\n");
	close_bench(&b);
}

static void test_text(void **state)
{
	char buffer[8];
	uint32_t code = 7;

	assert_string_equal(text_neutralise(buffer, 8, "1234567", 7), "1234567");
	assert_string_equal(text_neutralise(buffer, 8, "12345678", 8), "1234...");
	/* The cut is between characters: the e with acute has two bytes. */
	assert_string_equal(text_neutralise(buffer, 8,
					    "123\xc3\xa9"
					    "5678",
					    9),
			    "123...");
	assert_string_equal(text_neutralise(buffer, 8, "", 0), "");
	/* Overlong, surrogate, above the last, truncated. */
	assert_int_equal(text_decode("\xc0\x80", 2, &code), 0);
	assert_int_equal(text_decode("\xed\xa0\x80", 3, &code), 0);
	assert_int_equal(text_decode("\xf4\x90\x80\x80", 4, &code), 0);
	assert_int_equal(text_decode("\xe2\x82", 2, &code), 0);
	assert_int_equal(code, 7);
	assert_int_equal(text_decode("\xf0\x9f\x98\x80", 4, &code), 4);
	assert_int_equal(code, 0x1f600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_fields),  cmocka_unit_test(test_few_fields),
		cmocka_unit_test(test_message_ids), cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_limits),      cmocka_unit_test(test_budget),
		cmocka_unit_test(test_terminal),    cmocka_unit_test(test_text),
		cmocka_unit_test(test_flapping),    cmocka_unit_test(test_many_nics),
		cmocka_unit_test(test_all_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

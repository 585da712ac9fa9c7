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
	struct journal_budget budget = {0};
	uint64_t suppressed = 99;

	for (unsigned i = 0; i < 3; i++) {
		assert_true(journal_budget_take(&budget, 3, 1000 + i, &suppressed));
		assert_int_equal(suppressed, 0);
	}
	suppressed = 99;
	assert_false(journal_budget_take(&budget, 3, 1003, &suppressed));
	assert_false(journal_budget_take(&budget, 3, 1029.9, &suppressed));
	assert_int_equal(suppressed, 99);
	assert_true(journal_budget_take(&budget, 3, 1030, &suppressed));
	assert_int_equal(suppressed, 2);
	assert_true(journal_budget_take(&budget, 3, 1031, &suppressed));
	assert_int_equal(suppressed, 0);
	for (unsigned i = 0; i < 1000; i++)
		assert_true(journal_budget_take(&budget, 0, 1032, &suppressed));
}

static void test_terminal(void **state)
{
	const struct journal_event rejected = {.kind = JOURNAL_CONFIGURATION_REJECTED};
	const struct journal_event promoted = {.kind = JOURNAL_PROMOTED, .nic = "eth0"};
	const struct journal_event hands_off = {.kind = JOURNAL_HANDS_OFF, .priority = LOG_DEBUG};
	_cleanup_(journal_freep) struct journal *journal = NULL;
	_cleanup_free_ char *text = NULL;
	size_t length = 0;
	FILE *output = open_memstream(&text, &length);

	assert_non_null(output);
	assert_int_equal(journal_new(output, LOG_INFO, &journal), 0);
	journal_event(journal, &promoted, "Promoted %s", "0x1");
	journal_event(journal, &rejected, "Rejected:\n%s", "f:1:1: error: x\n  ^\n");
	journal_event(journal, &hands_off, "not told");
	journal_log(journal, LOG_DEBUG, "not told");
	journal_log(journal, LOG_WARNING, "50%% of %d", 3);
	journal_flush(journal);
	assert_int_equal(fclose(output), 0);
	assert_string_equal(text, "Promoted 0x1\n"
				  "error: Rejected:\nf:1:1: error: x\n  ^\n"
				  "warning: 50% of 3\n");
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
		cmocka_unit_test(test_all_fields), cmocka_unit_test(test_few_fields),
		cmocka_unit_test(test_hostile),    cmocka_unit_test(test_limits),
		cmocka_unit_test(test_budget),     cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

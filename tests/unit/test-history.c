/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of the journal as `history` shows them, and the times of --since. */
#include "cleanup.h"
#include "event-filter.h"
#include "history-text.h"
#include "message-id.h"
#include "since.h"

#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define NOW 1796000000.0 /* 2026-11-30 00:53:20 UTC */
#define TODAY 1795996800

/* An entry: "NAME=value" until NULL. */
static bool field_of(void *userdata, const char *name, const char **ret_value, size_t *ret_size)
{
	const char *const *fields = userdata;
	size_t length = strlen(name);

	for (; *fields; fields++) {
		if (strncmp(*fields, name, length) == 0 && (*fields)[length] == '=') {
			*ret_value = *fields + length + 1;
			*ret_size = strlen(*ret_value);
			return true;
		}
	}
	return false;
}

static json_t *read_entry(const char *const *fields, const char *wanted)
{
	struct event_filter filter = {};
	json_t *object;

	if (wanted)
		assert_int_equal(event_filter_parse(wanted, &filter), 0);
	assert_int_equal(event_entry_read(field_of, (void *)fields, NOW, &filter, &object), 0);
	return object;
}

/* In parentheses: a missing comma is suspected otherwise (clang-tidy). */
#define ID_FIELD(ID) ("MESSAGE_ID=" ID)

static const char *const promoted[] = {
	"MESSAGE=promoted SA",
	ID_FIELD(MESSAGE_ID_PROMOTED),
	"ESPOFFLOAD_SPI=0x00000101",
	"ESPOFFLOAD_SRC=192.0.2.1",
	"ESPOFFLOAD_DST=198.51.100.7",
	"ESPOFFLOAD_DIRECTION=out",
	"ESPOFFLOAD_NIC=eth0",
	"ESPOFFLOAD_ACTION=promoted",
	"ESPOFFLOAD_FROM=software",
	"ESPOFFLOAD_TO=eth0",
	"ESPOFFLOAD_RATE=375000",
	"ESPOFFLOAD_OTHER_RATE=125000",
	"ESPOFFLOAD_REASON=hotter",
	"ESPOFFLOAD_TEXT=it is hotter (3 Mbit/s against 1 Mbit/s)",
	NULL,
};

static void assert_text(const json_t *object, const char *key, const char *expected)
{
	const char *text = json_string_value(json_object_get(object, key));

	assert_non_null(text);
	assert_string_equal(text, expected);
}

static void test_entry(void **state)
{
	json_auto_t *object = read_entry(promoted, NULL);

	assert_text(object, "action", "promoted");
	assert_text(object, "spi", "0x00000101");
	assert_text(object, "from", "software");
	assert_text(object, "to", "eth0");
	assert_text(object, "reason", "hotter");
	assert_text(object, "text", "it is hotter (3 Mbit/s against 1 Mbit/s)");
	assert_int_equal(json_integer_value(json_object_get(object, "bytesPerSecond")), 375000);
	assert_int_equal(json_integer_value(json_object_get(object, "otherBytesPerSecond")),
			 125000);
	assert_true(json_is_null(json_object_get(object, "errno")));
	assert_true(json_is_null(json_object_get(object, "driverText")));
}

static bool matches(const char *const *fields, const char *wanted)
{
	json_auto_t *object = read_entry(fields, wanted);

	return object != NULL;
}

static void test_filter(void **state)
{
	static const char *const unknown[] = {"ESPOFFLOAD_SRC=192.0.2.1", NULL};
	struct event_filter filter;

	assert_true(matches(promoted, "101"));
	assert_true(matches(promoted, "0x00000101"));
	assert_false(matches(promoted, "102"));
	assert_true(matches(promoted, "198.51.100.7"));
	assert_true(matches(promoted, "198.51.100.0/24"));
	assert_false(matches(promoted, "192.0.2.1")); /* our end */
	assert_false(matches(promoted, "2001:db8::/32"));
	assert_true(matches(unknown, "192.0.2.1"));
	assert_false(matches(unknown, "0"));
	assert_int_equal(event_filter_parse("xyz", &filter), -EINVAL);
	assert_int_equal(event_filter_parse("123456789", &filter), -EINVAL);
	assert_int_equal(event_filter_parse("", &filter), -EINVAL);
}

/* Missing, malformed and hostile fields. */
static void test_hostile(void **state)
{
	static char long_text[5000] = "ESPOFFLOAD_DRIVER_TEXT=";
	const char *const fields[] = {
		"ESPOFFLOAD_SPI=\x1b[2J",
		"ESPOFFLOAD_TEXT=a\x1b]0;b\x07\n\xff\xe2\x80\xae",
		"ESPOFFLOAD_RATE=-5",
		"ESPOFFLOAD_OTHER_RATE=9999999999999999999",
		"ERRNO=",
		"ESPOFFLOAD_SUPPRESSED=7x",
		"ESPOFFLOAD_NIC=",
		long_text,
		NULL,
	};
	static const char *const old[] = {"MESSAGE=evicted SA", ID_FIELD(MESSAGE_ID_EVICTED), NULL};
	json_auto_t *object = NULL;
	json_auto_t *of_old = read_entry(old, NULL);

	memset(long_text + strlen(long_text), 'x', sizeof(long_text) - 1 - strlen(long_text));
	object = read_entry(fields, NULL);
	assert_text(object, "action", "?");
	assert_text(object, "spi", "?[2J");
	assert_text(object, "text", "a?]0;b? ??");
	assert_int_equal(json_string_length(json_object_get(object, "driverText")), 511);
	for (const char *const *key =
		     (const char *const[]){"bytesPerSecond", "otherBytesPerSecond", "errno",
					   "suppressed", "nic", "from", NULL};
	     *key; key++)
		assert_true(json_is_null(json_object_get(object, *key)));
	assert_text(of_old, "action", "evicted");
	assert_text(of_old, "text", "evicted SA");
}

static char *print(const json_t *document, int width, bool ascii, bool color)
{
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);

	assert_non_null(file);
	assert_int_equal(history_print(document, width, ascii, color, file), 0);
	assert_int_equal(fclose(file), 0);
	return text;
}

static void test_text(void **state)
{
	static const char *const few[] = {ID_FIELD(MESSAGE_ID_EVICTED), "MESSAGE=Further",
					  "ESPOFFLOAD_SUPPRESSED=7", NULL};
	json_auto_t *document = json_pack("{s:[o,o]}", "history", read_entry(promoted, NULL),
					  read_entry(few, NULL));
	json_auto_t *short_document = json_pack("{s:[o]}", "history", read_entry(few, NULL));
	json_auto_t *wrong = json_pack("{}");
	_cleanup_free_ char *wide = print(document, 0, false, false);
	_cleanup_free_ char *narrow = print(document, 80, true, false);
	_cleanup_free_ char *titles = print(short_document, 0, true, false);
	_cleanup_free_ char *colored = print(document, 80, true, true);

	assert_string_equal(
		wide, "TIME                ACTION   SPI        DIR PEER         MOVE         "
		      "         RATE REASON\n"
		      "2026-11-30 00:53:20 promoted 0x00000101 out 198.51.100.7 software "
		      "\u2192 eth0 3.0 Mbit/s it is hotter (3 Mbit/s against 1 Mbit/s)\n"
		      "2026-11-30 00:53:20 evicted  -          -   -            -            "
		      "            - Further (7 similar suppressed)\n"
		      "7 more events, of any SA, are not in the journal and so missing here: it "
		      "takes a limited number of a kind and NIC in a short time.\n");
	assert_non_null(strstr(narrow, " software -> eth0\n"));
	assert_null(strstr(narrow, "RATE"));
	assert_non_null(strstr(narrow, "\n    it is hotter (3 Mbit/s against 1 Mbit/s)\n"));
	assert_string_equal(strtok(titles, "\n"),
			    "TIME                ACTION  SPI DIR PEER MOVE RATE REASON");
	assert_non_null(strstr(colored, "\033["));
	assert_null(strstr(narrow, "\033["));
	assert_int_equal(history_print(wrong, 80, true, false, stderr), -EBADMSG);
}

/* A time that no clock has, from a damaged file or a wrong daemon. */
static void test_times(void **state)
{
	static const double times[] = {-1, 253402300800.0, 1.8e23};

	for (size_t i = 0; i < ELEMENTSOF(times); i++) {
		json_auto_t *document = json_pack("{s:[{s:f,s:s}]}", "history", "time", times[i],
						  "action", "evicted");
		_cleanup_free_ char *text = print(document, 0, true, false);

		assert_non_null(strstr(text, "\n?"));
	}
}

static double since(const char *text)
{
	double time = -1;

	assert_int_equal(since_parse(text, NOW, &time), 0);
	return time;
}

static void test_since(void **state)
{
	static const char *const wrong[] = {"",
					    "2h",
					    "x",
					    "-",
					    "- ago",
					    "--2h",
					    " ago",
					    "tomorrow",
					    "2026-13-01",
					    "2026-11-30 25:00",
					    "15:30x",
					    "@",
					    "@-1",
					    "2026-11-30x",
					    "-2",
					    "-1e9h",
					    "-999999999999999999999h",
					    "@999999999999999",
					    "d ago",
					    "-2 weeks"};
	double time;

	assert_true(since("now") == NOW);
	assert_true(since("-2h") == NOW - 7200);
	assert_true(since("90 min ago") == NOW - 5400);
	assert_true(since("-1.5d") == NOW - 129600);
	assert_true(since("2 d ago") == NOW - 172800);
	assert_true(since("-9999999h") == 0);
	assert_true(since("@1234") == 1234);
	assert_true(since("today") == TODAY);
	assert_true(since("yesterday") == TODAY - 86400);
	assert_true(since("15:30") == TODAY + 55800);
	assert_true(since("2026-11-29") == TODAY - 86400);
	assert_true(since("2026-11-29 01:02:03") == TODAY - 86400 + 3723);
	assert_true(since("2026-11-29T01:02") == TODAY - 86400 + 3720);
	for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
		assert_int_equal(since_parse(wrong[i], NOW, &time), -EINVAL);
}

/* The JSON Schema lists the members of an entry, no more and no fewer, beside that of the events
 * that `monitor` lost and the name that an IKE daemon tells. */
static void test_schema(void **state)
{
	json_t *schema = json_load_file(HISTORY_SCHEMA, 0, NULL);
	json_t *entry = read_entry(promoted, NULL), *value;
	const json_t *properties = json_object_get(
		json_object_get(json_object_get(schema, "$defs"), "Event"), "properties");
	const char *name;

	(void)state;
	assert_non_null(properties);
	json_object_foreach(entry, name, value)
		if (!json_object_get(properties, name))
			fail_msg("describe %s in tools/schemas and run it", name);
	assert_non_null(json_object_get(properties, "lost"));
	assert_non_null(json_object_get(properties, "connection"));
	assert_int_equal(json_object_size(properties), json_object_size(entry) + 2);
	json_decref(entry);
	json_decref(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry),   cmocka_unit_test(test_filter),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_text),
		cmocka_unit_test(test_times),   cmocka_unit_test(test_since),
		cmocka_unit_test(test_schema),
	};

	(void)setenv("TZ", "UTC", 1);
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}

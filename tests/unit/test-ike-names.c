/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of connections: a recorded answer of charon 5.9.8, lines of pluto, answers that are none,
 * and daemons that do not answer. */
#include "cleanup.h"
#include "ike/ask.h"
#include "ike/pluto.h"
#include "ike/vici.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "remove-tree.h"

#define NOW 1000.0

typedef int (*reader)(struct ike_names *names, const char *data, size_t size, size_t *ret_used);

static struct ike_names *new_names(void)
{
	struct ike_names *names = NULL;

	assert_int_equal(ike_names_new(&names), 0);
	return names;
}

/* What a source does with the bytes if `step` of them come at a time. Returns its last result. */
static int feed(reader read, struct ike_names *names, const char *data, size_t size, size_t step)
{
	size_t begin = 0, end = 0, used;
	int r = 0;

	while (r == 0 && end < size) {
		end = end + step < size ? end + step : size;
		r = read(names, data + begin, end - begin, &used);
		assert_true(used <= end - begin);
		begin += used;
	}
	return r;
}

static char *read_file(const char *path, size_t *ret_size)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char *data = malloc(65536);

	assert_non_null(file);
	assert_non_null(data);
	*ret_size = fread(data, 1, 65536, file);
	assert_in_range(*ret_size, 1, 65535);
	return data;
}

static void assert_name(const struct ike_names *names, const char *spi, const char *dst,
			const char *expected)
{
	const char *name = ike_names_find(names, spi, dst);

	if (expected)
		assert_string_equal(name ? name : "(none)", expected);
	else
		assert_null(name);
}

/* ---- The table ---- */

static void test_identity(void **state)
{
	_cleanup_(ike_names_freep) struct ike_names *names = new_names();

	assert_int_equal(ike_names_add(names, "00000101", "192.0.2.1", "a"), 0);
	assert_int_equal(ike_names_add(names, "101", "2001:DB8:0:0::1", "b"), 0);
	assert_int_equal(ike_names_add(names, "102", "fe80::1%eth0", "c"), 0);
	assert_int_equal(ike_names_add(names, "0", "192.0.2.1", "d"), 0);
	assert_int_equal(ike_names_add(names, "103", "gateway.example", "e"), 0);
	assert_int_equal(ike_names_add(names, "104", "192.0.2.1", ""), 0);
	assert_name(names, "0x00000101", "192.0.2.1", "a");
	assert_name(names, "0x00000101", "2001:db8::1", "b");
	assert_name(names, "0x00000102", "fe80::1", "c");
	assert_name(names, "0x00000101", "192.0.2.2", NULL);
	assert_name(names, "0x00000102", "192.0.2.1", NULL);
	assert_name(names, "0x00000000", "192.0.2.1", NULL);
	assert_name(names, "0x00000104", "192.0.2.1", NULL);
}

/* Of two SAs with other marks it is not known which is which. */
static void test_ambiguous(void **state)
{
	_cleanup_(ike_names_freep) struct ike_names *names = new_names();

	assert_int_equal(ike_names_add(names, "101", "192.0.2.1", "a"), 0);
	assert_int_equal(ike_names_add(names, "101", "192.0.2.1", "a"), 0);
	assert_name(names, "0x00000101", "192.0.2.1", "a");
	assert_int_equal(ike_names_add(names, "101", "192.0.2.1", "b"), 0);
	assert_name(names, "0x00000101", "192.0.2.1", NULL);
	assert_int_equal(ike_names_add(names, "101", "192.0.2.1", "a"), 0);
	assert_name(names, "0x00000101", "192.0.2.1", NULL);
}

static void test_foreign_text(void **state)
{
	_cleanup_(ike_names_freep) struct ike_names *names = new_names();
	char text[2 * IKE_NAME_SIZE];

	assert_int_equal(ike_names_add(names, "1", "192.0.2.1", "a\x1b[2J\n\xff\u202eb"), 0);
	assert_name(names, "1", "192.0.2.1", "a?[2J ??b");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(ike_names_add(names, "2", "192.0.2.1", text), 0);
	assert_int_equal(strlen(ike_names_find(names, "2", "192.0.2.1")), IKE_NAME_SIZE - 1);
}

static void test_objects(void **state)
{
	_cleanup_(ike_names_freep) struct ike_names *names = new_names();
	json_auto_t *sas = json_pack("[{s:s, s:s}, {s:s, s:s}, {s:n, s:s}, i]", "spi", "0x00000101",
				     "dst", "192.0.2.1", "spi", "0x00000101", "dst", "192.0.2.2",
				     "spi", "dst", "192.0.2.1", 1);
	json_auto_t *nested =
		json_pack("[{s:{s:s, s:s}}]", "sa", "spi", "0x00000101", "dst", "192.0.2.1");

	assert_int_equal(ike_names_add(names, "101", "192.0.2.1", "a"), 0);
	ike_names_set_all(NULL, sas, NULL);
	assert_null(json_object_get(json_array_get(sas, 0), "connection"));
	ike_names_set_all(names, sas, NULL);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(sas, 0), "connection")), "a");
	assert_null(json_object_get(json_array_get(sas, 1), "connection"));
	assert_null(json_object_get(json_array_get(sas, 2), "connection"));
	ike_names_set_all(names, nested, "sa");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(json_array_get(nested, 0), "sa"),
						  "connection")),
		"a");
}

/* ---- charon ---- */

/* Packets of charon as they are written. */
struct answer {
	char data[4096];
	size_t size;
	size_t packet; /* where its length is */
};

static void put(struct answer *answer, const char *bytes, size_t size)
{
	assert_in_range(answer->size + size, 1, sizeof(answer->data));
	memcpy(answer->data + answer->size, bytes, size);
	answer->size += size;
}

static void put_byte(struct answer *answer, unsigned byte)
{
	put(answer, (const char[]){(char)byte}, 1);
}

static void put_word(struct answer *answer, const char *word)
{
	put_byte(answer, (unsigned)strlen(word));
	put(answer, word, strlen(word));
}

static void begin_packet(struct answer *answer, unsigned type, const char *event)
{
	answer->packet = answer->size;
	put(answer, "\0\0\0\0", 4);
	put_byte(answer, type);
	if (event)
		put_word(answer, event);
}

static void end_packet(struct answer *answer)
{
	size_t length = answer->size - answer->packet - 4;

	answer->data[answer->packet + 2] = (char)(length >> 8);
	answer->data[answer->packet + 3] = (char)length;
}

static void section(struct answer *answer, const char *name)
{
	put_byte(answer, 1);
	put_word(answer, name);
}

static void end(struct answer *answer, unsigned sections)
{
	while (sections-- > 0)
		put_byte(answer, 2);
}

static void value(struct answer *answer, const char *key, const char *text)
{
	put_byte(answer, 3);
	put_word(answer, key);
	put_byte(answer, 0);
	put_word(answer, text);
}

static void child(struct answer *answer, const char *name, const char *protocol, const char *spi)
{
	section(answer, "any");
	value(answer, "name", name);
	value(answer, "protocol", protocol);
	value(answer, "spi-in", spi);
	value(answer, "spi-out", spi);
	end(answer, 1);
}

static void begin_ike(struct answer *answer, const char *name)
{
	begin_packet(answer, 7, "list-sa");
	section(answer, name);
	value(answer, "local-host", "192.0.2.1");
	value(answer, "remote-host", "192.0.2.2");
	section(answer, "child-sas");
}

static void end_ike(struct answer *answer)
{
	end(answer, 2);
	end_packet(answer);
}

static void test_recorded_vici(void **state)
{
	size_t size;
	_cleanup_free_ char *data = read_file(IKE_CORPUS "/strongswan", &size);

	for (size_t step = 1; step <= size; step = step < 100 ? step + 7 : 10 * step) {
		_cleanup_(ike_names_freep) struct ike_names *names = new_names();

		assert_int_equal(feed(vici_read, names, data, size, step), 1);
		assert_name(names, "c0e7e60c", "10.30.0.1", "t1");
		assert_name(names, "c1f50b08", "10.30.0.11", "t1");
		assert_name(names, "c1f50b08", "10.30.0.1", NULL);
		assert_name(names, "c580934e", "10.30.0.1", "t4");
	}
}

static void test_vici_names(void **state)
{
	_cleanup_(ike_names_freep) struct ike_names *names = new_names();
	struct answer answer = {};

	begin_ike(&answer, "site");
	child(&answer, "net", "ESP", "c0000001");
	child(&answer, "site", "ESP", "c0000002");
	child(&answer, "net", "AH", "c0000003");
	child(&answer, "", "ESP", "c0000004");
	child(&answer, "net", "ESP", "c00000055"); /* no SPI */
	end(&answer, 2);
	/* Nothing of the IKE_SA before is left, even in the same event. */
	section(&answer, "other");
	section(&answer, "child-sas");
	child(&answer, "net", "ESP", "c0000006");
	end_ike(&answer);
	begin_packet(&answer, 7, "log");
	end_packet(&answer);
	assert_int_equal(feed(vici_read, names, answer.data, answer.size, answer.size), 0);
	assert_name(names, "c0000001", "192.0.2.1", "site/net");
	assert_name(names, "c0000001", "192.0.2.2", "site/net");
	assert_name(names, "c0000002", "192.0.2.1", "site");
	assert_name(names, "c0000003", "192.0.2.1", NULL);
	assert_name(names, "c0000004", "192.0.2.1", NULL);
	assert_name(names, "c0000006", "192.0.2.1", NULL);
}

static void test_vici_end(void **state)
{
	static const struct {
		unsigned type;
		int result;
	} packets[] = {{0, -EBADMSG}, {1, 1}, {2, 1}, {3, -EBADMSG}, {5, 0}, {6, 1}, {8, -EBADMSG}};

	for (size_t i = 0; i < ELEMENTSOF(packets); i++) {
		_cleanup_(ike_names_freep) struct ike_names *names = new_names();
		struct answer answer = {};

		begin_packet(&answer, packets[i].type, NULL);
		end_packet(&answer);
		assert_int_equal(feed(vici_read, names, answer.data, answer.size, 1),
				 packets[i].result);
	}
}

/* The elements of a message, which is the whole of an event. */
static void assert_invalid(const char *elements, size_t size)
{
	_cleanup_(ike_names_freep) struct ike_names *names = new_names();
	struct answer answer = {};

	begin_packet(&answer, 7, "list-sa");
	put(&answer, elements, size);
	end_packet(&answer);
	assert_int_equal(feed(vici_read, names, answer.data, answer.size, answer.size), -EBADMSG);
}

#define ASSERT_INVALID(elements) assert_invalid(elements, sizeof(elements) - 1)

static void test_vici_garbled(void **state)
{
	_cleanup_(ike_names_freep) struct ike_names *names = new_names();
	size_t used;

	ASSERT_INVALID("\1\1a");             /* a section that does not end */
	ASSERT_INVALID("\2");                /* an end without a section */
	ASSERT_INVALID("\1\5a\2");           /* a name beyond the end */
	ASSERT_INVALID("\1\1a\3\1k\0\5v\2"); /* a value beyond the end */
	ASSERT_INVALID("\3\1k\0");           /* half of a length */
	ASSERT_INVALID("\4\1l");             /* a list that does not end */
	ASSERT_INVALID("\6");                /* an end without a list */
	ASSERT_INVALID("\5\0\1i");           /* an item without a list */
	ASSERT_INVALID("\4\1l\3\1k\0\1v\6"); /* a key in a list */
	ASSERT_INVALID("\4\1l\4\1m\6\6");    /* a list in a list */
	ASSERT_INVALID("\7");                /* an unknown element */
	ASSERT_INVALID(
		"\1\1a\1\1a\1\1a\1\1a\1\1a\1\1a\1\1a\1\1a\1\1a\2\2\2\2\2\2\2\2\2"); /* depth */
	assert_int_equal(vici_read(names, "\0\0\0\0", 4, &used), -EBADMSG);         /* no type */
	assert_int_equal(vici_read(names, "\0\10\0\1", 4, &used), -EBADMSG);        /* too long */
	assert_int_equal(vici_read(names, "\0\10\0\0", 4, &used), 0);
	assert_int_equal(used, 0);
	assert_int_equal(vici_read(names, "\0\0\0\2\7\5", 6, &used), -EBADMSG); /* half an event */
}

/* ---- pluto ---- */

/* Lines of the transcripts that libreswan 4.10 has of its own tests. There the SPIs are replaced,
 * so those here are made up. */
static void test_transcript_of_pluto(void **state)
{
	size_t size;
	_cleanup_free_ char *data = read_file(IKE_CORPUS "/libreswan", &size);

	for (size_t step = 1; step <= size; step = step < 100 ? step + 7 : 10 * step) {
		_cleanup_(ike_names_freep) struct ike_names *names = new_names();

		assert_int_equal(feed(pluto_read, names, data, size, step), 0);
		assert_name(names, "dac4e2ae", "192.1.2.45", "westnet-eastnet-ikev2a");
		assert_name(names, "c0ffee01", "192.1.2.23", "westnet-eastnet-ikev2a");
		assert_name(names, "a1b2c3", "192.1.2.23", "labeled[2]");
		assert_name(names, "30c5a2d7", "192.1.3.209", "road/0x3");
	}
}

static void test_pluto_lines(void **state)
{
	static const char text[] =
		"#7: \"road\"[12] 192.0.2.9 esp.a1@192.0.2.9 esp.a2@192.0.2.1 tun.0@192.0.2.9 "
		"Traffic: ESPin=0B username=x esp.a3@192.0.2.1\n"
		"000 #8: \"six/0x1\" esp:b1@2001:db8::1 ah.b2@192.0.2.1 Traffic: \n"
		"000 #9: \"half\n"
		"000 # \"none\" esp.b3@192.0.2.1\n"
		"000 9: \"none\" esp.b4@192.0.2.1\n"
		"#9 \"none\" esp.b5@192.0.2.1\n"
		"#9: none esp.b6@192.0.2.1\n"
		"#9: \"odd\"[x] esp.b7@192.0.2.1 esp. esp.@ esp.b8\n"
		"#9: \"late\" esp.b9@192.0.2.1"; /* no newline yet */
	_cleanup_(ike_names_freep) struct ike_names *names = new_names();

	assert_int_equal(feed(pluto_read, names, text, sizeof(text) - 1, 1), 0);
	assert_name(names, "a1", "192.0.2.9", "road[12]");
	assert_name(names, "a2", "192.0.2.1", "road[12]");
	assert_name(names, "a3", "192.0.2.1", NULL);
	assert_name(names, "b1", "2001:db8::1", "six/0x1");
	for (char spi[] = "b2"; spi[1] <= '6'; spi[1]++)
		assert_name(names, spi, "192.0.2.1", NULL);
	assert_name(names, "b7", "192.0.2.1", "odd");
	assert_name(names, "b9", "192.0.2.1", NULL);
}

static void test_pluto_long_line(void **state)
{
	_cleanup_(ike_names_freep) struct ike_names *names = new_names();
	char text[PLUTO_LINE_MAX + 2];
	size_t used;

	memset(text, 'x', sizeof(text));
	assert_int_equal(pluto_read(names, text, PLUTO_LINE_MAX - 1, &used), 0);
	assert_int_equal(pluto_read(names, text, PLUTO_LINE_MAX, &used), -EBADMSG);
	text[PLUTO_LINE_MAX] = '\n';
	assert_int_equal(pluto_read(names, text, PLUTO_LINE_MAX + 1, &used), -EBADMSG);
	text[PLUTO_LINE_MAX - 1] = '\n';
	assert_int_equal(pluto_read(names, text, PLUTO_LINE_MAX, &used), 0);
	assert_int_equal(used, PLUTO_LINE_MAX);
}

/* ---- Asking ---- */

/* A socket on which a test answers as charon, and a program that answers as whack. */
struct daemons {
	char folder[32];
	char socket[64];
	char whack[64];
	int listener;
	struct ike_sources sources;
};

static void start(struct daemons *daemons)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*daemons = (struct daemons){.folder = "/tmp/ike-names-XXXXXX"};
	assert_non_null(mkdtemp(daemons->folder));
	(void)snprintf(daemons->socket, sizeof(daemons->socket), "%s/socket", daemons->folder);
	(void)snprintf(daemons->whack, sizeof(daemons->whack), "%s/whack", daemons->folder);
	daemons->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", daemons->socket);
	assert_int_equal(bind(daemons->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(daemons->listener, 5), 0);
	daemons->sources.vici = daemons->socket;
}

static void use_whack(struct daemons *daemons, const char *commands)
{
	_cleanup_fclose_ FILE *file = fopen(daemons->whack, "we");

	assert_non_null(file);
	(void)fprintf(file, "#!/bin/sh\n%s\n", commands);
	assert_int_equal(fchmod(fileno(file), 0755), 0);
	daemons->sources = (struct ike_sources){.pluto = daemons->socket, .whack = daemons->whack};
}

static void stop(struct daemons *daemons)
{
	(void)close(daemons->listener);
	remove_tree(daemons->folder);
	/* No process is left. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* The connection of a client, which must have sent its request. -1: there is none. */
static int accept_client(const struct daemons *daemons)
{
	static const char expected[] =
		"\0\0\0\11\3\7list-sa\0\0\0\30\0\10list-sas\3\7noblock\0\3yes";
	int fd = accept(daemons->listener, NULL, NULL);
	char request[128];

	if (fd >= 0) {
		assert_int_equal(read(fd, request, sizeof(request)), sizeof(expected) - 1);
		assert_memory_equal(request, expected, sizeof(expected) - 1);
	}
	return fd;
}

static void send_sa(int fd, const char *name, const char *spi, bool last)
{
	struct answer answer = {};

	begin_ike(&answer, name);
	child(&answer, name, "ESP", spi);
	end_ike(&answer);
	if (last) {
		begin_packet(&answer, 1, NULL);
		end_packet(&answer);
	}
	assert_int_equal(write(fd, answer.data, answer.size), answer.size);
}

static void test_ask_charon(void **state)
{
	_cleanup_(ike_query_freep) struct ike_query *query = NULL;
	_cleanup_(ike_names_freep) struct ike_names *names = NULL;
	_cleanup_close_ int fd = -1;
	struct daemons daemons;

	start(&daemons);
	assert_int_equal(ike_query_new(&daemons.sources, NOW, &query), 0);
	fd = accept_client(&daemons);
	assert_true(fd >= 0);
	assert_false(ike_query_run(query, NOW));
	send_sa(fd, "a", "c0000001", false);
	assert_false(ike_query_run(query, NOW));
	send_sa(fd, "b", "c0000002", true);
	assert_true(ike_query_run(query, NOW));
	names = ike_query_take(query);
	assert_name(names, "c0000001", "192.0.2.1", "a");
	assert_name(names, "c0000002", "192.0.2.2", "b");
	assert_null(ike_query_take(query));
	stop(&daemons);
}

/* What was told in time is used. */
static void test_charon_hangs(void **state)
{
	_cleanup_(ike_query_freep) struct ike_query *query = NULL;
	_cleanup_(ike_names_freep) struct ike_names *names = NULL;
	_cleanup_close_ int fd = -1;
	struct daemons daemons;

	start(&daemons);
	assert_int_equal(ike_query_new(&daemons.sources, NOW, &query), 0);
	fd = accept_client(&daemons);
	send_sa(fd, "a", "c0000001", false);
	assert_false(ike_query_run(query, NOW + IKE_TIMEOUT - 0.01));
	assert_true(ike_query_run(query, NOW + IKE_TIMEOUT));
	names = ike_query_take(query);
	assert_name(names, "c0000001", "192.0.2.1", "a");
	stop(&daemons);
}

static void test_charon_is_something_else(void **state)
{
	_cleanup_(ike_query_freep) struct ike_query *query = NULL;
	_cleanup_close_ int fd = -1;
	struct daemons daemons;

	start(&daemons);
	assert_int_equal(ike_query_new(&daemons.sources, NOW, &query), 0);
	fd = accept_client(&daemons);
	assert_int_equal(write(fd, "HTTP/1.1 400 Bad Request\r\n", 26), 26);
	assert_true(ike_query_run(query, NOW));
	stop(&daemons);
}

/* Waits for the program. The time of the query stands still. */
static struct ike_names *wait_for_names(struct ike_query *query)
{
	struct pollfd pollfds[IKE_SOURCES_MAX];

	while (!ike_query_run(query, NOW))
		assert_int_equal(poll(pollfds, ike_query_poll(query, pollfds), 60000), 1);
	return ike_query_take(query);
}

static void test_ask_pluto(void **state)
{
	_cleanup_(ike_query_freep) struct ike_query *query = NULL;
	_cleanup_(ike_names_freep) struct ike_names *names = NULL;
	char expected[128];
	struct daemons daemons;

	start(&daemons);
	use_whack(&daemons,
		  "echo \"#1: \\\"$*\\\" esp.c0000001@192.0.2.1\"; read line || echo >&2 no input");
	assert_int_equal(ike_query_new(&daemons.sources, NOW, &query), 0);
	names = wait_for_names(query);
	(void)snprintf(expected, sizeof(expected), "--ctlsocket %s --showstates", daemons.socket);
	assert_name(names, "c0000001", "192.0.2.1", expected);
	stop(&daemons);
}

static void test_pluto_hangs(void **state)
{
	_cleanup_(ike_query_freep) struct ike_query *query = NULL;
	struct pollfd pollfds[IKE_SOURCES_MAX];
	struct daemons daemons;

	start(&daemons);
	use_whack(&daemons, "exec sleep 1000");
	assert_int_equal(ike_query_new(&daemons.sources, NOW, &query), 0);
	assert_false(ike_query_run(query, NOW));
	assert_int_equal(ike_query_poll(query, pollfds), 1);
	assert_true(ike_query_run(query, NOW + IKE_TIMEOUT));
	assert_int_equal(ike_query_poll(query, pollfds), 0);
	stop(&daemons);
}

/* Without a socket, or with one that may not be written, whack is not run. */
static void test_pluto_not_asked(void **state)
{
	struct daemons daemons;

	start(&daemons);
	for (int i = 0; i < 2; i++) {
		_cleanup_(ike_query_freep) struct ike_query *query = NULL;
		struct pollfd pollfds[IKE_SOURCES_MAX];

		use_whack(&daemons, "exec sleep 1000");
		if (i == 0)
			daemons.sources.pluto = "/nonexistent/pluto.ctl";
		else
			daemons.sources.whack = NULL;
		assert_int_equal(ike_query_new(&daemons.sources, NOW, &query), 0);
		assert_int_equal(ike_query_poll(query, pollfds), 0);
		assert_true(ike_query_run(query, NOW));
	}
	stop(&daemons);
}

static void answer_watch(struct ike_watch *watch, const struct daemons *daemons, double now,
			 double seconds, const char *name)
{
	_cleanup_close_ int fd = -1;

	ike_watch_run(watch, now);
	fd = accept_client(daemons);
	assert_true(fd >= 0);
	send_sa(fd, name, "c0000001", true);
	ike_watch_run(watch, now + seconds);
	assert_name(watch->names, "c0000001", "192.0.2.1", name);
}

static void assert_rests(struct ike_watch *watch, const struct daemons *daemons, double now)
{
	ike_watch_run(watch, now);
	assert_null(watch->query);
	assert_int_equal(accept_client(daemons), -1);
}

/* The descriptor that the next open file gets. */
static int next_descriptor(void)
{
	int fd = dup(STDIN_FILENO);

	assert_true(fd >= 0);
	(void)close(fd);
	return fd;
}

/* `top` asks for days. */
static void test_watch(void **state)
{
	struct daemons daemons;
	struct ike_watch watch = {.sources = &daemons.sources};
	int fd;

	start(&daemons);
	fd = next_descriptor();
	answer_watch(&watch, &daemons, NOW, 0.1, "a");
	assert_rests(&watch, &daemons, NOW + 0.1 + IKE_INTERVAL - 0.01);
	assert_name(watch.names, "c0000001", "192.0.2.1", "a");
	/* The slower the answer, the later the next question. */
	answer_watch(&watch, &daemons, NOW + 20, 0.9, "b");
	assert_rests(&watch, &daemons, NOW + 20.9 + 0.9 * IKE_REST - 0.01);
	answer_watch(&watch, &daemons, NOW + 40, 0.1, "c");
	assert_int_equal(next_descriptor(), fd);
	ike_watch_done(&watch);
	stop(&daemons);
}

static void test_sources(void **state)
{
	struct ike_sources sources;

	assert_int_equal(ike_sources_parse("vici:/a", &sources), 0);
	assert_string_equal(sources.vici, "/a");
	assert_null(sources.pluto);
	assert_int_equal(ike_sources_parse("pluto:/b", &sources), 0);
	assert_null(sources.vici);
	assert_string_equal(sources.pluto, "/b");
	assert_int_equal(ike_sources_parse("off", &sources), 0);
	assert_null(sources.vici);
	assert_null(sources.pluto);
	assert_int_equal(ike_sources_parse("auto", &sources), 0);
	assert_int_equal(ike_sources_parse("vici:", &sources), -EINVAL);
	assert_int_equal(ike_sources_parse("pluto:", &sources), -EINVAL);
	assert_int_equal(ike_sources_parse("", &sources), -EINVAL);
	assert_int_equal(ike_sources_parse("/a", &sources), -EINVAL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_ambiguous),
		cmocka_unit_test(test_foreign_text),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_recorded_vici),
		cmocka_unit_test(test_vici_names),
		cmocka_unit_test(test_vici_end),
		cmocka_unit_test(test_vici_garbled),
		cmocka_unit_test(test_transcript_of_pluto),
		cmocka_unit_test(test_pluto_lines),
		cmocka_unit_test(test_pluto_long_line),
		cmocka_unit_test(test_ask_charon),
		cmocka_unit_test(test_charon_hangs),
		cmocka_unit_test(test_charon_is_something_else),
		cmocka_unit_test(test_ask_pluto),
		cmocka_unit_test(test_pluto_hangs),
		cmocka_unit_test(test_pluto_not_asked),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_sources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

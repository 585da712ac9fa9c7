// SPDX-License-Identifier: GPL-2.0-or-later
/* The trace that `record` makes of lists of SAs, and that `simulate` reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "record-trace.h"
#include "simulate/trace.h"

#include <errno.h>
#include <string.h>

/* The rows of a recording. */
struct recording {
	struct record_trace *trace;
	FILE *out;
	char *text;
	size_t size;
	double time;
};

static void open_recording(struct recording *recording)
{
	*recording = (struct recording){};
	assert_int_equal(record_trace_new(&recording->trace), 0);
	recording->out = open_memstream(&recording->text, &recording->size);
	assert_non_null(recording->out);
	(void)fputs(RECORD_TRACE_HEADER, recording->out);
}

static void close_recording(struct recording *recording)
{
	(void)record_trace_free(recording->trace);
	assert_int_equal(fclose(recording->out), 0);
	free(recording->text);
}

static json_t *sa_object(const char *spi, const char *dst, int bytes)
{
	json_t *sa =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:i, s:s, s:s}", "spi", spi,
			  "src", "192.0.2.1", "dst", dst, "direction", "out", "mode", "tunnel",
			  "reqid", 7, "placement", "software", "state", "settled", "bytes", bytes,
			  "candidateNic", "eth0", "algorithm", "cbc(aes) hmac(sha256)");

	assert_non_null(sa);
	return sa;
}

static void begin(struct recording *recording)
{
	record_trace_begin(recording->trace, recording->time++);
}

static int add_to(struct recording *recording, json_t *sa)
{
	json_t *sas = json_pack("[o]", sa);
	int r = record_trace_add(recording->trace, sas, recording->out);

	json_decref(sas);
	return r;
}

static void add(struct recording *recording, json_t *sa)
{
	assert_int_equal(add_to(recording, sa), 0);
}

static void end(struct recording *recording)
{
	record_trace_end(recording->trace, recording->out);
}

/* All rows after the header. */
static void expect(struct recording *recording, const char *expected)
{
	assert_int_equal(fflush(recording->out), 0);
	assert_true(strncmp(recording->text, RECORD_TRACE_HEADER, strlen(RECORD_TRACE_HEADER)) ==
		    0);
	assert_string_equal(recording->text + strlen(RECORD_TRACE_HEADER), expected);
}

#define DESCRIPTION                            \
	",192.0.2.1>198.51.100.1/7/0//tunnel/" \
	"out,192.0.2.1,198.51.100.1,out,tunnel,7,0,,cbc(aes)_hmac(sha256),eth0\n"
#define NO_MORE ",,,,,,,,,,\n"
#define FIRST "0x00000101@198.51.100.1"
#define SECOND "0x00000102@198.51.100.1"

static void test_life(void **state)
{
	struct recording recording;

	(void)state;
	open_recording(&recording);
	/* What it carried before is not known to belong to an interval. */
	begin(&recording);
	add(&recording, sa_object("0x00000101", "198.51.100.1", 1000));
	end(&recording);
	expect(&recording, "");
	begin(&recording);
	add(&recording, sa_object("0x00000101", "198.51.100.1", 1500));
	end(&recording);
	/* Idle. */
	begin(&recording);
	add(&recording, sa_object("0x00000101", "198.51.100.1", 1500));
	end(&recording);
	/* A rekey: the first one stays for a while. */
	begin(&recording);
	add(&recording, sa_object("0x00000101", "198.51.100.1", 1700));
	add(&recording, sa_object("0x00000102", "198.51.100.1", 0));
	end(&recording);
	begin(&recording);
	add(&recording, sa_object("0x00000102", "198.51.100.1", 30));
	end(&recording);
	expect(&recording,
	       "1," FIRST ",500," DESCRIPTION "3," FIRST ",200," NO_MORE "3," SECOND
	       ",0,new" DESCRIPTION "4," SECOND ",30," NO_MORE "4," FIRST ",0,gone" NO_MORE);
	assert_int_equal(record_trace_n_sas(recording.trace), 1);
	close_recording(&recording);
}

/* A counter that begins anew does not give a negative number. */
static void test_counter_decreases(void **state)
{
	struct recording recording;

	(void)state;
	open_recording(&recording);
	for (int i = 0; i < 2; i++) {
		begin(&recording);
		add(&recording, sa_object("0x00000101", "198.51.100.1", i ? 20 : 1000));
		end(&recording);
	}
	expect(&recording, "1," FIRST ",20," DESCRIPTION);
	close_recording(&recording);
}

/* The connection ended within a sample: what is missing is not gone, and nothing is lost or counted
 * twice. */
static void test_incomplete_sample(void **state)
{
	struct recording recording;

	(void)state;
	open_recording(&recording);
	begin(&recording);
	add(&recording, sa_object("0x00000101", "198.51.100.1", 0));
	add(&recording, sa_object("0x00000102", "198.51.100.1", 0));
	end(&recording);
	begin(&recording);
	add(&recording, sa_object("0x00000101", "198.51.100.1", 100));
	begin(&recording);
	add(&recording, sa_object("0x00000101", "198.51.100.1", 300));
	add(&recording, sa_object("0x00000102", "198.51.100.1", 0));
	end(&recording);
	expect(&recording, "1," FIRST ",100," DESCRIPTION "2," FIRST ",200," NO_MORE);
	close_recording(&recording);
}

/* A field of the daemon cannot end a field or a line of the trace. */
static void test_hostile_fields(void **state)
{
	struct recording recording;
	json_t *sa;

	(void)state;
	open_recording(&recording);
	begin(&recording);
	end(&recording);
	begin(&recording);
	sa = sa_object("0x1,2", "a\nb", 1);
	(void)json_object_set_new(sa, "algorithm", json_string("x,\"\r\ny"));
	add(&recording, sa);
	end(&recording);
	expect(&recording,
	       "1,0x1_2@a_b,1,new,192.0.2.1>a_b/7/0//tunnel/out,192.0.2.1,a_b,out,tunnel,7,0,,"
	       "x____y,eth0\n");
	assert_int_equal(add_to(&recording, json_integer(1)), -EBADMSG);
	assert_int_equal(record_trace_add(recording.trace, json_null(), recording.out), -EBADMSG);
	close_recording(&recording);
}

static void test_simulate_reads_it(void **state)
{
	_cleanup_(simulate_trace_freep) struct simulate_trace *trace = NULL;
	struct recording recording;

	(void)state;
	open_recording(&recording);
	for (int i = 0; i < 10; i++) {
		begin(&recording);
		if (i < 6)
			add(&recording, sa_object("0x00000101", "198.51.100.1", 100 * i));
		if (i >= 5)
			add(&recording, sa_object("0x00000102", "198.51.100.1", 100 * (i - 5)));
		/* The same SPI again. */
		if (i == 9)
			add(&recording, sa_object("0x00000101", "198.51.100.1", 50));
		end(&recording);
	}
	assert_int_equal(fflush(recording.out), 0);
	assert_int_equal(simulate_trace_parse("recorded", recording.text, 0, NULL, stderr, &trace),
			 0);
	assert_int_equal(trace->trace->n_sas, 3);
	assert_int_equal(trace->trace->n_lineages, 1);
	assert_int_equal(trace->trace->n_ticks, 9);
	assert_true(trace->trace->interval > 0.99 && trace->trace->interval < 1.01);
	close_recording(&recording);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_counter_decreases),
		cmocka_unit_test(test_incomplete_sample),
		cmocka_unit_test(test_hostile_fields),
		cmocka_unit_test(test_simulate_reads_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

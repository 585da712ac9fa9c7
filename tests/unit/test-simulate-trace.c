/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading traces: what is accepted, how rows become ticks, and the messages about bad rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "simulate/trace.h"

#include <errno.h>
#include <string.h>

static struct simulate_trace *parse_good(const char *csv, double interval)
{
	_cleanup_free_ char *text = strdup(csv);
	struct simulate_trace *trace = NULL;

	assert_non_null(text);
	assert_int_equal(simulate_trace_parse("t.csv", text, interval, NULL, stderr, &trace), 0);
	return trace;
}

static void assert_bad(const char *csv, const char *expected)
{
	_cleanup_free_ char *text = strdup(csv), *errors = NULL;
	struct simulate_trace *trace = NULL;
	size_t size;
	FILE *out = open_memstream(&errors, &size);

	assert_non_null(text);
	assert_non_null(out);
	assert_int_equal(simulate_trace_parse("t.csv", text, 0, NULL, out, &trace), -EBADMSG);
	(void)fclose(out);
	assert_null(trace);
	assert_string_equal(errors, expected);
}

static double bytes_at(const struct simulate_trace *trace, uint32_t tick, const char *name)
{
	const struct sim_trace *t = trace->trace;
	double bytes = 0;

	for (size_t r = t->tick_rows[tick]; r < t->tick_rows[tick + 1]; r++)
		if (strcmp(trace->names[t->rows[r].sa], name) == 0)
			bytes += t->rows[r].bytes;
	return bytes;
}

static void test_columns_in_any_order(void **state)
{
	_cleanup_(simulate_trace_freep) struct simulate_trace *trace =
		parse_good("packets,bytes,sa,time\r\n1,10,a,1\r\n2,20,b,1\r\n3,30,a,2\r\n", 0);

	assert_int_equal(trace->trace->n_sas, 2);
	assert_int_equal(trace->trace->n_ticks, 2);
	assert_true(trace->trace->interval == 1);
	assert_true(bytes_at(trace, 0, "b") == 20 && bytes_at(trace, 1, "a") == 30);
	assert_true(bytes_at(trace, 1, "b") == 0);
}

static void test_gaps_and_longer_intervals(void **state)
{
	const char *csv = "time,sa,bytes\n0.5,a,1\n1,a,2\n1.5,a,4\n4,a,8\n";
	struct simulate_trace *trace = parse_good(csv, 0);

	assert_true(trace->trace->interval == 0.5);
	assert_int_equal(trace->trace->n_ticks, 8);
	assert_true(bytes_at(trace, 7, "a") == 8 && bytes_at(trace, 5, "a") == 0);
	simulate_trace_free(trace);
	trace = parse_good(csv, 1);
	/* Ends at 0.5, 1.5, 2.5, ...: a row belongs to the tick that ends with or after it. */
	assert_int_equal(trace->trace->n_ticks, 5);
	assert_true(bytes_at(trace, 0, "a") == 1 && bytes_at(trace, 1, "a") == 6);
	simulate_trace_free(trace);
}

static void test_lives_and_lineages(void **state)
{
	_cleanup_(simulate_trace_freep) struct simulate_trace *trace = parse_good(
		"time,sa,bytes,event,lineage\n1,old,5,new,x\n1,other,5,,\n2,new,0,new,x\n"
		"3,old,0,gone,\n3,new,7,,\n4,old,1,new,\n",
		0);
	const struct sim_sa *sas = trace->trace->sas;

	assert_int_equal(trace->trace->n_sas, 4);
	assert_int_equal(sas[0].lineage, sas[2].lineage);
	assert_int_not_equal(sas[0].lineage, sas[1].lineage);
	assert_int_equal(sas[0].gone, 2);
	assert_int_equal(sas[2].born, 1);
	/* An SA that returns under its old name is another SA of the same lineage. */
	assert_string_equal(trace->names[3], "old");
	assert_int_equal(sas[3].lineage, sas[0].lineage);
	assert_int_equal(sas[3].gone, SIM_LIVES_ON);
}

/* As spreadsheets write it. */
static void test_byte_order_mark(void **state)
{
	_cleanup_(simulate_trace_freep) struct simulate_trace *trace =
		parse_good("\xef\xbb\xbftime,sa,bytes\n1,a,10\n2,a,20\n", 0);

	assert_true(bytes_at(trace, 1, "a") == 20);
}

static void test_bad_rows_are_told(void **state)
{
	assert_bad("time,sa\n1,a\n", "t.csv:1: the header has no column 'bytes'\n");
	assert_bad("time,sa,bytes,sa\n", "t.csv:1: column 'sa' appears twice\n");
	assert_bad("time,sa,bytes\n", "t.csv:1: there are no rows\n");
	assert_bad("time,sa,bytes\n1,a,x\n1,a\n-1,a,1\n",
		   "t.csv:2: bytes 'x' is not a number from 0 to 2^62\n"
		   "t.csv:3: 2 fields, but the header has 3\n"
		   "t.csv:4: time '-1' is not a number of seconds >= 0\n");
	assert_bad("time,sa,bytes\n2,a,1\n1,a,1\n",
		   "t.csv:3: time 1 is earlier than the row before\n");
	assert_bad("time,sa,bytes\n2,,1\n", "t.csv:2: the SA has no name\n");
	assert_bad("time,sa,bytes\n2,a\033[2J,1\n",
		   "t.csv:2: the SA's name 'a?[2J' is not printable UTF-8\n");
	assert_bad("time,sa,bytes,event\n1,a,1,born\n",
		   "t.csv:2: event 'born' is neither 'new' nor 'gone'\n");
	assert_bad("time,sa,bytes,event\n1,a,1,gone\n2,a,1,\n",
		   "t.csv:3: 'a' is gone, and this row is not 'new'\n");
	assert_bad("time,sa,bytes,event\n1,a,1,\n2,a,1,new\n",
		   "t.csv:3: 'a' is new, but it lives already\n");
	assert_bad("time,sa,bytes\n1,a,1\n1.000001,a,1\n1e9,a,1\n",
		   "t.csv:4: 1e+15 intervals of 1e-06 s for 3 rows; use --interval\n");
	assert_bad("time,sa,bytes\n0,a,1\n1e7,a,1\n",
		   "t.csv:3: the rows are 1e+07 s apart, more than 3600 s; use --interval if they "
		   "are right\n");
	assert_bad("time,sa,bytes\n0,a,3e18\n1,a,3e18\n2,a,1\n",
		   "t.csv:3: the rows up to here add up to more than 2^62 bytes\n");
}

/* The first row of an SA describes it. */
static void test_descriptions(void **state)
{
	_cleanup_(simulate_trace_freep) struct simulate_trace *trace =
		parse_good("time,sa,bytes,event,src,dst,direction,reqid,if_id,mark,mode\n"
			   "1,a,5,,192.0.2.1,198.51.100.1,out,7,4294967295,0x1/0xff,tunnel\n"
			   "1,b,5,,2001:db8::1,2001:db8::2,in,,,,\n"
			   "2,a,5,,,,,,,,\n"
			   "2,c,5,,,,,,,,\n"
			   "3,c,5,,192.0.2.1,198.51.100.1,out,7,,,\n"
			   "3,a,0,gone,,,,,,,\n"
			   "4,a,5,new,192.0.2.3,198.51.100.3,,8x,99999999999,5,\n",
			   0);
	const struct sa_description *sa;

	assert_int_equal(trace->trace->n_sas, 4);
	sa = simulate_trace_description(trace, 0);
	assert_non_null(sa);
	assert_int_equal(sa->id.family, AF_INET);
	assert_memory_equal(sa->source.bytes, "\xc0\x00\x02\x01\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_memory_equal(sa->id.destination.bytes, "\xc6\x33\x64\x01", 4);
	assert_int_equal(sa->direction, SA_DIRECTION_OUT);
	assert_int_equal(sa->reqid, 7);
	assert_int_equal(sa->if_id, UINT32_MAX);
	assert_int_equal(sa->id.mark_value, 1);
	assert_int_equal(sa->id.mark_mask, 0xff);
	sa = simulate_trace_description(trace, 1);
	assert_non_null(sa);
	assert_int_equal(sa->id.family, AF_INET6);
	assert_int_equal(sa->direction, SA_DIRECTION_IN);
	assert_int_equal(sa->id.mark_mask, 0);
	assert_null(simulate_trace_description(trace, 2));
	sa = simulate_trace_description(trace, 3);
	assert_non_null(sa);
	assert_int_equal(sa->source.bytes[3], 3);
	assert_int_equal(sa->direction, SA_DIRECTION_UNKNOWN);
	assert_int_equal(sa->reqid, 0);
	assert_int_equal(sa->if_id, 0);
	assert_int_equal(sa->id.mark_mask, UINT32_MAX);
}

/* Columns of these names with something else are no error, as before there were such columns. */
static void test_no_description(void **state)
{
	static const char *const pairs[] = {"a,b",
					    "192.0.2.1,",
					    ",192.0.2.1",
					    "192.0.2.1,::1",
					    "192.0.2.1/32,192.0.2.2",
					    "1.2.3,1.2.3.4"};

	for (size_t i = 0; i < ELEMENTSOF(pairs); i++) {
		_cleanup_(simulate_trace_freep) struct simulate_trace *trace = NULL;
		char csv[128];

		(void)snprintf(csv, sizeof(csv), "time,sa,bytes,src,dst\n1,a,5,%s\n", pairs[i]);
		trace = parse_good(csv, 0);
		assert_null(simulate_trace_description(trace, 0));
	}
}

struct choice {
	const char *nic;
	size_t n_described;
};

static bool is_of_nic(void *userdata, const struct sa_description *sa, const char *nic)
{
	struct choice *choice = userdata;

	choice->n_described += sa != NULL;
	return nic && strcmp(nic, choice->nic) == 0;
}

/* An SA that is not selected has neither rows nor an end, and its successor has a lineage of its
 * own. The errors of its rows are reported. */
static void test_selection(void **state)
{
	_cleanup_(simulate_trace_freep) struct simulate_trace *trace = NULL;
	struct choice choice = {.nic = "eth0"};
	const struct simulate_selection selection = {.select = is_of_nic, .userdata = &choice};
	char csv[] = "time,sa,bytes,event,src,dst,nic\n"
		     "1,a,1,,192.0.2.1,198.51.100.1,eth0\n"
		     "1,b,2,,192.0.2.1,198.51.100.1,eth1\n"
		     "1,c,4,,,,\n"
		     "2,a,8,,,,eth1\n"
		     "2,b,16,,,,eth0\n"
		     "3,b,32,gone,,,\n"
		     "4,b,64,new,192.0.2.1,198.51.100.1,eth0\n";
	_cleanup_fclose_ FILE *out = fopen("/dev/null", "we");
	char again[] = "time,sa,bytes,event,nic\n1,b,2,,eth1\n2,b,2,new,eth0\n";
	char unnamed[] = "time,sa,bytes\n1,b,2\n";

	assert_int_equal(simulate_trace_parse("t.csv", csv, 0, &selection, stderr, &trace), 0);
	assert_non_null(out);
	assert_int_equal(choice.n_described, 3);
	assert_int_equal(trace->trace->n_sas, 2);
	assert_int_equal(trace->trace->n_ticks, 4);
	assert_string_equal(trace->names[0], "a");
	assert_string_equal(trace->names[1], "b");
	assert_true(bytes_at(trace, 0, "a") == 1 && bytes_at(trace, 1, "a") == 8);
	assert_true(bytes_at(trace, 3, "b") == 64);
	assert_int_equal(trace->trace->sas[1].born, 3);
	assert_int_not_equal(trace->trace->sas[0].lineage, trace->trace->sas[1].lineage);
	trace = simulate_trace_free(trace);
	assert_int_equal(simulate_trace_parse("t.csv", again, 0, &selection, out, &trace),
			 -EBADMSG);
	choice.nic = "eth7";
	assert_int_equal(simulate_trace_parse("t.csv", unnamed, 0, &selection, stderr, &trace), 0);
	assert_int_equal(trace->trace->n_sas, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptions),
		cmocka_unit_test(test_no_description),
		cmocka_unit_test(test_selection),
		cmocka_unit_test(test_columns_in_any_order),
		cmocka_unit_test(test_gaps_and_longer_intervals),
		cmocka_unit_test(test_lives_and_lineages),
		cmocka_unit_test(test_byte_order_mark),
		cmocka_unit_test(test_bad_rows_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record-trace.h"

#include "hash-table.h"
#include "hash.h"
#include "views.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define NAME_SIZE 160

struct recorded_sa {
	struct hash_link link; /* by name */
	int64_t bytes;         /* counter */
	uint32_t sample;       /* the last one that showed it */
	bool described;        /* it has a row */
	char name[];
};

struct record_trace {
	struct hash_seed seed;
	struct hash_table sas;
	double time;
	uint32_t sample;
	bool complete; /* one sample was */
};

int record_trace_new(struct record_trace **ret_trace)
{
	struct record_trace *trace = calloc(1, sizeof(*trace));

	if (!trace)
		return -ENOMEM;
	*ret_trace = trace;
	return 0;
}

struct record_trace *record_trace_free(struct record_trace *trace)
{
	struct recorded_sa *sa;

	if (!trace)
		return NULL;
	HASH_TABLE_FOREACH(sa, &trace->sas, link)
		free(sa);
	hash_table_release(&trace->sas);
	free(trace);
	return NULL;
}

void record_trace_begin(struct record_trace *trace, double time)
{
	trace->time = time;
	trace->sample++;
}

size_t record_trace_n_sas(const struct record_trace *trace)
{
	return trace->sas.n;
}

/* CSV without quotes: what would end a field or a line is replaced. */
static void put_field(FILE *out, const char *text)
{
	(void)fputc(',', out);
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		(void)fputc(byte <= ' ' || byte == ',' || byte == '"' || byte == 0x7f ? '_' : byte,
			    out);
	}
}

static void put_number(FILE *out, int64_t number)
{
	(void)fprintf(out, ",%" PRId64, number);
}

static void describe(const json_t *object, const struct sa_view *view, FILE *out)
{
	char lineage[2 * NAME_SIZE];

	(void)snprintf(lineage, sizeof(lineage), "%s>%s/%" PRId64 "/%" PRId64 "/%s/%s/%s",
		       view->src, view->dst, view->reqid, view->if_id, view->mark, view->mode,
		       view->direction);
	put_field(out, lineage);
	put_field(out, view->src);
	put_field(out, view->dst);
	put_field(out, view->direction);
	put_field(out, view->mode);
	put_number(out, view->reqid);
	put_number(out, view->if_id);
	put_field(out, view->mark);
	put_field(out, json_text_or(object, "algorithm", ""));
	put_field(out, view->candidate ? view->candidate : "");
}

static void begin_row(const struct record_trace *trace, const struct recorded_sa *sa, int64_t bytes,
		      const char *event, FILE *out)
{
	(void)fprintf(out, "%.10g", trace->time);
	put_field(out, sa->name);
	put_number(out, bytes);
	put_field(out, event);
}

static void end_row(FILE *out)
{
	(void)fputs(",,,,,,,,,,\n", out);
}

static struct recorded_sa *find(const struct record_trace *trace, const char *name, uint64_t hash)
{
	struct recorded_sa *sa;

	HASH_TABLE_FOREACH_EQUAL(sa, &trace->sas, hash, link)
		if (strcmp(sa->name, name) == 0)
			return sa;
	return NULL;
}

static struct recorded_sa *add(struct record_trace *trace, const char *name, uint64_t hash)
{
	size_t size = strlen(name) + 1;
	struct recorded_sa *sa = calloc(1, sizeof(*sa) + size);

	if (!sa)
		return NULL;
	memcpy(sa->name, name, size);
	hash_table_add(&trace->sas, &sa->link, hash);
	return sa;
}

static void write_sa(const struct record_trace *trace, struct recorded_sa *sa, int64_t bytes,
		     const char *event, const json_t *object, const struct sa_view *view, FILE *out)
{
	begin_row(trace, sa, bytes, event, out);
	if (sa->described) {
		end_row(out);
		return;
	}
	describe(object, view, out);
	(void)fputc('\n', out);
	sa->described = true;
}

/* What it carried since the last sample. A counter that decreased began anew. */
static int64_t carried(const struct recorded_sa *sa, int64_t bytes)
{
	return bytes >= sa->bytes ? bytes - sa->bytes : bytes;
}

static int add_sa(struct record_trace *trace, const json_t *object, FILE *out)
{
	struct sa_view view;
	struct recorded_sa *sa;
	char name[NAME_SIZE];
	int64_t bytes = json_whole_or(object, "bytes", 0);
	uint64_t hash;
	bool known;
	int r = sa_view_read(object, &view);

	if (r < 0)
		return r;
	(void)snprintf(name, sizeof(name), "%s@%s%s%s", view.spi, view.dst, view.mark[0] ? "#" : "",
		       view.mark);
	hash = hash_bytes(&trace->seed, name, strlen(name));
	sa = find(trace, name, hash);
	known = sa;
	if (!known)
		sa = add(trace, name, hash);
	if (!sa)
		return -ENOMEM;
	if (known && bytes != sa->bytes)
		write_sa(trace, sa, carried(sa, bytes), "", object, &view, out);
	else if (!known && trace->complete)
		write_sa(trace, sa, bytes, "new", object, &view, out);
	sa->bytes = bytes;
	sa->sample = trace->sample;
	return 0;
}

int record_trace_add(struct record_trace *trace, const json_t *sas, FILE *out)
{
	if (!json_is_array(sas))
		return -EBADMSG;
	for (size_t i = 0; i < json_array_size(sas); i++) {
		int r = add_sa(trace, json_array_get(sas, i), out);

		if (r < 0)
			return r;
	}
	return 0;
}

void record_trace_end(struct record_trace *trace, FILE *out)
{
	struct recorded_sa *sa;

	trace->complete = true;
	HASH_TABLE_FOREACH(sa, &trace->sas, link) {
		if (sa->sample == trace->sample)
			continue;
		if (sa->described) {
			begin_row(trace, sa, 0, "gone", out);
			end_row(out);
		}
		hash_table_remove(&trace->sas, &sa->link);
		free(sa);
	}
}

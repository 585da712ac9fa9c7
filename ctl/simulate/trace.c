/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a trace: one row per SA and interval. The header names the columns, in any order.
 *
 *   time     seconds, the end of the interval; rows are in order of time
 *   sa       any string
 *   bytes    in that interval
 *   event    optional: new, gone (it ends with the interval), or nothing
 *   lineage  optional: SAs with the same one are rekeys of each other
 *
 * These describe the SA in its first row, for the rules of a configuration, and are all optional:
 *
 *   src, dst            addresses; without two of them the SA has no description
 *   direction           in, out
 *   reqid, if_id, mark  numbers; VALUE/MASK
 *   nic                 for whose table it competes, unless a rule says otherwise
 *
 * Other columns are ignored (also packets, since SAs are ranked by bytes). The whole file is read
 * and split in place. All rows are kept until the end, because the interval may have to be found
 * first. Then they are assigned to ticks of that interval.
 */
#include "simulate/trace.h"

#include "hash-table.h"
#include "hash.h"
#include "text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#define ERRORS_MAX 20
#define COLUMNS_MAX 64
#define NAME_MAX_BYTES 255
/* More ticks than the first limit, or than the second and this many per row, are a mistake in the
 * interval. */
#define TICKS_MAX 100e6
#define TICKS_PLAUSIBLE 1e6
#define TICKS_PER_ROW 100
/* s. The daemon's interval is at most 60 s. With a much longer one, the result says nothing about
 * the daemon. */
#define INTERVAL_MAX 3600.0
/* Of all rows together, so that sums fit into 64 bits. */
#define BYTES_MAX 0x1p62
/* In ticks. Times are inexact sums of decimal fractions, so a time this close after the end of a
 * tick belongs to it. */
#define TICK_TOLERANCE 1e-6

enum column {
	COLUMN_TIME,
	COLUMN_SA,
	COLUMN_BYTES,
	COLUMN_EVENT,
	COLUMN_LINEAGE,
	COLUMN_SOURCE,
	COLUMN_DESTINATION,
	COLUMN_DIRECTION,
	COLUMN_REQID,
	COLUMN_IF_ID,
	COLUMN_MARK,
	COLUMN_NIC,
	_COLUMN_MAX,
};

static const char *const column_names[_COLUMN_MAX] = {
	"time", "sa",        "bytes", "event", "lineage", "src",
	"dst",  "direction", "reqid", "if_id", "mark",    "nic",
};

enum event { EVENT_NONE, EVENT_NEW, EVENT_GONE };

struct row {
	double time;
	double bytes;
	uint32_t name;
	uint32_t lineage; /* name of the lineage, UINT32_MAX: none */
	uint32_t event;
	uint32_t line;
	uint32_t description; /* 1 + index, 0: none */
	uint32_t nic;         /* name of the NIC, UINT32_MAX: none */
};

struct name {
	struct hash_link link;
	const char *string; /* in the text */
	uint32_t number;
};

/* Numbered from 0 in the order of appearance. */
struct names {
	struct hash_table table;
	struct name **all; /* by number */
	size_t allocated;
};

struct reader {
	const char *path;
	FILE *errors;
	unsigned n_errors;
	int columns[COLUMNS_MAX]; /* enum column by position, -1: ignored */
	unsigned n_columns;
	struct names names;
	struct names lineages;
	struct names nics;
	struct row *rows;
	size_t n_rows;
	size_t allocated;
	struct sa_description *descriptions;
	size_t n_descriptions;
	size_t allocated_descriptions;
	double step;  /* smallest seen, 0: none */
	double bytes; /* of all rows */
};

static void names_done(struct names *names)
{
	struct name *name;

	HASH_TABLE_FOREACH(name, &names->table, link)
		free(name);
	hash_table_release(&names->table);
	free(names->all);
}

static void reader_done(struct reader *reader)
{
	names_done(&reader->names);
	names_done(&reader->lineages);
	names_done(&reader->nics);
	free(reader->rows);
	free(reader->descriptions);
}

/* Reports an error. It may quote the file, so control characters are replaced. */
static _printf_(3, 4) void complain(struct reader *reader, uint32_t line, const char *format, ...)
{
	char reason[512], clean[512];
	va_list arguments;

	if (reader->n_errors++ >= ERRORS_MAX)
		return;
	va_start(arguments, format);
	(void)vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	(void)fprintf(reader->errors, "%s:%u: %s\n", reader->path, line,
		      text_neutralise(clean, sizeof(clean), reason, strlen(reason)));
}

static int names_add(struct names *names, const char *string, uint64_t hash, struct name **ret_name)
{
	struct name *name;

	if (names->table.n == UINT32_MAX)
		return -E2BIG;
	if (names->table.n == names->allocated) {
		size_t allocated = names->allocated ? 2 * names->allocated : 256;
		struct name **all = reallocarray(names->all, allocated, sizeof(struct name *));

		if (!all)
			return -ENOMEM;
		names->all = all;
		names->allocated = allocated;
	}
	name = malloc(sizeof(*name));
	if (!name)
		return -ENOMEM;
	name->string = string;
	name->number = (uint32_t)names->table.n;
	names->all[name->number] = name;
	hash_table_add(&names->table, &name->link, hash);
	*ret_name = name;
	return 0;
}

static int names_get(struct names *names, const char *string, uint32_t *ret_number)
{
	/* The operator chooses the file, so no random seed is needed. */
	static const struct hash_seed seed;
	uint64_t hash = hash_bytes(&seed, string, strlen(string));
	struct name *name;
	int r = 0;

	HASH_TABLE_FOREACH_EQUAL(name, &names->table, hash, link)
		if (strcmp(name->string, string) == 0)
			break;
	if (!name)
		r = names_add(names, string, hash, &name);
	if (r < 0)
		return r;
	*ret_number = name->number;
	return 0;
}

static bool is_printable(const char *name)
{
	char clean[NAME_MAX_BYTES + 1];

	return strcmp(text_neutralise(clean, sizeof(clean), name, strlen(name)), name) == 0;
}

/* Returns the next line, without its newline or carriage return and newline. */
static char *next_line(char **text)
{
	char *line = *text, *end = strchrnul(line, '\n');

	*text = *end ? end + 1 : end;
	if (end > line && end[-1] == '\r')
		end--;
	*end = '\0';
	return line;
}

/* Splits in place; returns the number of fields, COLUMNS_MAX + 1 if there are more. */
static unsigned split(char *line, char *fields[COLUMNS_MAX])
{
	unsigned n = 0;

	for (;;) {
		char *comma = strchr(line, ',');

		if (n == COLUMNS_MAX)
			return COLUMNS_MAX + 1;
		fields[n++] = line;
		if (!comma)
			return n;
		*comma = '\0';
		line = comma + 1;
	}
}

static void read_header(struct reader *reader, char *line)
{
	char *fields[COLUMNS_MAX];
	bool seen[_COLUMN_MAX] = {};

	reader->n_columns = split(line, fields);
	if (reader->n_columns > COLUMNS_MAX) {
		complain(reader, 1, "more than %d columns", COLUMNS_MAX);
		return;
	}
	for (unsigned i = 0; i < reader->n_columns; i++) {
		reader->columns[i] = -1;
		for (int c = 0; c < _COLUMN_MAX; c++)
			if (strcmp(fields[i], column_names[c]) == 0)
				reader->columns[i] = c;
		if (reader->columns[i] < 0)
			continue;
		if (seen[reader->columns[i]])
			complain(reader, 1, "column '%s' appears twice", fields[i]);
		seen[reader->columns[i]] = true;
	}
	for (int c = COLUMN_TIME; c <= COLUMN_BYTES; c++)
		if (!seen[c])
			complain(reader, 1, "the header has no column '%s'", column_names[c]);
}

/* Digits only are the common case and fast. All other numbers are parsed by strtod(). */
static bool read_number(const char *text, double *ret_value)
{
	const char *p = text;
	uint64_t digits = 0;
	double value;
	char *end;

	while (*p >= '0' && *p <= '9' && p - text < 18)
		digits = digits * 10 + (uint64_t)(*p++ - '0');
	if (!*p && p > text) {
		*ret_value = (double)digits;
		return true;
	}
	if (*text == '-' || *text == '+' || *text == ' ')
		return false;
	value = strtod(text, &end);
	if (end == text || *end || !isfinite(value))
		return false;
	*ret_value = value;
	return true;
}

static bool read_event(const char *text, uint32_t *ret_event)
{
	if (!*text)
		*ret_event = EVENT_NONE;
	else if (strcmp(text, "new") == 0)
		*ret_event = EVENT_NEW;
	else if (strcmp(text, "gone") == 0)
		*ret_event = EVENT_GONE;
	else
		return false;
	return true;
}

static bool check_row(struct reader *reader, uint32_t line, char *const values[_COLUMN_MAX],
		      struct row *row)
{
	const struct row *last = reader->n_rows ? &reader->rows[reader->n_rows - 1] : NULL;

	if (!read_number(values[COLUMN_TIME], &row->time))
		complain(reader, line, "time '%s' is not a number of seconds >= 0",
			 values[COLUMN_TIME]);
	else if (last && row->time < last->time)
		complain(reader, line, "time %s is earlier than the row before",
			 values[COLUMN_TIME]);
	else if (!*values[COLUMN_SA])
		complain(reader, line, "the SA has no name");
	else if (strlen(values[COLUMN_SA]) > NAME_MAX_BYTES)
		complain(reader, line, "the SA's name is longer than %d bytes", NAME_MAX_BYTES);
	else if (!read_number(values[COLUMN_BYTES], &row->bytes) || row->bytes > BYTES_MAX)
		complain(reader, line, "bytes '%s' is not a number from 0 to 2^62",
			 values[COLUMN_BYTES]);
	else if (reader->bytes + row->bytes > BYTES_MAX)
		complain(reader, line, "the rows up to here add up to more than 2^62 bytes");
	else if (!read_event(values[COLUMN_EVENT], &row->event))
		complain(reader, line, "event '%s' is neither 'new' nor 'gone'",
			 values[COLUMN_EVENT]);
	else
		return true;
	return false;
}

static bool read_address(const char *text, uint16_t *ret_family, struct sa_address *ret_address)
{
	*ret_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	return inet_pton(*ret_family, text, ret_address->bytes) == 1;
}

/* Moves *text behind the number. 0: there is none. */
static uint32_t read_u32(const char **text)
{
	unsigned long value;
	char *end;

	if (**text < '0' || **text > '9')
		return 0;
	errno = 0;
	value = strtoul(*text, &end, 0);
	*text = end;
	return errno || value > UINT32_MAX ? 0 : (uint32_t)value;
}

static uint32_t read_whole(const char *text)
{
	uint32_t value = read_u32(&text);

	return *text ? 0 : value;
}

static void read_mark(const char *text, struct sa_id *id)
{
	if (!*text)
		return;
	id->mark_value = read_u32(&text);
	id->mark_mask = *text == '/' ? read_whole(text + 1) : UINT32_MAX;
}

/* False: the row has no addresses, or not two of one family. */
static bool read_description(char *const values[_COLUMN_MAX], struct sa_description *ret_sa)
{
	struct sa_description sa = {};
	uint16_t family;

	if (!read_address(values[COLUMN_SOURCE], &family, &sa.source) ||
	    !read_address(values[COLUMN_DESTINATION], &sa.id.family, &sa.id.destination) ||
	    family != sa.id.family)
		return false;
	if (strcmp(values[COLUMN_DIRECTION], "in") == 0)
		sa.direction = SA_DIRECTION_IN;
	else if (strcmp(values[COLUMN_DIRECTION], "out") == 0)
		sa.direction = SA_DIRECTION_OUT;
	sa.reqid = read_whole(values[COLUMN_REQID]);
	sa.if_id = read_whole(values[COLUMN_IF_ID]);
	read_mark(values[COLUMN_MARK], &sa.id);
	*ret_sa = sa;
	return true;
}

static int keep_description(struct reader *reader, char *const values[_COLUMN_MAX],
			    uint32_t *ret_description)
{
	struct sa_description sa;

	if (!read_description(values, &sa))
		return 0;
	if (reader->n_descriptions == UINT32_MAX - 1)
		return -E2BIG;
	if (reader->n_descriptions == reader->allocated_descriptions) {
		size_t allocated =
			reader->allocated_descriptions ? 2 * reader->allocated_descriptions : 256;
		struct sa_description *more =
			reallocarray(reader->descriptions, allocated, sizeof(*more));

		if (!more)
			return -ENOMEM;
		reader->descriptions = more;
		reader->allocated_descriptions = allocated;
	}
	reader->descriptions[reader->n_descriptions++] = sa;
	*ret_description = (uint32_t)reader->n_descriptions;
	return 0;
}

static int keep_row(struct reader *reader, const struct row *row)
{
	if (reader->n_rows > 0) {
		double step = row->time - reader->rows[reader->n_rows - 1].time;

		if (step > 0 && (reader->step <= 0 || step < reader->step))
			reader->step = step;
	}
	if (reader->n_rows == reader->allocated) {
		size_t allocated = reader->allocated ? 2 * reader->allocated : 4096;
		struct row *rows = reallocarray(reader->rows, allocated, sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		reader->rows = rows;
		reader->allocated = allocated;
	}
	reader->rows[reader->n_rows++] = *row;
	reader->bytes += row->bytes;
	return 0;
}

static int read_row(struct reader *reader, uint32_t line, char *text)
{
	static char nothing[] = "";
	char *fields[COLUMNS_MAX], *values[_COLUMN_MAX];
	struct row row = {.lineage = UINT32_MAX, .nic = UINT32_MAX, .line = line};
	size_t n_names = reader->names.table.n;
	unsigned n = split(text, fields);
	int r;

	if (n != reader->n_columns) {
		complain(reader, line, "%u fields, but the header has %u", n, reader->n_columns);
		return 0;
	}
	for (int c = 0; c < _COLUMN_MAX; c++)
		values[c] = nothing;
	for (unsigned i = 0; i < n; i++)
		if (reader->columns[i] >= 0)
			values[reader->columns[i]] = fields[i];
	if (!check_row(reader, line, values, &row))
		return 0;
	r = names_get(&reader->names, values[COLUMN_SA], &row.name);
	if (reader->names.table.n > n_names && !is_printable(values[COLUMN_SA]))
		complain(reader, line, "the SA's name '%s' is not printable UTF-8",
			 values[COLUMN_SA]);
	if (r >= 0 && *values[COLUMN_LINEAGE])
		r = names_get(&reader->lineages, values[COLUMN_LINEAGE], &row.lineage);
	if (r >= 0 && *values[COLUMN_NIC])
		r = names_get(&reader->nics, values[COLUMN_NIC], &row.nic);
	if (r >= 0)
		r = keep_description(reader, values, &row.description);
	return r < 0 ? r : keep_row(reader, &row);
}

static int read_rows(struct reader *reader, char *text)
{
	read_header(reader, next_line(&text));
	if (reader->n_errors > 0)
		return 0;
	for (uint32_t line = 2; *text && reader->n_errors <= ERRORS_MAX; line++) {
		char *row = next_line(&text);
		int r = *row ? read_row(reader, line, row) : 0;

		if (r < 0)
			return r;
	}
	if (reader->n_rows == 0 && reader->n_errors == 0)
		complain(reader, 1, "there are no rows");
	return 0;
}

#define LEFT_OUT UINT32_MAX

/* Assigns rows to the ticks of a trace. */
struct dealer {
	struct reader *reader;
	const struct simulate_selection *selection;
	struct simulate_trace *made;
	uint32_t *sas;      /* present SA + 1, by name; 0: none yet, or LEFT_OUT */
	uint32_t *lineages; /* of the trace + 1, by name of the lineage */
	bool *ended;        /* by name: only a row with `new` may follow */
	size_t allocated_names;
};

static void dealer_done(struct dealer *dealer)
{
	free(dealer->sas);
	free(dealer->lineages);
	free(dealer->ended);
}

static int deal_new_sa(struct dealer *dealer, const struct row *row)
{
	struct sim_trace *trace = dealer->made->trace;
	uint32_t *old = &dealer->sas[row->name], *known = NULL;
	uint32_t lineage, sa, *described;
	int r;

	if (row->lineage != UINT32_MAX)
		known = &dealer->lineages[row->lineage];
	if (known && *known)
		lineage = *known - 1;
	else if (!known && *old && *old != LEFT_OUT)
		lineage = trace->sas[*old - 1].lineage;
	else
		lineage = sim_trace_new_lineage(trace);
	if (known)
		*known = lineage + 1;
	r = sim_trace_add_sa(trace, lineage, &sa);
	if (r < 0)
		return r;
	if (sa == dealer->allocated_names) {
		size_t allocated = sa ? 2 * (size_t)sa : 256;
		char **names = reallocarray(dealer->made->names, allocated, sizeof(*names));

		if (!names)
			return -ENOMEM;
		memset(names + sa, 0, (allocated - sa) * sizeof(*names));
		dealer->made->names = names;
		described = reallocarray(dealer->made->described, allocated, sizeof(*described));
		if (!described)
			return -ENOMEM;
		dealer->made->described = described;
		dealer->allocated_names = allocated;
	}
	dealer->made->described[sa] = row->description;
	dealer->made->names[sa] = strdup(dealer->reader->names.all[row->name]->string);
	*old = sa + 1;
	dealer->ended[row->name] = false;
	return dealer->made->names[sa] ? 0 : -ENOMEM;
}

static bool is_selected(const struct dealer *dealer, const struct row *row)
{
	const struct simulate_selection *selection = dealer->selection;
	const struct reader *reader = dealer->reader;

	return !selection ||
	       selection->select(selection->userdata,
				 row->description ? &reader->descriptions[row->description - 1]
						  : NULL,
				 row->nic < UINT32_MAX ? reader->nics.all[row->nic]->string : NULL);
}

static int begin_sa(struct dealer *dealer, const struct row *row)
{
	if (is_selected(dealer, row))
		return deal_new_sa(dealer, row);
	dealer->sas[row->name] = LEFT_OUT;
	dealer->ended[row->name] = false;
	return 0;
}

static int add_row(struct dealer *dealer, const struct row *row)
{
	uint32_t sa = dealer->sas[row->name] - 1;
	int r = sim_trace_add_row(dealer->made->trace, sa, row->bytes);

	if (r >= 0 && row->event == EVENT_GONE)
		sim_trace_end_sa(dealer->made->trace, sa);
	return r;
}

static int deal_row(struct dealer *dealer, const struct row *row)
{
	const char *name = dealer->reader->names.all[row->name]->string;
	bool living = dealer->sas[row->name] && !dealer->ended[row->name];
	int r = 0;

	if (row->event == EVENT_NEW && living) {
		complain(dealer->reader, row->line, "'%s' is new, but it lives already", name);
		return 0;
	}
	if (row->event != EVENT_NEW && dealer->ended[row->name]) {
		complain(dealer->reader, row->line, "'%s' is gone, and this row is not 'new'",
			 name);
		return 0;
	}
	if (!living)
		r = begin_sa(dealer, row);
	if (r >= 0 && dealer->sas[row->name] != LEFT_OUT)
		r = add_row(dealer, row);
	dealer->ended[row->name] = row->event == EVENT_GONE;
	return r;
}

static int deal_rows(struct dealer *dealer, double interval)
{
	const struct reader *reader = dealer->reader;
	struct sim_trace *trace = dealer->made->trace;
	int r = sim_trace_next_tick(trace);

	for (size_t i = 0; r >= 0 && i < reader->n_rows; i++) {
		const struct row *row = &reader->rows[i];
		double tick = ceil((row->time - trace->start) / interval - TICK_TOLERANCE);

		while (r >= 0 && trace->n_ticks <= tick)
			r = sim_trace_next_tick(trace);
		if (r >= 0)
			r = deal_row(dealer, row);
	}
	return r < 0 ? r : sim_trace_finish(trace);
}

static int make_trace(struct reader *reader, double interval,
		      const struct simulate_selection *selection, struct simulate_trace *made)
{
	_cleanup_(dealer_done) struct dealer dealer = {
		.reader = reader, .selection = selection, .made = made};
	const struct row *last = &reader->rows[reader->n_rows - 1];
	double start = reader->rows[0].time, ticks;
	int r;

	if (interval <= 0)
		interval = reader->step > 0 ? reader->step : 1;
	ticks = (last->time - start) / interval;
	if (ticks > TICKS_MAX ||
	    ticks > fmax(TICKS_PLAUSIBLE, TICKS_PER_ROW * (double)reader->n_rows)) {
		complain(reader, last->line, "%g intervals of %g s for %zu rows; use --interval",
			 ticks, interval, reader->n_rows);
		return 0;
	}
	if (interval > INTERVAL_MAX) {
		complain(
			reader, last->line,
			"the rows are %g s apart, more than %g s; use --interval if they are right",
			interval, INTERVAL_MAX);
		return 0;
	}
	dealer.sas = calloc(reader->names.table.n + 1, sizeof(*dealer.sas));
	dealer.lineages = calloc(reader->lineages.table.n + 1, sizeof(*dealer.lineages));
	dealer.ended = calloc(reader->names.table.n + 1, sizeof(*dealer.ended));
	if (!dealer.sas || !dealer.lineages || !dealer.ended)
		return -ENOMEM;
	r = sim_trace_new(start, interval, &made->trace);
	if (r < 0)
		return r;
	made->n_rows = reader->n_rows;
	return deal_rows(&dealer, interval);
}

int simulate_trace_parse(const char *path, char *text, double interval,
			 const struct simulate_selection *selection, FILE *errors,
			 struct simulate_trace **ret_trace)
{
	_cleanup_(reader_done) struct reader reader = {.path = path, .errors = errors};
	_cleanup_(simulate_trace_freep) struct simulate_trace *made = calloc(1, sizeof(*made));
	int r;

	/* Spreadsheets begin UTF-8 with a byte order mark. */
	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	r = made ? read_rows(&reader, text) : -ENOMEM;

	if (r >= 0 && reader.n_errors == 0)
		r = make_trace(&reader, interval, selection, made);
	if (r < 0)
		return r;
	made->descriptions = TAKE_PTR(reader.descriptions);
	if (reader.n_errors > ERRORS_MAX)
		(void)fprintf(errors, "%s: further errors are not shown\n", path);
	if (reader.n_errors > 0)
		return -EBADMSG;
	*ret_trace = TAKE_PTR(made);
	return 0;
}

static int read_file(const char *path, char **ret_text)
{
	_cleanup_fclose_ FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	_cleanup_free_ char *text = NULL;
	size_t size = 0, allocated = 0;

	if (!file)
		return -errno;
	do {
		if (allocated - size < 65536) {
			char *bigger = realloc(text, allocated = 2 * allocated + 1048576);

			if (!bigger)
				return -ENOMEM;
			text = bigger;
		}
		size += fread(text + size, 1, allocated - size - 1, file);
		if (ferror(file))
			return errno ? -errno : -EIO;
	} while (!feof(file));
	text[size] = '\0';
	/* Refuse a NUL, which would end the text early. */
	if (strlen(text) != size)
		return -EILSEQ;
	*ret_text = TAKE_PTR(text);
	return 0;
}

int simulate_trace_load(const char *path, double interval,
			const struct simulate_selection *selection, FILE *errors,
			struct simulate_trace **ret_trace)
{
	_cleanup_free_ char *text = NULL;
	int r = read_file(path, &text);

	return r < 0 ? r : simulate_trace_parse(path, text, interval, selection, errors, ret_trace);
}

const struct sa_description *simulate_trace_description(const struct simulate_trace *trace,
							uint32_t sa)
{
	uint32_t description = trace->described[sa];

	return description > 0 ? &trace->descriptions[description - 1] : NULL;
}

struct simulate_trace *simulate_trace_free(struct simulate_trace *trace)
{
	if (!trace)
		return NULL;
	for (uint32_t i = 0; trace->names && i < trace->trace->n_sas; i++)
		free(trace->names[i]);
	free(trace->names);
	free(trace->described);
	free(trace->descriptions);
	sim_trace_free(trace->trace);
	free(trace);
	return NULL;
}

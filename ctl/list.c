/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `list`: the SAs, in the order and with the filters that the daemon offers. */
#include "control-interface.h"
#include "ctl.h"
#include "peer-listing.h"
#include "sa-listing.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Wide enough for every column at full length. */
#define UNLIMITED_WIDTH 1024
/* The columns of a table have the width that this many rows need. */
#define LAYOUT_ROWS 1024

/* Rows are printed as they come. */
struct printer {
	const struct ctl *ctl;
	struct ike_names *names; /* NULL: none */
	FILE *out;
	size_t printed; /* rows */
	bool begun;     /* JSON: the document */
	json_t *rows;   /* text: kept until the layout is known */
	struct sa_listing table;
	struct frame *frame; /* NULL: the layout is not known */
};

/* ---- JSON: the document that one reply with all rows would be. ---- */

/* Within the array of an object. */
static int write_nested(const char *text, size_t size, void *out)
{
	for (size_t i = 0; i < size; i++) {
		(void)putc_unlocked(text[i], out);
		if (text[i] == '\n')
			(void)fputs("    ", out);
	}
	return 0;
}

static int print_json_rows(struct printer *printer, const json_t *reply)
{
	const json_t *rows = json_object_get(reply, "sas");
	size_t flags = ctl_json_flags(printer->ctl);
	bool pretty = printer->ctl->json == CTL_JSON_PRETTY;
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row) {
		if (printer->printed++ > 0)
			(void)fputc(',', printer->out);
		if (pretty)
			(void)write_nested("\n", 1, printer->out);
		(void)json_dump_callback(row, write_nested, printer->out, flags);
	}
	return 0;
}

static void begin_json(struct printer *printer)
{
	(void)fputs(printer->ctl->json == CTL_JSON_PRETTY ? "{\n  \"sas\": [" : "{\"sas\":[",
		    printer->out);
}

/* The other members are those of the last reply. */
static int end_json(struct printer *printer, const json_t *reply)
{
	json_auto_t *rest = json_copy((json_t *)reply);

	if (json_object_del(rest, "sas") < 0)
		return -ENOMEM;
	if (printer->ctl->json == CTL_JSON_PRETTY && printer->printed > 0)
		(void)fputs("\n  ", printer->out);
	(void)fputs(json_object_size(rest) > 0 ? "]," : "]", printer->out);
	(void)json_dumpf(rest, printer->out, ctl_json_flags(printer->ctl) | JSON_EMBED);
	(void)fputs("}\n", printer->out);
	return 0;
}

/* ---- Text: peers ---- */

static int print_peers(const struct ctl *ctl, const json_t *reply)
{
	_cleanup_(frame_freep) struct frame *frame = NULL;
	_cleanup_free_ struct peer_view *peers = NULL;
	int width = ctl->terminal ? ctl->width : 0, row = 0, r;
	struct sums_view all, others;
	struct peer_listing table;
	size_t n;

	r = peer_views_read(reply, &peers, &n, &all, &others);
	if (r >= 0)
		r = frame_new(width > 0 ? width : UNLIMITED_WIDTH, (int)n + 2, ctl->ascii, &frame);
	if (r < 0)
		return r;
	table = peer_listing_layout(peers, n, &all, width, false);
	peer_table_draw_head(&table, frame, row++, -1);
	for (size_t i = 0; i < n; i++)
		peer_table_draw_row(&table, frame, row++, &peers[i], false);
	if (others.peers > 0)
		peer_table_draw_others(&table, frame, row++, &others);
	frame->height = row;
	frame_write(frame, ctl->color, stdout);
	return 0;
}

/* ---- Text: SAs ---- */

static int begin_table(struct printer *printer, const struct sa_view *const *rows, size_t n,
		       bool complete)
{
	const struct ctl *ctl = printer->ctl;
	int width = ctl->terminal ? ctl->width : 0;
	int r = frame_new(width > 0 ? width : UNLIMITED_WIDTH, 1, ctl->ascii, &printer->frame);
	uint32_t set;

	if (r < 0)
		return r;
	/* In a pipe all fields have full length; on a terminal they are fitted to its width. */
	set = sa_columns_usual(rows, n, width, false);
	printer->table = !complete && width == 0 ? sa_listing_widest(set)
						 : sa_listing_layout(rows, n, width, set);
	sa_table_draw_head(&printer->table, printer->frame, 0, -1);
	frame_write(printer->frame, ctl->color, printer->out);
	return 0;
}

static int print_table_rows(struct printer *printer, const json_t *reply, bool complete)
{
	_cleanup_free_ struct sa_view *views = NULL;
	_cleanup_free_ const struct sa_view **rows = NULL;
	size_t n = 0;
	int r = sa_views_read(reply, &views, &n);

	if (r < 0)
		return r;
	rows = calloc(n ? n : 1, sizeof(const struct sa_view *));
	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		rows[i] = &views[i];
	if (!printer->frame) {
		r = begin_table(printer, rows, n, complete);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < n; i++) {
		frame_clear(printer->frame, 0, 0, 1, printer->frame->width);
		sa_table_draw_row(&printer->table, printer->frame, 0, rows[i]);
		frame_write(printer->frame, printer->ctl->color, printer->out);
	}
	printer->printed += n;
	return 0;
}

static void end_table(const struct printer *printer, const json_t *reply)
{
	json_int_t total = json_integer_value(json_object_get(reply, "total"));

	if (total > (json_int_t)printer->printed)
		(void)fprintf(printer->out, "(%zu of %lld SAs)\n", printer->printed,
			      (long long)total);
}

/* The first rows are kept until there are enough for the layout. */
static int print_table(struct printer *printer, json_t *reply, bool last)
{
	json_auto_t *kept = NULL;
	int r;

	if (!printer->frame) {
		if (json_array_extend(printer->rows, json_object_get(reply, "sas")) < 0)
			return -ENOMEM;
		if (!last && json_array_size(printer->rows) < LAYOUT_ROWS)
			return 0;
		reply = kept = json_pack("{s:o, s:O*}", "sas", TAKE_PTR(printer->rows), "total",
					 json_object_get(reply, "total"));
		if (!kept)
			return -ENOMEM;
	}
	r = print_table_rows(printer, reply, last);
	if (r >= 0 && last)
		end_table(printer, reply);
	return r;
}

static int print_reply(json_t *reply, bool last, void *userdata)
{
	struct printer *printer = userdata;
	int r;

	if (!json_is_array(json_object_get(reply, "sas")))
		return -EBADMSG;
	ike_names_set_all(printer->names, json_object_get(reply, "sas"), NULL);
	if (printer->ctl->json == CTL_JSON_OFF)
		return print_table(printer, reply, last);
	if (!printer->begun)
		begin_json(printer);
	printer->begun = true;
	r = print_json_rows(printer, reply);
	return r >= 0 && last ? end_json(printer, reply) : r;
}

/* The reader of a pipe, such as a pager, may stop for minutes, and the daemon does not wait that
 * long. So the output is kept in a file first; without room for one it is written at once. */
static FILE *open_output(void)
{
	struct stat status;
	FILE *file = NULL;

	if (fstat(STDOUT_FILENO, &status) == 0 &&
	    (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)))
		file = tmpfile();
	return file ? file : stdout;
}

/* Copies what was kept, and closes the file. */
static int close_output(FILE *file)
{
	char buffer[BUFSIZ];
	size_t n;

	if (file == stdout)
		return ctl_check_output();
	if (fflush(file) != 0 || ferror(file)) {
		ctl_error("cannot write to a temporary file: %s", strerror(errno));
		return CTL_FAILURE;
	}
	rewind(file);
	while ((n = fread(buffer, 1, sizeof(buffer), file)) > 0)
		if (fwrite(buffer, 1, n, stdout) != n)
			break;
	(void)fclose(file);
	return ctl_check_output();
}

const struct option list_options[] = {
	{"limit", required_argument, NULL, 'l'},
	{"offset", required_argument, NULL, 'o'},
	{"sort", required_argument, NULL, 't'},
	{"reverse", no_argument, NULL, 'r'},
	{"nic", required_argument, NULL, 't'},
	{"placement", required_argument, NULL, 't'},
	{"peer", required_argument, NULL, 't'},
	{"direction", required_argument, NULL, 't'},
	{"filter", required_argument, NULL, 't'},
	{"group", required_argument, NULL, 'g'},
	{},
};

static int parse_options(int argc, char **argv, json_t *parameters, bool *ret_group)
{
	long number;
	int option, index;

	optind = 0;
	while ((option = getopt_long(argc, argv, ":", list_options, &index)) >= 0) {
		switch (option) {
		case 'l':
			if (ctl_parse_number(optarg, 1, INT_MAX, &number) < 0)
				return ctl_usage("list: --limit needs a number from 1 on, not '%s'",
						 optarg);
			(void)json_object_set_new(parameters, "limit", json_integer(number));
			break;
		case 'o':
			if (ctl_parse_number(optarg, 0, INT_MAX, &number) < 0)
				return ctl_usage("list: --offset needs a number, not '%s'", optarg);
			(void)json_object_set_new(parameters, "offset", json_integer(number));
			break;
		case 'r':
			(void)json_object_set_new(parameters, "reverse", json_true());
			break;
		case 'g':
			if (strcmp(optarg, "peer") != 0)
				return ctl_usage("list: --group is peer, not '%s'", optarg);
			*ret_group = true;
			break;
		case 't': /* the daemon checks the value */
			if (json_object_set_new(parameters, list_options[index].name,
						json_string(optarg)) < 0)
				return ctl_usage("list: the value of --%s is not UTF-8",
						 list_options[index].name);
			break;
		case ':':
			return ctl_usage("list: %s needs a value", argv[optind - 1]);
		default:
			return ctl_usage("list: unknown option %s", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return ctl_usage("list: unexpected argument '%s' (to search: --filter %s)",
				 argv[optind], argv[optind]);
	return CTL_OK;
}

int verb_list(const struct ctl *ctl, int argc, char **argv)
{
	struct printer printer = {.ctl = ctl};
	json_t *parameters = json_object();
	bool group = false;
	int r = parse_options(argc, argv, parameters, &group);

	if (r != CTL_OK) {
		json_decref(parameters);
		return r;
	}
	if (group)
		return ctl_call_and_show(ctl, CONTROL_INTERFACE ".ListPeers", parameters,
					 print_peers);
	printer.names = ike_ask(&ctl->ike);
	printer.rows = json_array();
	printer.out = open_output();
	r = ctl_call_more(ctl, CONTROL_INTERFACE ".ListSAs", parameters, print_reply, &printer);
	json_decref(printer.rows);
	frame_free(printer.frame);
	(void)ike_names_free(printer.names);
	if (r == CTL_OK)
		return close_output(printer.out);
	(void)fflush(printer.out);
	return r;
}

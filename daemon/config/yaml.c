/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libyaml's document API does not show anchors and tags, follows aliases and has no limits. So the
 * file is parsed twice: first as a stream of events, which shows these and can stop at the limits,
 * then as a document. Control characters and invalid UTF-8, which libyaml refuses without a line
 * number, are refused before with one.
 */
#include "config/yaml.h"

#include "cleanup.h"
#include "text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The deepest valid nesting is document > rules > rule > match > value. */
#define DEPTH_MAX 16
/* Real files have more than ten bytes of text per node. */
#define NODES_MAX (CONFIG_SIZE_MAX / 10)

struct config_place config_place(const yaml_node_t *node)
{
	const yaml_mark_t *start = &node->start_mark, *end = &node->end_mark;
	struct config_place place = {start->index, start->line, start->column, 1};

	/* The end of a block mapping or list is the beginning of the next token, so it is not
	 * used. */
	if (node->type == YAML_SCALAR_NODE && end->line == start->line &&
	    end->column > start->column)
		place.length = end->column - start->column;
	return place;
}

/* Of the file that is read. */
static struct config_place place_of(const struct config_report *report, const yaml_mark_t *mark)
{
	return (struct config_place){report->n_files - 1, mark->line, mark->column, 1};
}

/* What this character is, if the file must not contain it here, or NULL. */
static const char *refused_character(uint32_t code, bool line_start, uint32_t next)
{
	if (code == '\n' || code == '\t')
		return NULL;
	if (code == '\r')
		return next == '\n' ? NULL : "a carriage return that ends no line";
	if (code == 0)
		return "a NUL byte";
	if (code == 0x85 || code == 0x2028 || code == 0x2029)
		return "a Unicode line break"; /* YAML begins a new line here, editors do not */
	if (code < 0x20 || (code >= 0x7f && code < 0xa0))
		return "a control character";
	if (code == 0xfeff)
		return "a byte order mark inside the file";
	if (code == 0xfffe || code == 0xffff)
		return "a Unicode noncharacter";
	if (code == '%' && line_start)
		return "a YAML directive";
	return NULL;
}

/* Reports the first character that is not allowed. Others are probably of the same kind. */
static int check_characters(struct config_report *report, const char *text, size_t size)
{
	struct config_place place = {report->n_files - 1, 0, 0, 1};

	for (size_t at = 0; at < size;) {
		uint32_t code = 0;
		uint32_t next = at + 1 < size ? (unsigned char)text[at + 1] : 0;
		size_t length = text_decode(text + at, size - at, &code);
		const char *refused;

		if (length == 0) {
			config_error(report, &place, "not UTF-8: byte 0x%02x",
				     (unsigned char)text[at]);
			config_remedy(report, "save the file as UTF-8");
			return -EBADMSG;
		}
		refused = refused_character(code, place.column == 0, next);
		if (refused) {
			config_error(report, &place, "%s", refused);
			config_remedy(report, "remove it (U+%04X): the file is plain UTF-8 text",
				      code);
			return -EBADMSG;
		}
		at += length;
		place.column++;
		if (code == '\n')
			place = (struct config_place){place.file, place.line + 1, 0, 1};
	}
	return 0;
}

/* libyaml's messages for common mistakes, and better messages. */
static const struct translation {
	const char *problem; /* beginning of libyaml's message */
	const char *text;    /* NULL: libyaml's */
	const char *remedy;
	bool at_context; /* the mistake is where the construct began, not where it failed */
} translations[] = {
	{"found character that cannot start any token", "no value can begin with this character",
	 "write the value in quotes", false},
	{"found a tab character", "a tab in the indentation", "indent with spaces", false},
	{"mapping values are not allowed in this context", "a ':' where no key is allowed",
	 "one key on each line, all keys of a mapping in the same column; a value with ': ' in it "
	 "needs quotes",
	 false},
	{"could not find expected ':'", "a key without ':'", "write 'key: value'", true},
	{"did not find expected key", "not a key of the mapping above",
	 "all keys of a mapping begin in the same column, and nothing follows a closing quote",
	 false},
	{"did not find expected '-' indicator", "not an entry of the list above",
	 "all entries of a list begin with '- ' in the same column, and all keys of an entry in "
	 "the column of the first",
	 false},
	{"block sequence entries are not allowed", "a list cannot begin here",
	 "begin the list on the next line", false},
	{"did not find expected ',' or ']'", NULL,
	 "a list that begins with '[' goes on until ']', with ',' between its entries", false},
	{"did not find expected ',' or '}'", NULL,
	 "a mapping that begins with '{' goes on until '}', with ',' between its keys", false},
	{"found unexpected end of stream", "a quote that is never closed",
	 "close it with the same quote", true},
	{"found unexpected document indicator", "a quote that is never closed",
	 "close it with the same quote", true},
	{"did not find expected alphabetic or numeric character", NULL,
	 "a value that begins with '*' or '&' needs quotes: \"*\"", true},
	{"found unexpected ':'", NULL, "a value with ':' at its end needs quotes here", false},
	{"found unknown escape character", NULL,
	 "write the value in single quotes, where \\ means itself", false},
	{"did not find expected <document start>", "a value that belongs to no key",
	 "the file is a mapping: 'key: value'", false},
};

static const struct translation *translate(const char *problem)
{
	for (size_t i = 0; i < ELEMENTSOF(translations); i++)
		if (strncmp(problem, translations[i].problem, strlen(translations[i].problem)) == 0)
			return &translations[i];
	return NULL;
}

/* For a tab, libyaml's message is not helpful: "found character that cannot start any token". */
static bool is_tab(const char *text, size_t size, const yaml_mark_t *mark)
{
	const char *at = text;

	for (size_t line = 0; line < mark->line; line++) {
		at = memchr(at, '\n', size - (size_t)(at - text));
		if (!at)
			return false;
		at++;
	}
	for (size_t column = 0; column < mark->column; column++) {
		uint32_t code;

		at += text_decode(at, size - (size_t)(at - text), &code);
	}
	return at < text + size && *at == '\t';
}

static int report_syntax(struct config_report *report, const yaml_parser_t *parser)
{
	const struct config_file *file = config_report_file(report);
	const char *problem = parser->problem ? parser->problem : "not YAML";
	const struct translation *better = translate(problem);
	const yaml_mark_t *mark = &parser->problem_mark;
	struct config_place place;

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (better && better->at_context && parser->context)
		mark = &parser->context_mark;
	place = place_of(report, mark);
	if (is_tab(file->text, file->size, mark)) {
		config_error(report, &place, "a tab in the indentation");
		config_remedy(report, "YAML is indented with spaces, never with tabs");
		return -EBADMSG;
	}
	if (better && better->text)
		config_error(report, &place, "%s", better->text);
	else
		config_error(report, &place, "%s%s%s", problem, parser->context ? " " : "",
			     parser->context ? parser->context : "");
	config_remedy(report, "%s",
		      better ? better->remedy
			     : "a value with any of ,:[]{}#&*!|>'\"%@` in it may need quotes");
	return -EBADMSG;
}

/* The state of the first pass. */
struct structure {
	struct config_report *report;
	size_t documents;
	size_t nodes;
	size_t depth;
};

static void refuse(struct structure *structure, const yaml_event_t *event, const char *what,
		   const char *remedy)
{
	struct config_place place = place_of(structure->report, &event->start_mark);

	config_error(structure->report, &place, "%s", what);
	config_remedy(structure->report, "%s", remedy);
}

static void check_properties(struct structure *structure, const yaml_event_t *event,
			     const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		refuse(structure, event, "an anchor ('&')",
		       "anchors are not used here; a value that begins with '&' needs quotes");
	if (tag)
		refuse(structure, event, "a tag ('!')",
		       "tags are not used here; a value that begins with '!' needs quotes");
}

/* False if reading must stop. */
static bool check_event(struct structure *structure, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (structure->documents++ == 0)
			return true;
		refuse(structure, event, "a second document",
		       "one file holds one configuration: remove the '---' and what follows");
		return false;
	case YAML_ALIAS_EVENT:
		refuse(structure, event, "an alias ('*')",
		       "aliases are not used here; a pattern that begins with '*' needs quotes");
		return true;
	case YAML_SCALAR_EVENT:
		structure->nodes++;
		check_properties(structure, event, event->data.scalar.anchor,
				 event->data.scalar.tag);
		break;
	case YAML_SEQUENCE_START_EVENT:
		structure->nodes++;
		structure->depth++;
		check_properties(structure, event, event->data.sequence_start.anchor,
				 event->data.sequence_start.tag);
		break;
	case YAML_MAPPING_START_EVENT:
		structure->nodes++;
		structure->depth++;
		check_properties(structure, event, event->data.mapping_start.anchor,
				 event->data.mapping_start.tag);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		structure->depth--;
		return true;
	default:
		return true;
	}
	if (structure->depth > DEPTH_MAX) {
		refuse(structure, event, "nested too deeply", "nothing here nests that deep");
		return false;
	}
	if (structure->nodes > NODES_MAX) {
		refuse(structure, event, "too many values in one file",
		       "match several SAs with one rule: by prefix, mark or if_id");
		return false;
	}
	return true;
}

static int start_parser(yaml_parser_t *parser, const char *text, size_t size)
{
	if (!yaml_parser_initialize(parser))
		return -ENOMEM;
	yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(parser, (const unsigned char *)text, size);
	return 0;
}

static int check_events(struct config_report *report, yaml_parser_t *parser)
{
	struct structure structure = {.report = report};
	size_t errors = report->n_errors; /* of other files */
	bool more = true;

	while (more) {
		yaml_event_t event;

		if (!yaml_parser_parse(parser, &event))
			return report_syntax(report, parser);
		more = event.type != YAML_STREAM_END_EVENT && check_event(&structure, &event);
		yaml_event_delete(&event);
	}
	return report->n_errors > errors ? -EBADMSG : 0;
}

static int check_structure(struct config_report *report, const char *text, size_t size)
{
	yaml_parser_t parser;
	int r;

	r = start_parser(&parser, text, size);
	if (r < 0)
		return r;
	r = check_events(report, &parser);
	yaml_parser_delete(&parser);
	return r;
}

/* A mark of libyaml has the offset in the text, which is not needed. The number of the file is,
 * since a document is merged from several. */
static void mark_file(yaml_document_t *document, size_t file)
{
	for (yaml_node_t *node = document->nodes.start; node < document->nodes.top; node++)
		node->start_mark.index = file;
}

static int load_document(struct config_report *report, const char *text, size_t size,
			 yaml_document_t *ret_document)
{
	yaml_parser_t parser;
	int r;

	r = start_parser(&parser, text, size);
	if (r < 0)
		return r;
	if (!yaml_parser_load(&parser, ret_document))
		r = report_syntax(report, &parser);
	else
		mark_file(ret_document, report->n_files - 1);
	yaml_parser_delete(&parser);
	return r;
}

int config_yaml_load(struct config_report *report, yaml_document_t *ret_document)
{
	const char *text = config_report_file(report)->text;
	size_t size = config_report_file(report)->size;
	int r;

	if (size > CONFIG_SIZE_MAX) {
		config_error(report, NULL, "larger than %zu KiB", CONFIG_SIZE_MAX / 1024);
		config_remedy(report, "is this the configuration?");
		return -EBADMSG;
	}
	r = check_characters(report, text, size);
	if (r < 0)
		return r;
	r = check_structure(report, text, size);
	if (r < 0)
		return r;
	return load_document(report, text, size, ret_document);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a configuration: yaml.c parses the file and refuses unwanted YAML features. schema.c
 * reads the document by the tables of keys.c, nics.c, rules.c, conditions.c and groups.c into a
 * struct config. This is returned only if no error was reported.
 */
#include "config.h"

#include "config/contradictions.h"
#include "config/keys.h"
#include "config/match.h"
#include "config/report.h"
#include "config/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

static const char byte_order_mark[] = {'\xef', '\xbb', '\xbf'};

static double default_burst(double moves_per_second)
{
	return fmax(1, ceil(moves_per_second));
}

int config_new_default(struct config **ret_config)
{
	struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return -ENOMEM;
	config->mode = CONFIG_MODE_OBSERVE;
	config->interval = 1;
	config->moves_per_second = 4; /* a re-add costs firmware commands: docs/policy.md */
	config->moves_burst = default_burst(config->moves_per_second);
	config->retry_refused = 60;
	*ret_config = config;
	return 0;
}

struct config *config_free(struct config *config)
{
	if (!config)
		return NULL;
	for (size_t i = 0; i < config->n_nics; i++) {
		free(config->nics[i].name);
		free(config->nics[i].driver);
		free(config->nics[i].pci);
		free(config->nics[i].mac);
	}
	for (size_t i = 0; i < config->n_rules; i++) {
		free(config->rules[i].nic);
		free(config->rules[i].leave_software_driver);
	}
	for (size_t i = 0; i < config->n_groups; i++)
		free(config->groups[i].name);
	free(config->nics);
	free(config->rules);
	free(config->groups);
	free(config->path);
	free(config);
	return NULL;
}

static const yaml_node_t *entry_node(struct config_reader *reader, const yaml_node_t *root,
				     const char *list, size_t i)
{
	const yaml_node_t *node = config_find(reader, root, list);

	return yaml_document_get_node(reader->document, node->data.sequence.items.start[i]);
}

static void warn_unused(struct config_reader *reader, const yaml_node_t *node, unsigned line)
{
	struct config_place place = config_place(node);

	config_warning(reader->report, &place, "this entry is never used");
	config_remedy(reader->report, "the one in line %u matches first", line);
}

/* The line of entry `a` of a list if it shadows entry `b`, else 0. */
typedef unsigned (*covering_line)(const struct config *config, size_t a, size_t b);

static unsigned covering_nic(const struct config *config, size_t a, size_t b)
{
	bool covers = config_nic_covers(&config->nics[a], &config->nics[b]);

	return covers ? config->nics[a].line : 0;
}

static unsigned covering_rule(const struct config *config, size_t a, size_t b)
{
	bool covers = config_match_covers(&config->rules[a].match, &config->rules[b].match);

	return covers ? config->rules[a].line : 0;
}

static unsigned covering_group(const struct config *config, size_t a, size_t b)
{
	bool covers = config_match_covers(&config->groups[a].match, &config->groups[b].match);

	return covers ? config->groups[a].line : 0;
}

/* Warns about shadowed entries. They are allowed, since a quick change at the top of a list can
 * cause them. */
static void warn_unreachable(struct config_reader *reader, const yaml_node_t *root,
			     const struct config *config, const char *list, size_t n,
			     covering_line covering)
{
	for (size_t i = 0; i < n; i++) {
		unsigned line = 0;

		for (size_t j = 0; j < i && line == 0; j++)
			line = covering(config, j, i);
		if (line > 0)
			warn_unused(reader, entry_node(reader, root, list, i), line);
	}
}

static int read_document(struct config_report *report, yaml_document_t *document,
			 struct config *config)
{
	struct config_reader reader = {.document = document, .report = report};
	const yaml_node_t *root = yaml_document_get_root_node(document);
	struct config_place place;

	/* Only comments, or only "---". */
	if (!root || (root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0))
		return 0;
	if (root->type != YAML_MAPPING_NODE) {
		place = config_place(root);
		config_error(report, &place, "the file must be a mapping");
		config_remedy(report, "write 'key: value', as espoffloadd.conf(5) shows");
		return -EBADMSG;
	}
	config->moves_burst = 0;
	config_read_section(&reader, &config_section_file, root, config);
	if (config->moves_burst <= 0)
		config->moves_burst = default_burst(config->moves_per_second);
	if (reader.error < 0)
		return reader.error;
	if (report->n_errors > 0)
		return -EBADMSG;
	warn_unreachable(&reader, root, config, "nics", config->n_nics, covering_nic);
	warn_unreachable(&reader, root, config, "rules", config->n_rules, covering_rule);
	warn_unreachable(&reader, root, config, "groups", config->n_groups, covering_group);
	config_warn_contradictions(&reader, root, config);
	return 0;
}

static int build(struct config_report *report, const char *path, yaml_document_t *document,
		 struct config **ret_config)
{
	struct config *config;
	int r;

	r = config_new_default(&config);
	if (r < 0)
		return r;
	config->path = strdup(path);
	r = config->path ? read_document(report, document, config) : -ENOMEM;
	if (r < 0) {
		config_free(config);
		return r;
	}
	*ret_config = config;
	return 0;
}

static int parse(struct config_report *report, const char *path, struct config **ret_config)
{
	yaml_document_t document;
	int r;

	r = config_yaml_load(report, report->text, report->size, &document);
	if (r < 0)
		return r;
	r = build(report, path, &document, ret_config);
	yaml_document_delete(&document);
	return r;
}

/* Takes the text. */
static int parse_text(const char *path, char *text, size_t size, struct config_report *ret_report,
		      struct config **ret_config)
{
	int r;

	if (size >= sizeof(byte_order_mark) &&
	    memcmp(text, byte_order_mark, sizeof(byte_order_mark)) == 0) {
		size -= sizeof(byte_order_mark);
		memmove(text, text + sizeof(byte_order_mark), size);
	}
	config_report_init(ret_report, path, text, size);
	r = parse(ret_report, path, ret_config);
	if (r < 0 && r != -EBADMSG)
		config_error(ret_report, NULL, "%s", strerror(-r));
	config_report_sort(ret_report);
	return r;
}

int config_parse(const char *path, const char *text, size_t size, struct config_report *ret_report,
		 struct config **ret_config)
{
	char *copy = malloc(size > 0 ? size : 1);

	if (!copy) {
		config_report_init(ret_report, path, NULL, 0);
		config_error(ret_report, NULL, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	memcpy(copy, text, size);
	return parse_text(path, copy, size, ret_report, ret_config);
}

/* Reads one byte more than is allowed, so that the parser can detect a file that is too large. */
static int read_file(const char *path, char **ret_text, size_t *ret_size)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t size = 0;

	/* Non-blocking: a FIFO instead of the file must not block the daemon. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	text = malloc(CONFIG_SIZE_MAX + 1);
	if (!text)
		return -ENOMEM;
	while (size <= CONFIG_SIZE_MAX) {
		ssize_t n = read(fd, text + size, CONFIG_SIZE_MAX + 1 - size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		if (n > 0)
			size += (size_t)n;
	}
	*ret_text = TAKE_PTR(text);
	*ret_size = size;
	return 0;
}

int config_load(const char *path, struct config_report *ret_report, struct config **ret_config)
{
	char *text = NULL;
	size_t size = 0;
	int r;

	r = read_file(path, &text, &size);
	if (r < 0) {
		config_report_init(ret_report, path, NULL, 0);
		config_error(ret_report, NULL, "cannot be read: %s",
			     r == -EINVAL ? "not a regular file" : strerror(-r));
		return r;
	}
	return parse_text(path, text, size, ret_report, ret_config);
}

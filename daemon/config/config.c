/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a configuration: files.c finds the files. yaml.c parses each and refuses unwanted YAML
 * features. merge.c makes one document of several. schema.c reads the document by the tables of
 * keys.c, nics.c, rules.c, conditions.c and groups.c into a struct config. This is returned only if
 * no error was reported.
 */
#include "config.h"

#include "config/contradictions.h"
#include "config/effective.h"
#include "config/files.h"
#include "config/keys.h"
#include "config/match.h"
#include "config/merge.h"
#include "config/report.h"
#include "config/yaml.h"

#include <errno.h>
#include <math.h>
#include <string.h>

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
	for (size_t i = 0; i < config->n_files; i++)
		free(config->files[i]);
	free(config->files);
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

/* The line of entry `a` of a list if it shadows entry `b`, else 0. A later file may shadow entries
 * of an earlier one: that is how it overrides them. */
typedef unsigned (*covering_line)(const struct config *config, size_t a, size_t b);

static unsigned covering_nic(const struct config *config, size_t a, size_t b)
{
	bool covers = config_nic_covers(&config->nics[a], &config->nics[b]);

	return covers && config->nics[a].file == config->nics[b].file ? config->nics[a].line : 0;
}

static unsigned covering_rule(const struct config *config, size_t a, size_t b)
{
	bool covers = config_match_covers(&config->rules[a].match, &config->rules[b].match);

	return covers && config->rules[a].file == config->rules[b].file ? config->rules[a].line : 0;
}

static unsigned covering_group(const struct config *config, size_t a, size_t b)
{
	bool covers = config_match_covers(&config->groups[a].match, &config->groups[b].match);

	return covers && config->groups[a].file == config->groups[b].file ? config->groups[a].line
									  : 0;
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

static void warn(struct config_reader *reader, const yaml_node_t *root, const struct config *config)
{
	warn_unreachable(reader, root, config, "nics", config->n_nics, covering_nic);
	warn_unreachable(reader, root, config, "rules", config->n_rules, covering_rule);
	warn_unreachable(reader, root, config, "groups", config->n_groups, covering_group);
	config_warn_contradictions(reader, root, config);
}

static int describe(struct config_reader *reader, const yaml_node_t *root,
		    const struct config *config, json_t **ret_effective)
{
	if (!ret_effective)
		return 0;
	*ret_effective = config_effective(reader, root, config);
	return *ret_effective ? 0 : -ENOMEM;
}

/* `alone`: one file of several, whose warnings would be about a part of the configuration. */
static int read_document(struct config_report *report, yaml_document_t *document, bool alone,
			 struct config *config, json_t **ret_effective)
{
	struct config_reader reader = {
		.document = document,
		.report = report,
		.files = config->files,
	};
	const yaml_node_t *root = yaml_document_get_root_node(document);
	struct config_place place;

	/* Only comments, or only "---". */
	if (!root || (root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0))
		return describe(&reader, root, config, ret_effective);
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
	if (!alone)
		warn(&reader, root, config);
	return describe(&reader, root, config, ret_effective);
}

static int new_config(char *const *paths, size_t n, struct config **ret_config)
{
	_cleanup_(config_freep) struct config *config = NULL;
	int r;

	r = config_new_default(&config);
	if (r < 0)
		return r;
	config->files = calloc(n > 0 ? n : 1, sizeof(config->files[0]));
	if (!config->files)
		return -ENOMEM;
	for (; config->n_files < n; config->n_files++) {
		config->files[config->n_files] = strdup(paths[config->n_files]);
		if (!config->files[config->n_files])
			return -ENOMEM;
	}
	*ret_config = TAKE_PTR(config);
	return 0;
}

static int build(struct config_report *report, char *const *paths, size_t n_paths,
		 yaml_document_t *document, bool alone, struct config **ret_config,
		 json_t **ret_effective)
{
	_cleanup_(config_freep) struct config *config = NULL;
	int r;

	r = new_config(paths, n_paths, &config);
	if (r >= 0)
		r = read_document(report, document, alone, config, ret_effective);
	if (r >= 0)
		*ret_config = TAKE_PTR(config);
	return r;
}

/* The files that are being loaded. */
struct loading {
	struct config_report *report;
	char *const *paths;
	size_t n_paths;
	yaml_document_t documents[CONFIG_FILES_MAX];
	size_t n_documents;
	size_t size;        /* of all files so far */
	int error;          /* the first */
	json_t **effective; /* NULL: not needed */
};

static void loading_done(struct loading *loading)
{
	for (size_t i = 0; i < loading->n_documents; i++)
		yaml_document_delete(&loading->documents[i]);
}

/* An error in a part that a later file overrides is one too, so each file is also read alone. */
static int check_alone(struct loading *loading, yaml_document_t *document)
{
	_cleanup_(config_freep) struct config *config = NULL;

	if (loading->n_paths == 1)
		return 0;
	return build(loading->report, loading->paths, loading->n_paths, document, true, &config,
		     NULL);
}

static void note_error(struct loading *loading, int error)
{
	if (error < 0 && error != -EBADMSG)
		config_error(loading->report, NULL, "%s", strerror(-error));
	if (loading->error == 0)
		loading->error = error;
}

/* Takes the text. */
static void add_text(struct loading *loading, char *text, size_t size)
{
	size_t i = loading->n_documents;
	int r;

	if (size >= sizeof(byte_order_mark) &&
	    memcmp(text, byte_order_mark, sizeof(byte_order_mark)) == 0) {
		size -= sizeof(byte_order_mark);
		memmove(text, text + sizeof(byte_order_mark), size);
	}
	config_report_begin(loading->report, loading->paths[loading->report->n_files], text, size);
	r = config_yaml_load(loading->report, &loading->documents[i]);
	if (r >= 0) {
		loading->n_documents++;
		r = check_alone(loading, &loading->documents[i]);
	}
	note_error(loading, r);
}

static int merge_all(struct loading *loading, yaml_document_t *target)
{
	for (size_t i = 0; i < loading->n_documents; i++) {
		int r = config_merge(target, &config_section_file, &loading->documents[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int build_merged(struct loading *loading, struct config **ret_config)
{
	yaml_document_t merged;
	int r;

	if (!yaml_document_initialize(&merged, NULL, NULL, NULL, 1, 1))
		return -ENOMEM;
	r = merge_all(loading, &merged);
	if (r >= 0)
		r = build(loading->report, loading->paths, loading->n_paths, &merged, false,
			  ret_config, loading->effective);
	yaml_document_delete(&merged);
	return r;
}

static int end(struct loading *loading, struct config **ret_config)
{
	if (loading->error == 0 && loading->n_documents == 1)
		note_error(loading,
			   build(loading->report, loading->paths, loading->n_paths,
				 &loading->documents[0], false, ret_config, loading->effective));
	else if (loading->error == 0)
		note_error(loading, build_merged(loading, ret_config));
	config_report_sort(loading->report);
	return loading->error;
}

static int cannot_read(struct config_report *report, const char *path, int error)
{
	config_report_begin(report, path, NULL, 0);
	config_error(report, NULL, "cannot be read: %s",
		     error == -EINVAL ? "not a regular file" : strerror(-error));
	return error;
}

static void add_file(struct loading *loading)
{
	const char *path = loading->paths[loading->report->n_files];
	char *text = NULL;
	size_t size = 0;
	int r;

	r = config_file_read(path, &text, &size);
	if (r < 0) {
		r = cannot_read(loading->report, path, r);
		if (loading->error == 0)
			loading->error = r;
		return;
	}
	loading->size += size;
	add_text(loading, text, size);
	if (loading->size <= CONFIG_SIZE_MAX || size > CONFIG_SIZE_MAX)
		return;
	config_error(loading->report, NULL,
		     "with this file the configuration is larger than %zu KiB",
		     CONFIG_SIZE_MAX / 1024);
	note_error(loading, -EBADMSG);
}

static int load_files(char *const *paths, size_t n, struct config_report *report,
		      struct config **ret_config, json_t **ret_effective)
{
	_cleanup_(loading_done) struct loading loading = {
		.report = report,
		.paths = paths,
		.n_paths = n,
		.effective = ret_effective,
	};

	if (n == 0) /* all are hidden */
		config_report_begin(report, CONFIG_PATH_DEFAULT, NULL, 0);
	for (size_t i = 0; i < n; i++)
		add_file(&loading);
	return end(&loading, ret_config);
}

int config_parse(const char *path, const char *text, size_t size, struct config_report *ret_report,
		 struct config **ret_config)
{
	char *const paths[] = {(char *)path};
	_cleanup_(loading_done) struct loading loading = {
		.report = ret_report,
		.paths = paths,
		.n_paths = 1,
	};
	char *copy = malloc(size > 0 ? size : 1);

	*ret_report = (struct config_report){};
	if (!copy)
		return cannot_read(ret_report, path, -ENOMEM);
	memcpy(copy, text, size);
	add_text(&loading, copy, size);
	return end(&loading, ret_config);
}

const char *config_source_name(const struct config_source *source)
{
	return source->path ? source->path : CONFIG_PATH_DEFAULT;
}

const char *config_name(const struct config *config, char buffer[CONFIG_NAME_SIZE])
{
	if (config->n_files == 0)
		return "no file";
	if (config->n_files == 1)
		(void)snprintf(buffer, CONFIG_NAME_SIZE, "%s", config->files[0]);
	else
		(void)snprintf(buffer, CONFIG_NAME_SIZE, "%.250s and %zu more", config->files[0],
			       config->n_files - 1);
	return buffer;
}

static int refuse_files(const struct config_files *files, int error, struct config_report *report)
{
	if (error == -E2BIG) {
		config_report_begin(report, files->failed, NULL, 0);
		config_error(report, NULL, "one drop-in too many");
		config_remedy(report, "a main file and %d drop-ins are read", CONFIG_FILES_MAX - 1);
		return error;
	}
	return cannot_read(report, files->failed ? files->failed : CONFIG_PATH_DEFAULT, error);
}

int config_load_effective(const struct config_source *source, struct config_report *ret_report,
			  struct config **ret_config, json_t **ret_effective)
{
	_cleanup_(config_files_done) struct config_files files = {};
	char *const paths[] = {(char *)source->path};
	int r;

	*ret_report = (struct config_report){};
	if (source->path)
		return load_files(paths, 1, ret_report, ret_config, ret_effective);
	r = config_files_find(source->root ? source->root : "", &files);
	if (r < 0)
		return refuse_files(&files, r, ret_report);
	r = load_files(files.paths, files.n, ret_report, ret_config, ret_effective);
	/* A link to nothing, for example: not the same as no configuration. */
	return r == -ENOENT ? -EBADMSG : r;
}

int config_load_source(const struct config_source *source, struct config_report *ret_report,
		       struct config **ret_config)
{
	return config_load_effective(source, ret_report, ret_config, NULL);
}

int config_load(const char *path, struct config_report *ret_report, struct config **ret_config)
{
	const struct config_source source = {.path = path};

	return config_load_source(&source, ret_report, ret_config);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The main file and its drop-ins: which are read, and how they are merged. */
#include "cleanup.h"
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "remove-tree.h"

/* A root directory with files of a configuration. */
struct tree {
	char root[32];
	char errors[4096];
	struct config *config;
	int result;
};

static void make_parents(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);

	assert_non_null(copy);
	for (char *p = strchr(copy + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		assert_true(mkdir(copy, 0700) == 0 || errno == EEXIST);
		*p = '/';
	}
}

static void place(const struct tree *tree, char path[128], const char *name)
{
	(void)snprintf(path, 128, "%s%s", tree->root, name);
	make_parents(path);
}

static void put(const struct tree *tree, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	place(tree, path, name);
	file = fopen(path, "we");
	assert_non_null(file);
	(void)fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void put_link(const struct tree *tree, const char *name, const char *target)
{
	char path[128];

	place(tree, path, name);
	assert_int_equal(symlink(target, path), 0);
}

static void put_directory(const struct tree *tree, const char *name)
{
	char path[128];

	place(tree, path, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void open_tree(struct tree *tree)
{
	*tree = (struct tree){.root = "/tmp/test-drop-ins-XXXXXX"};
	assert_non_null(mkdtemp(tree->root));
}

static void close_tree(struct tree *tree)
{
	config_free(tree->config);
	remove_tree(tree->root);
}

/* Replaces the root in the messages by nothing, so that tests can compare them. */
static void keep_errors(struct tree *tree, const char *text)
{
	size_t length = strlen(tree->root), used = 0;

	while (*text) {
		if (strncmp(text, tree->root, length) == 0)
			text += length;
		else if (used < sizeof(tree->errors) - 1)
			tree->errors[used++] = *text++;
		else
			break;
	}
	tree->errors[used] = '\0';
}

static void load(struct tree *tree)
{
	const struct config_source source = {.root = tree->root};
	_cleanup_(config_report_done) struct config_report report = {0};
	_cleanup_free_ char *errors = NULL;

	tree->config = config_free(tree->config);
	tree->result = config_load_source(&source, &report, &tree->config);
	assert_int_equal(config_report_text(&report, &errors), 0);
	keep_errors(tree, errors);
}

static void load_well(struct tree *tree)
{
	load(tree);
	assert_string_equal(tree->errors, "");
	assert_int_equal(tree->result, 0);
}

/* `names` ends with NULL. */
static void assert_files(const struct tree *tree, const char *const *names)
{
	size_t n = 0;

	for (; names[n]; n++) {
		assert_true(n < tree->config->n_files);
		assert_string_equal(tree->config->files[n] + strlen(tree->root), names[n]);
	}
	assert_int_equal(tree->config->n_files, n);
}

#define FILES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_order_of_names(void **state)
{
	struct tree *tree = *state;

	put(tree, "/usr/lib/espoffloadd.conf.d/30-c.conf", "interval: 3s\n");
	put(tree, "/run/espoffloadd.conf.d/10-a.conf", "interval: 1s\n");
	put(tree, "/etc/espoffloadd.conf.d/20-b.conf", "interval: 2s\n");
	put(tree, "/etc/espoffloadd.conf",
	    "interval: 9s\nmode: enforce\n"
	    "nics: [{allow: true, trusted: true}]\n");
	/* Not drop-ins. */
	put(tree, "/etc/espoffloadd.conf.d/40-d.conf~", "interval: 4s\n");
	put(tree, "/etc/espoffloadd.conf.d/.50-e.conf", "interval: 5s\n");
	put(tree, "/etc/espoffloadd.conf.d/.conf", "interval: 6s\n");
	load_well(tree);
	assert_files(tree, FILES("/etc/espoffloadd.conf", "/run/espoffloadd.conf.d/10-a.conf",
				 "/etc/espoffloadd.conf.d/20-b.conf",
				 "/usr/lib/espoffloadd.conf.d/30-c.conf"));
	assert_true(tree->config->interval == 3);
	assert_int_equal(tree->config->mode, CONFIG_MODE_ENFORCE);
}

static void test_masks(void **state)
{
	struct tree *tree = *state;

	put(tree, "/usr/lib/espoffloadd.conf.d/10-same.conf", "interval: 1s\n");
	put(tree, "/run/espoffloadd.conf.d/10-same.conf", "interval: 2s\n");
	put(tree, "/usr/lib/espoffloadd.conf.d/20-empty.conf", "interval: 3s\n");
	put(tree, "/run/espoffloadd.conf.d/20-empty.conf", "");
	put(tree, "/run/espoffloadd.conf.d/30-null.conf", "interval: 4s\n");
	put_link(tree, "/etc/espoffloadd.conf.d/30-null.conf", "/dev/null");
	load_well(tree);
	assert_files(tree, FILES("/run/espoffloadd.conf.d/10-same.conf"));
	assert_true(tree->config->interval == 2);

	put(tree, "/etc/espoffloadd.conf.d/10-same.conf", "interval: 5s\n");
	load_well(tree);
	assert_files(tree, FILES("/etc/espoffloadd.conf.d/10-same.conf"));
	assert_true(tree->config->interval == 5);
}

static void test_main_file(void **state)
{
	struct tree *tree = *state;

	load(tree);
	assert_int_equal(tree->result, -ENOENT);
	assert_string_equal(tree->errors, "/etc/espoffloadd.conf: error: cannot be read: "
					  "No such file or directory\n");
	put(tree, "/usr/lib/espoffloadd.conf", "interval: 1s\n");
	load_well(tree);
	assert_files(tree, FILES("/usr/lib/espoffloadd.conf"));
	put(tree, "/run/espoffloadd.conf", "interval: 2s\n");
	load_well(tree);
	assert_files(tree, FILES("/run/espoffloadd.conf"));
	put_link(tree, "/etc/espoffloadd.conf", "/dev/null");
	load_well(tree);
	assert_int_equal(tree->config->n_files, 0);
	assert_int_equal(tree->config->mode, CONFIG_MODE_OBSERVE);
}

/* The rules of a later file are asked first, since the first rule that matches decides. */
static void test_rules(void **state)
{
	struct tree *tree = *state;

	put(tree, "/etc/espoffloadd.conf", "rules:\n- {match: {reqid: 1}}\n- {offload: never}\n");
	put(tree, "/etc/espoffloadd.conf.d/10-a.conf",
	    "rules:\n\n- {match: {reqid: 2}}\n- {match: {reqid: 3}}\n");
	put(tree, "/etc/espoffloadd.conf.d/20-b.conf", "rules: [{match: {reqid: 1}, weight: 4}]\n");
	put(tree, "/etc/espoffloadd.conf.d/30-c.conf", "rules:\n# - {offload: never}\n");
	load_well(tree);
	assert_int_equal(tree->config->n_rules, 5);
	assert_true(tree->config->rules[0].weight == 4);
	assert_int_equal(tree->config->rules[0].line, 1);
	assert_string_equal(tree->config->rules[0].file + strlen(tree->root),
			    "/etc/espoffloadd.conf.d/20-b.conf");
	assert_int_equal(tree->config->rules[1].match.reqid.value, 2);
	assert_int_equal(tree->config->rules[1].line, 3);
	assert_string_equal(tree->config->rules[1].file + strlen(tree->root),
			    "/etc/espoffloadd.conf.d/10-a.conf");
	assert_int_equal(tree->config->rules[2].match.reqid.value, 3);
	assert_int_equal(tree->config->rules[3].match.reqid.value, 1);
	assert_string_equal(tree->config->rules[3].file + strlen(tree->root),
			    "/etc/espoffloadd.conf");
	assert_int_equal(tree->config->rules[4].offload, CONFIG_OFFLOAD_NEVER);
}

/* An entry with the same `match` as one of an earlier file changes it, where it is. */
static void test_nics(void **state)
{
	struct tree *tree = *state;
	const struct config_nic *nics;

	put(tree, "/etc/espoffloadd.conf",
	    "nics:\n"
	    "  - match: {name: eth0}\n    allow: true\n    trusted: true\n    max-rate: 1Gbit/s\n"
	    "  - match: {name: \"eth*\", driver: ixgbe}\n    allow: true\n"
	    "  - allow: false\n");
	put(tree, "/etc/espoffloadd.conf.d/10-a.conf",
	    "nics:\n"
	    "  - match: {driver: ixgbe, name: \"eth*\"}\n    trusted: true\n"
	    "  - match: {name: eth1}\n    allow: true\n"
	    "  - fips: true\n");
	put(tree, "/etc/espoffloadd.conf.d/20-b.conf",
	    "nics:\n"
	    "  - match: {name: eth0}\n    trusted: false\n    capacity: 8\n"
	    "  - match: {name: eth0, driver: ixgbe}\n");
	load_well(tree);
	nics = tree->config->nics;
	assert_int_equal(tree->config->n_nics, 5);
	assert_string_equal(nics[0].name, "eth0");
	assert_string_equal(nics[0].driver, "ixgbe");
	assert_string_equal(nics[1].name, "eth1");
	assert_string_equal(nics[2].name, "eth0");
	assert_null(nics[2].driver);
	assert_true(nics[2].allow && !nics[2].trusted && nics[2].capacity.in == 8);
	assert_true(nics[2].max_rate == 1.25e8);
	assert_int_equal(nics[2].line, 2);
	assert_string_equal(nics[3].driver, "ixgbe");
	assert_true(nics[3].allow && nics[3].trusted);
	assert_null(nics[4].name);
	assert_true(nics[4].fips && !nics[4].allow);
}

/* Within a file the first entry decides, also over an earlier file. */
static void test_nic_twice(void **state)
{
	struct tree *tree = *state;
	const struct config_nic *nics;

	put(tree, "/etc/espoffloadd.conf",
	    "nics:\n"
	    "  - match: {name: eth0}\n    allow: true\n    trusted: true\n");
	put(tree, "/etc/espoffloadd.conf.d/10-a.conf",
	    "nics:\n"
	    "  - match: {name: eth0}\n    allow: false\n"
	    "  - match: {name: eth0}\n    allow: true\n    fips: true\n");
	load_well(tree);
	nics = tree->config->nics;
	assert_int_equal(tree->config->n_nics, 1);
	assert_true(!nics[0].allow && nics[0].trusted && !nics[0].fips);
}

static void test_groups(void **state)
{
	struct tree *tree = *state;
	const struct config_group *groups;

	put(tree, "/etc/espoffloadd.conf",
	    "groups:\n- {name: a, match: {reqid: 1}, ceiling: 4}\n"
	    "- {name: b, match: {reqid: 2}, floor: 2}\n");
	put(tree, "/etc/espoffloadd.conf.d/10-a.conf",
	    "groups:\n- {name: c, ceiling: 9}\n- {name: b, match: {if_id: 7}, ceiling: 3}\n");
	load_well(tree);
	groups = tree->config->groups;
	assert_int_equal(tree->config->n_groups, 3);
	assert_string_equal(groups[0].name, "c");
	assert_string_equal(groups[1].name, "a");
	assert_string_equal(groups[2].name, "b");
	assert_int_equal(groups[2].floor, 2);
	assert_int_equal(groups[2].ceiling, 3);
	/* A match is replaced as a whole. */
	assert_false(groups[2].match.reqid.set);
	assert_int_equal(groups[2].match.if_id.value, 7);

	/* What two files make together is checked too. */
	put(tree, "/etc/espoffloadd.conf.d/20-b.conf", "groups:\n- name: b\n  ceiling: 1\n");
	load(tree);
	assert_int_equal(tree->result, -EBADMSG);
	assert_string_equal(
		tree->errors,
		"/etc/espoffloadd.conf:3:39: error: 'floor' 2 is above 'ceiling' 1\n"
		"    3 | - {name: b, match: {reqid: 2}, floor: 2}\n"
		"      |                                       ^\n"
		"      = help: 'floor' slots are promised to the group, 'ceiling' is the "
		"most it gets\n");
}

/* Each message names its file, and an error counts even where a later file overrides it. */
static void test_errors(void **state)
{
	struct tree *tree = *state;

	put(tree, "/etc/espoffloadd.conf", "interval: banana\n");
	put(tree, "/etc/espoffloadd.conf.d/10-a.conf", "interval: 1s\n\n interval: 2s\n");
	put(tree, "/run/espoffloadd.conf.d/20-b.conf", "mode: enforce\nrule: []\n");
	put_link(tree, "/etc/espoffloadd.conf.d/30-c.conf", "nothing");
	load(tree);
	assert_int_equal(tree->result, -EBADMSG);
	assert_null(tree->config);
	assert_string_equal(
		tree->errors,
		"/etc/espoffloadd.conf:1:11: error: 'interval' takes a time with its unit, not "
		"'banana'\n"
		"    1 | interval: banana\n"
		"      |           ^~~~~~\n"
		"      = help: write it like 250ms; the units are ms, s, min, h\n"
		"/etc/espoffloadd.conf.d/10-a.conf:3:10: error: a ':' where no key is allowed\n"
		"    3 |  interval: 2s\n"
		"      |          ^\n"
		"      = help: one key on each line, all keys of a mapping in the same column; a "
		"value with ': ' in it needs quotes\n"
		"/run/espoffloadd.conf.d/20-b.conf:2:1: error: unknown key 'rule' in the "
		"configuration\n"
		"    2 | rule: []\n"
		"      | ^~~~\n"
		"      = help: did you mean 'rules'?\n"
		"/etc/espoffloadd.conf.d/30-c.conf: error: cannot be read: No such file or "
		"directory\n");
}

/* Only what hides an entry of its own file is a mistake. */
static void test_warnings(void **state)
{
	struct tree *tree = *state;

	put(tree, "/etc/espoffloadd.conf",
	    "mode: enforce\nnics: [{allow: true, trusted: true, capacity: 4}]\n"
	    "rules: [{match: {reqid: 1}, offload: never}]\n");
	put(tree, "/etc/espoffloadd.conf.d/10-a.conf",
	    "rules: [{offload: always}, {match: {reqid: 2}}]\n"
	    "groups: [{name: a, floor: 5}]\n");
	load(tree);
	assert_int_equal(tree->result, 0);
	assert_string_equal(tree->errors,
			    "/etc/espoffloadd.conf.d/10-a.conf:1:28: warning: this entry is never "
			    "used\n"
			    "    1 | rules: [{offload: always}, {match: {reqid: 2}}]\n"
			    "      |                            ^\n"
			    "      = help: the one in line 1 matches first\n"
			    "/etc/espoffloadd.conf.d/10-a.conf:2:27: warning: 'floor' 5 is above "
			    "the capacity\n"
			    "    2 | groups: [{name: a, floor: 5}]\n"
			    "      |                           ^\n"
			    "      = help: a table of the NICs of the entry "
			    "/etc/espoffloadd.conf:2 has 4 slots\n");
	/* Together the files allow a NIC, and alone they would not: no warning. */
	put(tree, "/etc/espoffloadd.conf", "mode: enforce\n");
	put(tree, "/etc/espoffloadd.conf.d/10-a.conf", "nics: [{allow: true, trusted: true}]\n");
	load_well(tree);
}

static void test_not_readable(void **state)
{
	struct tree *tree = *state;

	put(tree, "/etc/espoffloadd.conf", "interval: 1s\n");
	put(tree, "/run/espoffloadd.conf.d", "interval: 1s\n");
	load(tree);
	assert_int_equal(tree->result, -ENOTDIR);
	assert_string_equal(tree->errors, "/run/espoffloadd.conf.d: error: cannot be read: Not a "
					  "directory\n");
	close_tree(tree);
	open_tree(tree);
	put_directory(tree, "/run/espoffloadd.conf.d/10-a.conf");
	load(tree);
	assert_int_equal(tree->result, -EISDIR);
	assert_string_equal(tree->errors, "/run/espoffloadd.conf.d/10-a.conf: error: cannot be "
					  "read: Is a directory\n");
}

static void test_limits(void **state)
{
	struct tree *tree = *state;
	char name[64];
	char *large = malloc(700 * 1024 + 1);

	for (unsigned i = 0; i < CONFIG_FILES_MAX - 1; i++) {
		(void)snprintf(name, sizeof(name), "/run/espoffloadd.conf.d/%02u.conf", i);
		put(tree, name, "interval: 1s\n");
	}
	load_well(tree);
	assert_int_equal(tree->config->n_files, CONFIG_FILES_MAX - 1);
	put(tree, "/etc/espoffloadd.conf", "interval: 1s\n");
	load_well(tree);
	put(tree, "/etc/espoffloadd.conf.d/one-more.conf", "interval: 1s\n");
	load(tree);
	assert_int_equal(tree->result, -E2BIG);
	assert_non_null(strstr(tree->errors,
			       ": error: one drop-in too many\n"
			       "      = help: a main file and 63 drop-ins are read\n"));
	close_tree(tree);

	open_tree(tree);
	assert_non_null(large);
	memset(large, '#', 700 * 1024);
	large[700 * 1024] = '\0';
	put(tree, "/etc/espoffloadd.conf", large);
	put(tree, "/etc/espoffloadd.conf.d/10-a.conf", large);
	load(tree);
	assert_int_equal(tree->result, -EBADMSG);
	assert_string_equal(tree->errors,
			    "/etc/espoffloadd.conf.d/10-a.conf: error: with this file "
			    "the configuration is larger than 1024 KiB\n");
	free(large);
}

static int setup(void **state)
{
	struct tree *tree = malloc(sizeof(*tree));

	assert_non_null(tree);
	open_tree(tree);
	*state = tree;
	return 0;
}

static int teardown(void **state)
{
	close_tree(*state);
	free(*state);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order_of_names), TEST(test_masks),  TEST(test_main_file),
		TEST(test_rules),          TEST(test_nics),   TEST(test_nic_twice),
		TEST(test_groups),         TEST(test_errors), TEST(test_warnings),
		TEST(test_not_readable),   TEST(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

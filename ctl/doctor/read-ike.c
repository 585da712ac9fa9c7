/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts about IKE daemons: which run, and which connections of their configuration offload by
 * themselves. strongSwan: hw_offload in swanctl.conf, and in ipsec.conf for its older starter.
 * libreswan: nic-offload in ipsec.conf. Only those values are kept; the files may have secrets.
 */
#include "doctor/facts.h"

#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>

#define WORD_SIZE 256
#define DEPTH_MAX 16

static void add_setting(struct facts *facts, const struct ike_setting *setting)
{
	if (facts->n_ike == FACT_IKE_SETTINGS_MAX)
		facts->n_ike_lost++;
	else
		facts->ike[facts->n_ike++] = *setting;
}

static void make_setting(struct ike_setting *setting, enum ike_daemon daemon, const char *path,
			 unsigned line, const char *connection, const char *value)
{
	*setting = (struct ike_setting){.daemon = daemon, .line = line};
	(void)text_neutralise(setting->path, sizeof(setting->path), path, strlen(path));
	(void)text_neutralise(setting->connection, sizeof(setting->connection), connection,
			      strlen(connection));
	(void)text_neutralise(setting->value, sizeof(setting->value), value, strlen(value));
}

/* ---- swanctl.conf: sections in braces, KEY = VALUE until the end of the line, # comments ---- */

struct swanctl {
	struct facts *facts;
	FILE *file;
	const char *path;
	unsigned line;
	unsigned depth;
	char sections[DEPTH_MAX][WORD_SIZE];
};

/* In quotes '#' begins no comment. */
static int next_character(struct swanctl *s, bool quoted)
{
	int c = getc(s->file);

	if (c == '#' && !quoted) {
		while (c != EOF && c != '\n')
			c = getc(s->file);
	}
	if (c == '\n')
		s->line++;
	return c;
}

/* Reads up to one of `ends`, which is returned, or EOF. Blanks at both ends are removed. */
static int read_word(struct swanctl *s, const char *ends, char word[WORD_SIZE])
{
	bool quoted = false;
	size_t n = 0;
	int c;

	while ((c = next_character(s, quoted)) != EOF && (quoted || !strchr(ends, c))) {
		if (c == '"')
			quoted = !quoted;
		else if (n < WORD_SIZE - 1 && (n > 0 || !isspace(c)))
			word[n++] = (char)c;
	}
	while (n > 0 && isspace((unsigned char)word[n - 1]))
		n--;
	word[n] = '\0';
	return c;
}

static void enter(struct swanctl *s, const char *name)
{
	size_t length = strcspn(name, ":"); /* "NAME : OTHER" takes the values of another */

	while (length > 0 && isspace((unsigned char)name[length - 1]))
		length--;
	if (s->depth < DEPTH_MAX)
		(void)snprintf(s->sections[s->depth], WORD_SIZE, "%.*s", (int)length, name);
	s->depth++;
}

/* connections.CONNECTION.children.CHILD.hw_offload */
static void use_value(struct swanctl *s, unsigned line, const char *key, const char *value)
{
	struct ike_setting setting;
	char name[2 * WORD_SIZE + 1];

	if (strcmp(key, "hw_offload") != 0)
		return;
	if (s->depth >= 4 && s->depth <= DEPTH_MAX)
		(void)snprintf(name, sizeof(name), "%s.%s", s->sections[1],
			       s->sections[s->depth - 1]);
	else
		(void)snprintf(name, sizeof(name), "%s", s->depth > 0 ? s->sections[0] : "?");
	make_setting(&setting, IKE_STRONGSWAN, s->path, line, name, value);
	add_setting(s->facts, &setting);
}

static void read_swanctl(struct facts *facts, FILE *file, const char *path)
{
	struct swanctl s = {.facts = facts, .file = file, .path = path, .line = 1};
	char key[WORD_SIZE], value[WORD_SIZE];
	int end;

	while ((end = read_word(&s, "{}=\n", key)) != EOF) {
		unsigned line = s.line;

		if (end == '{') {
			enter(&s, key);
		} else if (end == '}' && s.depth > 0) {
			s.depth--;
		} else if (end == '=') {
			end = read_word(&s, "\n}", value);
			use_value(&s, line, key, value);
			if (end == '}' && s.depth > 0)
				s.depth--;
		}
	}
}

/* ---- ipsec.conf: "conn NAME", then indented lines KEY=VALUE ---- */

#define CONNECTIONS_MAX 64

struct connection {
	struct ike_setting setting; /* value "": none */
	bool has_also;              /* another section may have the value */
};

struct ipsec {
	struct connection connections[CONNECTIONS_MAX];
	size_t n;
};

/* Cuts a comment and the blanks at both ends. */
static char *trim(char *text)
{
	size_t n;

	text[strcspn(text, "#\n")] = '\0';
	while (isspace((unsigned char)*text))
		text++;
	n = strlen(text);
	while (n > 0 && isspace((unsigned char)text[n - 1]))
		text[--n] = '\0';
	return text;
}

static void begin_connection(struct ipsec *ipsec, const char *path, unsigned line, const char *name)
{
	if (ipsec->n == CONNECTIONS_MAX)
		return;
	ipsec->connections[ipsec->n] = (struct connection){};
	make_setting(&ipsec->connections[ipsec->n].setting, IKE_LIBRESWAN, path, line, name, "");
	ipsec->n++;
}

static void read_key(struct connection *connection, const char *path, unsigned line, char *text)
{
	char *value = strchr(text, '=');
	char name[FACT_NAME_SIZE];

	if (!value)
		return;
	*value++ = '\0';
	text = trim(text);
	memcpy(name, connection->setting.connection, sizeof(name));
	if (strcmp(text, "also") == 0)
		connection->has_also = true;
	else if (strcmp(text, "nic-offload") == 0)
		make_setting(&connection->setting, IKE_LIBRESWAN, path, line, name, trim(value));
	else if (strcmp(text, "hw_offload") == 0)
		make_setting(&connection->setting, IKE_STRONGSWAN, path, line, name, trim(value));
}

static void read_ipsec(struct ipsec *ipsec, FILE *file, const char *path)
{
	char line[1024];
	struct connection *connection = NULL;

	for (unsigned n = 1; fgets(line, sizeof(line), file); n++) {
		bool indented = isspace((unsigned char)line[0]);
		char *text = trim(line);

		if (!text[0])
			continue;
		if (indented && connection) {
			read_key(connection, path, n, text);
		} else if (!indented) {
			size_t before = ipsec->n;

			if (strncmp(text, "conn ", strlen("conn ")) == 0)
				begin_connection(ipsec, path, n, trim(text + strlen("conn ")));
			connection = ipsec->n > before ? &ipsec->connections[before] : NULL;
		}
	}
}

/* A connection without a value has that of %default. */
static void finish_ipsec(struct facts *facts, const struct ipsec *ipsec)
{
	const struct connection *defaults = NULL;

	for (size_t i = 0; i < ipsec->n; i++)
		if (strcmp(ipsec->connections[i].setting.connection, "%default") == 0 &&
		    ipsec->connections[i].setting.value[0])
			defaults = &ipsec->connections[i];
	if (defaults)
		add_setting(facts, &defaults->setting);
	for (size_t i = 0; i < ipsec->n; i++) {
		const struct connection *connection = &ipsec->connections[i];

		if (connection == defaults ||
		    strcmp(connection->setting.connection, "%default") == 0)
			continue;
		if (connection->setting.value[0] || (!defaults && !connection->has_also))
			add_setting(facts, &connection->setting);
	}
}

/* ---- Where they are ---- */

static const char *const swanctl_globs[] = {
	"/etc/swanctl/swanctl.conf",
	"/etc/swanctl/conf.d/*.conf",
	"/etc/strongswan/swanctl/swanctl.conf",
	"/etc/strongswan/swanctl/conf.d/*.conf",
};

static const char *const ipsec_globs[] = {
	"/etc/ipsec.conf",
	"/etc/ipsec.d/*.conf",
};

/* The names of the processes, as /proc/PID/comm has them, and the programs. */
static const struct {
	enum ike_daemon daemon;
	const char *process;
	const char *programs[2];
} daemons[] = {
	{IKE_STRONGSWAN, "charon", {"/usr/lib/ipsec/charon", "/usr/libexec/ipsec/charon"}},
	{IKE_STRONGSWAN, "charon-systemd", {"/usr/sbin/charon-systemd", "/usr/sbin/swanctl"}},
	{IKE_LIBRESWAN, "pluto", {"/usr/lib/ipsec/pluto", "/usr/libexec/ipsec/pluto"}},
};

/* In a folder that cannot be read nothing is found, which is no error of glob(3). */
static void check_folder(struct facts *facts, const char *root, const char *pattern)
{
	_cleanup_free_ char *folder = NULL;

	if (asprintf(&folder, "%s%.*s", root, (int)(strrchr(pattern, '/') - pattern), pattern) <
	    0) {
		folder = NULL;
		return;
	}
	if (faccessat(AT_FDCWD, folder, R_OK | X_OK, AT_EACCESS) < 0 && errno == EACCES)
		facts_unseen(facts, folder + strlen(root), strerror(EACCES));
}

typedef void (*reader)(void *userdata, FILE *file, const char *path);

static void read_globs(struct facts *facts, const char *root, const char *const *globs, size_t n,
		       reader read, void *userdata)
{
	glob_t found;

	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *pattern = NULL;

		if (asprintf(&pattern, "%s%s", root, globs[i]) < 0) {
			pattern = NULL;
			continue;
		}
		check_folder(facts, root, globs[i]);
		if (glob(pattern, 0, NULL, &found) != 0)
			continue;
		for (size_t j = 0; j < found.gl_pathc; j++) {
			const char *path = found.gl_pathv[j] + strlen(root);
			_cleanup_fclose_ FILE *file = fopen(found.gl_pathv[j], "re");

			if (file)
				read(userdata, file, path);
			else
				facts_unseen(facts, path, strerror(errno));
		}
		globfree(&found);
	}
}

static void read_swanctl_file(void *userdata, FILE *file, const char *path)
{
	read_swanctl(userdata, file, path);
}

static void read_ipsec_file(void *userdata, FILE *file, const char *path)
{
	read_ipsec(userdata, file, path);
}

static void note_process(struct facts *facts, const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char name[64] = "";

	if (!file || !fgets(name, sizeof(name), file))
		return;
	name[strcspn(name, "\n")] = '\0';
	for (size_t i = 0; i < ELEMENTSOF(daemons); i++)
		if (strcmp(name, daemons[i].process) == 0)
			facts->ike_running[daemons[i].daemon] = true;
}

static void find_processes(struct facts *facts, const char *root)
{
	_cleanup_free_ char *pattern = NULL;
	glob_t found;

	if (asprintf(&pattern, "%s/proc/[0-9]*/comm", root) < 0) {
		pattern = NULL;
		return;
	}
	if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		note_process(facts, found.gl_pathv[i]);
	globfree(&found);
}

static void find_programs(struct facts *facts, const char *root)
{
	for (size_t i = 0; i < ELEMENTSOF(daemons); i++)
		for (size_t j = 0; j < ELEMENTSOF(daemons[i].programs); j++) {
			_cleanup_free_ char *path = NULL;

			if (asprintf(&path, "%s%s", root, daemons[i].programs[j]) < 0)
				path = NULL;
			else if (access(path, F_OK) == 0)
				facts->ike_installed[daemons[i].daemon] = true;
		}
}

void facts_read_ike(struct facts *facts, const char *root)
{
	struct ipsec ipsec = {};

	find_processes(facts, root);
	find_programs(facts, root);
	read_globs(facts, root, swanctl_globs, ELEMENTSOF(swanctl_globs), read_swanctl_file, facts);
	read_globs(facts, root, ipsec_globs, ELEMENTSOF(ipsec_globs), read_ipsec_file, &ipsec);
	finish_ipsec(facts, &ipsec);
}

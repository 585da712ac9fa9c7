/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts from files: the kernel, its modules and options, lockdown, FIPS, capabilities, crypto. */
#include "doctor/facts.h"

#include "base/crypto-table.h"
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <string.h>
#include <zlib.h>

/* Longer lines have nothing that is looked for. */
#define LINE_SIZE 4096

/* As ESP asks for them (esp_init_aead(), esp_init_authenc()), without the generator of IVs. */
static const char *const algorithm_names[ALGORITHMS] = {
	"rfc4106(gcm(aes))",
	"rfc7539esp(chacha20,poly1305)",
	"cbc(aes)",
	"hmac(sha256)",
};

/* ---- Files ---- */

/* Opens a file below the root. Returns NULL and sets errno if it cannot be opened. */
static FILE *open_file(const char *root, const char *path)
{
	_cleanup_free_ char *full = NULL;

	return asprintf(&full, "%s%s", root, path) < 0 ? NULL : fopen(full, "re");
}

/* Reads the first line without its newline. Returns 0 or a negative errno. */
static int read_line(const char *root, const char *path, char *line, size_t size)
{
	_cleanup_fclose_ FILE *file = open_file(root, path);

	if (!file)
		return -errno;
	line[0] = '\0';
	if (!fgets(line, (int)size, file) && ferror(file))
		return -EIO;
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

/* ---- Options of the kernel ---- */

static void read_option(struct facts *facts, const char *line)
{
	for (enum kernel_option i = 0; i < _OPTION_MAX; i++) {
		size_t length = strlen(facts_option_name(i));
		const char *value = line + strlen("CONFIG_") + length;

		if (strncmp(line, "CONFIG_", strlen("CONFIG_")) != 0)
			return;
		if (strncmp(line + strlen("CONFIG_"), facts_option_name(i), length) == 0 &&
		    value[0] == '=')
			facts->options[i] = value[1] == 'y' ? OPTION_BUILTIN : OPTION_MODULE;
	}
}

/* Reads a file of options, compressed or not. Returns 0 or a negative errno. */
static int read_options(struct facts *facts, const char *root, const char *path)
{
	_cleanup_free_ char *full = NULL;
	char line[LINE_SIZE];
	gzFile file;

	if (asprintf(&full, "%s%s", root, path) < 0) {
		full = NULL;
		return -ENOMEM;
	}
	errno = 0;
	file = gzopen(full, "re");
	if (!file)
		return errno ? -errno : -ENOMEM;
	/* What the file does not have is off. */
	for (enum kernel_option i = 0; i < _OPTION_MAX; i++)
		facts->options[i] = OPTION_OFF;
	while (gzgets(file, line, sizeof(line)))
		read_option(facts, line);
	(void)gzclose(file);
	(void)snprintf(facts->config_path, sizeof(facts->config_path), "%s", path);
	return 0;
}

static void find_options(struct facts *facts, const char *root)
{
	static const char *const formats[] = {"/boot/config-", "/lib/modules/",
					      "/usr/lib/modules/"};
	char path[FACT_PATH_SIZE];

	for (size_t i = 0; i < ELEMENTSOF(formats); i++) {
		(void)snprintf(path, sizeof(path), "%s%s%s", formats[i], facts->release,
			       i ? "/config" : "");
		if (read_options(facts, root, path) == 0)
			return;
	}
	if (read_options(facts, root, "/proc/config.gz") < 0)
		facts_unseen(facts, "options of the kernel",
			     "neither /boot/config-* of this kernel nor /proc/config.gz is here");
}

/* ---- Modules ---- */

/* The name of a line's module: a path up to a colon, or the first word. '-' and '_' are equal. */
static bool names_module(const char *line, const char *module)
{
	const char *slash = line;
	size_t i;

	for (const char *c = line; *c && !isspace((unsigned char)*c) && *c != ':'; c++)
		if (*c == '/')
			slash = c + 1;
	for (i = 0; module[i]; i++)
		if (module[i] != (slash[i] == '-' ? '_' : slash[i]))
			return false;
	return slash[i] == '.' || isspace((unsigned char)slash[i]) || slash[i] == '\0';
}

/* Sets the state of the modules that the lines of a file name. */
static int read_modules(struct facts *facts, const char *root, const char *path,
			enum module_state state)
{
	_cleanup_fclose_ FILE *file = open_file(root, path);
	char line[LINE_SIZE];

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		for (enum kernel_module i = 0; i < _MODULE_MAX; i++)
			if (facts->modules[i].state < state &&
			    names_module(line, facts_module_name(i)))
				facts->modules[i].state = state;
	return 0;
}

static int read_module_list(struct facts *facts, const char *root, const char *name,
			    enum module_state state)
{
	char path[FACT_PATH_SIZE];

	(void)snprintf(path, sizeof(path), "/lib/modules/%s/%s", facts->release, name);
	return read_modules(facts, root, path, state);
}

/* "blacklist M": the kernel's own requests, which are by alias, do not find it. "install M
 * /bin/false" and the like: nothing loads it. */
static bool blocks_module(const char *line, const char *module)
{
	char command[LINE_SIZE], name[LINE_SIZE], rest[LINE_SIZE] = "";
	int n = sscanf(line, "%4095s %4095s %4095s", command, name, rest);

	if (n < 2 || !names_module(name, module))
		return false;
	return strcmp(command, "blacklist") == 0 ||
	       (strcmp(command, "install") == 0 &&
		(strstr(rest, "bin/false") || strstr(rest, "bin/true")));
}

static void read_blocks(struct facts *facts, const char *root, const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char line[LINE_SIZE];

	while (file && fgets(line, sizeof(line), file))
		for (enum kernel_module i = 0; i < _MODULE_MAX; i++)
			if (blocks_module(line, facts_module_name(i)))
				(void)snprintf(facts->modules[i].blocked_by, FACT_PATH_SIZE, "%s",
					       path + strlen(root));
}

static void find_blocks(struct facts *facts, const char *root)
{
	static const char *const folders[] = {"/lib", "/usr/lib", "/usr/local/lib", "/run", "/etc"};
	glob_t found;

	for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
		_cleanup_free_ char *pattern = NULL;

		if (asprintf(&pattern, "%s%s/modprobe.d/*.conf", root, folders[i]) < 0) {
			pattern = NULL;
			continue;
		}
		if (glob(pattern, 0, NULL, &found) != 0)
			continue;
		for (size_t j = 0; j < found.gl_pathc; j++)
			read_blocks(facts, root, found.gl_pathv[j]);
		globfree(&found);
	}
}

static enum module_state state_by_option(enum option_state option)
{
	return option == OPTION_BUILTIN ? MODULE_LOADED
	       : option == OPTION_OFF   ? MODULE_MISSING
					: MODULE_UNKNOWN;
}

static void find_modules(struct facts *facts, const char *root)
{
	static const enum kernel_option options[_MODULE_MAX] = {
		[MODULE_ESP4] = OPTION_INET_ESP,
		[MODULE_ESP6] = OPTION_INET6_ESP,
		[MODULE_ESP4_OFFLOAD] = OPTION_INET_ESP_OFFLOAD,
		[MODULE_ESP6_OFFLOAD] = OPTION_INET6_ESP_OFFLOAD,
	};
	char line[8];
	int r;

	for (enum kernel_module i = 0; i < _MODULE_MAX; i++)
		facts->modules[i].state = state_by_option(facts->options[options[i]]);
	r = read_module_list(facts, root, "modules.dep", MODULE_LOADABLE);
	(void)read_module_list(facts, root, "modules.builtin", MODULE_LOADED);
	(void)read_modules(facts, root, "/proc/modules", MODULE_LOADED);
	for (enum kernel_module i = 0; i < _MODULE_MAX; i++)
		if (r == 0 && facts->modules[i].state == MODULE_UNKNOWN)
			facts->modules[i].state = MODULE_MISSING;
	if (r < 0)
		facts_unseen(facts, "modules of the kernel",
			     "/lib/modules of this kernel is not here (a container?)");
	facts->modules_disabled =
		read_line(root, "/proc/sys/kernel/modules_disabled", line, sizeof(line)) == 0 &&
		line[0] == '1';
	find_blocks(facts, root);
}

/* ---- Security ---- */

static void read_lockdown(struct facts *facts, const char *root)
{
	char line[LINE_SIZE];
	int r = read_line(root, "/sys/kernel/security/lockdown", line, sizeof(line));

	if (r < 0)
		facts_unseen(facts, "lockdown of the kernel",
			     r == -ENOENT
				     ? "/sys/kernel/security/lockdown is not here: securityfs is "
				       "not mounted, or the kernel has no lockdown"
				     : strerror(-r));
	else if (strstr(line, "[confidentiality]"))
		facts->lockdown = LOCKDOWN_CONFIDENTIALITY;
	else if (strstr(line, "[integrity]"))
		facts->lockdown = LOCKDOWN_INTEGRITY;
	else if (strstr(line, "[none]"))
		facts->lockdown = LOCKDOWN_NONE;
}

static void read_capabilities(struct facts *facts, const char *root)
{
	_cleanup_fclose_ FILE *file = open_file(root, "/proc/self/status");
	char line[LINE_SIZE];

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "CapBnd:", strlen("CapBnd:")) != 0)
			continue;
		facts->bounding_capabilities = strtoull(line + strlen("CapBnd:"), NULL, 16);
		facts->capabilities_known = true;
	}
}

/* ---- Crypto ---- */

static void read_crypto(struct facts *facts, const char *root)
{
	struct crypto_table table = {};
	char path[LINE_SIZE];
	int r;

	(void)snprintf(path, sizeof(path), "%s" CRYPTO_TABLE_PATH, root);
	r = crypto_table_read(&table, path);
	if (r < 0)
		facts_unseen(facts, CRYPTO_TABLE_PATH, strerror(-r));
	for (size_t i = 0; i < ALGORITHMS; i++) {
		const struct crypto_entry *entry = crypto_table_find(&table, algorithm_names[i]);
		struct algorithm_fact *algorithm = &facts->algorithms[i];

		algorithm->name = algorithm_names[i];
		algorithm->found = entry != NULL;
		if (!entry)
			continue;
		algorithm->priority = entry->priority;
		(void)snprintf(algorithm->driver, sizeof(algorithm->driver), "%s", entry->driver);
	}
	crypto_table_done(&table);
}

/* Debian's releases are like 6.1.0-50-amd64. The version, which is uname -v, has the patch level:
 * "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-05-03)". */
static void read_upstream(struct facts *facts, const char *root)
{
	static const char word[] = " Debian ";
	char line[LINE_SIZE] = "";
	const char *debian;

	(void)read_line(root, "/proc/sys/kernel/version", line, sizeof(line));
	debian = strstr(line, word);
	if (debian)
		(void)text_neutralise(facts->upstream, sizeof(facts->upstream),
				      debian + strlen(word), strcspn(debian + strlen(word), " -"));
	else
		(void)snprintf(facts->upstream, sizeof(facts->upstream), "%s", facts->release);
}

void facts_read_files(struct facts *facts, const char *root)
{
	char line[LINE_SIZE] = "";
	int r = read_line(root, "/proc/sys/kernel/osrelease", line, sizeof(line));

	if (r < 0)
		facts_unseen(facts, "release of the kernel", strerror(-r));
	(void)text_neutralise(facts->release, sizeof(facts->release), line, strlen(line));
	read_upstream(facts, root);
	find_options(facts, root);
	find_modules(facts, root);
	read_lockdown(facts, root);
	facts->fips = read_line(root, "/proc/sys/crypto/fips_enabled", line, sizeof(line)) == 0 &&
		      line[0] == '1';
	read_capabilities(facts, root);
	read_crypto(facts, root);
	facts_read_ike(facts, root);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The file:
 *
 *   espoffloadd-orders 1 3
 *   paused
 *   evacuated eth0
 *   pin 86400123 peer 198.51.100.0/24
 *
 * sa-orders.c has the lines of orders on SAs.
 *
 * The first line has the version and the number of lines that follow, so that a truncated file is
 * detected.
 */
#include "placement/orders.h"

#include "base/state-file.h"

#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

#define FORMAT "espoffloadd-orders"
#define VERSION 1u
#define PAUSED "paused"
#define EVACUATED "evacuated "
#define FILE_MAX                                                       \
	(64u + ORDERS_EVACUATED_MAX * (sizeof(EVACUATED) + IFNAMSIZ) + \
	 SA_ORDERS_MAX * SA_ORDER_LINE_MAX)

struct orders {
	char *path;
	bool paused;
	char (*evacuated)[IFNAMSIZ];
	size_t n_evacuated;
	struct sa_orders on_sas;
};

int orders_new(const char *path, struct orders **ret_orders)
{
	_cleanup_(orders_freep) struct orders *orders = calloc(1, sizeof(*orders));

	if (!orders)
		return -ENOMEM;
	if (path) {
		orders->path = strdup(path);
		if (!orders->path)
			return -ENOMEM;
	}
	*ret_orders = TAKE_PTR(orders);
	return 0;
}

struct orders *orders_free(struct orders *orders)
{
	if (!orders)
		return NULL;
	free(orders->path);
	free(orders->evacuated);
	sa_orders_release(&orders->on_sas);
	free(orders);
	return NULL;
}

bool orders_are_paused(const struct orders *orders)
{
	return orders->paused;
}

void orders_set_paused(struct orders *orders, bool paused)
{
	orders->paused = paused;
}

static size_t find(const struct orders *orders, const char *nic)
{
	size_t i = 0;

	while (i < orders->n_evacuated && strcmp(orders->evacuated[i], nic) != 0)
		i++;
	return i;
}

/* Whether the kernel allows this name (dev_valid_name()). */
static bool is_name(const char *nic)
{
	size_t length = strlen(nic);

	if (length == 0 || length >= IFNAMSIZ || strcmp(nic, ".") == 0 || strcmp(nic, "..") == 0)
		return false;
	for (size_t i = 0; i < length; i++)
		if (nic[i] == '/' || nic[i] == ':' || isspace((unsigned char)nic[i]))
			return false;
	return true;
}

int orders_evacuate(struct orders *orders, const char *nic)
{
	char(*grown)[IFNAMSIZ];

	if (!is_name(nic))
		return -EINVAL;
	if (orders_are_to_evacuate(orders, nic))
		return 0;
	if (orders->n_evacuated == ORDERS_EVACUATED_MAX)
		return -ENOSPC;
	grown = reallocarray(orders->evacuated, orders->n_evacuated + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	orders->evacuated = grown;
	snprintf(grown[orders->n_evacuated++], sizeof(*grown), "%s", nic);
	return 0;
}

bool orders_are_to_evacuate(const struct orders *orders, const char *nic)
{
	return find(orders, nic) < orders->n_evacuated;
}

bool orders_end_evacuation(struct orders *orders, const char *nic)
{
	size_t i = find(orders, nic);

	if (i == orders->n_evacuated)
		return false;
	orders->n_evacuated--;
	memmove(&orders->evacuated[i], &orders->evacuated[i + 1],
		(orders->n_evacuated - i) * sizeof(*orders->evacuated));
	return true;
}

bool orders_end_evacuations(struct orders *orders)
{
	bool any = orders->n_evacuated > 0;

	orders->n_evacuated = 0;
	return any;
}

size_t orders_n_evacuated(const struct orders *orders)
{
	return orders->n_evacuated;
}

const char *orders_evacuated(const struct orders *orders, size_t i)
{
	return orders->evacuated[i];
}

struct sa_orders *orders_on_sas(struct orders *orders)
{
	return &orders->on_sas;
}

const struct sa_order *orders_find(const struct orders *orders, const struct sa_description *sa)
{
	return sa_orders_find(&orders->on_sas, sa);
}

static int read_line(struct orders *orders, char *line)
{
	if (strcmp(line, PAUSED) == 0) {
		if (orders->paused) /* a duplicate */
			return -EBADMSG;
		orders->paused = true;
		return 0;
	}
	if (strncmp(line, EVACUATED, strlen(EVACUATED)) != 0)
		return sa_orders_read(&orders->on_sas, line);
	line += strlen(EVACUATED);
	if (orders_are_to_evacuate(orders, line))
		return -EBADMSG;
	return orders_evacuate(orders, line);
}

/* Terminates the line and returns the next one; NULL: there is no newline. */
static char *end_line(char *line)
{
	char *end = strchr(line, '\n');

	if (!end)
		return NULL;
	*end = '\0';
	return end + 1;
}

static int parse(struct orders *orders, char *text, size_t size)
{
	char *next, *end = NULL;
	unsigned long n;
	int r;

	/* If the text contains no NUL, all functions below stop at the one behind it. */
	r = state_file_read_version(text, size, FORMAT, VERSION);
	if (r < 0)
		return r;
	text += r;
	next = end_line(text);
	if (!next || !isdigit((unsigned char)*text))
		return -EBADMSG;
	n = strtoul(text, &end, 10);
	if (*end)
		return -EBADMSG;
	for (text = next; *text; text = next, n--) {
		next = end_line(text);
		if (!next || n == 0)
			return -EBADMSG;
		r = read_line(orders, text);
		if (r < 0)
			return r == -ENOMEM ? r : -EBADMSG;
	}
	return n == 0 ? 0 : -EBADMSG;
}

int orders_load(struct orders *orders)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r;

	if (!orders->path)
		return 0;
	r = state_file_read(orders->path, FILE_MAX, &text, &size);
	if (r == -ENOENT)
		return 0;
	if (r >= 0)
		r = parse(orders, text, size);
	if (r < 0) {
		state_file_set_aside(orders->path);
		orders->n_evacuated = 0;
		sa_orders_release(&orders->on_sas);
		orders->paused = true;
	}
	return r;
}

static void write_orders(FILE *file, const void *userdata)
{
	const struct orders *orders = userdata;

	(void)fprintf(file, FORMAT " %u %zu\n", VERSION,
		      orders->paused + orders->n_evacuated +
			      sa_orders_n_persistent(&orders->on_sas));
	if (orders->paused)
		(void)fputs(PAUSED "\n", file);
	for (size_t i = 0; i < orders->n_evacuated; i++)
		(void)fprintf(file, EVACUATED "%s\n", orders->evacuated[i]);
	sa_orders_write(&orders->on_sas, file);
}

int orders_save(const struct orders *orders)
{
	return orders->path ? state_file_write(orders->path, write_orders, orders) : 0;
}

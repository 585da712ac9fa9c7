// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The lines in the file:
 *
 *   pin 86400123 peer 198.51.100.0/24
 *   ban 0 sa 0x00001001 50 1 192.0.2.1 198.51.100.1 0x0/0x0 7 0 0 0
 *   |   |               |  | |         |            |       | | | label
 *   |   ms, 0: no end   |  | source    destination  mark    | | CPU
 *   pin or ban          |  mode                             | if_id
 *                       protocol                            reqid
 */
#include "placement/sa-orders.h"

#include "base/state-file.h"
#include "cleanup.h"
#include "sa/facts.h"

#include <errno.h>
#include <string.h>

#define PIN "pin "
#define BAN "ban "
#define PEER "peer "
#define SA "sa "

void sa_orders_release(struct sa_orders *orders)
{
	free(orders->entries);
	*orders = (struct sa_orders){};
}

static struct sa_lineage lineage_of(const struct sa_description *sa)
{
	struct sa_lineage lineage = sa_lineage_of(sa);

	lineage.direction = SA_DIRECTION_UNKNOWN;
	return lineage;
}

void sa_order_set_sa(struct sa_order *order, const struct sa_description *sa)
{
	order->peer = (struct config_prefix){};
	order->id = sa->id;
	order->lineage = lineage_of(sa);
}

static bool has_peer(const struct config_prefix *peer, const struct sa_description *sa)
{
	return (sa->direction != SA_DIRECTION_IN &&
		config_match_prefix(peer, sa->id.family, &sa->id.destination)) ||
	       (sa->direction != SA_DIRECTION_OUT &&
		config_match_prefix(peer, sa->id.family, &sa->source));
}

bool sa_order_concerns(const struct sa_order *order, const struct sa_description *sa)
{
	struct sa_lineage lineage;

	if (order->peer.set)
		return has_peer(&order->peer, sa);
	lineage = lineage_of(sa);
	return memcmp(&order->lineage, &lineage, sizeof(lineage)) == 0;
}

bool sa_order_has_prefix(const struct sa_order *order, const struct config_prefix *prefix)
{
	return order->peer.set && order->peer.length == prefix->length &&
	       config_match_prefix(prefix, order->peer.family, &order->peer.address);
}

static bool have_same_target(const struct sa_order *a, const struct sa_order *b)
{
	if (a->peer.set != b->peer.set)
		return false;
	if (!a->peer.set)
		return memcmp(&a->lineage, &b->lineage, sizeof(a->lineage)) == 0;
	return sa_order_has_prefix(a, &b->peer);
}

static void erase(struct sa_orders *orders, size_t i)
{
	orders->n--;
	memmove(&orders->entries[i], &orders->entries[i + 1],
		(orders->n - i) * sizeof(*orders->entries));
}

static size_t find_target(const struct sa_orders *orders, const struct sa_order *order)
{
	size_t i = 0;

	while (i < orders->n && !have_same_target(&orders->entries[i], order))
		i++;
	return i;
}

bool sa_orders_have_target(const struct sa_orders *orders, const struct sa_order *order)
{
	return find_target(orders, order) < orders->n;
}

int sa_orders_add(struct sa_orders *orders, const struct sa_order *order)
{
	size_t same = find_target(orders, order);
	struct sa_order *entries;

	if (same < orders->n) {
		erase(orders, same);
		orders->entries[orders->n++] = *order;
		return 0;
	}
	if (orders->n == SA_ORDERS_MAX)
		return -ENOSPC;
	entries = reallocarray(orders->entries, orders->n + 1, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	orders->entries = entries;
	entries[orders->n++] = *order;
	return 0;
}

const struct sa_order *sa_orders_find(const struct sa_orders *orders,
				      const struct sa_description *sa)
{
	for (size_t i = orders->n; i > 0; i--) {
		const struct sa_order *order = &orders->entries[i - 1];

		if (!order->ended && sa_order_concerns(order, sa))
			return order;
	}
	return NULL;
}

bool sa_orders_remove_ended(struct sa_orders *orders)
{
	bool any = false;

	for (size_t i = orders->n; i > 0; i--) {
		if (!orders->entries[i - 1].ended)
			continue;
		any |= orders->entries[i - 1].persist;
		erase(orders, i - 1);
	}
	return any;
}

char *sa_order_format_peer(const struct sa_order *order, char buffer[SA_ORDER_PREFIX_SIZE])
{
	unsigned bits = order->peer.family == AF_INET ? 32 : 128;
	char address[SA_ADDRESS_TEXT_SIZE];

	(void)sa_address_format(order->peer.family, &order->peer.address, address);
	if (order->peer.length == bits)
		(void)snprintf(buffer, SA_ORDER_PREFIX_SIZE, "%s", address);
	else
		(void)snprintf(buffer, SA_ORDER_PREFIX_SIZE, "%s/%u", address, order->peer.length);
	return buffer;
}

char *sa_order_format(const struct sa_order *order, char buffer[SA_ORDER_TEXT_SIZE])
{
	char source[SA_ADDRESS_TEXT_SIZE], destination[SA_ADDRESS_TEXT_SIZE];
	char peer[SA_ORDER_PREFIX_SIZE];

	if (order->peer.set)
		(void)snprintf(buffer, SA_ORDER_TEXT_SIZE, "peer %s",
			       sa_order_format_peer(order, peer));
	else
		(void)snprintf(
			buffer, SA_ORDER_TEXT_SIZE, "SA 0x%08x %s -> %s", order->id.spi,
			sa_address_format(order->id.family, &order->lineage.source, source),
			sa_address_format(order->id.family, &order->id.destination, destination));
	return buffer;
}

size_t sa_orders_n_persistent(const struct sa_orders *orders)
{
	size_t n = 0;

	for (size_t i = 0; i < orders->n; i++)
		n += orders->entries[i].persist;
	return n;
}

static void write_sa(const struct sa_order *order, FILE *file)
{
	const struct sa_lineage *lineage = &order->lineage;
	char source[SA_ADDRESS_TEXT_SIZE], destination[SA_ADDRESS_TEXT_SIZE];

	(void)fprintf(file, SA "0x%08x %u %u %s %s 0x%x/0x%x %u %u %u %u\n", order->id.spi,
		      lineage->protocol, lineage->mode,
		      sa_address_format(lineage->family, &lineage->source, source),
		      sa_address_format(lineage->family, &lineage->destination, destination),
		      lineage->mark_value, lineage->mark_mask, lineage->reqid, lineage->if_id,
		      lineage->cpu, lineage->label);
}

void sa_orders_write(const struct sa_orders *orders, FILE *file)
{
	char peer[SA_ORDER_PREFIX_SIZE];

	for (size_t i = 0; i < orders->n; i++) {
		const struct sa_order *order = &orders->entries[i];

		if (!order->persist)
			continue;
		(void)fprintf(file, "%s%llu ", order->ban ? BAN : PIN,
			      (unsigned long long)(order->until * 1e3));
		if (order->peer.set)
			(void)fprintf(file, PEER "%s\n", sa_order_format_peer(order, peer));
		else
			write_sa(order, file);
	}
}

/* Whether the text begins with the word, which is then skipped. */
static bool skip(const char **text, const char *word)
{
	if (strncmp(*text, word, strlen(word)) != 0)
		return false;
	*text += strlen(word);
	return true;
}

static bool read_u32(const char **text, char end, uint32_t *ret_value)
{
	uint64_t value;

	if (!state_file_read_number(text, end, UINT32_MAX, &value))
		return false;
	*ret_value = (uint32_t)value;
	return true;
}

static bool read_u8(const char **text, char end, uint8_t *ret_value)
{
	uint64_t value;

	if (!state_file_read_number(text, end, UINT8_MAX, &value))
		return false;
	*ret_value = (uint8_t)value;
	return true;
}

static bool read_sa(const char *text, struct sa_order *order)
{
	struct sa_lineage lineage = {};
	uint16_t family;
	uint32_t spi;

	if (!read_u32(&text, ' ', &spi) || !read_u8(&text, ' ', &lineage.protocol) ||
	    !read_u8(&text, ' ', &lineage.mode) ||
	    !sa_address_parse(&text, ' ', &family, &lineage.source) ||
	    !sa_address_parse(&text, ' ', &lineage.family, &lineage.destination) ||
	    !read_u32(&text, '/', &lineage.mark_value) ||
	    !read_u32(&text, ' ', &lineage.mark_mask) || !read_u32(&text, ' ', &lineage.reqid) ||
	    !read_u32(&text, ' ', &lineage.if_id) || !read_u32(&text, ' ', &lineage.cpu) ||
	    !read_u32(&text, '\0', &lineage.label) || family != lineage.family)
		return false;
	order->lineage = lineage;
	order->id = (struct sa_id){
		.destination = lineage.destination,
		.spi = spi,
		.mark_value = lineage.mark_value,
		.mark_mask = lineage.mark_mask,
		.family = lineage.family,
		.protocol = lineage.protocol,
	};
	return true;
}

/* A duplicate means that the file is damaged. */
static int add_new(struct sa_orders *orders, const struct sa_order *order)
{
	int r;

	if (find_target(orders, order) < orders->n)
		return -EBADMSG;
	r = sa_orders_add(orders, order);
	return r == -ENOSPC ? -EBADMSG : r;
}

int sa_orders_read(struct sa_orders *orders, const char *line)
{
	struct sa_order order = {.persist = true};
	uint64_t until; /* ms */

	order.ban = skip(&line, BAN);
	if ((!order.ban && !skip(&line, PIN)) ||
	    !state_file_read_number(&line, ' ', INT64_MAX, &until))
		return -EBADMSG;
	order.until = (double)until / 1e3;
	if (skip(&line, PEER) ? config_parse_prefix(line, &order.peer) < 0
			      : !skip(&line, SA) || !read_sa(line, &order))
		return -EBADMSG;
	return add_new(orders, &order);
}

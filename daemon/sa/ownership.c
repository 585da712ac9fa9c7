// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A set of records, and the file in which it is kept:
 *
 *   espoffloadd-placed 1 2
 *   192.0.2.1 0xc0000001 50 0x0/0x0 3 1700000000
 *   2001:db8::1 0xc0000002 50 0x0/0x0 3 1700000007
 *   |           |          |  |       | add_time
 *   destination SPI protocol  mark    ifindex
 *
 * The first line has the number of records, so that a truncated file is detected. The hash covers
 * only SPI and protocol, so that an SA whose destination changed is found. SAs that share an SPI
 * are never offloaded (HANDS_OFF_SHARED_SPI).
 */
#include "sa/ownership.h"

#include "base/state-file.h"
#include "hash-table.h"
#include "sa/facts.h"
#include "sa/spi-hash.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#define FORMAT "espoffloadd-placed"
#define VERSION 1u
/* Bytes of the longest record: address 45, SPI 10, protocol 3, mark 21, ifindex 10, time 20,
 * separators 6. */
#define RECORD_TEXT_MAX 115u
#define FILE_MAX ((size_t)OWNERSHIP_MAX * RECORD_TEXT_MAX + 64u)

struct record {
	struct hash_link link; /* by SPI and protocol */
	struct sa_id id;
	uint64_t add_time;
	double left_at; /* s, monotonic: when the SA was gone; 0: it is not */
	int ifindex;
};

struct ownership {
	char *path;
	struct hash_seed seed;
	struct hash_table records;
	bool changed;
};

static struct record *find(const struct ownership *ownership, const struct sa_id *id)
{
	struct record *record;

	HASH_TABLE_FOREACH_EQUAL(record, &ownership->records, spi_hash(&ownership->seed, id), link)
		if (memcmp(&record->id, id, sizeof(*id)) == 0)
			return record;
	return NULL;
}

int ownership_new(const char *path, struct ownership **ret_ownership)
{
	_cleanup_(ownership_freep) struct ownership *ownership = calloc(1, sizeof(*ownership));
	int r;

	if (!ownership)
		return -ENOMEM;
	ownership->path = strdup(path);
	if (!ownership->path)
		return -ENOMEM;
	r = hash_seed_random(&ownership->seed);
	if (r < 0)
		return r;
	*ret_ownership = TAKE_PTR(ownership);
	return 0;
}

static void clear(struct ownership *ownership)
{
	struct record *record;

	HASH_TABLE_FOREACH(record, &ownership->records, link)
		free(record);
	hash_table_release(&ownership->records);
}

struct ownership *ownership_free(struct ownership *ownership)
{
	if (!ownership)
		return NULL;
	clear(ownership);
	free(ownership->path);
	free(ownership);
	return NULL;
}

int ownership_add(struct ownership *ownership, const struct sa_id *id, int ifindex,
		  uint64_t add_time)
{
	struct record *record = find(ownership, id);

	if (ifindex <= 0 || (id->family != AF_INET && id->family != AF_INET6))
		return -EINVAL;
	if (!record) {
		if (ownership->records.n == OWNERSHIP_MAX)
			return -ENOSPC;
		record = calloc(1, sizeof(*record));
		if (!record)
			return -ENOMEM;
		record->id = *id;
		hash_table_add(&ownership->records, &record->link, spi_hash(&ownership->seed, id));
	}
	record->left_at = 0;
	if (record->ifindex == ifindex && record->add_time == add_time)
		return 0;
	record->ifindex = ifindex;
	record->add_time = add_time;
	ownership->changed = true;
	return 0;
}

static void erase(struct ownership *ownership, struct record *record)
{
	hash_table_remove(&ownership->records, &record->link);
	free(record);
	ownership->changed = true;
}

bool ownership_remove(struct ownership *ownership, const struct sa_id *id)
{
	struct record *record = find(ownership, id);

	if (!record)
		return false;
	erase(ownership, record);
	return true;
}

bool ownership_contains(const struct ownership *ownership, const struct sa_id *id, int ifindex,
			uint64_t add_time)
{
	const struct record *record = find(ownership, id);

	return record && record->ifindex == ifindex && record->add_time == add_time &&
	       record->left_at == 0;
}

static bool leave(struct record *record, double now)
{
	if (record->left_at != 0)
		return false;
	record->left_at = now;
	return true;
}

void ownership_leave(struct ownership *ownership, const struct sa_id *id, double now)
{
	struct record *record = find(ownership, id);

	if (record)
		(void)leave(record, now);
}

size_t ownership_leave_unless(struct ownership *ownership, ownership_alive alive, void *userdata,
			      double now)
{
	struct record *record;
	size_t n = 0;

	HASH_TABLE_FOREACH(record, &ownership->records, link)
		if (!alive(&record->id, record->ifindex, record->add_time, userdata))
			n += leave(record, now);
	return n;
}

void ownership_prune(struct ownership *ownership, double now)
{
	struct record *record;

	HASH_TABLE_FOREACH(record, &ownership->records, link)
		if (record->left_at != 0 && now - record->left_at > OWNERSHIP_DEPARTED_SECONDS)
			erase(ownership, record);
}

bool ownership_find_same(const struct ownership *ownership, const struct sa_id *like,
			 uint64_t add_time, struct sa_id *ret_id)
{
	const struct record *record;

	HASH_TABLE_FOREACH_EQUAL(record, &ownership->records, spi_hash(&ownership->seed, like),
				 link)
		if (record->id.spi == like->spi && record->id.protocol == like->protocol &&
		    record->id.mark_value == like->mark_value &&
		    record->id.mark_mask == like->mark_mask && record->add_time == add_time) {
			*ret_id = record->id;
			return true;
		}
	return false;
}

static bool read_record(const char **text, struct record *ret_record)
{
	struct record record = {};
	uint64_t spi, protocol, mark_value, mark_mask, ifindex, add_time;

	if (!sa_address_parse(text, ' ', &record.id.family, &record.id.destination) ||
	    !state_file_read_number(text, ' ', UINT32_MAX, &spi) ||
	    !state_file_read_number(text, ' ', UINT8_MAX, &protocol) ||
	    !state_file_read_number(text, '/', UINT32_MAX, &mark_value) ||
	    !state_file_read_number(text, ' ', UINT32_MAX, &mark_mask) ||
	    !state_file_read_number(text, ' ', INT_MAX, &ifindex) ||
	    !state_file_read_number(text, '\n', UINT64_MAX, &add_time))
		return false;
	if (ifindex == 0)
		return false;
	record.id.spi = (uint32_t)spi;
	record.id.protocol = (uint8_t)protocol;
	record.id.mark_value = (uint32_t)mark_value;
	record.id.mark_mask = (uint32_t)mark_mask;
	record.ifindex = (int)ifindex;
	record.add_time = add_time;
	*ret_record = record;
	return true;
}

static int parse(struct ownership *ownership, const char *text, size_t size)
{
	const char *end = text + size;
	struct record record;
	uint64_t n;
	int r;

	/* If the text contains no NUL, all functions below stop at the one behind it. */
	r = state_file_read_version(text, size, FORMAT, VERSION);
	if (r < 0)
		return r;
	text += r;
	if (!state_file_read_number(&text, '\n', OWNERSHIP_MAX, &n))
		return -EBADMSG;
	while (text < end) {
		if (!read_record(&text, &record))
			return -EBADMSG;
		if (find(ownership, &record.id)) /* a duplicate */
			return -EBADMSG;
		r = ownership_add(ownership, &record.id, record.ifindex, record.add_time);
		if (r < 0)
			return r == -ENOSPC ? -EBADMSG : r;
	}
	return ownership->records.n == n ? 0 : -EBADMSG;
}

int ownership_load(struct ownership *ownership)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r = state_file_read(ownership->path, FILE_MAX, &text, &size);

	if (r == -ENOENT)
		return 0;
	if (r >= 0)
		r = parse(ownership, text, size);
	if (r < 0) {
		state_file_set_aside(ownership->path);
		clear(ownership);
		ownership->changed = true; /* the next save replaces the file */
		return r;
	}
	ownership->changed = false;
	return (int)ownership->records.n;
}

static void write_records(FILE *file, const void *userdata)
{
	const struct ownership *ownership = userdata;
	const struct record *record;
	char address[INET6_ADDRSTRLEN];

	(void)fprintf(file, FORMAT " %u %zu\n", VERSION, ownership->records.n);
	HASH_TABLE_FOREACH(record, &ownership->records, link) {
		const struct sa_id *id = &record->id;

		(void)fprintf(
			file, "%s 0x%08x %u 0x%x/0x%x %d %llu\n",
			inet_ntop(id->family, id->destination.bytes, address, sizeof(address)),
			id->spi, id->protocol, id->mark_value, id->mark_mask, record->ifindex,
			(unsigned long long)record->add_time);
	}
}

int ownership_save_if_changed(struct ownership *ownership)
{
	int r;

	if (!ownership->changed)
		return 0;
	r = state_file_write(ownership->path, write_records, ownership);
	if (r < 0)
		return r;
	ownership->changed = false;
	return 1;
}

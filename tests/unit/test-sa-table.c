// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of SAs: lookups, lack of memory, and release. */
#include "sa/spi-hash.h"
#include "sa/table.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "counting.h"

#define N 3000u

/* Fixed, so that the same SAs share a bucket in each run. */
static const struct hash_seed seed = {{UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xc2b2ae3d27d4eb4f)}};

/* The program is linked with --wrap for this function, too. */
FAILING(ssize_t, getrandom, -1, (void *buffer, size_t size, unsigned flags), (buffer, size, flags))

static int setup(void **state)
{
	struct sa_table *table = __real_malloc(sizeof(*table));

	assert_non_null(table);
	memset(table, 0xa5, sizeof(*table));
	live = 0;
	assert_int_equal(sa_table_init(table), 0);
	table->seed = seed;
	*state = table;
	return 0;
}

static int teardown(void **state)
{
	static const struct sa_table empty;
	struct sa_table *table = *state;

	sa_table_release(table);
	assert_memory_equal(table, &empty, sizeof(empty));
	assert_int_equal(live, 0);
	__real_free(table);
	return 0;
}

static const struct sa_shape shape = {.family = AF_INET, .protocol = IPPROTO_ESP, .key_bits = 160};

static struct sa_description make(uint32_t spi)
{
	return (struct sa_description){
		.id = {.destination.bytes = {10, 0, 0, 2},
		       .spi = spi,
		       .family = AF_INET,
		       .protocol = IPPROTO_ESP},
		.source.bytes = {10, 0, 0, 1},
		.reqid = 1,
	};
}

static struct sa *add(struct sa_table *table, struct sa_description description)
{
	struct sa *sa = NULL;

	assert_int_equal(sa_table_add(table, &description, &shape, &sa), 0);
	assert_non_null(sa);
	return sa;
}

static struct sa *find(const struct sa_table *table, uint32_t spi)
{
	struct sa_description description = make(spi);

	return sa_table_find(table, &description.id);
}

static void test_candidacies(void **state)
{
	(void)state;
	for (enum candidacy i = 0; i < _CANDIDACY_MAX; i++) {
		assert_non_null(candidacy_name(i));
		assert_true(strlen(candidacy_text(i)) > strlen(candidacy_name(i)));
		for (enum candidacy j = 0; j < i; j++) {
			assert_string_not_equal(candidacy_name(i), candidacy_name(j));
			assert_string_not_equal(candidacy_text(i), candidacy_text(j));
		}
	}
	assert_string_equal(candidacy_name(CANDIDACY_NO_ROUTE), "no-route");
	assert_string_equal(candidacy_name(CANDIDACY_PEER_MOVES), "peer-moves");
}

static void test_directions(void **state)
{
	(void)state;
	assert_string_equal(sa_direction_name(SA_DIRECTION_IN), "in");
	assert_string_equal(sa_direction_name(SA_DIRECTION_OUT), "out");
	assert_string_equal(sa_direction_name(SA_DIRECTION_UNKNOWN), "unknown");
}

/* By the complete identity, with any number of SAs, in the order of insertion. */
static void test_find(void **state)
{
	struct sa_table *table = *state;
	struct sa_description again = make(7);
	struct sa *sa, *other = NULL;
	uint32_t spi = 0;

	assert_null(find(table, 1));
	for (uint32_t i = 0; i < N; i++) {
		sa = add(table, make(i));
		assert_int_equal(sa->description.id.spi, i);
		assert_int_equal(sa->handle, POLICY_NONE);
		assert_int_equal(sa->residence.ifindex, 0);
		assert_memory_equal(sa->shape, &shape, sizeof(shape));
		assert_int_equal(table->n, i + 1);
		assert_int_equal(table->by_spi.n, i + 1);
	}
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(find(table, i)->description.id.spi, i);
	assert_null(find(table, N));
	TAILQ_FOREACH(sa, &table->all, list)
		assert_int_equal(sa->description.id.spi, spi++);
	assert_int_equal(spi, N);

	assert_int_equal(sa_table_add(table, &again, &shape, &other), -EEXIST);
	assert_null(other);
	again.id.mark_value = 1;
	assert_null(sa_table_find(table, &again.id));
	add(table, again);
	assert_ptr_equal(sa_table_find(table, &again.id), TAILQ_LAST(&table->all, sa_list));
	assert_int_equal(table->n, N + 1);
}

static void test_remove(void **state)
{
	struct sa_table *table = *state;
	struct sa *sa;

	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(sa_table_set_handle(table, add(table, make(i)), i), 0);
	/* Each bucket loses some SAs from the middle, from the front and from the end. */
	for (uint32_t i = 0; i < N; i += 3)
		sa_table_remove(table, find(table, i));
	assert_int_equal(table->n, N - N / 3);
	for (uint32_t i = 0; i < N; i++) {
		sa = find(table, i);
		assert_int_equal(sa != NULL, i % 3 != 0);
		assert_ptr_equal(sa_table_by_handle(table, i), sa);
	}
	TAILQ_FOREACH(sa, &table->all, list)
		assert_true(sa->description.id.spi % 3 != 0);
	add(table, make(0));
	assert_int_equal(find(table, 0)->handle, POLICY_NONE);
}

/* Memory that belongs to an entry is freed with it. */
static void test_remove_all_of_it(void **state)
{
	struct sa_table *table = *state;
	struct secret_arena *arena;
	struct sa *sa = add(table, make(1)), *other = add(table, make(2));
	unsigned before;

	assert_int_equal(secret_arena_new(1 << 16, &arena), 0);
	before = live;
	sa->refusal = strdup("refused");
	sa_history_set(&sa->history, 1, 1e6);
	sa->probation = calloc(1, sizeof(*sa->probation));
	sa->shadow = calloc(1, sizeof(*sa->shadow));
	assert_non_null(sa->shadow);
	sa->shadow->image = (struct sa_image){
		.arena = arena, .attributes = secret_alloc(arena, 64), .size = 64};
	assert_true(secret_arena_in_use(arena) > 0);
	sa_table_set_packet(table, sa, true);
	assert_true(sa_table_has_packet_partner(table, other, 0));
	sa_table_remove(table, sa);
	assert_int_equal(secret_arena_in_use(arena), 0);
	assert_int_equal(live, before - 1); /* the entry */
	assert_false(sa_table_has_packet_partner(table, other, 0));
	secret_arena_free(arena);
}

static void test_handles(void **state)
{
	static const policy_sa handles[] = {3, 0, 100, 4, 2000, 2001};
	struct sa_table *table = *state;
	struct sa *sas[ELEMENTSOF(handles)];

	assert_null(sa_table_by_handle(table, 0));
	assert_null(sa_table_by_handle(table, POLICY_NONE));
	for (unsigned i = 0; i < ELEMENTSOF(handles); i++) {
		sas[i] = add(table, make(i));
		assert_int_equal(sa_table_set_handle(table, sas[i], handles[i]), 0);
		for (unsigned j = 0; j < ELEMENTSOF(handles); j++)
			assert_ptr_equal(sa_table_by_handle(table, handles[j]),
					 j <= i ? sas[j] : NULL);
		assert_int_equal(sas[i]->handle, handles[i]);
	}
	for (policy_sa handle = 5; handle < 100; handle++)
		assert_null(sa_table_by_handle(table, handle));
	/* The first handle beyond the known ones. */
	assert_null(sa_table_by_handle(table, (policy_sa)table->n_by_handle));
	assert_int_equal(sa_table_set_handle(table, sas[0], (policy_sa)table->n_by_handle), 0);
	assert_ptr_equal(sa_table_by_handle(table, sas[0]->handle), sas[0]);
	sa_table_remove(table, sas[0]);

	failing_in = 1;
	assert_int_equal(sa_table_set_handle(table, sas[1], 100000), -ENOMEM);
	assert_int_equal(sas[1]->handle, 0);
	assert_ptr_equal(sa_table_by_handle(table, 0), sas[1]);
	assert_null(sa_table_by_handle(table, 100000));
}

static void test_shapes(void **state)
{
	struct sa_table *table = *state;
	const struct sa_shape *shapes[5];

	for (uint32_t i = 0; i < ELEMENTSOF(shapes); i++) {
		shapes[i] = sa_table_shape(table, &(struct sa_shape){.icv_bits = i});
		assert_non_null(shapes[i]);
		assert_int_equal(shapes[i]->icv_bits, i);
	}
	for (uint32_t i = 0; i < ELEMENTSOF(shapes); i++)
		assert_ptr_equal(sa_table_shape(table, &(struct sa_shape){.icv_bits = i}),
				 shapes[i]);
	assert_int_equal(table->n_shapes, ELEMENTSOF(shapes));
	for (unsigned calls = 1; calls <= 2; calls++) {
		failing_in = calls;
		assert_null(sa_table_shape(table, &(struct sa_shape){.icv_bits = 77}));
	}
	for (uint32_t i = 0; i < ELEMENTSOF(shapes); i++)
		assert_ptr_equal(sa_table_shape(table, &(struct sa_shape){.icv_bits = i}),
				 shapes[i]);
	assert_int_equal(table->n_shapes, ELEMENTSOF(shapes));
	assert_int_equal(sa_table_shape(table, &(struct sa_shape){.icv_bits = 77})->icv_bits, 77);
}

static void test_no_memory(void **state)
{
	struct sa_table *table = *state, other;
	struct sa_description description = make(N);
	struct sa *sa = NULL;

	memset(&other, 0xa5, sizeof(other));
	failing_in = 1;
	assert_int_equal(sa_table_init(&other), -FAILING_ERRNO);
	sa_table_release(&other);
	/* The array of shapes, the shape, the entry. */
	for (unsigned calls = 1; calls <= 3; calls++) {
		failing_in = calls;
		assert_int_equal(sa_table_add(table, &description, &shape, &sa), -ENOMEM);
		assert_null(sa);
		assert_null(find(table, N));
		assert_int_equal(table->n, 0);
		assert_true(TAILQ_EMPTY(&table->all));
	}
	/* Without a bucket array the SAs are still found. */
	for (uint32_t i = 0; i < 1100; i++) {
		failing_in = i == 0 ? 0 : 2; /* the first is the entry */
		add(table, make(i));
		assert_int_equal(failing_in, 0);
	}
	assert_null(table->by_spi.buckets);
	for (uint32_t i = 0; i < 1100; i++)
		assert_int_equal(find(table, i)->description.id.spi, i);
}

/* Gives an element another hash. */
static void collide(struct hash_table *table, struct hash_link *link, uint64_t hash)
{
	hash_table_remove(table, link);
	hash_table_add(table, link, hash);
}

static bool shares_spi(const struct sa_table *table, struct sa_description description)
{
	const struct sa *sa = sa_table_find(table, &description.id);

	assert_non_null(sa);
	return sa->shares_spi;
}

/* Another destination, so that it is another SA with the same SPI. */
static struct sa_description elsewhere(uint32_t spi, uint8_t destination)
{
	struct sa_description description = make(spi);

	description.id.destination.bytes[3] = destination;
	return description;
}

static void test_shared_spi(void **state)
{
	struct sa_table *table = *state;
	struct sa_description other;
	struct sa *sas[3];

	/* SAs with other SPIs in the same bucket do not count. */
	for (uint32_t i = 0; i < N; i++)
		sas[0] = add(table, make(i));
	for (uint32_t i = 0; i < N; i++)
		assert_false(shares_spi(table, make(i)));

	/* All three share the SPI until one is left, in any order of removal. */
	for (unsigned first = 0; first < 3; first++)
		for (unsigned second = 0; second < 3; second++) {
			if (first == second)
				continue;
			for (uint8_t i = 0; i < 3; i++)
				sas[i] = add(table, elsewhere(N, 97 + i));
			for (unsigned i = 0; i < 3; i++)
				assert_true(sas[i]->shares_spi);
			sa_table_remove(table, sas[first]);
			assert_true(sas[second]->shares_spi);
			assert_true(sas[3 - first - second]->shares_spi);
			sa_table_remove(table, sas[second]);
			assert_false(sas[3 - first - second]->shares_spi);
			sa_table_remove(table, sas[3 - first - second]);
		}

	/* Nor do SAs with another protocol or SPI whose hash is the same by chance. */
	for (uint32_t i = 1; i <= 2; i++) {
		struct sa_description description = make(N + 10 * i);

		other = make(N + 10 * i + i - 1);
		other.id.protocol = i == 1 ? IPPROTO_AH : IPPROTO_ESP;
		sas[0] = add(table, other);
		collide(&table->by_spi, &sas[0]->by_spi, spi_hash(&seed, &description.id));
		sas[1] = add(table, description);
		assert_false(sas[0]->shares_spi);
		assert_false(sas[1]->shares_spi);
		assert_ptr_equal(sa_table_find(table, &description.id), sas[1]);
	}
}

static void walk(struct sa_table *table, const uint32_t *spis, size_t n)
{
	struct sa *previous = NULL;

	for (size_t i = 0; i < n; i++) {
		struct sa_description description = make(spis[i]);
		struct sa *sa = sa_table_find_in_order(table, &previous, &description.id);

		assert_ptr_equal(sa, sa_table_find(table, &description.id));
		if (sa)
			assert_ptr_equal(previous, sa);
	}
}

static void check_order(struct sa_table *table, const uint32_t *spis, size_t n)
{
	const struct sa *sa;
	size_t i = 0;

	TAILQ_FOREACH(sa, &table->all, list) {
		assert_true(i < n);
		assert_int_equal(sa->description.id.spi, spis[i]);
		i++;
	}
	assert_int_equal(i, n);
}

/* A walk in any order finds all SAs, and puts the table into that order. */
static void test_walk(void **state)
{
	static const uint32_t forth[] = {0, 1, 2, 3, 4, 5}, back[] = {5, 4, 3, 2, 1, 0},
			      twice[] = {5, 5, 4, 4, 3, 5, 2, 1, 0}, without[] = {5, 4, 9, 2, 1, 0},
			      one[] = {1};
	struct sa_table *table = *state;

	for (uint32_t i = 0; i < 6; i++)
		add(table, make(i));
	walk(table, forth, 6);
	check_order(table, forth, 6);
	walk(table, back, 6);
	check_order(table, back, 6);
	/* An unknown SA changes nothing; 3, which is not in the walk, is skipped. */
	walk(table, without, 6);
	check_order(table, back, 6);
	walk(table, one, 1);
	check_order(table, (const uint32_t[]){1, 5, 4, 3, 2, 0}, 6);
	walk(table, back, 6);
	walk(table, twice, 9);
	check_order(table, (const uint32_t[]){4, 3, 5, 2, 1, 0}, 6);
}

/* Both directions of a tunnel in packet offload are partners, whatever else differs. */
static void test_packet_partners(void **state)
{
	struct sa_table *table = *state;
	struct sa_description description = make(1), mirrored = make(2);
	struct sa *sa, *same, *mirror;

	for (unsigned i = 0; i < 16; i++) {
		description.source.bytes[i] = (uint8_t)(17 * i);
		description.id.destination.bytes[i] = (uint8_t)(200 - 3 * i);
	}
	sa = add(table, description);
	mirrored.source = description.id.destination;
	mirrored.id.destination = description.source;
	mirrored.id.protocol = IPPROTO_AH;
	mirrored.id.mark_value = mirrored.id.mark_mask = 0x12345;
	mirrored.if_id = 3;
	mirror = add(table, mirrored);
	description.id.spi = 3;
	description.id.mark_mask = 0x7fffffff;
	same = add(table, description);

	assert_false(sa_table_has_packet_partner(table, sa, 0));
	sa_table_set_packet(table, sa, true);
	assert_true(sa->packet);
	assert_false(sa_table_has_packet_partner(table, sa, 0)); /* not of itself */
	assert_true(sa_table_has_packet_partner(table, same, 0));
	assert_true(sa_table_has_packet_partner(table, mirror, 0));
	sa_table_set_residence(table, sa, 7, false);
	assert_true(sa_table_has_packet_partner(table, same, 0));
	assert_true(sa_table_has_packet_partner(table, same, 8));
	assert_false(sa_table_has_packet_partner(table, same, 7));

	/* Removed from the middle, the front and the end of the bucket; a repeated call has no
	 * effect. */
	for (unsigned i = 0; i < 2; i++) {
		sa_table_set_packet(table, same, true);
		sa_table_set_packet(table, mirror, true);
	}
	assert_true(sa_table_has_packet_partner(table, sa, 7));
	sa_table_set_packet(table, same, false);
	assert_false(same->packet);
	sa_table_set_packet(table, same, false);
	assert_true(sa_table_has_packet_partner(table, sa, 0));
	assert_true(sa_table_has_packet_partner(table, mirror, 0));
	sa_table_set_packet(table, mirror, false);
	assert_false(sa_table_has_packet_partner(table, sa, 0));
	assert_true(sa_table_has_packet_partner(table, mirror, 0));
	sa_table_set_packet(table, mirror, true);
	sa_table_set_packet(table, sa, false);
	assert_true(sa_table_has_packet_partner(table, sa, 0));
	assert_false(sa_table_has_packet_partner(table, mirror, 0));
}

static void vary(struct sa_address *address, uint32_t n, unsigned from)
{
	address->bytes[from] = (uint8_t)n;
	address->bytes[from + 1] = (uint8_t)(n >> 8);
}

#define KINDS 7

/* A description that differs from others of the kind in one property. */
static struct sa_description make_kind(unsigned kind, uint32_t n)
{
	struct sa_description description = make(n);
	struct sa_description mirrored = description;

	switch (kind) {
	case 0:
		description.reqid = n;
		return description;
	case 1:
		vary(&description.source, n, 2);
		return description;
	case 2:
		vary(&description.source, n, 14);
		return description;
	case 3:
		vary(&description.id.destination, n, 2);
		return description;
	case 4:
		vary(&description.id.destination, n, 14);
		return description;
	case 5: /* half in each direction, each of another tunnel */
		vary(&description.id.destination, n, 2);
		break;
	default:
		vary(&description.source, n, 2);
	}
	if (n % 2 == 0)
		return description;
	mirrored.source = description.id.destination;
	mirrored.id.destination = description.source;
	return mirrored;
}

/* SAs that only share a bucket are no partners. SAs of all kinds are spread over the buckets, in a
 * way that a peer without the seed cannot predict. */
static void check_packet_buckets(struct sa_table *table, unsigned kind)
{
	size_t used = 0;
	struct sa *sa;

	for (uint32_t i = 0; i < N; i++)
		sa_table_set_packet(table, add(table, make_kind(kind, i)), true);
	TAILQ_FOREACH(sa, &table->all, list)
		assert_false(sa_table_has_packet_partner(table, sa, 0));
	assert_int_equal(table->packet.mask, 4095);
	for (size_t i = 0; i < 4096; i++)
		used += table->packet.buckets[i] != NULL;
	/* A random distribution uses 2127 buckets on average. */
	assert_true(used > 2000);
	while ((sa = TAILQ_FIRST(&table->all)))
		sa_table_remove(table, sa);
	assert_int_equal(table->packet.n, 0);
}

static void test_packet_buckets(void **state)
{
	for (unsigned kind = 0; kind < KINDS; kind++)
		check_packet_buckets(*state, kind);
}

static struct sa_packet *packet_entry(const struct sa_table *table, const struct sa *sa)
{
	struct sa_packet *entry;

	HASH_TABLE_FOREACH(entry, &table->packet, link)
		if (entry->sa == sa)
			break;
	assert_non_null(entry);
	return entry;
}

/* Without memory it is noted later. */
static void test_packet_no_memory(void **state)
{
	struct sa_table *table = *state;
	struct sa *sa = add(table, make(1)), *other;
	struct sa_description description = make(1);

	description.id.spi = 2;
	other = add(table, description);
	failing_in = 1;
	sa_table_set_packet(table, sa, true);
	assert_false(sa_table_has_packet_partner(table, other, 0));
	sa_table_set_packet(table, sa, false);
	sa_table_set_packet(table, sa, true);
	assert_true(sa_table_has_packet_partner(table, other, 0));
}

/* SAs of different families are no partners, even if their hashes are equal. */
static void test_packet_families(void **state)
{
	struct sa_table *table = *state;
	struct sa four = {.description = {.reqid = 1, .id.family = AF_INET}};
	struct sa six = {.description = {.reqid = 1, .id.family = AF_INET6}};
	uint64_t hash_of_four, hash_of_six;
	struct hash_link *link;

	sa_table_set_packet(table, &six, true);
	link = &packet_entry(table, &six)->link;
	hash_of_six = link->hash;
	sa_table_set_packet(table, &four, true);
	hash_of_four = packet_entry(table, &four)->link.hash;
	assert_false(sa_table_has_packet_partner(table, &six, 0));
	collide(&table->packet, link, hash_of_four);
	assert_false(sa_table_has_packet_partner(table, &four, 0));
	collide(&table->packet, link, hash_of_six);
	sa_table_set_packet(table, &four, false);
	sa_table_set_packet(table, &six, false);
}

static uint64_t packet_hash(struct sa_table *table, uint32_t reqid)
{
	struct sa sa = {.description = {.reqid = reqid, .id.family = AF_INET}};
	uint64_t hash;

	sa_table_set_packet(table, &sa, true);
	hash = packet_entry(table, &sa)->link.hash;
	sa_table_set_packet(table, &sa, false);
	return hash;
}

/* Both words of the seed have an effect. */
static void test_packet_seed(void **state)
{
	struct sa_table *table = *state;

	for (unsigned word = 0; word < 2; word++)
		for (uint32_t reqid = 0; reqid < 100; reqid++) {
			uint64_t before = packet_hash(table, reqid);

			table->seed.words[word] ^= UINT64_C(0x5bd1e9955bd1e994);
			assert_true(packet_hash(table, reqid) != before);
			table->seed = seed;
		}
}

static void test_history(void **state)
{
	static const struct {
		double rate;
		uint8_t sample;
	} cases[] = {{0, 0},     {-5, 0},      {0.5, 0},    {0.99, 0},      {NAN, 0},
		     {1, 1},     {1.09, 1},    {1.1, 2},    {2, 9},         {1024, 81},
		     {4e9, 255}, {3.5e9, 254}, {1e12, 255}, {INFINITY, 255}};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		assert_int_equal(history_encode(cases[i].rate), cases[i].sample);
	assert_true(history_decode(0) == 0);
	assert_true(history_decode(1) > 1 && history_decode(1) < 1.09);
	for (unsigned i = 1; i < 256; i++) {
		assert_int_equal(history_encode(history_decode((uint8_t)i)), i);
		/* A value inside the step. */
		assert_int_equal(history_encode(history_decode((uint8_t)i) * exp2(0.49 / 8)), i);
		assert_int_equal(history_encode(history_decode((uint8_t)i) * exp2(-0.49 / 8)), i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_candidacies),
		cmocka_unit_test(test_directions),
		cmocka_unit_test_setup_teardown(test_find, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove_all_of_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_handles, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shapes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shared_spi, setup, teardown),
		cmocka_unit_test_setup_teardown(test_walk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_packet_partners, setup, teardown),
		cmocka_unit_test_setup_teardown(test_packet_buckets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_packet_no_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_packet_families, setup, teardown),
		cmocka_unit_test_setup_teardown(test_packet_seed, setup, teardown),
		cmocka_unit_test(test_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

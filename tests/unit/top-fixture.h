/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies of a daemon with six SAs, one for each place, for the tests of `top`. */
#pragma once

#include <assert.h>
#include <jansson.h>

struct fixture_sa {
	const char *src;
	const char *dst;
	const char *direction;
	const char *nic; /* NULL: software */
	const char *state;
	const char *reason;
	const char *text;
	double rate; /* bytes/s */
	int spi;
	int reqid;
	int rank;
};

static const struct fixture_sa fixture_sas[] = {
	{"192.0.2.1", "198.51.100.1", "out", "eth0", "settled", "resident", "hot enough to stay",
	 475e6, 0x101, 1, 1},
	{"198.51.100.1", "192.0.2.1", "in", "eth0", "settled", "resident", "hot enough to stay",
	 180e6, 0x102, 1, 2},
	{"2001:db8:1::1", "2001:db8:ffff:3::10:3", "out", NULL, "moving", "hotter",
	 "it displaces a colder SA", 41e6, 0xc0ffee03, 2, 3},
	{"192.0.2.1", "203.0.113.254", "out", "eth0", "foreign", "foreign",
	 "somebody else offloaded it; it is left alone", 9e6, 0x104, 3, 4},
	{"192.0.2.1", "198.51.100.5", "out", NULL, "refused", "refused",
	 "the driver refused it: \"Only 128 bit ICV is supported\"", 2.5e6, 0x105, 4, 5},
	{"192.0.2.1", "198.51.100.6", "out", NULL, "hands-off", "unknown-attribute",
	 "attribute 42 is not known: hands off", 1e3, 0x106, 5, 6},
	{"192.0.2.1", "198.51.100.7", "out", NULL, "settled", "idle", "it carries nothing", 0,
	 0x107, 6, 0},
};
#define FIXTURE_SAS (sizeof(fixture_sas) / sizeof(fixture_sas[0]))

static inline json_t *fixture_sa(const struct fixture_sa *sa)
{
	json_t *history = json_array();
	char spi[16];
	json_t *object;

	for (int i = 0; i < 60; i++)
		(void)json_array_append_new(history, json_real(sa->rate * i / 59));
	(void)snprintf(spi, sizeof(spi), "0x%08x", (unsigned)sa->spi);
	object = json_pack(
		"{s:s, s:s, s:s, s:s, s:i, s:s, s:s?, s:f, s:s, s:s, s:s, s:s, s:s, s:f, s:o}",
		"spi", spi, "src", sa->src, "dst", sa->dst, "direction", sa->direction, "reqid",
		sa->reqid, "placement", sa->nic ? "nic" : "software", "nic", sa->nic,
		"bytesPerSecond", sa->rate, "state", sa->state, "reason", sa->reason, "text",
		sa->text, "mode", "tunnel", "protocol", "esp", "secondsInPlace", 12.0, "history",
		history);
	assert(object);
	(void)json_object_set_new(object, "rank", sa->rank ? json_integer(sa->rank) : json_null());
	return object;
}

static inline json_t *fixture_list(const struct fixture_sa *sas, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(array, fixture_sa(&sas[i]));
	return json_pack("{s:o, s:I}", "sas", array, "total", (json_int_t)n);
}

/* The rows of a page, as the daemon replies. */
static inline json_t *fixture_page(const struct fixture_sa *sas, size_t n, size_t first,
				   size_t size)
{
	size_t rows = first >= n ? 0 : n - first < size ? n - first : size;
	json_t *reply = fixture_list(sas + (rows ? first : 0), rows);

	(void)json_object_set_new(reply, "total", json_integer((json_int_t)n));
	(void)json_object_set_new(reply, "offset", json_integer((json_int_t)first));
	return reply;
}

/* The SAs of these peers are those above, and some that nobody asks for. */
static inline json_t *fixture_peers(void)
{
	json_t *reply = json_loads(
		"{\"peers\": ["
		"  {\"peer\": \"198.51.100.1\", \"sas\": 2, \"offloaded\": 2,"
		"   \"bytesPerSecond\": 655e6, \"offloadedBytesPerSecond\": 655e6,"
		"   \"nics\": [\"eth0\", \"eth1\"]},"
		"  {\"peer\": \"2001:db8:ffff:3::10:3\", \"sas\": 12345, \"offloaded\": 1,"
		"   \"bytesPerSecond\": 41e6, \"offloadedBytesPerSecond\": 10e6,"
		"   \"nics\": [\"eth0\"]},"
		"  {\"peer\": \"198.51.100.7\", \"sas\": 1, \"offloaded\": 0,"
		"   \"bytesPerSecond\": 0, \"offloadedBytesPerSecond\": 0, \"nics\": []}],"
		" \"total\": 1003, \"offset\": 0,"
		" \"sums\": {\"peers\": 1003, \"sas\": 13350, \"offloaded\": 4,"
		"  \"bytesPerSecond\": 700e6, \"offloadedBytesPerSecond\": 666e6},"
		" \"others\": {\"peers\": 1000, \"sas\": 1002, \"offloaded\": 1,"
		"  \"bytesPerSecond\": 4e6, \"offloadedBytesPerSecond\": 1e6}}",
		0, NULL);

	assert(reply);
	return reply;
}

static inline json_t *fixture_status(void)
{
	json_t *status = json_loads(
		"{\"version\": \"0.1.0\", \"mode\": \"enforce\", \"paused\": false,"
		" \"degraded\": null, \"mechanism\": \"re-add\", \"interval\": 1.0, "
		"\"dumpInterval\": 1.0,"
		" \"uptime\": 7505.0, \"configuration\": \"/etc/espoffloadd.conf\","
		" \"fips\": false, \"sas\": 7, \"offloaded\": 3, \"bytesPerSecond\": 707501000.0,"
		" \"offloadedBytesPerSecond\": 664000000.0,"
		" \"nics\": ["
		"  {\"name\": \"eth1\", \"index\": 3, \"driver\": \"ixgbe\", \"up\": true,"
		"   \"espOffload\": true, \"allowed\": true, \"trusted\": false, \"line\": 17,"
		"   \"capacity\": {\"shared\": false, \"in\": 1024, \"out\": 1024},"
		"   \"used\": {\"shared\": false, \"in\": 0, \"out\": 3},"
		"   \"foreign\": {\"shared\": false, \"in\": 0, \"out\": 3},"
		"   \"bytesPerSecond\": 0.0},"
		"  {\"name\": \"lo\", \"index\": 1, \"up\": true, \"espOffload\": false,"
		"   \"allowed\": false, \"trusted\": false, \"capacity\": {\"shared\": true},"
		"   \"used\": {\"shared\": true, \"total\": 0},"
		"   \"foreign\": {\"shared\": true, \"total\": 0}, \"bytesPerSecond\": 0.0},"
		"  {\"name\": \"eth0\", \"index\": 2, \"driver\": \"netdevsim\", \"up\": true,"
		"   \"espOffload\": true, \"allowed\": true, \"trusted\": true, \"line\": 12,"
		"   \"capacity\": {\"shared\": true, \"total\": 33},"
		"   \"used\": {\"shared\": true, \"total\": 3},"
		"   \"foreign\": {\"shared\": true, \"total\": 1},"
		"   \"bytesPerSecond\": 664000000.0}],"
		" \"moves\": {\"promoted\": 41, \"evicted\": 12, \"refused\": 1, \"failed\": 0},"
		" \"resyncs\": 0, \"overruns\": 0,"
		" \"lastAction\": {\"secondsAgo\": 3.2, \"action\": \"promote\","
		"  \"spi\": \"0x00000101\", \"src\": \"192.0.2.1\", \"dst\": \"198.51.100.1\","
		"  \"direction\": \"out\", \"nic\": \"eth0\", \"reason\": \"hotter\","
		"  \"text\": \"promoted 0x00000101 to eth0: it displaces a colder SA\"}}",
		0, NULL);

	assert(status);
	return status;
}

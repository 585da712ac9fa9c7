/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "views.h"

#include "frame.h"
#include "units.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

const char *json_text_or(const json_t *object, const char *key, const char *fallback)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : fallback;
}

static double json_real_or(const json_t *object, const char *key, double fallback)
{
	const json_t *number = json_object_get(object, key);

	return json_is_number(number) ? json_number_value(number) : fallback;
}

int64_t json_whole_or(const json_t *object, const char *key, int64_t fallback)
{
	const json_t *number = json_object_get(object, key);

	return json_is_integer(number) ? json_integer_value(number) : fallback;
}

static bool json_flag(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static enum sa_place find_place(const char *placement, const char *state)
{
	static const struct {
		const char *state;
		enum sa_place place;
	} table[] = {
		{"moving", SA_PLACE_MOVING},
		{"refused", SA_PLACE_REFUSED},
		{"foreign", SA_PLACE_FOREIGN},
		{"hands-off", SA_PLACE_HANDS_OFF},
	};

	for (size_t i = 0; i < ELEMENTSOF(table); i++)
		if (strcmp(state, table[i].state) == 0)
			return table[i].place;
	return strcmp(placement, "nic") == 0 ? SA_PLACE_NIC : SA_PLACE_SOFTWARE;
}

static void read_history(const json_t *history, struct sa_view *view)
{
	size_t n = json_array_size(history);
	size_t first = n > CONTROL_HISTORY_SAMPLES ? n - CONTROL_HISTORY_SAMPLES : 0;

	view->n_history = n - first;
	for (size_t i = first; i < n; i++) {
		const json_t *sample = json_array_get(history, i);

		view->history[i - first] = json_is_number(sample) ? json_number_value(sample) : NAN;
	}
}

int sa_view_read(const json_t *object, struct sa_view *ret_view)
{
	struct sa_view view = {
		.spi = json_text_or(object, "spi", NULL),
		.src = json_text_or(object, "src", NULL),
		.dst = json_text_or(object, "dst", NULL),
		.direction = json_text_or(object, "direction", "?"),
		.protocol = json_text_or(object, "protocol", "esp"),
		.mode = json_text_or(object, "mode", "?"),
		.mark = json_text_or(object, "mark", ""),
		.nic = json_text_or(object, "nic", NULL),
		.candidate = json_text_or(object, "candidateNic", NULL),
		.placement = json_text_or(object, "placement", NULL),
		.state = json_text_or(object, "state", ""),
		.reason = json_text_or(object, "reason", ""),
		.text = json_text_or(object, "text", ""),
		.rule = json_text_or(object, "rule", NULL),
		.connection = json_text_or(object, "connection", NULL),
		.reqid = json_whole_or(object, "reqid", 0),
		.if_id = json_whole_or(object, "ifId", 0),
		.rank = json_whole_or(object, "rank", 0),
		.bytes = json_whole_or(object, "bytes", -1),
		.packets = json_whole_or(object, "packets", -1),
		.in_place = json_real_or(object, "secondsInPlace", NAN),
		.rate = json_real_or(object, "bytesPerSecond", NAN),
	};

	if (!view.spi || !view.src || !view.dst || !view.placement)
		return -EBADMSG;
	view.place = find_place(view.placement, view.state);
	read_history(json_object_get(object, "history"), &view);
	*ret_view = view;
	return 0;
}

int sa_views_read(const json_t *reply, struct sa_view **ret_views, size_t *ret_n_views)
{
	const json_t *sas = json_object_get(reply, "sas");
	_cleanup_free_ struct sa_view *views = NULL;
	size_t n = json_array_size(sas);

	if (!json_is_array(sas))
		return -EBADMSG;
	views = calloc(n ? n : 1, sizeof(*views));
	if (!views)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int r = sa_view_read(json_array_get(sas, i), &views[i]);

		if (r < 0)
			return r;
	}
	*ret_views = TAKE_PTR(views);
	*ret_n_views = n;
	return 0;
}

static struct sums_view read_sums(const json_t *object)
{
	return (struct sums_view){
		.peers = json_whole_or(object, "peers", 1),
		.sas = json_whole_or(object, "sas", 0),
		.offloaded = json_whole_or(object, "offloaded", 0),
		.rate = json_real_or(object, "bytesPerSecond", NAN),
		.offloaded_rate = json_real_or(object, "offloadedBytesPerSecond", NAN),
	};
}

static int read_peer(const json_t *object, struct peer_view *ret_view)
{
	const json_t *nics = json_object_get(object, "nics");
	struct peer_view view = {
		.peer = json_text_or(object, "peer", NULL),
		.sums = read_sums(object),
	};

	if (!view.peer)
		return -EBADMSG;
	for (size_t i = 0; i < json_array_size(nics) && view.n_nics < PEER_NICS_MAX; i++) {
		const char *name = json_string_value(json_array_get(nics, i));

		if (name)
			view.nics[view.n_nics++] = name;
	}
	*ret_view = view;
	return 0;
}

int peer_views_read(const json_t *reply, struct peer_view **ret_views, size_t *ret_n_views,
		    struct sums_view *ret_all, struct sums_view *ret_others)
{
	const json_t *peers = json_object_get(reply, "peers");
	_cleanup_free_ struct peer_view *views = NULL;
	size_t n = json_array_size(peers);

	if (!json_is_array(peers) || !json_is_object(json_object_get(reply, "sums")) ||
	    !json_is_object(json_object_get(reply, "others")))
		return -EBADMSG;
	views = calloc(n ? n : 1, sizeof(*views));
	if (!views)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int r = read_peer(json_array_get(peers, i), &views[i]);

		if (r < 0)
			return r;
	}
	*ret_all = read_sums(json_object_get(reply, "sums"));
	*ret_others = read_sums(json_object_get(reply, "others"));
	*ret_views = TAKE_PTR(views);
	*ret_n_views = n;
	return 0;
}

static struct capacity_view read_capacity(const json_t *object)
{
	struct capacity_view view = {
		.in = json_whole_or(object, "in", -1),
		.out = json_whole_or(object, "out", -1),
		.total = json_whole_or(object, "total", -1),
	};

	view.shared = json_flag(object, "shared") || (view.in < 0 && view.out < 0);
	return view;
}

static int read_nic(const json_t *object, struct nic_view *ret_view)
{
	struct nic_view view = {
		.name = json_text_or(object, "name", NULL),
		.driver = json_text_or(object, "driver", NULL),
		.reason = json_text_or(object, "reason", NULL),
		.up = json_flag(object, "up"),
		.esp_offload = json_flag(object, "espOffload"),
		.allowed = json_flag(object, "allowed"),
		.trusted = json_flag(object, "trusted"),
		.file = json_text_or(object, "file", NULL),
		.line = json_whole_or(object, "line", 0),
		.capacity = read_capacity(json_object_get(object, "capacity")),
		.used = read_capacity(json_object_get(object, "used")),
		.foreign = read_capacity(json_object_get(object, "foreign")),
		.rate = json_real_or(object, "bytesPerSecond", NAN),
	};

	if (!view.name)
		return -EBADMSG;
	*ret_view = view;
	return 0;
}

int action_view_read(const json_t *object, struct action_view *ret_view)
{
	struct action_view view = {
		.seconds_ago = json_real_or(object, "secondsAgo", NAN),
		.action = json_text_or(object, "action", ""),
		.spi = json_text_or(object, "spi", ""),
		.src = json_text_or(object, "src", ""),
		.dst = json_text_or(object, "dst", ""),
		.direction = json_text_or(object, "direction", ""),
		.nic = json_text_or(object, "nic", NULL),
		.reason = json_text_or(object, "reason", ""),
		.text = json_text_or(object, "text", ""),
	};

	if (!json_is_object(object))
		return -EBADMSG;
	*ret_view = view;
	return 0;
}

int order_view_read(const json_t *object, struct order_view *ret_view)
{
	struct order_view view = {
		.kind = json_text_or(object, "kind", NULL),
		.peer = json_text_or(object, "peer", NULL),
		.spi = json_text_or(object, "spi", "?"),
		.src = json_text_or(object, "src", "?"),
		.dst = json_text_or(object, "dst", "?"),
		.seconds_left = json_real_or(object, "secondsLeft", NAN),
		.persist = json_flag(object, "persist"),
	};

	if (!view.kind)
		return -EBADMSG;
	*ret_view = view;
	return 0;
}

char *order_view_text(const struct order_view *order, bool ascii, char buffer[ORDER_TEXT_MAX])
{
	bool ends = !isnan(order->seconds_left);
	char time[UNITS_TEXT_MAX], target[ORDER_TEXT_MAX / 2];

	if (order->peer)
		(void)snprintf(target, sizeof(target), "peer %s", order->peer);
	else
		(void)snprintf(target, sizeof(target), "%s %s %s %s", order->spi, order->src,
			       frame_arrow(ascii), order->dst);
	(void)snprintf(buffer, ORDER_TEXT_MAX, "%s, %s%s%s%s", target,
		       ends ? "for " : "until 'espoffloadctl un",
		       ends ? units_format_time(order->seconds_left, time) : order->kind,
		       ends ? "" : "'",
		       order->persist ? ", also after a restart" : " or until a restart");
	return buffer;
}

static int read_nics(const json_t *nics, struct status_view *view)
{
	view->n_nics_total = json_array_size(nics);
	for (size_t i = 0; i < view->n_nics_total && i < STATUS_NICS_MAX; i++) {
		int r = read_nic(json_array_get(nics, i), &view->nics[i]);

		if (r < 0)
			return r;
		view->n_nics++;
	}
	return json_is_array(nics) ? 0 : -EBADMSG;
}

static void read_evacuated(const json_t *names, struct status_view *view)
{
	for (size_t i = 0; i < json_array_size(names) && view->n_evacuated < STATUS_NICS_MAX; i++) {
		const char *name = json_string_value(json_array_get(names, i));

		if (name)
			view->evacuated[view->n_evacuated++] = name;
	}
}

int trial_view_read(const json_t *object, struct trial_view *ret_view)
{
	struct trial_view view = {
		.until = json_whole_or(object, "until", -1),
		.seconds_left = json_real_or(object, "secondsLeft", NAN),
	};

	if (view.until < 0 || !(view.seconds_left >= 0))
		return -EBADMSG;
	*ret_view = view;
	return 0;
}

char *trial_view_text(const struct trial_view *trial, char buffer[TRIAL_TEXT_MAX])
{
	time_t until = (time_t)trial->until;
	char left[UNITS_TEXT_MAX], clock[16] = "?";
	struct tm local;

	if (localtime_r(&until, &local))
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	(void)snprintf(buffer, TRIAL_TEXT_MAX,
		       "on trial until %s (%s left): the one before comes back then, unless "
		       "'espoffloadctl reload --confirm' keeps this one",
		       clock, units_format_time(trial->seconds_left, left));
	return buffer;
}

static void read_orders(const json_t *orders, struct status_view *view)
{
	for (size_t i = 0; i < json_array_size(orders) && view->n_orders < STATUS_ORDERS_MAX; i++)
		if (order_view_read(json_array_get(orders, i), &view->orders[view->n_orders]) >= 0)
			view->n_orders++;
}

static void read_ranking(const json_t *ranking, struct ranking_view *view)
{
	const json_t *costs = json_object_get(ranking, "algorithms");

	view->by_cpu = strcmp(json_text_or(ranking, "configured", ""), "cpu") == 0;
	view->in_force = strcmp(json_text_or(ranking, "inForce", ""), "cpu") == 0;
	view->reason = json_text_or(ranking, "reason", NULL);
	for (size_t i = 0; i < json_array_size(costs) && i < RANKING_COSTS_MAX; i++) {
		const json_t *cost = json_array_get(costs, i);

		view->costs[view->n_costs++] = (struct cpu_cost_view){
			.algorithm = json_text_or(cost, "algorithm", "?"),
			.operation = json_text_or(cost, "operation", "?"),
			.key_bits = json_whole_or(cost, "keyBits", 0),
			.ns_per_byte = json_real_or(cost, "nsPerByte", NAN),
			.ns_per_packet = json_real_or(cost, "nsPerPacket", NAN),
			.reason = json_text_or(cost, "reason", NULL),
		};
	}
}

int status_view_read(const json_t *reply, struct status_view *ret_view)
{
	const json_t *moves = json_object_get(reply, "moves");
	struct status_view view = {
		.version = json_text_or(reply, "version", "?"),
		.mode = json_text_or(reply, "mode", NULL),
		.degraded = json_text_or(reply, "degraded", NULL),
		.mechanism = json_text_or(reply, "mechanism", "?"),
		.configuration = json_text_or(reply, "configuration", NULL),
		.n_files = json_array_size(json_object_get(reply, "configurationFiles")),
		.paused = json_flag(reply, "paused"),
		.fips = json_flag(reply, "fips"),
		.interval = json_real_or(reply, "interval", NAN),
		.dump_interval = json_real_or(reply, "dumpInterval", NAN),
		.uptime = json_real_or(reply, "uptime", NAN),
		.sas = json_whole_or(reply, "sas", 0),
		.offloaded = json_whole_or(reply, "offloaded", 0),
		.rate = json_real_or(reply, "bytesPerSecond", NAN),
		.offloaded_rate = json_real_or(reply, "offloadedBytesPerSecond", NAN),
		.promoted = json_whole_or(moves, "promoted", 0),
		.evicted = json_whole_or(moves, "evicted", 0),
		.refused = json_whole_or(moves, "refused", 0),
		.failed = json_whole_or(moves, "failed", 0),
		.resyncs = json_whole_or(reply, "resyncs", 0),
		.overruns = json_whole_or(reply, "overruns", 0),
	};
	int r;

	if (!view.mode)
		return -EBADMSG;
	view.has_action = action_view_read(json_object_get(reply, "lastAction"), &view.action) >= 0;
	read_evacuated(json_object_get(reply, "evacuated"), &view);
	read_orders(json_object_get(reply, "orders"), &view);
	view.on_trial = trial_view_read(json_object_get(reply, "trial"), &view.trial) >= 0;
	read_ranking(json_object_get(reply, "ranking"), &view.ranking);
	r = read_nics(json_object_get(reply, "nics"), &view);
	if (r < 0)
		return r;
	*ret_view = view;
	return 0;
}

static const struct {
	const char *word;
	uint32_t style;
	uint32_t glyph;
	char ascii;
} places[_SA_PLACE_MAX] = {
	[SA_PLACE_NIC] = {"nic", FRAME_GREEN, 0x25cf, '*'},
	[SA_PLACE_MOVING] = {"moving", FRAME_YELLOW, 0x25d0, '>'},
	[SA_PLACE_SOFTWARE] = {"sw", FRAME_PLAIN, 0x25cb, 'o'},
	[SA_PLACE_REFUSED] = {"refused", FRAME_RED, 0x2717, 'x'},
	[SA_PLACE_FOREIGN] = {"foreign", FRAME_CYAN, 0x25c7, '+'},
	[SA_PLACE_HANDS_OFF] = {"hands-off", FRAME_BLUE, 0x25a0, '#'},
};

const char *sa_place_word(enum sa_place place)
{
	return places[place].word;
}

uint32_t sa_place_style(enum sa_place place)
{
	return places[place].style;
}

uint32_t sa_place_glyph(enum sa_place place, bool ascii)
{
	return ascii ? (uint32_t)places[place].ascii : places[place].glyph;
}

const char *sa_view_peer(const struct sa_view *sa)
{
	return strcmp(sa->direction, "in") == 0 ? sa->src : sa->dst;
}

int sa_view_compare_identity(const struct sa_view *a, const struct sa_view *b)
{
	int order = strcmp(a->spi, b->spi);

	if (order == 0)
		order = strcmp(a->dst, b->dst);
	if (order == 0)
		order = strcmp(a->mark, b->mark);
	return order ? order : strcmp(a->protocol, b->protocol);
}

bool sa_view_same_lineage(const struct sa_view *a, const struct sa_view *b)
{
	return a->reqid == b->reqid && a->if_id == b->if_id && strcmp(a->src, b->src) == 0 &&
	       strcmp(a->dst, b->dst) == 0 && strcmp(a->mark, b->mark) == 0 &&
	       strcmp(a->direction, b->direction) == 0;
}

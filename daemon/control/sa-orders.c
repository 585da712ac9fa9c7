/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pin, Unpin, Ban and Unban: orders on SAs. */
#include "control/sa-orders.h"

#include "control/describe.h"
#include "control/methods.h"

#include <errno.h>
#include <string.h>

#define EXPECTED_PEER "an address or a prefix, as 192.0.2.0/24 or 2001:db8::1"

/* The SAs that a request names. */
struct target {
	const char *spi, *dst, *peer; /* as given; NULL: not */
	uint32_t spi_value;
	struct config_prefix prefix;
};

/* Returns 0 with *ret_error for a bad value. */
static int read_target(const json_t *parameters, struct target *ret_target, json_t **ret_reply,
		       const char **ret_error)
{
	struct target target = {
		.spi = json_string_value(json_object_get(parameters, "spi")),
		.dst = json_string_value(json_object_get(parameters, "dst")),
		.peer = json_string_value(json_object_get(parameters, "peer")),
	};

	if (target.spi && describe_parse_spi(target.spi, &target.spi_value) < 0)
		return control_refuse_parameter("spi", ret_reply, ret_error);
	if (target.dst && !target.spi)
		return control_refuse_parameter("dst", ret_reply, ret_error);
	if (target.peer && target.spi)
		return control_refuse_parameter("peer", ret_reply, ret_error);
	if (target.peer && config_parse_prefix(target.peer, &target.prefix) < 0)
		return control_refuse_value("peer", target.peer, EXPECTED_PEER, ret_reply,
					    ret_error);
	*ret_target = target;
	return 0;
}

/* ---- As JSON ---- */

json_t *sa_order_json(const struct sa_order *order, double now)
{
	char source[SA_ADDRESS_TEXT_SIZE], destination[SA_ADDRESS_TEXT_SIZE];
	char peer[SA_ORDER_PREFIX_SIZE];
	double left = order->until > now ? order->until - now : 0;
	json_t *object = json_pack("{s:s, s:o, s:b}", "kind", sa_order_kind(order), "secondsLeft",
				   order->until > 0 ? json_real(left) : json_null(), "persist",
				   (int)order->persist);
	json_t *target;
	int r;

	if (order->peer.set)
		target = json_pack("{s:s}", "peer", sa_order_format_peer(order, peer));
	else
		target = json_pack(
			"{s:o, s:s, s:s}", "spi", json_sprintf("0x%08x", order->id.spi), "src",
			sa_address_format(order->id.family, &order->lineage.source, source), "dst",
			sa_address_format(order->id.family, &order->id.destination, destination));
	r = describe_merge(object, target);
	if (r == 0)
		return object;
	json_decref(object);
	return NULL;
}

json_t *sa_orders_json(const struct manager *m)
{
	const struct sa_orders *orders = orders_on_sas(m->orders);
	json_t *array = json_array();
	int r = 0;

	for (size_t i = 0; i < orders->n; i++)
		r |= json_array_append_new(array,
					   sa_order_json(&orders->entries[i], manager_now(m)));
	if (r == 0)
		return array;
	json_decref(array);
	return NULL;
}

const char *sa_order_kind(const struct sa_order *order)
{
	return order->ban ? "ban" : "pin";
}

/* ---- Giving orders ---- */

struct giving {
	struct manager *m;
	struct sa_order order;
	json_t *orders;
	size_t n_sas;
};

static int give(struct giving *giving)
{
	size_t n;
	int r = manager_add_sa_order(giving->m, &giving->order, &n);

	if (r < 0)
		return r;
	giving->n_sas += n;
	return json_array_append_new(giving->orders,
				     sa_order_json(&giving->order, manager_now(giving->m))) < 0
		       ? -ENOMEM
		       : 0;
}

static bool is_room_for(struct giving *giving, struct sa *const *sas, size_t n)
{
	const struct sa_orders *orders = orders_on_sas(giving->m->orders);
	size_t n_new = 0;

	for (size_t i = 0; i < n; i++) {
		sa_order_set_sa(&giving->order, &sas[i]->description);
		n_new += !sa_orders_have_target(orders, &giving->order);
	}
	return n_new <= SA_ORDERS_MAX - orders->n;
}

/* SAs with different destinations can have the same SPI: all get an order, or none. -ENOENT: no SA
 * has it. */
static int give_by_spi(struct giving *giving, const struct target *target)
{
	_cleanup_free_ struct sa **sas = NULL;
	size_t n;
	int r = describe_find(giving->m, target->spi_value, target->dst, &sas, &n);

	if (r >= 0 && n == 0)
		r = -ENOENT;
	if (r >= 0 && !is_room_for(giving, sas, n))
		r = -ENOSPC;
	for (size_t i = 0; r >= 0 && i < n; i++) {
		sa_order_set_sa(&giving->order, &sas[i]->description);
		r = give(giving);
	}
	return r;
}

static int give_to_target(struct giving *giving, const struct target *target)
{
	if (target->spi)
		return give_by_spi(giving, target);
	giving->order.peer = target->prefix;
	return give(giving);
}

/* ---- What stands against an order ---- */

static bool was_given(const struct giving *giving, const struct sa *sa)
{
	const struct sa_orders *orders = orders_on_sas(giving->m->orders);

	for (size_t i = orders->n - json_array_size(giving->orders); i < orders->n; i++)
		if (sa_order_concerns(&orders->entries[i], &sa->description))
			return true;
	return false;
}

/* Whether the SA is not where the order wants it, and will not be moved there. */
static bool is_hindered(const struct giving *giving, const struct sa *sa, struct explanation *place)
{
	struct policy_sa_view view;

	if ((sa->residence.ifindex != 0) != giving->order.ban || !was_given(giving, sa))
		return false;
	view = describe_view(giving->m, sa);
	describe_place(giving->m, sa, &view, place);
	return sa->residence.foreign || sa->hands_off != HANDS_OFF_NONE ||
	       (!giving->order.ban && (place->lasting || sa->candidate.candidacy != CANDIDACY_OK));
}

static int add_obstacle(json_t *obstacles, const struct explanation *place)
{
	json_t *obstacle;
	size_t i;

	json_array_foreach(obstacles, i, obstacle) {
		json_t *sas = json_object_get(obstacle, "sas");

		if (strcmp(json_string_value(json_object_get(obstacle, "reason")), place->reason) ==
		    0)
			return json_integer_set(sas, json_integer_value(sas) + 1);
	}
	return json_array_append_new(obstacles,
				     json_pack("{s:s, s:s, s:i}", "reason", place->reason, "text",
					       place->text, "sas", 1));
}

/* By reason, with the text of the first SA. NULL without memory. */
static json_t *obstacles_of(const struct giving *giving)
{
	json_t *obstacles = json_array();
	struct explanation place;
	const struct sa *sa;
	int r = obstacles ? 0 : -1;

	TAILQ_FOREACH(sa, &giving->m->sas->all, list)
		if (r == 0 && is_hindered(giving, sa, &place))
			r = add_obstacle(obstacles, &place);
	if (r == 0)
		return obstacles;
	json_decref(obstacles);
	return NULL;
}

/* Makes a Varlink error of what giving an order may return. */
static int answer_failure(int error, const struct target *target, json_t **ret_reply,
			  const char **ret_error)
{
	if (error == -ENOENT) {
		*ret_error = "NoSuchSA";
		*ret_reply = json_pack("{s:s}", "spi", target->spi);
	} else if (error == -ENOSPC) {
		*ret_error = "TooManyOrders";
		*ret_reply = json_pack("{s:I}", "most", (json_int_t)SA_ORDERS_MAX);
	} else {
		return error;
	}
	return *ret_reply ? 0 : -ENOMEM;
}

static int give_order(struct manager *m, bool ban, const json_t *parameters, json_t **ret_reply,
		      const char **ret_error)
{
	struct giving giving = {
		.m = m,
		.order = {.ban = ban,
			  .persist = json_is_true(json_object_get(parameters, "persist"))},
	};
	struct target target;
	json_int_t seconds;
	int r = read_target(parameters, &target, ret_reply, ret_error);

	if (r < 0 || *ret_error)
		return r;
	if (!target.spi && !target.peer)
		return control_refuse_parameter("spi", ret_reply, ret_error);
	r = control_read_count(parameters, "seconds", 1, SA_ORDER_SECONDS_MAX, &seconds, ret_reply,
			       ret_error);
	if (r < 0 || *ret_error)
		return r;
	if (seconds > 0)
		giving.order.until = manager_now(m) + (double)seconds;
	giving.orders = json_array();
	if (!giving.orders)
		return -ENOMEM;
	r = give_to_target(&giving, &target);
	if (r < 0) {
		json_decref(giving.orders);
		return answer_failure(r, &target, ret_reply, ret_error);
	}
	*ret_reply = json_pack("{s:o, s:I, s:o, s:b}", "orders", giving.orders, "sas",
			       (json_int_t)giving.n_sas, "obstacles", obstacles_of(&giving),
			       "paused", (int)orders_are_paused(m->orders));
	return *ret_reply ? 0 : -ENOMEM;
}

int method_pin(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error)
{
	return give_order(((struct methods *)userdata)->manager, false, parameters, ret_reply,
			  ret_error);
}

int method_ban(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error)
{
	return give_order(((struct methods *)userdata)->manager, true, parameters, ret_reply,
			  ret_error);
}

/* ---- Ending orders ---- */

struct ending {
	struct manager *m;
	bool ban;
	const struct target *target;
	struct sa **sas; /* that have the SPI now, perhaps after a rekey */
	size_t n_sas;
};

static bool was_given_for(const struct sa_order *order, const struct target *target)
{
	char text[SA_ADDRESS_TEXT_SIZE];

	return order->id.spi == target->spi_value &&
	       (!target->dst ||
		strcmp(sa_address_format(order->id.family, &order->id.destination, text),
		       target->dst) == 0);
}

static bool is_meant(const struct sa_order *order, void *userdata)
{
	const struct ending *ending = userdata;

	if (order->ban != ending->ban)
		return false;
	if (ending->target->peer)
		return sa_order_has_prefix(order, &ending->target->prefix);
	if (!ending->target->spi)
		return true;
	if (order->peer.set)
		return false;
	if (was_given_for(order, ending->target))
		return true;
	for (size_t i = 0; i < ending->n_sas; i++)
		if (sa_order_concerns(order, &ending->sas[i]->description))
			return true;
	return false;
}

static const char *name_of(const struct target *target)
{
	if (target->spi)
		return target->spi;
	return target->peer ? target->peer : "";
}

static int end_orders(struct manager *m, bool ban, const json_t *parameters, json_t **ret_reply,
		      const char **ret_error)
{
	_cleanup_free_ struct sa **sas = NULL;
	struct ending ending = {.m = m, .ban = ban};
	struct target target;
	size_t n;
	int r = read_target(parameters, &target, ret_reply, ret_error);

	if (r < 0 || *ret_error)
		return r;
	if (target.spi)
		r = describe_find(m, target.spi_value, target.dst, &sas, &ending.n_sas);
	if (r < 0)
		return r;
	ending.sas = sas;
	ending.target = &target;
	n = manager_end_sa_orders(m, is_meant, &ending);
	if (n == 0) {
		*ret_error = "NoSuchOrder";
		*ret_reply = json_pack("{s:s, s:s}", "kind", ban ? "ban" : "pin", "target",
				       name_of(&target));
	} else {
		*ret_reply = json_pack("{s:I}", "ended", (json_int_t)n);
	}
	return *ret_reply ? 0 : -ENOMEM;
}

int method_unpin(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error)
{
	return end_orders(((struct methods *)userdata)->manager, false, parameters, ret_reply,
			  ret_error);
}

int method_unban(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error)
{
	return end_orders(((struct methods *)userdata)->manager, true, parameters, ret_reply,
			  ret_error);
}

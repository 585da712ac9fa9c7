/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GetStatus: the daemon, its NICs and its counters. */
#include "control/describe.h"
#include "control/methods.h"
#include "control/sa-orders.h"

#include <errno.h>
#include <string.h>

static json_t *capacity_of(bool shared, uint32_t in, uint32_t out)
{
	if (shared)
		return json_pack("{s:b, s:I}", "shared", 1, "total", (json_int_t)in);
	return json_pack("{s:b, s:I, s:I}", "shared", 0, "in", (json_int_t)in, "out",
			 (json_int_t)out);
}

static uint32_t capacity_in_force(struct manager *m, policy_table table, uint32_t configured,
				  uint32_t foreign)
{
	struct policy_table_view view;

	if (table == POLICY_NONE)
		return configured;
	policy_table_get(m->policy, table, &view);
	return view.capacity + foreign < configured ? view.capacity + foreign : configured;
}

static json_t *slots_of(struct manager *m, const struct placement_nic *n)
{
	uint32_t foreign = n->foreign_in + n->foreign_out;

	if (n->shared)
		return json_pack(
			"{s:o, s:o, s:o}", "capacity",
			capacity_of(true, capacity_in_force(m, n->in, n->capacity_in, foreign), 0),
			"used", capacity_of(true, n->used_in + n->used_out, 0), "foreign",
			capacity_of(true, foreign, 0));
	return json_pack("{s:o, s:o, s:o}", "capacity",
			 capacity_of(false,
				     capacity_in_force(m, n->in, n->capacity_in, n->foreign_in),
				     capacity_in_force(m, n->out, n->capacity_out, n->foreign_out)),
			 "used", capacity_of(false, n->used_in, n->used_out), "foreign",
			 capacity_of(false, n->foreign_in, n->foreign_out));
}

/* The properties of the device. */
static json_t *device_of(struct manager *m, const struct placement_nic *n)
{
	const struct nic *nic = network_get(m->network, n->ifindex);

	return json_pack("{s:s, s:i, s:s*, s:b, s:b}", "name", n->name, "index", n->ifindex,
			 "driver", nic && nic->driver[0] ? nic->driver : NULL, "up", nic && nic->up,
			 "espOffload", nic && nic->esp_offload);
}

/* The permissions of the NIC by the configuration. */
static json_t *permission_of(const struct placement_nic *n)
{
	return json_pack("{s:b, s:b, s:s*, s:o, s:s*}", "allowed", n->config && n->config->allow,
			 "trusted", n->config && n->config->trusted, "file",
			 n->config ? n->config->file : NULL, "line",
			 n->config ? json_integer(n->config->line) : json_null(), "reason",
			 n->candidacy == CANDIDACY_OK ? NULL : candidacy_name(n->candidacy));
}

static json_t *counts_of_policy(const uint64_t counts[_POLICY_REASON_MAX])
{
	json_t *array = json_array();

	for (unsigned i = 0; i < _POLICY_REASON_MAX; i++)
		(void)describe_count(array, policy_reason_name(i), counts[i]);
	return array;
}

static json_t *counts_of_refusals(const uint64_t counts[_REFUSAL_CAUSE_MAX])
{
	json_t *array = json_array();

	for (unsigned i = 0; i < _REFUSAL_CAUSE_MAX; i++)
		(void)describe_count(array, refusal_cause_name(i), counts[i]);
	return array;
}

static json_t *moves_of(const struct nic_moves *moves)
{
	return json_pack("{s:o, s:o, s:o}", "promoted", counts_of_policy(moves->promoted),
			 "evicted", counts_of_policy(moves->evicted), "refused",
			 counts_of_refusals(moves->refused));
}

static json_t *software_of(const struct standing_counts *counts)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < _POLICY_REASON_MAX; i++)
		(void)describe_count(array, policy_reason_name(i), counts->policy[i]);
	for (unsigned i = 0; i < _CANDIDACY_MAX; i++)
		(void)describe_count(array, candidacy_name(i), counts->candidacy[i]);
	for (unsigned i = 1; i < _HANDS_OFF_MAX; i++)
		(void)describe_count(array, hands_off_name(i), counts->hands_off[i]);
	return array;
}

/* NULL without memory. */
static json_t *nic_object(struct manager *m, const struct placement_nic *n)
{
	json_t *object = device_of(m, n);
	int r = describe_merge(object, permission_of(n));

	r |= describe_merge(object, slots_of(m, n));
	r |= describe_merge(object, moves_of(&n->moves));
	r |= json_object_set_new(object, "bytesPerSecond", json_real(n->load.carried));
	if (r == 0)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *last_action(struct manager *m)
{
	const struct action *action = reporter_action(m->reporter, 0);

	return action ? describe_action(m, action) : json_null();
}

static json_t *conditions_of(const struct manager *m)
{
	json_t *conditions = json_array();

	for (unsigned i = 0; i < _HEALTH_CONDITION_MAX; i++)
		if (health_holds(m->health, i))
			json_array_append_new(conditions,
					      json_pack("{s:s, s:s}", "name", health_name(i),
							"text", health_text(i)));
	return conditions;
}

static json_t *evacuated_of(const struct manager *m)
{
	json_t *evacuated = json_array();

	for (size_t i = 0; i < orders_n_evacuated(m->orders); i++)
		json_array_append_new(evacuated, json_string(orders_evacuated(m->orders, i)));
	return evacuated;
}

static json_t *nics_of(struct manager *m)
{
	json_t *nics = json_array();
	int r = 0;

	for (size_t i = 0; i < nics_count(m->nics); i++)
		r |= json_array_append_new(nics, nic_object(m, nics_at(m->nics, i)));
	if (r == 0)
		return nics;
	json_decref(nics);
	return NULL;
}

static json_t *mechanism_of(const struct manager *m)
{
	const char *in = migrator_mechanism(m->migrator, true);
	const char *out = migrator_mechanism(m->migrator, false);

	return strcmp(in, out) == 0 ? json_string(in)
				    : json_sprintf("promote by %s, evict by %s", in, out);
}

static json_t *cpu_cost_of(const struct cpu_costs_view *view)
{
	bool known = view->cost.per_byte > 0;

	return json_pack("{s:s, s:I, s:I, s:s, s:o, s:o, s:s?}", "algorithm", view->cipher->name,
			 "keyBits", (json_int_t)view->cipher->key_bytes * 8, "icvBits",
			 (json_int_t)view->cipher->icv_bytes * 8, "operation",
			 view->cipher->decrypts ? "decrypt" : "encrypt", "nsPerByte",
			 known ? json_real(view->cost.per_byte) : json_null(), "nsPerPacket",
			 known ? json_real(view->cost.per_packet) : json_null(), "reason",
			 view->error < 0 ? cpu_costs_error_text(view->error) : NULL);
}

/* By what SAs are ranked, and by what they should be. */
static json_t *ranking_of(const struct manager *m)
{
	const struct cpu_costs *costs = manager_cpu_costs(m);
	json_t *algorithms = json_array();
	int error = costs ? cpu_costs_error(costs) : 0;
	bool known = false;
	size_t n = 0;

	if (costs)
		(void)cpu_costs_values(costs, &n);
	for (size_t i = 0; i < n; i++) {
		struct cpu_costs_view view = cpu_costs_get(costs, i);

		known |= view.cost.per_byte > 0;
		json_array_append_new(algorithms, cpu_cost_of(&view));
	}
	return json_pack("{s:s, s:s, s:s?, s:o}", "configured", costs ? "cpu" : "bytes", "inForce",
			 known ? "cpu" : "bytes", "reason",
			 error < 0 ? cpu_costs_error_text(error) : NULL, "algorithms", algorithms);
}

static json_t *daemon_of(const struct manager *m)
{
	return json_pack("{s:s, s:s, s:o, s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:b}", "version",
			 ESPOFFLOAD_VERSION, "mode",
			 m->config->mode == CONFIG_MODE_ENFORCE ? "enforce" : "observe",
			 "mechanism", mechanism_of(m), "interval", m->config->interval,
			 "dumpInterval",
			 sampling_spacing(&m->sampling, m->sas, m->config->interval), "uptime",
			 manager_now(m) - m->started_at, "configuration",
			 m->config->n_files > 0 ? json_string(m->config->files[0]) : json_null(),
			 "configurationFiles", describe_files(m), "trial", describe_trial(m),
			 "ranking", ranking_of(m), "fips", m->environment.fips);
}

static json_t *health_of(const struct manager *m)
{
	char degraded[HEALTH_DESCRIPTION_SIZE];

	return json_pack("{s:b, s:o, s:o, s:o, s:o}", "paused", orders_are_paused(m->orders),
			 "evacuated", evacuated_of(m), "orders", sa_orders_json(m), "degraded",
			 health_is_well(m->health)
				 ? json_null()
				 : json_string(health_describe(m->health, degraded)),
			 "conditions", conditions_of(m));
}

static json_t *sums_of(struct manager *m)
{
	return json_pack("{s:I, s:I, s:f, s:f, s:o}", "sas", (json_int_t)m->sas->n, "offloaded",
			 (json_int_t)m->sas->holders.n_held, "bytesPerSecond", m->load.sums.all,
			 "offloadedBytesPerSecond", m->load.sums.offloaded, "software",
			 software_of(&m->load.sums.software));
}

static json_t *counters_of(struct manager *m)
{
	return json_pack("{s:{s:I, s:I, s:I, s:I}, s:I, s:I, s:o}", "moves", "promoted",
			 (json_int_t)m->promoted, "evicted", (json_int_t)m->evicted, "refused",
			 (json_int_t)m->refused, "failed", (json_int_t)m->failed, "resyncs",
			 (json_int_t)m->resyncs, "overruns",
			 (json_int_t)(tracker_overruns(m->tracker) + m->network_overruns),
			 "lastAction", last_action(m));
}

int method_get_status(json_t *parameters, void *userdata, json_t **ret_reply,
		      const char **ret_error)
{
	struct manager *m = ((const struct methods *)userdata)->manager;
	json_t *reply = daemon_of(m);
	int r = describe_merge(reply, health_of(m));

	(void)parameters;
	(void)ret_error;
	r |= describe_merge(reply, sums_of(m));
	r |= describe_merge(reply, counters_of(m));
	r |= json_object_set_new(reply, "nics", nics_of(m));
	if (r == 0) {
		*ret_reply = reply;
		return 0;
	}
	json_decref(reply);
	return -ENOMEM;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whether io.espoffload.varlink describes what the daemon does: its methods, their parameters, and
 * each field and type of their replies and errors.
 *
 * Who adds a method, a field or an error describes it in that file, and adds a call that shows it
 * to the list below.
 */
#include "control/interface.h"
#include "control/service.h"
#include "interface-file.h"
#include "manager-bench.h"
#include "report/event-log.h"

/* eth0 has a shared table, eth1 has split ones. */
static const char *const configuration =
	"mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\nrank-by: cpu\n"
	"nics:\n"
	"  - {match: {name: eth0}, allow: true, trusted: true, capacity: 1}\n"
	"  - {match: {name: eth1}, allow: true, trusted: false, capacity: {in: 4, out: 4}}\n"
	"rules: [{match: {reqid: 1}, weight: 2}]\n";

/* In this order. A method that answers with a list is called with `more`, too. */
static const struct {
	const char *method, *parameters;
	const char *error; /* NULL: none */
	bool denied;       /* the peer may not change anything */
} calls[] = {
	{"GetStatus", "{}"},
	{"ListSAs", "{\"history\": true}"},
	{"ListSAs", "{\"sort\": \"age\"}", "InvalidValue"},
	{"ListPeers", "{}"},
	{"ListPeers", "{\"limit\": 1025}", "InvalidValue"},
	{"Explain", "{\"spi\": \"0x1001\"}"},
	{"Explain", "{\"spi\": \"0x9\"}", "NoSuchSA"},
	{"Monitor", "{}"},
	{"Monitor", "{}", "TooManyMonitors"},
	{"Plan", "{\"turns\": 600}"},
	{"Plan", "{\"turns\": 1}"},
	{"Pause", "{}", "PermissionDenied", .denied = true},
	{"Pause", "{}"},
	{"Evacuate", "{\"nic\": \"eth0\"}"},
	{"Evacuate", "{\"nic\": \"eth9\"}", "NoSuchNic"},
	{"GetStatus", "{}"},
	{"Pin", "{\"spi\": \"0x2000\"}"}, /* to a NIC that is evacuated */
	{"Unpin", "{\"spi\": \"0x2000\"}"},
	{"Resume", "{\"nic\": \"eth1\"}", "NotEvacuated"},
	{"Resume", "{}"},
	{"Pin", "{\"spi\": \"0x1001\", \"seconds\": 60}"},
	{"Ban", "{\"peer\": \"192.0.2.0/24\", \"persist\": true}"},
	{"ListSAs", "{}"},
	{"GetStatus", "{}"},
	{"Unpin", "{\"spi\": \"0x1001\"}"},
	{"Unpin", "{}", "NoSuchOrder"},
	{"Ban", "{\"peer\": \"192.0.2.1\"}", "TooManyOrders"}, /* there are many now */
	{"Unban", "{}"},
	{"Reload", "{}"},
	{"Reload", "{\"trySeconds\": 60}"},
	{"GetStatus", "{}"},
	{"Reload", "{}", "OnTrial"},
	{"ConfirmReload", "{}", "PermissionDenied", .denied = true},
	{"ConfirmReload", "{}"},
	{"ConfirmReload", "{}", "NotOnTrial"},
	{"Reload", "{}", "InvalidConfiguration"}, /* there is no file any more */
};

static char config_path[64];
static struct event_log *events;
static struct event_reader *readers[EVENT_READERS_MAX];
static size_t n_readers;

static void write_configuration(struct bench *b)
{
	FILE *file;

	(void)snprintf(config_path, sizeof(config_path), "%s/configuration", b->directory);
	file = fopen(config_path, "w");
	assert_non_null(file);
	/* The second rule is shadowed by the first: a warning. */
	(void)fputs("mode: enforce\nrules:\n  - {match: {reqid: 1}, offload: never}\n"
		    "  - {match: {reqid: 1}, offload: always}\n",
		    file);
	assert_int_equal(fclose(file), 0);
	b->manager->environment.config_source.path = config_path;
}

/* An SA in the only slot, with all that an SA can have, another one that is going to displace it,
 * and a condition. */
static void open_world(struct bench *b)
{
	const struct fake_sa_spec spec = {
		.spi = 0x1001, .peer = 10, .reqid = 1, .if_id = 3, .mark = {.v = 1, .m = 0xff}};
	struct fake_belief *resident, *outsider;

	open_bench_with(b, configuration);
	add_other_nic(b);
	set_software_driver(b, "seqiv(rfc4106-gcm-aesni)");
	resident = promoted(b, spec);
	outsider = add(b, (struct fake_sa_spec){.spi = 0x2000, .peer = 11});
	for (unsigned i = 0; i < 100; i++) {
		(void)fake_kernel_send(b->fake, resident, 50, 1000);
		(void)fake_kernel_send(b->fake, outsider, 120, 1000);
		pass(b, 0.02);
	}
	manager_network_callbacks.failed(-ENOBUFS, b->manager);
	write_configuration(b);
}

static bool may_change(const struct ucred *peer)
{
	return peer->uid == 0;
}

/* The bytes that the client would get, with the NUL of each message. */
static json_t *take_replies(struct control_output *output)
{
	json_t *replies = json_array();
	size_t size = output->pending;
	char *text = malloc(size + 1);
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_non_null(text);
	for (size_t used = 0; used < size;) {
		ssize_t n;

		assert_true(control_output_send(output, fds[0]) >= 0);
		n = read(fds[1], text + used, size - used);
		assert_true(n > 0);
		used += (size_t)n;
	}
	for (const char *next = text; next < text + size; next += strlen(next) + 1) {
		json_t *reply = json_loads(next, JSON_REJECT_DUPLICATES, NULL);

		assert_non_null(reply);
		json_array_append_new(replies, reply);
	}
	free(text);
	closep(&fds[0]);
	closep(&fds[1]);
	return replies;
}

/* More events than are kept, so that some are lost. */
static void make_events(struct bench *b)
{
	for (unsigned i = 0; i <= EVENTS_MAX; i++)
		report_paused(b->manager->reporter, i % 2);
}

static json_t *call(struct bench *b, size_t i, bool more)
{
	struct methods methods = {.manager = b->manager, .events = events};
	const struct control_service service = {
		.methods = methods_table,
		.n_methods = methods_count,
		.userdata = &methods,
		.may_change = may_change,
		.refused = methods_refused,
	};
	char text[256], method[64];
	struct control_request request;
	struct control_output output;
	struct control_stream *stream = NULL;
	json_t *replies;
	int r;

	(void)snprintf(method, sizeof(method), "io.espoffload.%s", calls[i].method);
	r = snprintf(text, sizeof(text), "{\"method\":\"%s\",\"parameters\":%s,\"more\":%s}",
		     method, calls[i].parameters, more ? "true" : "false");
	assert_int_equal(control_request_parse(text, (size_t)r, &request), 0);
	control_output_init(&output);
	assert_int_equal(control_service_answer(&service, &request,
						&(struct ucred){.uid = calls[i].denied}, &output,
						&stream),
			 0);
	while (stream && (r = control_stream_next(stream, &output)) != CONTROL_STREAM_ENDED) {
		assert_true(r > 0);
		if (r != CONTROL_STREAM_WAITS)
			continue;
		make_events(b);
		control_stream_end(stream);
	}
	control_stream_free(stream);
	control_request_done(&request);
	snapshots_release(&methods.snapshots);
	plans_release(&methods.plans);
	replies = take_replies(&output);
	control_output_clear(&output);
	return replies;
}

static const json_t *named(const json_t *interface, const char *section, const char *name)
{
	return json_object_get(json_object_get(interface, section), name);
}

static void check_reply(struct interface_check *check, size_t i, const json_t *reply)
{
	const char *error = json_string_value(json_object_get(reply, "error"));
	const json_t *parameters = json_object_get(reply, "parameters");
	char expected[64];

	check->call = calls[i].method;
	if (!calls[i].error) {
		if (error)
			fail_msg("%s %s: error %s", calls[i].method, calls[i].parameters, error);
		interface_check_value(
			check,
			json_object_get(named(check->interface, "methods", check->call), "out"),
			check->call, parameters);
		return;
	}
	(void)snprintf(expected, sizeof(expected), "io.espoffload.%s", calls[i].error);
	assert_string_equal(error, expected);
	if (!named(check->interface, "errors", calls[i].error))
		fail_msg("describe the error %s in io.espoffload.varlink", calls[i].error);
	interface_check_value(check, named(check->interface, "errors", calls[i].error),
			      calls[i].error, parameters);
}

static void make_call(struct bench *b, struct interface_check *check, size_t i, bool more)
{
	json_t *replies = call(b, i, more), *reply;
	size_t n = json_array_size(replies), j;

	assert_true(n > 0);
	if (!named(check->interface, "methods", calls[i].method))
		fail_msg("describe the method %s in io.espoffload.varlink", calls[i].method);
	json_array_foreach(replies, j, reply) {
		assert_int_equal(json_is_true(json_object_get(reply, "continues")), j + 1 < n);
		check_reply(check, i, reply);
	}
	json_decref(replies);
}

/* The list that the method answers with, or NULL. */
static const struct control_list *list_of(const char *method)
{
	for (size_t i = 0; i < methods_count; i++)
		if (strcmp(methods_table[i].name, method) == 0)
			return methods_table[i].list;
	return NULL;
}

/* Of a method that needs it. */
static void check_needs_more(struct bench *b, size_t i)
{
	json_auto_t *replies = call(b, i, false);
	const json_t *error = json_object_get(json_array_get(replies, 0), "error");

	assert_string_equal(json_string_value(error), "org.varlink.service.ExpectedMore");
}

static void make_calls(struct bench *b, struct interface_check *check, size_t i)
{
	const struct control_list *list = list_of(calls[i].method);

	if (list && list->follows)
		check_needs_more(b, i);
	else
		make_call(b, check, i, false);
	if (list)
		make_call(b, check, i, true);
}

/* Each method was called and each error returned: the list above is complete. */
static void check_calls(const json_t *interface)
{
	json_t *called = json_object(), *value;
	const char *name;

	for (size_t i = 0; i < ELEMENTSOF(calls); i++)
		json_object_set_new(called, calls[i].error ? calls[i].error : calls[i].method,
				    json_true());
	json_object_foreach(json_object_get(interface, "methods"), name, value)
		if (!json_object_get(called, name))
			fail_msg("add a call of %s to the list of test-interface.c", name);
	json_object_foreach(json_object_get(interface, "errors"), name, value)
		if (!json_object_get(called, name))
			fail_msg("add a call that returns the error %s to the list of "
				 "test-interface.c",
				 name);
	json_decref(called);
}

static void check_all_seen(const struct interface_check *check)
{
	const char *name;
	json_t *value;

	json_object_foreach(json_object_get(check->interface, "types"), name, value)
		interface_check_seen(check, value, name);
	json_object_foreach(json_object_get(check->interface, "errors"), name, value)
		interface_check_seen(check, value, name);
	json_object_foreach(json_object_get(check->interface, "methods"), name, value)
		interface_check_seen(check, json_object_get(value, "out"), name);
}

/* As many as there may be. */
static void give_orders(struct bench *b)
{
	struct sa_order order = {.ban = true};
	size_t n;

	(void)config_parse_prefix("198.51.100.0", &order.peer);
	while (orders_on_sas(b->manager->orders)->n < SA_ORDERS_MAX) {
		order.peer.address.bytes[3]++;
		assert_int_equal(manager_add_sa_order(b->manager, &order, &n), 0);
	}
}

/* As many as there may be. */
static void add_readers(void)
{
	while (event_reader_new(events, &readers[n_readers]) == 0)
		n_readers++;
}

/* What must be so before the call. */
static void prepare(struct bench *b, const char *error)
{
	if (error && strcmp(error, "InvalidConfiguration") == 0)
		assert_int_equal(unlink(config_path), 0);
	if (error && strcmp(error, "TooManyOrders") == 0)
		give_orders(b);
	if (error && strcmp(error, "TooManyMonitors") == 0)
		add_readers();
}

static void test_replies(void **state)
{
	json_t *interface = interface_parse(control_interface_description, "io.espoffload");
	struct interface_check check = {.interface = interface, .seen = json_object()};
	struct bench b;

	(void)state;
	open_world(&b);
	assert_int_equal(event_log_new(b.journal, &b.clock, &events), 0);
	for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
		prepare(&b, calls[i].error);
		make_calls(&b, &check, i);
	}
	assert_int_equal(told(&b, "Refused Pause of uid 1 (pid 0) on the control socket"), 1);
	check_calls(interface);
	check_all_seen(&check);
	while (n_readers > 0)
		event_reader_free(readers[--n_readers]);
	event_log_free(events);
	close_bench(&b);
	json_decref(check.seen);
	json_decref(interface);
}

/* ---- Methods and parameters ---- */

static const char *kind_of(enum control_type type)
{
	switch (type) {
	case CONTROL_TEXT:
		return "string";
	case CONTROL_COUNT:
		return "int";
	case CONTROL_FLAG:
		return "bool";
	}
	return "?";
}

static void check_parameter(const char *method, const struct control_parameter *parameter,
			    const json_t *field)
{
	bool maybe;

	if (!field)
		fail_msg("describe the parameter %s of %s in io.espoffload.varlink",
			 parameter->name, method);
	maybe = strcmp(interface_kind(field), "maybe") == 0;
	if (maybe == parameter->required)
		fail_msg("the parameter %s of %s is %s, other than in io.espoffload.varlink",
			 parameter->name, method, parameter->required ? "required" : "optional");
	if (maybe)
		field = json_object_get(field, "of");
	if (strcmp(interface_kind(field), kind_of(parameter->type)) != 0)
		fail_msg("the parameter %s of %s is a %s, other than in io.espoffload.varlink",
			 parameter->name, method, kind_of(parameter->type));
}

static void test_methods(void **state)
{
	json_t *interface = interface_parse(control_interface_description, "io.espoffload");
	const json_t *described = json_object_get(interface, "methods");

	(void)state;
	for (size_t i = 0; i < methods_count; i++) {
		const struct control_method *method = &methods_table[i];
		const json_t *fields = json_object_get(
			json_object_get(json_object_get(described, method->name), "in"), "fields");
		size_t n = 0;

		if (!fields)
			fail_msg("describe the method %s in io.espoffload.varlink", method->name);
		for (; method->parameters && method->parameters[n].name; n++)
			check_parameter(method->name, &method->parameters[n],
					json_object_get(fields, method->parameters[n].name));
		if (n != json_object_size(fields))
			fail_msg("io.espoffload.varlink has parameters of %s that the table of "
				 "methods does not have",
				 method->name);
	}
	if (methods_count != json_object_size(described))
		fail_msg("io.espoffload.varlink has methods that the daemon does not have");
	json_decref(interface);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_replies),
	};

	return cmocka_run_group_tests_name("interface", tests, NULL, NULL);
}

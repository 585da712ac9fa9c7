// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests and replies: their content, their order, and what ends the connection. */
#include "control-fixture.h"

static void test_calls(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	start(fixture);
	fd = dial(fixture);
	ask(fd,
	    "{\"method\":\"io.espoffload.Echo\",\"parameters\":{\"a\":[1,null,0.1,\"\\u00e4\"]}}");
	expect(fixture, fd, "{\"parameters\":{\"a\":[1,null,0.1,\"\xc3\xa4\"]}}");
	ask(fd, "{\"method\":\"io.espoffload.Echo\"}");
	expect(fixture, fd, "{\"parameters\":{}}");
	ask(fd, " {\"method\":\"io.espoffload.Echo\", \"parameters\":null, \"more\":true}\n");
	expect(fixture, fd, "{\"parameters\":{}}");
	ask(fd, "{\"method\":\"io.espoffload.Pause\"}");
	expect(fixture, fd, "{\"parameters\":{}}");
	assert_int_equal(fixture->paused, 1);
	close(fd);
	run(fixture, 5);
	assert_int_equal(count_descriptors(), fixture->descriptors);
}

/* Parameters that a method does not read may have any value; null is the same as absent. */
static void test_parameters(void **state)
{
	static const struct {
		const char *parameters, *refused;
	} cases[] = {
		{"{\"spi\":\"0x1\"}", NULL},
		{"{\"spi\":\"0x1\",\"limit\":0,\"history\":false,\"other\":[]}", NULL},
		{"{\"spi\":\"0x1\",\"limit\":null,\"history\":null}", NULL},
		{"{}", "spi"},
		{"{\"spi\":null}", "spi"},
		{"{\"spi\":1}", "spi"},
		{"{\"spi\":\"0x1\",\"limit\":-1}", "limit"},
		{"{\"spi\":\"0x1\",\"limit\":1.5}", "limit"},
		{"{\"spi\":\"0x1\",\"limit\":\"1\"}", "limit"},
		{"{\"spi\":\"0x1\",\"history\":1}", "history"},
	};
	struct fixture *fixture = *state;
	int fd;

	start(fixture);
	fd = dial(fixture);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		char request[256], expected[256];

		(void)snprintf(request, sizeof(request),
			       "{\"method\":\"io.espoffload.Explain\",\"parameters\":%s}",
			       cases[i].parameters);
		if (cases[i].refused)
			(void)snprintf(expected, sizeof(expected),
				       "{\"error\":\"org.varlink.service.InvalidParameter\","
				       "\"parameters\":{\"parameter\":\"%s\"}}",
				       cases[i].refused);
		else
			(void)snprintf(expected, sizeof(expected),
				       "{\"error\":\"io.espoffload.NoSuchSA\","
				       "\"parameters\":{\"spi\":\"0x1\"}}");
		ask(fd, request);
		expect(fixture, fd, expected);
	}
	close(fd);
}

static void test_errors(void **state)
{
	static const char *const cases[][2] = {
		{"{\"method\":\"io.espoffload.Explain\"}",
		 "{\"error\":\"org.varlink.service.InvalidParameter\","
		 "\"parameters\":{\"parameter\":\"spi\"}}"},
		{"{\"method\":\"io.espoffload.Explain\",\"parameters\":{\"spi\":\"0x1\"}}",
		 "{\"error\":\"io.espoffload.NoSuchSA\",\"parameters\":{\"spi\":\"0x1\"}}"},
		{"{\"method\":\"io.espoffload.Nothing\"}",
		 "{\"error\":\"org.varlink.service.MethodNotFound\","
		 "\"parameters\":{\"method\":\"io.espoffload.Nothing\"}}"},
		{"{\"method\":\"io.espoffload.Echo\",\"upgrade\":true}",
		 "{\"error\":\"org.varlink.service.MethodNotImplemented\","
		 "\"parameters\":{\"method\":\"io.espoffload.Echo\"}}"},
		{"{\"method\":\"io.espoffloadd.Echo\"}",
		 "{\"error\":\"org.varlink.service.InterfaceNotFound\","
		 "\"parameters\":{\"interface\":\"io.espoffloadd\"}}"},
		{"{\"method\":\"Echo\"}", "{\"error\":\"org.varlink.service.InvalidParameter\","
					  "\"parameters\":{\"parameter\":\"method\"}}"},
		{"{\"method\":\"io.espoffload.Fail\"}",
		 "{\"error\":\"io.systemd.System\",\"parameters\":{\"origin\":\"linux\","
		 "\"errno\":19,\"message\":\"No such device\"}}"},
		{"{\"method\":\"org.varlink.service.GetInterfaceDescription\","
		 "\"parameters\":{\"interface\":\"a.b\"}}",
		 "{\"error\":\"org.varlink.service.InterfaceNotFound\","
		 "\"parameters\":{\"interface\":\"a.b\"}}"},
		{"{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":{\"x\":1}}",
		 "{\"error\":\"org.varlink.service.InvalidParameter\","
		 "\"parameters\":{\"parameter\":\"x\"}}"},
	};
	struct fixture *fixture = *state;
	int fd;

	start(fixture);
	fd = dial(fixture);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		ask(fd, cases[i][0]);
		expect(fixture, fd, cases[i][1]);
	}
	close(fd);
}

static void test_introspection(void **state)
{
	static const struct {
		const char *request;
		const char *first; /* start of the interface's name in the description */
	} cases[] = {
		{"{\"method\":\"org.varlink.service.GetInterfaceDescription\","
		 "\"parameters\":{\"interface\":\"io.espoffload\"}}",
		 "interface io.espoffload\n"},
		{"{\"method\":\"org.varlink.service.GetInterfaceDescription\","
		 "\"parameters\":{\"interface\":\"org.varlink.service\"}}",
		 "interface org.varlink.service\n"},
	};
	struct fixture *fixture = *state;
	const char *vendor, *product, *version, *url, *first, *second;
	json_t *reply;
	int fd;

	start(fixture);
	fd = dial(fixture);
	reply = call(fixture, fd, "{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":{}}");
	assert_int_equal(json_unpack(reply, "{s:{s:s, s:s, s:s, s:s, s:[s, s!]!}!}", "parameters",
				     "vendor", &vendor, "product", &product, "version", &version,
				     "url", &url, "interfaces", &first, &second),
			 0);
	assert_string_equal(first, "org.varlink.service");
	assert_string_equal(second, CONTROL_INTERFACE);
	assert_string_equal(version, ESPOFFLOAD_VERSION);
	json_decref(reply);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		const char *description;

		reply = call(fixture, fd, cases[i].request);
		assert_int_equal(json_unpack(reply, "{s:{s:s!}!}", "parameters", "description",
					     &description),
				 0);
		assert_non_null(strstr(description, cases[i].first));
		json_decref(reply);
	}
	close(fd);
}

/* The client gets the file that is installed, byte for byte. */
static void test_interface_file(void **state)
{
	struct fixture *fixture = *state;
	FILE *file = fopen(INTERFACE_FILE, "r");
	char text[32768];
	json_t *reply;
	size_t size;
	int fd;

	assert_non_null(file);
	size = fread(text, 1, sizeof(text) - 1, file);
	text[size] = '\0';
	assert_int_equal(fgetc(file), EOF);
	assert_int_equal(fclose(file), 0);
	start(fixture);
	fd = dial(fixture);
	reply = call(fixture, fd,
		     "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
		     "\"parameters\":{\"interface\":\"io.espoffload\"}}");
	assert_string_equal(json_string_value(json_object_get(json_object_get(reply, "parameters"),
							      "description")),
			    text);
	json_decref(reply);
	close(fd);
}

static void test_permission(void **state)
{
	struct fixture *fixture = *state;
	const char *error, *message;
	json_t *reply;
	int fd;

	start(fixture);
	allowed = false;
	fd = dial(fixture);
	reply = call(fixture, fd, "{\"method\":\"io.espoffload.Pause\"}");
	assert_int_equal(json_unpack(reply, "{s:s, s:{s:s!}!}", "error", &error, "parameters",
				     "message", &message),
			 0);
	assert_string_equal(error, "io.espoffload.PermissionDenied");
	assert_non_null(strstr(message, "Pause"));
	assert_non_null(strstr(message, CONTROL_GROUP));
	json_decref(reply);
	assert_int_equal(fixture->paused, 0);
	ask(fd, "{\"method\":\"io.espoffload.Pause\",\"oneway\":true}");
	ask(fd, "{\"method\":\"io.espoffload.Echo\"}");
	expect(fixture, fd, "{\"parameters\":{}}");
	assert_int_equal(fixture->paused, 0);
	/* Also the call whose reply nobody wants is noted. */
	assert_int_equal(fixture->refused, 2);
	allowed = true;
	ask(fd, "{\"method\":\"io.espoffload.Pause\"}");
	expect(fixture, fd, "{\"parameters\":{}}");
	assert_int_equal(fixture->paused, 1);
	assert_int_equal(fixture->refused, 2);
	close(fd);

	/* Only root and the daemon's own user. */
	assert_true(control_settings_default.may_change(&(struct ucred){.uid = 0}));
	assert_true(control_settings_default.may_change(&(struct ucred){.uid = geteuid()}));
	assert_false(control_settings_default.may_change(&(struct ucred){.uid = geteuid() + 1}));
}

static void test_garbage(void **state)
{
	static const char *const cases[] = {
		"",
		"x",
		"[]",
		"{}",
		"{\"method\":1}",
		"{\"method\":\"io.espoffload.Pause\"",
		"{\"method\":\"io.espoffload.Pause\"} x",
		"{\"method\":\"io.espoffload.Pause\",\"method\":\"io.espoffload.Pause\"}",
		"{\"method\":\"io.espoffload.Pause\",\"parameters\":[]}",
		"{\"method\":\"io.espoffload.Pause\",\"oneway\":1}",
		"{\"method\":\"io.espoffload.Pause\",\"oneway\":true,\"more\":true}",
		"{\"method\":\"io.espoffload.Pause\",\"surprise\":true}",
		"{\"method\":\"io.espoffload.Pause\\u0000\"}",
		"{\"method\":\"io.espoffload.Pause\xff\"}",
	};
	struct fixture *fixture = *state;

	start(fixture);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		int fd = dial(fixture);

		ask(fd, cases[i]);
		/* Data after an invalid message is not read. */
		ask(fd, "{\"method\":\"io.espoffload.Pause\"}");
		expect_hangup(fixture, fd);
	}
	assert_int_equal(fixture->paused, 0);
	run(fixture, 3);
	assert_int_equal(count_descriptors(), fixture->descriptors);
}

/* A request of exactly `size` bytes, without its NUL. */
static char *padded_request(size_t size)
{
	static const char head[] = "{\"method\":\"io.espoffload.Pause\"";
	char *text = malloc(size + 1);

	memset(text, ' ', size);
	memcpy(text, head, sizeof(head) - 1);
	text[size - 1] = '}';
	text[size] = '\0';
	return text;
}

static void test_size_limit(void **state)
{
	struct fixture *fixture = *state;
	char *text = padded_request(CONTROL_REQUEST_MAX);
	int fd;

	start(fixture);
	fd = dial(fixture);
	put(fd, text, CONTROL_REQUEST_MAX + 1);
	expect(fixture, fd, "{\"parameters\":{}}");
	free(text);

	text = padded_request(CONTROL_REQUEST_MAX + 1);
	put(fd, text, CONTROL_REQUEST_MAX + 1); /* there is no room for its NUL */
	expect_hangup(fixture, fd);
	free(text);
	assert_int_equal(fixture->paused, 1);
}

static void test_pieces(void **state)
{
	static const char request[] =
		"{\"method\":\"io.espoffload.Echo\",\"parameters\":{\"n\":1}}";
	struct fixture *fixture = *state;
	int fd;

	start(fixture);
	fd = dial(fixture);
	for (size_t i = 0; i < sizeof(request); i++) {
		put(fd, request + i, 1);
		turn(fixture);
	}
	expect(fixture, fd, "{\"parameters\":{\"n\":1}}");
	close(fd);
}

static void test_pipeline(void **state)
{
	struct fixture *fixture = *state;
	char text[500 * 128];
	size_t used = 0;
	int fd;

	start(fixture);
	fd = dial(fixture);
	for (unsigned i = 0; i < 500; i++)
		/* Every third request is one-way and gets no reply. */
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "{\"method\":\"io.espoffload.%s\",\"parameters\":"
					 "{\"n\":%u},\"oneway\":%s}",
					 i % 3 == 0 ? "Pause" : "Echo", i,
					 i % 3 == 0 ? "true" : "false") +
			1;
	put(fd, text, used);
	/* Half-closed: earlier requests are still answered, then the connection ends. */
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	for (unsigned i = 0; i < 500; i++) {
		if (i % 3 == 0)
			continue;
		snprintf(text, sizeof(text), "{\"parameters\":{\"n\":%u}}", i);
		expect(fixture, fd, text);
	}
	expect_hangup(fixture, fd);
	assert_int_equal(fixture->paused, 167);
}

static void test_oneway_and_gone(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	start(fixture);
	fd = dial(fixture);
	ask(fd, "{\"method\":\"io.espoffload.Pause\",\"oneway\":true}");
	ask(fd, "{\"method\":\"io.espoffload.Pause\",\"oneway\":true}");
	close(fd);
	run(fixture, 10);
	assert_int_equal(fixture->paused, 2);
	assert_int_equal(count_descriptors(), fixture->descriptors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_calls),         TEST(test_errors),          TEST(test_parameters),
		TEST(test_introspection), TEST(test_interface_file),  TEST(test_permission),
		TEST(test_garbage),       TEST(test_size_limit),      TEST(test_pieces),
		TEST(test_pipeline),      TEST(test_oneway_and_gone),
	};

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}

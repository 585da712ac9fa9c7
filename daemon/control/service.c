// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/service.h"

#include "control/interface.h"
#include "control/reply.h"

#include <errno.h>
#include <string.h>

#define SERVICE_INTERFACE "org.varlink.service"

/* From the Varlink specification. */
static const char service_description[] =
	"# The Varlink Service Interface is provided by every varlink service. It\n"
	"# describes the service and the interfaces it implements.\n"
	"interface org.varlink.service\n"
	"\n"
	"# Get a list of all the interfaces a service provides and information\n"
	"# about the implementation.\n"
	"method GetInfo() -> (\n"
	"  vendor: string,\n"
	"  product: string,\n"
	"  version: string,\n"
	"  url: string,\n"
	"  interfaces: []string\n"
	")\n"
	"\n"
	"# Get the description of an interface that is implemented by this service.\n"
	"method GetInterfaceDescription(interface: string) -> (description: string)\n"
	"\n"
	"# The requested interface was not found.\n"
	"error InterfaceNotFound (interface: string)\n"
	"\n"
	"# The requested method was not found\n"
	"error MethodNotFound (method: string)\n"
	"\n"
	"# The interface defines the requested method, but the service does not\n"
	"# implement it.\n"
	"error MethodNotImplemented (method: string)\n"
	"\n"
	"# One of the passed parameters is invalid.\n"
	"error InvalidParameter (parameter: string)\n"
	"\n"
	"# Client is denied access\n"
	"error PermissionDenied ()\n"
	"\n"
	"# Method is expected to be called with 'more' set to true, but wasn't\n"
	"error ExpectedMore ()\n";

/* The answer of a method: see struct control_method. */
struct answer {
	json_t *reply;
	const char *error;
	struct control_stream *stream; /* makes the reply; NULL: there is one */
};

static void answer_done(struct answer *answer)
{
	json_decref(answer->reply);
	control_stream_free(answer->stream);
}

/* Sets an error with one parameter, a string. */
static int refuse(struct answer *answer, const char *error, const char *name, const char *value)
{
	json_t *reply = json_pack("{s:s}", name, value);

	if (!reply)
		return -ENOMEM;
	answer->reply = reply;
	answer->error = error;
	return 0;
}

int control_refuse_parameter(const char *parameter, json_t **ret_reply, const char **ret_error)
{
	struct answer answer;
	int r = refuse(&answer, SERVICE_INTERFACE ".InvalidParameter", "parameter", parameter);

	if (r < 0)
		return r;
	*ret_reply = answer.reply;
	*ret_error = answer.error;
	return 0;
}

int control_refuse_value(const char *parameter, const char *value, const char *expected,
			 json_t **ret_reply, const char **ret_error)
{
	*ret_error = "InvalidValue";
	*ret_reply = json_pack("{s:s, s:s, s:s}", "parameter", parameter, "value", value,
			       "expected", expected);
	return *ret_reply ? 0 : -ENOMEM;
}

int control_read_count(const json_t *parameters, const char *name, json_int_t least,
		       json_int_t most, json_int_t *ret_value, json_t **ret_reply,
		       const char **ret_error)
{
	const json_t *count = json_object_get(parameters, name);
	json_int_t value = json_integer_value(count);
	char text[32], expected[64];

	*ret_value = value;
	if (!json_is_integer(count) || (value >= least && value <= most))
		return 0;
	(void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, value);
	(void)snprintf(expected, sizeof(expected),
		       "%" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT, least, most);
	return control_refuse_value(name, text, expected, ret_reply, ret_error);
}

static int get_info(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error)
{
	json_t *reply;

	if (json_object_size(parameters) > 0)
		return control_refuse_parameter(json_object_iter_key(json_object_iter(parameters)),
						ret_reply, ret_error);
	reply = json_pack("{s:s, s:s, s:s, s:s, s:[s, s]}", "vendor", "espoffloadd", "product",
			  "espoffloadd", "version", ESPOFFLOAD_VERSION, "url", "", "interfaces",
			  SERVICE_INTERFACE, CONTROL_INTERFACE);
	if (!reply)
		return -ENOMEM;
	*ret_reply = reply;
	return 0;
}

static int get_interface_description(json_t *parameters, void *userdata, json_t **ret_reply,
				     const char **ret_error)
{
	const char *name = json_string_value(json_object_get(parameters, "interface"));
	const char *description;
	json_t *reply;

	if (!name || json_object_size(parameters) > 1)
		return control_refuse_parameter("interface", ret_reply, ret_error);
	if (strcmp(name, SERVICE_INTERFACE) == 0) {
		description = service_description;
	} else if (strcmp(name, CONTROL_INTERFACE) == 0) {
		description = control_interface_description;
	} else {
		struct answer answer;
		int r = refuse(&answer, SERVICE_INTERFACE ".InterfaceNotFound", "interface", name);

		if (r < 0)
			return r;
		*ret_reply = answer.reply;
		*ret_error = answer.error;
		return 0;
	}
	reply = json_pack("{s:s}", "description", description);
	if (!reply)
		return -ENOMEM;
	*ret_reply = reply;
	return 0;
}

static const struct control_method service_methods[] = {
	{.name = "GetInfo", .call = get_info},
	{.name = "GetInterfaceDescription", .call = get_interface_description},
};

static const struct control_method *find_method(const struct control_method *methods, size_t n,
						const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

static bool is_interface(const char *expected, const char *name, size_t size)
{
	return strlen(expected) == size && memcmp(expected, name, size) == 0;
}

bool control_service_is_change(const struct control_service *service,
			       const struct control_request *request, const struct ucred *peer)
{
	const char *dot = strrchr(request->method, '.');
	const struct control_method *method;

	if (!dot ||
	    !is_interface(CONTROL_INTERFACE, request->method, (size_t)(dot - request->method)))
		return false;
	method = find_method(service->methods, service->n_methods, dot + 1);
	return method && method->changes && service->may_change(peer);
}

static int refuse_interface(struct answer *answer, const char *name, size_t size)
{
	_cleanup_free_ char *interface = strndup(name, size);

	if (!interface)
		return -ENOMEM;
	return refuse(answer, SERVICE_INTERFACE ".InterfaceNotFound", "interface", interface);
}

static int refuse_peer(const struct control_service *service, struct answer *answer,
		       const struct control_method *method, const struct ucred *peer)
{
	char text[256];

	if (service->refused)
		service->refused(method->name, peer, service->userdata);
	(void)snprintf(text, sizeof(text),
		       "%s changes what the daemon does, which is for root (this request came from "
		       "uid %u); members of the group '%s' may look",
		       method->name, (unsigned)peer->uid, CONTROL_GROUP);
	return refuse(answer, "PermissionDenied", "message", text);
}

static bool has_type(const json_t *value, enum control_type type)
{
	switch (type) {
	case CONTROL_TEXT:
		return json_is_string(value);
	case CONTROL_COUNT:
		return json_is_integer(value) && json_integer_value(value) >= 0;
	case CONTROL_FLAG:
		return json_is_boolean(value);
	}
	return false;
}

/* The first parameter that is missing or has the wrong type, or NULL. */
static const char *wrong_parameter(const struct control_method *method, const json_t *parameters)
{
	for (const struct control_parameter *p = method->parameters; p && p->name; p++) {
		const json_t *value = json_object_get(parameters, p->name);
		bool is_missing = !value || json_is_null(value);

		if (is_missing ? p->required : !has_type(value, p->type))
			return p->name;
	}
	return NULL;
}

static int call(const struct control_method *method, const struct control_request *request,
		void *userdata, struct answer *answer)
{
	const char *wrong = wrong_parameter(method, request->parameters);

	if (wrong)
		return control_refuse_parameter(wrong, &answer->reply, &answer->error);
	if (method->list && method->list->follows && !request->more) {
		answer->error = SERVICE_INTERFACE ".ExpectedMore";
		return 0;
	}
	if (method->list)
		return control_stream_new(method, request, userdata, &answer->stream);
	return method->call(request->parameters, userdata, &answer->reply, &answer->error);
}

static int find_and_call(const struct control_service *service,
			 const struct control_request *request, const struct ucred *peer,
			 struct answer *answer)
{
	const char *dot = strrchr(request->method, '.');
	const struct control_method *method;
	size_t size;

	if (!dot)
		return control_refuse_parameter("method", &answer->reply, &answer->error);
	size = (size_t)(dot - request->method);
	if (is_interface(SERVICE_INTERFACE, request->method, size))
		method = find_method(service_methods, ELEMENTSOF(service_methods), dot + 1);
	else if (is_interface(CONTROL_INTERFACE, request->method, size))
		method = find_method(service->methods, service->n_methods, dot + 1);
	else
		return refuse_interface(answer, request->method, size);
	if (!method)
		return refuse(answer, SERVICE_INTERFACE ".MethodNotFound", "method",
			      request->method);
	if (request->upgrade)
		return refuse(answer, SERVICE_INTERFACE ".MethodNotImplemented", "method",
			      request->method);
	if (method->changes && !service->may_change(peer))
		return refuse_peer(service, answer, method, peer);
	return call(method, request, service->userdata, answer);
}

int control_service_answer(const struct control_service *service,
			   const struct control_request *request, const struct ucred *peer,
			   struct control_output *output, struct control_stream **ret_stream)
{
	_cleanup_(answer_done) struct answer answer = {};
	int r = find_and_call(service, request, peer, &answer);

	if (request->oneway)
		return 0;
	if (r < 0)
		return control_reply_errno(output, r);
	if (answer.stream) {
		*ret_stream = TAKE_PTR(answer.stream);
		return 0;
	}
	return control_reply_write(output, answer.reply, answer.error);
}

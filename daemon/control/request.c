// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/request.h"

#include <errno.h>
#include <string.h>

static bool read_flag(const json_t *value, bool *flag)
{
	if (!json_is_boolean(value))
		return false;
	*flag = json_is_true(value);
	return true;
}

/* An unknown member is refused, since it could change the meaning of the request. */
static bool read_member(struct control_request *request, const char *name, json_t *value)
{
	if (strcmp(name, "method") == 0) {
		request->method = json_string_value(value);
		return request->method != NULL;
	}
	if (strcmp(name, "parameters") == 0) {
		request->parameters = json_is_null(value) ? NULL : value;
		return json_is_null(value) || json_is_object(value);
	}
	if (strcmp(name, "oneway") == 0)
		return read_flag(value, &request->oneway);
	if (strcmp(name, "more") == 0)
		return read_flag(value, &request->more);
	if (strcmp(name, "upgrade") == 0)
		return read_flag(value, &request->upgrade);
	return false;
}

int control_request_parse(const char *text, size_t size, struct control_request *ret_request)
{
	struct control_request request = {};
	json_error_t error;
	json_auto_t *message = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	const char *name;
	json_t *value;

	if (!message)
		return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
	if (!json_is_object(message))
		return -EBADMSG;
	json_object_foreach(message, name, value)
		if (!read_member(&request, name, value))
			return -EBADMSG;
	if (!request.method || request.oneway + request.more + request.upgrade > 1)
		return -EBADMSG;

	if (!request.parameters) {
		request.parameters = json_object();
		if (json_object_set_new(message, "parameters", request.parameters) < 0)
			return -ENOMEM;
	}
	request.message = json_incref(message);
	*ret_request = request;
	return 0;
}

void control_request_done(struct control_request *request)
{
	json_decref(request->message);
	*request = (struct control_request){};
}

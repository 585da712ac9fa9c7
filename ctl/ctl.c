/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl.h"

#include "control-interface.h"
#include "page.h"
#include "units.h"
#include "varlink-client.h"

#include <errno.h>
#include <grp.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

/* Bytes. Sufficient for the members of a group; otherwise the message does not name the group. */
#define GROUP_BUFFER_SIZE 16384

void ctl_error(const char *format, ...)
{
	va_list arguments;

	(void)fputs("espoffloadctl: ", stderr);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fputc('\n', stderr);
}

int ctl_usage(const char *format, ...)
{
	va_list arguments;

	(void)fputs("espoffloadctl: ", stderr);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fputs("\nTry 'espoffloadctl --help'.\n", stderr);
	return CTL_USAGE;
}

bool ctl_no_arguments(int argc, char **argv)
{
	if (argc > 1)
		(void)ctl_usage("%s: unexpected argument '%s'", argv[0], argv[1]);
	return argc <= 1;
}

int ctl_parse_number(const char *text, long min, long max, long *ret_value)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (end == text || *end)
		return -EINVAL;
	if (errno || value < min || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int ctl_parse_sas(const char *verb, const char *text, struct event_filter *ret_filter)
{
	if (event_filter_parse(text, ret_filter) < 0)
		return ctl_usage("%s: '%s' is neither an SPI (0x00000101) nor an address or prefix "
				 "of a peer",
				 verb, text);
	return CTL_OK;
}

static void report_permission(const struct ctl *ctl)
{
	char buffer[GROUP_BUFFER_SIZE];
	struct group group;
	struct group *found = NULL;
	struct stat status;

	if (stat(ctl->socket, &status) == 0)
		(void)getgrgid_r(status.st_gid, &group, buffer, sizeof(buffer), &found);
	if (found && found->gr_gid != 0)
		ctl_error("no permission to connect to %s: that is for root and the group '%s' "
			  "(usermod -aG %s USER, then log in again)",
			  ctl->socket, found->gr_name, found->gr_name);
	else
		ctl_error("no permission to connect to %s: try again as root (sudo)", ctl->socket);
}

int ctl_tell_failure(const struct ctl *ctl, int error)
{
	switch (-error) {
	case EACCES:
	case EPERM:
		report_permission(ctl);
		return CTL_UNREACHABLE;
	case ENOENT:
	case ECONNREFUSED:
	case ENOTSOCK:
	case EAGAIN:
		ctl_error("cannot connect to %s (%s): is espoffloadd running? "
			  "See 'systemctl status espoffloadd'",
			  ctl->socket, strerror(-error));
		return CTL_UNREACHABLE;
	case ETIMEDOUT:
		ctl_error("espoffloadd does not answer within %.0f s on %s: "
			  "see 'systemctl status espoffloadd'",
			  CTL_TIMEOUT, ctl->socket);
		return CTL_UNREACHABLE;
	case ECONNRESET:
	case EPIPE:
		ctl_error("espoffloadd closed the connection: was it stopped? "
			  "See 'journalctl -u espoffloadd'");
		return CTL_UNREACHABLE;
	case ENAMETOOLONG:
		ctl_error("the socket's path is too long: %s", ctl->socket);
		return CTL_USAGE;
	case EMSGSIZE:
		ctl_error("the reply is larger than %lu MiB: ask for less (--limit)",
			  CONTROL_REPLY_MAX >> 20);
		return CTL_FAILURE;
	case EBADMSG:
		ctl_error("what answers on %s does not speak the protocol of espoffloadd: "
			  "do the versions of espoffloadctl and espoffloadd match?",
			  ctl->socket);
		return CTL_FAILURE;
	default:
		ctl_error("cannot talk to espoffloadd on %s: %s", ctl->socket, strerror(-error));
		return CTL_FAILURE;
	}
}

/* Prints text of the daemon to stderr. Keeps newlines and replaces other control characters. */
static void print_foreign_text(const char *text)
{
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;
		/* U+0080 to U+009F are control characters too, "\xc2\x80" to "\xc2\x9f". */
		bool c1 = byte == 0xc2 && (unsigned char)text[1] < 0xa0;

		if (c1)
			text++;
		(void)fputc(c1 || (byte < 0x20 && byte != '\n') || byte == 0x7f ? '?' : byte,
			    stderr);
	}
}

void ctl_print_lines(const char *text)
{
	size_t length = strlen(text);

	print_foreign_text(text);
	if (length == 0 || text[length - 1] != '\n')
		(void)fputc('\n', stderr);
}

const char *ctl_more_files(size_t n_files, char buffer[CTL_MORE_SIZE])
{
	buffer[0] = '\0';
	if (n_files > 1)
		(void)snprintf(buffer, CTL_MORE_SIZE, " and %zu more", n_files - 1);
	return buffer;
}

static void tell_text(const char *prefix, const char *text)
{
	(void)fprintf(stderr, "espoffloadctl: %s", prefix);
	print_foreign_text(text);
	(void)fputc('\n', stderr);
}

static const char *member(const json_t *parameters, const char *key)
{
	const char *text = json_string_value(json_object_get(parameters, key));

	return text ? text : "?";
}

/* The parameters have the names of the options. */
static int report_invalid_value(const json_t *parameters)
{
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text, "%s is %s, not '%s'", member(parameters, "parameter"),
		     member(parameters, "expected"), member(parameters, "value")) < 0)
		text = NULL;
	tell_text("--", text ? text : member(parameters, "parameter"));
	return CTL_USAGE;
}

static int report_no_order(const json_t *parameters)
{
	const char *target = member(parameters, "target");
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text, "there is no %s%s%s; see 'espoffloadctl status'",
		     member(parameters, "kind"), target[0] ? " of " : "", target) < 0)
		text = NULL;
	tell_text("", text ? text : target);
	return CTL_FAILURE;
}

static int report_on_trial(const json_t *parameters)
{
	const json_t *left = json_object_get(parameters, "secondsLeft");
	char text[UNITS_TEXT_MAX];

	ctl_error("a configuration is on trial, for another %s: keep it with 'espoffloadctl reload "
		  "--confirm', or wait until the one before is back, then reload",
		  units_format_time(json_is_number(left) ? json_number_value(left) : NAN, text));
	return CTL_FAILURE;
}

static int report_error_reply(const struct ctl *ctl, const char *name, const json_t *parameters)
{
	if (strcmp(name, CONTROL_INTERFACE ".NoSuchNic") == 0) {
		ctl_error("there is no NIC of this name; see 'espoffloadctl status'");
		return CTL_FAILURE;
	}
	if (strcmp(name, CONTROL_INTERFACE ".NotEvacuated") == 0) {
		tell_text("this NIC is not evacuated; see 'espoffloadctl status': ",
			  member(parameters, "nic"));
		return CTL_FAILURE;
	}
	if (strcmp(name, CONTROL_INTERFACE ".NoSuchOrder") == 0)
		return report_no_order(parameters);
	if (strcmp(name, CONTROL_INTERFACE ".TooManyOrders") == 0) {
		ctl_error("there are too many orders (%" JSON_INTEGER_FORMAT
			  "), see 'espoffloadctl "
			  "status': use a prefix for several peers, or rules of the configuration",
			  json_integer_value(json_object_get(parameters, "most")));
		return CTL_FAILURE;
	}
	if (strcmp(name, CONTROL_INTERFACE ".TooManyMonitors") == 0) {
		ctl_error(
			"as many programs follow the events as there may be (%" JSON_INTEGER_FORMAT
			")",
			json_integer_value(json_object_get(parameters, "most")));
		return CTL_FAILURE;
	}
	if (strcmp(name, CONTROL_INTERFACE ".NoSuchSA") == 0) {
		tell_text("no SA has this SPI (see 'espoffloadctl list'): ",
			  member(parameters, "spi"));
		return CTL_FAILURE;
	}
	if (strcmp(name, CONTROL_INTERFACE ".InvalidConfiguration") == 0) {
		tell_text("the configuration is invalid, the rules in force stay: ",
			  member(parameters, "path"));
		ctl_print_lines(member(parameters, "messages"));
		return CTL_INVALID_CONFIG;
	}
	if (strcmp(name, CONTROL_INTERFACE ".OnTrial") == 0)
		return report_on_trial(parameters);
	if (strcmp(name, CONTROL_INTERFACE ".NotOnTrial") == 0) {
		ctl_error("no configuration is on trial; 'journalctl -u espoffloadd' shows what "
			  "became of the last one");
		return CTL_FAILURE;
	}
	if (strcmp(name, CONTROL_INTERFACE ".PermissionDenied") == 0) {
		tell_text("permission denied, try again as root (sudo): ",
			  member(parameters, "message"));
		return CTL_FAILURE;
	}
	if (strcmp(name, "org.varlink.service.MethodNotFound") == 0 ||
	    strcmp(name, "org.varlink.service.InterfaceNotFound") == 0 ||
	    strcmp(name, "org.varlink.service.MethodNotImplemented") == 0) {
		ctl_error("the espoffloadd on %s cannot do that: is it of another version?",
			  ctl->socket);
		return CTL_FAILURE;
	}
	if (strcmp(name, CONTROL_INTERFACE ".InvalidValue") == 0)
		return report_invalid_value(parameters);
	if (strcmp(name, "org.varlink.service.InvalidParameter") == 0) {
		tell_text("espoffloadd does not accept this value of: ",
			  member(parameters, "parameter"));
		return CTL_FAILURE;
	}
	ctl_error("espoffloadd answers with the error %s", name);
	return CTL_FAILURE;
}

/* Releases `parameters` if there is no connection over which to send them. */
static int open_client(const struct ctl *ctl, json_t *parameters,
		       struct varlink_client **ret_client)
{
	int r = varlink_client_connect(ctl->socket, ret_client);

	if (r < 0)
		json_decref(parameters);
	return r;
}

/* Takes `parameters`. The caller releases the reply. */
static int call(const struct ctl *ctl, const char *method, json_t *parameters,
		struct varlink_reply *ret_reply)
{
	_cleanup_(varlink_client_freep) struct varlink_client *client = NULL;
	int r = open_client(ctl, parameters, &client);

	return r < 0 ? r : varlink_client_call(client, method, parameters, CTL_TIMEOUT, ret_reply);
}

int ctl_call(const struct ctl *ctl, const char *method, json_t *parameters, json_t **ret_reply)
{
	_cleanup_(varlink_reply_done) struct varlink_reply reply = {};
	int r = call(ctl, method, parameters, &reply);

	if (r < 0)
		return ctl_tell_failure(ctl, r);
	if (reply.error)
		return report_error_reply(ctl, reply.error, reply.parameters);
	*ret_reply = TAKE_PTR(reply.parameters);
	return CTL_OK;
}

int ctl_try_call(const struct ctl *ctl, const char *method, json_t *parameters, json_t **ret_reply)
{
	_cleanup_(varlink_reply_done) struct varlink_reply reply = {};
	int r = call(ctl, method, parameters, &reply);

	if (r < 0)
		return r;
	if (reply.error)
		return -EREMOTEIO;
	*ret_reply = TAKE_PTR(reply.parameters);
	return 0;
}

int ctl_call_more(const struct ctl *ctl, const char *method, json_t *parameters,
		  int (*handle)(json_t *reply, bool last, void *userdata), void *userdata)
{
	_cleanup_(varlink_client_freep) struct varlink_client *client = NULL;
	bool continues = true;
	int r = open_client(ctl, parameters, &client);

	if (r >= 0)
		r = varlink_client_send_more(client, method, parameters);
	while (r >= 0 && continues) {
		_cleanup_(varlink_reply_done) struct varlink_reply reply = {};

		r = varlink_client_wait(client, CTL_TIMEOUT, &reply);
		if (r < 0)
			break;
		if (reply.error)
			return report_error_reply(ctl, reply.error, reply.parameters);
		continues = reply.continues;
		r = handle(reply.parameters, !continues, userdata);
	}
	return r < 0 ? ctl_tell_failure(ctl, r) : CTL_OK;
}

/* Waits until there is something to read. Returns whether nobody reads standard output any more. */
static bool wait_for_event(const struct varlink_client *client)
{
	struct pollfd fds[] = {
		{.fd = varlink_client_fd(client), .events = varlink_client_events(client)},
		{.fd = STDOUT_FILENO}, /* of a pipe: POLLERR */
	};

	while (poll(fds, ELEMENTSOF(fds), -1) < 0 && errno == EINTR)
		continue;
	return fds[1].revents != 0;
}

static int follow(const struct ctl *ctl, struct varlink_client *client,
		  int (*handle)(json_t *reply, void *userdata), void *userdata)
{
	bool first = true;

	for (;;) {
		_cleanup_(varlink_reply_done) struct varlink_reply reply = {};
		int r = first ? varlink_client_wait(client, CTL_TIMEOUT, &reply)
			      : varlink_client_process(client, &reply);

		if (r < 0)
			return ctl_tell_failure(ctl, r);
		if (!reply.parameters && wait_for_event(client))
			return CTL_OK;
		if (!reply.parameters)
			continue;
		if (reply.error)
			return report_error_reply(ctl, reply.error, reply.parameters);
		first = false;
		r = handle(reply.parameters, userdata);
		if (r != 0)
			return r < 0 ? ctl_tell_failure(ctl, r) : CTL_OK;
		if (!reply.continues) {
			ctl_error("espoffloadd has stopped");
			return CTL_UNREACHABLE;
		}
	}
}

int ctl_follow(const struct ctl *ctl, const char *method, json_t *parameters,
	       int (*handle)(json_t *reply, void *userdata), void *userdata)
{
	_cleanup_(varlink_client_freep) struct varlink_client *client = NULL;
	int r = open_client(ctl, parameters, &client);

	if (r >= 0)
		r = varlink_client_send_more(client, method, parameters);
	return r < 0 ? ctl_tell_failure(ctl, r) : follow(ctl, client, handle, userdata);
}

size_t ctl_json_flags(const struct ctl *ctl)
{
	size_t flags = ctl->json == CTL_JSON_PRETTY ? JSON_INDENT(2) : JSON_COMPACT;

	/* Output to a terminal must not contain Unicode control characters either. */
	return flags | (ctl->terminal ? JSON_ENSURE_ASCII : 0);
}

void ctl_print_json(const struct ctl *ctl, const json_t *document)
{
	(void)json_dumpf(document, stdout, ctl_json_flags(ctl));
	(void)fputc('\n', stdout);
}

int ctl_check_output(void)
{
	if (fflush(stdout) != 0 || ferror(stdout)) {
		ctl_error("cannot write: %s", strerror(errno));
		return CTL_FAILURE;
	}
	return CTL_OK;
}

int ctl_print_page(const struct ctl *ctl, const json_t *document,
		   int (*layout)(const json_t *document, int width, bool ascii,
				 struct frame **ret_frame))
{
	int width = ctl->width > 0 && ctl->width < PAGE_WIDTH ? ctl->width : PAGE_WIDTH;
	_cleanup_(frame_freep) struct frame *frame = NULL;
	int r = layout(document, width, ctl->ascii, &frame);

	if (r < 0)
		return r;
	frame_write(frame, ctl->color, stdout);
	return 0;
}

int ctl_show(const struct ctl *ctl, const json_t *document,
	     int (*text)(const struct ctl *ctl, const json_t *document))
{
	if (ctl->json != CTL_JSON_OFF) {
		ctl_print_json(ctl, document);
	} else {
		int r = text(ctl, document);

		if (r < 0)
			return ctl_tell_failure(ctl, r);
	}
	return ctl_check_output();
}

int ctl_call_and_show(const struct ctl *ctl, const char *method, json_t *parameters,
		      int (*text)(const struct ctl *ctl, const json_t *reply))
{
	json_t *reply = NULL;
	int r = ctl_call(ctl, method, parameters, &reply);

	if (r != CTL_OK)
		return r;
	r = ctl_show(ctl, reply, text);
	json_decref(reply);
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/journal.h"

#include "message-id.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <syslog.h>

/* The source location would be this file for every event. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

/* journald drops all messages of a service beyond 10000 in 30 s (RateLimitBurst=), also important
 * ones. This many of all kinds that have a limit may come at once, and as many in each further 30
 * s, which leaves room for those that have none. */
#define BURST_OF_ALL 3000
/* Pairs of a kind and a NIC whose budget is not full. With more, they share that of the kind. */
#define NIC_BUDGETS 128

struct kind {
	const char *message_id;
	int priority;
	unsigned burst; /* of each NIC; 0: no limit, for events that are rare */
};

static const struct kind kinds[_JOURNAL_KIND_MAX] = {
	[JOURNAL_PLAIN] = {NULL, LOG_INFO, 200},
	[JOURNAL_STARTED] = {MESSAGE_ID_STARTED, LOG_INFO, 0},
	[JOURNAL_STOPPING] = {MESSAGE_ID_STOPPING, LOG_INFO, 0},
	/* The default of 4 moves per second and NIC makes 120 in a window. */
	[JOURNAL_PROMOTED] = {MESSAGE_ID_PROMOTED, LOG_INFO, 200},
	[JOURNAL_EVICTED] = {MESSAGE_ID_EVICTED, LOG_INFO, 200},
	[JOURNAL_REFUSED] = {MESSAGE_ID_REFUSED, LOG_NOTICE, 50},
	[JOURNAL_MOVE_FAILED] = {MESSAGE_ID_MOVE_FAILED, LOG_WARNING, 50},
	[JOURNAL_NIC_USABLE] = {MESSAGE_ID_NIC_USABLE, LOG_INFO, 20},
	[JOURNAL_NIC_LOST] = {MESSAGE_ID_NIC_LOST, LOG_NOTICE, 20},
	[JOURNAL_CAPACITY_LEARNED] = {MESSAGE_ID_CAPACITY_LEARNED, LOG_NOTICE, 20},
	[JOURNAL_RESYNCHRONISED] = {MESSAGE_ID_RESYNCHRONISED, LOG_NOTICE, 10},
	[JOURNAL_CONFIGURATION_LOADED] = {MESSAGE_ID_CONFIGURATION_LOADED, LOG_INFO, 0},
	[JOURNAL_CONFIGURATION_REJECTED] = {MESSAGE_ID_CONFIGURATION_REJECTED, LOG_ERR, 0},
	[JOURNAL_CONFIGURATION_ON_TRIAL] = {MESSAGE_ID_CONFIGURATION_ON_TRIAL, LOG_NOTICE, 20},
	[JOURNAL_CONFIGURATION_REVERTED] = {MESSAGE_ID_CONFIGURATION_REVERTED, LOG_WARNING, 0},
	[JOURNAL_PAUSED] = {MESSAGE_ID_PAUSED, LOG_NOTICE, 20},
	[JOURNAL_RESUMED] = {MESSAGE_ID_RESUMED, LOG_NOTICE, 20},
	[JOURNAL_EVACUATED] = {MESSAGE_ID_EVACUATED, LOG_NOTICE, 20},
	[JOURNAL_SA_ORDER] = {MESSAGE_ID_SA_ORDER, LOG_NOTICE, 20},
	[JOURNAL_SA_ORDER_ENDED] = {MESSAGE_ID_SA_ORDER_ENDED, LOG_NOTICE, 20},
	[JOURNAL_ORDERS_LOST] = {MESSAGE_ID_ORDERS_LOST, LOG_ERR, 0},
	[JOURNAL_HANDS_OFF] = {MESSAGE_ID_HANDS_OFF, LOG_INFO, 50},
	[JOURNAL_FOREIGN_OFFLOAD] = {MESSAGE_ID_FOREIGN_OFFLOAD, LOG_INFO, 50},
	[JOURNAL_ADOPTED] = {MESSAGE_ID_ADOPTED, LOG_INFO, 50},
	[JOURNAL_FOREIGN_NIC] = {MESSAGE_ID_FOREIGN_NIC, LOG_WARNING, 20},
	[JOURNAL_SLOWED] = {MESSAGE_ID_SLOWED, LOG_WARNING, 50},
	[JOURNAL_TRUST_LOST] = {MESSAGE_ID_TRUST_LOST, LOG_ERR, 0},
	[JOURNAL_RESTORED] = {MESSAGE_ID_RESTORED, LOG_WARNING, 50},
	[JOURNAL_POLICIES_LOST] = {MESSAGE_ID_POLICIES_LOST, LOG_ALERT, 0},
	[JOURNAL_PLANNED] = {MESSAGE_ID_PLANNED, LOG_INFO, 200},
	[JOURNAL_GONE] = {MESSAGE_ID_GONE, LOG_INFO, 50},
	[JOURNAL_CLEARED] = {MESSAGE_ID_CLEARED, LOG_INFO, 50},
	[JOURNAL_RECOVERED] = {MESSAGE_ID_RECOVERED, LOG_NOTICE, 20},
	[JOURNAL_DENIED] = {MESSAGE_ID_DENIED, LOG_WARNING, 20},
	[JOURNAL_DEGRADED] = {MESSAGE_ID_DEGRADED, LOG_ERR, 20},
};

/* The budget of a kind for one NIC. */
struct nic_budget {
	enum journal_kind kind;
	char nic[IFNAMSIZ];
	struct journal_budget budget;
};

struct journal {
	const struct clock *clock;
	FILE *output;
	int max_priority;
	journal_listener_t listener;
	void *listener_userdata;
	struct journal_budget of_all;
	struct journal_budget budgets[_JOURNAL_KIND_MAX]; /* of events without a NIC */
	struct nic_budget nic_budgets[NIC_BUDGETS];
	struct journal_record record; /* not on the stack because of its size */
	char message[JOURNAL_MESSAGE_MAX];
};

FILE *journal_default_output(void)
{
	if (isatty(STDERR_FILENO) || access("/run/systemd/journal/socket", F_OK) < 0)
		return stderr;
	return NULL;
}

int journal_new(const struct clock *clock, FILE *output, int max_priority,
		struct journal **ret_journal)
{
	struct journal *journal = calloc(1, sizeof(*journal));

	if (!journal)
		return -ENOMEM;
	journal->clock = clock;
	journal->output = output;
	journal->max_priority = max_priority;
	*ret_journal = journal;
	return 0;
}

struct journal *journal_free(struct journal *journal)
{
	free(journal);
	return NULL;
}

void journal_listen(struct journal *journal, journal_listener_t listener, void *userdata)
{
	journal->listener = listener;
	journal->listener_userdata = userdata;
}

/* The tokens at this time. */
static double tokens_of(const struct journal_budget *budget, unsigned burst, double time)
{
	double tokens = budget->tokens + (time - budget->time) * burst / JOURNAL_WINDOW;

	return !budget->used || tokens > burst ? burst : tokens;
}

bool journal_budget_is_full(const struct journal_budget *budget, unsigned burst, double time)
{
	return tokens_of(budget, burst, time) >= burst;
}

bool journal_budget_take(struct journal_budget *budget, unsigned burst, double time,
			 uint64_t *ret_suppressed)
{
	double tokens = tokens_of(budget, burst, time);

	if (burst > 0 && tokens < 1) {
		budget->suppressed++;
		return false;
	}
	*ret_suppressed = budget->suppressed;
	*budget = (struct journal_budget){.used = true, .time = time, .tokens = tokens - 1};
	return true;
}

/* ---- Budgets of kinds and NICs ---- */

static unsigned burst_of(enum journal_kind kind)
{
	return kinds[kind].burst;
}

/* A full budget without suppressed events is as good as a new one, so its place is free. */
static bool is_free(const struct nic_budget *entry, double time)
{
	return entry->budget.suppressed == 0 &&
	       journal_budget_is_full(&entry->budget, burst_of(entry->kind), time);
}

static struct journal_budget *find_budget(struct journal *journal,
					  const struct journal_event *event, double time)
{
	struct nic_budget *free_entry = NULL;

	if (!event->nic || !event->nic[0] || burst_of(event->kind) == 0)
		return &journal->budgets[event->kind];
	for (size_t i = 0; i < NIC_BUDGETS; i++) {
		struct nic_budget *entry = &journal->nic_budgets[i];

		if (entry->kind == event->kind &&
		    strncmp(entry->nic, event->nic, IFNAMSIZ - 1) == 0)
			return &entry->budget;
		if (!free_entry && is_free(entry, time))
			free_entry = entry;
	}
	if (!free_entry)
		return &journal->budgets[event->kind];
	*free_entry = (struct nic_budget){.kind = event->kind};
	(void)snprintf(free_entry->nic, sizeof(free_entry->nic), "%s", event->nic);
	return &free_entry->budget;
}

static bool take(struct journal *journal, const struct journal_event *event,
		 uint64_t *ret_suppressed)
{
	double time = clock_monotonic(journal->clock);
	struct journal_budget *budget = find_budget(journal, event, time);
	uint64_t none;

	if (!journal_budget_take(budget, burst_of(event->kind), time, ret_suppressed))
		return false;
	if (burst_of(event->kind) == 0 ||
	    journal_budget_take(&journal->of_all, BURST_OF_ALL, time, &none))
		return true;
	budget->suppressed = *ret_suppressed + 1;
	return false;
}

/* Ends the field that began at `start`. */
static void end_field(struct journal_record *record, size_t start)
{
	record->fields[record->n_fields++] =
		(struct iovec){record->text + start, record->used - start};
}

static void add_field(struct journal_record *record, const char *name, const char *value)
{
	size_t start = record->used;

	if (!value || value[0] == '\0')
		return;
	record->used += (size_t)sprintf(record->text + start, "%s=", name);
	(void)text_neutralise(record->text + record->used, JOURNAL_VALUE_MAX, value, strlen(value));
	record->used += strlen(record->text + record->used);
	end_field(record, start);
}

static void add_number(struct journal_record *record, const char *name, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	add_field(record, name, text);
}

static void add_rate(struct journal_record *record, const char *name, bool known, double rate)
{
	/* Below 2^63 and not NaN, so that the conversion is defined. */
	if (known && rate >= 0 && rate < 9e18)
		add_number(record, name, (uint64_t)(rate + 0.5));
}

/* Keeps line breaks, which text_neutralise() replaces: an error in the configuration has a line
 * with a caret below it. */
static void add_message(struct journal_record *record, const char *message, uint64_t suppressed)
{
	size_t start = record->used;
	size_t end;
	char suffix[64] = "";

	if (suppressed > 0)
		(void)snprintf(suffix, sizeof(suffix), " (%" PRIu64 " similar suppressed)",
			       suppressed);
	record->used += (size_t)sprintf(record->text + start, "MESSAGE=");
	end = record->used + JOURNAL_MESSAGE_MAX - strlen(suffix);
	for (;;) {
		size_t length = strcspn(message, "\n");

		(void)text_neutralise(record->text + record->used, end - record->used, message,
				      length);
		record->used += strlen(record->text + record->used);
		message += length;
		/* 4: text_neutralise() needs this much for "...". */
		if (*message == '\0' || message[1] == '\0' || record->used + 1 + 4 >= end)
			break;
		record->text[record->used++] = *message++;
	}
	record->used += (size_t)sprintf(record->text + record->used, "%s", suffix);
	end_field(record, start);
}

void journal_compose(struct journal_record *record, const struct journal_event *event,
		     const char *message, uint64_t suppressed)
{
	const struct kind *kind = &kinds[event->kind];

	record->n_fields = 0;
	record->used = 0;
	add_message(record, message, suppressed);
	add_number(record, "PRIORITY",
		   (uint64_t)(event->priority > 0 ? event->priority : kind->priority));
	add_field(record, "MESSAGE_ID", kind->message_id);
	add_field(record, "ESPOFFLOAD_SPI", event->spi);
	add_field(record, "ESPOFFLOAD_SRC", event->source);
	add_field(record, "ESPOFFLOAD_DST", event->destination);
	add_field(record, "ESPOFFLOAD_DIRECTION", event->direction);
	add_field(record, "ESPOFFLOAD_NIC", event->nic);
	add_field(record, "ESPOFFLOAD_ACTION", event->action);
	add_field(record, "ESPOFFLOAD_FROM", event->from);
	add_field(record, "ESPOFFLOAD_TO", event->to);
	add_rate(record, "ESPOFFLOAD_RATE", event->rate_known, event->rate);
	add_rate(record, "ESPOFFLOAD_OTHER_RATE", event->other_rate_known, event->other_rate);
	add_field(record, "ESPOFFLOAD_RULE", event->rule);
	add_field(record, "ESPOFFLOAD_REASON", event->reason);
	add_field(record, "ESPOFFLOAD_TEXT", event->text);
	add_field(record, "ESPOFFLOAD_DRIVER_TEXT", event->driver_text);
	add_field(record, "ESPOFFLOAD_METHOD", event->method);
	add_field(record, "ESPOFFLOAD_UID", event->uid);
	if (event->error != 0)
		add_number(record, "ERRNO",
			   (uint64_t)(event->error < 0 ? -(int64_t)event->error : event->error));
	if (suppressed > 0)
		add_number(record, "ESPOFFLOAD_SUPPRESSED", suppressed);
}

/* Errors are ignored, since they cannot be reported. */
static void send_record(struct journal *journal, int priority)
{
	const struct iovec *message = &journal->record.fields[0];
	const size_t skip = strlen("MESSAGE=");

	if (!journal->output) {
		(void)sd_journal_sendv(journal->record.fields, journal->record.n_fields);
		return;
	}
	(void)fprintf(journal->output, "%s%.*s\n",
		      priority <= LOG_ERR       ? "error: "
		      : priority == LOG_WARNING ? "warning: "
						: "",
		      (int)(message->iov_len - skip), (const char *)message->iov_base + skip);
	(void)fflush(journal->output);
}

static void tell(struct journal *journal, const struct journal_event *event, const char *format,
		 va_list arguments) __attribute__((format(printf, 3, 0)));

static void tell(struct journal *journal, const struct journal_event *event, const char *format,
		 va_list arguments)
{
	const struct kind *kind = &kinds[event->kind];
	int priority = event->priority > 0 ? event->priority : kind->priority;
	bool listened = journal->listener && kind->message_id;
	uint64_t suppressed;
	bool taken;

	if (priority > journal->max_priority)
		return;
	taken = take(journal, event, &suppressed);
	if (!taken && !listened)
		return;
	(void)vsnprintf(journal->message, sizeof(journal->message), format, arguments);
	if (listened) {
		journal_compose(&journal->record, event, journal->message, 0);
		journal->listener(&journal->record, journal->listener_userdata);
	}
	if (!taken)
		return;
	journal_compose(&journal->record, event, journal->message, suppressed);
	send_record(journal, priority);
}

void journal_event(struct journal *journal, const struct journal_event *event, const char *format,
		   ...)
{
	va_list arguments;

	va_start(arguments, format);
	tell(journal, event, format, arguments);
	va_end(arguments);
}

void journal_log(struct journal *journal, int priority, const char *format, ...)
{
	const struct journal_event event = {.kind = JOURNAL_PLAIN, .priority = priority};
	va_list arguments;

	va_start(arguments, format);
	tell(journal, &event, format, arguments);
	va_end(arguments);
}

/* With its number, without an event: the budget stays as it is. */
static void tell_suppressed(struct journal *journal, const struct journal_event *event,
			    struct journal_budget *budget)
{
	const char *of = event->nic ? " of NIC " : "";

	(void)snprintf(journal->message, sizeof(journal->message),
		       "Further events of this kind%s%s", of, event->nic ? event->nic : "");
	journal_compose(&journal->record, event, journal->message, budget->suppressed);
	send_record(journal, kinds[event->kind].priority);
	budget->suppressed = 0;
}

void journal_flush(struct journal *journal)
{
	double time = clock_monotonic(journal->clock);

	for (size_t i = 0; i < _JOURNAL_KIND_MAX + NIC_BUDGETS; i++) {
		struct nic_budget *entry =
			i < _JOURNAL_KIND_MAX ? NULL : &journal->nic_budgets[i - _JOURNAL_KIND_MAX];
		const struct journal_event event = {
			.kind = entry ? entry->kind : (enum journal_kind)i,
			.nic = entry ? entry->nic : NULL,
		};
		struct journal_budget *budget = entry ? &entry->budget : &journal->budgets[i];

		if (budget->suppressed > 0 &&
		    journal_budget_is_full(budget, burst_of(event.kind), time))
			tell_suppressed(journal, &event, budget);
	}
}

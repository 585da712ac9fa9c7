/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `status`: the state of the daemon, its NICs and its moves. */
#include "control-interface.h"
#include "ctl.h"
#include "frame.h"
#include "nic-text.h"
#include "units.h"
#include "views.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define STATUS_WIDTH 512
#define VALUE_COLUMN 15

/* One line "name: value", which is printed when it is complete. */
struct line {
	const struct ctl *ctl;
	struct frame *frame;
	int column;
};

static void begin(struct line *line, const char *name)
{
	frame_clear(line->frame, 0, 0, 1, line->frame->width);
	(void)frame_printf(line->frame, 0, 0, FRAME_BOLD, "%*s%s", VALUE_COLUMN - 2, name,
			   name[0] ? ":" : "");
	line->column = VALUE_COLUMN;
}

static void add(struct line *line, uint32_t style, const char *text)
{
	line->column = frame_text(line->frame, 0, line->column, line->frame->width - line->column,
				  style, text);
}

static void end(struct line *line)
{
	frame_write(line->frame, line->ctl->color, stdout);
}

static void print_cost(struct line *line, const struct cpu_cost_view *cost)
{
	char text[160];

	(void)snprintf(text, sizeof(text), "%s, %" PRIi64 " bit, %s: ", cost->algorithm,
		       cost->key_bits, cost->operation);
	begin(line, "");
	add(line, FRAME_PLAIN, text);
	if (isnan(cost->ns_per_byte)) {
		add(line, FRAME_YELLOW, cost->reason ? cost->reason : "not measured yet");
	} else {
		(void)snprintf(text, sizeof(text), "%.3g ns/byte, %.0f ns/packet",
			       cost->ns_per_byte, cost->ns_per_packet);
		add(line, FRAME_PLAIN, text);
	}
	end(line);
}

/* Nothing if SAs are ranked by bytes and should be. */
static void print_ranking(struct line *line, const struct ranking_view *ranking)
{
	if (!ranking->by_cpu)
		return;
	begin(line, "ranking");
	if (ranking->in_force) {
		add(line, FRAME_PLAIN, "by CPU time in software, of these algorithms");
	} else {
		add(line, FRAME_YELLOW, "by bytes, CPU time is not known: ");
		add(line, FRAME_YELLOW, ranking->reason ? ranking->reason : "not measured yet");
	}
	end(line);
	for (size_t i = 0; i < ranking->n_costs; i++)
		print_cost(line, &ranking->costs[i]);
}

static void print_daemon(struct line *line, const struct status_view *status)
{
	char more[CTL_MORE_SIZE];
	char trial[TRIAL_TEXT_MAX];
	char buffer[UNITS_TEXT_MAX];

	begin(line, "espoffloadd");
	add(line, FRAME_PLAIN, status->version);
	add(line, FRAME_PLAIN, ", up ");
	add(line, FRAME_PLAIN, units_format_time(status->uptime, buffer));
	end(line);

	begin(line, "mode");
	add(line, strcmp(status->mode, "enforce") == 0 ? FRAME_GREEN : FRAME_YELLOW, status->mode);
	if (status->paused)
		add(line, FRAME_YELLOW | FRAME_BOLD,
		    ", PAUSED: SAs only leave NICs that may not hold them, until "
		    "'espoffloadctl resume'");
	if (status->fips)
		add(line, FRAME_PLAIN, ", FIPS: only NICs inside the boundary");
	end(line);

	if (status->n_evacuated > 0) {
		begin(line, "evacuated");
		for (size_t i = 0; i < status->n_evacuated; i++) {
			add(line, FRAME_PLAIN, i ? ", " : "");
			add(line, FRAME_YELLOW | FRAME_BOLD, status->evacuated[i]);
		}
		add(line, FRAME_PLAIN, ": kept empty until 'espoffloadctl resume NIC'");
		end(line);
	}
	for (size_t i = 0; i < status->n_orders; i++) {
		char text[ORDER_TEXT_MAX];

		begin(line, status->orders[i].kind);
		add(line, FRAME_YELLOW,
		    order_view_text(&status->orders[i], line->ctl->ascii, text));
		end(line);
	}
	if (status->degraded) {
		begin(line, "degraded");
		add(line, FRAME_RED | FRAME_BOLD, status->degraded);
		end(line);
	}
	begin(line, "mechanism");
	add(line, FRAME_PLAIN, status->mechanism);
	end(line);
	begin(line, "configuration");
	add(line, FRAME_PLAIN,
	    status->configuration ? status->configuration : "built in (no file)");
	add(line, FRAME_PLAIN, ctl_more_files(status->n_files, more));
	add(line, FRAME_PLAIN, ", sampled every ");
	add(line, FRAME_PLAIN, units_format_time(status->interval, buffer));
	if (status->dump_interval > status->interval) {
		add(line, FRAME_PLAIN, ", idle SAs every ");
		add(line, FRAME_PLAIN, units_format_time(status->dump_interval, buffer));
	}
	end(line);
	print_ranking(line, &status->ranking);
	if (status->on_trial) {
		begin(line, "trial");
		add(line, FRAME_YELLOW | FRAME_BOLD, "configuration ");
		add(line, FRAME_YELLOW | FRAME_BOLD, trial_view_text(&status->trial, trial));
		end(line);
	}
}

static void print_traffic(struct line *line, const struct status_view *status)
{
	char text[96];
	char rate[UNITS_TEXT_MAX];
	char offloaded[UNITS_TEXT_MAX];

	begin(line, "SAs");
	(void)snprintf(text, sizeof(text), "%" PRId64 ", %" PRId64 " in NICs", status->sas,
		       status->offloaded);
	add(line, FRAME_PLAIN, text);
	end(line);

	begin(line, "traffic");
	(void)snprintf(text, sizeof(text), "%s, %s in NICs", units_format_rate(status->rate, rate),
		       units_format_rate(status->offloaded_rate, offloaded));
	add(line, FRAME_PLAIN, text);
	if (status->rate > 0 && status->offloaded_rate >= 0) {
		(void)snprintf(text, sizeof(text), " (%.1f %%)",
			       fmin(100 * status->offloaded_rate / status->rate, 100));
		add(line, FRAME_PLAIN, text);
	}
	end(line);

	begin(line, "moves");
	(void)snprintf(text, sizeof(text),
		       "%" PRId64 " promoted, %" PRId64 " evicted, %" PRId64 " refused, %" PRId64
		       " failed",
		       status->promoted, status->evicted, status->refused, status->failed);
	add(line, FRAME_PLAIN, text);
	end(line);

	begin(line, "resyncs");
	(void)snprintf(text, sizeof(text), "%" PRId64 " (%" PRId64 " event overruns)",
		       status->resyncs, status->overruns);
	add(line, FRAME_PLAIN, text);
	end(line);
}

static void print_nic(struct line *line, const struct status_view *status,
		      const struct nic_view *nic)
{
	const char *hindrance = nic_hindrance(nic);
	struct nic_table tables[2];
	int n = nic_tables(nic, tables);
	char place[48];

	begin(line, nic->name);
	add(line, hindrance ? FRAME_YELLOW : FRAME_GREEN, hindrance ? hindrance : "in use");
	for (int i = 0; i < n; i++) {
		char text[NIC_TEXT_MAX];

		add(line, FRAME_PLAIN, i ? "; " : ", ");
		add(line, FRAME_PLAIN, tables[i].name);
		add(line, FRAME_PLAIN, ": ");
		add(line, FRAME_PLAIN, nic_table_text(&tables[i], false, text));
	}
	add(line, FRAME_DIM, " (");
	add(line, FRAME_DIM, nic->driver ? nic->driver : "unknown driver");
	if (nic->line > 0) {
		(void)snprintf(place, sizeof(place), ", by line %" PRId64, nic->line);
		add(line, FRAME_DIM, place);
	}
	if (nic->file && status->n_files > 1) {
		add(line, FRAME_DIM, " of ");
		add(line, FRAME_DIM, nic->file);
	}
	if (nic->reason) {
		add(line, FRAME_DIM, ": ");
		add(line, FRAME_DIM, nic->reason);
	}
	add(line, FRAME_DIM, ")");
	end(line);
}

static void print_last_action(struct line *line, const struct action_view *action)
{
	char buffer[UNITS_TEXT_MAX];

	begin(line, "last action");
	add(line, FRAME_PLAIN, units_format_time(action->seconds_ago, buffer));
	add(line, FRAME_PLAIN, " ago: ");
	add(line, FRAME_PLAIN, action->text[0] ? action->text : action->action);
	end(line);
}

static int print_text(const struct ctl *ctl, const json_t *reply)
{
	_cleanup_(frame_freep) struct frame *frame = NULL;
	struct status_view status;
	struct line line;
	int r = status_view_read(reply, &status);

	if (r >= 0)
		r = frame_new(STATUS_WIDTH, 1, ctl->ascii, &frame);
	if (r < 0)
		return r;
	line = (struct line){.ctl = ctl, .frame = frame};
	print_daemon(&line, &status);
	print_traffic(&line, &status);
	if (status.has_action)
		print_last_action(&line, &status.action);
	for (size_t i = 0; i < status.n_nics; i++)
		print_nic(&line, &status, &status.nics[i]);
	return 0;
}

int verb_status(const struct ctl *ctl, int argc, char **argv)
{
	json_t *reply = NULL;
	int r;

	if (!ctl_no_arguments(argc, argv))
		return CTL_USAGE;
	r = ctl_call(ctl, CONTROL_INTERFACE ".GetStatus", NULL, &reply);
	if (r != CTL_OK)
		return r;
	r = ctl_show(ctl, reply, print_text);
	if (r == CTL_OK && json_is_string(json_object_get(reply, "degraded")))
		r = CTL_DEGRADED;
	json_decref(reply);
	return r;
}

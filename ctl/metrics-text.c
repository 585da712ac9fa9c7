/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "metrics-text.h"

#include "cleanup.h"
#include "nic-text.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Longer than all names, addresses and reasons; a longer text is cut. */
#define LABEL_SIZE 256

/* Begins a metric family. `unit` is the last part of the name, or NULL. */
static void write_family(FILE *out, const char *name, const char *type, const char *unit,
			 const char *help)
{
	(void)fprintf(out, "# TYPE espoffload_%s %s\n", name, type);
	if (unit)
		(void)fprintf(out, "# UNIT espoffload_%s %s\n", name, unit);
	(void)fprintf(out, "# HELP espoffload_%s %s\n", name, help);
}

/* Control characters are replaced, because the text may be shown on a terminal. */
static void write_label(FILE *out, const char *separator, const char *name, const char *value)
{
	char buffer[LABEL_SIZE];

	(void)fprintf(out, "%s%s=\"", separator, name);
	for (const char *c = text_neutralise(buffer, sizeof(buffer), value, strlen(value)); *c;
	     c++) {
		if (*c == '"' || *c == '\\')
			(void)fputc('\\', out);
		(void)fputc(*c, out);
	}
	(void)fputc('"', out);
}

static void write_value(FILE *out, double value)
{
	(void)fprintf(out, " %.15g\n", value);
}

static void write_count(FILE *out, int64_t value)
{
	(void)fprintf(out, " %" PRId64 "\n", value);
}

/* A family with one sample and without labels. No sample if the value is unknown. */
static void write_gauge(FILE *out, const char *name, const char *unit, const char *help,
			double value)
{
	write_family(out, name, "gauge", unit, help);
	if (isnan(value))
		return;
	(void)fprintf(out, "espoffload_%s", name);
	write_value(out, value);
}

static void write_counter(FILE *out, const char *name, const char *help, int64_t value)
{
	write_family(out, name, "counter", NULL, help);
	(void)fprintf(out, "espoffload_%s_total", name);
	write_count(out, value);
}

static void write_up(FILE *out, bool up)
{
	write_gauge(out, "up", NULL, "Whether espoffloadd answers.", up);
}

static void write_daemon(FILE *out, const struct status_view *status)
{
	write_family(out, "daemon", "info", NULL, "Version and mode of espoffloadd.");
	(void)fputs("espoffload_daemon_info", out);
	write_label(out, "{", "version", status->version);
	write_label(out, ",", "mode", status->mode);
	write_label(out, ",", "mechanism", status->mechanism);
	(void)fputs("} 1\n", out);
	write_gauge(out, "uptime_seconds", "seconds", "Time since the start of espoffloadd.",
		    status->uptime);
	write_gauge(out, "sample_interval_seconds", "seconds",
		    "Time between two samples of the SAs that matter.", status->interval);
	write_gauge(out, "dump_interval_seconds", "seconds", "Time between two samples of all SAs.",
		    status->dump_interval);
	write_gauge(out, "paused", NULL, "Whether no SA is moved into a NIC until 'resume'.",
		    status->paused);
	write_gauge(out, "fips", NULL, "Whether only NICs inside the FIPS boundary are used.",
		    status->fips);
}

/* The interface has only the conditions that hold, so the others have no series. */
static int write_conditions(FILE *out, const json_t *status)
{
	const json_t *conditions = json_object_get(status, "conditions");
	size_t i;
	json_t *condition;

	write_gauge(out, "degraded", NULL, "Whether any condition holds.",
		    json_is_string(json_object_get(status, "degraded")));
	write_family(out, "condition", "gauge", NULL,
		     "A condition that keeps espoffloadd from its work at present.");
	json_array_foreach(conditions, i, condition) {
		const char *name = json_text_or(condition, "name", NULL);

		if (!name)
			return -EBADMSG;
		(void)fputs("espoffload_condition", out);
		write_label(out, "{", "condition", name);
		(void)fputs("} 1\n", out);
	}
	return 0;
}

static void write_traffic(FILE *out, const struct status_view *status)
{
	write_gauge(out, "sas", NULL, "SAs of the kernel.", (double)status->sas);
	write_gauge(out, "offloaded_sas", NULL, "SAs in NICs, also those of other programs.",
		    (double)status->offloaded);
	write_gauge(out, "traffic_bytes_per_second", "bytes_per_second",
		    "Sum of the rates of all SAs.", status->rate);
	write_gauge(out, "offloaded_traffic_bytes_per_second", "bytes_per_second",
		    "Sum of the rates of the SAs in NICs.", status->offloaded_rate);
}

static void write_counters(FILE *out, const struct status_view *status)
{
	const struct {
		const char *result;
		int64_t value;
	} moves[] = {
		{"promoted", status->promoted},
		{"evicted", status->evicted},
		{"refused", status->refused},
		{"failed", status->failed},
	};

	write_family(out, "moves", "counter", NULL,
		     "Moves into a NIC (promoted), out of one (evicted), refused by a driver, and "
		     "failed.");
	for (size_t i = 0; i < ELEMENTSOF(moves); i++) {
		(void)fputs("espoffload_moves_total", out);
		write_label(out, "{", "result", moves[i].result);
		(void)fputc('}', out);
		write_count(out, moves[i].value);
	}
	write_counter(out, "resyncs", "Times that all SAs were read again after lost events.",
		      status->resyncs);
	write_counter(out, "overruns", "Times that the kernel dropped events.", status->overruns);
}

/* A counter or gauge with a sample for each ReasonCount. NULL: no such label. */
static void write_reasons(FILE *out, const char *name, const char *nic, const char *result,
			  const json_t *counts)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(counts, i, entry) {
		const char *separator = "{";

		(void)fprintf(out, "espoffload_%s", name);
		if (nic) {
			write_label(out, separator, "nic", nic);
			separator = ",";
		}
		if (result)
			write_label(out, ",", "result", result);
		write_label(out, separator, "reason", json_text_or(entry, "reason", ""));
		(void)fputc('}', out);
		write_count(out, json_whole_or(entry, "count", 0));
	}
}

static void write_software(FILE *out, const json_t *status)
{
	write_family(out, "software_sas", "gauge", NULL,
		     "SAs in software by the reason, when all were last read.");
	write_reasons(out, "software_sas", NULL, NULL, json_object_get(status, "software"));
}

/* A counter exists from the first move for its reason on: most reasons never occur. */
static void write_nic_moves(FILE *out, const json_t *status)
{
	const json_t *nics = json_object_get(status, "nics"), *nic;
	size_t i;

	write_family(out, "nic_moves", "counter", NULL,
		     "Moves into a NIC (promoted) and out of it (evicted) by the reason.");
	json_array_foreach(nics, i, nic) {
		const char *name = json_text_or(nic, "name", "");

		write_reasons(out, "nic_moves_total", name, "promoted",
			      json_object_get(nic, "promoted"));
		write_reasons(out, "nic_moves_total", name, "evicted",
			      json_object_get(nic, "evicted"));
	}
	write_family(out, "nic_refusals", "counter", NULL,
		     "SAs that the driver of a NIC refused by the reason.");
	json_array_foreach(nics, i, nic)
		write_reasons(out, "nic_refusals_total", json_text_or(nic, "name", ""), NULL,
			      json_object_get(nic, "refused"));
}

static bool is_evacuated(const struct status_view *status, const char *nic)
{
	for (size_t i = 0; i < status->n_evacuated; i++)
		if (strcmp(status->evacuated[i], nic) == 0)
			return true;
	return false;
}

static void write_nic_info(FILE *out, const struct status_view *status)
{
	write_family(out, "nic", "info", NULL, "Driver of a NIC, and why it is not used.");
	for (size_t i = 0; i < status->n_nics; i++) {
		const struct nic_view *nic = &status->nics[i];

		(void)fputs("espoffload_nic_info", out);
		write_label(out, "{", "nic", nic->name);
		write_label(out, ",", "driver", nic->driver ? nic->driver : "");
		write_label(out, ",", "reason", nic->reason ? nic->reason : "");
		(void)fputs("} 1\n", out);
	}
}

enum nic_flag { NIC_UP, NIC_ESP_OFFLOAD, NIC_ALLOWED, NIC_TRUSTED, NIC_EVACUATED, NIC_USED };

static bool nic_flag(const struct status_view *status, const struct nic_view *nic,
		     enum nic_flag flag)
{
	switch (flag) {
	case NIC_UP:
		return nic->up;
	case NIC_ESP_OFFLOAD:
		return nic->esp_offload;
	case NIC_ALLOWED:
		return nic->allowed;
	case NIC_TRUSTED:
		return nic->trusted;
	case NIC_EVACUATED:
		return is_evacuated(status, nic->name);
	case NIC_USED:
		break;
	}
	return !nic->reason && !nic_hindrance(nic);
}

static void write_nic_flags(FILE *out, const struct status_view *status)
{
	static const struct {
		enum nic_flag flag;
		const char *name;
		const char *help;
	} families[] = {
		{NIC_UP, "nic_up", "Whether the NIC is up."},
		{NIC_ESP_OFFLOAD, "nic_esp_offload", "Whether the NIC has esp-hw-offload on."},
		{NIC_ALLOWED, "nic_allowed", "Whether the configuration allows the NIC."},
		{NIC_TRUSTED, "nic_trusted", "Whether the configuration trusts the NIC."},
		{NIC_EVACUATED, "nic_evacuated", "Whether the NIC is kept empty until 'resume'."},
		{NIC_USED, "nic_in_use", "Whether SAs may be moved into the NIC."},
	};

	for (size_t f = 0; f < ELEMENTSOF(families); f++) {
		write_family(out, families[f].name, "gauge", NULL, families[f].help);
		for (size_t i = 0; i < status->n_nics; i++) {
			const struct nic_view *nic = &status->nics[i];

			(void)fprintf(out, "espoffload_%s", families[f].name);
			write_label(out, "{", "nic", nic->name);
			(void)fputc('}', out);
			write_count(out, nic_flag(status, nic, families[f].flag));
		}
	}
}

enum slots { SLOTS_CAPACITY, SLOTS_USED, SLOTS_FOREIGN };

/* -1: unknown. */
static int64_t count_slots(const struct nic_table *table, enum slots slots)
{
	if (slots == SLOTS_CAPACITY)
		return table->capacity;
	return slots == SLOTS_FOREIGN ? table->foreign : table->ours + table->foreign;
}

static void write_nic_slots(FILE *out, const struct status_view *status)
{
	static const struct {
		enum slots slots;
		const char *name;
		const char *help;
	} families[] = {
		{SLOTS_CAPACITY, "nic_slots", "Size of a table for SAs."},
		{SLOTS_USED, "nic_used_slots", "SAs in it, also those of other programs."},
		{SLOTS_FOREIGN, "nic_foreign_slots", "SAs that other programs put into it."},
	};

	for (size_t f = 0; f < ELEMENTSOF(families); f++) {
		write_family(out, families[f].name, "gauge", NULL, families[f].help);
		for (size_t i = 0; i < status->n_nics; i++) {
			struct nic_table tables[2];
			int n = nic_tables(&status->nics[i], tables);

			for (int t = 0; t < n; t++) {
				int64_t slots = count_slots(&tables[t], families[f].slots);

				if (slots < 0)
					continue;
				(void)fprintf(out, "espoffload_%s", families[f].name);
				write_label(out, "{", "nic", status->nics[i].name);
				write_label(out, ",", "table", tables[t].name);
				(void)fputc('}', out);
				write_count(out, slots);
			}
		}
	}
}

static void write_nic_traffic(FILE *out, const struct status_view *status)
{
	write_family(out, "nic_traffic_bytes_per_second", "gauge", "bytes_per_second",
		     "Sum of the rates of the SAs in the NIC.");
	for (size_t i = 0; i < status->n_nics; i++) {
		const struct nic_view *nic = &status->nics[i];

		if (isnan(nic->rate))
			continue;
		(void)fputs("espoffload_nic_traffic_bytes_per_second", out);
		write_label(out, "{", "nic", nic->name);
		(void)fputc('}', out);
		write_value(out, nic->rate);
	}
}

/* Of the labels, those that identify an SA are complete, so that no two are the same. */
static void write_resident_labels(FILE *out, const struct sa_view *sa)
{
	char if_id[24];

	write_label(out, "{", "nic", sa->nic ? sa->nic : "");
	write_label(out, ",", "spi", sa->spi);
	write_label(out, ",", "src", sa->src);
	write_label(out, ",", "dst", sa->dst);
	write_label(out, ",", "direction", sa->direction);
	write_label(out, ",", "protocol", sa->protocol);
	if (sa->mark[0])
		write_label(out, ",", "mark", sa->mark);
	if (sa->if_id) {
		(void)snprintf(if_id, sizeof(if_id), "%" PRId64, sa->if_id);
		write_label(out, ",", "if_id", if_id);
	}
	(void)fputc('}', out);
}

static int write_residents(FILE *out, const json_t *residents)
{
	struct sa_view sa;
	json_t *object;
	size_t i;

	write_family(out, "resident_traffic_bytes_per_second", "gauge", "bytes_per_second",
		     "Rate of an SA in a NIC.");
	json_array_foreach(residents, i, object) {
		int r = sa_view_read(object, &sa);

		if (r < 0)
			return r;
		if (isnan(sa.rate))
			continue;
		(void)fputs("espoffload_resident_traffic_bytes_per_second", out);
		write_resident_labels(out, &sa);
		write_value(out, sa.rate);
	}
	write_family(out, "resident_bytes", "counter", "bytes",
		     "Bytes of an SA in a NIC since the SA exists.");
	json_array_foreach(residents, i, object) {
		int r = sa_view_read(object, &sa);

		if (r < 0)
			return r;
		(void)fputs("espoffload_resident_bytes_total", out);
		write_resident_labels(out, &sa);
		write_count(out, json_whole_or(object, "bytes", 0));
	}
	return 0;
}

static int write_status(FILE *out, const json_t *reply)
{
	struct status_view status;
	int r = status_view_read(reply, &status);

	if (r < 0)
		return r;
	write_up(out, true);
	write_daemon(out, &status);
	r = write_conditions(out, reply);
	write_traffic(out, &status);
	write_software(out, reply);
	write_counters(out, &status);
	write_nic_info(out, &status);
	write_nic_flags(out, &status);
	write_nic_slots(out, &status);
	write_nic_traffic(out, &status);
	write_nic_moves(out, reply);
	return r;
}

int metrics_write(FILE *out, const json_t *status, const json_t *residents)
{
	int r = 0;

	if (status)
		r = write_status(out, status);
	else
		write_up(out, false);
	if (r >= 0 && residents)
		r = write_residents(out, residents);
	(void)fputs("# EOF\n", out);
	return r;
}

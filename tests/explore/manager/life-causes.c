// SPDX-License-Identifier: GPL-2.0-or-later
/* Describes the scenario of a life, and counts the failed lives by scenario and violation. */
#include "life.h"

#include <ctype.h>
#include <string.h>

static const char *fault_name(enum fake_fault_kind kind)
{
	static const char *const names[] = {
		[FAKE_FAULT_NONE] = "none",
		[FAKE_FAULT_REFUSE] = "refused",
		[FAKE_FAULT_LOSE_NOTE] = "notification lost",
		[FAKE_FAULT_LOSE_ANSWER] = "answer lost",
		[FAKE_FAULT_SEND] = "not sent",
		[FAKE_FAULT_RECEIVE] = "not received",
	};

	return names[kind];
}

static void describe_kind(FILE *out, const struct life_scenario *s)
{
	(void)fprintf(out, "%s%s", s->world->name, s->busy ? ", busy" : "");
	if (s->fault.kind != FAKE_FAULT_NONE)
		(void)fprintf(out, "; %s (%s), %u times", fault_name(s->fault.kind),
			      s->fault.error ? strerrorname_np(-s->fault.error) : "-",
			      s->fault.count ? s->fault.count : 1);
	if (s->first.event)
		(void)fprintf(out, "; %s", life_event_name(s->first.event));
	if (s->second.event)
		(void)fprintf(out, "; %s", life_event_name(s->second.event));
}

static void write_life(FILE *out, const struct life_scenario *s)
{
	(void)fprintf(out, "--life=%d,%d,%u,%d,%u,%d,%u,%d,%u", s->busy, s->fault.kind,
		      s->fault.occurrence, s->fault.error, s->fault.count, s->first.event,
		      s->first.step, s->second.event, s->second.step);
}

void life_describe(FILE *report, const struct life_scenario *s)
{
	describe_kind(report, s);
	(void)fputs("\n  ", report);
	write_life(report, s);
	(void)fputc('\n', report);
}

/* Writes numbers as "#". */
static void write_without_numbers(FILE *out, const char *line, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!isdigit(line[i])) {
			(void)fputc(line[i], out);
			continue;
		}
		(void)fputc('#', out);
		while (i + 1 < size && (isxdigit(line[i + 1]) || line[i + 1] == 'x'))
			i++;
	}
}

static struct life_cause *find(struct life_explorer *explorer, const char *text)
{
	struct life_cause *grown;

	for (size_t i = 0; i < explorer->n_causes; i++)
		if (strcmp(explorer->causes[i].text, text) == 0)
			return &explorer->causes[i];
	grown = reallocarray(explorer->causes, explorer->n_causes + 1, sizeof(*grown));
	if (!grown)
		abort();
	explorer->causes = grown;
	grown[explorer->n_causes] = (struct life_cause){.text = strdup(text)};
	return &grown[explorer->n_causes++];
}

void life_causes_add(struct life_explorer *explorer, const struct life_scenario *scenario,
		     const char *told)
{
	_cleanup_free_ char *text = NULL;
	struct life_cause *cause;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	describe_kind(out, scenario);
	for (const char *line = told; *line;) {
		size_t length = strcspn(line, "\n");

		if (*line != ' ') { /* a line of the trace */
			(void)fputs("\n\t", out);
			write_without_numbers(out, line, length);
		}
		line += length + (line[length] != '\0');
	}
	(void)fclose(out);
	cause = find(explorer, text);
	if (cause->n++ > 0)
		return;
	out = open_memstream(&cause->example, &size);
	if (!out)
		abort();
	write_life(out, scenario);
	(void)fclose(out);
}

static int compare(const void *a, const void *b)
{
	const struct life_cause *x = a, *y = b;

	return x->n != y->n ? (x->n < y->n) - (x->n > y->n) : strcmp(x->text, y->text);
}

void life_causes_print(const struct life_explorer *explorer)
{
	if (explorer->n_causes > 0)
		qsort(explorer->causes, explorer->n_causes, sizeof(*explorer->causes), compare);
	for (size_t i = 0; i < explorer->n_causes; i++)
		(void)printf("%lu: %s\n\t%s\n", explorer->causes[i].n, explorer->causes[i].text,
			     explorer->causes[i].example);
}

void life_causes_free(struct life_explorer *explorer)
{
	for (size_t i = 0; i < explorer->n_causes; i++) {
		free(explorer->causes[i].text);
		free(explorer->causes[i].example);
	}
	free(explorer->causes);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as an answer on the control socket: they are parsed, used as each of the replies, and
 * displayed. */
#include "explain-text.h"
#include "history-text.h"
#include "plan-text.h"
#include "top/render.h"
#include "varlink-client.h"

#include <locale.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	return 0;
}

/* As `monitor` does. */
static void print_events(const json_t *reply, int width)
{
	_cleanup_(history_table_freep) struct history_table *table = NULL;
	_cleanup_free_ char *text = NULL;
	const json_t *event;
	size_t size, i;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return;
	if (history_table_new(width, width % 2, width % 3, file, &table) >= 0) {
		history_table_begin(table, false);
		json_array_foreach(json_object_get(reply, "events"), i, event)
			history_table_add(table, event);
	}
	(void)fclose(file);
}

static void draw(json_t *reply, int width, int height)
{
	_cleanup_(top_model_done) struct top_model model = {};
	_cleanup_(frame_freep) struct frame *frame = NULL;
	_cleanup_(frame_freep) struct frame *plain = NULL;
	_cleanup_(frame_freep) struct frame *text = NULL;
	_cleanup_(frame_freep) struct frame *plan = NULL;
	struct top_ui ui = {.delay = 1};
	struct top_ui batch = {.delay = 1, .batch = true};

	(void)top_model_set_status(&model, reply);
	/* Twice: the second frame is compared with the first. */
	(void)top_model_set_sas(&model, reply, 0);
	top_model_move(&model, 3);
	(void)top_model_set_sas(&model, reply, 1);
	(void)top_render(&model, &ui, width, height, width % 2, &frame);
	(void)top_render_batch(&model, &batch, width, 0, false, &plain);
	(void)explain_layout(reply, width, false, &text);
	(void)plan_layout(reply, width, true, &plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(varlink_reply_done) struct varlink_reply reply = {};

	if (size < 1 || varlink_reply_parse((const char *)data + 1, size - 1, &reply) < 0)
		return 0;
	draw(reply.parameters, data[0] + 1, data[0] % 50 + 1);
	print_events(reply.parameters, data[0]);
	return 0;
}

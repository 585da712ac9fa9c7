/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal of `top`, with ncurses: alternate screen, and only changed cells are sent. There can
 * be one screen at a time, since ncurses has global state.
 */
#pragma once

#include "frame.h"

struct top_screen;

/* -ENOTSUP: the terminal is not supported (TERM). -ENOMEM. */
int top_screen_open(bool color, struct top_screen **ret_screen);
/* Restores the terminal. Accepts NULL, returns NULL. */
struct top_screen *top_screen_close(struct top_screen *screen);
DEFINE_CLEANUP(struct top_screen *, top_screen_close);

void top_screen_size(const struct top_screen *screen, int *ret_width, int *ret_height);
/* Called after the terminal changed its size. */
void top_screen_resize(struct top_screen *screen);
void top_screen_show(struct top_screen *screen, const struct frame *frame);
/* The next key as a character or an enum top_key; -1: none; 0: an unused key. Does not wait. Of
 * TOP_KEY_CLICK also the cell. */
int top_screen_key(struct top_screen *screen, int *ret_row, int *ret_column);
/* Whether the terminal reports clicks and the wheel. It cannot select text then. */
void top_screen_set_mouse(struct top_screen *screen, bool on);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal of `top`, by ncurses: alternate screen, and only the cells that changed are sent.
 * There is one terminal, so there is one screen at a time (ncurses keeps it in globals).
 */
#pragma once

#include "frame.h"

struct top_screen;

/* -ENOTSUP: the terminal cannot do it (TERM unknown or too dumb). */
int top_screen_open(bool color, struct top_screen **ret_screen);
/* Restores the terminal. Accepts NULL, returns NULL. */
struct top_screen *top_screen_close(struct top_screen *screen);
DEFINE_CLEANUP(struct top_screen *, top_screen_close);

void top_screen_size(const struct top_screen *screen, int *ret_width, int *ret_height);
/* The terminal changed its size. */
void top_screen_resize(struct top_screen *screen);
void top_screen_show(struct top_screen *screen, const struct frame *frame);
/* The next key as a character or an enum top_key, -1 when there is none. Does not wait. */
int top_screen_key(struct top_screen *screen);

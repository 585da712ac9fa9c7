/* SPDX-License-Identifier: GPL-2.0-or-later */
#define NCURSES_WIDECHAR 1
#include "top/screen.h"

#include "top/ui.h"

#include <errno.h>
#include <ncurses.h>
#include <sys/ioctl.h>

/* ms to wait after Esc for the rest of a key's sequence: long enough for a serial line, and not
 * noticeable. */
#define ESCAPE_DELAY 50

struct top_screen {
	SCREEN *terminal;
	bool color;
	bool mouse;
};

int top_screen_open(bool color, struct top_screen **ret_screen)
{
	struct top_screen *screen = calloc(1, sizeof(*screen));

	if (!screen)
		return -ENOMEM;
	screen->terminal = newterm(NULL, stdout, stdin);
	if (!screen->terminal) {
		free(screen);
		return -ENOTSUP;
	}
	(void)set_escdelay(ESCAPE_DELAY);
	(void)cbreak();
	(void)noecho();
	(void)nonl();
	(void)keypad(stdscr, TRUE);
	(void)nodelay(stdscr, TRUE);
	(void)mouseinterval(0); /* a press is reported at once, not a click after its release */
	(void)curs_set(0);
	screen->color = color && has_colors();
	if (screen->color) {
		(void)start_color();
		(void)use_default_colors();
		(void)init_pair(FRAME_RED, COLOR_RED, -1);
		(void)init_pair(FRAME_GREEN, COLOR_GREEN, -1);
		(void)init_pair(FRAME_YELLOW, COLOR_YELLOW, -1);
		(void)init_pair(FRAME_BLUE, COLOR_BLUE, -1);
		(void)init_pair(FRAME_CYAN, COLOR_CYAN, -1);
	}
	*ret_screen = screen;
	return 0;
}

struct top_screen *top_screen_close(struct top_screen *screen)
{
	if (!screen)
		return NULL;
	(void)endwin();
	delscreen(screen->terminal);
	free(screen);
	return NULL;
}

void top_screen_size(const struct top_screen *screen, int *ret_width, int *ret_height)
{
	(void)screen;
	*ret_width = getmaxx(stdscr);
	*ret_height = getmaxy(stdscr);
}

void top_screen_resize(struct top_screen *screen)
{
	struct winsize size;

	(void)screen;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
		(void)resizeterm(size.ws_row, size.ws_col);
	/* The terminal may have wrapped or cut its content: draw everything again. */
	(void)clearok(stdscr, TRUE);
}

static void show_cell(const struct top_screen *screen, int row, int column, struct frame_cell cell)
{
	wchar_t text[2] = {(wchar_t)cell.character, L'\0'};
	attr_t attributes = A_NORMAL;
	cchar_t character;

	if (cell.style & FRAME_BOLD)
		attributes |= A_BOLD;
	if (cell.style & FRAME_DIM)
		attributes |= A_DIM;
	if (cell.style & FRAME_REVERSE)
		attributes |= A_REVERSE;
	if (cell.style & FRAME_UNDERLINE)
		attributes |= A_UNDERLINE;
	if (setcchar(&character, text, attributes,
		     screen->color ? (short)(cell.style & FRAME_COLOR_MASK) : 0, NULL) == OK)
		(void)mvadd_wch(row, column, &character);
}

void top_screen_show(struct top_screen *screen, const struct frame *frame)
{
	(void)erase();
	for (int row = 0; row < frame->height; row++)
		for (int column = 0; column < frame->width; column++)
			show_cell(screen, row, column, frame->cells[row * frame->width + column]);
	(void)refresh();
}

static int translate(wint_t key)
{
	if (key >= KEY_F(1) && key <= KEY_F(10))
		return TOP_KEY_F1 + (int)(key - KEY_F(1));
	switch (key) {
	case KEY_UP:
		return TOP_KEY_UP;
	case KEY_DOWN:
		return TOP_KEY_DOWN;
	case KEY_LEFT:
		return TOP_KEY_LEFT;
	case KEY_RIGHT:
		return TOP_KEY_RIGHT;
	case KEY_PPAGE:
		return TOP_KEY_PAGE_UP;
	case KEY_NPAGE:
		return TOP_KEY_PAGE_DOWN;
	case KEY_HOME:
		return TOP_KEY_HOME;
	case KEY_END:
		return TOP_KEY_END;
	case KEY_ENTER:
		return TOP_KEY_ENTER;
	case KEY_BACKSPACE:
		return TOP_KEY_BACKSPACE;
	case KEY_DC:
		return TOP_KEY_DELETE;
	default:
		return 0; /* a key that is not used */
	}
}

/* What the terminal describes is used: SGR coordinates (mode 1006) where it has them. endwin()
 * switches it off. */
void top_screen_set_mouse(struct top_screen *screen, bool on)
{
	if (screen->mouse != on)
		(void)mousemask(on ? BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED : 0, NULL);
	screen->mouse = on;
}

static int translate_mouse(int *ret_row, int *ret_column)
{
	MEVENT event;

	if (getmouse(&event) != OK)
		return 0;
	if (event.bstate & BUTTON4_PRESSED)
		return TOP_KEY_WHEEL_UP;
	if (event.bstate & BUTTON5_PRESSED)
		return TOP_KEY_WHEEL_DOWN;
	*ret_row = event.y;
	*ret_column = event.x;
	return event.bstate & BUTTON1_PRESSED ? TOP_KEY_CLICK : 0;
}

int top_screen_key(struct top_screen *screen, int *ret_row, int *ret_column)
{
	wint_t key;
	int r = get_wch(&key);

	(void)screen;
	if (r == ERR)
		return -1;
	if (r == KEY_CODE_YES && key == KEY_MOUSE)
		return translate_mouse(ret_row, ret_column);
	if (r == KEY_CODE_YES)
		return translate(key);
	switch (key) {
	case '\r':
	case '\n':
		return TOP_KEY_ENTER;
	case 0x1b:
		return TOP_KEY_ESCAPE;
	case '\b':
	case 0x7f:
		return TOP_KEY_BACKSPACE;
	default:
		return key < TOP_KEY_UP ? (int)key : 0;
	}
}

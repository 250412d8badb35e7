/* tui: ncurses with wide characters. Signals are the caller's: ncurses' own handlers are never run,
 * since what they are for is blocked. */
#include "out/tui.h"

#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>
#include <wchar.h>

static SCREEN *terminal;
static attr_t attributes[GRID_STYLE_COUNT];

/* Of each style: without colours (NO_COLOR, or a terminal that has none), and with them. */
static const struct {
	attr_t plain, coloured;
	short colour; /* of the characters; -1: the terminal's own */
} styles[GRID_STYLE_COUNT] = {
	[GRID_PLAIN] = {A_NORMAL, A_NORMAL, -1},
	[GRID_TITLE] = {A_REVERSE, A_REVERSE | A_BOLD, COLOR_CYAN},
	[GRID_HEAD] = {A_UNDERLINE, A_UNDERLINE, COLOR_CYAN},
	[GRID_LABEL] = {A_NORMAL, A_NORMAL, -1},
	[GRID_NUMBER] = {A_BOLD, A_BOLD, -1},
	[GRID_REST] = {A_DIM, A_DIM, -1},
	[GRID_LIT] = {A_REVERSE | A_BOLD, A_BOLD, COLOR_RED},
	[GRID_WARN] = {A_BOLD, A_BOLD, COLOR_YELLOW},
	[GRID_SPARK] = {A_NORMAL, A_NORMAL, COLOR_CYAN},
	[GRID_BUSY] = {A_NORMAL, A_NORMAL, COLOR_GREEN},
	[GRID_SOFTIRQ] = {A_BOLD, A_NORMAL, COLOR_MAGENTA},
	[GRID_KEY] = {A_REVERSE, A_BOLD, COLOR_CYAN},
};

bool tui_is_possible(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) == 1 && term && term[0] != '\0' && strcmp(term, "dumb") != 0;
}

bool tui_is_utf8(void)
{
	setlocale(LC_CTYPE, "");
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static bool wants_colours(void)
{
	const char *no = getenv("NO_COLOR");

	return (!no || no[0] == '\0') && has_colors();
}

static void set_styles(void)
{
	bool has_colours = wants_colours() && start_color() == OK;

	if (has_colours)
		use_default_colors();
	for (int i = 0; i < GRID_STYLE_COUNT; i++) {
		attributes[i] = has_colours ? styles[i].coloured : styles[i].plain;
		if (has_colours && styles[i].colour >= 0) {
			init_pair((short)(i + 1), styles[i].colour, -1);
			attributes[i] |= (attr_t)COLOR_PAIR(i + 1);
		}
	}
}

/* newterm would say so too, but leave memory behind. */
static bool is_known(void)
{
	int why;

	if (setupterm(NULL, STDOUT_FILENO, &why) != OK)
		return false;
	del_curterm(cur_term);
	return true;
}

bool tui_open(void)
{
	if (!is_known())
		return false;
	terminal = newterm(NULL, stdout, stdin);
	if (!terminal)
		return false;
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	set_styles();
	return true;
}

void tui_size(bool again, uint32_t *width, uint32_t *height)
{
	struct winsize size;

	if (again && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 &&
	    size.ws_col > 0)
		resizeterm(size.ws_row, size.ws_col);
	if (again)
		clearok(curscr, TRUE);
	*width = (uint32_t)getmaxx(stdscr);
	*height = (uint32_t)getmaxy(stdscr);
}

/* Cells of one style that follow each other. */
static uint32_t show_run(const struct grid *grid, uint32_t x, uint32_t y)
{
	const struct grid_cell *cells = grid->cells[y];
	wchar_t text[GRID_WIDTH_MOST];
	uint32_t len = 0;

	for (; x + len < grid->width && cells[x + len].style == cells[x].style; len++)
		text[len] = cells[x + len].character ? (wchar_t)cells[x + len].character : L' ';
	attrset((int)attributes[cells[x].style]);
	mvaddnwstr((int)y, (int)x, text, (int)len);
	return len;
}

void tui_show(const struct grid *grid)
{
	erase();
	for (uint32_t y = 0; y < grid->height; y++) {
		for (uint32_t x = 0; x < grid->width;)
			x += show_run(grid, x, y);
	}
	refresh();
}

int tui_key(void)
{
	int key = getch();

	return key == ERR ? TUI_NO_KEY : key;
}

/* The signal is blocked: raised, it stops us when it is let through. */
void tui_suspend(void)
{
	struct sigaction usual = {.sa_handler = SIG_DFL}, old;
	sigset_t stop, blocked;

	endwin();
	sigaction(SIGTSTP, &usual, &old);
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	raise(SIGTSTP);
	pthread_sigmask(SIG_UNBLOCK, &stop, &blocked);
	pthread_sigmask(SIG_SETMASK, &blocked, NULL);
	sigaction(SIGTSTP, &old, NULL);
}

/* From the end of the screen ncurses goes back into it by itself. */
void tui_resume(void)
{
	endwin();
	clearok(curscr, TRUE);
	refresh();
}

void tui_close(void)
{
	if (!terminal)
		return;
	endwin();
	delscreen(terminal);
	terminal = NULL;
}

/* tui: a grid on the terminal at stdin and stdout, by ncurses; keys from there. There is one
 * terminal, so there is no structure. The caller blocks SIGINT, SIGTERM, SIGTSTP, SIGCONT and
 * SIGWINCH and tells what came. */
#pragma once

#include "out/grid.h"

#include <stdbool.h>

enum { TUI_NO_KEY = -1 };

/* Whether stdout is a terminal on which a screen can be drawn, as far as TERM says. */
bool tui_is_possible(void);

/* Takes the terminal over. False where TERM is not known; then nothing has changed. */
bool tui_open(void);

/* Whether the locale's characters are UTF-8; LC_CTYPE is set. */
bool tui_is_utf8(void);

/* Columns and lines now; after SIGWINCH `again` asks the terminal, and draws all of the screen anew
 * next time. */
void tui_size(bool again, uint32_t *width, uint32_t *height);

void tui_show(const struct grid *grid);

/* A key that was pressed: a character; TUI_NO_KEY where there is none (more). Does not wait. */
int tui_key(void);

/* Gives the terminal back and stops the process, as Ctrl-Z does; returns when it goes on. */
void tui_suspend(void);

/* Takes the terminal again, after SIGCONT: what stopped us may not have been tui_suspend, and who
 * had the terminal meanwhile has its own way with it. */
void tui_resume(void);

/* Gives the terminal back as it was. */
void tui_close(void);

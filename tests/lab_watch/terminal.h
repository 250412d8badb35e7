/* terminal: a terminal that a test can type on and look at: tmux, on a socket of the test's own. */
#pragma once

#include "apart.h"

#include <sys/resource.h>

#define TERMINAL_WAIT_MS (trial_is_small() ? 20000 : 5000)

/* What was captured last, of the screen or of a program's output. */
extern char screen[64 * 1024];

/* Runs a program (NULL-terminated), its output into `out`; returns the exit code. `usage` may be
 * NULL. */
int run(const char *const *argv, char *out, size_t size, struct rusage *usage);

/* A shell on 80x24, in a network of its own, where there is nothing to see; skips the test where
 * there is no tmux. */
void terminal_start(void);
void terminal_end(void);

/* `tmux ARGS...` (NULL-terminated) on our socket; its output is in `screen`. */
int tmux(const char *first, ...);

/* Whether the text stands on the screen now; waits until it does, or does not. */
bool is_shown(const char *text);
void wait_shown(const char *text, bool is_there);

/* A key by tmux's name ("q", "C-c", "Enter"); a line and Enter. */
void press(const char *key);
void command(const char *line);

/* The y-th line of `screen`, from 0. */
const char *line_at(int y);

/* The terminal's modes as stty has them now. */
void read_modes(char *out, size_t size);

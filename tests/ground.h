/* ground: where the labs of `megaconn addr` stand: a sealed network, the program run there, and all
 * addresses and routes of it as bytes, to be compared. */
#pragma once

#include "trial.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Group set-up: into a sealed network with the loopback up and an empty /var/lib. Where that is
 * forbidden ground_need skips each test. */
int ground_set_up(void **state);
void ground_need(void);
bool ground_is_sealed(void);

struct ground_end {
	int code; /* exit code, or 128 + signal */
	char out[TRIAL_TEXT_BYTES];
	char err[TRIAL_TEXT_BYTES];
};

/* `megaconn addr ARGS...` (NULL-terminated). */
#define GROUND_ARGS_MOST 16
void ground_run(struct ground_end *end, trial_prepare prepare, const char *const *args);

/* The same in two steps, for what only asks and waits: several of these run side by side. */
struct ground_run {
	pid_t pid;
	int out, err;
};
void ground_start(struct ground_run *run, trial_prepare prepare, const char *const *args);
void ground_wait(struct ground_run *run, struct ground_end *end);

/* Runs it and fails with its words where the exit code is another. */
void ground_expect(struct ground_end *end, int code, const char *const *args);

/* Asserts that these words stand in what it printed on stdout, or as one line on stderr. */
void ground_assert_out(const struct ground_end *end, const char *words);
void ground_assert_err(const struct ground_end *end, const char *words);

/* All addresses and routes of both families, in the kernel's order, without counters. To be given
 * back with free. */
struct ground_dump {
	uint8_t *bytes;
	size_t len;
};
struct ground_dump ground_dump(void);
bool ground_is_same(const struct ground_dump *a, const struct ground_dump *b);

/* Asserts that all is as it was in `before`, and frees that. */
void ground_assert_same(struct ground_dump *before);

/* Whether this host has the address on any link. */
bool ground_has(const char *text);

/* Adds or deletes an address by hand, as somebody else would. */
void ground_add(const char *link, const char *text, uint8_t prefix_len);
void ground_delete(const char *link, const char *text, uint8_t prefix_len);

/* How many journals there are. */
int ground_journals(void);

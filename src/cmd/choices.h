/* choices: the values of options that several commands have, in the order of what they mean. */
#pragma once

#include <stdint.h>

/* --engine: enum engine_kind. */
extern const char *const choices_engine[];
#define CHOICES_ENGINE_HELP "auto, uring (io_uring) or epoll"

/* --without: features of the kernel to do without. */
extern const char *const choices_without[];
#define CHOICES_WITHOUT_HELP "do without a kernel feature: bind, defer, bind+defer"

/* --role: enum wall_role. */
extern const char *const choices_role[];
#define CHOICES_ROLE_HELP "server, client, or both on this machine (default)"

/* The chosen one's bits of ENGINE_WITHOUT_... */
uint32_t choices_without_mask(int choice);

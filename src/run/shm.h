/* shm: what supervisor, director and workers share: the phase, counters with one writer each, the
 * bits of proved indexes, and the result.
 *
 * Each field has one writer, named below; others read it with shm_get. Nothing is locked. */
#pragma once

#include "base/answer.h"
#include "base/cause.h"
#include "base/err.h"
#include "base/hist.h"
#include "base/path.h"
#include "base/result.h"
#include "base/roll.h"
#include "base/sample.h"
#include "base/waits.h"
#include "behave/token.h"
#include "engine/engine.h"
#include "plan/ip.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SHM_WORKERS_MAX 2048 /* servers and clients together */
#define SHM_NOTICES     8
#define SHM_SAMPLES     8

/* The director moves the run from phase to phase; a worker that has done its part of one says so.
 */
enum phase {
	PHASE_NONE,
	PHASE_START,
	PHASE_RAMP,
	PHASE_PROVE,
	PHASE_HOLD,
	PHASE_PROVE_AGAIN,
	PHASE_CLOSE_CLIENTS, /* of a measurement: servers keep their ends */
	PHASE_CLOSE,
	PHASE_END,
	PHASE_COUNT
};

enum role { ROLE_SERVER, ROLE_CLIENT, ROLE_COUNT };

/* Why the ramp was ended early. */
enum stop { STOP_NONE, STOP_MEMORY, STOP_INTERRUPTED };

/* What a client says in stages, and what comes of it. All only grow; what a stage adds is the
 * difference (run/stages). */
struct shm_traffic {
	uint64_t said, said_bytes;      /* messages, whole                                    */
	uint64_t heard_bytes;           /* of answers, or of what a server pushes             */
	uint64_t answers[ANSWER_COUNT]; /* what came of them (base/answer.h)                  */
	uint64_t busy;                  /* due while the one before was not answered          */
	struct hist corrected;          /* answered: from when it was due; closed loop: said  */
	struct hist uncorrected;        /* from when it was said                              */
	struct hist slip;               /* from when it was due and could be said, until said */
};

/* Of a push: what came of round r stands in [r % SHM_PUSHES]. */
#define SHM_PUSHES 8
struct shm_push {
	uint64_t round, heard, first_ns, last_ns; /* after it was due */
};

struct shm_churn {
	uint64_t closed, opened;
	uint64_t rested; /* left out: all tuples to spare were in TIME_WAIT, or all flights taken */
	uint64_t failed[CAUSE_COUNT];
};

struct shm_storm {
	uint64_t cut, back, cut_ns;
	uint64_t failed[CAUSE_COUNT];
	struct hist back_after; /* from the cut until it was open again */
};

/* Counters of one worker. The worker writes them, but for the first group. */
/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): a cache line has one writer */
struct shm_worker {
	/* written by the director */
	alignas(64) enum role role;
	uint32_t number; /* within its role */
	int cpu;         /* -1: not pinned */
	uint32_t first;  /* clients: their indexes are first .. first + count - 1 */
	uint32_t count;  /* servers: what their engine is sized for */
	pid_t pid;
	bool died;

	/* written by the worker */
	alignas(64) enum phase done; /* the last phase it has finished */
	uint32_t measured;           /* how often its memory was asked for */
	uint64_t opened;             /* clients: connected; servers: accepted */
	uint64_t open;               /* of them now */
	uint64_t last_open_ns;       /* when the last one was opened */
	uint64_t not_tried;          /* clients: the ramp ended before their turn */
	uint64_t opened_late;        /* clients: of base/path.h, when the ramp is over, and
	                              * again when the first proof is */
	uint64_t reconnected;        /* clients: opened again after they were lost */
	uint64_t staged;             /* clients: opened because a stage wanted more */
	uint64_t unstaged;           /* clients: closed because a stage wanted fewer */
	uint32_t stage_done; /* the last stage that clients have ended, or servers have pushed in */
	uint64_t closed;     /* servers: by the peer, in order, or as it asked for */
	uint64_t received_bytes; /* servers: all; clients: what no proof asked for */
	uint64_t failed[CAUSE_COUNT];
	uint64_t retried[CAUSE_COUNT];
	uint64_t lost[CAUSE_COUNT];
	uint64_t accept_errors[CAUSE_COUNT];
	struct {
		uint64_t sent, echoed, mismatched, repeated, end_ns;
	} proof[TOKEN_ROUNDS];
	uint64_t user_bytes;        /* private memory, when it was asked for last */
	uint64_t cpu_ns;            /* used until the end of the ramp */
	struct err error;           /* why it could not start */
	struct hist connect;        /* clients: time from connect to connected */
	struct packets packets;     /* clients with a TCP of their own */
	struct shm_traffic traffic; /* clients; servers: said_bytes, and of pushes said: begun,
	                             * and busy: not begun, as the one before was being sent */
	struct waits waits;         /* of messages that clients have said, for their answers */
	uint64_t announced;         /* clients: of those lost as closed, that the server had said */
	struct ip source_gone;      /* clients: the first address that is no longer this host's,
	                             * or on a LAN that another host has taken */
	bool has_source_gone;
	struct shm_push push[SHM_PUSHES];
	uint32_t push_ready;    /* clients: the stage in which they listen to all connections */
	uint64_t push_ready_ns; /* since then                                                 */
	uint64_t push_heard;    /* clients: whole messages, in a stage or too late for it     */
	uint64_t push_rounds;   /* servers: rounds begun                                      */
	struct shm_churn churn;
	struct shm_storm storm;
};

/* What the director samples for the live line. */
struct shm_live {
	uint64_t kernel_bytes_per_connection; /* 0: not known; stays as it was from the close on */
	uint64_t memory_left_bytes;
	uint64_t held;                          /* connections, when the hold began */
	uint64_t answers_per_s, latency_p99_ns; /* of the last second; 0: none */
};

struct shm {
	/* written by the director */
	enum phase phase;
	enum stop stop;
	uint64_t start_at_unix_ns; /* all is ready, and it waits until then; 0: it does not */
	uint64_t ramp_start_ns;
	uint64_t hold_start_ns;
	uint32_t stage;           /* of the hold, from 1; 0: none yet          */
	uint32_t stage_over;      /* the last one that is over: clients end it */
	uint64_t stage_start_ns;  /* of `stage`                                */
	uint64_t end_ns;          /* when the phase we are in should end, where that is known */
	uint32_t measure;         /* how often workers were asked for their memory */
	uint64_t peak_open;       /* servers' connections at once, as sampled */
	uint32_t turns;           /* clients whose number is below it may ramp, or prove */
	bool accept_off;          /* servers shall take no more */
	bool was_short, was_full; /* why they were told to: memory, or room */
	uint32_t notices;         /* how many there were; the last of them stand in notice[] */
	char notice[SHM_NOTICES][320];
	struct shm_live live;
	struct path_end ends[ROLE_COUNT]; /* what each end counts, since the run began (run/ends) */
	uint32_t ends_taken;              /* how often that was brought up to date */
	uint32_t bills;   /* how often result.memory was begun and ended: odd while it is written */
	uint32_t samples; /* how many were taken; the last of them stand in sample[] */
	struct sample sample[SHM_SAMPLES];
	struct result result;
	struct err error;
	bool has_result;

	/* set before anybody is forked */
	uint64_t n;
	uint64_t key;      /* of the tokens */
	struct roll *roll; /* of a server that is asked over HTTP: runs of other hosts; or NULL */
	uint32_t worker_count;
	struct shm_worker workers[SHM_WORKERS_MAX];

	/* Two bits an index and round: proved as the clients see it, and as the servers do. Workers
	 * share their bytes. */
	uint64_t bitmap_bytes;
	size_t total_bytes;
	uint8_t bits[];
};

#define shm_get(field)        __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define shm_set(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)
#define shm_count(field)      shm_set(field, (field) + 1)

/* Makes it for n connections, zeroed. NULL where there is no memory. */
struct shm *shm_make(uint64_t n);

/* Marks `index` (ignored where it is >= n) as proved in `round`, as seen by `role`. Any process
 * may. */
void shm_prove(struct shm *shm, enum role role, unsigned int round, uint32_t index);

/* All of them at once, bit i being index i; those from n on are left out. */
void shm_set_bits(struct shm *shm, enum role role, unsigned int round, const uint8_t *bits);

/* Whether one is marked. */
bool shm_is_proved(const struct shm *shm, enum role role, unsigned int round, uint64_t index);

/* How many are marked; and how many indexes only one of the two roles has marked. */
uint64_t shm_proved(const struct shm *shm, enum role role, unsigned int round);
uint64_t shm_proof_difference(const struct shm *shm, unsigned int round);

/* Sum of a counter of the workers of a role: shm_sum(shm, ROLE_CLIENT, SHM_FIELD(opened)). */
#define SHM_FIELD(field) offsetof(struct shm_worker, field)
uint64_t shm_sum(const struct shm *shm, enum role role, size_t field);

/* The first source address that a client has found to be no longer this host's, or NULL. */
const struct ip *shm_source_gone(const struct shm *shm);

/* The same over an array of counters by cause, for one cause: SHM_FIELD(failed), cause. */
uint64_t shm_sum_cause(const struct shm *shm, enum role role, size_t field, enum cause cause);

/* Whether a worker is asked for its memory; and its answer. */
bool shm_is_asked(const struct shm *shm, const struct shm_worker *me);
void shm_answer(const struct shm *shm, struct shm_worker *me, uint64_t user_bytes);

/* Around what the director writes into result.memory; and a copy of it, as another process may have
 * it: false where there is none yet. */
void shm_write_bill(struct shm *shm, bool begins);
bool shm_read_bill(const struct shm *shm, struct result_memory *out);

/* Puts up a line for the user to see (the director). */
void shm_notice(struct shm *shm, const char *line);

/* Connections open now: those of dead workers are not. */
uint64_t shm_open(const struct shm *shm, enum role role);

/* Whether clients that open nothing again after a loss still have a connection: one that a churn or
 * a storm has closed, and that is on its way back, is one. */
bool shm_holds_any(const struct shm *shm);

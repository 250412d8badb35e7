/* wall: what the lab_walls tests share. A limit is set, doctor is asked for its number, serve and
 * connect run into it, and what was reached is compared; $WALLS_TABLE gets a line of it. */
#pragma once

#include "apart.h"

/* Group set-up and tear-down: a network of the test's own, and a guardian of the machine's
 * settings where the test is root. */
int wall_set_up(void **state);
int wall_tear_down(void **state);

/* A test after which all settings are as before, also where it has failed. */
#define WALL_TEST(name) cmocka_unit_test_teardown(name, wall_restore)
int wall_restore(void **state);

/* Skips a test where it has no network of its own; where it is not the machine's root. */
void wall_need_network(void);
void wall_need_root(void);

/* Skips a test of which a shorter one shows as much, but in test-full and for docs/walls.md. */
void wall_need_time(const char *instead);
bool wall_has_time(void);

/* Writes a setting of the test's own network, of the machine; skips the test where it cannot be. */
void wall_set(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void wall_set_machine(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The first number of a setting, as it is here. */
int64_t wall_get(const char *name);

/* How many doctor is asked for, where nothing else is said; more than any test's wall. */
#define WALL_N "300k"

#define WALL_OPTIONS_MOST 12
struct wall {
	const char *row;    /* id */
	const char *how;    /* how the limit was set, for docs/walls.md */
	const char *note;   /* what else to know, for docs/walls.md; NULL: nothing          */
	const char *target; /* NULL: 127.0.0.1:8090                        */
	const char *options[WALL_OPTIONS_MOST];  /* of doctor and of the side that is limited */
	const char *others[WALL_OPTIONS_MOST];   /* of the other side                    */
	const char *connects[WALL_OPTIONS_MOST]; /* of connect alone */
	trial_prepare prepare; /* of doctor and of the side that is limited            */
	bool is_measured;      /* memory is measured by doctor, not assumed            */
	int percent;           /* that prediction and what is reached may differ       */
	/* While all are held: shows that there is no room for one more. */
	void (*beyond)(const struct trial *held, int64_t reached);
};

/* Asks doctor in a role, asserts that this row is its wall, and returns the number. */
int64_t wall_predict(const struct wall *wall, const char *role);

/* The row as doctor sees it; the report is kept in the trial until trial_end. */
int64_t wall_examine(const struct wall *wall, const char *role, struct trial *doctor);
const json_t *wall_row(const struct trial *doctor, const char *row);
int64_t wall_allows(const struct trial *doctor, const char *row); /* -1: it bounds nothing */

/* The whole of it, for the client's side: predict, reach, compare, tell. Returns what was reached.
 */
int64_t wall_provoke_client(const struct wall *wall);

/* Likewise for the server's side, at 127.0.0.1:8090: clients that are not limited come, as many as
 * doctor said; serve stops then, and takes none that come after. */
int64_t wall_provoke_server(const struct wall *wall);

/* Compares, within so many percent, and tells. */
void wall_compare(const struct wall *wall, int64_t predicted, int64_t reached);

/* What a child counts that has become what `prepare` makes of it; -1 where it could not. */
int64_t wall_ask_child(trial_prepare prepare, int64_t (*count)(void));

/* A line for docs/walls.md. */
void wall_tell(const char *row, const char *how, const char *predicted, const char *reached,
               const char *note);

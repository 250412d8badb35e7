/* groups: the tests of the contract, in four files. */
#pragma once

#include "unit_engine/pair.h"

struct group {
	const char *name;
	const struct CMUnitTest *tests;
	size_t count;
};

extern const struct group group_connect; /* begin and end of connections, and polling */
extern const struct group group_data;    /* bytes                                     */
extern const struct group group_accept;  /* accepting                                 */
extern const struct group group_peers;   /* as plain sockets see it: not of the fake  */

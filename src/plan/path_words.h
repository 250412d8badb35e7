/* path_words: a diagnosis in words. Pure. */
#pragma once

#include "base/path.h"

/* What was found, of what both ends have counted. */
struct path_found {
	const struct path_end *client, *server; /* of the latter nothing may be known */
	bool is_two_ended;                      /* the server's counts are used       */
	bool is_shared;                         /* they are not: others' are in them  */
	bool is_crowded;                        /* the client's have another program's in them */
	uint64_t asked, through, missing, ended;
	bool is_limit;       /* those that failed come after those that did not */
	bool is_translated;  /* the server sees other addresses than clients have */
	bool is_unseen;      /* which way packets are lost was not counted */
	bool keeps_ports;    /* they begin where the clients' do     */
	uint64_t peer_ports; /* from the lowest that the server sees to the highest */
};

/* Writes path->says and path->advice of a path whose kind, limit and losses are set. */
void path_words(const struct path_found *found, struct path *path);

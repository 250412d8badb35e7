/* token: what proves a connection: 16 bytes made from its index. Pure.
 *
 *   bytes 0-2  "MCN"
 *   byte  3    round: '1' after the ramp, '2' after the hold, '3' before all, to see who echoes
 *   bytes 4-7  index, big-endian
 *   bytes 8-15 nonce: a keyed mix of index and round, big-endian
 *
 * A stream may be cut anywhere, and have other things between tokens (the messages of a stage,
 * which never look like the head of one: behave/echo.h): the server finds them by their first four
 * bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_BYTES  16
#define TOKEN_ROUNDS 2
#define TOKEN_HELLO  TOKEN_ROUNDS /* the round of a token that only asks for an echo */

/* Writes the token of `index` for round 0, 1 or TOKEN_HELLO under the run's key. */
void token_make(uint8_t out[TOKEN_BYTES], uint64_t key, uint32_t index, unsigned int round);

/* Takes a token apart. False where it is none. The nonce is not checked: only the client has to. */
bool token_parse(const uint8_t in[TOKEN_BYTES], uint32_t *index, unsigned int *round);

/* Finds tokens in a stream that comes in pieces, and passes over what is none. `have` (how many
 * bytes of what may be one `part` holds) and `part` belong to the stream. Takes bytes from *data
 * and moves it on; true each time a token is whole, in `token`; false when the data is used up. */
bool token_gather(uint8_t *have, uint8_t part[TOKEN_BYTES], const uint8_t **data, size_t *len,
                  uint8_t token[TOKEN_BYTES]);

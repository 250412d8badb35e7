/* watch: what the tests of packets share: a sum that is made one 16-bit word after the other, and
 * parsing in memory of exactly the packet's length, so that the sanitizer sees a byte too many. */
#pragma once

#include "utcp/packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define PACKET_ROOM 512

/* The address of a text that is one. */
struct ip ip_of(const char *text);

/* The sum of 16-bit words, added to `sum`. */
uint32_t sum_of(const uint8_t *bytes, size_t len, uint32_t sum);

/* The sum of a packet's TCP segment with its pseudo header: 0xffff where it is right. */
uint32_t tcp_sum(const uint8_t *packet, size_t len);

/* Sets lengths and sums of a packet that has an IP header, and a TCP header behind it. */
void make_right(uint8_t *packet, size_t len);

void set_16(uint8_t *at, uint32_t number);
bool is_ipv4(const uint8_t *packet);

/* The length of the IP header. */
size_t head_of(const uint8_t *packet);

bool same_tuple(const struct tuple *a, const struct tuple *b);

/* Headers and data. */
bool same_segment(const struct segment *a, const struct segment *b);

/* packet_parse of a copy in memory of its own; *out's data then points into `bytes`. It does not
 * write to the packet, nor to *out where it is no PACKET_TCP. */
enum packet_kind parse(const uint8_t *bytes, size_t len, bool is_checked, struct packet *out);

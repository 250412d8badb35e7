/* spare: tuples beyond those of the N connections. Who closes first has TIME_WAIT
 * (RFC 9293 section 3.6.1): where clients close by FIN, their 4-tuple cannot be used again for a
 * while, and the connection that takes the place of a closed one needs another. So the plan has as
 * many to spare as are closed in that time. By RST, or with a TCP of our own, none are needed. */
#pragma once

#include "run/experiment.h"

#include <stdbool.h>
#include <stdint.h>

/* net/ipv4: TCP_TIMEWAIT_LEN, which no setting changes, and a second for clocks. */
#define SPARE_REST_NS UINT64_C(61000000000)
/* Where net.ipv4.tcp_tw_reuse lets a connect take a 4-tuple out of TIME_WAIT: after a second
 * (net/ipv4/tcp_ipv4.c, tcp_twsk_unique). */
#define SPARE_REUSE_NS UINT64_C(2000000000)

/* What a socket in TIME_WAIT takes of the kernel, with its bind buckets. */
#define SPARE_BYTES 512

/* Whether a stage closes by FIN; and kernel sockets. */
bool spare_churns_by_fin(const struct experiment *x);
bool spare_is_needed(const struct experiment *x);

/* How long a tuple rests, by the settings of this network namespace. */
uint64_t spare_rest_ns(const struct experiment *x);

/* How many tuples the stages want to spare, where one rests for rest_ns; `cpus` bounds what a churn
 * without a pace comes to. */
uint64_t spare_wanted(const struct experiment *x, uint64_t rest_ns, uint64_t cpus);

/* Churn a second that so many allow. */
uint64_t spare_rate(uint64_t spares, uint64_t rest_ns);

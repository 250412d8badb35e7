/* tun: TUN devices (Documentation/networking/tuntap.rst) of the calling process's network
 * namespace: packets without a link layer, read and written by a process. */
#pragma once

#include "base/err.h"

#include <net/if.h>

/* Makes a device of IP packets without headers (IFF_TUN | IFF_NO_PI), named after `pattern`
 * ("mctun%d": the kernel counts), its link down. Returns a non-blocking descriptor, with which the
 * device and its routes are gone when it is closed, and the name in `name`. -EACCES, -EPERM
 * (CAP_NET_ADMIN), -ENOENT (no such driver): one line with what to do. */
int tun_open(const char *pattern, char name[IF_NAMESIZE], struct err *err);

/* device_tun: a TUN device: one system call for a batch both ways, by io_uring where there is one.
 */
#pragma once

#include "utcp/device.h"

/* Opens a TUN device with routes to the config's sources. 0, or a negative errno with one line. */
int device_tun_open(const struct device_config *config, struct device **out, struct err *err);

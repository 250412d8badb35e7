/* wire: a second network, joined to the test's by a pair of veth devices. Here are 198.18.1.1 and
 * 2001:2:0:1::1, and as sources 198.18.1.10-29 and 2001:2:0:1::10-23; there the same with 2. */
#pragma once

#include <stdbool.h>

/* In a private network (apart_is_private). False where the kernel has no veth. */
bool wire_make(void);

/* The other side is the network of this process, which is not the test's own. */
bool wire_make_to(int pid);
void wire_drop(void);

/* A trial_prepare function: the program is started on the other side. */
void wire_cross(void);

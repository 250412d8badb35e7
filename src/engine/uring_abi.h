/* uring_abi: numbers of the io_uring interface that are newer than the headers of the distributions
 * we build on. They are kernel ABI (include/uapi/linux/io_uring.h) and cannot be tested for with
 * #ifdef, being enum values; whether the running kernel has them is probed. */
#pragma once

enum {
	URING_ABI_OP_BIND = 56,      /* 6.11 */
	URING_ABI_SETSOCKOPT_CMD = 3 /* 6.7: SOCKET_URING_OP_SETSOCKOPT */
};

/* sysctl: kernel settings under /proc/sys, by dotted name ("net.core.somaxconn"). */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Reads the setting's text without its trailing newline. Returns its length or a negative errno
 * (-ENOENT: this kernel has it not; -ENOBUFS: longer than `size`). A slash in a name is a dot in
 * the path ("net.ipv4.conf.eth0/1.forwarding"). */
long sysctl_get(const char *name, char *value, size_t size);

/* Reads a setting's first number. */
int sysctl_get_u64(const char *name, uint64_t *value);

/* Reads a setting's first number, which may be below 0, without its sign
 * (net.ipv4.tcp_ehash_entries is negative where the hash is the first namespace's). */
int sysctl_get_magnitude(const char *name, uint64_t *value);

/* Reads the first `count` numbers of a setting ("4096\t131072\t6291456"); none is written where it
 * has fewer. The parser is pure: -EINVAL, or -ERANGE for a number beyond 64 bits. */
int sysctl_parse_numbers(const char *text, uint64_t *values, size_t count);
int sysctl_get_numbers(const char *name, uint64_t *values, size_t count);

/* Writes a setting in one write. */
int sysctl_set(const char *name, const char *value);

/* Raises a setting of one number to `value` where it is lower; never lowers. */
int sysctl_raise_u64(const char *name, uint64_t value);

/* "net.ipv4.ip_local_port_range" as two numbers. */
int sysctl_port_range(uint16_t *low, uint16_t *high);

/* Marks in `ports` (65,536 bits) what net.ipv4.ip_local_reserved_ports lists ("8080,9000-9010");
 * the parser is pure and returns -EINVAL for other forms. */
int sysctl_parse_ports(const char *text, uint8_t ports[8192]);
int sysctl_reserved_ports(uint8_t ports[8192]);

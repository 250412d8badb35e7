/* counts: in both files the n-th word of a group's first line names the n-th of its second. */
#include "counts.h"

#include "apart.h"
#include "kernel/diag.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The next line of the group, behind its name. */
static bool next_line(FILE *file, const char *group, char *line, int size)
{
	size_t len = strlen(group);

	while (fgets(line, size, file)) {
		if (strncmp(line, group, len) == 0 && line[len] == ':')
			return true;
	}
	return false;
}

static int64_t find(FILE *file, const char *group, const char *name)
{
	char names[8192], values[8192];
	char *rest_names = names, *rest_values = values, *word, *value;

	if (!next_line(file, group, names, sizeof(names)) ||
	    !next_line(file, group, values, sizeof(values)))
		return -1;
	while ((word = strsep(&rest_names, " \n")) != NULL &&
	       (value = strsep(&rest_values, " \n")) != NULL) {
		if (strcmp(word, name) == 0)
			return strtoll(value, NULL, 10);
	}
	return -1;
}

int64_t counts_of(const char *group, const char *name)
{
	static const char *const paths[] = {"/proc/self/net/snmp", "/proc/self/net/netstat"};
	int64_t count = -1;

	for (int i = 0; i < 2 && count < 0; i++) {
		FILE *file = fopen(paths[i], "re");

		assert_non_null(file);
		count = find(file, group, name);
		fclose(file);
	}
	if (count < 0)
		fail_msg("this kernel does not count %s %s", group, name);
	return count;
}

int64_t counts_sockets(uint16_t port, uint32_t state_mask)
{
	const struct diag_query query = {
		.family = AF_INET, .low = port, .high = port, .state_mask = state_mask};
	struct diag_counts counts;
	int failed;

	do {
		failed = diag_count(&query, &counts);
	} while (failed == -EINTR);
	assert_int_equal(failed, 0);
	return (int64_t)counts.total;
}

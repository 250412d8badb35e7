/* staged: see the header. */
#include "staged.h"

#include <string.h>

double staged_number(const struct trial *trial, size_t stage, const char *path)
{
	const json_t *at = json_array_get(json_object_get(trial->result, "stages"), stage);
	char part[64];

	while (at && *path) {
		size_t len = strcspn(path, ".");

		assert_true(len < sizeof(part));
		memcpy(part, path, len);
		part[len] = '\0';
		at = json_object_get(at, part);
		path += len + (path[len] == '.');
	}
	return json_is_number(at) ? json_number_value(at) : -1;
}

void staged_assert(const struct trial *trial, const char *path, int64_t value)
{
	double found = staged_number(trial, 0, path);

	if (found < (double)value || found > (double)value)
		fail_msg("%s is %.0f, not %lld", path, found, (long long)value);
}

void staged_assert_within(const struct trial *trial, const char *path, double least, double most)
{
	double found = staged_number(trial, 0, path);

	if (found < least || found > most)
		fail_msg("%s is %f, not within %f and %f", path, found, least, most);
}

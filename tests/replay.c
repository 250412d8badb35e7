/* replay: gives a fuzzer's target the inputs that are kept for it. Linked with a target, a program
 * replay_NAME reads all of tests/fixtures/fuzz_NAME, each file into memory of exactly its size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MOST 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(const char *dir, const char *name)
{
	static uint8_t room[INPUT_MOST];
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	printf("  %s\n", path);
	fflush(stdout); /* what was read last is what it did not survive */
	FILE *file = fopen(path, "rb");

	assert_non_null(file);
	size_t len = fread(room, 1, sizeof(room), file);

	assert_true(feof(file) && !ferror(file));
	fclose(file);
	uint8_t *bytes = malloc(len > 0 ? len : 1);

	assert_non_null(bytes);
	memcpy(bytes, room, len);
	assert_int_equal(LLVMFuzzerTestOneInput(bytes, len), 0);
	free(bytes);
}

static void all_that_is_kept(void **state)
{
	const char *target = strchr(program_invocation_short_name, '_');
	char dir[256];
	size_t count = 0;

	(void)state;
	assert_non_null(target);
	snprintf(dir, sizeof(dir), "tests/fixtures/fuzz%s", target);
	DIR *inputs = opendir(dir);

	assert_non_null(inputs);
	for (struct dirent *entry = readdir(inputs); entry; entry = readdir(inputs)) {
		if (entry->d_name[0] == '.')
			continue;
		replay(dir, entry->d_name);
		count++;
	}
	closedir(inputs);
	assert_true(count > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_kept),
	};

	return cmocka_run_group_tests_name(program_invocation_short_name, tests, NULL, NULL);
}

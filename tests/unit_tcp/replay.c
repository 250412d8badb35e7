/* replay: what the fuzzer has kept (tests/fixtures/fuzz_segments), and programs of random bytes. */
#include "unit_tcp/groups.h"
#include "unit_tcp/script.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM_BYTES 4096
#define PATH_BYTES    512

static void run(const char *name, const uint8_t *program, size_t len)
{
	const char *rule = watch_program(program, (uint32_t)len);

	if (rule)
		fail_msg("%s: %s", name, rule);
}

static const char *directory(char path[PATH_BYTES])
{
	const char *fixtures = getenv("MEGACONN_FIXTURES");

	snprintf(path, PATH_BYTES, "%s/fuzz_segments", fixtures ? fixtures : "tests/fixtures");
	return path;
}

static void run_file(const char *name)
{
	uint8_t program[PROGRAM_BYTES];
	char corpus_path[PATH_BYTES], path[2 * PATH_BYTES];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory(corpus_path), name);
	file = fopen(path, "rb");
	assert_non_null(file);
	run(path, program, fread(program, 1, sizeof(program), file));
	assert_int_equal(fclose(file), 0);
}

static void corpus(void **state)
{
	char path[PATH_BYTES];
	DIR *dir = opendir(directory(path));
	const struct dirent *entry;
	int count = 0;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		run_file(entry->d_name);
		count++;
	}
	assert_int_equal(closedir(dir), 0);
	assert_true(count > 0);
}

/* splitmix64. */
static uint64_t draw(uint64_t *random)
{
	uint64_t z = *random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void noise(void **state)
{
	uint8_t program[512];
	uint64_t random = 5;
	char name[32];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		for (size_t k = 0; k < sizeof(program); k++)
			program[k] = (uint8_t)draw(&random);
		snprintf(name, sizeof(name), "program %d", i);
		run(name, program, draw(&random) % sizeof(program));
	}
}

int run_replay_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus),
		cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}

/* fuzz_api: a libFuzzer target for what a client and a server's API say to each other: the first
 * byte says which parser has the rest. Besides memory errors it looks for broken promises: an error
 * without a line, a text that is not printable or not ended, a count out of its bounds, something
 * taken that, said again, is read as something else. */
#include "out/api.h"
#include "out/api_json.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_text(const char *text, size_t size)
{
	require(memchr(text, '\0', size) != NULL);
	for (; *text != '\0'; text++)
		require(*text >= ' ' && *text <= '~');
}

static void check_code(int failed, const struct err *err)
{
	require(failed == 0 || failed == -EINVAL || failed == -ENOTSUP);
	require((failed == 0) == (err->text[0] == '\0'));
}

static void fuzz_said(const char *json, size_t len)
{
	static struct roll_said said, again;
	struct err err = {""};
	int failed = api_read_said(json, len, &said, &err);

	check_code(failed, &err);
	if (failed != 0)
		return;
	check_text(said.host, sizeof(said.host));
	check_text(said.sources, sizeof(said.sources));
	require(said.first <= UINT32_MAX && said.count <= UINT32_MAX);
	char *text = api_json_said(&said);

	require(text && api_read_said(text, strlen(text), &again, &err) == 0);
	require(said.key == again.key && said.first == again.first && said.count == again.count);
	require(said.has_sources == again.has_sources);
	require(strcmp(said.sources, again.sources) == 0 && strcmp(said.host, again.host) == 0);
	free(text);
}

static void fuzz_server(const char *json, size_t len)
{
	struct api_server server, again;
	struct err err = {""};
	int failed = api_read_server(json, len, &server, &err);

	check_code(failed, &err);
	if (failed != 0)
		return;
	check_text(server.version, sizeof(server.version));
	check_text(server.host, sizeof(server.host));
	check_text(server.ports, sizeof(server.ports));
	char *text = api_json_server(&server);

	require(text && api_read_server(text, strlen(text), &again, &err) == 0);
	require(again.room == server.room && strcmp(again.mode, server.mode) == 0);
	free(text);
}

static void fuzz_look(const char *json, size_t len)
{
	static const struct roll_said said;
	struct api_look look, again;
	struct err err = {""};
	uint32_t id;
	int failed = api_read_look(json, len, &look, &err);

	check_code(failed, &err);
	if (failed == 0) {
		char *text = api_json_look(1, &said, &look);

		require(text && api_read_look(text, strlen(text), &again, &err) == 0);
		require(again.kernel == look.kernel && again.proved[1] == look.proved[1]);
		free(text);
	}
	err.text[0] = '\0';
	failed = api_read_id(json, len, &id, &err);
	check_code(failed, &err);
	require(failed != 0 || id > 0);
}

static void fuzz_bill(const char *json, size_t len)
{
	static struct result_memory memory;
	struct err err = {""};
	int failed = api_read_bill(json, len, &memory, &err);

	check_code(failed, &err);
	if (failed != 0)
		return;
	require(memory.connections > 0 && memory.connections <= INT64_MAX);
	for (int i = 0; i < BILL_LINE_COUNT; i++)
		check_text(memory.bill.lines[i].of, sizeof(memory.bill.lines[i].of));
	free(api_json_bill(&memory));
}

static void fuzz_path(const char *path, size_t len)
{
	char text[128];

	len = len < sizeof(text) - 1 ? len : sizeof(text) - 1;
	memcpy(text, path, len);
	text[len] = '\0';
	const char *allow = api_allow(text);

	require(!allow || strncmp(text, "/api/v1/", 8) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(const char *, size_t) = {fuzz_said, fuzz_server, fuzz_look,
	                                                        fuzz_bill, fuzz_path};
	const size_t count = sizeof(parsers) / sizeof(parsers[0]);

	if (size > 0)
		parsers[(data[0] - (size_t)'0') % count]((const char *)data + 1, size - 1);
	return 0;
}

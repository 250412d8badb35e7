/* classic_say: the result is read back from its file (docs/result.md). */
#include "cmd/classic_say.h"

#include "base/cause.h"
#include "out/json.h"
#include "out/result_read.h"

#include <jansson.h>
#include <stdio.h>

#define TEXT_BYTES 2048

/* ---- the client's --------------------------------------------------------------------------- */

static void add_count(struct text *t, const char *before, uint64_t count, const char *after)
{
	text_add(t, "%s", before);
	if (count == RESULT_UNKNOWN)
		text_add(t, "unknown");
	else
		text_count(t, count);
	text_add(t, "%s", after);
}

static void add_proof(struct text *t, const struct result *r)
{
	if (!r->has_proof) {
		text_add(t, "  proved       no: the server does not echo\n");
		return;
	}
	if (r->proved_ramp.echoed == RESULT_UNKNOWN || !r->proved_ramp.done) {
		text_add(t, "  proved       not: it was ended before\n");
		return;
	}
	add_count(t, "  proved       ", r->proved_ramp.echoed, "");
	if (r->proved.done)
		add_count(t, ", and ", r->proved.echoed, " again when the hold was over\n");
	else
		text_add(t, "; not again: it was ended before\n");
}

static void add_client(struct text *t, const struct result *r)
{
	add_count(t, "  established  ", r->established.client, "");
	add_count(t, " of ", r->target, "");
	add_count(t, " | kernel ", r->established.kernel, "");
	if (r->server.has) {
		add_count(t, " | server ", r->established.server, "");
		add_count(t, ", its kernel ", r->established.server_kernel, "");
	}
	if (r->timing.rate_per_s != RESULT_UNKNOWN && r->established.client > 0)
		add_count(t, " | ", r->timing.rate_per_s, "/s");
	text_add(t, "\n");
	add_proof(t, r);
	if (r->timing.hold_ns != RESULT_UNKNOWN) {
		text_add(t, "  held         ");
		text_duration(t, r->timing.hold_ns);
		text_add(t, "\n");
	}
	add_count(t, "  lost         ", r->lost, "");
	cause_list(t, r->lost_by_cause, " (", ")");
	text_add(t, "\n");
	if (r->failed > 0 && r->failed != RESULT_UNKNOWN) {
		add_count(t, "  failed       ", r->failed, "");
		cause_list(t, r->failed_by_cause, " (", ")");
		text_add(t, "\n");
	}
}

/* ---- the server's --------------------------------------------------------------------------- */

static void add_server(struct text *t, const struct result *r)
{
	add_count(t, "  accepted     ", r->served.accepted, "");
	add_count(t, ", at most ", r->served.peak_open, " at once\n");
	add_count(t, "  echoed       ", r->served.tokens, " tokens\n");
	add_count(t, "  ended        ", r->lost, " reset and ");
	add_count(t, "", r->served.closed, " closed by their peers, ");
	add_count(t, "", r->open_at_end, " open when it was stopped");
	if (r->open_at_end > 0 && r->open_at_end != RESULT_UNKNOWN)
		text_add(t, ": the client has lost them");
	text_add(t, "\n");
}

void classic_say_text(enum classic_side side, const struct result *result, char *out, size_t size)
{
	static const char *const verdicts[VERDICT_COUNT] = {
		[VERDICT_FAIL] = "FAIL",
		[VERDICT_PASS] = "PASS",
		[VERDICT_PARTIAL] = "PARTIAL",
		[VERDICT_REFUSED] = "REFUSED",
	};
	struct text t;

	text_init(&t, out, size);
	if (result->verdict != VERDICT_REFUSED && side == CLASSIC_SIDE_CLIENT)
		add_client(&t, result);
	else if (result->verdict != VERDICT_REFUSED)
		add_server(&t, result);
	text_add(&t, "  %s: %s\n", verdicts[result->verdict], result->reason);
}

bool classic_say_result(enum classic_side side, const struct classic_files *files)
{
	static struct result result;
	char text[TEXT_BYTES], report[PIDFILE_PATH_BYTES];
	json_error_t why;
	json_t *document = json_load_file(files->json, 0, &why);
	bool is_read = document && result_read_document(document, files->json, &result, NULL) == 0;

	json_decref(document);
	if (!is_read)
		return false;
	classic_say_text(side, &result, text, sizeof(text));
	printf("%s", text);
	if (classic_files_said(files->log, "report: ", report, sizeof(report)))
		printf("report: %s\n", report);
	printf("all of it: %s, %s\n", files->log, files->json);
	return true;
}

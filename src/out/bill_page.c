/* bill_page: a sentence, the table, and what there is to know of it. */
#include "out/bill_page.h"

#include "base/text.h"
#include "base/version.h"
#include "out/bill.h"
#include "out/json.h"

#include <jansson.h>
#include <string.h>

#define LINE_BYTES 320

/* Of what sockets have; where slabs are unknown, of their data alone. */
static int64_t sum_bytes(const struct bill *bill)
{
	return bill_sum(bill, 0, BILL_CONNTRACK);
}

static uint64_t or_0(int64_t bytes)
{
	return bytes > 0 ? (uint64_t)bytes : 0;
}

static void put_headline(FILE *to, const struct bill_page *page)
{
	uint64_t bytes = or_0(sum_bytes(&page->bill));
	char line[LINE_BYTES];
	struct text t;

	text_init(&t, line, sizeof(line));
	text_count(&t, page->bill.connections);
	text_add(&t, " TCP socket%s on this machine, all network namespaces together",
	         page->bill.connections == 1 ? "" : "s");
	if (page->bill.has_slabs) {
		text_add(&t, ": ");
		text_bytes(&t, bytes);
		if (page->memory_bytes > 0)
			text_add(&t, ", %.2f %% of its memory",
			         (double)bytes * 100 / (double)page->memory_bytes);
	}
	fprintf(to, "%s\n\n", line);
}

static void put_netns(FILE *to, const struct bill_page *page)
{
	const struct bill *bill = &page->bill;
	char line[LINE_BYTES];
	struct text t;

	if (page->inuse == BILL_PAGE_UNKNOWN)
		return;
	text_init(&t, line, sizeof(line));
	if (page->netns)
		text_add(&t, "network namespace %s: ",
		         text_quote(page->netns, strlen(page->netns)).text);
	else
		text_add(&t, "this network namespace: ");
	text_count(&t, page->inuse);
	text_add(&t, " in use");
	if (page->time_wait != BILL_PAGE_UNKNOWN) {
		text_add(&t, ", ");
		text_count(&t, page->time_wait);
		text_add(&t, " in TIME_WAIT");
	}
	if (bill->has_slabs && bill->connections > 0 && page->inuse <= bill->connections) {
		text_add(&t, "; its share is about ");
		text_bytes(&t, (uint64_t)((double)or_0(sum_bytes(bill)) * (double)page->inuse /
		                          (double)bill->connections));
	}
	fprintf(to, "%s\n", line);
}

void bill_page_print(FILE *to, const struct bill_page *page)
{
	put_headline(to, page);
	bill_print_table(to, &page->bill, page->memory_bytes);
	if (page->bill.has_slabs)
		fprintf(to, "* others' objects are in these caches too: at most so much\n");
	else
		fprintf(to, "* of everything, not of sockets alone: which cache has what is in "
		            "/proc/slabinfo, and that is root's\n");
	put_netns(to, page);
	fprintf(to, "not in it: user memory and descriptor tables of who has the sockets\n");
}

static json_t *document(const struct bill_page *page)
{
	const struct bill *bill = &page->bill;
	json_t *netns = page->netns ? json_string(page->netns) : json_null();
	int64_t bytes = sum_bytes(bill);

	return json_pack(
		"{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema", "megaconn.bill/1",
		"version", MEGACONN_VERSION, "sockets", json_whole(bill->connections), "bytes",
		bill->has_slabs ? json_whole(or_0(bytes)) : json_null(), "memory_bytes",
		page->memory_bytes > 0 ? json_whole(page->memory_bytes) : json_null(), "netns",
		netns ? netns : json_string("?"), "netns_inuse", json_known(page->inuse),
		"netns_time_wait", json_known(page->time_wait), "bill", bill_json(bill));
}

int bill_page_write(const char *path, const struct bill_page *page, struct err *err)
{
	json_t *o = document(page);
	int failed = json_write_document(path, o, err);

	json_decref(o);
	return failed;
}

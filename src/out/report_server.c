/* report_server: see the header. Its words are another host's, and a file's: all are escaped. */
#include "out/report_server.h"

#include "base/text.h"
#include "out/markup.h"

#define LINE_BYTES 512

static void add_counts(struct text *t, const char *when, const struct api_look *look)
{
	const struct {
		const char *name;
		uint64_t count;
	} counts[] = {
		{"open", look->open},
		{"of this run", look->run_open},
		{"its kernel's", look->kernel},
		{"of our addresses", look->kernel_of_sources},
	};

	text_add(t, "%s", when);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		text_add(t, "%s%s ", i > 0 ? ", " : ": ", counts[i].name);
		if (counts[i].count == API_UNKNOWN)
			text_add(t, "unknown");
		else
			text_count(t, counts[i].count);
	}
}

/* The lines, one after the other, each given to `put`. */
static void tell(FILE *to, const struct result_server *s, void (*put)(FILE *, const char *))
{
	static const char *const when[API_ROUNDS] = {"after the ramp", "after the hold"};
	char line[LINE_BYTES];
	struct text t;

	text_init(&t, line, sizeof(line));
	text_add(&t, "%s, host %s, kernel %s%s", s->api, s->host, s->kernel,
	         s->is_translated ? "; addresses are translated in between" : "");
	put(to, line);
	for (int i = 0; i < API_ROUNDS; i++) {
		text_init(&t, line, sizeof(line));
		if (s->has_look[i])
			add_counts(&t, when[i], &s->looks[i]);
		else
			text_add(&t, "%s: not known: %s", when[i], s->unknown);
		put(to, line);
	}
	for (uint32_t i = 0; i < s->differing_count; i++) {
		text_init(&t, line, sizeof(line));
		result_say_differing(&s->differing[i], &t);
		put(to, line);
	}
}

static void put_item(FILE *to, const char *line)
{
	fprintf(to, "<li>");
	markup_text(to, line);
	fprintf(to, "</li>\n");
}

void report_server_html(FILE *to, const struct result *r)
{
	if (!r->server.has)
		return;
	fprintf(to, "<h2 id=\"server\">What the server says</h2>\n<ul>\n");
	tell(to, &r->server, put_item);
	fprintf(to, "</ul>\n");
}

static void put_line(FILE *to, const char *line)
{
	fprintf(to, "  %s\n", line);
}

void report_server_text(FILE *to, const struct result *r)
{
	if (!r->server.has)
		return;
	fprintf(to, "\nWhat the server says\n--------------------\n");
	tell(to, &r->server, put_line);
}

/* addr_tell: runs of equal addresses as "first-last". */
#include "cmd/addr_tell.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* What addresses are marked with: bytes that are `stride` apart. */
struct marked {
	const struct ranges *ranges;
	const uint8_t *marks;
	size_t stride;
	uint8_t mark;
};

static struct marked by_state(const struct ranges *ranges, const struct neighbour *neighbours,
                              uint8_t state)
{
	return (struct marked){.ranges = ranges,
	                       .marks = &neighbours[0].state,
	                       .stride = sizeof(*neighbours),
	                       .mark = state};
}

/* Names of links may have any byte but blanks and slashes. */
static struct text_quoted quoted(const char *link_name)
{
	return text_quote(link_name, strlen(link_name));
}

static bool has_mark(const struct marked *m, uint32_t number)
{
	return m->marks[number * m->stride] == m->mark;
}

static void print_run(const struct range *range, uint32_t from, uint32_t end)
{
	char text[IP_TEXT_BYTES];
	struct ip first = ip_add(&range->first, from), last = ip_add(&range->first, end - 1);

	printf("%s", ip_format(&first, text));
	if (end - from > 1)
		printf("-%s", ip_format(&last, text));
}

/* "BEFORE first-last, first-lastAFTER\n"; nothing where none has the mark. */
static void print_runs(const struct marked *m, const char *before, const char *after)
{
	bool is_begun = false;

	for (uint32_t r = 0; r < m->ranges->count; r++) {
		const struct range *range = &m->ranges->at[r];
		uint32_t end;

		for (uint32_t from = 0; from < range->count; from = end) {
			bool is_marked = has_mark(m, range->before + from);

			end = from + 1;
			while (end < range->count && has_mark(m, range->before + end) == is_marked)
				end++;
			if (!is_marked)
				continue;
			printf("%s ", is_begun ? "," : before);
			print_run(range, from, end);
			is_begun = true;
		}
	}
	if (is_begun)
		printf("%s\n", after);
}

/* ---- ping ----------------------------------------------------------------------------------- */

struct addr_counts addr_count(const struct ranges *ranges, const struct neighbour *neighbours)
{
	struct addr_counts counts = {{0}};

	for (uint32_t i = 0; i < ranges->addresses; i++)
		counts.of[neighbours[i].state]++;
	return counts;
}

void addr_tell_taken(const struct ranges *ranges, const struct neighbour *neighbours)
{
	struct marked ours = by_state(ranges, neighbours, NEIGHBOUR_OURS);
	char text[IP_TEXT_BYTES];

	for (uint32_t i = 0; i < ranges->addresses; i++) {
		const struct neighbour *n = &neighbours[i];

		if (n->state != NEIGHBOUR_TAKEN && n->state != NEIGHBOUR_ECHOES)
			continue;
		struct ip ip = ranges_at(ranges, i);

		ip_format(&ip, text);
		if (n->state == NEIGHBOUR_TAKEN)
			printf("%s is taken: %02x:%02x:%02x:%02x:%02x:%02x has it\n", text,
			       n->mac[0], n->mac[1], n->mac[2], n->mac[3], n->mac[4], n->mac[5]);
		else
			printf("%s is taken: it answers ICMP echo\n", text);
	}
	print_runs(&ours, "this host's own:", "");
}

void addr_tell_free(const struct ranges *ranges, const struct neighbour *neighbours,
                    const char *link_name)
{
	struct marked vacant = by_state(ranges, neighbours, NEIGHBOUR_FREE);
	struct marked unasked = by_state(ranges, neighbours, NEIGHBOUR_UNASKED);
	struct addr_counts counts = addr_count(ranges, neighbours);
	uint32_t taken = counts.of[NEIGHBOUR_TAKEN] + counts.of[NEIGHBOUR_ECHOES];

	print_runs(&vacant, "free:", "");
	print_runs(&unasked, "not this host's:", "");
	if (counts.of[NEIGHBOUR_UNASKED] > 0)
		printf("%s has no neighbours that could be asked\n", quoted(link_name).text);
	printf("%u of %u are free", counts.of[NEIGHBOUR_FREE] + counts.of[NEIGHBOUR_UNASKED],
	       ranges->addresses);
	if (taken > 0)
		printf(", %u taken", taken);
	if (counts.of[NEIGHBOUR_OURS] > 0)
		printf(", %u this host's own", counts.of[NEIGHBOUR_OURS]);
	printf("\n");
}

/* ---- up, down, show ------------------------------------------------------------------------- */

void addr_tell_marked(const struct address_list *list, const uint8_t *marks, uint8_t mark,
                      const char *what)
{
	const struct marked m = {
		.ranges = &list->ranges, .marks = marks, .stride = 1, .mark = mark};
	char before[sizeof(struct text_quoted) + 64], after[32];

	snprintf(before, sizeof(before), "%s: %s",
	         list->is_anyip ? "lo" : quoted(list->link_name).text, what);
	snprintf(after, sizeof(after), list->is_anyip ? "/%u (local route)" : " (/%u)",
	         list->prefix_len);
	print_runs(&m, before, after);
}

static void tell_list(const struct address_list *list, const char *what, uint32_t count)
{
	char text[IP_TEXT_BYTES];

	if (list->is_anyip) {
		printf("lo: %s %s/%u (local route)%s\n", what,
		       ip_format(&list->ranges.at[0].first, text), list->prefix_len,
		       count == 0 ? ", which is gone" : "");
		return;
	}
	printf("%s: %s %u of %u: ", quoted(list->link_name).text, what, count,
	       list->ranges.addresses);
	for (uint32_t r = 0; r < list->ranges.count; r++) {
		printf("%s", r > 0 ? ", " : "");
		print_run(&list->ranges.at[r], 0, list->ranges.at[r].count);
	}
	printf(" (/%u)\n", list->prefix_len);
}

void addr_tell_event(void *context, enum addresses_event event, const struct address_list *list,
                     uint32_t count, const char *journal)
{
	const bool *is_dry = context;

	switch (event) {
	case ADDRESSES_PRESENT:
		tell_list(list, list->is_anyip ? "added" : "there are", count);
		break;
	case ADDRESSES_REMOVED:
		tell_list(list, *is_dry ? "would take away" : "took away", count);
		break;
	case ADDRESSES_REBOOTED:
		printf("%s: the machine was started since; nothing of it is left\n", journal);
		break;
	case ADDRESSES_LINK_GONE:
		printf("%s: %s is no more, and its addresses went with it\n", journal,
		       quoted(list->link_name).text);
		break;
	case ADDRESSES_ELSEWHERE:
		printf("%s: of another network namespace, %s\n", journal,
		       *is_dry ? "would be forgotten" : "forgotten");
		break;
	case ADDRESSES_DAMAGED:
		printf("%s: damaged, %s\n", journal,
		       *is_dry ? "would be thrown away" : "thrown away");
		break;
	}
}

/* figure_json: loops over the table. */
#include "out/figure_json.h"

#include "base/figure.h"
#include "base/text.h"
#include "out/prom.h"

#include <jansson.h>

static const char *const units[FIGURE_UNIT_COUNT] = {
	[FIGURE_NUMBER] = "number",
	[FIGURE_BYTES] = "bytes",
	[FIGURE_NS] = "ns",
};

static const char *const groups[FIGURE_GROUP_COUNT] = {
	[FIGURE_RUN] = "run",       [FIGURE_SOCKETS] = "sockets", [FIGURE_TROUBLE] = "trouble",
	[FIGURE_MEMORY] = "memory", [FIGURE_SLABS] = "slabs",     [FIGURE_CPU] = "cpu",
};

static json_t *row(const struct figure *figure)
{
	char key[FIGURE_KEY_BYTES], metric[PROM_NAME_BYTES];
	struct text t;

	text_init(&t, key, sizeof(key));
	text_add(&t, "%s", figure->name);
	if (figure->unit != FIGURE_NUMBER)
		text_add(&t, "_%s", units[figure->unit]);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s?}", "key", key, "metric",
	                 prom_name(figure, metric), "title", figure->title, "help", figure->help,
	                 "kind", figure->kind == FIGURE_COUNTER ? "counter" : "gauge", "unit",
	                 units[figure->unit], "group", groups[figure->group], "label",
	                 figure_label_name(figure));
}

json_t *figure_json(void)
{
	json_t *rows = json_array();

	for (int i = 0; i < FIGURE_COUNT; i++)
		json_array_append_new(rows, row(figure_at((enum figure_id)i)));
	return json_pack("{s:s, s:o}", "schema", "megaconn.figures/1", "figures", rows);
}

/* ---- charts ---- */

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 148, BOTTOM = 20, TOP = 6;

function svg_make(tag, attributes, text)
{
	const node = document.createElementNS(SVG, tag);

	for (const [name, said] of Object.entries(attributes))
		node.setAttribute(name, said);
	if (text !== undefined)
		node.textContent = text;
	return node;
}

function span_s()
{
	const all = samples.length > 1 ? seconds_between(samples[0], newest()) : 0;

	return SPANS.find(span => span >= all) || SPANS[SPANS.length - 1];
}

/* The least round number that is not below n. */
function round_up(n, is_bytes)
{
	const base = is_bytes ? 1024 ** Math.floor(Math.log2(Math.max(n, 1)) / 10)
		: 10 ** Math.floor(Math.log10(Math.max(n, 1e-9)));
	const steps = is_bytes ? [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024]
		: [1, 1.5, 2, 3, 4, 5, 6, 8, 10];

	return base * steps.find(step => step * base >= n * (1 - 1e-9));
}

function draw_axes(svg, width, top_value, format)
{
	const inner = HEIGHT - BOTTOM - TOP;
	const span = span_s();

	for (const share of [0, 0.5, 1]) {
		const y = TOP + inner * (1 - share);

		svg.append(svg_make("line", {class: "grid", x1: 0, x2: width, y1: y, y2: y}));
		if (share > 0)
			svg.append(svg_make("text", {x: 0, y: y + 12}, format(top_value * share)));
	}
	for (const share of [1, 0.5]) {
		const ago = span * share;

		svg.append(svg_make("text", {x: width * (1 - share), y: HEIGHT - 5,
			"text-anchor": share === 1 ? "start" : "middle"},
			ago >= 120 ? "−" + ago / 60 + " min" : "−" + ago + " s"));
	}
	svg.append(svg_make("text", {x: width, y: HEIGHT - 5, "text-anchor": "end"}, result ? "end" : "now"));
}

/* Paths of points [x, y] or null: a gap ends one. The area goes down to `floor`, points of it. */
function path_of(points)
{
	let path = "", is_open = false;

	for (const point of points) {
		if (point)
			path += (is_open ? "L" : "M") + point[0].toFixed(1) + " " + point[1].toFixed(1);
		is_open = point !== null;
	}
	return path;
}

/* What lies between two lines, wherever both are known. */
function area_of(upper, lower)
{
	let path = "", from = 0;

	for (let i = 0; i <= upper.length; i++) {
		if (i < upper.length && upper[i] && lower[i])
			continue;
		if (i > from)
			path += path_of(upper.slice(from, i).concat(lower.slice(from, i).reverse())) + "Z";
		from = i + 1;
	}
	return path;
}

/* A card with a chart: `series` is a list of {name, color, get(i)}, or a function that makes it
 * anew each time; `most` is the least top of the axis, `top` the top; `is_stack` puts each on the one
 * before. */
function chart_card(title, {series, format, exact, most, top, is_bytes, is_stack, mark, tail})
{
	const legend = make("div", {className: "legend"});
	const svg = svg_make("svg", {height: HEIGHT, role: "img", "aria-label": title});
	const below = make("div", {});
	const card = make("section", {className: "card"}, make("h2", {}, title),
		legend, svg, below);

	svg.addEventListener("pointermove", event => {
		const box = svg.getBoundingClientRect();

		hover = Math.max(0, span_s() * (1 - (event.clientX - box.left) / box.width));
		request_draw();
	});
	svg.addEventListener("pointerleave", () => {
		hover = null;
		request_draw();
	});

	function draw()
	{
		const list = (typeof series === "function" ? series() : series)
			.map(one => ({...one, values: samples.map((_, i) => one.get(i))}))
			.filter(one => one.values.some(n => n !== null));

		card.hidden = list.length === 0;
		if (card.hidden)
			return;
		draw_chart(list);
		draw_legend(list);
		if (tail)
			tail(below);
	}

	function draw_chart(list)
	{
		const width = svg.clientWidth || 300, inner = HEIGHT - BOTTOM - TOP;
		const last = newest(), span = span_s();
		const sums = samples.map(() => 0);
		let top_value = most ? most() || 0 : 0;

		for (const one of list) {
			one.values.forEach((n, i) => {
				sums[i] = is_stack ? sums[i] + (n || 0) : n || 0;
				top_value = Math.max(top_value, sums[i]);
			});
		}
		const highest = top && top() >= top_value ? top() : round_up(top_value || 1, is_bytes);
		const x = i => width * (1 - seconds_between(samples[i], last) / span);
		const y = n => TOP + inner * (1 - n / highest);
		let floor = samples.map((_, i) => [x(i), y(0)]);
		const below_sums = samples.map(() => 0);

		svg.replaceChildren();
		svg.setAttribute("viewBox", "0 0 " + width + " " + HEIGHT);
		draw_axes(svg, width, highest, format);
		for (const one of list) {
			const points = one.values.map((n, i) => n === null || x(i) < -1 ? null
				: [x(i), y(is_stack ? below_sums[i] += n : n)]);

			if (is_stack || one.is_filled)
				svg.append(svg_make("path", {d: area_of(points, floor),
					style: "fill:var(" + one.color + ");opacity:" + (is_stack ? 0.85 : 0.13)}));
			if (!is_stack)
				svg.append(svg_make("path", {class: one.is_dashed ? "stroke dash" : "stroke",
					d: path_of(points), style: "stroke:var(" + one.color + ")"}));
			if (is_stack)
				floor = points.map((point, i) => point || floor[i]);
		}
		const marked = mark ? mark() : null;

		if (marked)
			svg.append(svg_make("line", {class: "mark-line", x1: 0, x2: width,
				y1: y(marked), y2: y(marked)}));
		if (hover !== null) {
			const cross = x(shown_index());

			svg.append(svg_make("line", {class: "cross", x1: cross, x2: cross,
				y1: TOP, y2: HEIGHT - BOTTOM}));
		}
	}

	function draw_legend(list)
	{
		const i = shown_index();
		const rest = hover === null ? null
			: make("em", {}, "−" + Math.round(seconds_between(samples[i], newest())) + " s");

		legend.replaceChildren(...list.map(one => {
			const item = make("span", {}, one.name, make("b", {}, (exact || format)(one.values[i])));

			item.style.setProperty("--c", "var(" + one.color + ")");
			return item;
		}), ...(rest ? [rest] : []));
	}

	return {card, draw};
}

/* ---- cards of rows ---- */

function bar_cell(parts)
{
	const track = make("div", {});

	for (const [share, color] of parts) {
		const piece = make("i", {});

		piece.style.width = (100 * Math.min(1, Math.max(0, share))).toFixed(2) + "%";
		piece.style.setProperty("--c", "var(" + color + ")");
		track.append(piece);
	}
	return make("td", {className: "track"}, track);
}

/* Rows of [name, parts of a bar or null, text, help]. */
function rows_table(rows)
{
	return make("table", {className: "rows"}, make("tbody", {}, ...rows.map(([name, parts, text, help]) =>
		make("tr", {title: help || ""}, make("td", {className: "name"}, name),
			parts ? bar_cell(parts) : make("td", {}), make("td", {}, text)))));
}

/* `rows` says them, or a sentence where there is nothing to show, or null for no card. */
function rows_card(title, rows)
{
	const body = make("div", {});
	const card = make("section", {className: "card"}, make("h2", {}, title), body);

	function draw()
	{
		const said = rows();

		card.hidden = said === null;
		if (typeof said === "string")
			body.replaceChildren(make("p", {className: "rest"}, said));
		else if (said)
			body.replaceChildren(rows_table(said));
	}
	return {card, draw};
}

const QUANTILES = [["p50", "p50"], ["p90", "p90"], ["p99", "p99"], ["p999", "p99.9"], ["max", "max"]];

/* On a logarithmic scale, from 10 us up. */
function latency_rows()
{
	const connect = samples[shown_index()].connect;

	if (!has_run(newest()) || !has_clients(newest()))
		return null;
	if (!connect)
		return "No connect has been answered yet.";
	const least = 1e4, most = Math.max(1e8, 10 ** Math.ceil(Math.log10(connect.max)));

	return QUANTILES.map(([key, name]) => [name,
		[[Math.log(Math.max(connect[key], least) / least) / Math.log(most / least), "--c1"]],
		duration(connect[key])]);
}

function failure_rows()
{
	const sample = samples[shown_index()];

	if (!has_run(sample))
		return null;
	const failed = Object.entries(sample.run_failed || {}).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]);

	if (failed.length === 0)
		return has_clients(sample) ? "No connection has failed or was lost." : "No connection was lost.";
	return failed.map(([cause, n]) => [cause.replace(/_/g, " "), [[n / failed[0][1], "--bad"]], count(n)]);
}

function moved(figure)
{
	const from = value(samples[0], figure.key), to = value(newest(), figure.key);

	return from === null || to === null ? 0 : to - from;
}

function trouble_rows()
{
	const rows = figures.filter(f => f.group === "trouble" && moved(f) > 0)
		.sort((a, b) => moved(b) - moved(a));

	if (rows.length === 0)
		return "No drop, reset, retransmit or overflow was counted in the last "
			+ duration(1e9 * Math.max(1, Math.round(seconds_between(samples[0], newest())))) + ".";
	return rows.map(f => [f.title, [[moved(f) / moved(rows[0]), "--c2"]],
		count(moved(f)) + "  (" + brief(rate_of(f.key)(shown_index())) + "/s)", f.help]);
}

const STATES = ["tcp_established", "tcp_inuse", "tcp6_inuse", "tcp_time_wait", "tcp_orphans",
	"tcp_allocated", "conntrack_entries"];

function state_rows()
{
	const sample = samples[shown_index()];
	const rows = STATES.map(key => figures.find(f => f.key === key))
		.filter(f => f && value(sample, f.key) !== null);
	const most = Math.max(1, ...rows.map(f => value(sample, f.key)));

	return rows.length === 0 ? null
		: rows.map(f => [f.title, [[value(sample, f.key) / most, "--c3"]],
			count(value(sample, f.key)), f.help]);
}

/* ---- the cores ---- */

/* [core, its load] of those that are known. */
function core_loads()
{
	const i = Math.max(shown_index(), 1);

	return Object.keys((samples[i] || samples[0]).cpu_busy_ns || {})
		.map(core => [core, load_at(i, core)]).filter(([, load]) => load !== null);
}

function load_parts(load)
{
	return [[load.softirq, "--c2"], [load.busy - load.softirq, "--c1"]];
}

function draw_few_cores(into)
{
	const loads = core_loads();

	into.hidden = loads.length > ROWS_OF_CORES;
	into.replaceChildren(rows_table(loads.map(([core, load]) =>
		["core " + core, load_parts(load), percent(load.busy)])));
}

function many_cores_card()
{
	const body = make("div", {className: "cores"});
	const card = make("section", {className: "card"}, make("h2", {}, "CPU by core"), body);

	function draw()
	{
		const loads = core_loads();

		card.hidden = loads.length <= ROWS_OF_CORES;
		body.replaceChildren(...loads.map(([core, load]) => {
			const column = make("div", {title: "core " + core + ": " + percent(load.busy) + " busy, "
				+ percent(load.softirq) + " softirq"});

			for (const [share, color] of load_parts(load)) {
				const piece = make("i", {});

				piece.style.height = (100 * share).toFixed(1) + "%";
				piece.style.setProperty("--c", "var(" + color + ")");
				column.append(piece);
			}
			return column;
		}));
	}
	return {card, draw};
}

/* ---- the slabs ---- */

const slots = new Array(TOP_CACHES).fill(null); /* which cache has which color, as long as it can */

/* Those that move, then the largest ones. */
function top_caches()
{
	const range = {};

	for (const sample of samples) {
		for (const [cache, n] of Object.entries(sample.slab_bytes || {})) {
			const [low, high] = range[cache] || [n, n];

			range[cache] = [Math.min(low, n), Math.max(high, n)];
		}
	}
	const weight = ([, [low, high]]) => high - low + high / 16;

	return Object.entries(range).sort((a, b) => weight(b) - weight(a)).slice(0, TOP_CACHES)
		.map(([cache]) => cache);
}

/* The rest of all slab memory comes last. */
function slab_series()
{
	const top = top_caches();

	slots.forEach((cache, i) => slots[i] = top.includes(cache) ? cache : null);
	for (const cache of top) {
		if (!slots.includes(cache))
			slots[slots.indexOf(null)] = cache;
	}
	const named = sample => top.reduce((sum, cache) => sum + (part(sample, "slab_bytes", cache) || 0), 0);
	const series = top.map(cache => ({name: cache, color: "--c" + (slots.indexOf(cache) + 1),
		get: i => samples[i].slab_bytes ? part(samples[i], "slab_bytes", cache) || 0 : null}));

	series.push({name: top.length > 0 ? "others" : "all slabs", color: "--c7", get: i => {
		const all = value(samples[i], "memory_slab_bytes");

		return all === null ? null : Math.max(0, all - named(samples[i]));
	}});
	return series;
}

/* ---- headline and tiles ---- */

function draw_phases(sample)
{
	const others = has_clients(sample) ? ["serve"] : ["ramp", "proof", "hold"];
	const list = PHASES.filter(phase => !others.includes(phase));
	const now = list.indexOf(sample.phase);

	at("phases").hidden = !has_run(sample);
	at("phases").replaceChildren(...list.map((phase, i) => make("li",
		{className: result || i < now ? "done" : i === now ? "now" : ""}, phase)));
}

function sub_words(sample, per_s)
{
	const words = [];
	const failed = value(sample, "run_failed");

	if (!has_run(sample))
		words.push(count(rate_of("tcp_passive_opens")(samples.length - 1)) + " accepts/s",
			count(rate_of("tcp_active_opens")(samples.length - 1)) + " connects/s");
	else if (sample.phase === "ramp" || sample.phase === "serve")
		words.push(count(per_s) + (sample.phase === "ramp" ? " connects/s" : " accepts/s"));
	else if (sample.phase === "proof")
		words.push(count(rate_of("run_proved")(samples.length - 1)) + " echoes/s");
	else if (sample.phase === "hold" && value(sample, "run_messages") > 0)
		words.push(count(answers_per_s(() => true)(samples.length - 1)) + " answers/s");
	if (ramp_left_s() > 0)
		words.push("all of them in " + duration(1e9 * Math.ceil(ramp_left_s())) + " at this rate");
	if (value(sample, "run_proved") > 0)
		words.push(count(value(sample, "run_proved")) + " echoes proved");
	if (failed !== null)
		words.push(count(failed) + (has_clients(sample) ? " failed" : " lost"));
	return words.join("  ·  ");
}

function draw_head(sample)
{
	const target = value(sample, "run_target_connections"), key = open_key(sample);
	/* When it has ended, how many there were at most. */
	const open = result ? Math.max(...samples.map(s => value(s, key) || 0)) : value(sample, key);
	const last = samples.length - 1;
	const per_s = rate_of(has_clients(sample) ? "run_connected" : "run_accepted")(last);
	const share = target ? Math.min(1, open / target) : 0;

	at("headline").replaceChildren(count(open), make("small", {},
		!has_run(sample) ? " TCP connections established" : target ? " of " + count(target) + " connections" : " connections open"));
	at("bar").hidden = !target;
	at("bar").className = "bar " + (result && result.verdict || "");
	at("bar").firstElementChild.style.width = (100 * share).toFixed(2) + "%";
	at("bar").setAttribute("aria-valuenow", Math.round(100 * share));
	at("sub").textContent = sub_words(sample, per_s);
	at("verdict").hidden = !result || !result.verdict;
	if (result && result.verdict) {
		at("verdict").className = result.verdict;
		at("verdict").textContent = result.verdict.toUpperCase() + ": " + result.reason;
	}
	document.title = brief(open) + (target ? "/" + brief(target) : "") + " "
		+ (result && result.verdict || sample.phase || "established") + " · megaconn";
}

function tile(name, number, unit, note, is_bad)
{
	return make("dl", {className: "tile", style: "margin:0"}, make("dt", {}, name),
		make("dd", {className: is_bad ? "bad" : ""}, number, make("small", {}, unit ? " " + unit : "")),
		make("p", {}, note || ""));
}

/* By the run where it is known; else by the caches of sockets, of any host. */
function per_connection(sample)
{
	const said = value(sample, "run_kernel_memory_per_connection_bytes");
	const user = value(sample, "run_user_memory_bytes");
	const sockets = value(sample, "tcp_allocated");
	const few = 1000; /* slabs that were not given back weigh more than so many sockets */

	if (said)
		return ["kernel memory each", count(said), "B", user > 0 ? "user memory " + bytes(user) : ""];
	const caches = ["TCP", "TCPv6", "sock_inode_cache"].map(cache => part(sample, "slab_bytes", cache));

	if (has_run(sample) || sockets < few || caches.every(n => n === null))
		return ["kernel memory each", "–", "", has_run(sample) ? "not known yet"
			: sockets < few ? "too few sockets to tell" : "not known: slabs are root's to read"];
	return ["kernel, socket and inode", count(caches.reduce((sum, n) => sum + (n || 0), 0) / sockets), "B",
		"of " + count(sockets) + " sockets"];
}

/* What becomes of memory: [words, whether it will not do]. */
function memory_note(sample)
{
	const per_s = memory_loss_per_s(), left = value(sample, "memory_left_bytes"), ramp_s = ramp_left_s();

	const may_grow = !has_run(sample) || sample.phase === "ramp" || sample.phase === "serve";

	if (result || !may_grow || per_s === null || left > per_s * 600)
		return ["of " + bytes(value(sample, "memory_total_bytes")), false];
	if (ramp_s !== null && left > per_s * ramp_s)
		return [bytes(left - per_s * ramp_s) + " when all are open", false];
	return ["gone in " + duration(1e9 * Math.ceil(left / per_s)), left < per_s * 60];
}

function draw_tiles(sample)
{
	const last = samples.length - 1;
	const trouble = figures.filter(f => f.group === "trouble")
		.reduce((sum, f) => sum + (rate_of(f.key)(last) || 0), 0);
	const load = load_at(last, null), connect = sample.connect;
	const in_s = rate_of("tcp_in_segments")(last), out_s = rate_of("tcp_out_segments")(last);
	const failed = value(sample, "run_failed");
	const tiles = [
		has_run(sample) ? tile("established, kernel", count(value(sample, "tcp_established")), "",
			count(value(sample, "tcp_time_wait")) + " in TIME_WAIT")
			: tile("TIME_WAIT", count(value(sample, "tcp_time_wait")), "",
				count(value(sample, "tcp_orphans")) + " orphans"),
		connect ? tile("connect, p99", duration(connect.p99), "", "p50 " + duration(connect.p50))
			: tile("segments", brief(in_s), "in/s", brief(out_s) + " out/s"),
		tile(...per_connection(sample)),
		tile("memory left", bytes(value(sample, "memory_left_bytes")), "", ...memory_note(sample)),
		tile("CPU", load ? percent(load.busy) : "–", "", load ? percent(load.softirq) + " softirq" : ""),
		has_run(sample) ? tile(has_clients(sample) ? "failed" : "lost", count(failed), "",
			result ? "" : brief(trouble) + " troubles/s", failed > 0)
			: tile("troubles", brief(trouble), "/s", "drops, resets, retransmits"),
	];

	at("tiles").replaceChildren(...tiles);
}

/* ---- all figures ---- */

const GROUPS = {run: "Run", sockets: "Sockets", trouble: "Trouble", memory: "Memory",
	slabs: "Slab caches", cpu: "CPU"};
const FAMILY_ROWS = 24; /* of a family, the largest ones */

function rate_words(figure, per_s)
{
	if (figure.kind !== "counter" || !per_s)
		return "";
	return figure.unit === "ns" ? percent(per_s / 1e9)
		: (figure.unit === "bytes" ? bytes(per_s) : brief(per_s)) + "/s";
}

/* Single numbers: what, how much, how fast it grows. */
function single_rows(list, sample)
{
	return list.filter(f => f.label === null && sample[f.key] !== undefined)
		.map(f => make("tr", {title: f.help}, make("td", {}, f.title),
			make("td", {}, BY_UNIT[f.unit](sample[f.key])),
			make("td", {className: "rate"}, rate_words(f, rate_of(f.key)(samples.length - 1)))));
}

/* Families with the same label: a row for each cause, core or cache, a column for each figure; of
 * times how fast they grow. */
function family_table(label, list, sample)
{
	const labels = [...new Set(list.flatMap(f => Object.keys(sample[f.key] || {})))];
	const rank = one => part(sample, list[0].key, one) || 0;
	const cell = (f, one) => f.unit === "ns"
		? percent((rate_at(samples.length - 1, s => part(s, f.key, one)) || 0) / 1e9)
		: part(sample, f.key, one) === null ? "" : BY_UNIT[f.unit](part(sample, f.key, one));

	labels.sort((a, b) => label === "cpu" ? a - b : rank(b) - rank(a));
	if (labels.length === 0)
		return [];
	const head = make("tr", {}, make("th", {}, label), ...list.map(f => make("th", {title: f.help}, f.title)));
	const rows = labels.slice(0, FAMILY_ROWS).map(one => make("tr", {},
		make("td", {}, label === "cause" ? one.replace(/_/g, " ") : one),
		...list.map(f => make("td", {}, cell(f, one)))));

	return [make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows))];
}

function draw_figures(sample)
{
	const sections = [];

	for (const group of new Set(figures.map(f => f.group))) {
		const list = figures.filter(f => f.group === group), rows = single_rows(list, sample);
		const labels = [...new Set(list.map(f => f.label))].filter(label => label !== null);
		const tables = labels.flatMap(label =>
			family_table(label, list.filter(f => f.label === label), sample));

		if (rows.length > 0)
			tables.unshift(make("table", {}, make("tbody", {}, ...rows)));
		if (tables.length > 0)
			sections.push(make("section", {}, make("h3", {}, GROUPS[group] || group), ...tables));
	}
	at("figures").replaceChildren(...sections);
}

/* ---- the page ---- */

/* Rows of cards; those of a row that are there share it. */
const rows = [[
	chart_card("Connections open", {format: brief, exact: count,
		mark: () => value(newest(), "run_target_connections"),
		most: () => value(newest(), "run_target_connections"),
		series: () => has_run(newest()) ? [
			{name: "clients", color: "--c1", is_filled: true, get: i =>
				has_clients(samples[i]) ? value(samples[i], "run_client_connections") : null},
			{name: "servers", color: "--c2", is_dashed: true, get: i =>
				value(samples[i], "run_accepted") > 0 || !has_clients(samples[i])
					? value(samples[i], "run_server_connections") : null},
		] : [{name: "established", color: "--c1", is_filled: true, get: level_of("tcp_established")}]}),
	chart_card("Connects and accepts a second", {format: brief, exact: count, most: () => 10, series: [
		{name: "connects", color: "--c1", is_filled: true, get: rate_of("tcp_active_opens")},
		{name: "accepts", color: "--c2", is_dashed: true, get: rate_of("tcp_passive_opens")}]}),
], [
	chart_card("Messages and answers a second", {format: brief, exact: count, series: [
		{name: "messages", color: "--c1", is_filled: true, get: of_talk(rate_of("run_messages"))},
		{name: "good answers", color: "--c2", is_dashed: true, get: of_talk(answers_per_s(name => name === "good"))},
		{name: "not good", color: "--bad", get: of_talk(answers_per_s(name => name !== "good" && name !== "overdue"))}]}),
	chart_card("What answers took, each second", {format: duration, series: [
		{name: "p50", color: "--c1", get: latency_of("p50")},
		{name: "p99", color: "--c2", get: latency_of("p99")},
		{name: "longest", color: "--c4", is_dashed: true, get: latency_of("max")}]}),
], [
	chart_card("Memory left", {format: bytes, is_bytes: true,
		top: () => value(newest(), "memory_total_bytes"), series: [
		{name: "left", color: "--c3", is_filled: true, get: level_of("memory_left_bytes")},
		{name: "MemAvailable", color: "--c7", get: level_of("memory_available_bytes")},
		{name: "left by the cgroup", color: "--c4", get: level_of("cgroup_memory_left_bytes")}]}),
	chart_card("Kernel memory by slab cache", {format: bytes, is_bytes: true, is_stack: true,
		series: slab_series}),
], [
	rows_card("Connect time, of all so far", latency_rows),
	rows_card("Sockets", state_rows),
	chart_card("CPU", {format: percent, top: () => 1, is_stack: true, tail: draw_few_cores, series: [
		{name: "softirq", color: "--c2", get: i => (load_at(i, null) || {softirq: null}).softirq},
		{name: "else busy", color: "--c1", get: i => {
			const load = load_at(i, null);

			return load ? Math.max(0, load.busy - load.softirq) : null;
		}}]}),
], [
	many_cores_card(),
], [
	rows_card("What the kernel counted as trouble", trouble_rows),
	rows_card("Failed and lost connections, by cause", failure_rows),
]];

at("cards").append(...rows.map(row => make("div", {className: "row"}, ...row.map(one => one.card))));

function draw_link()
{
	const age_ms = performance.now() - arrived;
	let state = link, words = link === "lost" ? "stream lost, trying again" : link;

	if (link === "live") {
		state = age_ms > STALE_MS ? "stale" : "live";
		words = state === "stale" ? "no sample for " + Math.round(age_ms / 1000) + " s"
			: "live  " + new Date(newest().unix_ns / 1e6).toLocaleTimeString("en-GB");
	}
	at("link").className = "link " + state;
	at("link").textContent = words;
}

function draw()
{
	is_due = false;
	draw_link();
	if (samples.length === 0)
		return;
	const sample = newest();

	draw_phases(sample);
	draw_head(sample);
	draw_tiles(sample);
	for (const one of rows.flat())
		one.draw();
	draw_figures(sample);
}

function request_draw()
{
	if (!is_due)
		requestAnimationFrame(draw);
	is_due = true;
}

/* The token that this page was asked with, for all that it asks: events can have no header. */
const token = new URLSearchParams(location.search).get("token");
const query = token === null ? "" : "?token=" + encodeURIComponent(token);

/* Starts again a second after the stream has ended: by then there may be another run. What was there
 * stays until the first sample of it. */
function connect()
{
	const source = new EventSource("api/v1/events" + query);
	let is_first = true;

	source.onmessage = event => {
		if (is_first) {
			samples = [];
			slots.fill(null);
			result = null;
			link = "live";
		}
		is_first = false;
		samples.push(JSON.parse(event.data));
		samples = samples.slice(-MOST);
		arrived = performance.now();
		request_draw();
	};
	source.addEventListener("end", event => {
		result = JSON.parse(event.data);
		close("ended");
	});
	source.onerror = () => close(link === "ended" ? "ended" : "lost");

	function close(state)
	{
		source.close();
		link = state;
		request_draw();
		setTimeout(connect, AGAIN_MS);
	}
}

for (const anchor of document.querySelectorAll("footer a"))
	anchor.href += query;
fetch("api/v1/figures" + query).then(answer => answer.json()).then(said => {
	figures = said.figures;
	request_draw();
});
setInterval(draw_link, 1000);
addEventListener("resize", request_draw);
connect();

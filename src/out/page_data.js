"use strict";
/* The live page: samples come by /api/v1/events, what their keys mean from /api/v1/figures. All that
 * is drawn is drawn again from `samples`, at most once a frame. */

const MOST = 300;          /* samples that are kept */
const SPANS = [20, 30, 60, 120, 180, 300]; /* seconds that charts show */
const STALE_MS = 3500;
const AGAIN_MS = 1000;
const PHASES = ["start", "ramp", "serve", "proof", "hold", "close"];
const TOP_CACHES = 6;
const ROWS_OF_CORES = 8; /* more are drawn as columns, in a card of their own */

let figures = [];
let samples = [];
let result = null;   /* what the last event said */
let link = "connecting";
let arrived = 0;     /* when the last sample came, by performance.now() */
let hover = null;    /* seconds before the last sample, or null */
let is_due = false;

const at = id => document.getElementById(id);

function make(tag, properties, ...children)
{
	const node = Object.assign(document.createElement(tag), properties);

	node.append(...children);
	return node;
}

/* ---- numbers as people read them ---- */

const whole = new Intl.NumberFormat("en-US", {maximumFractionDigits: 0});

function count(n)
{
	return n === null ? "–" : whole.format(n);
}

/* For axes and narrow places: 48.5k, 1.2M. */
function brief(n)
{
	if (n === null)
		return "–";
	for (const [size, letter] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
		if (Math.abs(n) >= size)
			return digits(n / size) + letter;
	}
	return Number.isInteger(n) ? String(n) : n.toFixed(1);
}

function digits(n)
{
	if (n >= 100 || Number.isInteger(n))
		return String(Math.round(n));
	return n.toFixed(n >= 10 ? 1 : 2).replace(/\.?0+$/, "");
}

function bytes(n)
{
	if (n === null)
		return "–";
	for (const [power, unit] of [[40, "TiB"], [30, "GiB"], [20, "MiB"], [10, "KiB"]]) {
		if (Math.abs(n) >= 2 ** power)
			return (n / 2 ** power).toFixed(n / 2 ** power >= 100 ? 0 : 1) + " " + unit;
	}
	return Math.round(n) + " B";
}

function duration(ns)
{
	if (ns === null)
		return "–";
	const s = ns / 1e9;

	if (s >= 3600)
		return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
	if (s >= 60)
		return Math.floor(s / 60) + " min " + Math.floor(s % 60) + " s";
	for (const [size, unit] of [[1e9, " s"], [1e6, " ms"], [1e3, " µs"]]) {
		if (ns >= size)
			return Number((ns / size).toPrecision(3)) + unit;
	}
	return Math.round(ns) + " ns";
}

function percent(share)
{
	return share === null ? "–" : (100 * share).toFixed(share < 0.0995 ? 1 : 0) + " %";
}

const BY_UNIT = {number: count, bytes, ns: duration};

/* ---- what samples say ---- */

function newest()
{
	return samples[samples.length - 1];
}

/* A number; of a family the sum. null where it is not known. */
function value(sample, key)
{
	const found = sample && sample[key];

	if (found === undefined || found === null)
		return null;
	if (typeof found === "number")
		return found;
	return Object.values(found).reduce((sum, n) => sum + n, 0);
}

function part(sample, key, label)
{
	const found = sample && sample[key];

	return found && found[label] !== undefined ? found[label] : null;
}

function seconds_between(a, b)
{
	return (b.at_ns - a.at_ns) / 1e9;
}

/* How fast what `get` says grows until the i-th sample, over half a second where it can: the
 * first and the last sample of a run may be close to others. */
function rate_at(i, get)
{
	let before = i - 1;

	while (before > 0 && seconds_between(samples[before], samples[i]) < 0.5)
		before--;
	if (before < 0 || i >= samples.length || seconds_between(samples[before], samples[i]) < 0.25)
		return null;
	const from = get(samples[before]), to = get(samples[i]);

	if (from === null || to === null || to < from)
		return null;
	return (to - from) / seconds_between(samples[before], samples[i]);
}

const rate_of = key => i => rate_at(i, sample => value(sample, key));
const level_of = key => i => value(samples[i], key);

/* Only of a run whose clients say something. */
function of_talk(get)
{
	return i => value(samples[i], "run_messages") > 0 ? get(i) : null;
}

function answers_per_s(is_one)
{
	return i => rate_at(i, sample => Object.entries(sample.run_answers || {})
		.reduce((sum, [name, n]) => sum + (is_one(name) ? n : 0), 0));
}

function latency_of(quantile)
{
	return i => samples[i].latency ? samples[i].latency[quantile] : null;
}

function has_run(sample)
{
	return sample.phase !== undefined;
}

function has_clients(sample)
{
	return value(sample, "run_target_connections") > 0;
}

function open_key(sample)
{
	if (!has_run(sample))
		return "tcp_established";
	return has_clients(sample) ? "run_client_connections" : "run_server_connections";
}

/* The sample that the pointer is on, else the last one. */
function shown_index()
{
	const last = samples.length - 1;

	if (hover === null)
		return last;
	let best = last;

	for (let i = last; i >= 0; i--) {
		const age = seconds_between(samples[i], samples[last]);

		if (Math.abs(age - hover) < Math.abs(seconds_between(samples[best], samples[last]) - hover))
			best = i;
	}
	return best;
}

/* Busy, and of it softirq, of a core (or of all) since the sample before: shares of its time. */
function load_at(i, core)
{
	const get = key => rate_at(i, sample => core === null ? value(sample, key) : part(sample, key, core));
	const busy = get("cpu_busy_ns"), idle = get("cpu_idle_ns"), softirq = get("cpu_softirq_ns");

	if (busy === null || idle === null || busy + idle === 0)
		return null;
	return {busy: busy / (busy + idle), softirq: (softirq || 0) / (busy + idle)};
}

/* What memory loses a second, by how it went in the last ten; null where that is not known. */
function memory_loss_per_s()
{
	const last = newest();
	const from = samples.find(s => seconds_between(s, last) <= 10);
	const left = value(last, "memory_left_bytes"), before = value(from, "memory_left_bytes");

	return left === null || before === null || from === last ? null
		: (before - left) / seconds_between(from, last);
}

/* Seconds until the run has all its connections; null where it is not in a ramp. */
function ramp_left_s()
{
	const sample = newest(), per_s = rate_of("run_connected")(samples.length - 1);
	const target = value(sample, "run_target_connections");

	return sample.phase === "ramp" && per_s > 0
		? Math.max(0, target - value(sample, "run_client_connections")) / per_s : null;
}

// hlog.js LOG: what hdr-histogram-js reads in an HdrHistogram log: a line for each interval (tag,
// start and length in ms, count, maximum), then for their sum each value and its count, quantiles,
// and the total.
"use strict";

const fs = require("fs");
const hdr = require("hdr-histogram-js");

const reader = new hdr.HistogramLogReader(fs.readFileSync(process.argv[2], "utf8"), 64);
let sum = null;

for (let one = reader.nextIntervalHistogram(); one; one = reader.nextIntervalHistogram()) {
	const ms = Math.round(one.endTimeStampMsec - one.startTimeStampMsec);

	console.log(`interval ${one.tag} ${Math.round(one.startTimeStampMsec)} ${ms} ` +
		`${one.totalCount} ${one.maxValue}`);
	if (sum)
		sum.add(one);
	else
		sum = one;
}
if (sum) {
	for (let i = 0; i < sum.countsArrayLength; i++) {
		const count = sum.getCountAtIndex(i);

		if (count > 0)
			console.log(`value ${sum.highestEquivalentValue(sum.valueFromIndex(i))} ${count}`);
	}
	for (const q of [50, 90, 99, 99.9, 100])
		console.log(`quantile ${q} ${sum.getValueAtPercentile(q)}`);
	console.log(`total ${sum.totalCount} ${sum.minNonZeroValue} ${sum.maxValue}`);
}

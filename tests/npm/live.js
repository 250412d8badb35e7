// live.js URL DIRECTORY: the live page in a browser, through a lab of 2,000 connections, its end,
// another run at the same address, and the death of that. Says on stdout how far it is; what is not
// as it must be ends it with the reason. Screenshots go into DIRECTORY.
"use strict";

const assert = require("assert");
const puppeteer = require("puppeteer-core");

const [url, directory] = process.argv.slice(2);
const N = 2000;
const SCREENS = [[1280, 900, "light"], [1280, 900, "dark"], [390, 844, "light"], [390, 844, "dark"]];

const text = (page, selector) => page.$eval(selector, node => node.textContent);

function until(page, selector, words)
{
	return page.waitForFunction((s, w) => document.querySelector(s).textContent.includes(w),
		{timeout: 30000}, selector, words).catch(async () => {
		throw new Error(`${selector} is '${await text(page, selector)}', not '${words}'`);
	});
}

// Rows of the table of all figures: [section, title, number as shown].
function shown_figures(page)
{
	return page.$$eval("#figures tbody tr", rows => rows.map(row =>
		[row.closest("section").querySelector("h3").textContent,
			...[...row.cells].map(cell => cell.textContent)]));
}

// In the hold the numbers of the run rest: what the page says must be what the sample says.
async function check_numbers(page)
{
	const sample = await page.evaluate(() => fetch("api/v1/sample").then(answer => answer.json()));
	const {figures} = await page.evaluate(() => fetch("api/v1/figures").then(answer => answer.json()));
	const rows = await shown_figures(page);
	const find = (section, title) => rows.find(row => row[0] === section && row[1] === title);

	assert.equal(sample.run_client_connections, N);
	assert.equal(await text(page, "#headline"), "2,000 of 2,000 connections");
	assert.equal(find("Run", "clients' connections")[2], "2,000");
	assert.equal(find("Run", "connects")[2], "2,000");
	assert.equal(find("Run", "echoes")[2], "2,000");
	assert.equal(find("Sockets", "established")[2], "4,000");
	assert.match(await text(page, "#tiles"), /established, kernel4,000/);
	assert.match(await text(page, "#sub"), /[0-9,]+ answers\/s.*2,000 echoes proved.*0 failed/);
	for (const f of figures.filter(one => one.label === null && sample[one.key] !== undefined))
		assert.ok(rows.some(row => row[1] === f.title), `no row '${f.title}'`);
	for (const title of ["Connections open", "Connects and accepts a second", "Memory left",
		"Messages and answers a second", "What answers took, each second",
		"Connect time, of all so far", "Sockets", "CPU"])
		assert.ok((await text(page, "#cards")).includes(title), `no card '${title}'`);
	assert.ok(await page.$$eval("#cards svg path", paths => paths.length) >= 6);
	assert.ok(await page.$$eval("#cards svg path", paths =>
		paths.every(path => !/NaN|undefined/.test(path.getAttribute("d")))));
}

async function shoot(page)
{
	for (const [width, height, scheme] of SCREENS) {
		await page.setViewport({width, height});
		await page.emulateMediaFeatures([{name: "prefers-color-scheme", value: scheme}]);
		await new Promise(done => setTimeout(done, 1200)); // drawn for this width
		const wide = await page.evaluate(() => document.documentElement.scrollWidth);

		assert.ok(wide <= width, `${wide} pixels wide on a screen of ${width}`);
		await page.screenshot({path: `${directory}/live-${width}-${scheme}.png`, fullPage: true});
	}
}

async function main(browser)
{
	const page = await browser.newPage(), wrong = [];

	// A connection that is refused is not the page's fault; all else is.
	page.on("console", said => {
		if (said.type() === "error" && !/ERR_|Failed to load/.test(said.text()))
			wrong.push(said.text());
	});
	page.on("pageerror", err => wrong.push(err.message));
	await page.goto(url, {waitUntil: "domcontentloaded"});
	await until(page, "#phases .now", "hold");
	await page.waitForFunction(() => document.querySelector("#figures tbody tr"), {timeout: 10000});
	await check_numbers(page);
	await shoot(page);
	console.log("held");
	await until(page, "#verdict", "PASS: 2,000 connections established, proved, held and proved again");
	await until(page, "#link", "ended");
	console.log("ended");
	await until(page, "#link", "live");
	await until(page, "#headline", "0 connections open");
	assert.equal(await page.$eval("#verdict", node => node.hidden), true);
	console.log("live again");
	await until(page, "#link", "stream lost");
	assert.deepEqual(wrong, []);
	console.log("lost");
}

puppeteer.launch({executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"]})
	.then(browser => main(browser).finally(() => browser.close()))
	.catch(err => {
		console.log(err.message);
		process.exit(1);
	});

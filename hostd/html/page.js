/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Draws the maps of heat from their data, and opens all tables when the page is printed. The page says everything without it. */
"use strict";

/* "0*3 5 2": numbers, and how often they follow each other. */
function numbers(text) {
	const out = [];
	for (const part of text.split(" ")) {
		const [value, times] = part.split("*");
		for (let i = Number(times ?? 1); i > 0; i--)
			out.push(Number(value));
	}
	return out;
}

/* Rows are stretches of time, from left to right; columns are stretches of memory, whose places are given from above. */
function draw(canvas, map) {
	const context = canvas.getContext("2d");
	const low = Math.log(map.high) - map.decades * Math.LN10;
	const steps = map.colours.length - 1;
	for (const row of map.rows) {
		const left = Math.floor(row.place[0] / 100 * canvas.width);
		const right = Math.max(left + 1, Math.round(row.place[1] / 100 * canvas.width));
		numbers(row.cells).forEach((cell, i) => {
			const heat = cell * row.factor;
			if (!(heat > 0))
				return;
			const place = (Math.log(heat) - low) / (map.decades * Math.LN10);
			const top = Math.floor(map.columns[i][0] / 100 * canvas.height);
			const bottom = Math.max(top + 1, Math.round(map.columns[i][1] / 100 * canvas.height));
			context.fillStyle = map.colours[Math.round(Math.min(1, Math.max(0, place)) * steps)];
			context.fillRect(left, top, right - left, bottom - top);
		});
	}
	canvas.dataset.drawn = "yes";
}

document.querySelectorAll("canvas[data-map]").forEach((canvas) =>
	draw(canvas, JSON.parse(document.getElementById(canvas.dataset.map).textContent)));

addEventListener("beforeprint", () => document.querySelectorAll("details:not([open])").forEach((d) => {
	d.open = true;
	d.dataset.closed = "yes";
}));
addEventListener("afterprint", () => document.querySelectorAll("details[data-closed]").forEach((d) => {
	d.open = false;
	delete d.dataset.closed;
}));

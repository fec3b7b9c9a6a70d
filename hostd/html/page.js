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

/* The pixels [first, end) whose middles lie in a stretch of an axis, given in percent; of a stretch between two middles, the nearest. */
function pixels([from, until], size) {
	const first = Math.round(from / 100 * size), end = Math.round(until / 100 * size);
	if (end > first)
		return [first, end];
	const nearest = Math.min(size - 1, Math.floor((from + until) / 200 * size));
	return [nearest, nearest + 1];
}

/*
 * Rows are stretches of time, from left to right; columns are stretches of memory, whose places are given from above. Cells can be
 * smaller than pixels: the hottest one is drawn last, so that a pixel has the heat of the hottest cell in it.
 */
function draw(canvas, map) {
	const context = canvas.getContext("2d");
	const low = Math.log(map.high) - map.decades * Math.LN10;
	const steps = map.colours.length - 1;
	const columns = map.columns.map((place) => pixels(place, canvas.height));
	const cells = [];
	for (const row of map.rows) {
		const [left, right] = pixels(row.place, canvas.width);
		numbers(row.cells).forEach((cell, i) => {
			if (cell * row.factor > 0)
				cells.push([cell * row.factor, left, right, ...columns[i]]);
		});
	}
	cells.sort((a, b) => a[0] - b[0]);
	for (const [heat, left, right, top, bottom] of cells) {
		const place = (Math.log(heat) - low) / (map.decades * Math.LN10);
		context.fillStyle = map.colours[Math.round(Math.min(1, Math.max(0, place)) * steps)];
		context.fillRect(left, top, right - left, bottom - top);
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

// The last ten minutes, drawn by uPlot: one card a figure, one cursor for all. Colours are the page's own.

import { bytes, count, latency, rate } from "./format.js";
import { element, setText } from "./dom.js";

const HEIGHT = 104;
// A card too narrow for axes has the line alone, and its figure above.
const [BARE_WIDTH, BARE_HEIGHT] = [220, 48];

// `series`: the history's field and what it is called; the first is the figure of the card.
const CARDS = [
  { name: "Changes", unit: "per second", format: rate, series: [["changes_per_s", "changes"]] },
  { name: "Sent to agents", unit: "per second", format: bytes, steps: 1024, series: [["sent_bytes_per_s", "bytes"]] },
  { name: "Event to socket", unit: "99 of 100", format: latency, series: [["p99_s", "p99"], ["p50_s", "median"]] },
  { name: "Connections", unit: "", format: count, series: [["subscribers", "connections"], ["lagging", "lagging"]] },
];

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Charts {
  constructor(place) {
    this.samples = [];
    this.fields = [];
    this.cards = CARDS.map((card) => {
      const value = element("span", { className: "value" }, "–");
      const legend = element("span", { className: "quiet" }, card.unit);
      const canvas = element("div", { className: "plot", role: "img" });
      const caption = element("figcaption", {}, element("span", { className: "name" }, card.name), value, legend);
      place.append(element("figure", { className: "panel card" }, caption, canvas));
      return { ...card, value, legend, canvas, plot: null };
    });
    this.make();
    new ResizeObserver(() => this.resize()).observe(place);
  }

  // Anew where the colours change: a canvas has no style sheet.
  make() {
    for (const card of this.cards) {
      card.plot?.destroy();
      card.plot = new uPlot(this.options(card), [[], ...card.series.map(() => [])], card.canvas);
    }
    this.draw();
  }

  options(card) {
    const [line, second, grid, text] = ["--accent", "--second", "--line", "--quiet"].map(color);
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const width = Math.max(80, card.canvas.clientWidth);
    card.isBare = width < BARE_WIDTH;
    const axis = { show: !card.isBare, stroke: text, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
    return {
      width,
      height: card.isBare ? BARE_HEIGHT : HEIGHT,
      padding: card.isBare ? [6, 0, 2, 0] : [6, 24, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: "typha" }, drag: { x: false, y: false }, points: { size: 6 } },
      hooks: { setCursor: [(plot) => this.point(card, plot.cursor.idx)] },
      scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.15 : 1] } },
      axes: [
        { ...axis, space: 70, size: 20, gap: 4, values: (_, ticks) => ticks.map(clock) },
        { ...axis, space: 28, size: 58, gap: 6, incrs: increments(card.steps ?? 1000), values: (_, ticks) => ticks.map((tick) => short(card.format(tick))) },
      ],
      series: [
        {},
        ...card.series.map((_, place) => ({
          stroke: place ? second : line,
          width: 1.5,
          fill: place ? undefined : `${line}1f`,
          points: { show: false },
          spanGaps: false,
        })),
      ],
    };
  }

  // The newest samples; ages become times of this browser's clock.
  add(page) {
    const now = Date.now() / 1000;
    this.fields = page.fields;
    const age = page.fields.indexOf("age_s");
    for (const row of page.samples) this.samples.push({ at: now - row[age], row });
    const oldest = now - page.kept_s;
    while (this.samples.length && this.samples[0].at < oldest) this.samples.shift();
    this.draw();
  }

  draw() {
    const times = this.samples.map((sample) => sample.at);
    for (const card of this.cards) {
      const columns = card.series.map(([field]) => this.column(field));
      card.plot.setData([times, ...columns]);
      if (card.plot.cursor.idx == null) this.point(card, null);
      card.canvas.setAttribute("aria-label", this.spoken(card, columns));
    }
  }

  column(field) {
    const place = this.fields.indexOf(field);
    return this.samples.map((sample) => sample.row[place] ?? null);
  }

  // The figure under the cursor, else the newest.
  point(card, index) {
    const at = index ?? this.samples.length - 1;
    const figures = card.series.map(([field]) => this.samples[at]?.row[this.fields.indexOf(field)]);
    setText(card.value, card.format(figures[0]));
    const [, other] = card.series;
    const beside = other ? `${other[1]} ${card.format(figures[1])}` : card.unit;
    setText(card.legend, index == null ? beside : `${beside}${beside ? ", " : ""}${clock(this.samples[at].at)}`);
  }

  spoken(card, columns) {
    const known = columns[0].filter((value) => value !== null);
    const highest = known.length ? card.format(Math.max(...known)) : "–";
    return `${card.name}: ${card.format(columns[0].at(-1))} now, at most ${highest} in the last ten minutes`;
  }

  resize() {
    const widths = this.cards.map((card) => Math.max(80, card.canvas.clientWidth));
    if (this.cards.some((card, place) => card.isBare !== widths[place] < BARE_WIDTH)) this.make();
    else this.cards.forEach((card, place) => card.plot.setSize({ width: widths[place], height: card.plot.height }));
  }
}

// Ticks at round numbers, for bytes in units of 1024.
function increments(base) {
  const steps = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];
  for (let unit = 1; unit < 1e13; unit *= base) steps.push(...[1, 2, 5, 10, 20, 50, 100, 200, 500].map((step) => step * unit));
  return steps;
}

const clock = (at) => new Date(at * 1000).toTimeString().slice(0, 8);
const short = (text) => text.replace(".0 ", " ");

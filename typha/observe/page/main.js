// The page's clock: asks for the picture every second and tells every section; stops while nobody looks.

import { Charts } from "./charts.js";
import { byId, setText } from "./dom.js";
import { seconds } from "./format.js";
import { Objects } from "./objects.js";
import { Sections } from "./sections.js";
import { ask } from "./server.js";
import { Subscribers } from "./subscribers.js";

// The server makes a picture a second; going through thousands of subscribers costs it more.
const PICTURE_MS = 1000;
const SUBSCRIBERS_EVERY = 2;

const objects = new Objects();
const sections = new Sections((topic) => objects.browse(topic));
const subscribers = new Subscribers();
const charts = new Charts(byId("charts"));

let after = 0;
let ticks = 0;
let answeredAt = performance.now();
let isPaused = false;
let bootedAt = null;

async function tick() {
  const [page, history] = await Promise.all([ask("/status?subscribers=none"), ask(`/history?after=${after}`)]);
  // Another process behind the same address: its numbers begin anew.
  const booted = Date.now() / 1000 - page.uptime_s;
  if (bootedAt !== null && booted - bootedAt > 3) after = 0;
  bootedAt = booted;
  const number = history.fields.indexOf("number");
  if (history.samples.length) after = history.samples.at(-1)[number];
  answeredAt = performance.now();
  charts.add(history);
  sections.update(page, history);
  objects.update(page.topics);
  verdict(page);
  if (ticks++ % SUBSCRIBERS_EVERY === 0) await Promise.all([subscribers.refresh(), objects.refresh()]);
}

function verdict(page) {
  const [text, tone] = page.server.draining ? ["draining", "warn"] : page.ready ? ["ready", "good"] : ["not ready", "bad"];
  setText(byId("state"), text);
  byId("state").dataset.tone = tone;
  document.title = tone === "good" ? "typha" : `typha: ${text}`;
}

async function run() {
  for (;;) {
    const began = performance.now();
    if (!isPaused && !document.hidden) {
      try {
        await tick();
        alarm("");
      } catch (error) {
        alarm(`${error.message}; what stands here is ${seconds((performance.now() - answeredAt) / 1000)} old`);
      }
    }
    setText(byId("clock"), isPaused ? "paused" : new Date().toTimeString().slice(0, 8));
    await new Promise((done) => setTimeout(done, Math.max(100, PICTURE_MS - (performance.now() - began))));
  }
}

function alarm(text) {
  byId("alarm").hidden = !text;
  document.body.classList.toggle("old", Boolean(text));
  setText(byId("alarm"), text);
}

byId("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  byId("pause").setAttribute("aria-pressed", String(isPaused));
  setText(byId("pause"), isPaused ? "Go on" : "Pause");
});

const theme = byId("theme");
theme.value = document.documentElement.dataset.theme;
theme.addEventListener("change", () => {
  document.documentElement.dataset.theme = theme.value;
  try {
    localStorage.setItem("typha-theme", theme.value);
  } catch {
    // Storage is forbidden: chosen for this visit alone.
  }
  charts.make();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.make());

run();

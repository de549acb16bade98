// Search for objects, and one object as an agent gets it.

import { byId, element, setFacts, setText } from "./dom.js";
import { bytes, count } from "./format.js";
import { ask } from "./server.js";
import { LiveTable } from "./table.js";

// Calico's agents live on these; shown first where they are served.
const FIRST = "workloadendpoints";
const TYPING_MS = 250;

export class Objects {
  constructor() {
    this.filters = {};
    this.known = "";
    this.asked = 0;
    this.live = null;
    this.shown = new Map();
    this.open = null;
    this.origin = null;
    const form = byId("search");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.search();
    });
    let typing = 0;
    form.addEventListener("input", (event) => {
      if (event.target === byId("search-topic")) this.offerFilters();
      clearTimeout(typing);
      typing = setTimeout(() => this.search(), TYPING_MS);
    });
    document.addEventListener("keydown", (event) => {
      const isTyping = event.target.matches?.("input, select, textarea");
      if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        byId("search-words").focus();
      }
    });
    byId("object-close").addEventListener("click", () => byId("object").close());
    byId("object-copy").addEventListener("click", () => this.copy());
    byId("object").addEventListener("close", () => {
      this.open = null;
      this.origin?.focus();
    });
  }

  // The topics that there are; the first time this begins with a search.
  update(topics) {
    this.filters = Object.fromEntries(topics.map((topic) => [topic.name, topic.filters ?? []]));
    const names = Object.keys(this.filters);
    if (this.known === names.join()) return;
    const isFirst = this.known === "";
    this.known = names.join();
    const select = byId("search-topic");
    const before = isFirst && names.includes(FIRST) ? FIRST : select.value;
    select.replaceChildren(
      element("option", { value: "" }, "all"), ...names.map((name) => element("option", { value: name }, name)),
    );
    select.value = names.includes(before) ? before : "";
    this.offerFilters();
    if (isFirst) this.search();
  }

  // A topic's objects, from the table of topics.
  browse(topic) {
    byId("search-topic").value = topic;
    byId("search-words").value = byId("search-value").value = "";
    byId("search-values").checked = false;
    this.offerFilters();
    this.search();
    byId("objects").scrollIntoView();
    byId("search-words").focus({ preventScroll: true });
  }

  offerFilters() {
    const select = byId("search-filter");
    const names = this.filters[byId("search-topic").value] ?? [];
    const before = select.value;
    select.replaceChildren(
      element("option", { value: "" }, "none"), ...names.map((name) => element("option", { value: name }, name)),
    );
    select.value = names.includes(before) ? before : "";
    select.disabled = byId("search-value").disabled = names.length === 0;
  }

  async search() {
    const query = new URLSearchParams();
    const put = (name, text) => text && query.set(name, text);
    put("topic", byId("search-topic").value);
    put("q", byId("search-words").value.trim());
    const [filter, value] = [byId("search-filter").value, byId("search-value").value.trim()];
    if (filter && value) query.set("where", `${filter}=${value}`);
    if (byId("search-values").checked) query.set("values", "1");
    await this.answer(query);
  }

  async answer(query) {
    const number = ++this.asked;
    const wasLive = this.live === query;
    this.live = null;
    let found;
    try {
      found = await ask(`/objects?${query}`);
    } catch (error) {
      if (number === this.asked) {
        this.failed(error.message);
        if (wasLive) this.live = query;
      }
      return;
    }
    if (number !== this.asked) return;
    this.found(found);
    // What fits the page whole stays up to date; of more, the newest would change under the reader's hand.
    const shown = found.tables.reduce((sum, table) => sum + table.keys.length, 0);
    if (shown === found.matches && !query.has("values")) this.live = query;
  }

  failed(message) {
    setText(byId("search-result"), message);
    byId("search-result").dataset.tone = "bad";
    this.shown.clear();
    byId("search-tables").replaceChildren();
  }

  found(page) {
    const shown = page.tables.reduce((sum, table) => sum + table.keys.length, 0);
    const parts = [page.matches === 1 ? "1 object" : `${count(page.matches)} objects`];
    if (shown < page.matches) parts.push(`the ${shown} that changed last are shown`);
    if (!page.is_complete) parts.push(`only ${count(page.looked_at)} of ${count(page.total)} were looked at: say more`);
    setText(byId("search-result"), parts.join("; "));
    byId("search-result").dataset.tone = page.is_complete ? "none" : "warn";
    const before = this.shown;
    this.shown = new Map();
    const places = page.tables.map((table, index) => {
      const name = [index, table.topic, ...table.columns].join(" ");
      const made = before.get(name) ?? this.table(table);
      this.shown.set(name, made);
      made.update(table);
      return made.place;
    });
    const list = byId("search-tables");
    const isSame = places.length === list.children.length && places.every((place, index) => place === list.children[index]);
    if (!isSame) list.replaceChildren(...places);
  }

  table(found) {
    const place = element("div");
    const rowsOf = (found) => found.keys.map((key, index) => ({
      key, topic: found.topic, cells: found.rows[index], rv: found.rvs[index], bytes: found.bytes[index],
    }));
    // The last of the names opens the object: kubectl's NAME, calicoctl's WORKLOAD.
    const opening = Math.max(["WORKLOAD", "NAME"].map((name) => found.columns.indexOf(name)).find((index) => index >= 0) ?? 0, 0);
    const columns = [
      ...found.columns.map((name, index) => ({
        name,
        cell: (row) => (index === opening ? { text: row.cells[index] || row.key, action: () => this.show(row.topic, row.key) } : row.cells[index]),
        sort: (row) => row.cells[index],
      })),
      { name: "RV", number: true, wide: true, title: "resourceVersion of its last change", cell: (row) => ({ text: row.rv, mono: true }), sort: (row) => row.rv },
      { name: "Bytes", number: true, wide: true, cell: (row) => bytes(row.bytes), sort: (row) => row.bytes },
    ];
    const table = new LiveTable(place, `Objects of ${found.topic}`, columns, { key: (row) => row.key, empty: "" });
    const title = element("h3", {}, found.topic, " ", element("span", { className: "quiet" }, found.hidden ?? ""));
    return { place: element("div", { className: "found" }, title, place), update: (page) => table.update(rowsOf(page)) };
  }

  // One object, kept up to date until it is closed.
  async show(topic, key) {
    this.origin = document.activeElement;
    this.open = { topic, key };
    setText(byId("object-title"), key);
    setText(byId("object-value"), "");
    byId("object").showModal();
    await this.refresh();
  }

  async refresh() {
    if (this.live && !this.open) await this.answer(this.live);
    const wanted = this.open;
    if (!wanted) return;
    let found;
    try {
      found = await ask(`/object?${new URLSearchParams(wanted)}`);
    } catch (error) {
      if (this.open === wanted) setFacts(byId("object-facts"), [["Topic", wanted.topic], ["", error.message, "bad"]]);
      return;
    }
    if (this.open !== wanted) return;
    setFacts(byId("object-facts"), [
      ["Topic", found.topic],
      ["Changed at", String(found.rv)],
      ["Size", bytes(found.bytes)],
      ...Object.entries(found.attributes).map(([name, text]) => [`Filter ${name}`, text]),
    ]);
    setText(byId("object-value"), found.hidden ?? found.value);
  }

  async copy() {
    const button = byId("object-copy");
    try {
      await navigator.clipboard.writeText(byId("object-value").textContent);
      setText(button, "Copied");
    } catch {
      setText(button, "Not allowed");
    }
    setTimeout(() => setText(button, "Copy"), 1500);
  }
}

// A table that lives: rows are told apart by a key and changed in place, so that focus, selection and the place of a
// screen reader survive every update. Columns can be sorted by their headings.

import { element, setText } from "./dom.js";

// Numbers by size, everything else as text with its numbers by size.
const collator = new Intl.Collator("en", { numeric: true });
const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : collator.compare(a ?? "", b ?? ""));

// `columns`: {name, number?, wide?, title?, cell(row), sort?(row)}. `cell` gives a text, or {text, tone?, title?, mono?,
// action?()}. `sort` gives what to order by; a column without it cannot be sorted. `wide`: left out where it is narrow.
export class LiveTable {
  constructor(place, label, columns, { key, empty }) {
    this.columns = columns;
    this.key = key;
    this.rows = [];
    this.order = null;
    this.lines = new Map();
    this.body = element("tbody");
    this.headings = columns.map((column) => this.heading(column));
    const table = element(
      "table", { "aria-label": label }, element("thead", {}, element("tr", {}, ...this.headings)), this.body,
    );
    this.empty = element("p", { className: "quiet empty", hidden: true }, empty);
    // Reachable by keyboard, so that it can be scrolled by it too.
    this.frame = element("div", { className: "scroll", tabIndex: 0, role: "group", "aria-label": label }, table);
    place.replaceChildren(this.frame, this.empty);
  }

  heading(column) {
    const cell = element("th", { scope: "col", className: classes(column), title: column.title || "" });
    if (!column.sort) {
      cell.append(column.name);
      return cell;
    }
    const button = element("button", { type: "button", className: "sort" }, column.name);
    button.addEventListener("click", () => this.sortBy(column));
    cell.append(button);
    return cell;
  }

  // Down where numbers are, up where names are; then the other way; then as it came.
  sortBy(column) {
    const first = column.number ? -1 : 1;
    if (this.order?.column !== column) this.order = { column, sign: first };
    else this.order = this.order.sign === first ? { column, sign: -first } : null;
    this.columns.forEach((each, place) => {
      const cell = this.headings[place];
      if (each === this.order?.column) cell.setAttribute("aria-sort", this.order.sign > 0 ? "ascending" : "descending");
      else cell.removeAttribute("aria-sort");
    });
    this.update(this.rows);
  }

  update(rows) {
    this.rows = rows;
    let shown = rows;
    if (this.order) {
      const { column, sign } = this.order;
      shown = [...rows].sort((a, b) => sign * compare(column.sort(a), column.sort(b)));
    }
    const kept = new Set();
    shown.forEach((row, place) => {
      const key = this.key(row);
      kept.add(key);
      let line = this.lines.get(key);
      if (!line) {
        line = element("tr", {}, ...this.columns.map((column) => element("td", { className: classes(column) })));
        this.lines.set(key, line);
      }
      this.columns.forEach((column, index) => fill(line.children[index], column.cell(row)));
      if (this.body.children[place] !== line) this.body.insertBefore(line, this.body.children[place] ?? null);
    });
    for (const [key, line] of this.lines) {
      if (!kept.has(key)) {
        line.remove();
        this.lines.delete(key);
      }
    }
    this.empty.hidden = rows.length > 0;
    this.frame.hidden = rows.length === 0;
  }
}

function classes(column) {
  return [column.number ? "number" : "", column.wide ? "wide" : "", column.grow ? "grow" : ""].join(" ").trim();
}

function fill(cell, content) {
  const { text, tone = "", title = "", mono = false, action = null } =
    content !== null && typeof content === "object" ? content : { text: content ?? "" };
  if (action) {
    if (cell.firstChild?.nodeName !== "BUTTON") cell.replaceChildren(element("button", { type: "button", className: "link" }));
    setText(cell.firstChild, String(text));
    cell.firstChild.onclick = action;
  } else {
    setText(cell, String(text));
  }
  if (cell.dataset.tone !== tone) cell.dataset.tone = tone;
  if (cell.title !== title) cell.title = title;
  cell.classList.toggle("mono", mono);
}

// The subscribers that matter most in the chosen order, with their lag and their bytes.

import { byId, setText } from "./dom.js";
import { bytes, count, seconds } from "./format.js";
import { ask } from "./server.js";
import { LiveTable } from "./table.js";

const lag = (one) => Math.max(0, ...one.subscriptions.map((each) => each.lag));

// A server's own words about what an agent asked for: topic{node=n1}.
function wanted(each) {
  const where = Object.entries(each.where).map(([name, value]) => `${name}=${value}`).join(",");
  return where ? `${each.topic}{${where}}` : each.topic;
}

export class Subscribers {
  constructor() {
    this.sent = new Map();
    this.table = new LiveTable(byId("subscribers-table"), "Subscribers", this.columns(), {
      key: (one) => one.session,
      empty: "No agent is connected, or none has such a name.",
    });
    byId("subscribers-form").addEventListener("submit", (event) => event.preventDefault());
    byId("subscribers-form").addEventListener("input", () => this.refresh());
  }

  columns() {
    return [
      { name: "Node", cell: (one) => one.node || "–", sort: (one) => one.node },
      { name: "Agent", wide: true, cell: (one) => one.agent, sort: (one) => one.agent },
      {
        name: "State",
        cell: (one) => (one.caught_up ? { text: "caught up", tone: "good" } : { text: "catching up", tone: "warn" }),
        sort: (one) => (one.caught_up ? 1 : 0),
      },
      { name: "Lag", number: true, title: "How far it is behind, in resourceVersions", cell: (one) => count(lag(one)), sort: lag },
      { name: "Sent", number: true, cell: (one) => bytes(one.bytes_sent), sort: (one) => one.bytes_sent },
      { name: "Sent/s", number: true, wide: true, cell: (one) => (one.rate === null ? "–" : bytes(one.rate)), sort: (one) => one.rate ?? -1 },
      { name: "Connected", number: true, cell: (one) => seconds(one.connected_s), sort: (one) => one.connected_s },
      { name: "Address", wide: true, cell: (one) => ({ text: one.address, mono: true }), sort: (one) => one.address },
      {
        name: "Topics", wide: true, grow: true,
        cell: (one) => {
          const all = one.subscriptions.map(wanted);
          return { text: all.length > 2 ? `${all.slice(0, 2).join(", ")} and ${all.length - 2} more` : all.join(", "), title: all.join("\n") };
        },
      },
    ];
  }

  async refresh() {
    const query = new URLSearchParams({ sort: byId("subscribers-sort").value, q: byId("subscribers-words").value.trim() });
    const page = await ask(`/subscribers?${query}`).catch((error) => ({ error: error.message }));
    if (page.error) {
      setText(byId("subscribers-count"), page.error);
      return;
    }
    const shown = page.subscribers.length;
    const parts = [shown < page.matches ? `${shown} of ${count(page.matches)}` : count(page.matches)];
    if (page.matches < page.total) parts.push(`${count(page.total)} in all`);
    setText(byId("subscribers-count"), parts.join(", "));
    this.table.update(page.subscribers.map((one) => ({ ...one, rate: this.rate(one) })));
    this.forget(page.subscribers);
  }

  // From two answers, one after the other.
  rate(one) {
    const [now, before] = [performance.now() / 1000, this.sent.get(one.session)];
    this.sent.set(one.session, { at: now, bytes: one.bytes_sent });
    return before && now > before.at ? (one.bytes_sent - before.bytes) / (now - before.at) : null;
  }

  forget(shown) {
    const kept = new Set(shown.map((one) => one.session));
    for (const session of this.sent.keys()) if (!kept.has(session)) this.sent.delete(session);
  }
}

// What the published picture says, section by section.

import { byId, element, setFacts, setText } from "./dom.js";
import { bytes, count, latency, plural, rate, seconds } from "./format.js";
import { LiveTable } from "./table.js";

const TONES = { in_sync: "good", absent: "none", syncing: "warn", waiting: "warn", stale: "bad" };
const RANKS = ["bad", "warn", "good", "none"];
const tone = (topic) => TONES[topic.state] ?? "warn";
const said = (state) => state.replaceAll("_", " ");

export class Sections {
  // `browse(topic)` shows its objects.
  constructor(browse) {
    this.browse = browse;
    this.rates = {};
    this.loopLag = null;
    this.states = null;
    this.topics = new LiveTable(byId("topics-table"), "Topics", this.topicColumns(), {
      key: (topic) => topic.name,
      empty: "No topics are served.",
    });
    this.watches = new LiveTable(byId("watches-table"), "Watches on the API server", WATCH_COLUMNS, {
      key: (watch) => watch.resource,
      empty: "No watch was opened.",
    });
    this.replicas = new LiveTable(byId("replicas-table"), "Replicas", REPLICA_COLUMNS, {
      key: (replica) => replica.address,
      empty: "No other replica is known.",
    });
    this.certificates = new LiveTable(byId("certificates-table"), "Certificates", CERTIFICATE_COLUMNS, {
      key: (one) => one.name,
      empty: "No certificate is used.",
    });
  }

  topicColumns() {
    const changes = (topic) => (this.rates[topic.name] ?? [0, 0]).reduce((sum, each) => sum + each, 0);
    return [
      { name: "Topic", cell: (topic) => ({ text: topic.name, action: () => this.browse(topic.name) }), sort: (topic) => topic.name },
      {
        name: "State",
        cell: (topic) => ({ text: said(topic.state), tone: tone(topic), title: topic.message }),
        sort: (topic) => RANKS.indexOf(tone(topic)),
      },
      {
        name: "Age", number: true, title: "Since the API server was last heard of the topic",
        cell: (topic) => seconds(topic.age_s), sort: (topic) => topic.age_s ?? Infinity,
      },
      { name: "Entries", number: true, cell: (topic) => count(topic.entries), sort: (topic) => topic.entries },
      { name: "Bytes", number: true, wide: true, cell: (topic) => bytes(topic.value_bytes), sort: (topic) => topic.value_bytes },
      {
        name: "Changes/s", number: true, title: "Puts and deletes per second, over ten seconds",
        cell: (topic) => rate(changes(topic)), sort: changes,
      },
      { name: "Subscribers", number: true, wide: true, cell: (topic) => count(topic.subscribers), sort: (topic) => topic.subscribers },
      {
        name: "Quarantined", number: true, wide: true,
        cell: (topic) => ({ text: count(topic.quarantined_count), tone: topic.quarantined_count ? "warn" : "" }),
        sort: (topic) => topic.quarantined_count,
      },
      {
        name: "Head", number: true, title: "Complete up to this resourceVersion",
        wide: true, cell: (topic) => ({ text: topic.head, mono: true }), sort: (topic) => topic.head,
      },
    ];
  }

  update(page, history) {
    this.rates = history.topics;
    this.overview(page, history);
    const topics = page.topics.map((topic) => ({ ...topic, age_s: topic.age_s === null ? null : topic.age_s + page.age_s }));
    this.topics.update(topics.sort((a, b) => RANKS.indexOf(tone(a)) - RANKS.indexOf(tone(b))));
    const synced = topics.filter((topic) => tone(topic) === "good").length;
    setText(byId("topics-count"), `${synced} of ${topics.length} in sync`);
    this.quarantined(topics);
    this.recoveries(history.recoveries);
    this.watches.update(page.upstream.reflectors);
    setText(byId("watches-count"), page.upstream.address);
    this.neighbours(page.server);
    this.identity(page.identity);
    this.announce(topics);
  }

  overview(page, history) {
    const { server, topics } = page;
    const sum = (name) => topics.reduce((total, topic) => total + topic[name], 0);
    const quarantined = sum("quarantined_count");
    const latest = history.samples.at(-1);
    this.loopLag = latest ? latest[history.fields.indexOf("loop_lag_p99_s")] : this.loopLag;
    const bad = topics.filter((topic) => ["bad", "warn"].includes(tone(topic))).length;
    setFacts(byId("facts"), [
      ["Topics", bad ? `${bad} of ${topics.length} not in sync` : `all ${topics.length} served`, bad ? "bad" : "good"],
      ["Entries", count(sum("entries"))],
      ["Held", bytes(sum("value_bytes"))],
      ["Connections", `${count(server.connections)} of ${count(server.max_connections)}`],
      ["Catching up", count(server.lagging), server.lagging ? "warn" : "none"],
      ...(server.joins_paused ? [["Joins paused", server.joins_paused, "bad"]] : []),
      ["Joining", server.waiting_joiners ? `${server.joiners}, ${server.waiting_joiners} waiting` : count(server.joiners)],
      ["Loop lag, p99", latency(this.loopLag)],
      ["Quarantined", count(quarantined), quarantined ? "warn" : "none"],
      ["Up", seconds(page.uptime_s)],
    ]);
    setText(byId("version"), page.build.version);
    const wire = server.tls ? "TLS" : "plain TCP";
    setText(
      byId("about"),
      `typha ${page.build.version}, Python ${page.build.python}, ${page.build.loop}. Agents: ${server.address} (${wire}). ` +
        `Cluster: ${page.upstream.cluster ?? "not known yet"}.`,
    );
  }

  quarantined(topics) {
    const all = topics.flatMap((topic) => topic.quarantined.map(([name, rv, reason]) => ({ topic: topic.name, name, rv, reason })));
    const total = topics.reduce((sum, topic) => sum + topic.quarantined_count, 0);
    setText(byId("quarantined-count"), total > all.length ? `${all.length} of ${count(total)}` : total ? count(total) : "");
    list(byId("quarantined-list"), all, "None: every object could be converted.", (one) => ({
      key: `${one.topic} ${one.name}`,
      tone: "warn",
      head: one.name,
      side: one.topic,
      text: one.reason,
    }));
  }

  recoveries(events) {
    list(byId("recoveries-list"), events, "Nothing since the server started.", (event) => ({
      key: `${event.kind} ${event.what.join()} ${event.text}`,
      tone: { bad: "bad", good: "good", note: "none" }[event.kind],
      head: event.what.length > 3 ? `${event.what.slice(0, 2).join(", ")} and ${event.what.length - 2} more` : event.what.join(", "),
      title: event.what.join(", "),
      side: `${seconds(event.age_s)} ago`,
      text: event.text,
    }));
  }

  // This server and the others that it knows of, with what each holds of all.
  neighbours(server) {
    const own = { address: server.address, state: server.draining ? "going" : "ready", subscribers: server.connections, message: "" };
    const others = server.peers.map(([address, state, subscribers, message]) => ({ address, state, subscribers, message }));
    const all = [{ ...own, name: `${own.address} (this one)` }, ...others.map((one) => ({ ...one, name: one.address }))];
    const total = all.reduce((sum, one) => sum + one.subscribers, 0);
    for (const one of all) one.share = total ? one.subscribers / total : 0;
    this.optional("replicas", this.replicas, others.length ? all : null);
    setText(byId("replicas-count"), server.share === null ? "" : `this one keeps at most ${count(server.share)}`);
  }

  // The files of TLS, and when the first certificate in each ends; a server in plain text has none.
  identity(identity) {
    const now = Date.now() / 1000;
    const ends = Object.entries(identity?.expires_at ?? {});
    const state = identity?.reload_pending ? "the files on disk cannot be used" : "in force";
    const rows = ends.map(([name, at]) => ({ name: said(name), expires_s: at - now, at, state }));
    this.optional("certificates", this.certificates, rows.length ? rows : null);
  }

  // Sections that only some servers have.
  optional(name, table, rows) {
    byId(name).hidden = !rows;
    if (rows) table.update(rows);
  }

  // For screen readers: states that changed, and nothing else.
  announce(topics) {
    const states = new Map(topics.map((topic) => [topic.name, topic.state]));
    if (this.states) {
      const changed = topics.filter((topic) => this.states.has(topic.name) && this.states.get(topic.name) !== topic.state);
      if (changed.length > 3) setText(byId("news"), `${plural(changed.length, "topic", "topics")} changed state`);
      else if (changed.length) setText(byId("news"), changed.map((topic) => `${topic.name} is ${said(topic.state)}`).join(", "));
    }
    this.states = states;
  }
}

// Items of a list, changed in place; `describe` gives {key, tone, head, side, text, title?}.
function list(place, items, empty, describe) {
  const wanted = items.length ? items.map(describe) : [{ key: "", tone: "none", head: "", side: "", text: empty }];
  while (place.children.length > wanted.length) place.lastChild.remove();
  wanted.forEach((one, index) => {
    let line = place.children[index];
    if (!line) {
      line = element(
        "li", {},
        element("span", { className: "head" }), element("span", { className: "side quiet" }), element("span", { className: "text" }),
      );
      place.append(line);
    }
    line.dataset.tone = one.tone;
    line.title = one.title ?? "";
    [one.head, one.side, one.text].forEach((text, part) => setText(line.children[part], text));
  });
}

const WATCH_COLUMNS = [
  { name: "Resource", cell: (watch) => watch.resource, sort: (watch) => watch.resource },
  {
    name: "State",
    cell: (watch) => ({ text: said(watch.state), tone: watch.last_error_s === null ? (watch.state === "watch" ? "good" : "none") : "bad" }),
    sort: (watch) => watch.state,
  },
  { name: "Contact", number: true, cell: (watch) => seconds(watch.contact_s), sort: (watch) => watch.contact_s ?? Infinity },
  { name: "Events", number: true, cell: (watch) => count(watch.events_total), sort: (watch) => watch.events_total },
  { name: "Lists", number: true, wide: true, cell: (watch) => count(watch.lists_total), sort: (watch) => watch.lists_total },
  { name: "Watches", number: true, wide: true, cell: (watch) => count(watch.watches_total), sort: (watch) => watch.watches_total },
  {
    name: "Last error", grow: true,
    cell: (watch) => ({ text: watch.last_error, title: watch.last_error }),
  },
];

const REPLICA_COLUMNS = [
  { name: "Replica", cell: (replica) => replica.name, sort: (replica) => replica.address },
  {
    name: "State",
    cell: (replica) => ({ text: said(replica.state), tone: { ready: "good", going: "warn" }[replica.state] ?? "bad", title: replica.message }),
    sort: (replica) => replica.state,
  },
  { name: "Agents", number: true, cell: (replica) => count(replica.subscribers), sort: (replica) => replica.subscribers },
  { name: "Share", number: true, cell: (replica) => `${(replica.share * 100).toFixed(0)} %`, sort: (replica) => replica.share },
];

const SOON_S = 14 * 86400;
const ending = (one) => (one.expires_s <= 0 ? `${seconds(-one.expires_s)} ago` : `in ${seconds(one.expires_s)}`);

const CERTIFICATE_COLUMNS = [
  { name: "File", cell: (one) => one.name, sort: (one) => one.name },
  { name: "State", cell: (one) => ({ text: one.state, tone: one.state === "in force" ? "good" : "bad" }), sort: (one) => one.state },
  {
    name: "Ends", number: true,
    cell: (one) => ({ text: ending(one), tone: one.expires_s < SOON_S ? "bad" : "", title: new Date(one.at * 1000).toISOString() }),
    sort: (one) => one.expires_s,
  },
];

// A complete client of typha's wire protocol (docs/protocol.md): keeps copies of topics and prints each change.
//   node client.mjs 127.0.0.1:5473 pods services        (several servers: with commas, no space)
// Not here, because a client may leave it out: zstd, filters, tokens, TLS, make-before-break, digests of its own.
import { realpathSync } from "node:fs";
import net from "node:net";
import { fileURLToPath } from "node:url";
import { decode, encode } from "@msgpack/msgpack";

const HELLO = 1, WELCOME = 2, REFUSED = 3, ENTRIES = 4, KEY_INDEX = 5, BOOKMARK = 6, STATUS = 7, PING = 8, PONG = 9;
const GO_AWAY = 10, CLOSE = 11, KEY_DIGEST = 13, KEY_REQUEST = 14, GAP = 15, RESET = 16;
const LIMIT = 16 * 1024 * 1024, HANDSHAKE_MS = 20_000; // the server may wait 10 s with its Welcome
const FINAL = ["protocol_version", "unauthenticated", "forbidden", "unknown_topic", "bad_hello"]; // no retry helps

const json = (value) => JSON.stringify(value, (_, v) => (typeof v === "bigint" ? Number(v) : v));
const print = (line) => process.stdout.write(json(line) + "\n");

export function pack(type, payload) {
  const body = encode(payload, { useBigInt64: true });
  const frame = Buffer.alloc(5 + body.length, body);
  frame.writeUInt32BE(body.length + 1, 0);
  frame[4] = type;
  frame.set(body, 5);
  return frame;
}

export function* unpack(state) { // state.buffer: bytes received; whole frames are taken out of it
  while (state.buffer.length >= 4) {
    const length = state.buffer.readUInt32BE(0);
    if (length === 0 || length > LIMIT) throw new Error(`a frame of ${length} bytes`);
    if (state.buffer.length < 4 + length) return;
    const [type, payload] = [state.buffer[4], state.buffer.subarray(5, 4 + length)];
    state.buffer = state.buffer.subarray(4 + length);
    if ((type & 0x7f) >= 64) continue; // of a later version
    if (type & 0x80) throw new Error(`frame type ${type & 0x7f} is compressed, which was not offered`);
    const max = payload.length; // five bytes can claim 4 GiB
    const limits = { maxStrLength: max, maxBinLength: max, maxArrayLength: max, maxMapLength: max, maxExtLength: 0 };
    yield [type, decode(payload, { useBigInt64: true, ...limits })];
  }
}

class Topic { // what is held, at `cursor`; and what is staged on this connection
  held = new Map(); // key -> {rv, value, text}
  cluster = null; format = ""; cursor = null; seen = 0n;
  constructor(name) { this.name = name; }

  begin(mode, cluster, format) { // Welcome or Reset
    this.staged = new Map(); // key -> {rv, value}; value undefined is a delete
    this.replaces = mode === "snapshot";
    this.phase = mode === "resume" ? "live" : mode;
    this.next = { cluster, format };
    if (this.replaces) this.cursor = null;
  }

  stage(key, rv, value) { // within one rv deletes come first
    const known = this.staged.get(key);
    if (!known || rv > known.rv || (rv === known.rv && value !== undefined)) this.staged.set(key, { rv, value });
  }

  index(at, keys) { // a reconcile's answer: what it lacks and we hold at rv <= at is gone
    for (const [key, held] of [...(this.replaces ? [] : this.held), ...this.staged]) {
      const { rv, value } = this.staged.get(key) ?? held;
      if (value !== undefined && rv <= at && !keys.has(key)) this.staged.set(key, { rv: at, value: undefined });
    }
  }

  commit(cursor) { // what is staged becomes what is held, as one diff in rv order
    if (this.replaces) {
      if (this.cluster !== this.next.cluster) this.seen = 0n;
      [this.cluster, this.format] = [this.next.cluster, this.next.format];
      const gone = { rv: cursor, value: undefined };
      for (const key of this.held.keys()) if (!this.staged.has(key)) this.staged.set(key, gone);
    }
    const changes = [], topic = this.name;
    for (const [key, { rv, value }] of this.staged) {
      const held = this.held.get(key);
      if (value === undefined) {
        if (!held || (held.rv > rv && !this.replaces)) continue;
        this.held.delete(key);
        changes.push({ op: "delete", topic, key, rv });
      } else {
        if (held && held.rv >= rv && !this.replaces) continue;
        const text = json(value);
        this.held.set(key, { rv, value, text });
        if (held?.text !== text) changes.push({ op: "put", topic, key, rv, value });
      }
      if (rv > this.seen) this.seen = rv;
    }
    changes.sort((a, b) => (a.rv < b.rv ? -1 : a.rv > b.rv ? 1 : a.op < b.op ? -1 : 1)).forEach(print);
    this.cursor = this.replaces || cursor > this.cursor ? cursor : this.cursor;
    [this.staged, this.replaces, this.phase] = [new Map(), false, "live"];
  }
}

class Connection { // one conversation; `topics` outlive it
  state = { buffer: Buffer.alloc(0) };
  ids = new Map();

  constructor(address, topics, ended) {
    const at = address.lastIndexOf(":");
    this.topics = topics;
    const [host, port] = [address.slice(0, at).replace(/[[\]]/g, ""), Number(address.slice(at + 1))];
    this.socket = net.connect({ host, port, timeout: HANDSHAKE_MS });
    this.socket.on("connect", () => this.hello()).on("data", (data) => this.receive(data)).on("close", () => ended(this))
      .on("timeout", () => this.close("ping_timeout", "nothing received for too long"))
      .on("error", (error) => process.stderr.write(`${address}: ${error.message}\n`));
  }

  hello() {
    const held = [...this.topics.values()].filter((t) => t.cluster !== null), cluster = held.at(-1)?.cluster;
    const resumed = held.filter((t) => t.cluster === cluster).map((t) => [t.name, [t.cursor, t.seen, t.format, {}]]);
    this.socket.write(pack(HELLO, {
      protocol: [1, 1], node: process.env.NODENAME ?? "minimal", agent: "typha-minimal/0.1.0",
      subscribe: { topics: [...this.topics.keys()] }, ...(cluster && { resume: { cluster, topics: Object.fromEntries(resumed) } }),
    }));
  }

  close(code, message) { this.socket.end(pack(CLOSE, { code, message })).destroySoon(); this.state = null; }

  receive(data) {
    if (!this.state) return;
    this.state.buffer = Buffer.concat([this.state.buffer, data]);
    try {
      for (const [type, payload] of unpack(this.state)) { this.handle(type, payload); if (!this.state) return; }
    } catch (error) { this.close("protocol_error", error.message); process.stderr.write(`${error.stack}\n`); }
  }

  topic(id) { return this.ids.get(Number(id)) ?? (() => { throw new Error(`topic id ${id} is not in Welcome`); })(); }

  handle(type, p) {
    switch (type) {
      case WELCOME:
        this.welcomed = true;
        this.socket.setTimeout(3000 * p.ping_interval_s); // silence of three intervals ends it
        for (const { name, id, mode, format } of p.topics) {
          this.ids.set(id, this.topics.get(name));
          this.topic(id).begin(mode, p.cluster, format);
          print({ op: "welcome", topic: name, mode });
        }
        return;
      case REFUSED: this.refused = p; print({ op: "refused", code: p.code, message: p.message }); return;
      case ENTRIES: {
        const [id, through, puts, deletes] = p, topic = this.topic(id);
        for (const [key, rv] of deletes) topic.stage(key, BigInt(rv), undefined);
        for (const [key, rv, value] of puts) topic.stage(key, BigInt(rv), value);
        if (through !== null && topic.phase === "live") topic.commit(BigInt(through));
        return;
      }
      case KEY_DIGEST: // this client makes no digests: it asks for all keys
        Object.assign(this.topic(p[0]), { phase: "reconcile", digestAt: BigInt(p[1]), keys: new Set() });
        this.socket.write(pack(KEY_REQUEST, [p[0], p[1], null]));
        return;
      case KEY_INDEX: {
        const [id, at, part, parts, , keys] = p, topic = this.topic(id);
        if (BigInt(at) < topic.digestAt) return; // answers an older digest
        keys.forEach((key) => topic.keys.add(key));
        if (part === parts - 1) { topic.index(BigInt(at), topic.keys); topic.phase = "reconciled"; }
        return;
      }
      case BOOKMARK:
        for (const [id, cursor, age_ms] of p) {
          if (this.topic(id).phase === "reconcile") continue; // not before the keys were compared
          this.topic(id).commit(BigInt(cursor));
          print({ op: "bookmark", topic: this.topic(id).name, rv: cursor, age_ms });
        }
        return;
      case STATUS:
        for (const [id, state, since_ms, message] of p)
          print({ op: "status", topic: this.topic(id).name, state, since_ms, message });
        return;
      case RESET: this.topic(p[0]).begin("snapshot", p[1], p[2]); print({ op: "reset", topic: this.topic(p[0]).name }); return;
      case PING: {
        const applied = [...this.ids].filter(([, t]) => t.cursor !== null).map(([id, t]) => [id, t.cursor]);
        this.socket.write(pack(PONG, { t: p.t, applied })); // what was printed is done
        return;
      }
      case GO_AWAY: print({ op: "go_away", reason: p.reason }); this.close("moved", ""); return;
      case CLOSE: this.socket.end(); return;
      case PONG: case GAP: return;
      default: throw new Error(`frame type ${type} has no place here`);
    }
  }
}

function run(servers, names) {
  const topics = new Map(names.map((name) => [name, new Topic(name)]));
  let failures = 0, turn = 0;
  const connect = () => new Connection(servers[turn++ % servers.length], topics, ({ welcomed, refused }) => {
    if (refused && FINAL.includes(refused.code)) process.exit(1);
    failures = welcomed ? 0 : failures + 1;
    const limit = Math.min(30_000, 250 * 2 ** failures); // full jitter: a thousand clients must not come back at once
    setTimeout(connect, (refused?.retry_after_s ?? 0) * 1000 + Math.random() * limit);
  });
  connect();
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [servers, ...names] = process.argv.slice(2);
  if (!names.length) { process.stderr.write("usage: node client.mjs HOST:PORT[,HOST:PORT] TOPIC...\n"); process.exit(2); }
  run(servers.split(","), names);
}

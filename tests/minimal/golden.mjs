// Decodes the golden vectors with the client's own frames and Node's msgpack, and encodes them again:
//   node golden.mjs golden.json  ->  one line per vector {"name", "type", "payload", "frame"}
// Whole numbers become decimal strings (JSON has no 64 bits), binary becomes hex.
import { readFileSync } from "node:fs";
import { pack, unpack } from "./client.mjs";

const plain = (value) => {
  if (typeof value === "bigint" || Number.isInteger(value)) return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(plain);
  if (value !== null && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
  return value;
};

for (const { name, frame } of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  const state = { buffer: Buffer.from(frame, "hex") };
  let line;
  try {
    const [decoded] = unpack(state);
    line = decoded ? { type: decoded[0], payload: plain(decoded[1]), frame: pack(...decoded).toString("hex") } : {};
  } catch (error) {
    line = { error: error.message };
  }
  process.stdout.write(JSON.stringify({ name, ...line, left: state.buffer.length }) + "\n");
}

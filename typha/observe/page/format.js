// Numbers as people read them; the same words as `typha status` uses.

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

// 1234567 -> 1,234,567
export const count = (value) => (value == null ? "–" : grouped.format(value));

// Per second: three digits that mean something.
export function rate(value) {
  if (value == null) return "–";
  if (value === 0) return "0";
  if (value < 0.05) return "<0.1";
  return value < 10 ? value.toFixed(1) : grouped.format(value);
}

// Bytes in the largest unit that leaves a number below 1024.
export function bytes(value) {
  if (value == null) return "–";
  let left = value;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (left < 1024) return unit === "B" ? `${left.toFixed(0)} B` : `${left.toFixed(1)} ${unit}`;
    left /= 1024;
  }
  return `${left.toFixed(1)} TiB`;
}

// A duration in two units at most: 850ms, 12s, 3m20s, 5h7m, 12d3h.
export function seconds(value) {
  if (value == null) return "–";
  if (value < 1) return `${(value * 1000).toFixed(0)}ms`;
  const whole = Math.floor(value);
  for (const [unit, size, below, belowSize] of [["d", 86400, "h", 3600], ["h", 3600, "m", 60], ["m", 60, "s", 1]]) {
    if (whole >= size) {
      const rest = Math.floor((whole % size) / belowSize);
      return `${Math.floor(whole / size)}${unit}${rest ? `${rest}${below}` : ""}`;
    }
  }
  return `${whole}s`;
}

// A latency in seconds, as milliseconds while that is readable.
export function latency(value) {
  if (value == null) return "–";
  if (value < 0.01) return `${(value * 1000).toFixed(1)} ms`;
  return value < 1 ? `${(value * 1000).toFixed(0)} ms` : `${value.toFixed(1)} s`;
}

export const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;

// Figures as the command line prints them: three digits and a unit.

const PREFIXES = ["", "k", "m", "g", "t"];

function scaled(value, base, unit) {
  let step = 0;
  let shown = value;
  while (step + 1 < PREFIXES.length && shown >= base) {
    shown /= base;
    step += 1;
  }
  const digits = step === 0 ? 0 : shown < 10 ? 2 : shown < 100 ? 1 : 0;
  return shown.toFixed(digits) + PREFIXES[step] + unit;
}

/** A rate, as in 9.87mbit. */
export const bitsPerSecond = (value) => scaled(value, 1000, "bit");

/** A size, as in 1.21gb. */
export const bytes = (value) => scaled(value, 1024, "b");

/** Packets in each second, as in 1.20kpps. */
export const packetsPerSecond = (value) => scaled(value, 1000, "pps");

/** A number of things, its digits in groups. */
export const count = (value) => value.toLocaleString("en-US");

/** A time since some event, as in 0.2s, 3m12s or 2d4h. */
export function seconds(value) {
  const whole = Math.floor(Math.max(value, 0));
  if (whole < 60) return `${Math.max(value, 0).toFixed(1)}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${whole % 60}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h${Math.floor(whole / 60) % 60}m`;
  return `${Math.floor(whole / 86400)}d${Math.floor(whole / 3600) % 24}h`;
}

/** A time to wait, as in 1.250ms. */
export function nanoseconds(value) {
  if (value === 0) return "0";
  const units = [[1e9, "s"], [1e6, "ms"], [1e3, "us"], [1, "ns"]];
  const [size, unit] = units.find(([size]) => value >= size);
  return (value / size).toFixed(3) + unit;
}

/** What a RatesView allows, in words; null when it is empty. */
export function allowed(rates) {
  const parts = [];
  if (rates.bits_per_second != null) parts.push(bitsPerSecond(rates.bits_per_second));
  if (rates.packets_per_second != null) parts.push(packetsPerSecond(rates.packets_per_second));
  return parts.length ? parts.join(", ") : null;
}

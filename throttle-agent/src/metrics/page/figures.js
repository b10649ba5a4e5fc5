// Figures that are made of several: growth, share of what is allowed, excess.

import * as units from "./units.js";

/** From this share on, a rate is as high as it gets. */
const FULL = 0.95;

/** Turns counters into growth per second between the last two samples. */
export class Growth {
  #now = 0;
  #seen = new Map();

  /** Begins a sample that was taken at this time. */
  at(unixMs) {
    if (unixMs === this.#now) return;
    for (const [name, entry] of this.#seen) if (entry.at < this.#now) this.#seen.delete(name);
    this.#now = unixMs;
  }

  /** Growth of a counter since the sample before; 0 while there is none. */
  perSecond(name, value) {
    const entry = this.#seen.get(name);
    if (!entry) {
      this.#seen.set(name, { at: this.#now, value, rate: 0 });
      return 0;
    }
    if (entry.at !== this.#now) {
      const grown = value >= entry.value ? value - entry.value : value;
      entry.rate = (grown * 1000) / Math.max(this.#now - entry.at, 1);
      Object.assign(entry, { at: this.#now, value });
    }
    return entry.rate;
  }
}

/** The rate that one direction, or both together, is held to; null where none is set. */
function ceiling(allowed, direction) {
  const own = allowed?.[direction]?.bits_per_second;
  const total = allowed?.total?.bits_per_second;
  return own ?? total ?? null;
}

/** A rate beside a bar that tells its share of what is allowed. */
export function use(row, direction, allowed) {
  const rate = row[direction].bits_per_second;
  const most = ceiling(allowed, direction);
  const share = most === null ? null : rate / most;
  return {
    text: units.bitsPerSecond(rate),
    share,
    tone: share !== null && share >= FULL ? "full" : "",
    title: most === null ? "" : `of ${units.bitsPerSecond(most)}`,
  };
}

/** What finds no room now, both ways, with what did up to now. */
export function excess(growth, name, row) {
  const packets = row.up.excess_packets + row.down.excess_packets;
  const now = growth.perSecond(`excess ${name}`, packets);
  return {
    text: packets === 0 ? "-" : units.packetsPerSecond(now),
    title: packets === 0 ? "" : `${units.count(packets)} packets up to now`,
    // What has no excess now is in the order of what it had.
    sort: now + packets / (packets + 1) / 2,
  };
}

/** A column of the bytes that have passed in one direction. */
export const flow = (title, direction, kind) => ({
  title,
  kind: `figure ${kind}`,
  by: (row) => row[direction].passed_bytes,
  cell: (row) => units.bytes(row[direction].passed_bytes),
});

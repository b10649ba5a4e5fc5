// One host in full, as `host show` explains it.

import * as units from "./units.js";
import { Table, drawLine } from "./table.js";
import { use } from "./figures.js";

/** Samples that the line goes back. */
const HISTORY = 120;

const inBoth = (name, of) => ({ title: name, kind: "figure", cell: ({ flow }) => of(flow) });

export class HostPanel {
  #address = "";
  #answer = null;
  #history = [];
  #at = 0;

  constructor(section) {
    this.section = section;
    this.words = section.querySelector("#host-words");
    this.table = new Table(section.querySelector("#host-flows"), [
      { title: "", cell: ({ direction }) => direction },
      { title: "Now", kind: "figure wide",
        cell: ({ host, direction, policy }) => use(host, direction, policy) },
      { title: "Allowed", kind: "figure", cell: ({ allowed }) => allowed },
      inBoth("Passed", (flow) => units.bytes(flow.passed_bytes)),
      inBoth("Packets", (flow) => units.count(flow.passed_packets)),
      inBoth("Excess", (flow) => units.bytes(flow.excess_bytes)),
      inBoth("Packets", (flow) => units.count(flow.excess_packets)),
      inBoth("Wait", (flow) => units.nanoseconds(flow.wait_ns)),
    ], { key: ({ direction }) => direction, empty: "" });
    this.levels = new Table(section.querySelector("#host-levels"), [
      { title: "Charged to", cell: ({ name }) => name },
      { title: "", cell: ({ way }) => way },
      { title: "Rate", kind: "figure", cell: ({ rate }) => rate },
      { title: "Debt", kind: "figure", cell: ({ debt }) => debt },
      { title: "Of burst", kind: "figure wide", cell: ({ bucket }) => ({
        text: "", share: bucket.percent_of_burst / 100,
        tone: bucket.percent_of_burst >= 100 ? "excess" : "",
      }) },
      { title: "Wait", kind: "figure", cell: ({ flow }) => units.nanoseconds(flow.wait_ns) },
    ], { key: ({ name, way, unit }) => `${name} ${way} ${unit}`, empty: "" });
  }

  /** Shows the host of this address from now on; none when it is empty. */
  open(address, { focus = false } = {}) {
    if (address !== this.#address) this.#forget();
    this.#address = address;
    document.getElementById("address").value = address;
    this.section.hidden = address === "";
    this.section.querySelector("h2").textContent = `Host ${address}`;
    if (focus && address) this.section.focus();
  }

  #forget() {
    this.#answer = null;
    this.#history = [];
    this.words.textContent = "";
    this.#clear();
  }

  #clear() {
    this.table.show([]);
    this.levels.show([]);
  }

  /** Asks about the host, if one is shown. */
  async ask(ask) {
    const address = this.#address;
    if (!address) return;
    const answer = await ask(`api/hosts/${address}`);
    if (address === this.#address) this.#answer = answer;
  }

  /** Shows the last answer. */
  show(policyOf, unixMs) {
    if (!this.#answer) return;
    const { ok, body: host } = this.#answer;
    this.section.classList.toggle("unknown", !ok);
    if (!ok) {
      this.words.textContent = host.hint ? `${host.error}; ${host.hint}` : host.error;
      this.#clear();
      return;
    }
    const policy = policyOf(host.limit);
    this.section.querySelector("h2").textContent = `Host ${host.host}`;
    this.words.textContent = explain(host, policy);
    this.table.show(["up", "down"].map((direction) => ({
      host, direction, policy, flow: host[direction], allowed: allowedIn(policy, direction),
    })));
    this.levels.show((host.levels ?? []).flatMap(buckets));
    this.#remember(host, unixMs);
    this.#draw();
  }

  #remember(host, unixMs) {
    if (unixMs === this.#at) return;
    this.#at = unixMs;
    this.#history.push([host.up.bits_per_second, host.down.bits_per_second]);
    this.#history.splice(0, this.#history.length - HISTORY);
  }

  #draw() {
    const svg = this.section.querySelector("svg");
    const most = Math.max(...this.#history.flat(), 1);
    ["up", "down"].forEach((name, index) => {
      drawLine(svg, name, this.#history.map((pair) => pair[index]), HISTORY, most);
    });
    svg.setAttribute("aria-label", `Rates of the last ${this.#history.length} seconds`);
    this.section.querySelector("#history-most").textContent = units.bitsPerSecond(most);
  }
}

function allowedIn(policy, direction) {
  const own = policy && units.allowed(policy[direction]);
  const total = policy && units.allowed(policy.total);
  return [own, total && `${total} both ways`].filter(Boolean).join("; ") || "-";
}

/** A row for every bucket of a level; one that both directions share is shown once. */
function buckets({ level, name, up, down }) {
  const shown = name === null ? level : level === "prefix" ? name : `${level} ${name}`;
  const row = (way, flow, unit) => {
    const bucket = flow[unit];
    if (bucket === null || (bucket.is_total && way === "down")) return [];
    const [rate, debt] = unit === "bytes"
      ? [units.bitsPerSecond(flow.bits_per_second), units.bytes(bucket.debt)]
      : [units.packetsPerSecond(flow.packets_per_second), `${units.count(bucket.debt)} packets`];
    return [{ name: shown, way: bucket.is_total ? "total" : way, unit, flow, bucket, rate, debt }];
  };
  return [["up", up], ["down", down]].flatMap(([way, flow]) =>
    ["bytes", "packets"].flatMap((unit) => row(way, flow, unit)));
}

/** Why this limit, and how the host stands. */
function explain(host, policy) {
  return [held(host, policy), member(host), seen(host), refused(host)].filter(Boolean).join(" ");
}

function held(host, policy) {
  if (host.limit === null) return "No limit holds it now.";
  const others = (host.prefixes ?? []).slice(1);
  const among = others.length === 0
    ? "the longest prefix that it is in"
    : `the longest prefix of ${others.length + 1} that it is in; the next is ${others[0]}`;
  return `Held by limit ${host.limit}${nature(policy)}: ${among}.`;
}

function nature(policy) {
  if (!policy) return "";
  const scope = policy.scope === "shared" ? "shared by all its hosts" : "buckets of its own";
  return ` (${scope}, excess: ${policy.action})`;
}

const member = (host) => (host.group === null
  ? "" : `In group ${host.group}, whose buckets it is charged to as well.`);

function seen(host) {
  if (host.last_seen_seconds_ago === null) return "No packet of it has come lately.";
  return `Last packet ${units.seconds(host.last_seen_seconds_ago)} ago.`;
}

/** The last packets that found no room, and why. */
function refused(host) {
  const last = ["up", "down"].flatMap((direction) => {
    const excess = host[`${direction}_last_excess`];
    return excess ? [`${direction} ${units.seconds(excess.seconds_ago)} ago (${excess.reason})`] : [];
  });
  return last.length ? `Last excess ${last.join(", ")}.` : "";
}

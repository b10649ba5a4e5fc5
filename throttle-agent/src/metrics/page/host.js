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
    this.table.show([]);
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
      this.table.show([]);
      return;
    }
    const policy = policyOf(host.limit);
    this.section.querySelector("h2").textContent = `Host ${host.host}`;
    this.words.textContent = explain(host, policy);
    this.table.show(["up", "down"].map((direction) => ({
      host, direction, policy, flow: host[direction], allowed: allowedIn(policy, direction),
    })));
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

/** Why this limit, and how the host stands. */
function explain(host, policy) {
  const limit = host.limit === null
    ? "No limit holds it now."
    : `Held by limit ${host.limit}, the longest prefix that it is in${nature(policy)}.`;
  const group = host.group === null ? "" : ` In group ${host.group}, whose buckets it is charged to as well.`;
  const seen = host.last_seen_seconds_ago === null
    ? " No packet of it yet."
    : ` Last packet ${units.seconds(host.last_seen_seconds_ago)} ago.`;
  return limit + group + seen;
}

function nature(policy) {
  if (!policy) return "";
  const scope = policy.scope === "shared" ? "shared by all its hosts" : "with buckets of its own";
  return `, ${scope}; excess: ${policy.action}`;
}

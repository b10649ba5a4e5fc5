// Asks for the newest sample once a second and shows it.

import * as units from "./units.js";
import { Table, define } from "./table.js";
import { HostPanel } from "./host.js";
import { Growth, flow, excess, use } from "./figures.js";

const PERIOD_MS = 1000;
/** Without an answer for so long, what is shown is called old. */
const PATIENCE_MS = 3500;
const ROWS = 50;

const place = (id) => document.querySelector(`#${id} .scroll`);
const growth = new Growth();
let live = null;

const policyOf = (prefix) => (prefix == null ? null : live.policies[prefix] ?? null);
const limitKey = (limit) => limit.prefix + (limit.match === "peer" ? " (peer)" : "");

const text = (title, of, kind = "") => ({ title, cell: of, by: of, kind, rising: true });

/** The columns of whatever has flows: rates with their share of what is allowed, and excess. */
const flowColumns = (allowedOf, name) => [
  { title: "Up", kind: "figure wide", by: (row) => row.up.bits_per_second,
    cell: (row) => use(row, "up", allowedOf(row)) },
  { title: "Down", kind: "figure wide", by: (row) => row.down.bits_per_second,
    cell: (row) => use(row, "down", allowedOf(row)) },
  { title: "Excess", kind: "figure", by: (row) => excess(growth, name(row), row).sort,
    cell: (row) => excess(growth, name(row), row) },
];

const links = new Table(place("links"), [
  text("Interface", (link) => link.interface ?? "(gone)"),
  text("Side", (link) => link.side, "minor"),
  text("Hook", (link) => link.hook, "minor"),
  ...flowColumns((link) => link.allowed, (link) => `link ${link.interface}`),
  flow("Passed up", "up", "minor"),
  flow("Passed down", "down", "minor"),
], { key: (link) => link.interface ?? "", empty: "Attached to nothing: run it with --iface." });

const packetsPerSecond = (row) => growth.perSecond(`reason ${row.reason}`, row.packets);
const reasons = new Table(place("reasons"), [
  text("Reason", (row) => row.reason),
  { title: "Now", kind: "figure wide", by: packetsPerSecond, cell: (row) => ({
    text: units.packetsPerSecond(packetsPerSecond(row)),
    share: packetsPerSecond(row) / live.packetsPerSecond,
    tone: row.refuses ? "excess" : "",
  }) },
  { title: "Packets", kind: "figure", by: (row) => row.packets,
    cell: (row) => units.count(row.packets) },
], { key: (row) => row.reason, empty: "No packet yet.", sort: { index: 1, rising: false } });

const hosts = new Table(place("hosts"), [
  { ...text("Host", (host) => host.host),
    cell: (host) => ({ text: host.host, href: `#${host.host}` }) },
  text("Limit", (host) => host.limit ?? "-", "minor"),
  text("Group", (host) => host.group ?? "-", "minor"),
  ...flowColumns((host) => policyOf(host.limit), (host) => `host ${host.host}`),
  flow("Passed up", "up", "minor"),
  flow("Passed down", "down", "minor"),
  { title: "Seen", kind: "figure minor", by: (host) => host.last_seen_seconds_ago ?? Infinity,
    cell: (host) => host.last_seen_seconds_ago == null
      ? "-" : `${units.seconds(host.last_seen_seconds_ago)} ago`, rising: true },
], { key: (host) => host.host, sort: { index: 4, rising: false }, most: ROWS,
     empty: "No host yet: one is known from its first packet under a limit." });

/** What a limit allows all its hosts together: nothing is said of that where each has its own. */
const sharedPolicy = (limit) => {
  const policy = policyOf(limitKey(limit));
  return policy?.scope === "shared" ? policy : null;
};

const limits = new Table(place("limits"), [
  text("Prefix", limitKey),
  text("Scope", (limit) => policyOf(limitKey(limit))?.scope ?? "-", "minor"),
  text("Action", (limit) => policyOf(limitKey(limit))?.action ?? "-", "minor"),
  text("Group", (limit) => policyOf(limitKey(limit))?.group ?? "-", "minor"),
  ...flowColumns(sharedPolicy, (limit) => `limit ${limitKey(limit)}`),
  flow("Passed up", "up", "minor"),
  flow("Passed down", "down", "minor"),
], { key: limitKey, sort: { index: 5, rising: false },
     empty: "No limit: set one with `throttle-agent limit set 10.0.0.0/24 --down 10mbit`." });

const groups = new Table(place("groups"), [
  text("Name", (group) => group.name),
  ...flowColumns((group) => group.allowed, (group) => `group ${group.name}`),
  flow("Passed up", "up", "minor"),
  flow("Passed down", "down", "minor"),
], { key: (group) => group.name, empty: "No group." });

const panel = new HostPanel(document.getElementById("host"));

function show(sample) {
  live = sample;
  growth.at(sample.at_unix_ms);
  document.title = `throttle ${sample.instance}`;
  document.getElementById("instance").textContent = sample.instance;
  const { tracked, capacity, overflowed } = sample.hosts;
  const overflowing = growth.perSecond("overflowed", overflowed) > 0;
  define(document.getElementById("status"), [
    ["Up for", units.seconds(sample.uptime_seconds)],
    ["Hosts", `${units.count(tracked)} of ${units.count(capacity)}`, overflowing ? "excess" : ""],
    ["Without room", `${units.count(overflowed)} packets`, overflowing ? "excess" : ""],
    ["Limits", units.count(sample.limits_in_force)],
    ["Groups", units.count(sample.groups_in_force)],
    ["Generation", units.count(sample.generation)],
    ["Events", units.count(sample.events)],
    ["Lost events", units.count(sample.lost_events), sample.lost_events > 0 ? "excess" : ""],
    ["Version", sample.version],
  ]);
  live.packetsPerSecond = sample.reasons.map(packetsPerSecond).reduce((a, b) => a + b, 0) || 1;
  links.show(sample.links);
  reasons.show(sample.reasons.filter((row) => row.packets > 0));
  hosts.show(sample.top_hosts);
  limits.show(sample.limits);
  groups.show(sample.groups);
  tell("hosts", Math.min(sample.top_hosts.length, ROWS), tracked);
  tell("limits", sample.limits.length, sample.limits_in_force);
  tell("groups", sample.groups.length, sample.groups_in_force);
}

/** Says when a table has not all there is. */
function tell(id, shown, all) {
  const note = shown < all ? `the busiest ${units.count(shown)} of ${units.count(all)}` : "";
  document.querySelector(`#${id} small`).textContent = note;
}

const trouble = document.getElementById("trouble");
let answered = performance.now();

function complain() {
  const silent = performance.now() - answered;
  trouble.hidden = silent < PATIENCE_MS;
  document.body.classList.toggle("old", !trouble.hidden);
  const words = `No answer from the agent for ${Math.round(silent / 1000)}s: what is shown is old.`;
  if (!trouble.hidden && trouble.textContent !== words) trouble.textContent = words;
}

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS) });
  return { ok: answer.ok, body: await answer.json() };
}

async function update() {
  try {
    const [{ ok, body }] = await Promise.all([ask("api/live"), panel.ask(ask)]);
    if (ok) {
      show(body);
      answered = performance.now();
    }
    if (live) panel.show(policyOf, live.at_unix_ms);
  } catch {
    // No answer: complain() tells, and the next turn tries again.
  }
  complain();
}

async function repeat() {
  if (!document.hidden) await update();
  setTimeout(repeat, PERIOD_MS);
}

document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const address = document.getElementById("address").value.trim();
  if (address) location.hash = address;
});

addEventListener("hashchange", () => {
  panel.open(decodeURIComponent(location.hash.slice(1)), { focus: true });
  update();
});

panel.open(decodeURIComponent(location.hash.slice(1)));
repeat();

//! Programs of others at the same hooks: they keep running, ours keeps limiting, in either order.

use std::time::Duration;

use aya::programs::tc::TcAttachType;
use throttle_tests::audit::{self, Books, Entry};
use throttle_tests::bpf::{DROP, NEXT, PASS};
use throttle_tests::flood::Flood;
use throttle_tests::foreign::{Foreign, HOOKS, Place, Program, Seen, make_clsact};
use throttle_tests::hooks::{self, clsact_programs, has_clsact, tcx_programs};
use throttle_tests::lab::Lab;
use throttle_tests::measure::Meter;
use throttle_tests::netns::Namespace;
use throttle_tests::require_root;
use throttle_tests::router::{End, Router};
use throttle_tests::scenario::ends;
use throttle_tests::traffic::{Case, Direction, MBIT, Transport};

const LINK: &str = "lan0";
const HOST: End = End::host(0);
const LIMIT: u64 = 10 * MBIT;
const OFFERED: u64 = 40 * MBIT;
const WINDOW: Duration = Duration::from_millis(300);

/// A way to attach, and places of others around it.
#[derive(Clone, Copy, Debug)]
struct Hook {
    name: &'static str,
    before: Place,
    after: Place,
}

const TCX: Hook = Hook { name: "tcx", before: Place::TcxFirst, after: Place::TcxLast };
const CLSACT: Hook = Hook { name: "clsact", before: Place::Filter(1), after: Place::Filter(500) };

#[test]
fn programs_before_and_after_ours_run_with_tcx() {
    require_root!();
    before_and_after(TCX);
}

#[test]
fn programs_before_and_after_ours_run_with_clsact() {
    require_root!();
    before_and_after(CLSACT);
}

/// The one before sees all, the one after what ours lets through.
fn before_and_after(hook: Hook) {
    let lab = lab(hook);
    let before = attach_both(&lab, hook.before, NEXT);
    // The last of the chain may as well end it.
    let after = attach_both(&lab, hook.after, PASS);
    for (number, flow) in flood(&lab).iter().enumerate() {
        flow.assert_limited();
        assert_eq!(before[number].seen().unwrap(), flow.offered, "before, {hook:?}, {flow:?}");
        assert_eq!(after[number].seen().unwrap(), flow.passed, "after, {hook:?}, {flow:?}");
    }
}

#[test]
fn a_program_that_ends_the_chain_does_not_hide_ours_with_tcx() {
    require_root!();
    ends_the_chain(TCX, Place::TcxFirst);
}

#[test]
fn a_program_that_ends_the_chain_does_not_hide_ours_with_clsact() {
    require_root!();
    ends_the_chain(CLSACT, CLSACT.after);
}

/// It was attached first, and passes every packet that it sees: ours still comes before it.
fn ends_the_chain(hook: Hook, place: Place) {
    let router = Router::new().unwrap();
    let others = HOOKS.map(|at| {
        Foreign::attach(router.namespace(End::Router), LINK, at, place, Program::answering(PASS))
            .unwrap()
    });
    let lab = limited(Lab::with(router, &arguments(hook)).unwrap());
    for (other, flow) in others.iter().zip(flood(&lab)) {
        flow.assert_limited();
        assert_eq!(other.seen().unwrap(), flow.passed, "{hook:?}, {flow:?}");
    }
}

#[test]
fn what_a_program_after_ours_drops_was_counted_with_tcx() {
    require_root!();
    drops_after(TCX);
}

#[test]
fn what_a_program_after_ours_drops_was_counted_with_clsact() {
    require_root!();
    drops_after(CLSACT);
}

fn drops_after(hook: Hook) {
    let lab = lab(hook);
    let others = attach_both(&lab, hook.after, DROP);
    for (other, flow) in others.iter().zip(flood(&lab)) {
        assert!(flow.passed.packets > 0 && flow.excess.packets > flow.passed.packets, "{flow:?}");
        assert_eq!(flow.all(), flow.offered, "{flow:?}");
        assert_eq!(other.seen().unwrap(), flow.passed, "{hook:?}, {flow:?}");
        assert_eq!(flow.arrived, Seen::default(), "{flow:?}");
    }
}

#[test]
fn detaching_leaves_programs_of_others_running_with_tcx() {
    require_root!();
    detaching(TCX);
}

#[test]
fn detaching_leaves_programs_of_others_running_with_clsact() {
    require_root!();
    detaching(CLSACT);
}

/// The agent has made the clsact qdisc, which others use by now.
fn detaching(hook: Hook) {
    for command in ["detach --iface lan0", "detach --all"] {
        let lab = lab(hook);
        let namespace = lab.router.namespace(End::Router);
        let others = [hook.before, hook.after].map(|place| attach_both(&lab, place, NEXT));
        assert_eq!(programs(namespace, hook).len(), 6, "three programs at each hook");
        lab.agent.done(command).unwrap();
        let expected = others.each_ref().map(|at| at.each_ref().map(|other| other.id().unwrap()));
        let [before, after] = expected;
        let ids = [before[0], after[0], before[1], after[1]];
        assert_eq!(programs(namespace, hook), ids, "after {command}");
        if hook.name == "clsact" {
            assert!(has_clsact(namespace, LINK).unwrap(), "after {command}");
        }
        // Nothing is left that counts: the far end tells what passed.
        for (number, (offered, arrived)) in unlimited_flood(&lab).into_iter().enumerate() {
            assert_eq!(arrived, offered, "after {command}");
            for at in &others {
                assert_eq!(at[number].seen().unwrap(), offered, "after {command}, {hook:?}");
            }
        }
    }
}

#[test]
fn a_qdisc_of_others_without_filters_stays() {
    require_root!();
    let router = Router::new().unwrap();
    make_clsact(router.namespace(End::Router), LINK).unwrap();
    let lab = Lab::with(router, &arguments(CLSACT)).unwrap();
    lab.agent.done("detach --iface lan0").unwrap();
    assert!(has_clsact(lab.router.namespace(End::Router), LINK).unwrap());
}

#[test]
fn a_restarted_agent_keeps_its_place_with_tcx() {
    require_root!();
    restarting(TCX);
}

#[test]
fn a_restarted_agent_keeps_its_place_with_clsact() {
    require_root!();
    restarting(CLSACT);
}

fn restarting(hook: Hook) {
    let mut lab = lab(hook);
    let before = attach_both(&lab, hook.before, NEXT);
    let after = attach_both(&lab, hook.after, NEXT);
    let places = programs(lab.router.namespace(End::Router), hook);
    let books =
        Case::ALL.map(|case| Books::open(&lab, (HOST, End::Server), case, Transport::Udp).unwrap());
    let floods = Case::ALL.map(|Case { direction, family }| {
        let (from, to) = ends(HOST, End::Server, direction);
        Flood::new(&lab.router, from, to, family).rate(OFFERED).start().unwrap()
    });
    std::thread::sleep(WINDOW);
    lab.agent.kill().unwrap();
    std::thread::sleep(WINDOW);
    lab.agent.restart().unwrap();
    std::thread::sleep(WINDOW);
    let offered = floods.map(|flood| flood.stop());
    let entries = books.map(|books| books.close(&lab).unwrap());
    let flows = sum(entries.iter().copied().zip(offered.map(Seen::from)));
    for (number, flow) in flows.iter().enumerate() {
        flow.assert_limited();
        assert_eq!(before[number].seen().unwrap(), flow.offered, "before, {flow:?}");
        assert_eq!(after[number].seen().unwrap(), flow.passed, "after, {flow:?}");
    }
    let now = programs(lab.router.namespace(End::Router), hook);
    assert_eq!(now.len(), 6);
    for (place, (id, earlier)) in now.iter().zip(&places).enumerate() {
        let is_ours = place % 3 == 1;
        assert_eq!(id != earlier, is_ours, "place {place}: {places:?}, then {now:?}");
    }
}

#[test]
fn a_clsact_filter_of_others_sees_what_our_tcx_program_lets_through() {
    require_root!();
    mixed(TCX, Place::Filter(1), |flow| flow.passed);
}

#[test]
fn a_tcx_program_of_others_sees_all_before_our_clsact_filter() {
    require_root!();
    mixed(CLSACT, Place::TcxLast, |flow| flow.offered);
}

/// The kernel runs all TCX programs of a hook before the filters of its clsact qdisc.
fn mixed(hook: Hook, place: Place, expected: fn(&Flow) -> Seen) {
    let lab = lab(hook);
    let others = attach_both(&lab, place, NEXT);
    for (other, flow) in others.iter().zip(flood(&lab)) {
        flow.assert_limited();
        assert_eq!(other.seen().unwrap(), expected(&flow), "{hook:?} and {place:?}, {flow:?}");
    }
    lab.agent.done("detach --all").unwrap();
    let ids = others.each_ref().map(|other| other.id().unwrap());
    let namespace = lab.router.namespace(End::Router);
    let left = hooks::programs(namespace, LINK).unwrap();
    assert_eq!(left, ids, "only theirs are left");
}

/// One direction, both IP versions together.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    offered: Seen,
    passed: Seen,
    excess: Seen,
    arrived: Seen,
}

impl Flow {
    /// What ours let through has arrived, all else is excess, and that is most.
    fn assert_limited(&self) {
        assert_eq!(self.arrived, self.passed, "{self:?}");
        assert_eq!(self.all(), self.offered, "{self:?}");
        assert!(self.passed.packets > 0 && self.excess.packets > self.passed.packets, "{self:?}");
    }

    fn all(&self) -> Seen {
        plus(self.passed, self.excess)
    }
}

fn lab(hook: Hook) -> Lab {
    limited(Lab::with(Router::new().unwrap(), &arguments(hook)).unwrap())
}

fn arguments(hook: Hook) -> [&'static str; 4] {
    ["--iface", LINK, "--hook", hook.name]
}

fn limited(lab: Lab) -> Lab {
    lab.limit_both(|family| HOST.prefix(family), "each", LIMIT).unwrap();
    lab
}

/// One at each hook: at ingress for what hosts send, at egress for what is sent to them.
fn attach_both(lab: &Lab, place: Place, answer: i32) -> [Foreign; 2] {
    let namespace = lab.router.namespace(End::Router);
    HOOKS.map(|hook: TcAttachType| {
        Foreign::attach(namespace, LINK, hook, place, Program::answering(answer)).unwrap()
    })
}

/// The ids at the ingress hook and then those at the egress hook, each in their order.
fn programs(namespace: &Namespace, hook: Hook) -> Vec<u32> {
    let of = if hook.name == "tcx" { tcx_programs } else { clsact_programs };
    of(namespace, LINK).unwrap()
}

/// Floods the host in every case; returns what became of it, up and down.
fn flood(lab: &Lab) -> [Flow; 2] {
    let audits =
        audit::floods(lab, (HOST, End::Server), &Case::ALL, WINDOW, |flood| flood.rate(OFFERED));
    sum(audits.unwrap().into_iter().map(|audit| (audit.entry, audit.offered.into())))
}

/// What was offered and what arrived, up and down, without asking the agent.
fn unlimited_flood(lab: &Lab) -> [(Seen, Seen); 2] {
    Direction::ALL.map(|direction| {
        let [v4, v6] = Case::of(direction).map(|Case { family, .. }| {
            let (from, to) = ends(HOST, End::Server, direction);
            let meter = Meter::new(lab.router.namespace(to), family, Transport::Udp).unwrap();
            let before = meter.sample().unwrap();
            let flood = Flood::new(&lab.router, from, to, family).rate(OFFERED).start().unwrap();
            std::thread::sleep(WINDOW);
            let offered = Seen::from(flood.stop());
            std::thread::sleep(WINDOW);
            let after = meter.sample().unwrap();
            let (packets, bytes) = (after.packets - before.packets, after.bytes - before.bytes);
            (offered, Seen { packets, bytes })
        });
        (plus(v4.0, v6.0), plus(v4.1, v6.1))
    })
}

fn sum(entries: impl IntoIterator<Item = (Entry, Seen)>) -> [Flow; 2] {
    let mut flows = [Flow::default(); 2];
    for (entry, offered) in entries {
        let flow = &mut flows[entry.case.direction as usize];
        let counted = entry.counted;
        let seen = |packets, bytes| Seen { packets, bytes };
        flow.offered = plus(flow.offered, offered);
        flow.passed = plus(flow.passed, seen(counted.passed_packets, counted.passed_bytes));
        flow.excess = plus(flow.excess, seen(counted.excess_packets, counted.excess_bytes));
        flow.arrived = plus(flow.arrived, seen(entry.arrived_packets, entry.arrived_bytes));
    }
    flows
}

fn plus(one: Seen, other: Seen) -> Seen {
    Seen { packets: one.packets + other.packets, bytes: one.bytes + other.bytes }
}

//! What one packet costs by level, action and number of hosts.

use std::os::fd::AsFd as _;
use std::thread;

use anyhow::{Result, anyhow, ensure};
use throttle_agent::policy::{
    Action, Dscp, Group, GroupName, Limit, LinkLimit, ParentAction, Rates,
};
use throttle_common::abi::Side;

use super::{BURST_BYTES, Effort, FEW, MANY, MOST, behind_shim, packets_for};
use crate::bpf::DROP;
use crate::packets::Frame;
use crate::prog::{LINK, Program, limits};
use crate::shim::{Empty, Shim};
use crate::sorted::Sorted;
use crate::traffic::Family;
use crate::{flood, interrupt};

/// A packet and the policy that it meets.
#[derive(Debug)]
pub struct Row {
    /// What is measured.
    pub what: &'static str,
    limit: Limit,
    /// Rates of the group that the limit is a member of.
    group: Option<Rates>,
    /// Rates of the link.
    link: Option<Rates>,
    /// Hosts that take turns at random.
    pub hosts: u32,
    /// Processors that run it at once.
    pub cpus: usize,
    family: Family,
    /// Whether every packet after the burst is refused.
    refused: bool,
    /// What it is held to.
    pub bar: Bar,
}

impl Row {
    /// Whether its name contains `only`, or others are compared with it.
    pub fn is_wanted(&self, only: &str) -> bool {
        self.what.contains(only) || matches!(self.bar, Bar::Above(_))
    }
}

/// What a row is held to.
#[derive(Clone, Copy, Debug)]
pub enum Bar {
    /// Nothing.
    None,
    /// So many nanoseconds above the empty classifier.
    Above(f64),
    /// So many nanoseconds more than the row of bytes and packets at one level.
    MoreThanOneLevel(f64),
}

/// A packet and a byte limit that no run exhausts.
pub(super) fn both() -> Rates {
    let mut rates = limits::rated(400_000_000_000, BURST_BYTES);
    rates.packets = limits::packets(1 << 20).packets.map(|mut limit| {
        limit.rate = throttle_common::units::PacketsPerSecond::from_packets_per_second(900_000_000);
        limit
    });
    rates
}

/// All rows, in the order of the table.
pub fn rows() -> Vec<Row> {
    let (v4, v6, one) = (Family::V4, Family::V6, 1);
    let row = |what, limit, hosts, family| Row {
        what,
        limit,
        group: None,
        link: None,
        hosts,
        cpus: 1,
        family,
        refused: false,
        bar: Bar::None,
    };
    let bytes = limits::rated(400_000_000_000, BURST_BYTES);
    let each = |rates| limits::each("10.0.0.0/8", rates);
    let each_v6 = || limits::each("::/0", both());
    let alone = |what| row(what, each(both()), one, v4);
    let acting = |what, action| row(what, Limit { action, ..each(both()) }, one, v4);
    let exceeding = |what, action| row(what, Limit { action, ..each(limits::bytes(1)) }, one, v4);
    vec![
        row("no limit holds the host", limits::each("11.0.0.0/8", bytes), one, v4),
        row("bytes", each(bytes), one, v4),
        Row { bar: Bar::Above(60.0), ..alone("bytes and packets") },
        row("bytes and packets, IPv6", each_v6(), one, v6),
        row("bytes and packets, shared", limits::shared("10.0.0.0/8", both()), one, v4),
        Row { group: Some(bytes), ..alone("host and group") },
        Row { link: Some(bytes), ..alone("host and link") },
        Row {
            group: Some(bytes),
            link: Some(bytes),
            bar: Bar::MoreThanOneLevel(25.0),
            ..alone("host, group and link")
        },
        Row {
            group: Some(both()),
            link: Some(both()),
            ..alone("host, group and link, all bytes and packets")
        },
        Row { cpus: 2, ..row("bytes and packets", each(both()), FEW, v4) },
        Row { cpus: 2, group: Some(bytes), ..row("host and group", each(both()), FEW, v4) },
        Row { cpus: 2, link: Some(bytes), ..row("host and link", each(both()), FEW, v4) },
        Row {
            cpus: 2,
            group: Some(bytes),
            link: Some(bytes),
            ..row("host, group and link", each(both()), FEW, v4)
        },
        Row { refused: true, ..row("refused by bytes", each(limits::bytes(1)), one, v4) },
        acting("ecn, below its mark", Action::Ecn),
        acting("pace, on a queue without fq", Action::Pace { ecn_above: None }),
        exceeding("mark, all excess", Action::Mark(7)),
        exceeding("dscp, all excess", Action::Dscp(Dscp::new(10).expect("a class"))),
        exceeding("observe, all excess", Action::Observe),
        row("pass", exempt(), one, v4),
        row("bytes and packets", each(both()), MANY, v4),
        row("bytes and packets, IPv6", each_v6(), MANY, v6),
        row("bytes and packets", each(both()), MOST, v4),
        row("bytes and packets, IPv6", each_v6(), MOST, v6),
    ]
}

/// A limit that exempts.
fn exempt() -> Limit {
    Limit { action: Action::Pass, ..limits::each("10.0.0.0/8", Rates::default()) }
}

/// Puts the row's group, link and limit in force.
fn prepare(program: &mut Program, row: &Row) -> throttle_agent::error::Result<()> {
    let datapath = program.datapath();
    datapath.attach(LINK, Side::Far)?;
    let mut limit = row.limit.clone();
    if let Some(rates) = row.group {
        let name: GroupName = "all".parse().expect("a name");
        let (up, down, total) = (rates, rates, Rates::default());
        let action = ParentAction::Drop;
        datapath.set_group(&Group { name: name.clone(), action, up, down, total })?;
        limit.group = Some(name);
    }
    if let Some(rates) = row.link {
        datapath.set_link_limit(LINK, &LinkLimit { up: rates, ..LinkLimit::default() })?;
    }
    datapath.set_limit(&limit)?;
    Ok(())
}

impl Row {
    /// Median nanoseconds of the empty classifier and of the program, both behind the shim.
    pub fn measure(&self, effort: Effort) -> Result<(f64, f64)> {
        let mut program = Program::open(2 * MOST);
        prepare(&mut program, self).map_err(|error| anyhow!("{error}"))?;
        let frame = match self.family {
            Family::V4 => Frame::udp("10.0.0.1", "192.0.2.7").layer3_bytes(100).bytes(),
            Family::V6 => Frame::udp("fd00::1", "2001:db8::7").layer3_bytes(100).bytes(),
        };
        let empty = Shim::load(self.hosts, Empty::load()?.fd().as_fd())?;
        let path = behind_shim(&mut program, self.hosts)?;
        // Makes (nearly) every host before the clock runs.
        path.run(&frame, packets_for(self.hosts))?;
        let (mut empty_ns, mut path_ns) = (Vec::new(), Vec::new());
        for _ in 0..effort.runs {
            interrupt::check()?;
            empty_ns.push(run_on(self.cpus, &empty, &frame, effort.packets)?.1);
            let (answer, duration_ns) = run_on(self.cpus, &path, &frame, effort.packets)?;
            let as_told = (answer == DROP) == self.refused;
            ensure!(as_told, "the program answered {answer} to {}", self.what);
            path_ns.push(duration_ns);
        }
        Ok((Sorted::new(empty_ns).median(), Sorted::new(path_ns).median()))
    }
}

/// Runs a program on several processors at once; the answer of one, and the mean duration of a run.
fn run_on(cpus: usize, program: &Shim, frame: &[u8], runs: u32) -> Result<(i32, f64)> {
    let outcomes = thread::scope(|scope| {
        let run = |cpu| {
            move || {
                if cpus > 1 {
                    flood::pin_to(cpu)?;
                }
                program.run(frame, runs)
            }
        };
        let threads: Vec<_> = (0..cpus).map(|cpu| scope.spawn(run(cpu))).collect();
        let joined = threads.into_iter().map(|thread| thread.join().expect("no panic"));
        joined.collect::<Result<Vec<_>>>()
    })?;
    let sum_ns: f64 = outcomes.iter().map(|(_, duration)| duration.as_nanos() as f64).sum();
    Ok((outcomes[0].0, sum_ns / cpus as f64))
}

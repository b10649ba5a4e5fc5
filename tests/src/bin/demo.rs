//! The main job in one minute: two hosts behind a throw-away router, limited in the kernel while they
//! send and receive, and a table of limit against measured rate.

use std::panic::resume_unwind;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use comfy_table::Table;
use throttle_tests::bars::{Bar, exit_code};
use throttle_tests::flood::Flood;
use throttle_tests::interrupt;
use throttle_tests::lab::Lab;
use throttle_tests::measure::Meter;
use throttle_tests::router::{End, Router, lan_prefix};
use throttle_tests::scenario::{SETTLED, ends, rate_held_to};
use throttle_tests::table;
use throttle_tests::tcp::Flow;
use throttle_tests::traffic::{Direction, Family, MBIT, Transport, rate_argument, scaled};

/// The limits of a transfer, each set while it goes on.
const LIMITS: [u64; 3] = [10 * MBIT, 50 * MBIT, 5 * MBIT];
/// How long each limit stays.
const STAY: Duration = Duration::from_secs(4);
/// What the UDP flood sends.
const OFFERED: u64 = 200 * MBIT;

const INTRODUCTION: &str = "\
This demo builds a router with two hosts on its LAN and a server beyond it, all in network namespaces of
its own, and attaches throttle-agent to the router's LAN link. Every host gets a limit of its own, which
changes while traffic flows: one host runs a TCP transfer, the other a UDP flood of 200 Mbit/s.
Nothing outside of the namespaces is touched, and all of it is removed at the end, also on Ctrl-C.
It takes about 50 seconds.
";

const EXPLANATION: &str = "
Measured is what arrived at layer 3 once the first burst was spent, counted by the receiver's kernel and
not by the throttler. The UDP flood gets exactly its limit through; TCP, which pauses after each loss, gets
it on average.";

/// How far a rate may be from its limit, in percent of it. TCP gets less where it pauses after losses.
fn bars(transport: Transport) -> [Bar; 2] {
    let least = match transport {
        Transport::Tcp => 50.0,
        Transport::Udp => 98.0,
    };
    [Bar::AtLeast(least), Bar::AtMost(105.0)]
}

/// What one host sent or received, at each of the limits.
struct Row {
    direction: Direction,
    transport: Transport,
    family: Family,
    measured: Vec<f64>,
}

impl Row {
    /// How many of its rates are too far from their limits.
    fn missed(&self) -> usize {
        let bars = bars(self.transport);
        let percents =
            LIMITS.iter().zip(&self.measured).map(|(&limit, rate)| rate / limit as f64 * 100.0);
        percents.filter(|&percent| !bars.iter().all(|bar| bar.holds(percent))).count()
    }
}

fn main() -> ExitCode {
    interrupt::run(demo)
}

fn demo() -> Result<ExitCode> {
    eprintln!("{INTRODUCTION}");
    let mut rows = measure()?;
    rows.sort_by_key(|row| (row.direction as u8, row.transport as u8, row.family as u8));
    println!("{}", print(&rows));
    eprintln!("{EXPLANATION}");
    let missed = rows.iter().map(Row::missed).sum();
    if missed > 0 {
        let [tcp, udp] = [Transport::Tcp, Transport::Udp].map(bars);
        eprintln!(
            "error: {missed} rates are too far from their limits; accepted: of TCP {} and {}, of UDP {} and {}",
            tcp[0], tcp[1], udp[0], udp[1]
        );
    }
    Ok(exit_code(missed))
}

fn measure() -> Result<Vec<Row>> {
    eprintln!("building the namespaces");
    let router = Router::new()?;
    let arguments = ["--iface", "lan0"];
    let namespace = router.namespace(End::Router).name();
    eprintln!("$ throttle-agent run --netns {namespace} {}", arguments.join(" "));
    let lab = Lab::with(router, &arguments)?;
    let mut rows = Vec::new();
    for direction in Direction::ALL {
        for (tcp, udp) in [(Family::V4, Family::V6), (Family::V6, Family::V4)] {
            rows.extend(transfer(&lab, direction, tcp, udp)?);
        }
    }
    eprintln!("\nremoving everything\n");
    Ok(rows)
}

/// One host transfers by TCP, the other floods by UDP; the limits of both change on the way. They use
/// different IP versions, so that the receiver's kernel counts them apart.
fn transfer(lab: &Lab, direction: Direction, tcp: Family, udp: Family) -> Result<[Row; 2]> {
    let (router, [reader, flooder]) = (&lab.router, [0, 1].map(End::host));
    let way = match direction {
        Direction::Up => "send",
        Direction::Down => "receive",
    };
    let (reader_address, flooder_address) = (reader.address(tcp), flooder.address(udp));
    eprintln!("\n{direction}: the hosts {way}, {reader_address} by TCP, {flooder_address} by UDP");
    set_limits(lab, LIMITS[0])?;
    let (from, to) = ends(reader, End::Server, direction);
    let flow = Flow {
        router,
        from,
        to,
        family: tcp,
        skipped_seconds: 0,
        seconds: 30,
        bits_per_second: None,
    };
    let flow = flow.start()?;
    let (from, to) = ends(flooder, End::Server, direction);
    let _flood = Flood::new(router, from, to, udp).rate(OFFERED).start()?;
    let meters = [&flow.meter, &Meter::new(router.namespace(to), udp, Transport::Udp)?];
    let row = |(transport, family)| Row { direction, transport, family, measured: Vec::new() };
    let mut rows = [(Transport::Tcp, tcp), (Transport::Udp, udp)].map(row);
    for (number, limit) in LIMITS.into_iter().enumerate() {
        if number > 0 {
            set_limits(lab, limit)?;
        }
        for (row, rate) in rows.iter_mut().zip(rates(meters, limit)?) {
            row.measured.push(rate);
        }
    }
    Ok(rows)
}

/// Measures at both meters at once.
fn rates(meters: [&Meter; 2], limit: u64) -> Result<[f64; 2]> {
    let measure = |meter| rate_held_to(meter, limit, SETTLED, STAY);
    let [first, second] = thread::scope(|scope| {
        meters.map(|meter| scope.spawn(move || measure(meter))).map(|thread| thread.join())
    })
    .map(|result| result.unwrap_or_else(|panic| resume_unwind(panic)));
    Ok([first?.bits_per_second, second?.bits_per_second])
}

fn set_limits(lab: &Lab, limit: u64) -> Result<()> {
    for family in Family::ALL {
        let (prefix, rate) = (lan_prefix(0, family), rate_argument(limit));
        let words = format!("{prefix} --up {rate} --down {rate}");
        eprintln!("$ throttle-agent limit set {words}");
        lab.limit_set(&words)?;
    }
    Ok(())
}

fn print(rows: &[Row]) -> Table {
    let limits = LIMITS.map(|limit| format!("limit {}", scaled(limit as f64, "bit/s")));
    let [first, second, third] = limits.each_ref().map(String::as_str);
    let mut table = table::markdown(&["direction", "traffic", first, second, third], 2);
    for Row { direction, transport, family, measured } in rows {
        let names = [direction.to_string(), format!("{transport} {family}")];
        let cells = LIMITS.iter().zip(measured).map(|(&limit, &measured)| {
            let error = measured / limit as f64 * 100.0 - 100.0;
            format!("{} ({error:+.2} %)", scaled(measured, "bit/s"))
        });
        table.add_row(names.into_iter().chain(cells));
    }
    table
}

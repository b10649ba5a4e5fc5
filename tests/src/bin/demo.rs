//! The main job in one minute: two hosts behind a throw-away router, limited in the kernel while they
//! send and receive, and a table of limit against measured rate.

use std::time::Duration;

use anyhow::{Result, ensure};
use comfy_table::Table;
use throttle_tests::flood::Flood;
use throttle_tests::interrupt::{self, sleep};
use throttle_tests::lab::Lab;
use throttle_tests::measure::Meter;
use throttle_tests::router::{End, lan_prefix};
use throttle_tests::scenario::{SETTLED, ends};
use throttle_tests::tcp::Flow;
use throttle_tests::traffic::{Direction, Family, MBIT, Transport, rate_argument, scaled};
use throttle_tests::{restrict, table};

/// The limits of a transfer, each set while it goes on.
const LIMITS: [u64; 3] = [10 * MBIT, 50 * MBIT, 5 * MBIT];
/// How long each limit is measured.
const WINDOW: Duration = Duration::from_secs(2);

const INTRODUCTION: &str = "\
This demo builds a router with two hosts on its LAN and a server beyond it, all in network namespaces of
its own, and attaches throttle-agent to the router's LAN link. Every host then gets its own limit, which
changes while traffic flows: one host runs a TCP transfer, the other a UDP flood far above its limit.
`measured` is what arrived at layer 3, counted by the receiver's kernel and not by the throttler.
Nothing outside of the namespaces is touched, and all of it is removed at the end, also on Ctrl-C.
It takes about 45 seconds.
";

/// One line of the table.
struct Row {
    limit: u64,
    direction: Direction,
    transport: Transport,
    family: Family,
    measured: f64,
}

fn main() -> Result<()> {
    ensure!(restrict::is_root(), "needs root for network namespaces and BPF; hint: sudo");
    eprintln!("{INTRODUCTION}");
    interrupt::catch()?;
    let mut rows = measure()?;
    rows.sort_by_key(|row| (row.direction as u8, row.transport as u8, row.family as u8));
    println!("{}", print(&rows));
    Ok(())
}

fn measure() -> Result<Vec<Row>> {
    eprintln!("building the namespaces and starting the agent");
    let lab = Lab::new()?;
    let mut rows = Vec::new();
    for direction in Direction::ALL {
        for (tcp, udp) in [(Family::V4, Family::V6), (Family::V6, Family::V4)] {
            rows.extend(transfer(&lab, direction, tcp, udp)?);
        }
    }
    eprintln!("removing everything");
    Ok(rows)
}

/// One host transfers by TCP, the other floods by UDP; the limits of both change on the way. They use
/// different IP versions, so that the receiver's kernel counts them apart.
fn transfer(lab: &Lab, direction: Direction, tcp: Family, udp: Family) -> Result<Vec<Row>> {
    let (router, [reader, flooder]) = (&lab.router, [0, 1].map(End::host));
    eprintln!("\n{direction}: {} by TCP, {} by UDP", reader.address(tcp), flooder.address(udp));
    set_limits(lab, LIMITS[0])?;
    let (from, to) = ends(reader, End::Server, direction);
    let flow = Flow { router, from, to, family: tcp, skipped_seconds: 0, seconds: 30 }.start()?;
    let (from, to) = ends(flooder, End::Server, direction);
    let _flood = Flood::new(router, from, to, udp).rate(200 * MBIT).start()?;
    let udp_meter = Meter::new(router.namespace(to), udp, Transport::Udp)?;
    let mut rows = Vec::new();
    for limit in LIMITS {
        set_limits(lab, limit)?;
        sleep(SETTLED)?;
        let before = (flow.meter.sample()?, udp_meter.sample()?);
        sleep(WINDOW)?;
        let tcp_rate = flow.meter.sample()?.rate_since(&before.0).bits_per_second;
        let udp_rate = udp_meter.sample()?.rate_since(&before.1).bits_per_second;
        rows.extend([(Transport::Tcp, tcp, tcp_rate), (Transport::Udp, udp, udp_rate)].map(
            |(transport, family, measured)| Row { limit, direction, transport, family, measured },
        ));
    }
    Ok(rows)
}

fn set_limits(lab: &Lab, limit: u64) -> Result<()> {
    for family in Family::ALL {
        let (prefix, rate) = (lan_prefix(0, family), rate_argument(limit));
        let words = format!("{prefix} --scope each --up {rate} --down {rate}");
        eprintln!("$ throttle-agent limit set {words}");
        lab.limit_set(&words)?;
    }
    Ok(())
}

fn print(rows: &[Row]) -> Table {
    let mut table = table::markdown(&["direction", "transport", "limit", "measured", "error"], 2);
    for row in rows {
        let error = row.measured / row.limit as f64 * 100.0 - 100.0;
        table.add_row([
            row.direction.to_string(),
            format!("{} {}", row.transport, row.family),
            scaled(row.limit as f64, "bit/s"),
            scaled(row.measured, "bit/s"),
            format!("{error:+.2} %"),
        ]);
    }
    table
}

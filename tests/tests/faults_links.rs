//! Links are attached again, with their limits, whatever becomes of their interfaces and hooks.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::bpf;
use throttle_tests::command;
use throttle_tests::flood::Flood;
use throttle_tests::lab::Lab;
use throttle_tests::leftovers;
use throttle_tests::measure::Meter;
use throttle_tests::require_root;
use throttle_tests::router::{End, Router};
use throttle_tests::traffic::{Direction, Family, MBIT, Transport};

const HOST: End = End::host(0);
const LIMIT: u64 = 4 * MBIT;
const OFFERED: u64 = 40 * MBIT;
/// What the bucket passes at once where no packet came for a while: the default of 250 ms.
const PAUSE: f64 = LIMIT as f64 / 4.0;
/// Where packets kept coming, it is empty.
const NO_PAUSE: f64 = 0.0;
/// How long to look after something was done to the link.
const WINDOW: Duration = Duration::from_millis(1500);
const STEP: Duration = Duration::from_millis(10);
/// The longest that packets may pass unlimited; TCX links are looked at four times a second.
const LONGEST_GAP_MS: f64 = 600.0;

#[test]
fn an_interface_that_comes_back_is_limited_at_once() {
    require_root!();
    let lab = limited("lan*", "auto");
    assert_limited_through(&lab, ("interface made again", PAUSE), || {
        lab.router.cut(0)?;
        lab.router.lay(0)
    });
}

#[test]
fn an_interface_that_is_renamed_stays_limited() {
    require_root!();
    let lab = limited("lan*", "auto");
    assert_limited_through(&lab, ("interface renamed", NO_PAUSE), || {
        // The name of the one before is free again.
        let names = if exists(&lab, "lan0")? { ("lan0", "lan9") } else { ("lan9", "lan0") };
        lab.router.namespace(End::Router).ip(&format!("link set {} name {}", names.0, names.1))
    });
}

#[test]
fn an_interface_that_comes_back_from_another_namespace_is_limited_at_once() {
    require_root!();
    let lab = limited("lan*", "auto");
    assert_limited_through(&lab, ("interface lent", PAUSE), || lab.router.lend(0));
}

#[test]
fn an_interface_that_appears_late_is_limited() {
    require_root!();
    let router = Router::new().unwrap();
    router.cut(0).unwrap();
    let lab = Lab::with(router, &["--iface", "lan*"]).unwrap();
    lab.limit(HOST, Family::V4, Direction::Down, LIMIT).unwrap();
    assert_limited_through(&lab, ("interface made late", PAUSE), || {
        if exists(&lab, "lan0")? {
            lab.router.cut(0)?;
        }
        lab.router.lay(0)
    });
}

#[test]
fn a_root_qdisc_that_others_replace_leaves_the_limit() {
    require_root!();
    let lab = limited("lan0", "auto");
    let router = lab.router.namespace(End::Router);
    for kind in ["pfifo limit 1000", "tbf rate 1gbit burst 1mb limit 1mb"] {
        assert_limited_through(&lab, ("root qdisc replaced", NO_PAUSE), || {
            // One that is there from an attempt before would only be changed.
            let _is_default = router.tc("qdisc del dev lan0 root");
            router.tc(&format!("qdisc replace dev lan0 root {kind}")).map(drop)
        });
    }
}

#[test]
fn a_clsact_qdisc_that_others_remove_comes_back() {
    require_root!();
    let lab = limited("lan0", "clsact");
    assert_limited_through(&lab, ("clsact removed", NO_PAUSE), || {
        lab.router.namespace(End::Router).tc("qdisc del dev lan0 clsact").map(drop)
    });
    assert!(lab.agent.log().contains("detached by others"), "{}", lab.agent.log_tail());
}

#[test]
fn a_tcx_link_that_others_detach_comes_back() {
    require_root!();
    let lab = limited("lan0", "tcx");
    assert_limited_through(&lab, ("TCX link detached", NO_PAUSE), || {
        bpf::detach_pinned(&pin(&lab, "egress").context("the link has no pin")?)
    });
    assert!(lab.agent.log().contains("detached by others"), "{}", lab.agent.log_tail());
}

/// A lab whose one host is limited by a link that is specified like this.
fn limited(interface: &str, hook: &str) -> Lab {
    let arguments = ["--iface", interface, "--hook", hook];
    let lab = Lab::with(Router::new().unwrap(), &arguments).unwrap();
    lab.limit(HOST, Family::V4, Direction::Down, LIMIT).unwrap();
    lab
}

/// A flood to the host is limited again soon after `change`, and stays so. `burst_bits` may pass at once.
fn assert_limited_through(
    lab: &Lab,
    (what, burst_bits): (&str, f64),
    change: impl Fn() -> Result<()>,
) {
    assert_holds(|| {
        let meter = Meter::new(lab.router.namespace(HOST), Family::V4, Transport::Udp)?;
        let _flood =
            Flood::new(&lab.router, End::Server, HOST, Family::V4).rate(OFFERED).start()?;
        thread::sleep(Duration::from_secs(1));
        let (before, began) = (meter.sample()?, Instant::now());
        change()?;
        let samples = meter.series(STEP, began + WINDOW)?;
        let last = samples[samples.len() - 1];
        let (passed_bits, seconds) =
            ((last.bytes - before.bytes) as f64 * 8.0, (last.at - before.at).as_secs_f64());
        let unlimited_bits = passed_bits - LIMIT as f64 * seconds - burst_bits;
        let gap_ms = (unlimited_bits / OFFERED as f64 * 1000.0).max(0.0);
        let after = meter.rate_over(Duration::from_secs(1))?.bits_per_second;
        Ok(vec![
            Reading::new(
                format!("{what}, unlimited"),
                gap_ms,
                LONGEST_GAP_MS,
                "ms",
                Bar::AtMost(100.0),
            ),
            Reading::new(format!("{what}, after"), after, LIMIT as f64, "bit/s", Bar::Within(5.0)),
        ])
    });
}

fn exists(lab: &Lab, interface: &str) -> Result<bool> {
    let mut ip = lab.router.namespace(End::Router).command("ip")?;
    Ok(command::run(ip.args(["-o", "link", "show"]))?.contains(&format!(": {interface}@")))
}

/// The pin of the agent's only link at a hook.
fn pin(lab: &Lab, hook: &str) -> Option<PathBuf> {
    let directories = leftovers::of_instance(lab.agent.instance()).into_iter();
    let pins = directories.filter_map(|directory| std::fs::read_dir(directory).ok()).flatten();
    let mut paths = pins.flatten().map(|pin| pin.path());
    paths.find(|path| path.to_string_lossy().ends_with(&format!("-{hook}")))
}

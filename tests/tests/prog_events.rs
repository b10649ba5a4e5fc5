//! What the program tells of hosts that exceed their limits.

use std::thread::sleep;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use throttle_agent::datapath::{Exceeding, ExcessEvents};
use throttle_agent::policy::Rates;
use throttle_common::abi::{Direction, EVENT_BURST, EVENTS_PER_SECOND, Hook, LastExcess, Side};
use throttle_common::verdict::Reason;
use throttle_tests::packets::Frame;
use throttle_tests::prog::{Program, limits, with_capacity, with_program};
use throttle_tests::require_root;

const HOST: &str = "10.0.0.1";
const PEER: &str = "192.0.2.7";
const PREFIX: &str = "10.0.0.0/8";

fn events(program: &mut Program) -> ExcessEvents {
    program.datapath().excess_events().expect("nobody else reads them")
}

/// Packets that a host sends. One lasts for ten seconds at [`rates`].
fn up(program: &mut Program, host: &str, packets: u32) {
    let peer = if host.contains(':') { "2001:db9::1" } else { PEER };
    let frame = Frame::udp(host, peer).bytes();
    for _ in 0..packets {
        program.run(Hook::Ingress, &frame);
    }
}

/// One packet and no more, for as long as a test takes.
fn rates() -> Rates {
    limits::rated(800, 1)
}

fn exceeding(host: &str, direction: Direction, reason: Reason) -> Exceeding {
    Exceeding { host: host.parse().expect("an address"), direction, reason }
}

/// The time by which the program spends its budget: it stands still for milliseconds and then jumps, so any other
/// clock would say less.
fn coarse() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE).expect("every Linux has it").into()
}

/// Longer than the pause after which a host begins to exceed its limit anew, whatever the phase of the clock.
fn pause() {
    sleep(Duration::from_nanos(3 * LastExcess::TICK_NS));
}

#[test]
fn a_host_that_begins_to_exceed_its_limit_is_told_of_once_and_again_after_a_pause() {
    require_root!();
    with_program(Side::Far, |program| {
        let mut events = events(program);
        program.set(&limits::each(PREFIX, rates()));
        up(program, HOST, 1);
        assert_eq!(events.next(), None, "a packet that conforms is told of by nobody");
        assert_eq!(program.host(HOST).expect("it was made").last_excess, [None, None]);
        up(program, HOST, 20);
        let told = exceeding(HOST, Direction::Up, Reason::HostBytes);
        assert_eq!(events.next(), Some(told));
        assert_eq!(events.next(), None, "it goes on, it does not begin");
        let [last, down] = program.host(HOST).expect("it was made").last_excess;
        let last = last.expect("an excess");
        assert_eq!((last.reason, down), (Reason::HostBytes, None));
        assert!(last.ago_ns <= 2 * LastExcess::TICK_NS, "{} ns ago", last.ago_ns);
        pause();
        assert!(
            program.host(HOST).expect("it was made").last_excess[0].expect("an excess").ago_ns > 0
        );
        up(program, HOST, 20);
        assert_eq!(events.next(), Some(told), "after a pause it begins anew");
        assert_eq!((events.next(), events.newly_lost()), (None, 0));
    });
}

#[test]
fn each_host_and_direction_is_told_of_by_itself_with_its_reason() {
    require_root!();
    with_program(Side::Far, |program| {
        let mut events = events(program);
        program.set(&limits::each(PREFIX, limits::packets(1)));
        program.set(&limits::acting(limits::each("10.1.0.0/16", rates()), "observe"));
        program.set(&limits::shared("10.2.0.0/16", rates()));
        program.set(&limits::each("2001:db8::/32", rates()));
        let (watched, sharing) = ("10.1.0.1", "10.2.0.1");
        for host in [HOST, watched, sharing, "2001:db8::5"] {
            up(program, host, 3);
        }
        let back = Frame::udp(PEER, HOST).bytes();
        for _ in 0..3 {
            program.run(Hook::Egress, &back);
        }
        let told: Vec<_> = events.by_ref().collect();
        assert_eq!(
            told,
            [
                exceeding(HOST, Direction::Up, Reason::HostPackets),
                exceeding(watched, Direction::Up, Reason::Observed),
                exceeding(sharing, Direction::Up, Reason::SharedBytes),
                exceeding("2001:db8::", Direction::Up, Reason::HostBytes),
                exceeding(HOST, Direction::Down, Reason::HostPackets),
            ]
        );
    });
}

#[test]
fn a_flood_of_hosts_spends_the_budget_and_the_rest_is_counted() {
    require_root!();
    const HOSTS: u32 = 4500;
    with_capacity(Side::Far, 4 * HOSTS, |program| {
        let mut events = events(program);
        program.set(&limits::each(PREFIX, rates()));
        let hosts: Vec<_> =
            (0..HOSTS).map(|number| format!("10.1.{}.{}", number >> 8, number & 0xff)).collect();
        hosts.iter().for_each(|host| up(program, host, 1));
        let begun = coarse();
        hosts.iter().for_each(|host| up(program, host, 1));
        let refilled = (coarse() - begun).as_nanos() as u64 * EVENTS_PER_SECOND / 1_000_000_000;
        let tracked = program.counters().hosts_tracked;
        let told = events.by_ref().count() as u64;
        let lost = events.newly_lost();
        assert!((EVENT_BURST..=EVENT_BURST + refilled + 2).contains(&told), "{told} were told");
        assert_eq!(told + lost, tracked, "each host that has a way is told of or counted");
        assert_eq!(events.newly_lost(), 0, "what is lost is reported once");
        let up = program.tallies(Direction::Up);
        let refused = [Reason::HostBytes, Reason::OverflowBytes].map(|of| up[of as usize].packets);
        assert_eq!(
            refused.iter().sum::<u64>(),
            u64::from(HOSTS),
            "each is refused, told of or not"
        );
    });
}

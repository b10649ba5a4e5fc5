//! What the bucket promises, one packet after the other; [`levels`] has the promises of several
//! levels, [`credit`] those of a burst granted once, [`advance`] those of what is charged in advance,
//! [`exact`] compares trees with exact fractions, [`corners`] walks whole domains, [`contention`] and [`model`]
//! have the promises of processors at once.

mod advance;
mod contention;
mod corners;
mod credit;
mod exact;
mod levels;
mod model;

use core::sync::atomic::{AtomicU64, Ordering};
use std::{thread, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::{
    abi::{Direction, Limit, LimitRates},
    cell::Cell,
    packet::Wire,
    rate::{TICKS_PER_NS, TICKS_PER_SECOND},
};

/// A limit of both directions.
const fn limit_to(bytes: Rate, packets: Rate) -> Limit {
    // SAFETY: a limit is made of integers, arrays of them and an address, which is two of them.
    let mut limit: Limit = unsafe { core::mem::zeroed() };
    limit.rates = [LimitRates { bytes, packets }; 2];
    limit
}

/// The limit of a level that is absent.
const ABSENT: Limit = limit_to(Rate::UNLIMITED, Rate::UNLIMITED);

/// A packet sent by the host.
const fn packet_of(len: u32, phase: u64) -> Load {
    Load { direction: Direction::Up, wire: Wire::single(len), phase }
}

/// A clock that stands where it is set; the coarse one lags by a timer period of 4 ms.
#[derive(Default)]
struct FakeClock {
    now: AtomicU64,
}

const PERIOD: u64 = 4_000_000 * TICKS_PER_NS;

impl FakeClock {
    fn set(&self, ticks: u64) {
        self.now.store(ticks, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn coarse(&self) -> u64 {
        let now = self.precise();
        now - now % PERIOD
    }

    fn precise(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }
}

/// A host with both buckets, alone and, in the twin, below levels that are absent.
#[derive(Default)]
struct Host {
    bytes: Cell,
    packets: Cell,
    twin: [Cell; 2],
    clock: FakeClock,
    sent: u64,
}

impl Host {
    fn send(&mut self, now: u64, len: u32, bytes: &Rate, packets: &Rate) -> Result<(), Kind> {
        self.clock.set(now);
        let limit = limit_to(*bytes, *packets);
        let load = packet_of(len, self.sent);
        let host = Account::new(&limit, &self.bytes, &self.packets);
        let outcome = admit_alone(&self.clock, &host, load);
        assert_eq!(self.send_below_nothing(&limit, load), outcome);
        let twin = self.twin.each_ref().map(Cell::load);
        assert_eq!(twin, [self.bytes.load(), self.packets.load()]);
        self.sent += u64::from(outcome.refused.is_none());
        match outcome.refused {
            None => Ok(()),
            Some(Refused::HostBytes) => Err(Kind::Bytes),
            Some(Refused::HostPackets) => Err(Kind::Packets),
            Some(other) => panic!("{other:?} without a parent"),
        }
    }

    fn send_below_nothing(&self, limit: &Limit, load: Load) -> Outcome {
        let [bytes_tat, packets_tat] = &self.twin;
        let host = Account::new(limit, bytes_tat, packets_tat);
        let absent = Cell::new(u64::MAX / 4);
        let nothing = || Account::new(&ABSENT, &absent, &absent);
        let outcome = admit(&self.clock, &Levels { host, group: nothing(), link: nothing() }, load);
        assert_eq!(absent.load(), u64::MAX / 4, "nothing is charged where nothing is limited");
        outcome
    }

    /// Grants a credit to the byte bucket.
    fn grant(&self, now: u64, ticks: u64) {
        grant(&self.bytes, now, ticks);
        grant(&self.twin[0], now, ticks);
    }
}

/// The same bucket in exact fractions: times are multiplied by the rate.
struct Reference {
    tat: u128,
    bits_per_second: u128,
    burst: u128,
}

impl Reference {
    fn new(bits_per_second: u64, burst_bytes: u64) -> Self {
        let burst = u128::from(burst_bytes) * 8 * u128::from(TICKS_PER_SECOND);
        Self { tat: 0, bits_per_second: bits_per_second.into(), burst }
    }

    fn send(&mut self, now: u64, len: u32) -> bool {
        let now = u128::from(now) * self.bits_per_second;
        let base = self.tat.max(now);
        if base - now > self.burst {
            return false;
        }
        self.tat = base + u128::from(len) * 8 * u128::from(TICKS_PER_SECOND);
        true
    }
}

/// Bytes that the bucket and the reference let pass of packets of `len` bytes that come every `gap`
/// ticks for `duration` ticks, from `start` on.
fn flood(
    bits_per_second: u64,
    burst: u64,
    len: u32,
    gap: u64,
    start: u64,
    duration: u64,
) -> (u64, u64) {
    let rate = Rate::bytes(bits_per_second, burst).unwrap();
    let mut host = Host::default();
    let mut reference = Reference::new(bits_per_second, burst);
    let (mut passed, mut exact) = (0, 0);
    let mut now = start;
    while now < start + duration {
        passed += u64::from(host.send(now, len, &rate, &Rate::UNLIMITED).is_ok()) * u64::from(len);
        exact += u64::from(reference.send(now, len)) * u64::from(len);
        now += gap;
    }
    (passed, exact)
}

const START: u64 = 1_000 * TICKS_PER_SECOND;

#[test]
fn a_flood_gets_the_rate_at_every_rate_and_length() {
    for bits_per_second in [8_000, 1_000_000, 100_000_000, 10_000_000_000, 400_000_000_000_u64] {
        for len in [64, 1500, 65_536] {
            let spacing = u64::from(len) * 8 * TICKS_PER_SECOND / bits_per_second;
            let gap = (spacing / 4).max(1);
            let burst = 16 * u64::from(len);
            let (passed, exact) = flood(bits_per_second, burst, len, gap, START, 20_000 * gap);
            let off = passed.abs_diff(exact);
            let allowed = u64::from(len) + exact / 1_000 * 6;
            assert!(off <= allowed, "{len} bytes at {bits_per_second}: {passed} of {exact}");
        }
    }
}

#[test]
fn a_pause_of_any_length_earns_one_burst_and_no_more() {
    let (bits_per_second, burst, len) = (10_000_000, 312_500, 1500);
    let rate = Rate::bytes(bits_per_second, burst).unwrap();
    for pause_ms in [100_u64, 700, 20_000, 3_600_000, 365 * 86_400_000] {
        let mut host = Host::default();
        while host.send(START, len, &rate, &Rate::UNLIMITED).is_ok() {}
        let now = START + pause_ms * 1_000_000 * TICKS_PER_NS;
        let mut passed = 0;
        while host.send(now, len, &rate, &Rate::UNLIMITED).is_ok() {
            passed += u64::from(len);
        }
        let drained = (bits_per_second / 8 * pause_ms / 1_000).min(burst);
        let period = bits_per_second / 8 * 4 / 1_000;
        assert!(passed + u64::from(len) >= drained, "{pause_ms} ms: {passed} of {drained}");
        assert!(
            passed <= drained + period + 2 * u64::from(len),
            "{pause_ms} ms: {passed} of {drained}"
        );
    }
}

#[test]
fn a_packet_larger_than_the_room_passes_and_is_paid_back() {
    let rate = Rate::bytes(1_000_000, 1).unwrap();
    let mut host = Host::default();
    assert_eq!(host.send(START, 65_536, &rate, &Rate::UNLIMITED), Ok(()));
    let paid_back = START + 65_536 * 8 * TICKS_PER_SECOND / 1_000_000;
    let refused = Err(Kind::Bytes);
    assert_eq!(host.send(paid_back - PERIOD, 64, &rate, &Rate::UNLIMITED), refused);
    assert_eq!(host.send(paid_back, 64, &rate, &Rate::UNLIMITED), Ok(()));
}

#[test]
fn refused_until_a_time_is_refused_before_and_passed_then() {
    let rate = Rate::bytes(8_000_000, 3_000).unwrap();
    let mut host = Host::default();
    while host.send(START, 1500, &rate, &Rate::UNLIMITED).is_ok() {}
    let wait = wait(host.bytes.load(), START, &rate);
    assert!(wait > 0);
    assert!(host.send(START + wait - 1, 1500, &rate, &Rate::UNLIMITED).is_err());
    assert!(host.send(START + wait, 1500, &rate, &Rate::UNLIMITED).is_ok());
}

#[test]
fn a_packet_that_one_bucket_refuses_is_charged_to_neither() {
    let bytes = Rate::bytes(1_000_000_000, 1 << 20).unwrap();
    let packets = Rate::packets(10, 2).unwrap();
    let mut host = Host::default();
    while host.send(START, 100, &bytes, &packets).is_ok() {}
    let before = (host.bytes.load(), host.packets.load());
    assert_eq!(host.send(START, 100, &bytes, &packets), Err(Kind::Packets));
    assert_eq!((host.bytes.load(), host.packets.load()), before);
}

#[test]
fn a_new_burst_cuts_the_debt_and_leaves_a_smaller_one() {
    let tat = Cell::new(START + 1_000);
    clamp(&tat, START, 400);
    assert_eq!(tat.load(), START + 400);
    clamp(&tat, START, 500);
    assert_eq!(tat.load(), START + 400);
    let idle = Cell::new(7);
    clamp(&idle, START, 0);
    assert_eq!(idle.load(), 7);
}

#[test]
fn processors_that_share_a_bucket_lose_no_charge_and_overshoot_by_a_packet_each() {
    const THREADS: u64 = 4;
    let rate = Rate::bytes(1_000_000_000, 10_000_000).unwrap();
    let (tat, clock) = (Cell::new(0), FakeClock::default());
    clock.set(START);
    let cost = rate.cost(1500, 0);
    let limit = limit_to(rate, Rate::UNLIMITED);
    let passed: u64 = thread::scope(|scope| {
        let flood = || {
            let host = Account::new(&limit, &tat, &tat);
            let passes = || admit_alone(&clock, &host, packet_of(1500, 0)).refused.is_none();
            (0..20_000).filter(|_| passes()).count() as u64
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(flood)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    // The first packet found an idle bucket and charged it from the coarse time on.
    assert_eq!(tat.load(), clock.coarse() + passed * cost);
    assert!(passed * cost <= rate.burst_ticks + PERIOD + THREADS * cost);
    assert!(passed * cost > rate.burst_ticks);
}

#[test]
fn units_per_refill_time_are_exact() {
    // 1000 operations per second, asked for as 10 per 10 ms.
    let asked = Rate::refilled(10, 10_000_000).unwrap();
    assert_eq!(asked, Rate::packets(1_000, 10).unwrap());
    let bytes = Rate::refilled(1 << 20, 100_000_000).unwrap();
    assert_eq!(bytes.burst_ticks, 100_000_000 * TICKS_PER_NS);
    // One packet in three seconds is no whole number of packets per second.
    assert_eq!(Rate::refilled(1, 3_000_000_000).unwrap().cost(1, 0), 3 * TICKS_PER_SECOND);
    assert_eq!(Rate::refilled(0, 1), None);
}

proptest! {
    /// Whatever the arrivals, no window passes more than rate * time + burst, one packet and one
    /// timer period.
    #[test]
    fn no_window_passes_more_than_the_limit(
        bits_per_second in 8_000_u64..=400_000_000_000,
        burst in 1_u64..1 << 20,
        arrivals in prop::collection::vec((0_u64..1 << 34, 20_u32..1 << 19), 1..200),
    ) {
        let rate = Rate::bytes(bits_per_second, burst).unwrap();
        let mut host = Host::default();
        let mut now = START;
        let mut charged: Vec<(u64, u64)> = Vec::new();
        for (gap, len) in arrivals {
            now += gap;
            let cost = rate.cost(len, host.sent);
            if host.send(now, len, &rate, &Rate::UNLIMITED).is_ok() {
                charged.push((now, cost));
            }
        }
        for (first, (start, _)) in charged.iter().enumerate() {
            let mut sum = 0;
            for (end, cost) in &charged[first..] {
                // The packet itself may overshoot; those before it may not.
                prop_assert!(sum <= end - start + rate.burst_ticks + PERIOD);
                sum += cost;
            }
        }
    }

    /// Against exact fractions, with pauses: never more than a packet and the rounding apart.
    #[test]
    fn random_traffic_matches_exact_fractions(
        bits_per_second in 8_000_u64..=10_000_000_000,
        gaps in prop::collection::vec(1_u64..4, 100..400),
        len in 64_u32..=65_536,
    ) {
        let burst = bits_per_second / 32 + 65_536;
        let spacing = (u64::from(len) * 8 * TICKS_PER_SECOND / bits_per_second / 4).max(1);
        let rate = Rate::bytes(bits_per_second, burst).unwrap();
        let (mut host, mut reference) = (Host::default(), Reference::new(bits_per_second, burst));
        let (mut passed, mut exact, mut now) = (0_u64, 0_u64, START);
        for gap in gaps {
            now += gap * spacing;
            passed += u64::from(host.send(now, len, &rate, &Rate::UNLIMITED).is_ok());
            exact += u64::from(reference.send(now, len));
        }
        let period = PERIOD * bits_per_second / 8 / TICKS_PER_SECOND / u64::from(len);
        prop_assert!(passed.abs_diff(exact) <= 1 + period + exact * 6 / 1_000);
    }
}

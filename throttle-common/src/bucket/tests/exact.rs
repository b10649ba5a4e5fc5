//! Trees of buckets beside exact ones, whatever the traffic and however limits change meanwhile.
//!
//! The exact tree keeps every debt as a fraction, and is charged the exact cost of what the buckets let
//! pass. At every packet, at each level, for bytes and packets alike:
//!
//! * a bucket that refuses has an exact debt above its burst, less what was rounded;
//! * one that passes has an exact debt of at most its burst, what was rounded, and one lag of the coarse clock
//!   (a grant that meets a lag makes it part of the credit, so each adds one);
//! * their debts differ by no more than that, so no error adds up: neither over pauses, nor over changes.
//!
//! What is rounded is less than a tick for each packet and each change since the bucket was idle, and for each
//! unit one part of a tick in two to the power of the rate's shift.

use super::*;

/// Binary digits of an exact time behind the point.
const DIGITS: u32 = 20;

/// A clock whose coarse time lags as it is told.
struct LaggingClock {
    now: u64,
    lag: u64,
}

impl Clock for LaggingClock {
    fn coarse(&self) -> u64 {
        self.now - self.lag
    }

    fn precise(&self) -> u64 {
        self.now
    }
}

/// A rate as it was asked for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    /// What so many units last, in ticks.
    ticks: u128,
    units: u64,
    burst: u64,
}

impl Asked {
    fn bytes(bits_per_second: u64, burst: u64) -> Self {
        Self { ticks: 8 * u128::from(TICKS_PER_SECOND), units: bits_per_second, burst }
    }

    fn packets(per_second: u64, burst: u64) -> Self {
        Self { ticks: TICKS_PER_SECOND.into(), units: per_second, burst }
    }

    /// What some units last, in fractions of a tick, rounded down.
    fn exact(self, units: u64) -> i128 {
        (((u128::from(units) * self.ticks) << DIGITS) / u128::from(self.units)) as i128
    }
}

/// A bucket and its exact twin.
struct Twin {
    tat: Cell,
    rate: Rate,
    asked: Asked,
    /// The exact arrival time; below zero what is left of a grant.
    exact: i128,
    /// By how much both may differ.
    rounded: i128,
    lagged: i128,
    /// Lags that grants have made part of a credit.
    granted_lags: i128,
}

/// The scale of exact times.
const TICK: i128 = 1 << DIGITS;

impl Twin {
    fn new(asked: Asked, rate: Rate) -> Self {
        let tat = Cell::new(0);
        Self { tat, rate, asked, exact: 0, rounded: 0, lagged: 0, granted_lags: 0 }
    }

    fn exact_debt(&self, now: u64) -> i128 {
        (self.exact - i128::from(now) * TICK).max(0)
    }

    /// What is told of the packet that comes at a time, before it is charged.
    fn foresee(&mut self, now: u64) -> (bool, bool) {
        let debt = self.exact_debt(now);
        let found = self.tat.load();
        // A bucket that is idle by both has forgotten what was rounded.
        let owes = debt != 0 || super::debt(found, now) != 0;
        if !owes && self.exact >= 0 && credit(found) == 0 {
            (self.rounded, self.lagged, self.granted_lags) = (0, 0, 0);
        }
        let burst = self.asked.exact(self.asked.burst);
        let may_refuse = debt + self.rounded + TICK > burst;
        let may_pass = debt <= burst + self.rounded + self.lags() + TICK;
        (may_refuse, may_pass)
    }

    /// Charges the exact twin for what has passed.
    fn charge(&mut self, now: u64, lag: u64, units: u32) {
        let cost = self.asked.exact(units.into());
        if self.exact < 0 {
            let left = self.exact + cost;
            self.exact = if left < 0 { left } else { i128::from(now) * TICK + left };
        } else {
            self.exact = self.exact.max(i128::from(now) * TICK) + cost;
        }
        self.lagged = self.lagged.max(i128::from(lag) * TICK);
        // Less than a tick, and half of the last digit of the rate for each unit.
        self.rounded += TICK + 1 + ((i128::from(units) * TICK) >> self.rate.shift);
    }

    fn check(&self, now: u64) {
        let found = i128::from(super::debt(self.tat.load(), now)) * TICK;
        let exact = self.exact_debt(now);
        assert!(found <= exact + self.rounded, "{found} is more than {exact} and {}", self.rounded);
        let least = exact - self.rounded - self.lags();
        assert!(found >= least, "{found} is less than {least} of {exact}");
    }

    /// Puts another limit in the place of this one.
    fn change(&mut self, now: u64, asked: Asked, rate: Rate) {
        clamp(&self.tat, now, rate.burst_ticks);
        (self.asked, self.rate) = (asked, rate);
        let most = i128::from(now) * TICK + asked.exact(asked.burst);
        self.exact = self.exact.min(most);
        self.rounded += TICK;
    }

    fn grant(&mut self, now: u64, bytes: u64) {
        let granted = self.rate.with_burst_units(bytes).unwrap().burst_ticks;
        grant(&self.tat, now, granted);
        let left = i128::from(granted) * TICK - self.exact_debt(now);
        self.exact = if left > 0 { -left } else { self.exact - i128::from(granted) * TICK };
        self.rounded += TICK;
        self.granted_lags = self.lags();
        self.lagged = 0;
    }

    fn lags(&self) -> i128 {
        self.lagged + self.granted_lags
    }
}

/// Levels from the host up, each with bytes, then packets.
type Tree = [[Twin; 2]; 3];

fn twin(random: Chosen, is_bytes: bool) -> Twin {
    let (asked, rate) = chosen(random, is_bytes);
    Twin::new(asked, rate)
}

/// A rate, a burst, and which of the extremes they are to be.
type Chosen = (u64, u64, u8);

/// Rates of the whole range that a limit may have, evenly over their orders of magnitude.
fn chosen((rate, burst, extreme): Chosen, is_bytes: bool) -> (Asked, Rate) {
    let (least, most) = if is_bytes { (8_000, 400_000_000_000) } else { (1, 1_000_000_000) };
    let rate = match extreme {
        0 => least,
        1 => most,
        _ => (rate >> (rate % 40)).clamp(least, most),
    };
    // A day at the rate at most, as the agent takes them.
    let per_day = rate / if is_bytes { 8 } else { 1 } * 86_400;
    let burst = 1 + (burst >> (burst % 40)) % per_day;
    if is_bytes {
        (Asked::bytes(rate, burst), Rate::bytes(rate, burst).unwrap())
    } else {
        (Asked::packets(rate, burst), Rate::packets(rate, burst).unwrap())
    }
}

/// Something that happens.
#[derive(Debug, Clone)]
enum Event {
    /// A packet of some length, and how far the coarse clock lags.
    Packet(u32, u64),
    /// So many ticks pass.
    Pause(u64),
    /// A level gets other rates.
    Change(usize, Chosen, Chosen),
    /// The host is granted so many bytes once.
    Grant(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let lengths = prop_oneof![4 => 20_u32..1600, 1 => 1600_u32..=512 * 1024, 1 => Just(512 * 1024)];
    let pauses = prop_oneof![6 => 0..1_u64 << 24, 3 => 0..1_u64 << 36, 1 => 0..1_u64 << 57];
    prop_oneof![
        12 => (lengths, 0..PERIOD).prop_map(|(len, lag)| Event::Packet(len, lag)),
        6 => pauses.prop_map(Event::Pause),
        1 => (0_usize..3, any::<Chosen>(), any::<Chosen>())
            .prop_map(|(level, bytes, packets)| Event::Change(level, bytes, packets)),
        1 => (1_u64..1 << 20).prop_map(Event::Grant),
    ]
}

fn send(tree: &mut Tree, now: u64, lag: u64, len: u32, phase: u64) {
    let limits = tree.each_ref().map(|[bytes, packets]| limit_to(bytes.rate, packets.rate));
    let foreseen = tree.each_mut().map(|twins| twins.each_mut().map(|twin| twin.foresee(now)));
    let [host, group, link] = [0, 1, 2].map(|level| {
        let [bytes, packets] = &tree[level];
        Account::new(&limits[level], &bytes.tat, &packets.tat)
    });
    let clock = LaggingClock { now, lag };
    let outcome = admit(&clock, &Levels { host, group, link }, packet_of(len, phase));
    match outcome.refused {
        None => {
            let can_pass = foreseen.iter().flatten().all(|(_, may_pass)| *may_pass);
            assert!(can_pass, "{len} bytes pass: {foreseen:?}");
            for [bytes, packets] in tree.iter_mut() {
                bytes.charge(now, lag, len);
                packets.charge(now, lag, 1);
            }
        }
        Some(by) => {
            let (level, kind) = ((by as usize - 1) / 2, (by as usize - 1) % 2);
            let (may_refuse, _) = foreseen[level][kind];
            assert!(may_refuse, "{by:?} refuses {len} bytes: {foreseen:?}");
        }
    }
    tree.iter().flatten().for_each(|twin| twin.check(now));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn trees_keep_to_exact_fractions_whatever_happens(
        start in 1_u64 << 40..1 << 60,
        rates in prop::array::uniform3((any::<Chosen>(), any::<Chosen>())),
        events in prop::collection::vec(event(), 1..300),
    ) {
        let mut tree: Tree = rates.map(|(bytes, packets)| [twin(bytes, true), twin(packets, false)]);
        let (mut now, mut phase) = (start, start);
        for event in events {
            phase = phase.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            match event {
                Event::Packet(len, lag) => send(&mut tree, now, lag, len, phase),
                // Times stay below 2^62, as they do for nine years.
                Event::Pause(ticks) => now = (now + ticks).min(1 << 62),
                Event::Change(level, bytes, packets) => {
                    let [first, second] = &mut tree[level];
                    let (asked, rate) = chosen(bytes, true);
                    first.change(now, asked, rate);
                    let (asked, rate) = chosen(packets, false);
                    second.change(now, asked, rate);
                }
                Event::Grant(bytes) => tree[0][0].grant(now, bytes),
            }
        }
    }
}

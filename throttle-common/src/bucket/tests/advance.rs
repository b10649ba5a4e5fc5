//! What processors are charged for in advance, one packet after the other; [`model`](super::model) has
//! what holds of them at once.

use super::*;
use crate::bucket::Advances;

/// A bucket that some processors share.
struct Bucket {
    limit: Limit,
    tat: Cell,
    absent: Cell,
    processors: Vec<Advances>,
    clock: FakeClock,
}

impl Bucket {
    fn new(rate: Rate, processors: usize) -> Self {
        let limit = limit_to(rate, Rate::UNLIMITED);
        let processors = (0..processors).map(|_| Advances::new()).collect();
        Self {
            limit,
            tat: Cell::new(0),
            absent: Cell::new(0),
            processors,
            clock: FakeClock::default(),
        }
    }

    /// Whether a packet of `len` bytes passes.
    fn send(&self, processor: usize, len: u32, now: u64) -> bool {
        self.clock.set(now);
        let account = Account::new(&self.limit, &self.tat, &self.absent);
        let account = account.in_advance(self.processors[processor].of(7, 1));
        admit_alone(&self.clock, &account, packet_of(len, 0)).refused.is_none()
    }

    fn debt(&self, now: u64) -> u64 {
        debt(self.tat.load(), now)
    }
}

const LEN: u32 = 1000;
const BURST_PACKETS: u64 = 1024;

fn rate() -> Rate {
    Rate::bytes(8_000_000_000, BURST_PACKETS * u64::from(LEN)).unwrap()
}

fn cost() -> u64 {
    rate().cost(LEN, 0)
}

#[test]
fn a_processor_that_is_ahead_leaves_the_word_alone() {
    let bucket = Bucket::new(rate(), 1);
    let (size, first) = (BURST_PACKETS / 64, START);
    for sent in 0..=size {
        assert!(bucket.send(0, LEN, first));
        assert_eq!(bucket.debt(first), (1 + size) * cost(), "after packet {sent}");
    }
    assert!(bucket.send(0, LEN, first));
    assert_eq!(bucket.debt(first), 2 * (1 + size) * cost());
}

#[test]
fn what_the_last_packet_costs_beyond_is_charged_to_the_bucket() {
    let bucket = Bucket::new(rate(), 1);
    for len in [LEN, 15_500, 1500] {
        assert!(bucket.send(0, len, START));
    }
    assert_eq!(bucket.debt(START), 18 * cost());
}

#[test]
fn what_lies_in_the_past_is_not_spent() {
    let bucket = Bucket::new(rate(), 1);
    assert!(bucket.send(0, LEN, START));
    let later = START + PERIOD;
    assert!(bucket.send(0, LEN, later));
    assert_eq!(bucket.debt(later), 17 * cost(), "it takes more along");
    let latest = later + PERIOD;
    let passed = (0..2 * BURST_PACKETS).filter(|_| bucket.send(0, LEN, latest)).count() as u64;
    assert!(passed <= BURST_PACKETS + 1, "{passed} packets at once");
}

#[test]
fn a_bucket_that_fills_up_is_charged_packet_by_packet() {
    let bucket = Bucket::new(rate(), 2);
    let quarter = rate().burst_ticks / 4;
    while bucket.debt(START) <= quarter {
        assert!(bucket.send(0, LEN, START));
    }
    let before = bucket.debt(START);
    assert!(bucket.send(1, LEN, START));
    assert_eq!(bucket.debt(START), before + cost());
}

#[test]
fn a_packet_that_is_large_for_the_burst_takes_nothing_along() {
    let bucket = Bucket::new(rate(), 1);
    let large = 5 * LEN;
    assert!(bucket.send(0, large, START));
    assert_eq!(bucket.debt(START), rate().cost(large, 0));
}

#[test]
fn many_idle_processors_leave_most_of_the_burst_to_one() {
    let bucket = Bucket::new(rate(), 256);
    for processor in 1..256 {
        assert!(bucket.send(processor, LEN, START));
    }
    let passed = (0..BURST_PACKETS).filter(|_| bucket.send(0, LEN, START)).count() as u64;
    assert!(passed >= BURST_PACKETS / 2 - 16, "{passed} packets of {BURST_PACKETS}");
}

#[test]
fn a_new_limit_and_another_row_begin_anew() {
    let advances = Advances::new();
    let (limit, tat, absent) = (limit_to(rate(), Rate::UNLIMITED), Cell::new(0), Cell::new(0));
    let clock = FakeClock::default();
    clock.set(START);
    let send = |row, slot| {
        let account = Account::new(&limit, &tat, &absent).in_advance(advances.of(row, slot));
        assert_eq!(admit_alone(&clock, &account, packet_of(LEN, 0)).refused, None);
        debt(tat.load(), START) / cost()
    };
    assert_eq!([send(7, 1), send(7, 1), send(7, 2), send(8, 2), send(8, 2)], [17, 17, 34, 51, 51]);
}

/// A packet of a run: by which processor, how long, and after which pause, in thousandths of the burst.
fn packets() -> impl Strategy<Value = Vec<(usize, u32, u64)>> {
    let pause = prop_oneof![6 => Just(0), 3 => 1_u64..60, 1 => 0_u64..3000];
    prop::collection::vec((0_usize..3, 64_u32..1500, pause), 1..400)
}

proptest! {
    /// The coarse clock lags by up to a period.
    #[test]
    fn no_window_passes_more_than_without(
        packets in packets(), burst in 2_000_u64..60_000, shift in 1_u32..=6,
    ) {
        let rate = Rate::bytes(100_000_000, burst).unwrap().advancing(shift);
        let bucket = Bucket::new(rate, 3);
        let (mut now, mut passed) = (START, Vec::new());
        for (processor, len, pause) in packets {
            now += rate.burst_ticks / 1000 * pause;
            if bucket.send(processor, len, now) {
                passed.push((now, rate.cost(len, 0)));
            }
        }
        for (first, (began, _)) in passed.iter().enumerate() {
            let (mut sum, mut dearest) = (0, 0);
            for (at, cost) in &passed[first..] {
                sum += cost;
                dearest = dearest.max(*cost);
                let most = at - began + rate.burst_ticks + 3 * dearest + PERIOD;
                prop_assert!(sum <= most, "{sum} ticks in {}, not {most}", at - began);
            }
        }
    }
}

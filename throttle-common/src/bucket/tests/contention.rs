//! Room that another processor takes between two steps of a packet.

use super::*;

/// A word to which another processor adds before one step.
struct Contended {
    word: Cell,
    step: AtomicU64,
    /// The step, and what is added before it.
    addition: (u64, u64),
}

impl Contended {
    fn next_step(&self) {
        let (step, ticks) = self.addition;
        if self.step.fetch_add(1, Ordering::SeqCst) == step {
            self.word.add(ticks);
        }
    }
}

impl AtomicWord for Contended {
    fn load(&self) -> u64 {
        self.next_step();
        self.word.load()
    }

    fn compare_exchange(&self, current: u64, new: u64) -> Result<(), u64> {
        self.next_step();
        self.word.compare_exchange(current, new)
    }

    fn add(&self, value: u64) {
        self.next_step();
        self.word.add(value);
    }
}

const CHECK: u64 = 0;
const CHARGE: u64 = 1;
const EXCHANGE: u64 = 2;

/// What becomes of a packet when another processor adds `ticks` to the group's bucket before a
/// step, and what the buckets of its host, group and link then hold.
fn send(rate: Rate, step: u64, ticks: u64) -> (Option<Refused>, [u64; 3]) {
    let (limit, clock) = (limit_to(rate, Rate::UNLIMITED), FakeClock::default());
    clock.set(START);
    let bucket = |addition| {
        let (word, step) = (Cell::new(START), AtomicU64::new(0));
        Contended { word, step, addition }
    };
    let tats = [(u64::MAX, 0), (step, ticks), (u64::MAX, 0)].map(bucket);
    let [host, group, link] = tats.each_ref().map(|tat| Account::new(&limit, tat, tat));
    let outcome = admit(&clock, &Levels { host, group, link }, packet_of(1000, 0));
    (outcome.refused, tats.map(|tat| tat.word.load() - START))
}

#[test]
fn room_that_another_takes_before_the_charge_refuses_the_packet_and_leaves_no_trace() {
    let rate = Rate::bytes(8_000_000, 2_000).unwrap();
    let taken = rate.burst_ticks + 1;
    for step in [CHECK, CHARGE, EXCHANGE] {
        assert_eq!(send(rate, step, taken), (Some(Refused::GroupBytes), [0, taken, 0]));
    }
}

#[test]
fn room_that_another_leaves_lets_the_packet_pass_and_both_are_charged() {
    let rate = Rate::bytes(8_000_000, 2_000).unwrap();
    let (cost, taken) = (rate.cost(1000, 0), rate.burst_ticks);
    for step in [CHECK, CHARGE, EXCHANGE] {
        assert_eq!(send(rate, step, taken), (None, [cost, cost + taken, cost]));
    }
}

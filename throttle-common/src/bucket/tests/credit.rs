//! A burst that is granted once.

use super::*;

/// A host at 8 Mbit/s with a burst of two packets of 1000 bytes and a bit.
struct Granted {
    host: Host,
    rate: Rate,
}

impl Granted {
    fn new() -> Self {
        Self { host: Host::default(), rate: Rate::bytes(8_000_000, 2_999).unwrap() }
    }

    fn grant(&self, bytes: u32) {
        self.host.grant(START, self.rate.cost(bytes, 0));
    }

    /// Packets of 1000 bytes that pass at once.
    fn flood(&mut self, now: u64) -> u64 {
        let mut passed = 0;
        while self.host.send(now, 1000, &self.rate, &Rate::UNLIMITED).is_ok() {
            passed += 1;
        }
        passed
    }
}

#[test]
fn a_credit_is_used_up_before_the_bucket_counts_and_is_not_refilled() {
    let mut granted = Granted::new();
    granted.grant(10_000);
    assert_eq!(granted.flood(START), 13, "ten at once for the credit, three for the burst");
    assert_eq!(granted.flood(START + 1_000 * TICKS_PER_SECOND), 3);
}

#[test]
fn what_a_credit_does_not_cover_of_a_packet_is_debt() {
    let mut granted = Granted::new();
    granted.grant(10_300);
    let tat = |granted: &Granted| granted.host.bytes.load();
    for _ in 0..10 {
        granted.host.send(START, 1000, &granted.rate, &Rate::UNLIMITED).unwrap();
    }
    assert_eq!(credit(tat(&granted)), granted.rate.cost(300, 0));
    granted.host.send(START, 1000, &granted.rate, &Rate::UNLIMITED).unwrap();
    assert_eq!(credit(tat(&granted)), 0);
    assert_eq!(debt(tat(&granted), START), granted.rate.cost(700, 0));
}

#[test]
fn a_credit_waits_for_an_idle_host_and_pays_a_debt_first() {
    let tat = Cell::new(0);
    grant(&tat, START, 1_000);
    assert_eq!((credit(tat.load()), debt(tat.load(), u64::MAX / 4)), (1_000, 0));
    grant(&tat, START, 700);
    assert_eq!(credit(tat.load()), 700, "a new grant takes the place of the old one");
    let tat = Cell::new(START + 400);
    grant(&tat, START, 1_000);
    assert_eq!(credit(tat.load()), 600);
    let tat = Cell::new(START + 4_000);
    grant(&tat, START, 1_000);
    assert_eq!(debt(tat.load(), START), 3_000);
}

#[test]
fn a_new_burst_leaves_a_credit() {
    let tat = Cell::new(0);
    grant(&tat, START, 1_000);
    clamp(&tat, START, 0);
    assert_eq!(credit(tat.load()), 1_000);
}

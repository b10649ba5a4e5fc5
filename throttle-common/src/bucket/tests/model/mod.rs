//! Processors that charge the levels of random trees at once, under random schedules; [`every`] schedule of small
//! ones.
//!
//! What holds of every bucket, at any number of levels:
//!
//! * No charge is lost and a refused packet leaves none: beyond what time drains, the word is the
//!   sum of what the packets that the level let pass cost, and of what processors have in advance.
//! * What passes in a window costs at most the length of the window, the burst, one period of the
//!   coarse clock, and one packet of each processor: a packet is charged after it was found to
//!   conform, and each of the others may be at that point too.
//!
//! A window begins while no packet is under way. One that begins in the midst of packets counts
//! from when the first of that unbroken run got under way: a packet charges by the time that it
//! read, and those that lose the exchange to it add to what it left.

mod check;
mod credit;
mod every;
mod processor;
mod tree;

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::vec::Vec;

use shuttle::{
    rand::{Rng, thread_rng},
    sync::atomic::{AtomicU64 as Word, Ordering::SeqCst},
    thread,
};

use super::super::*;
use crate::{cell::AtomicWord, packet::Wire};
use check::check;
use processor::{Advanced, Processor};
use tree::{Node, Tree};

const MAX_PROCESSORS: usize = 4;

/// Every access may be followed by those of others.
impl AtomicWord for Word {
    fn load(&self) -> u64 {
        self.load(SeqCst)
    }

    fn compare_exchange(&self, current: u64, new: u64) -> Result<(), u64> {
        self.compare_exchange(current, new, SeqCst, SeqCst).map(drop)
    }

    fn add(&self, value: u64) {
        self.fetch_add(value, SeqCst);
    }
}

/// A clock that stands until it is advanced.
struct ModelClock {
    now: AtomicU64,
    /// Of the coarse clock.
    period: u64,
}

impl ModelClock {
    fn advance(&self, ticks: u64) {
        self.now.fetch_add(ticks, Ordering::SeqCst);
    }
}

impl Clock for ModelClock {
    fn coarse(&self) -> u64 {
        let now = self.precise();
        now - now % self.period
    }

    fn precise(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }
}

/// One packet and what became of it.
struct Sent {
    processor: usize,
    end: u64,
    /// Its host.
    host: usize,
    /// It crosses no level but its host's.
    alone: bool,
    load: Load,
    outcome: Outcome,
}

impl Tree {
    fn send(&self, processor: usize, advances: Option<&[Advances; 2]>) -> Sent {
        let mut random = thread_rng();
        let (host, alone) = (random.gen_range(0..self.hosts.len()), random.gen_ratio(1, 4));
        let load = self.load();
        let account = self.hosts[host].account();
        let outcome = if alone {
            admit_alone(&self.clock, &account, load)
        } else {
            let group = self.group.account_of(advances.map(|[group, _]| group));
            let link = self.link.account_of(advances.map(|[_, link]| link));
            admit(&self.clock, &Levels { host: account, group, link }, load)
        };
        Sent { processor, end: self.clock.precise(), host, alone, load, outcome }
    }

    /// Lets every processor send, while the clock advances by up to `step` at a time.
    fn round(&self, processors: usize, step: u64) -> Vec<Sent> {
        let running = AtomicUsize::new(processors);
        thread::scope(|scope| {
            let (tree, running) = (self, &running);
            let senders: Vec<_> = (0..processors)
                .map(|processor| {
                    scope.spawn(move || {
                        let packets = thread_rng().gen_range(1..=8);
                        let processor = Processor::new(tree, processor);
                        let sent: Vec<_> = (0..packets).map(|_| processor.send(tree)).collect();
                        processor.end(tree);
                        running.fetch_sub(1, Ordering::SeqCst);
                        sent
                    })
                })
                .collect();
            while step != 0 && running.load(Ordering::SeqCst) != 0 {
                tree.clock.advance(thread_rng().gen_range(0..=step));
                thread::yield_now();
            }
            senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
        })
    }
}

/// Rounds of packets, with no packet under way in between.
fn run(moving: bool) {
    let mut random = thread_rng();
    let tree = Tree::random(moving);
    let processors = random.gen_range(2..=MAX_PROCESSORS);
    let (mut starts, mut rounds) = (Vec::new(), Vec::new());
    for _ in 0..random.gen_range(1..=3) {
        let step = if moving { tree.packet_ticks >> random.gen_range(2..=9) } else { 0 };
        starts.push(tree.clock.precise());
        rounds.push(tree.round(processors, step));
        if moving {
            tree.clock.advance(random.gen_range(0..=4 * tree.packet_ticks));
        }
    }
    check(&tree, &starts, &rounds, moving);
}

#[test]
fn no_charge_is_lost_and_none_is_kept_of_a_refused_packet_while_the_clock_stands() {
    shuttle::check_random(|| run(false), 5_000);
}

#[test]
fn no_window_passes_more_than_the_limit_and_a_packet_of_each_processor() {
    shuttle::check_random(|| run(true), 5_000);
}

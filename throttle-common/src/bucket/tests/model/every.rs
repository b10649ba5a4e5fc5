//! Every schedule of few processors with few packets, while the clock stands.
//!
//! Explored in whole, a step being an access to a word: two processors with a packet each through a host and its
//! group, either with room for one or two; and through a host alone. With `THROTTLE_TESTS_FULL` also levels
//! without room, and a host alone with two packets from each of two processors, or one from each of three. Buckets
//! begin idle, or with a debt. What holds then:
//!
//! * The debt of every bucket is what it was, and the costs of the packets that it let pass: no charge is
//!   lost, and what was charged of a packet that the group then refused is refunded.
//! * A bucket lets pass what it has room for, and at most a packet more of every other processor: one
//!   that conformed when it was found to.

use shuttle::{Config, Runner, scheduler::DfsScheduler};

use super::*;
use crate::{
    bucket::tests::{ABSENT, START, limit_to, packet_of},
    rate::Rate,
};

const LEN: u32 = 1000;

/// More schedules than any of these has.
const MOST: usize = 5_000_000;

/// Processors and their packets, and the levels they cross.
#[derive(Debug, Clone, Copy)]
struct Case {
    processors: u64,
    packets: u64,
    /// Room of the host and of its group, in packets; one that is absent has no limit.
    rooms: [Option<u64>; 2],
    /// Whether buckets have been idle, or else have a debt that leaves this room.
    idle: bool,
}

/// A level that lets so many packets pass, beginning with no debt or with that of a packet.
fn level(room: Option<u64>, idle: bool) -> Node {
    let Some(packets) = room else { return Node::new(ABSENT, [7; 2]) };
    let rate = Rate::bytes(8_000_000, 1).unwrap();
    let owed = if idle { 0 } else { rate.cost(LEN, 0) };
    // A packet passes that finds a debt of at most the burst; without room, that is a tick short.
    let (burst_ticks, owed) = match packets {
        0 => (owed, owed + 1),
        packets => (owed + (packets - 1) * rate.cost(LEN, 0), owed),
    };
    let at_first = if owed == 0 { 7 } else { START + owed };
    Node::new(limit_to(Rate { burst_ticks, ..rate }, Rate::UNLIMITED), [at_first; 2])
}

/// What becomes of the packets of one schedule.
fn run(case: Case) {
    let clock = ModelClock { now: START.into(), period: 1 };
    let [host, group] = case.rooms.map(|room| level(room, case.idle));
    let link = Node::new(ABSENT, [7; 2]);
    let cost = Rate::bytes(8_000_000, 1).unwrap().cost(LEN, 0);
    let passed: u64 = thread::scope(|scope| {
        let send = || {
            let [host, group, link] = [&host, &group, &link].map(Node::account);
            let levels = Levels { host, group, link };
            let passes = || match case.rooms[1] {
                Some(_) => admit(&clock, &levels, packet_of(LEN, 0)).refused.is_none(),
                None => admit_alone(&clock, &levels.host, packet_of(LEN, 0)).refused.is_none(),
            };
            (0..case.packets).filter(|_| passes()).count() as u64
        };
        let senders: Vec<_> = (0..case.processors).map(|_| scope.spawn(send)).collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).sum()
    });
    let mut room = case.processors * case.packets;
    for (node, packets) in [(&host, case.rooms[0]), (&group, case.rooms[1])] {
        let Some(packets) = packets else { continue };
        let owed = debt(node.at_first[0], START);
        let found = debt(node.tats[0].load(SeqCst), START);
        assert_eq!(found, owed + passed * cost, "{passed} packets passed in {case:?}");
        room = room.min(packets);
    }
    let most = if room == 0 { 0 } else { room + case.processors - 1 };
    assert!(passed <= most, "{passed} packets passed in {case:?}");
    // Alone, the host lets all pass that it has room for.
    assert!(case.rooms[1].is_some() || passed >= room, "{passed} packets passed in {case:?}");
}

/// Explores every schedule of a case; returns how many there are.
fn explore(case: Case) -> usize {
    let runner = Runner::new(DfsScheduler::new(Some(MOST), false), Config::new());
    let schedules = runner.run(move || run(case));
    assert!(schedules < MOST, "{case:?} has more than {schedules} schedules");
    schedules
}

/// Whether there is time for everything.
fn is_full() -> bool {
    std::env::var_os("THROTTLE_TESTS_FULL").is_some()
}

#[test]
fn two_processors_below_a_group_lose_no_charge_and_keep_none_in_any_schedule() {
    let all = [[2, 1], [1, 1], [1, 2], [2, 2], [2, 0], [0, 2]];
    let rooms = if is_full() { &all[..] } else { &all[..2] };
    let mut schedules = 0;
    for rooms in rooms {
        for idle in [true, false] {
            let rooms = rooms.map(Some);
            schedules += explore(Case { processors: 2, packets: 1, rooms, idle });
        }
    }
    std::println!("{schedules} schedules");
}

#[test]
fn processors_at_one_host_lose_no_charge_in_any_schedule() {
    let mut schedules = explore(alone(2, 1, 1, true)) + explore(alone(2, 1, 1, false));
    if is_full() {
        for (room, idle) in (1..=3).flat_map(|room| [(room, true), (room, false)]) {
            schedules += explore(alone(2, 2, room, idle)) + explore(alone(3, 1, room, idle));
        }
    }
    std::println!("{schedules} schedules");
}

fn alone(processors: u64, packets: u64, room: u64, idle: bool) -> Case {
    Case { processors, packets, rooms: [Some(room), None], idle }
}

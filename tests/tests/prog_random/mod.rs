//! Random packets under random policies: the program in the kernel and its twin on the host agree on each.
//!
//! What is compared of every packet: the verdict (to go on, or to drop; there is no other), its reason with
//! the packets and bytes that it counts, every byte that comes out, mark, and that no departure time is set: no link
//! here has fq, so a limit that paces polices, and how it delays is what `prog_actions` and `guest_pace` are about. What
//! is compared after every policy: all that was counted by link and reason, by limit, by group and by host.

mod pair;

use std::time::{Duration, Instant};

use throttle_agent::datapath::Options;
use throttle_common::abi::{Hook, Side};
use throttle_common::packet::LinkHeader;
use throttle_tests::flood::pin_to;
use throttle_tests::netns::Namespace;
use throttle_tests::prog::{LINK, LOOPBACK_INDEX, Program, Segments};
use throttle_tests::random::frames::{self, Packet};
use throttle_tests::random::policy::{self, UNIT_NS};
use throttle_tests::random::{self, Random};
use throttle_tests::require_root;
use throttle_tests::restrict::is_full;
use throttle_tests::tap::Tun;

use self::pair::{Interface, Pair};

/// Packets that once were told apart, a line each; what they were is in the line above.
const REGRESSIONS: &str = include_str!("regressions.txt");

/// The seed of the first policy, unless `THROTTLE_TESTS_SEED` gives another. The full variant begins with
/// the time.
const SEED: u64 = 20_260_501;

/// Packets of a policy: enough to be worth loading the program for.
const PACKETS: u64 = 100_000;

/// Packets between changes of a limit.
const CHANGE: u64 = 10_000;

/// A policy's run ends before a unit of its buckets has drained.
const LONGEST: Duration = Duration::from_nanos(UNIT_NS / 2);

/// What the default and the full variant send.
const FULL_PACKETS: u64 = 3_000_000;
const DEFAULT_TIME: Duration = Duration::from_secs(10);

const TUN: &str = "tun0";
/// An interface whose packets have no link header.
const ARPHRD_NONE: u16 = 0xfffe;

/// Runs `test` beside a twin, on loopback and a tun device with hosts on random sides.
fn with_pair(seed: u64, random: &mut Random, test: impl FnOnce(&mut Pair<'_>, &mut Random) + Send) {
    let namespace = Namespace::new("prog").expect("a namespace");
    let _tun = Tun::new(&namespace, TUN, ARPHRD_NONE).expect("a tun device");
    let host_bits = random.pick(&[48, 56, 64, 64, 128]);
    let sides = [(); 2].map(|()| random.pick(&[Side::Far, Side::Near]));
    let run = || {
        // What is taken in advance is taken by a processor.
        pin_to(0).expect("staying on a processor");
        let tun = nix::net::if_::if_nametoindex(TUN).expect("the tun device");
        let interfaces = [(LINK, LOOPBACK_INDEX), (TUN, tun)];
        let interfaces = [0, 1].map(|number| Interface {
            name: interfaces[number].0,
            index: interfaces[number].1,
            side: sides[number],
            header: [LinkHeader::Ethernet, LinkHeader::None][number],
        });
        let options =
            Options { max_hosts: 4096, ipv6_host_prefix: host_bits, ..Program::options() };
        let mut program = Program::open_with(options);
        let mut pair = Pair::new(&mut program, &interfaces, host_bits, seed);
        pair.apply(&policy::policy(random, &[LINK, TUN], host_bits));
        test(&mut pair, random);
    };
    namespace.run(run).expect("the namespace");
}

/// A random policy, and random packets under it; returns how many were compared, and how many left out.
fn compare(seed: u64) -> [u64; 2] {
    let (mut random, mut counts) = (Random::new(seed), [0; 2]);
    with_pair(seed, &mut random, |pair, random| {
        let begun = Instant::now();
        for (link, packet) in regressions() {
            pair.send(link, &packet);
        }
        for number in 0..PACKETS {
            if begun.elapsed() >= LONGEST {
                break;
            }
            if number % CHANGE == CHANGE / 2 {
                let prefix = random.pick(&policy::REPLACED);
                pair.set(&policy::limit(random, prefix));
            }
            let link = usize::from(random.once_in(4));
            let header = [LinkHeader::Ethernet, LinkHeader::None][link];
            let packet = frames::packet(random, header);
            pair.send(link, &packet);
        }
        pair.compare_counters();
        counts = [pair.compared, pair.left_out];
    });
    counts
}

#[test]
fn kernel_and_host_agree_on_every_random_packet() {
    require_root!();
    let is_full = is_full();
    let first = random::seed(SEED);
    let (begun, mut policies, [mut compared, mut left_out]) = (Instant::now(), 0, [0; 2]);
    while if is_full { compared < FULL_PACKETS } else { begun.elapsed() < DEFAULT_TIME } {
        let counts = compare(first.wrapping_add(policies));
        compared += counts[0];
        left_out += counts[1];
        policies += 1;
    }
    println!(
        "{compared} packets under {policies} policies agree; {left_out} were left out, as there are hosts enough"
    );
    assert!(compared > 4 * left_out, "{left_out} packets were left out, {compared} compared");
}

#[test]
fn kernel_and_host_agree_on_every_ethertype() {
    require_root!();
    let (mut random, mut ethertypes, mut compared) = (Random::new(SEED), 0..=u16::MAX, 0);
    while !ethertypes.is_empty() {
        // A machine that is too slow for all of them under one policy goes on under the next.
        with_pair(SEED, &mut random, |pair, random| {
            let begun = Instant::now();
            while begun.elapsed() < LONGEST
                && let Some(ethertype) = ethertypes.next()
            {
                pair.send(0, &frames::of_ethertype(random, ethertype));
            }
            pair.compare_counters();
            compared += pair.compared;
        });
    }
    assert_eq!(compared, 1 << 16);
}

/// Lines as the comparison prints a packet: interface, hook, size and count of segments, bytes in hex.
fn regressions() -> impl Iterator<Item = (usize, Packet)> {
    let lines = REGRESSIONS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [interface, hook, size, count, hex] = words[..] else { panic!("five words: {line}") };
        let number = |text: &str| text.parse().expect("a number");
        let bytes = (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16));
        let packet = Packet {
            hook: if hook == "in" { Hook::Ingress } else { Hook::Egress },
            segments: Segments { size_bytes: number(size), count: number(count) },
            bytes: bytes.collect::<Result<_, _>>().expect("hex digits"),
        };
        (usize::from(interface == TUN), packet)
    })
}

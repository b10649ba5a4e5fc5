//! Counters of many limits, which are read many at once.

use throttle_agent::datapath::Options;
use throttle_common::abi::{Hook, Side};
use throttle_tests::packets::Frame;
use throttle_tests::prog::{Program, limits, with_options};
use throttle_tests::require_root;

const PEER: &str = "192.0.2.7";
const LIMITS: u32 = 600;

#[test]
fn each_limit_has_the_packets_of_its_own_hosts_wherever_its_counters_are() {
    require_root!();
    let options = Options { max_limits: LIMITS + 8, ..Program::options() };
    with_options(Side::Far, options, |program| {
        let prefix = |number: u32| format!("10.{}.{}.0/24", number / 256, number % 256);
        let fast = limits::rated(8_000_000_000, 1 << 20);
        for number in 0..LIMITS {
            program.set(&limits::each(&prefix(number), fast));
        }
        // Long and short stretches of counters that nobody has.
        let is_left = |number: u32| match number {
            0..100 | 300.. => true,
            100..200 => number.is_multiple_of(20),
            200..300 => number.is_multiple_of(3),
        };
        (0..LIMITS).filter(|&number| !is_left(number)).for_each(|number| {
            program.delete(&prefix(number));
        });
        let sent = |number: u32| u64::from(number % 4);
        let from = |number: u32| format!("10.{}.{}.9", number / 256, number % 256);
        for number in (0..LIMITS).filter(|&number| is_left(number)) {
            let up = Frame::udp(&from(number), PEER).layer3_bytes(100).bytes();
            let down = Frame::udp(PEER, &from(number)).layer3_bytes(200).bytes();
            for _ in 0..sent(number) {
                program.run(Hook::Ingress, &up);
                program.run(Hook::Egress, &down);
                program.run(Hook::Egress, &down);
            }
        }
        let found: Vec<_> = program
            .counters()
            .limits
            .into_iter()
            .map(|limit| {
                let passed =
                    [limit.up.passed, limit.down.passed].map(|tally| (tally.packets, tally.bytes));
                (limit.prefix.to_string(), passed)
            })
            .collect();
        let expected: Vec<_> = (0..LIMITS)
            .filter(|&number| is_left(number))
            .map(|number| {
                let sent = sent(number);
                (prefix(number), [(sent, 100 * sent), (2 * sent, 400 * sent)])
            })
            .collect();
        assert_eq!(found, expected);
    });
}

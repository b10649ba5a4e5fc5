//! The limiters that `bench router` compares are in force: they let pass what they are to let pass, and drop
//! what they are to drop.

use std::time::Duration;

use throttle_tests::forwarding::{Effort, Load, Part};
use throttle_tests::require_root;
use throttle_tests::traffic::Family;

/// As many as HTB has classes.
const SOURCES: &[u32] = &[256];
const ROOM: u32 = 1 << 12;

#[test]
fn limiters_that_are_not_reached_forward_every_packet() {
    require_root!();
    hold(Family::V4, Load::Pass);
}

#[test]
fn limiters_drop_the_excess_of_every_source() {
    require_root!();
    for family in Family::ALL {
        hold(family, Load::Excess);
    }
}

fn hold(family: Family, load: Load) {
    let part = Part { family, load, room: ROOM, sources: SOURCES };
    let effort = Effort { runs: 1, window: Duration::from_millis(30), only: "" };
    let rows = part.run(effort).unwrap();
    let limiters = rows.iter().filter(|row| row.contestant.is_limiter()).count();
    assert_eq!(limiters, if family == Family::V4 { 4 } else { 3 });
    for row in &rows {
        assert!(row.is_in_force(), "{row}");
    }
}

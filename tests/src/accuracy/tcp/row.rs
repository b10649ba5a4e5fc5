//! The connections that are measured.

use std::fmt;
use std::time::Duration;

use super::stream::Stream;
use crate::router::{End, Router};
use crate::traffic::{Case, Direction, Family};

/// A LAN for each.
pub(super) const ROUND_TRIPS: [Duration; 3] =
    [Duration::from_millis(1), Duration::from_millis(20), Duration::from_millis(100)];

/// The kernel's names of congestion controls.
const CONGESTION_CONTROLS: [&str; 2] = ["cubic", "bbr"];

/// A connection. Every one has a host of its own, in one IP version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) round_trip: Duration,
    pub(super) congestion: &'static str,
    pub(super) case: Case,
    pub(super) host: End,
}

impl Row {
    /// Every round trip, congestion control, direction and IP version, as far as the name contains `part`.
    pub(super) fn matching(part: &str) -> Vec<Self> {
        let mut rows = Vec::new();
        for (lan, round_trip) in (0..).zip(ROUND_TRIPS) {
            for (congestion, first) in CONGESTION_CONTROLS.into_iter().zip([0, 2]) {
                for (direction, number) in Direction::ALL.into_iter().zip(first..) {
                    let host = End::Host { lan, number };
                    let row = |family| Self {
                        round_trip,
                        congestion,
                        case: Case { direction, family },
                        host,
                    };
                    rows.extend(Family::ALL.map(row));
                }
            }
        }
        rows.retain(|row| row.to_string().contains(part));
        rows
    }

    /// Its connection, over paths as laid for [`ROUND_TRIPS`].
    pub(super) fn stream<'a>(&self, router: &'a Router) -> Stream<'a> {
        let Self { congestion, case: Case { direction, family }, host, .. } = *self;
        Stream { router, host, direction, family, congestion }
    }

    /// Round trip, congestion control, direction and IP version.
    pub(super) fn words(&self) -> [String; 4] {
        let Case { direction, family } = self.case;
        let round_trip = format!("{}ms", self.round_trip.as_millis());
        [round_trip, self.congestion.to_owned(), direction.to_string(), family.to_string()]
    }
}

/// Without white space, as options are.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.words().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::Row;

    #[test]
    fn no_two_rows_share_a_bucket() {
        let rows = Row::matching("");
        assert_eq!(rows.len(), 24);
        let mut prefixes: Vec<_> =
            rows.iter().map(|row| row.host.prefix(row.case.family)).collect();
        prefixes.sort();
        prefixes.dedup();
        assert_eq!(prefixes.len(), rows.len());
    }

    #[test]
    fn rows_are_found_by_parts_of_their_names() {
        let names = |part| Row::matching(part).iter().map(Row::to_string).collect::<Vec<_>>();
        assert_eq!(names("100ms,bbr,down,IPv6"), ["100ms,bbr,down,IPv6"]);
        assert_eq!(names("cubic,up").len(), 6);
        assert!(names("2s").is_empty());
    }
}

//! Bursts that are too small for TCP.

use crate::policy::{Limit, stalls};

/// Whether a limit's burst makes TCP stall. What waits in fq does not.
pub(super) fn is_small(limit: &Limit) -> bool {
    !limit.action.paces() && [limit.up, limit.down, limit.total].iter().any(stalls)
}

/// Counts the limits whose burst makes TCP stall; `None` when there are none.
pub(super) fn warning(limits: &[Limit]) -> Option<String> {
    let mut small = limits.iter().filter(|limit| is_small(limit));
    let first = small.next()?.key();
    let (who, have) = match small.count() {
        0 => (format!("limit {first} has a burst"), "its"),
        others => (format!("{} limits have bursts, {first} among them,", others + 1), "their"),
    };
    Some(format!(
        "{who} below the default of 250ms at {have} rate and 64kb: TCP between near peers will not \
         reach the rate; set without --burst, or with a larger one"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{LimitRequest, RatesRequest};

    fn limit(prefix: &str, action: &str, burst_bytes: Option<u64>) -> Limit {
        let down = RatesRequest {
            bits_per_second: Some(100_000_000),
            burst_bytes,
            ..RatesRequest::default()
        };
        let action = action.parse().unwrap();
        let request = LimitRequest { action, down, ..LimitRequest::default() };
        request.check(prefix.parse().unwrap()).unwrap().value
    }

    #[test]
    fn small_bursts_are_counted() {
        let small = |prefix| limit(prefix, "drop", Some(65_536));
        let default = limit("10.0.0.0/24", "drop", None);
        assert_eq!(warning(&[default.clone(), limit("10.0.1.0/24", "pace", Some(65_536))]), None);
        let one = warning(&[default.clone(), small("10.0.2.0/24")]).unwrap();
        assert!(one.starts_with("limit 10.0.2.0/24 has a burst below"), "{one}");
        let two = warning(&[small("10.0.3.0/24"), default, small("10.0.2.0/24")]).unwrap();
        assert!(two.starts_with("2 limits have bursts, 10.0.3.0/24 among them, below"), "{two}");
    }
}

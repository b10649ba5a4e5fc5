//! The text format that came before OpenMetrics.

/// Rewrites OpenMetrics text: there, metadata names a counter without the `_total` of its samples.
pub(super) fn from_open_metrics(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut classic = String::with_capacity(text.len());
    let mut help = "";
    for line in text.lines() {
        if line.starts_with("# HELP ") {
            // How the metric is called here, its type tells, which comes next.
            help = line;
        } else if line.starts_with("# TYPE ") {
            let is_counter = line.ends_with(" counter");
            for line in [help, line] {
                write_metadata(&mut classic, line, is_counter);
            }
        } else if line != "# EOF" {
            classic.push_str(line);
            classic.push('\n');
        }
    }
    classic
}

fn write_metadata(classic: &mut String, line: &str, is_counter: bool) {
    let mut words = line.splitn(4, ' ');
    let mut next = || words.next().unwrap_or_default();
    let (hash, kind, name, rest) = (next(), next(), next(), next());
    let suffix = if is_counter { "_total" } else { "" };
    classic.push_str(&format!("{hash} {kind} {name}{suffix} {rest}\n"));
}

#[cfg(test)]
mod tests {
    use super::from_open_metrics;

    #[test]
    fn counters_are_named_as_their_samples_and_the_end_is_not_marked() {
        let open = "# HELP throttle_a Packets, all of them.\n# TYPE throttle_a counter\n\
                    throttle_a_total{b=\"# EOF\"} 1\n\
                    # HELP throttle_c Limits.\n# TYPE throttle_c gauge\nthrottle_c 2\n# EOF\n";
        let classic = "# HELP throttle_a_total Packets, all of them.\n\
                       # TYPE throttle_a_total counter\nthrottle_a_total{b=\"# EOF\"} 1\n\
                       # HELP throttle_c Limits.\n# TYPE throttle_c gauge\nthrottle_c 2\n";
        assert_eq!(from_open_metrics(open.as_bytes()), classic);
    }
}

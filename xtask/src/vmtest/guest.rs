//! Follows what a guest prints: its tests, what they tell, their end, and crashes of its kernel.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::qemu::{Line, Machine};
use crate::test::{Reader, Skipped, Tally};

/// How long a guest may say nothing: longer than any test takes where it shares its processor with other work.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// What the kernel says before it stops, or where it would go on wrongly.
const CRASHES: [&str; 5] =
    ["Kernel panic", "Oops", "BUG: ", "WARNING: ", "general protection fault"];

/// What became of a guest's tests.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// How many passed.
    pub(super) tally: Tally,
    /// Names of those that passed.
    pub(super) passed: Vec<String>,
    /// What they told with `throttle_tests::guest::tell`: kinds and values.
    pub(super) data: Vec<(String, Value)>,
}

impl Outcome {
    /// Adds what became of others.
    pub(super) fn add(&mut self, other: Self) {
        self.tally.add(&other.tally);
        self.passed.extend(other.passed);
        self.data.extend(other.data);
    }
}

/// What a guest has told by its end.
#[derive(Debug)]
pub(super) struct Told {
    /// With which status its command ended.
    pub(super) status: String,
    /// Kinds and values.
    pub(super) data: Vec<(String, Value)>,
}

/// Follows the tests of `machine` until it ends, counts them and collects what they tell.
pub(super) fn follow_tests(machine: &Machine) -> Result<Outcome> {
    let mut reader = Reader::default();
    let Told { status, data } = follow(machine, PATIENCE, |line| match line {
        Line::Console(line) => eprintln!("{line}"),
        Line::Tests(line) if reader.read(line) => println!("{line}"),
        Line::Tests(_) => {}
    })?;
    let tally = reader.tally(Skipped::Fails);
    let is_explained = status == "0" || tally.failed > 0;
    ensure!(is_explained, "the tests ended with status {status} although none failed");
    ensure!(tally != Tally::default(), "no test has such a name");
    Ok(Outcome { tally, passed: reader.into_passed(), data })
}

/// Follows `machine` until it ends, and fails if its kernel does, or if it says nothing for as long as `patience`.
/// `show` gets what it prints, but for what it tells.
pub(super) fn follow(
    machine: &Machine,
    patience: Duration,
    mut show: impl FnMut(&Line),
) -> Result<Told> {
    let (mut data, mut crash, mut end) = (Vec::new(), None, None);
    loop {
        let line = match machine.lines.recv_timeout(patience) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                bail!("the guest has said nothing for {} s", patience.as_secs())
            }
        };
        match &line {
            Line::Console(text) => {
                let is_crash = CRASHES.iter().any(|sign| text.contains(sign));
                // The lines after the first say where it was.
                if is_crash && crash.is_none() {
                    crash = Some(text.clone());
                }
                show(&line);
            }
            Line::Tests(text) => {
                if let Some(status) = text.strip_prefix("vmtest: end ") {
                    end = Some(status.to_owned());
                } else if let Some(told) = text.strip_prefix("vmtest: data ") {
                    data.push(parse(told)?);
                } else {
                    show(&line);
                }
            }
        }
    }
    if let Some(line) = crash {
        bail!("the guest's kernel failed: {line}");
    }
    Ok(Told { status: end.context("the guest ended before its command did")?, data })
}

/// Reads `KIND JSON`.
fn parse(told: &str) -> Result<(String, Value)> {
    let (kind, json) = told.split_once(' ').with_context(|| format!("`{told}` has no value"))?;
    let value = serde_json::from_str(json);
    Ok((kind.to_owned(), value.with_context(|| format!("reading what a test told: `{told}`"))?))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn what_a_test_tells_has_a_kind_and_a_value() {
        let (kind, value) = parse(r#"verified {"stack_bytes": 512}"#).unwrap();
        assert_eq!((kind.as_str(), &value["stack_bytes"]), ("verified", &512.into()));
        assert!(parse("verified").is_err());
        assert!(parse("verified {").unwrap_err().to_string().contains("`verified {`"));
    }
}

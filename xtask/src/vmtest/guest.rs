//! Follows what a guest prints: its tests, their end, and crashes of its kernel.

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::qemu::{Line, Machine};
use crate::test::{Reader, Skipped, Tally};

/// How long a guest may take.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// What the kernel says before it stops, or where it would go on wrongly.
const CRASHES: [&str; 5] =
    ["Kernel panic", "Oops", "BUG: ", "WARNING: ", "general protection fault"];

/// Shows what `machine` prints until it ends, and counts its tests.
pub(super) fn follow(machine: Machine) -> Result<Tally> {
    let deadline = Instant::now() + PATIENCE;
    let mut reader = Reader::default();
    let (mut crash, mut end) = (None, None);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match machine.lines.recv_timeout(left) {
            Ok(Line::Console(line)) => {
                eprintln!("{line}");
                if crash.is_none() && CRASHES.iter().any(|sign| line.contains(sign)) {
                    crash = Some(line);
                }
            }
            Ok(Line::Tests(line)) => match line.strip_prefix("vmtest: end ") {
                Some(status) => end = Some(status.to_owned()),
                None if reader.read(&line) => println!("{line}"),
                None => {}
            },
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                bail!("the guest has not ended after {} s", PATIENCE.as_secs())
            }
        }
    }
    if let Some(line) = crash {
        bail!("the guest's kernel failed: {line}");
    }
    let status = end.context("the guest ended before its tests did")?;
    let tally = reader.tally(Skipped::Fails);
    let is_explained = status == "0" || tally.failed > 0;
    ensure!(is_explained, "the tests ended with status {status} although none failed");
    ensure!(tally != Tally::default(), "no test has such a name");
    Ok(tally)
}

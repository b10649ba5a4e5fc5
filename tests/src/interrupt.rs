//! Programs that must tidy up on Ctrl-C: waits end early, with an error that unwinds the fixtures.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{SigHandler, Signal, signal};

use crate::restrict;

/// How late a wait may notice.
const STEP: Duration = Duration::from_millis(50);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Runs a program that takes root. It fails with one line, on SIGINT and SIGTERM as well: they become the
/// error that [`check`] and [`sleep`] return.
pub fn run(program: impl FnOnce() -> Result<ExitCode>) -> ExitCode {
    catch().and_then(|()| program()).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn catch() -> Result<()> {
    ensure!(restrict::is_root(), "needs root for network namespaces and BPF; hint: sudo");
    for number in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: the handler only stores to an atomic, which is async-signal-safe.
        unsafe { signal(number, SigHandler::Handler(note)) }.context("catching Ctrl-C")?;
    }
    Ok(())
}

/// Fails once the process was interrupted.
pub fn check() -> Result<()> {
    ensure!(!INTERRUPTED.load(Ordering::Relaxed), "interrupted");
    Ok(())
}

/// Sleeps, or fails as soon as the process was interrupted.
pub fn sleep(duration: Duration) -> Result<()> {
    let end = Instant::now() + duration;
    loop {
        check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(STEP));
    }
}

extern "C" fn note(_signal: libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

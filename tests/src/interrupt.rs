//! Ctrl-C for programs that must tidy up: waits end early, with an error that unwinds the fixtures.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::sys::signal::{SigHandler, Signal, signal};

/// How late a wait may notice.
const STEP: Duration = Duration::from_millis(50);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Turns SIGINT and SIGTERM into the error that [`sleep`] returns.
pub fn catch() -> Result<()> {
    for number in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: the handler only stores to an atomic, which is async-signal-safe.
        unsafe { signal(number, SigHandler::Handler(note)) }?;
    }
    Ok(())
}

/// Sleeps, or fails as soon as the process was interrupted.
pub fn sleep(duration: Duration) -> Result<()> {
    let end = Instant::now() + duration;
    loop {
        ensure!(!INTERRUPTED.load(Ordering::Relaxed), "interrupted");
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

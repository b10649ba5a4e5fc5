//! Steps at which tests end the agent, or have the system refuse.
//!
//! Without the feature `fault-points`, which only `throttle-agent-faults` is built with, a step is nothing.

use std::io;

/// The system is about to be asked for something that it may refuse.
///
/// # Errors
/// The one that a test has asked for.
#[inline]
pub(crate) fn before(step: &str) -> io::Result<()> {
    #[cfg(feature = "fault-points")]
    return plan::reach(step, true);
    #[cfg(not(feature = "fault-points"))]
    {
        let _ = step;
        Ok(())
    }
}

/// Something was done that outlives the process.
#[inline]
pub(crate) fn after(step: &str) {
    #[cfg(feature = "fault-points")]
    // What was done cannot be refused.
    let _never = plan::reach(step, false);
    #[cfg(not(feature = "fault-points"))]
    let _ = step;
}

#[cfg(feature = "fault-points")]
mod plan {
    //! What a test wants, in the folder that `$THROTTLE_FAULTS` names: each step adds a line to `reached`, and
    //! `plan` says what is to happen at which line of it. So steps are counted over all processes, and from
    //! whenever the test removes `reached`.

    use std::{
        env,
        fs::{self, File},
        io::{self, Write},
        path::PathBuf,
        sync::{Mutex, PoisonError},
    };

    use nix::sys::signal::{Signal, raise};

    /// Names the folder.
    const FOLDER: &str = "THROTTLE_FAULTS";

    /// Threads reach one step after the other.
    static TURN: Mutex<()> = Mutex::new(());

    /// What happens at a step.
    enum Fault {
        Kill,
        Refuse(io::Error),
    }

    pub(super) fn reach(step: &str, may_be_refused: bool) -> io::Result<()> {
        let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else { return Ok(()) };
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(plan) = fs::read_to_string(folder.join("plan")) else { return Ok(()) };
        let reached = folder.join("reached");
        let kind = if may_be_refused { "before" } else { "after" };
        let told = File::options().create(true).append(true).open(&reached).and_then(|mut file| {
            writeln!(file, "{kind} {step}")?;
            fs::read_to_string(&reached)
        });
        let steps = told.unwrap_or_else(|error| panic!("{}: {error}", reached.display()));
        match read(&plan, steps.lines().count()) {
            Some(Fault::Kill) => {
                raise(Signal::SIGKILL)?;
                unreachable!("a process that was killed goes on")
            }
            Some(Fault::Refuse(error)) if may_be_refused => Err(error),
            Some(Fault::Refuse(_)) | None => Ok(()),
        }
    }

    /// What a plan such as `7 kill` or `7 28` has for step `number`: the other word is an error's number.
    fn read(plan: &str, number: usize) -> Option<Fault> {
        let (at, what) = plan.trim().split_once(' ')?;
        if at.parse() != Ok(number) {
            return None;
        }
        if what == "kill" {
            return Some(Fault::Kill);
        }
        what.parse().ok().map(io::Error::from_raw_os_error).map(Fault::Refuse)
    }
}

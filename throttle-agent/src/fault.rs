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

/// The system is about to be asked for something at a time of its own: between any two steps of a change, or while
/// there is none.
///
/// # Errors
/// The one that a test has asked for.
#[inline]
pub(crate) fn aside(step: &str) -> io::Result<()> {
    #[cfg(feature = "fault-points")]
    return plan::reach_aside(step);
    #[cfg(not(feature = "fault-points"))]
    {
        let _ = step;
        Ok(())
    }
}

#[cfg(feature = "fault-points")]
mod plan {
    //! What a test wants, in the folder that `$THROTTLE_FAULTS` names: each step adds a line to `reached`, and each
    //! line of `plan` says what is to happen at which line of that, or at every step of a name. So steps are
    //! counted over all processes, and from whenever the test removes `reached`. Steps aside would come anywhere
    //! in that count, so they go by name alone.

    use std::{
        env,
        fs::{self, File},
        io::{self, Write},
        path::{Path, PathBuf},
        sync::{Mutex, MutexGuard, PoisonError},
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
        let Some((_turn, folder, plan)) = plan() else { return Ok(()) };
        let kind = if may_be_refused { "before" } else { "after" };
        let number = note(&folder.join("reached"), &format!("{kind} {step}"));
        happen(read(&plan, Some(number), step), may_be_refused)
    }

    pub(super) fn reach_aside(step: &str) -> io::Result<()> {
        let Some((_turn, _, plan)) = plan() else { return Ok(()) };
        happen(read(&plan, None, step), true)
    }

    /// The folder and the plan in it, if there is one, with the turn to follow it.
    fn plan() -> Option<(MutexGuard<'static, ()>, PathBuf, String)> {
        let folder = PathBuf::from(env::var_os(FOLDER)?);
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = fs::read_to_string(folder.join("plan")).ok()?;
        Some((turn, folder, plan))
    }

    /// Adds a line to `reached`; returns its number, from 1 on.
    fn note(reached: &Path, line: &str) -> usize {
        let told = File::options().create(true).append(true).open(reached).and_then(|mut file| {
            writeln!(file, "{line}")?;
            fs::read_to_string(reached)
        });
        let lines = told.unwrap_or_else(|error| panic!("{}: {error}", reached.display()));
        lines.lines().count()
    }

    fn happen(fault: Option<Fault>, may_be_refused: bool) -> io::Result<()> {
        match fault {
            Some(Fault::Kill) => {
                raise(Signal::SIGKILL)?;
                unreachable!("a process that was killed goes on")
            }
            Some(Fault::Refuse(error)) if may_be_refused => Err(error),
            Some(Fault::Refuse(_)) | None => Ok(()),
        }
    }

    /// What a plan of lines such as `7 kill`, `7 28` and `making a snapshot 28` has for a step: the last word may be
    /// an error's number.
    fn read(plan: &str, number: Option<usize>, step: &str) -> Option<Fault> {
        let mut lines = plan.lines().filter_map(|line| line.rsplit_once(' '));
        let is_number = |at: &str| number.is_some_and(|number| at.parse() == Ok(number));
        let (_, what) = lines.find(|(at, _)| *at == step || is_number(at))?;
        if what == "kill" {
            return Some(Fault::Kill);
        }
        what.parse().ok().map(io::Error::from_raw_os_error).map(Fault::Refuse)
    }
}

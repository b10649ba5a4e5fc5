//! What limiting costs a router: the smallest packets there are, forwarded from a veth pair to another by one
//! processor, with one limiter at a time in their way.
//!
//! Each contestant has a router of its own, set up once. Sources have all sent before anything is measured,
//! and then send in another order. The flood, the router's work and the end of each packet at the server are
//! on processor [`spoof::CPU`], since every veth pair hands its packets on there; all else is kept off it.

mod contestant;
mod part;
mod peers;
mod rig;

use anyhow::{Context as _, Result, ensure};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

pub use self::contestant::{Contestant, Load};
pub use self::part::{AMPLE_ROOM, Effort, Part, Row};
use crate::spoof;

/// Keeps the calling thread, and all that it starts from now on, off the processor that forwards.
pub fn leave_the_processor() -> Result<()> {
    let this = Pid::from_raw(0);
    let mut set = sched_getaffinity(this).context("asking for the processors")?;
    set.unset(spoof::CPU)?;
    let others = (0..CpuSet::count()).any(|cpu| set.is_set(cpu).unwrap_or(false));
    ensure!(
        others,
        "one processor is not enough: processor {} forwards, another measures",
        spoof::CPU
    );
    sched_setaffinity(this, &set).context("leaving the processor that forwards")
}

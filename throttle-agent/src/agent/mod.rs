//! The long-running process: owns the datapath, answers the control socket, samples counters.

mod advice;
mod change;
mod engine;
mod exceeding;
mod log;
mod netns;
mod notify;
mod privileges;
mod sampling;
mod serve;
mod shared;
mod start;
mod work;

pub(crate) use advice::{link_warnings, may_warn_of};
pub use advice::{pace_warnings, status_warnings};
pub use change::Changes;
pub use engine::{
    Engine, Kernel, ReadCounters, Search, check_attached, no_link, not_attached, policy_in_force,
};
pub use log::KernelLog;
pub use netns::{NetnsId, NetnsName};
pub use privileges::check as check_privileges;
pub use sampling::HOSTS_PER_TURN;
pub use serve::run;
pub(crate) use shared::blocking;
pub use shared::{Agent, Info};
pub use start::RunOptions;
pub use work::Work;

#[cfg(test)]
pub(crate) mod fake;

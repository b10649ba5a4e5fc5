//! The long-running process: owns the datapath, answers the control socket, samples counters.

mod engine;
mod log;
mod netns;
mod privileges;
mod serve;
mod shared;
mod start;

pub use engine::{Engine, Kernel, not_attached};
pub use log::KernelLog;
pub use netns::NetnsName;
pub use privileges::check as check_privileges;
pub use serve::run;
pub use shared::{Agent, Info};
pub use start::{LinkSpec, RunOptions};

#[cfg(test)]
pub(crate) mod fake;

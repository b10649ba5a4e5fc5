//! Which interfaces the agent attaches to, and how it follows them: they come, go and are renamed.

mod desired;
mod follow;
mod plan;
mod spec;
mod surroundings;
mod watch;

pub use desired::{Desired, detach, set_specs};
pub use spec::{LinkSpec, Pattern, spec_for};
pub(crate) use surroundings::{LinkState, Surroundings};
pub(crate) use watch::watch;

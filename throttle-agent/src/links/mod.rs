//! Which interfaces the agent attaches to.

mod desired;
mod spec;

pub use desired::{interfaces, set_specs};
pub use spec::{LinkSpec, Pattern, spec_for};

//! How exactly limits hold: ours and those of others in Linux, measured side by side.

pub mod batch;
pub mod comparison;
pub mod guest_udp;
pub mod limiters;
pub mod matrix;
pub mod outcome;
pub mod promises;
pub mod refused;
pub mod runs;
pub mod stream;
pub mod tcp;
pub mod turns;

//! How exactly limits hold: ours and those of others in Linux, measured side by side.

pub mod limiters;

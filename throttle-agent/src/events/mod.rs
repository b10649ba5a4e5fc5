//! What happened, told to everyone who listens: the log, the control socket, the web page.

mod hub;
mod what;
mod words;

pub use hub::{Event, Events, now_unix_ms};
pub use what::{Cause, FlowName, What};
pub use words::Mood;

//! `throttle-agent` with steps at which tests end it, or have the system refuse.

use std::process::ExitCode;

fn main() -> ExitCode {
    throttle_agent::commands::run_this_process()
}

//! The `throttle-agent` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    throttle_agent::commands::run_this_process()
}

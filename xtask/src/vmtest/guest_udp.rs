//! `cargo xtask bench guest-udp`: the accuracy of limits in guests, whose kernel has every limiter.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;
use clap::Parser;

use super::bench::{in_guests, word};

/// UDP against low limits, ours and those of others side by side.
#[derive(Parser)]
#[command(name = "cargo xtask bench guest-udp --", no_binary_name = true)]
struct Options {
    /// How long each row is measured, once every burst is spent
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// How often each row is measured by each limiter, each time in a guest of its own
    #[arg(long, default_value_t = 2)]
    runs: u32,
    /// Only rows of which the name, such as `10mbit, 64 B, 1 flow, up IPv4`, contains this word
    #[arg(long, value_parser = word)]
    only: Option<String>,
}

impl Options {
    /// What runs in the guest.
    fn command(&self, run: u32) -> String {
        let Self { seconds, only, .. } = self;
        let mut command = format!("bench-guest-udp --seconds {seconds} --run {run}");
        if let Some(only) = only {
            command += &format!(" --only {only}");
        }
        command
    }
}

/// Measures UDP in guests, and returns what prints the tables.
pub(crate) fn guest_udp(arguments: &[OsString]) -> Result<Command> {
    let options = Options::try_parse_from(arguments).unwrap_or_else(|error| error.exit());
    in_guests("bench-guest-udp", options.runs, |run| options.command(run))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::Options;

    #[test]
    fn a_guest_measures_what_is_asked_for() {
        let options = Options::try_parse_from(["--seconds", "5", "--only", "IPv6"]).unwrap();
        assert_eq!(options.command(2), "bench-guest-udp --seconds 5 --run 2 --only IPv6");
        assert!(Options::try_parse_from(["--only", "64 B"]).is_err());
    }
}

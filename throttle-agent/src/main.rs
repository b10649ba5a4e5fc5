//! The `throttle-agent` binary.

use std::process::ExitCode;

use clap::ColorChoice;
use throttle_agent::{
    cli::{self, Parsed},
    commands, output,
};

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(Parsed::Run(cli)) => cli,
        Ok(Parsed::Shown) => return ExitCode::SUCCESS,
        Err(error) => return output::report(&error, ColorChoice::Auto),
    };
    let color = cli.global.color;
    match commands::run(*cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::report(&error, color),
    }
}

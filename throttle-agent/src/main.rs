//! The `throttle-agent` binary.

use std::process::ExitCode;

use throttle_agent::{
    cli::{self, Parsed},
    commands, output,
};

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let (color, json) = (cli::color_typed(&words), cli::json_typed(&words));
    let cli = match cli::parse(words) {
        Ok(Parsed::Run(cli)) => cli,
        Ok(Parsed::Shown) => return ExitCode::SUCCESS,
        Err(error) => return output::report(&error, json, color),
    };
    match commands::run(*cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::report(&error, json, color),
    }
}

//! `completions`: what makes a shell complete commands and options.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::{Generator, generate, shells};

use crate::{
    cli::{Cli, Shell},
    error::{Error, Result},
};

pub(super) fn run(shell: Shell) -> Result<()> {
    let script = match shell {
        Shell::Bash => script(shells::Bash),
        Shell::Zsh => script(shells::Zsh),
        Shell::Fish => script(shells::Fish),
    };
    io::stdout().write_all(&script).map_err(|error| Error::of_io(error, "writing to stdout"))
}

fn script(generator: impl Generator) -> Vec<u8> {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    generate(generator, &mut command, name, &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_completes_the_verbs_of_limits() {
        for script in [script(shells::Bash), script(shells::Zsh), script(shells::Fish)] {
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("limit") && script.contains("one-time-burst"), "{script}");
        }
    }
}

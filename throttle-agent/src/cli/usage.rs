//! From words on the command line to a command, or to an error on one line.

use std::ffi::OsString;

use clap::{ColorChoice, CommandFactory, FromArgMatches, ValueEnum, error::ErrorKind};

use super::Cli;
use crate::error::{Error, Result};

/// What the words came to.
#[derive(Debug)]
pub enum Parsed {
    /// A command to run.
    Run(Box<Cli>),
    /// A question about the command line, which is answered.
    Shown,
}

/// Reads the command line, the program's name first.
///
/// # Errors
///
/// [`Kind::Usage`](crate::error::Kind::Usage) when the words are no command.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Parsed> {
    let words: Vec<_> = words.into_iter().collect();
    let mut command = Cli::command().color(color_typed(&words));
    let matches = command.try_get_matches_from_mut(words);
    let read = matches.and_then(|matches| Cli::from_arg_matches(&matches));
    let error = match read.map_err(|error| error.format(&mut command)) {
        Ok(cli) => return Ok(Parsed::Run(Box::new(cli))),
        Err(error) => error,
    };
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        error.print().map_err(|error| Error::of_io(error, "writing to stdout"))?;
        return Ok(Parsed::Shown);
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Err(Error::usage("a command is missing").hint(
            "`throttle-agent --help` shows the commands, `... COMMAND --help` how to use one",
        ));
    }
    Err(one_line(&error.render().to_string()))
}

/// The value of `--color`, for what is said about words that may be no command.
#[must_use]
pub fn color_typed(words: &[OsString]) -> ColorChoice {
    let mut words = words.iter().map(|word| word.to_string_lossy());
    let mut typed = None;
    while let Some(word) = words.next() {
        typed = match word.strip_prefix("--color") {
            Some("") => words.next().map(|value| value.into_owned()),
            Some(value) => value.strip_prefix('=').map(str::to_owned).or(typed),
            None => typed,
        };
    }
    typed.and_then(|value| ColorChoice::from_str(&value, false).ok()).unwrap_or_default()
}

/// Whether `--json` is among words that may be no command: alone, or as `-j` with other flags.
#[must_use]
pub fn json_typed(words: &[OsString]) -> bool {
    let is_json = |word: &str| {
        let flags =
            word.strip_prefix('-').filter(|flags| flags.bytes().all(|flag| b"jv".contains(&flag)));
        word == "--json" || flags.is_some_and(|flags| flags.contains('j'))
    };
    let words = words.iter().map(|word| word.to_string_lossy());
    words.take_while(|word| word != "--").any(|word| is_json(&word))
}

/// The first paragraph of clap's message, and its tip as the hint.
fn one_line(text: &str) -> Error {
    let mut paragraphs = text.split("\n\n").map(str::trim);
    let message = paragraphs.next().unwrap_or_default();
    let message = message.strip_prefix("error:").unwrap_or(message);
    let tips = paragraphs.filter_map(|paragraph| paragraph.strip_prefix("tip:"));
    let error = Error::usage(message.trim());
    match tips.map(str::trim).next() {
        Some(tip) => error.hint(tip),
        None => error,
    }
}

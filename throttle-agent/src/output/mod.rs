//! Data on stdout, as tables or as JSON; words on stderr.

mod clock;
pub(crate) mod format;
mod host;
mod plan;
mod progress;
mod table;
mod told;
mod views;

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::ColorChoice;
use serde::Serialize;

use crate::{
    cli::Global,
    control::Told,
    error::{Error, Result},
    policy::PolicyPlan,
};

pub use progress::Progress;
pub use table::Table;

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[1;31m";
const GREEN: &str = "\x1b[1;32m";
const YELLOW: &str = "\x1b[1;33m";
const CYAN: &str = "\x1b[1;36m";
const PLAIN: &str = "\x1b[0m";
const CLEAR: &str = "\x1b[H\x1b[2J";

/// What can be shown as a table; the same value makes the JSON.
pub trait Show: Serialize {
    /// Words above the tables.
    fn words(&self) -> Vec<String> {
        Vec::new()
    }

    /// The tables, one below the other.
    fn tables(&self) -> Vec<Table>;
}

/// Shows data and words as the operator asked for.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
    color: ColorChoice,
}

impl Output {
    /// Output as the options say.
    #[must_use]
    pub fn new(global: &Global) -> Self {
        Self { json: global.json, color: global.color }
    }

    /// Shows data: JSON on one line, or tables.
    ///
    /// # Errors
    ///
    /// Stdout cannot be written to.
    pub fn show<T: Show + ?Sized>(self, data: &T) -> Result<()> {
        self.text(data, || text(data, wants_color(self.color, &io::stdout())))
    }

    /// Whether data is shown as JSON.
    #[must_use]
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Shows JSON that the agent has written, on one line.
    ///
    /// # Errors
    ///
    /// Stdout cannot be written to.
    pub fn show_json(self, text: &[u8]) -> Result<()> {
        write(&[text, b"\n"])
    }

    /// Shows data in place of what was shown before.
    ///
    /// # Errors
    ///
    /// Stdout cannot be written to.
    pub fn show_again<T: Show + ?Sized>(self, data: &T) -> Result<()> {
        if !self.json && io::stdout().is_terminal() {
            print(CLEAR)?;
        }
        self.show(data)
    }

    /// Shows an event or a report: JSON on one line, or a line for people, or a few.
    ///
    /// # Errors
    ///
    /// Stdout cannot be written to.
    pub fn tell(self, told: &Told) -> Result<()> {
        self.text(told, || told::lines(told, wants_color(self.color, &io::stdout())))
    }

    /// Says what was done: data as JSON, or words for a person.
    ///
    /// # Errors
    ///
    /// Stdout cannot be written to.
    pub fn done(self, data: &impl Serialize, words: impl Display) -> Result<()> {
        if self.json {
            return print(&json(data)?);
        }
        say(words);
        Ok(())
    }

    /// Shows data as JSON, or in its form in text.
    ///
    /// # Errors
    ///
    /// Stdout cannot be written to.
    pub fn text(
        self,
        data: &(impl Serialize + ?Sized),
        text: impl FnOnce() -> String,
    ) -> Result<()> {
        print(&if self.json { json(data)? } else { text() })
    }

    /// Shows what putting a policy in force would change.
    ///
    /// # Errors
    ///
    /// Stdout cannot be written to.
    pub fn plan(self, plan: &PolicyPlan) -> Result<()> {
        if !self.json && plan.is_empty() {
            say("nothing would change");
            return Ok(());
        }
        self.text(plan, || plan::lines(plan, wants_color(self.color, &io::stdout())))
    }

    /// Warns, whatever the format.
    pub fn warn(self, words: impl Display) {
        say(format_args!(
            "{} {words}",
            paint(YELLOW, "warning:", wants_color(self.color, &io::stderr()))
        ));
    }
}

/// Data for people: words, then tables.
pub(crate) fn text<T: Show + ?Sized>(data: &T, colored: bool) -> String {
    let words = data.words().iter().map(|words| wrapped(words)).collect::<String>();
    let tables = data.tables().into_iter().map(|table| table.render(colored));
    let parts = Some(words).filter(|words| !words.is_empty()).into_iter().chain(tables);
    parts.collect::<Vec<_>>().join("\n")
}

/// Prints an error once, as one line of JSON or in words, and gives its exit code.
///
/// A reader that has gone away, as `head` does, is no error.
#[must_use]
pub fn report(error: &Error, as_json: bool, color: ColorChoice) -> ExitCode {
    if error.is_broken_pipe() {
        return ExitCode::SUCCESS;
    }
    let exit_code = ExitCode::from(error.kind().exit_code());
    if as_json {
        say(error_json(error));
        return exit_code;
    }
    let colored = wants_color(color, &io::stderr());
    say(format_args!("{} {error}", paint(RED, "error:", colored)));
    error.details().iter().for_each(|line| say(format_args!("  {line}")));
    if let Some(hint) = error.hint_text() {
        say(format_args!("{} {hint}", paint(CYAN, "hint:", colored)));
    }
    exit_code
}

fn error_json(error: &Error) -> serde_json::Value {
    serde_json::json!({"error": {
        "kind": error.kind(),
        "message": error.to_string(),
        "details": error.details(),
        "hint": error.hint_text(),
        "exit_code": error.kind().exit_code(),
    }})
}

fn json<T: Serialize + ?Sized>(data: &T) -> Result<String> {
    let text = serde_json::to_string(data).map_err(anyhow::Error::new)?;
    Ok(text + "\n")
}

fn print(text: &str) -> Result<()> {
    write(&[text.as_bytes()])
}

fn write(parts: &[&[u8]]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    let written = parts.iter().try_for_each(|part| stdout.write_all(part));
    written.and_then(|()| stdout.flush()).map_err(|error| Error::of_io(error, "writing to stdout"))
}

/// Words to a person; there is nobody to tell when stderr is closed.
fn say(words: impl Display) {
    let _closed = writeln!(io::stderr().lock(), "{words}");
}

/// Words in lines of up to 80 columns.
fn wrapped(words: &str) -> String {
    const COLUMNS: usize = 80;
    let (mut text, mut column) = (String::new(), 0);
    for word in words.split(' ') {
        if column > 0 && column + 1 + word.len() > COLUMNS {
            text.push('\n');
            column = 0;
        } else if column > 0 {
            text.push(' ');
            column += 1;
        }
        text += word;
        column += word.len();
    }
    text.push('\n');
    text
}

/// Whether what goes to `stream` is coloured: see <https://no-color.org>.
pub(crate) fn wants_color(choice: ColorChoice, stream: &impl IsTerminal) -> bool {
    let is_refused = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => stream.is_terminal() && !is_refused(),
    }
}

fn paint(style: &str, text: &str, colored: bool) -> String {
    if colored { format!("{style}{text}{PLAIN}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_as_json_says_all_that_words_say() {
        let error = Error::not_found("no such thing").hint("look elsewhere");
        assert_eq!(
            error_json(&error),
            serde_json::json!({"error": {"kind": "not_found", "message": "no such thing",
                "details": [], "hint": "look elsewhere", "exit_code": 3}})
        );
        assert_eq!(error_json(&Error::failed("x"))["error"]["hint"], serde_json::Value::Null);
    }
}

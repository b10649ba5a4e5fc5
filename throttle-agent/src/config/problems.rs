//! What is wrong with a file: every mistake of it, each with its place.

use std::fmt::{self, Display};

use crate::error::Error;

/// Mistakes that are told one by one; a file may have as many as it has lines.
const TOLD: usize = 20;

/// Where something stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Which of the files that were read.
    pub(super) file: usize,
    /// Line, from 1 on.
    pub(super) line: u64,
    /// Column in characters, from 1 on; 0 where the line is all that is known.
    pub(super) column: u64,
}

/// The mistakes found so far.
#[derive(Debug, Default)]
pub(super) struct Problems {
    files: Vec<String>,
    told: Vec<(Place, String)>,
    count: usize,
}

impl Problems {
    /// Names another file; places refer to it by the number.
    pub(super) fn file(&mut self, name: impl Display) -> usize {
        self.files.push(name.to_string());
        self.files.len() - 1
    }

    /// Adds a mistake.
    pub(super) fn add(&mut self, place: Place, text: impl Display) {
        self.count += 1;
        if self.told.len() < TOLD {
            // One line each, whatever a parser says.
            let words: Vec<_> = text.to_string().split_whitespace().map(str::to_owned).collect();
            self.told.push((place, words.join(" ")));
        }
    }

    /// A place in words, as in `policy.toml:3:8`.
    pub(super) fn name(&self, place: Place) -> impl Display + use<> {
        let file = self.files.get(place.file).map_or("", String::as_str).to_owned();
        Named { file, place }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// All of them as one error, if there are any.
    pub(super) fn into_result(mut self) -> Result<(), Error> {
        self.told.sort_by_key(|(place, _)| *place);
        let mut lines: Vec<_> = self
            .told
            .iter()
            .map(|(place, text)| format!("{}: {text}", self.name(*place)))
            .collect();
        match self.count {
            0 => return Ok(()),
            1 => return Err(Error::usage(lines.remove(0))),
            2.. => {}
        }
        if self.count > lines.len() {
            lines.push(format!("and {} more", self.count - lines.len()));
        }
        let file = self.files.first().map_or("", String::as_str);
        let count = self.count;
        Err(Error::usage(format_args!("{file} has {count} mistakes")).with_details(lines))
    }
}

struct Named {
    file: String,
    place: Place,
}

impl Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.place.line)?;
        if self.place.column > 0 {
            write!(f, ":{}", self.place.column)?;
        }
        Ok(())
    }
}

/// Names the options of a message as the keys that they are in a file: `--up-burst` is `up_burst`.
pub(super) fn in_keys(message: &str) -> String {
    let mut parts = message.split("--");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(part.len());
        let (option, rest) = part.split_at(end);
        text.push_str(&option.replace('-', "_"));
        text.push_str(rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: u64) -> Place {
        Place { file: 0, line, column: 2 }
    }

    #[test]
    fn options_are_named_as_keys() {
        assert_eq!(
            in_keys("--total-pps and --up-pps conflict: give either the total, or --up-pps"),
            "total_pps and up_pps conflict: give either the total, or up_pps"
        );
        assert_eq!(in_keys("burst 1b of --up 8mbit"), "burst 1b of up 8mbit");
    }

    #[test]
    fn one_mistake_is_the_error_and_many_are_its_details() {
        let mut one = Problems::default();
        one.file("a.toml");
        one.add(place(3), "wrong\n  here");
        assert_eq!(one.into_result().unwrap_err().to_string(), "a.toml:3:2: wrong here");

        let mut many = Problems::default();
        many.file("a.toml");
        (1..=25).rev().for_each(|line| many.add(place(line), "wrong"));
        let error = many.into_result().unwrap_err();
        assert_eq!(error.to_string(), "a.toml has 25 mistakes");
        assert_eq!((error.details().len(), error.details()[0].as_str()), (21, "a.toml:6:2: wrong"));
        assert_eq!(error.details()[20], "and 5 more");
        assert!(Problems::default().into_result().is_ok());
    }
}

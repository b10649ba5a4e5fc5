//! One table of a file: its keys are taken one by one, and what is wrong with them is noted.

use std::{fmt::Display, ops::Range, str::FromStr};

use clap::ValueEnum;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::problems::{Place, Problems, in_keys};
use crate::error::Error;

/// A key is taken for another one that is at least so similar, of 1.
const SIMILAR: f64 = 0.75;

/// The text of a file, to turn offsets into lines.
pub(super) struct Source {
    file: usize,
    text: String,
    line_starts: Vec<usize>,
}

impl Source {
    pub(super) fn new(file: usize, text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0).chain(ends.map(|(end, _)| end + 1)).collect();
        Self { file, text: text.to_owned(), line_starts }
    }

    pub(super) fn place(&self, offset: usize) -> Place {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts[line - 1];
        let before = self.text.get(start..offset).unwrap_or_default();
        let column = before.chars().count() as u64 + 1;
        Place { file: self.file, line: line as u64, column }
    }
}

/// A table that is being read.
pub(super) struct Section<'a, 'i> {
    source: &'a Source,
    table: &'a DeTable<'i>,
    span: Range<usize>,
    pub(super) problems: &'a mut Problems,
}

impl<'a, 'i> Section<'a, 'i> {
    /// Begins with a table, `name` in messages, that may have these keys.
    pub(super) fn new(
        source: &'a Source,
        (table, span): (&'a DeTable<'i>, Range<usize>),
        (name, keys): (&str, &[&str]),
        problems: &'a mut Problems,
    ) -> Self {
        for key in table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref())) {
            let place = source.place(key.span().start);
            problems.add(place, unknown(key.get_ref(), name, keys));
        }
        Self { source, table, span, problems }
    }

    /// Where the table begins.
    pub(super) fn place(&self) -> Place {
        self.source.place(self.span.start)
    }

    /// Where the value of a key stands, or the table where there is none.
    pub(super) fn place_of(&self, key: &str) -> Place {
        let start = self.table.get(key).map_or(self.span.start, |value| value.span().start);
        self.source.place(start)
    }

    /// Whether the key is given.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Notes what is wrong with a key.
    pub(super) fn refuse(&mut self, key: &str, text: impl Display) {
        self.problems.add(self.place_of(key), format_args!("{key}: {text}"));
    }

    /// Notes what is wrong with the table as a whole, at the first key that the message names.
    pub(super) fn refuse_all(&mut self, error: &Error) {
        let message = in_keys(&error.to_string());
        let words = message.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let mut named = words.filter(|word| self.has(word));
        let place = named.next().map_or_else(|| self.place(), |key| self.place_of(key));
        self.problems.add(place, message);
    }

    /// A text.
    pub(super) fn text(&mut self, key: &str, accepted: &str) -> Option<&'a str> {
        let table: &'a DeTable<'i> = self.table;
        let value = table.get(key)?.get_ref();
        if value.as_str().is_none() {
            let found = kind(value);
            self.refuse(key, format_args!("{found} is no text: write {key} = {accepted}"));
        }
        value.as_str()
    }

    /// A text that means something.
    pub(super) fn parsed<T: FromStr<Err: Display>>(
        &mut self,
        key: &str,
        accepted: &str,
    ) -> Option<T> {
        let text = self.text(key, accepted)?;
        self.parse(key, text)
    }

    /// A text that means something, or a bare whole number where the key is unit enough.
    pub(super) fn counted<T: FromStr<Err: Display>>(
        &mut self,
        key: &str,
        accepted: &str,
    ) -> Option<T> {
        match self.table.get(key)?.get_ref().as_integer() {
            Some(integer) => self.parse(key, &integer.to_string()),
            None => self.parsed(key, accepted),
        }
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &mut self,
        key: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<u64> {
        let value = self.table.get(key)?.get_ref();
        let number = value.as_integer().and_then(|integer| integer.to_string().parse().ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            self.refuse(key, format_args!("write a whole number from {least} to {most}"));
        }
        number
    }

    /// One of the values of an enumeration.
    pub(super) fn choice<T: ValueEnum>(&mut self, key: &str) -> Option<T> {
        let names = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<_> = names.map(|value| format!("{:?}", value.get_name())).collect();
        let accepted = names.join(" or ");
        let text = self.text(key, &accepted)?;
        let choice = T::from_str(text, false).ok();
        if choice.is_none() {
            self.refuse(key, format_args!("{text:?} is unknown: write {accepted}"));
        }
        choice
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, key: &str, accepted: &str) -> Option<Vec<(&'a str, Place)>> {
        let table: &'a DeTable<'i> = self.table;
        let value = table.get(key)?;
        let read = |item: &'a Spanned<DeValue<'i>>| {
            Some((item.get_ref().as_str()?, self.source.place(item.span().start)))
        };
        let items = value.get_ref().as_array();
        let texts = items.and_then(|items| items.iter().map(read).collect());
        if texts.is_none() {
            self.refuse(key, format_args!("no list of texts: write {key} = {accepted}"));
        }
        texts
    }

    fn parse<T: FromStr<Err: Display>>(&mut self, key: &str, text: &str) -> Option<T> {
        let parsed = text.parse();
        parsed.map_err(|error| self.refuse(key, error)).ok()
    }
}

fn unknown(key: &str, section: &str, keys: &[&str]) -> String {
    let similar = keys.iter().map(|known| (strsim::jaro(known, key), known));
    let best = similar.filter(|(value, _)| *value >= SIMILAR).max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((_, known)) => format!("unknown key {key} in {section}: did you mean {known}?"),
        None => format!("unknown key {key} in {section}: there are {}", keys.join(", ")),
    }
}

/// What a value is, in words.
pub(super) fn kind(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Integer(integer) => integer.to_string(),
        DeValue::Float(float) => float.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

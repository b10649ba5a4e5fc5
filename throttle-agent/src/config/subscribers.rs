//! Subscribers in a CSV file: an address and its rates on each line.

use std::{fmt::Display, str::FromStr};

use csv::{ReaderBuilder, StringRecord, Trim};

use super::problems::{Place, Problems, in_keys};
use crate::policy::{
    Action, Burst, GroupName, LimitEntry, LimitRequest, RatesRequests, Scope, TypedPrefix,
    TypedRate, TypedRates,
};

/// Columns that every file has.
const REQUIRED: [&str; 3] = ["address", "up", "down"];

/// Columns that a file may have.
const OPTIONAL: [&str; 3] = ["group", "burst", "action"];

/// What holds for every subscriber whose line says nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The group.
    pub group: Option<GroupName>,
    /// What happens to excess.
    pub action: Action,
    /// The burst.
    pub burst: Option<Burst>,
    /// Who shares a bucket.
    pub scope: Scope,
}

/// Reads all lines of `text`; each that is sound is a limit, with its place.
pub(super) fn read(
    text: &str,
    file: usize,
    defaults: &Defaults,
    problems: &mut Problems,
) -> Vec<(LimitEntry, Place)> {
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(text.as_bytes());
    let place = |line| Place { file, line, column: 0 };
    let columns = match reader.headers() {
        Ok(header) => Columns::of(header),
        Err(error) => Err(csv_words(&error)),
    };
    let columns = match columns {
        Ok(columns) => columns,
        Err(message) => {
            problems.add(place(1), message);
            return Vec::new();
        }
    };
    let mut entries = Vec::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                problems.add(place(line), csv_words(&error));
                continue;
            }
        };
        let place = place(record.position().map_or(0, csv::Position::line));
        let mut row = Row { record: &record, columns: &columns, place, problems };
        entries.extend(row.read(defaults).map(|entry| (entry, place)));
    }
    entries
}

/// Where each column stands.
struct Columns([Option<usize>; 6]);

impl Columns {
    fn of(header: &StringRecord) -> Result<Self, String> {
        const FORM: &str = "write address,up,down and, if needed, group, burst or action";
        let known = || REQUIRED.iter().chain(&OPTIONAL);
        if let Some(other) = header.iter().find(|name| !known().any(|known| known == name)) {
            return Err(format!("unknown column {other:?} in the header: {FORM}"));
        }
        let mut places = [None; 6];
        for (name, place) in known().zip(&mut places) {
            let mut found = header.iter().enumerate().filter(|(_, column)| column == name);
            *place = found.next().map(|(index, _)| index);
            if found.next().is_some() {
                return Err(format!("column {name} is in the header twice: {FORM}"));
            }
        }
        match REQUIRED.iter().zip(&places).find(|(_, place)| place.is_none()) {
            Some((name, _)) => Err(format!("the header lacks column {name}: {FORM}")),
            None => Ok(Self(places)),
        }
    }
}

/// One line.
struct Row<'a> {
    record: &'a StringRecord,
    columns: &'a Columns,
    place: Place,
    problems: &'a mut Problems,
}

impl Row<'_> {
    fn read(&mut self, defaults: &Defaults) -> Option<LimitEntry> {
        let before = self.problems.count();
        let prefix: Option<TypedPrefix> = self.cell(0, "address");
        if prefix.is_none() && self.problems.count() == before {
            self.problems.add(self.place, "address: nothing is written there: write 10.0.0.7");
        }
        let up: Option<TypedRate> = self.cell(1, "up");
        let down = self.cell(2, "down");
        let (group, burst) = (self.cell(3, "group"), self.cell(4, "burst"));
        let action = self.cell(5, "action").unwrap_or(defaults.action);
        if self.problems.count() > before {
            return None;
        }
        // Defaults describe a bucket: where there is none, they say nothing.
        let limits = action != Action::Pass;
        let group = group.or_else(|| defaults.group.clone().filter(|_| limits));
        let rated = up.or(down).is_some();
        let burst = burst.or(defaults.burst.filter(|_| limits && rated));
        let rates = TypedRates { up, down, burst, ..TypedRates::default() };
        let RatesRequests { up, down, total } = match rates.requests() {
            Ok(requests) => requests,
            Err(error) => {
                self.problems.add(self.place, in_keys(&error.to_string()));
                return None;
            }
        };
        let scope = if limits { defaults.scope } else { Scope::Each };
        let limit = LimitRequest { scope, action, group, up, down, total, ..Default::default() };
        Some(LimitEntry { prefix: prefix?, limit })
    }

    /// What an optional cell means; an empty one is `None`.
    fn cell<T: FromStr<Err: Display>>(&mut self, column: usize, name: &str) -> Option<T> {
        let text = self.record.get(self.columns.0[column]?).filter(|text| !text.is_empty())?;
        let parsed = text.parse();
        parsed.map_err(|error| self.problems.add(self.place, format_args!("{name}: {error}"))).ok()
    }
}

fn csv_words(error: &csv::Error) -> String {
    if let csv::ErrorKind::UnequalLengths { expected_len, len, .. } = error.kind() {
        return format!("{len} values where the header has {expected_len} columns");
    }
    error.to_string()
}

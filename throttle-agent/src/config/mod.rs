//! The configuration file: TOML, read as a whole, with every mistake named by file, line and key.

mod agent;
mod document;
mod entries;
mod problems;
mod section;
mod subscribers;
mod write;

use std::{collections::HashMap, fs, io, path::Path};

use toml::de::DeTable;

pub use agent::{AgentKeys, MOST_ENTRIES};
pub use entries::ConfigLink;
pub use subscribers::Defaults;
pub use write::write;

use self::{problems::Problems, section::Source};
use crate::{
    error::{Error, Result},
    policy::{IPV6_HOST_PREFIXES, LinkEntry, PolicyRequest},
};

/// A file that was found sound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// What the agent is started with.
    pub agent: AgentKeys,
    /// Its links, in the order in which they are matched.
    pub links: Vec<ConfigLink>,
    /// Its limits and groups.
    pub policy: PolicyRequest,
    /// What the operator should know about it.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads a file, and the CSV files that it names.
    ///
    /// # Errors
    /// It cannot be read, or [`Kind::Usage`](crate::error::Kind::Usage) with every mistake in it.
    pub fn read(path: &Path) -> Result<Self> {
        let text = read(path).map_err(|error| {
            cannot_read(path, error)
                .hint("the file is TOML; its keys are those of the options, see the README")
        })?;
        Self::parse(&text, path)
    }

    /// Reads the text of the file at `path`.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) with every mistake in it.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let mut problems = Problems::default();
        let source = Source::new(problems.file(path.display()), text);
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let start = error.span().map_or(0, |span| span.start);
            problems.add(source.place(start), error.message());
        }
        if !errors.is_empty() {
            return problems.into_result().map(|()| Self::default());
        }
        let config = document::read(document.get_ref(), path, &source, &mut problems);
        problems.into_result()?;
        Ok(config)
    }

    /// Limits, groups and the limits of links under their patterns, as `PUT /v1/policy` takes them.
    #[must_use]
    pub fn request(&self) -> PolicyRequest {
        let links = self
            .links
            .iter()
            .map(|link| LinkEntry { interface: link.pattern.to_string(), link: link.request });
        PolicyRequest { links: links.collect(), ..self.policy.clone() }
    }
}

/// Reads the subscribers of a CSV file as a policy of limits alone.
///
/// # Errors
/// It cannot be read, or [`Kind::Usage`](crate::error::Kind::Usage) with every mistake in it.
pub fn read_subscribers(path: &Path, defaults: &Defaults) -> Result<PolicyRequest> {
    let text = read(path).map_err(|error| {
        cannot_read(path, error)
            .hint("the file is CSV; its first line names the columns, such as address,up,down")
    })?;
    let mut problems = Problems::default();
    let file = problems.file(path.display());
    let entries = subscribers::read(&text, file, defaults, &mut problems);
    let mut seen = HashMap::new();
    let longest = *IPV6_HOST_PREFIXES.end();
    for (entry, place) in &entries {
        // The agent knows how long an IPv6 host is; the longest finds mistakes in everything else.
        document::check(entry, longest, *place, (&mut seen, &mut Vec::new()), &mut problems);
    }
    problems.into_result()?;
    let limits = entries.into_iter().map(|(entry, _)| entry).collect();
    Ok(PolicyRequest { limits, ..PolicyRequest::default() })
}

fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
}

fn cannot_read(path: &Path, error: io::Error) -> Error {
    Error::of_io(error, format_args!("reading {}", path.display()))
}

#[cfg(test)]
mod tests;

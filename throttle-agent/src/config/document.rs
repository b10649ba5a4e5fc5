//! The document: its tables one after the other, and what they say about each other.

use std::{
    collections::{HashMap, HashSet},
    fmt::Arguments,
    ops::Range,
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use toml::de::{DeTable, DeValue};

use super::{
    Config, Defaults, agent, entries,
    problems::{Place, Problems, in_keys},
    section::{Section, Source, kind},
    subscribers,
};
use crate::{
    error::Result,
    policy::{Checked, GroupEntry, GroupName, LimitEntry, LimitKey, TypedPrefix},
};

/// Tables that a file has.
const TABLES: [&str; 5] = ["agent", "link", "group", "limit", "subscribers"];

/// Keys of `[[subscribers]]`.
pub(super) const SUBSCRIBERS: [&str; 5] = ["file", "group", "action", "burst", "scope"];

/// A file while it is read.
struct Reader<'a> {
    path: &'a Path,
    source: &'a Source,
    problems: &'a mut Problems,
    config: Config,
    /// Where each limit was given first.
    limits: HashMap<LimitKey, Place>,
    /// Groups that there are.
    groups: HashSet<GroupName>,
    /// Groups that limits name, and where.
    members: Vec<(GroupName, Place)>,
}

/// Reads a document; what is wrong with it is noted.
pub(super) fn read(
    document: &DeTable<'_>,
    path: &Path,
    source: &Source,
    problems: &mut Problems,
) -> Config {
    let config = Config::default();
    let (limits, groups, members) = (HashMap::new(), HashSet::new(), Vec::new());
    let mut reader = Reader { path, source, problems, config, limits, groups, members };
    reader.document(document);
    reader.config
}

impl Reader<'_> {
    fn document(&mut self, document: &DeTable<'_>) {
        // Names keys that the file as a whole does not have.
        Section::new(self.source, (document, 0..0), ("the file", &TABLES), self.problems);
        if let Some(value) = document.get("agent") {
            match value.get_ref().as_table() {
                Some(table) => {
                    let table = (table, value.span());
                    let about = ("[agent]", &agent::KEYS[..]);
                    let mut section = Section::new(self.source, table, about, self.problems);
                    self.config.agent = agent::read(&mut section);
                }
                None => self.no_table("agent", "[agent]", value.span().start, value.get_ref()),
            }
        }
        let (links, groups) = (entries::link_keys(), entries::group_keys());
        self.each(document, "link", &links, Self::link);
        self.each(document, "group", &groups, Self::group);
        self.each(document, "limit", &entries::limit_keys(), Self::limit);
        self.each(document, "subscribers", &SUBSCRIBERS, Self::subscribers);
        let is_there = |group| self.groups.contains(group);
        for (group, place) in self.members.iter().filter(|(group, _)| !is_there(group)) {
            self.problems.add(
                *place,
                format_args!("group: there is no group {group}: add [[group]] name = \"{group}\""),
            );
        }
    }

    /// Reads every table of an array of tables.
    fn each(
        &mut self,
        document: &DeTable<'_>,
        name: &str,
        keys: &[&str],
        read: impl Fn(&mut Self, &DeTable<'_>, Range<usize>, (&str, &[&str])),
    ) {
        let Some(value) = document.get(name) else { return };
        let header = format!("[[{name}]]");
        let Some(items) = value.get_ref().as_array() else {
            return self.no_table(name, &header, value.span().start, value.get_ref());
        };
        for item in items {
            match item.get_ref().as_table() {
                Some(table) => read(self, table, item.span(), (&header, keys)),
                None => self.no_table(name, &header, item.span().start, item.get_ref()),
            }
        }
    }

    fn no_table(&mut self, name: &str, header: &str, offset: usize, found: &DeValue<'_>) {
        let (place, found) = (
            self.source.place(offset),
            if found.is_table() { "one table".to_owned() } else { kind(found) },
        );
        self.problems.add(place, format_args!("{name}: {found} where {header} is accepted"));
    }

    fn link(&mut self, table: &DeTable<'_>, span: Range<usize>, about: (&str, &[&str])) {
        let mut section = Section::new(self.source, (table, span), about, self.problems);
        let Some(link) = entries::link(&mut section) else { return };
        let name = format_args!("link {}", link.pattern);
        if !is_sound(&mut section, &mut self.config.warnings, name, link.request.check()) {
            return;
        }
        if self.config.links.iter().any(|known| known.pattern == link.pattern) {
            let pattern = &link.pattern;
            return section.refuse("interface", format_args!("link {pattern} is given twice"));
        }
        self.config.links.push(link);
    }

    fn group(&mut self, table: &DeTable<'_>, span: Range<usize>, about: (&str, &[&str])) {
        let mut section = Section::new(self.source, (table, span), about, self.problems);
        let Some((name, group)) = entries::group(&mut section) else { return };
        let (title, checked) = (format_args!("group {name}"), group.check(name.clone()));
        if !is_sound(&mut section, &mut self.config.warnings, title, checked) {
            return;
        }
        if !self.groups.insert(name.clone()) {
            return section.refuse("name", format_args!("group {name} is given twice"));
        }
        self.config.policy.groups.push(GroupEntry { name, group });
    }

    fn limit(&mut self, table: &DeTable<'_>, span: Range<usize>, about: (&str, &[&str])) {
        let mut section = Section::new(self.source, (table, span), about, self.problems);
        let prefixes = prefixes(&mut section);
        let Some(request) = entries::limit(&mut section) else { return };
        // What a limit says is checked once, whatever the number of its prefixes.
        let checked = request.check(IpNet::default());
        let first = prefixes.first().map_or_else(String::new, |(prefix, _)| prefix.to_string());
        let name = format_args!("limit {first}");
        if !is_sound(&mut section, &mut self.config.warnings, name, checked) {
            return;
        }
        let group_place = section.place_of("group");
        if let Some(group) = &request.group {
            self.members.push((group.clone(), group_place));
        }
        let bits = self.config.agent.ipv6_host_prefix();
        for (prefix, place) in prefixes {
            let entry = LimitEntry { prefix, limit: request.clone() };
            if known(&entry, bits, place, &mut self.limits, self.problems) {
                self.config.policy.limits.push(entry);
            }
        }
    }

    fn subscribers(&mut self, table: &DeTable<'_>, span: Range<usize>, about: (&str, &[&str])) {
        let mut section = Section::new(self.source, (table, span), about, self.problems);
        let before = section.problems.count();
        let file = section.text("file", "\"subscribers.csv\"");
        if !section.has("file") {
            section.refuse("file", "subscribers need a file: write file = \"subscribers.csv\"");
        }
        let defaults = Defaults {
            group: section.parsed("group", "\"acme\""),
            action: section.parsed("action", "\"drop\"").unwrap_or_default(),
            burst: section.parsed("burst", "\"250ms\" or \"64kb\""),
            scope: section.choice("scope").unwrap_or_default(),
        };
        if section.problems.count() > before {
            return;
        }
        let Some(file) = file else { return };
        let path: PathBuf = self.path.parent().unwrap_or(Path::new("")).join(file);
        let text = match super::read(&path) {
            Ok(text) => text,
            Err(error) => {
                return section.refuse("file", format_args!("reading {}: {error}", path.display()));
            }
        };
        let number = self.problems.file(path.display());
        let bits = self.config.agent.ipv6_host_prefix();
        for (entry, place) in subscribers::read(&text, number, &defaults, self.problems) {
            let so_far = (&mut self.limits, &mut self.members);
            if check(&entry, bits, place, so_far, self.problems) {
                self.config.policy.limits.push(entry);
            }
        }
    }
}

/// The prefixes of a limit, each with its place.
fn prefixes(section: &mut Section<'_, '_>) -> Vec<(TypedPrefix, Place)> {
    const FORM: &str = "\"10.0.0.0/24\"";
    let texts = match (section.has("prefix"), section.has("prefixes")) {
        (true, false) => {
            let place = section.place_of("prefix");
            section.text("prefix", FORM).map(|text| vec![(text, place)])
        }
        (false, true) => section.texts("prefixes", "[\"10.0.0.0/24\", \"10.0.1.0/24\"]"),
        (true, true) => {
            section.refuse("prefixes", "prefix and prefixes conflict: give only one of them");
            None
        }
        (false, false) => {
            let place = section.place();
            let text = format!("prefix: a limit needs addresses: write prefix = {FORM}");
            section.problems.add(place, text);
            None
        }
    };
    let mut prefixes = Vec::new();
    for (text, place) in texts.unwrap_or_default() {
        match text.parse() {
            Ok(prefix) => prefixes.push((prefix, place)),
            Err(error) => section.problems.add(place, format_args!("prefix: {error}")),
        }
    }
    prefixes
}

/// Checks a limit that stands on one line of its own.
pub(super) fn check(
    entry: &LimitEntry,
    ipv6_host_prefix: u8,
    place: Place,
    (limits, members): (&mut HashMap<LimitKey, Place>, &mut Vec<(GroupName, Place)>),
    problems: &mut Problems,
) -> bool {
    if let Err(error) = entry.limit.check(IpNet::default()) {
        problems.add(place, in_keys(&error.to_string()));
        return false;
    }
    members.extend(entry.limit.group.clone().map(|group| (group, place)));
    known(entry, ipv6_host_prefix, place, limits, problems)
}

/// Notes a limit as given; `false` when it cannot be, or was given before.
fn known(
    entry: &LimitEntry,
    ipv6_host_prefix: u8,
    place: Place,
    limits: &mut HashMap<LimitKey, Place>,
    problems: &mut Problems,
) -> bool {
    let prefix = match entry.prefix.resolve(ipv6_host_prefix) {
        Ok(prefix) => prefix,
        Err(error) => {
            problems.add(place, format_args!("prefix: {error}"));
            return false;
        }
    };
    let key = LimitKey { prefix, matches: entry.limit.matches };
    match limits.insert(key, place) {
        None => true,
        Some(first) => {
            let first = problems.name(first);
            problems
                .add(place, format_args!("prefix: limit {key} is given twice, first in {first}"));
            false
        }
    }
}

/// Notes what there is to know of an entry; `false` when it is unsound.
fn is_sound<T>(
    section: &mut Section<'_, '_>,
    warnings: &mut Vec<String>,
    name: Arguments<'_>,
    checked: Result<Checked<T>>,
) -> bool {
    match checked {
        Ok(checked) => {
            let texts = checked.warnings.iter();
            warnings.extend(texts.map(|text| format!("{name}: {}", in_keys(text))));
            true
        }
        Err(error) => {
            section.refuse_all(&error);
            false
        }
    }
}

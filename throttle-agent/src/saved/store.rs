//! The policy that is desired, from its two sources.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    mem,
    path::{Path, PathBuf},
};

use super::{
    Entry, Key,
    disk::{Changes, Saved, Step},
    record::Override,
};
use crate::{
    config::{AgentKeys, Config},
    error::{Error, Result},
    links::{LinkSpec, spec_for},
    policy::{GroupName, Policy},
};

/// What an agent was started with, as far as its policy goes.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Its configuration file.
    pub config: Option<PathBuf>,
    /// The links that were typed.
    pub typed_links: Vec<LinkSpec>,
    /// Its settings.
    pub settings: AgentKeys,
}

/// The desired policy: a file's and the changes since.
#[derive(Default)]
pub struct Store {
    origin: Origin,
    /// Groups and limits of the file.
    file: BTreeMap<Key, Entry>,
    /// Links of the command line and the file.
    specs: Vec<LinkSpec>,
    changes: Changes,
    /// Where changes are saved; `None` forgets them with the process.
    saved: Option<Saved>,
    /// Whether anything was saved before this process.
    had_saved: bool,
}

/// A change that is saved, yet not in force.
#[must_use]
#[derive(Default)]
pub(crate) struct Pending {
    before: Vec<(Key, Option<Override>)>,
    file_before: Option<(BTreeMap<Key, Entry>, Vec<LinkSpec>)>,
    step: Option<Step>,
}

impl Store {
    /// The changes that are saved in a directory; `None` saves nothing. The file's limits come with
    /// [`begin_file`](Self::begin_file), once it is known how long an IPv6 host is.
    ///
    /// # Errors
    /// They cannot be read, or are damaged.
    pub fn open(origin: Origin, config: Option<&Config>, directory: Option<&Path>) -> Result<Self> {
        let specs = match config {
            Some(config) => origin.merged(config)?,
            None => origin.typed_links.clone(),
        };
        let mut store = Self { specs, origin, ..Self::default() };
        if let Some(directory) = directory {
            let (saved, changes) = Saved::open(directory)?;
            store.had_saved = changes.is_some();
            store.changes = changes.unwrap_or_default();
            store.saved = Some(saved);
        }
        Ok(store)
    }

    /// A store that saves in this way, from nothing.
    #[cfg(test)]
    pub(super) fn saving_in(saved: Saved) -> Self {
        Self { saved: Some(saved), ..Self::default() }
    }

    /// What the agent was started with.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Takes the settings that are in force in place of those that were asked for.
    pub(crate) fn set_settings(&mut self, settings: AgentKeys) {
        self.origin.settings = settings;
    }

    /// Whether anything says what the policy is: a file, or changes that were saved.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.origin.config.is_some() || self.had_saved
    }

    /// The links to attach to, with the limits that they get then: changed ones have a specification of
    /// their own.
    #[must_use]
    pub fn specs(&self) -> Vec<LinkSpec> {
        let mut specs = self.specs.clone();
        for (key, change) in self.changes.iter().rev() {
            let (Key::Link(interface), Some(Entry::Link(limit))) = (key, &change.now) else {
                continue;
            };
            let is_exact = |spec: &LinkSpec| spec.pattern.exact() == Some(interface);
            if let Some(spec) = specs.iter_mut().find(|spec| is_exact(spec)) {
                spec.limit = Some((**limit).clone());
            } else if let (Some(spec), Ok(pattern)) =
                (spec_for(&specs, interface), glob::Pattern::escape(interface).parse())
            {
                let limit = Some((**limit).clone());
                specs.insert(0, LinkSpec { pattern, limit, may_be_absent: true, ..*spec });
            }
        }
        specs
    }

    /// The links of the command line and the file, as they are stated.
    #[must_use]
    pub fn stated_links(&self) -> &[LinkSpec] {
        &self.specs
    }

    /// The policy for these interfaces.
    #[must_use]
    pub fn policy(&self, attached: &[String]) -> Policy {
        let mut policy = Policy::default();
        let of_file = self.file.iter().filter(|(key, _)| !self.changes.contains_key(key));
        let changed = self.changes.values().filter_map(|change| change.now.as_ref());
        for entry in of_file.map(|(_, entry)| entry).chain(changed) {
            match entry {
                Entry::Group(group) => policy.groups.push((**group).clone()),
                Entry::Limit(limit) => policy.limits.push((**limit).clone()),
                Entry::Link(_) => {}
            }
        }
        for interface in attached {
            if let Some(Entry::Link(limit)) = self.now(&Key::Link(interface.clone())) {
                policy.links.insert(interface.clone(), *limit);
            }
        }
        policy
    }

    /// The changes that make the policy this one, for these interfaces: what it lacks is deleted.
    pub(crate) fn edits(&self, policy: &Policy, attached: &[String]) -> Vec<(Key, Option<Entry>)> {
        let mut wanted: BTreeMap<Key, Entry> = entries(policy).collect();
        for interface in attached {
            let limit = policy.links.get(interface).cloned().unwrap_or_default();
            wanted.insert(Key::Link(interface.clone()), (&limit).into());
        }
        let known = self.file.keys().chain(self.changes.keys()).collect::<BTreeSet<_>>();
        let deleted = known.into_iter().filter(|key| !wanted.contains_key(key));
        let deleted: Vec<_> = deleted
            .map(|key| match key {
                // Of an interface that is not there: as in the file again.
                Key::Link(_) => (key.clone(), self.base(key)),
                Key::Group(_) | Key::Limit(_) => (key.clone(), None),
            })
            .collect();
        let set = wanted.into_iter().map(|(key, entry)| (key, Some(entry)));
        deleted.into_iter().chain(set).collect()
    }

    /// Saves changes.
    ///
    /// # Errors
    /// They cannot be saved: nothing is changed then.
    pub(crate) fn begin(&mut self, edits: Vec<(Key, Option<Entry>)>) -> Result<Pending> {
        let before = self.make(edits);
        self.save(Pending { before, ..Pending::default() })
    }

    /// Makes changes that are not saved yet; returns what they were before, where they differ.
    fn make(&mut self, edits: Vec<(Key, Option<Entry>)>) -> Vec<(Key, Option<Override>)> {
        let mut before = Vec::new();
        for (key, now) in edits {
            let base = self.base(&key);
            // A link without a limit is one that nobody has said anything of.
            let plain = now.as_ref().is_some_and(Entry::is_unlimited_link) && base.is_none();
            let change = (base != now && !plain).then_some(Override { base, now });
            if self.changes.get(&key) != change.as_ref() {
                before.push((key.clone(), set(&mut self.changes, key, change)));
            }
        }
        before
    }

    /// Saves that an entry is as in the file again.
    ///
    /// # Errors
    /// It cannot be saved: nothing is changed then.
    pub(crate) fn begin_undone(&mut self, key: Key) -> Result<Pending> {
        let base = self.base(&key);
        self.begin(vec![(key, base)])
    }

    /// The changes that add entries to a policy, or put them in the place of others.
    pub(crate) fn additions(policy: &Policy) -> Vec<(Key, Option<Entry>)> {
        let links = policy.links.iter();
        let links = links.map(|(name, limit)| (Key::Link(name.clone()), limit.into()));
        entries(policy).chain(links).map(|(key, entry)| (key, Some(entry))).collect()
    }

    /// Reads the file again.
    ///
    /// # Errors
    /// There is none, or it is unsound.
    pub(crate) fn read_config(&self) -> Result<Config> {
        match &self.origin.config {
            Some(path) => Config::read(path),
            None => Err(Error::conflict("the agent runs without a configuration file").hint(
                "start it with `run --config FILE`, or put a file in force with `apply FILE`",
            )),
        }
    }

    /// Takes another file, and saves which changes it makes void.
    ///
    /// # Errors
    /// The file is unsound where an IPv6 host is `ipv6_host_prefix` bits long, or what has changed
    /// cannot be saved: nothing is changed then.
    pub(crate) fn begin_file(&mut self, config: &Config, ipv6_host_prefix: u8) -> Result<Pending> {
        let policy = config.policy.check(ipv6_host_prefix)?.value;
        let file = entries(&policy).collect();
        let specs = self.origin.merged(config)?;
        let file_before =
            (mem::replace(&mut self.file, file), mem::replace(&mut self.specs, specs));
        let before = self.drop_void();
        self.save(Pending { before, file_before: Some(file_before), step: None })
    }

    /// Takes what is in force for changes, where nothing else says what the policy is.
    ///
    /// # Errors
    /// They cannot be saved; the next change that can is saved together with them.
    pub(crate) fn take_over(&mut self, policy: &Policy) -> Result<Pending> {
        self.begin(Self::additions(policy)).inspect_err(|_| {
            // A change that is saved alone would be the whole policy of the next agent.
            self.make(Self::additions(policy));
            self.saved.as_mut().into_iter().for_each(Saved::lacks_some);
        })
    }

    /// The changes are in force.
    pub(crate) fn settle(&mut self, pending: Pending) {
        if let (Some(saved), Some(step)) = (&mut self.saved, pending.step) {
            saved.settle(step);
        }
    }

    /// The changes were refused.
    pub(crate) fn undo(&mut self, pending: Pending) {
        if let (Some(saved), Some(step)) = (&mut self.saved, pending.step) {
            saved.undo(step);
        }
        self.restore(pending.before, pending.file_before);
    }

    /// Forgets all changes, and removes what is saved.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&mut self) -> Result<()> {
        self.changes.clear();
        self.saved.as_mut().map_or(Ok(()), Saved::remove)
    }

    fn restore(
        &mut self,
        before: Vec<(Key, Option<Override>)>,
        file_before: Option<(BTreeMap<Key, Entry>, Vec<LinkSpec>)>,
    ) {
        for (key, change) in before.into_iter().rev() {
            set(&mut self.changes, key, change);
        }
        if let Some((file, specs)) = file_before {
            (self.file, self.specs) = (file, specs);
        }
    }

    fn save(&mut self, mut pending: Pending) -> Result<Pending> {
        let Some(saved) = self.saved.as_mut().filter(|_| !pending.before.is_empty()) else {
            return Ok(pending);
        };
        let keys: Vec<_> = pending.before.iter().map(|(key, _)| key.clone()).collect();
        match saved.save(&keys, &self.changes) {
            Ok(step) => {
                pending.step = Some(step);
                Ok(pending)
            }
            Err(error) => {
                self.restore(pending.before, pending.file_before);
                Err(error)
            }
        }
    }

    /// What the file has for a key.
    fn base(&self, key: &Key) -> Option<Entry> {
        match key {
            Key::Link(interface) => Some(spec_for(&self.specs, interface)?.limit.as_ref()?.into()),
            Key::Group(_) | Key::Limit(_) => self.file.get(key).cloned(),
        }
    }

    fn now(&self, key: &Key) -> Option<Entry> {
        match self.changes.get(key) {
            Some(change) => change.now.clone(),
            None => self.base(key),
        }
    }

    /// Drops changes of entries that the file has changed since, or that it leaves without their group;
    /// returns what was dropped.
    fn drop_void(&mut self) -> Vec<(Key, Option<Override>)> {
        let changed = self.changes.iter().filter(|(key, change)| self.base(key) != change.base);
        let (taken_up, void): (Vec<_>, Vec<_>) =
            changed.partition(|(key, change)| self.base(key) == change.now);
        let keys =
            |found: &[(&Key, &Override)]| found.iter().map(|(key, _)| (*key).clone()).collect();
        let (taken_up, void): (Vec<_>, Vec<_>) = (keys(&taken_up), keys(&void));
        let mut dropped = Vec::new();
        let mut drop = |changes: &mut Changes, void: Vec<Key>, why: &str| {
            for key in void {
                tracing::info!("the change of {key} made at run time is dropped: {why}");
                let change = changes.remove(&key);
                dropped.push((key, change));
            }
        };
        drop(&mut self.changes, taken_up, "the file has it as well now");
        drop(&mut self.changes, void, "the file says something else since");
        let named: HashSet<_> = self.file.values().filter_map(Entry::group).collect();
        let is_needed = |key: &Key, change: &Override| matches!(key, Key::Group(name) if change.now.is_none() && named.contains(name));
        let needed = self.changes.iter().filter(|(key, change)| is_needed(key, change));
        let needed = needed.map(|(key, _)| key.clone()).collect();
        drop(&mut self.changes, needed, "limits of the file name the group");
        let lacks_group = |change: &Override| {
            let group = change.now.as_ref().and_then(Entry::group);
            group.is_some_and(|name| self.now(&Key::Group(name.clone())).is_none())
        };
        let lacking = self.changes.iter().filter(|(_, change)| lacks_group(change));
        let lacking = lacking.map(|(key, _)| key.clone()).collect();
        drop(&mut self.changes, lacking, "the file no longer has its group");
        dropped
    }
}

impl Origin {
    /// The links of the command line, then those of a file. What is typed decides the side; the limit is
    /// the file's in any case.
    fn merged(&self, config: &Config) -> Result<Vec<LinkSpec>> {
        let mut of_file = Vec::new();
        for link in &config.links {
            let limit = Some(link.request.check()?.value);
            let (pattern, side) = (link.pattern.clone(), link.side);
            of_file.push(LinkSpec { pattern, side, limit, may_be_absent: true });
        }
        let limit_of = |typed: &LinkSpec| spec_for(&of_file, typed.pattern.as_str())?.limit.clone();
        let typed = self.typed_links.iter();
        let typed = typed.map(|typed| LinkSpec { limit: limit_of(typed), ..typed.clone() });
        let mut specs: Vec<_> = typed.collect();
        let is_typed =
            |spec: &LinkSpec| self.typed_links.iter().any(|typed| typed.pattern == spec.pattern);
        specs.extend(of_file.into_iter().filter(|spec| !is_typed(spec)));
        Ok(specs)
    }
}

impl Entry {
    fn group(&self) -> Option<&GroupName> {
        match self {
            Self::Limit(limit) => limit.group.as_ref(),
            Self::Group(_) | Self::Link(_) => None,
        }
    }

    fn is_unlimited_link(&self) -> bool {
        matches!(self, Self::Link(limit) if **limit == Default::default())
    }
}

/// Groups and limits.
fn entries(policy: &Policy) -> impl Iterator<Item = (Key, Entry)> {
    let groups = policy.groups.iter().map(|group| (Key::Group(group.name.clone()), group.into()));
    let limits = policy.limits.iter().map(|limit| (Key::Limit(limit.key()), limit.into()));
    groups.chain(limits)
}

fn set(changes: &mut Changes, key: Key, change: Option<Override>) -> Option<Override> {
    match change {
        Some(change) => changes.insert(key, change),
        None => changes.remove(&key),
    }
}

//! The way of a change: saved first, then put in force, and taken back where the kernel refuses.

use std::sync::Arc;

use super::{Agent, Engine, blocking, check_attached, policy_in_force};
use crate::{
    config::Config,
    datapath::{Applied, Change},
    error::{Kind, Result, ResultExt},
    events::{Cause, What},
    fault, links,
    policy::{Group, GroupName, Limit, LimitKey, LinkLimit, Policy, PolicyPlan},
    saved::{Entry, Key, Pending, Store},
};

/// What changes the policy.
pub struct Changes<'a> {
    agent: &'a Agent,
    store: &'a mut Store,
    cause: Cause,
}

impl Agent {
    /// Runs `work`, which may change the policy, off the event loop. Changes take turns; who only reads
    /// does not wait for what they save.
    ///
    /// # Errors
    /// That of `work`.
    pub async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        cause: Cause,
        work: impl FnOnce(&mut Changes<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let mut store = self.store().await;
        let agent = Arc::clone(self);
        blocking(move || work(&mut Changes { agent: &agent, store: &mut store, cause })).await
    }

    /// Reads the configuration file again, and puts what it says in force. Returns that, and what the
    /// operator should know.
    ///
    /// # Errors
    /// There is no file, it is unsound, or the kernel refuses: the policy stays as it was.
    pub async fn reload(self: &Arc<Self>) -> Result<(Applied, Vec<String>)> {
        let _turn = self.reloading.lock().await;
        let (applied, warnings, specs) =
            self.change(Cause::Reload, |changes| changes.reload()).await?;
        let attached = links::set_specs(self, specs).await;
        attached
            .doing(Kind::Failed, || "the limits of the file are in force, its links are not")?;
        Ok((applied, warnings))
    }
}

impl Changes<'_> {
    /// Reads from the engine.
    ///
    /// # Errors
    /// That of `work`.
    pub fn read<T>(&self, work: impl FnOnce(&dyn Engine) -> Result<T>) -> Result<T> {
        self.agent.locked(|engine| work(engine))
    }

    /// Sets the limit of a key; a group that it names must exist.
    ///
    /// # Errors
    /// It cannot be saved, or the engine refuses; nothing changes then.
    pub fn set_limit(&mut self, limit: &Limit) -> Result<Change> {
        let key = Key::Limit(limit.key());
        self.set(key, limit.into(), |engine| engine.set_limit(limit))
    }

    /// Sets the group of a name.
    ///
    /// # Errors
    /// As with [`set_limit`](Self::set_limit).
    pub fn set_group(&mut self, group: &Group) -> Result<Change> {
        let key = Key::Group(group.name.clone());
        self.set(key, group.into(), |engine| engine.set_group(group))
    }

    /// Sets the limit of a link, which must be attached.
    ///
    /// # Errors
    /// As with [`set_limit`](Self::set_limit).
    pub fn set_link_limit(&mut self, interface: &str, limit: &LinkLimit) -> Result<Change> {
        let key = Key::Link(interface.to_owned());
        self.set(key, limit.into(), |engine| engine.set_link_limit(interface, limit))
    }

    /// Deletes the limit of a key; `false` when there was none.
    ///
    /// # Errors
    /// As with [`set_limit`](Self::set_limit).
    pub fn delete_limit(&mut self, key: &LimitKey) -> Result<bool> {
        if self.read(|engine| Ok(engine.limit(key).is_none()))? {
            return Ok(false);
        }
        self.delete(Key::Limit(*key), |engine| engine.delete_limit(key))
    }

    /// Deletes the group of a name; `false` when there was none, refused while limits name it.
    ///
    /// # Errors
    /// As with [`set_limit`](Self::set_limit).
    pub fn delete_group(&mut self, name: &GroupName) -> Result<bool> {
        if self.read(|engine| Ok(engine.group(name).is_none()))? {
            return Ok(false);
        }
        self.delete(Key::Group(name.clone()), |engine| engine.delete_group(name))
    }

    /// Detaches a link, and forgets what was said about it at run time.
    ///
    /// # Errors
    /// It is not attached; and as with [`set_limit`](Self::set_limit).
    pub fn detach(&mut self, interface: &str) -> Result<()> {
        let agent = self.agent;
        let pending = self.store.begin_undone(Key::Link(interface.to_owned()))?;
        self.finish(pending, |engine| links::detach(agent, engine, interface), |()| None)
    }

    /// Puts a whole policy in force at one instant; what it lacks is deleted.
    ///
    /// # Errors
    /// As with [`set_limit`](Self::set_limit).
    pub fn apply(&mut self, policy: &Policy) -> Result<Applied> {
        let attached = self.attached()?;
        let edits = self.store.edits(policy, &attached);
        let pending = self.store.begin(edits)?;
        let applied = self.finish(pending, |engine| engine.apply(policy), applied_words)?;
        self.agent.links.replace_limits(&policy.links);
        Ok(applied)
    }

    /// Puts entries in force beside those there are, at one instant. Links that it names must be attached.
    ///
    /// # Errors
    /// As with [`set_limit`](Self::set_limit).
    pub fn merge(&mut self, policy: &Policy) -> Result<Applied> {
        self.read(|engine| check_attached(policy, &engine.links()))?;
        let attached = self.attached()?;
        let pending = self.store.begin(Store::additions(policy))?;
        let whole = self.store.policy(&attached);
        self.finish(pending, |engine| engine.apply(&whole), applied_words)
    }

    /// Reads the configuration file again.
    fn reload(&mut self) -> Result<(Applied, Vec<String>, Vec<links::LinkSpec>)> {
        let config = self.store.read_config()?;
        let bits = self.read(|engine| Ok(engine.ipv6_host_prefix()))?;
        let pending = self.store.begin_file(&config, bits)?;
        let whole = self.store.policy(&self.attached()?);
        let applied = self.finish(pending, |engine| engine.apply(&whole), applied_words)?;
        let mut warnings = config.warnings;
        warnings.extend(config.agent.differences(&self.store.origin().settings));
        Ok((applied, warnings, self.store.specs()))
    }

    fn set(
        &mut self,
        key: Key,
        entry: Entry,
        work: impl FnOnce(&mut dyn Engine) -> Result<Change>,
    ) -> Result<Change> {
        let name = key.to_string();
        let pending = self.store.begin(vec![(key, Some(entry))])?;
        self.finish(pending, work, |change| match change {
            Change::Created => Some(format!("{name} set")),
            Change::Replaced => Some(format!("{name} replaced")),
            Change::Unchanged => None,
        })
    }

    fn delete(
        &mut self,
        key: Key,
        work: impl FnOnce(&mut dyn Engine) -> Result<bool>,
    ) -> Result<bool> {
        let name = key.to_string();
        let pending = self.store.begin(vec![(key, None)])?;
        self.finish(pending, work, |deleted| deleted.then(|| format!("{name} deleted")))
    }

    /// Puts in force what is saved, tells who listens, or takes it back.
    fn finish<T>(
        &mut self,
        pending: Pending,
        work: impl FnOnce(&mut dyn Engine) -> Result<T>,
        words: impl FnOnce(&T) -> Option<String>,
    ) -> Result<T> {
        let done = self.agent.locked(|engine| {
            let done = work(engine)?;
            Ok((done, engine.generation()))
        });
        match done {
            Ok((done, generation)) => {
                fault::after("putting the change in force");
                self.store.settle(pending);
                if let Some(change) = words(&done) {
                    let cause = self.cause;
                    self.agent.events.publish(What::PolicyChanged { cause, change, generation });
                }
                Ok(done)
            }
            Err(error) => {
                self.store.undo(pending);
                Err(error)
            }
        }
    }

    fn attached(&self) -> Result<Vec<String>> {
        self.read(|engine| Ok(engine.attached()))
    }
}

/// Puts the desired policy in force at the start of an agent. Without any, what an earlier agent has left
/// is the policy.
///
/// # Errors
/// The file does not fit, or the kernel refuses.
pub(super) fn begin(
    store: &mut Store,
    config: Option<&Config>,
    engine: &mut dyn Engine,
) -> Result<()> {
    if !store.is_told() {
        match store.take_over(&policy_in_force(engine)) {
            Ok(pending) => store.settle(pending),
            Err(error) => {
                tracing::warn!("what was in force is saved with the next change, not now: {error}");
            }
        }
        return Ok(());
    }
    if let Some(config) = config {
        let pending = store.begin_file(config, engine.ipv6_host_prefix())?;
        store.settle(pending);
    }
    let policy = store.policy(&engine.attached());
    // Where nothing differs, hosts need not look their limits up again.
    if PolicyPlan::new(&policy_in_force(engine), &policy, Vec::new()).is_empty() {
        return Ok(());
    }
    let applied = engine.apply(&policy)?;
    if let Some(change) = applied_words(&applied) {
        tracing::info!("the saved policy is in force: {change}");
    }
    Ok(())
}

/// What applying a policy has changed; `None` when nothing.
fn applied_words(applied: &Applied) -> Option<String> {
    let Applied { limits_set, limits_deleted, groups_set, groups_deleted, links_set } = *applied;
    let parts = [
        (limits_set, "limit", "set"),
        (limits_deleted, "limit", "deleted"),
        (groups_set, "group", "set"),
        (groups_deleted, "group", "deleted"),
        (links_set, "link", "set"),
    ];
    let parts = parts.into_iter().filter(|(count, ..)| *count > 0);
    let words = parts.map(|(count, what, done)| {
        format!("{count} {what}{} {done}", if count == 1 { "" } else { "s" })
    });
    let words: Vec<_> = words.collect();
    (!words.is_empty()).then(|| words.join(", "))
}

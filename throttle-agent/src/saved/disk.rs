//! The snapshot and the journal.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    Key,
    files::{self, Files},
    record::{Override, Record, SavedChange},
};
use crate::{
    error::{Error, Kind, Result, ResultExt},
    fault,
};

/// Changes that a journal's line holds at most; more make a snapshot.
const LARGEST_LINE: usize = 200;

/// A journal may grow to this, or to the size of the snapshot, before it becomes part of a snapshot.
const JOURNAL_BYTES: u64 = 1 << 20;

pub(super) type Changes = BTreeMap<Key, Override>;

/// Where changes are saved.
pub(super) struct Saved {
    directory: PathBuf,
    files: Box<dyn Files>,
    /// Number of the last line.
    number: u64,
    snapshot_bytes: u64,
    journal_bytes: u64,
    /// Whether a line could not be taken back: nothing may follow it.
    is_torn: bool,
    /// Whether a snapshot could not be taken back, or there never was one of all changes: the next change writes one.
    is_stale: bool,
}

/// What it takes to undo the last change, or to be done with it.
#[derive(Debug)]
pub(super) enum Step {
    /// A line, after so many bytes.
    Line { before: u64 },
    /// A snapshot; the one before, if any, has another name meanwhile.
    Snapshot { had_one: bool },
}

impl Saved {
    /// Reads what is saved in a directory, which may not be there; `None` when nothing ever was.
    pub(super) fn open(directory: &Path) -> Result<(Self, Option<Changes>)> {
        Self::open_with(directory, Box::new(files::Disk))
    }

    /// The same on other files.
    pub(super) fn open_with(
        directory: &Path,
        files: Box<dyn Files>,
    ) -> Result<(Self, Option<Changes>)> {
        let mut saved = Self {
            directory: directory.to_owned(),
            files,
            number: 0,
            snapshot_bytes: 0,
            journal_bytes: 0,
            is_torn: false,
            is_stale: false,
        };
        let (snapshot, journal) = (read(&saved.snapshot())?, read(&saved.journal())?);
        let is_new = snapshot.is_none() && journal.is_none();
        let mut changes = Changes::new();
        if let Some(bytes) = snapshot {
            saved.snapshot_bytes = bytes.len() as u64;
            let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            let record = Record::read(line).map_err(|error| saved.damaged("snapshot", error))?;
            saved.number = record.number;
            take(record, &mut changes).map_err(|error| saved.damaged("snapshot", error))?;
        }
        let journal = journal.unwrap_or_default();
        let sound = saved.replay(&journal, &mut changes)?;
        saved.journal_bytes = sound;
        saved.is_torn = sound < journal.len() as u64;
        Ok((saved, (!is_new).then_some(changes)))
    }

    /// Takes the journal's lines that the snapshot has not; returns how many of its bytes are sound.
    fn replay(&mut self, journal: &[u8], changes: &mut Changes) -> Result<u64> {
        let mut sound = 0;
        for line in journal.split_inclusive(|byte| *byte == b'\n') {
            let end = sound + line.len();
            // The agent ended while it wrote the last line, which nobody was told of.
            let Some(whole) = line.strip_suffix(b"\n") else { break };
            match Record::read(whole) {
                Ok(record) if record.number > self.number => {
                    self.number = record.number;
                    take(record, changes).map_err(|error| self.damaged("journal", error))?;
                }
                Ok(_) => {}
                // One that is whole, as of a newer agent, was told of.
                Err(_) if end == journal.len() && !Record::is_whole(whole) => break,
                Err(error) => return Err(self.damaged("journal", error)),
            }
            sound = end;
        }
        Ok(sound as u64)
    }

    /// Saves changes of some keys; `all` is everything that is changed then.
    ///
    /// # Errors
    /// The file system refuses: what was saved before still is.
    pub(super) fn save(&mut self, keys: &[Key], all: &Changes) -> Result<Step> {
        let full = self.journal_bytes > JOURNAL_BYTES.max(self.snapshot_bytes);
        let saved = if full || self.is_stale || keys.len() > LARGEST_LINE {
            self.write_snapshot(all)
        } else {
            self.write_line(keys, all)
        };
        saved.map_err(|error| {
            let directory = self.directory.display();
            error.context(format_args!("saving the change in {directory}")).hint(
                "nothing was changed; make room or make the directory writable, or give run \
                 another --state-dir, or --ephemeral",
            )
        })
    }

    /// Has the next change save all there are.
    pub(super) fn lacks_some(&mut self) {
        self.is_stale = true;
    }

    /// Takes back what was saved last.
    pub(super) fn undo(&mut self, step: Step) {
        let is_line = matches!(step, Step::Line { .. });
        if let Err(error) = self.try_undo(step) {
            *(if is_line { &mut self.is_torn } else { &mut self.is_stale }) = true;
            let directory = self.directory.display();
            tracing::error!("taking back a refused change in {directory}: {error}");
        }
    }

    /// Is done with what was saved last.
    pub(super) fn settle(&mut self, step: Step) {
        let Step::Snapshot { .. } = step else { return };
        // What these hold is in the snapshot: a failure costs room, nothing else.
        let cleaned = self
            .files
            .remove(&self.previous())
            .and_then(|()| self.files.truncate(&self.journal(), 0));
        match cleaned {
            Ok(()) => (self.journal_bytes, self.is_torn) = (0, false),
            Err(error) => tracing::warn!("clearing {}: {error}", self.journal().display()),
        }
    }

    /// Removes everything.
    pub(super) fn remove(&mut self) -> Result<()> {
        remove(&self.directory)
    }

    fn write_line(&mut self, keys: &[Key], all: &Changes) -> Result<Step> {
        let line = self.record(keys.iter().map(|key| (key, all.get(key)))).line()?;
        let (journal, before) = (self.journal(), self.journal_bytes);
        if self.is_torn {
            // A line behind a torn one would never be read.
            self.files.truncate(&journal, before).map_err(failed)?;
            self.is_torn = false;
        }
        if before == 0 {
            self.files.make_directory(&self.directory).map_err(failed)?;
        }
        let appended = self.files.append(&journal, &line).and_then(|()| match before {
            0 => self.files.sync_directory(&self.directory),
            1.. => Ok(()),
        });
        if let Err(error) = appended {
            self.is_torn = self.files.truncate(&journal, before).is_err();
            return Err(failed(error));
        }
        self.number += 1;
        self.journal_bytes += line.len() as u64;
        Ok(Step::Line { before })
    }

    fn write_snapshot(&mut self, all: &Changes) -> Result<Step> {
        let bytes = self.record(all.iter().map(|(key, change)| (key, Some(change)))).line()?;
        let (snapshot, previous) = (self.snapshot(), self.previous());
        let new = self.directory.join("changes.json.new");
        self.files.make_directory(&self.directory).map_err(failed)?;
        let had_one = snapshot.exists();
        let written = self
            .files
            .write(&new, &bytes)
            .and_then(|()| self.files.remove(&previous))
            .and_then(|()| if had_one { self.files.link(&snapshot, &previous) } else { Ok(()) })
            .and_then(|()| self.files.rename(&new, &snapshot));
        if let Err(error) = written {
            let _is_garbage = self.files.remove(&new);
            return Err(failed(error));
        }
        let step = Step::Snapshot { had_one };
        if let Err(error) = self.files.sync_directory(&self.directory) {
            self.undo(step);
            return Err(failed(error));
        }
        self.number += 1;
        self.snapshot_bytes = bytes.len() as u64;
        self.is_stale = false;
        Ok(step)
    }

    fn try_undo(&mut self, step: Step) -> io::Result<()> {
        match step {
            Step::Line { before } => {
                self.journal_bytes = before;
                self.files.truncate(&self.journal(), before)
            }
            Step::Snapshot { had_one: true } => {
                self.files.rename(&self.previous(), &self.snapshot())?;
                self.files.sync_directory(&self.directory)
            }
            Step::Snapshot { had_one: false } => {
                self.files.remove(&self.snapshot())?;
                self.files.sync_directory(&self.directory)
            }
        }
    }

    fn record<'a>(&self, changes: impl Iterator<Item = (&'a Key, Option<&'a Override>)>) -> Record {
        let changes = changes.map(|(key, change)| SavedChange::new(key, change));
        Record { number: self.number + 1, changes: changes.collect() }
    }

    fn snapshot(&self) -> PathBuf {
        self.directory.join("changes.json")
    }

    fn previous(&self) -> PathBuf {
        self.directory.join("changes.json.previous")
    }

    fn journal(&self) -> PathBuf {
        self.directory.join("changes.journal")
    }

    fn damaged(&self, what: &str, error: Error) -> Error {
        let directory = self.directory.display();
        error.context(format_args!("reading the {what} of saved changes in {directory}")).hint(
            format_args!(
                "restore {directory} from a backup, or remove it to start without changes"
            ),
        )
    }
}

/// Removes what is saved in a directory.
///
/// # Errors
/// The file system refuses.
pub fn remove(directory: &Path) -> Result<()> {
    let removed = fault::before("removing saved changes");
    match removed.and_then(|()| fs::remove_dir_all(directory)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            let doing = format_args!("removing saved changes in {}", directory.display());
            return Err(Error::of_io(error, doing));
        }
        Ok(()) | Err(_) => {}
    }
    // Other instances may have theirs in there.
    let _not_empty = directory.parent().map(fs::remove_dir);
    Ok(())
}

fn take(record: Record, changes: &mut Changes) -> Result<()> {
    for change in record.changes {
        match change.read()? {
            (key, Some(change)) => changes.insert(key, change),
            (key, None) => changes.remove(&key),
        };
    }
    Ok(())
}

fn failed(error: io::Error) -> Error {
    Error::from(anyhow::Error::new(error)).with_kind(Kind::Failed)
}

/// A file's bytes; `None` when there is no such file.
fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).doing(Kind::Failed, || format!("reading {}", path.display())),
    }
}

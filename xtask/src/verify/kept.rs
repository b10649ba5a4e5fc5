//! The record of figures in the tree.

use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::record::Record;
use crate::workspace;

/// The record, and where it is kept.
pub(crate) struct Kept {
    path: PathBuf,
    record: Record,
}

impl Kept {
    /// Reads `tests/verifier.json`.
    pub(crate) fn read() -> Result<Self> {
        let path = workspace::root()?.join("tests/verifier.json");
        let doing = || format!("reading {}", path.display());
        let record = Record::parse(&fs::read_to_string(&path).with_context(doing)?);
        Ok(Self { record: record.with_context(doing)?, path })
    }

    /// Writes it.
    pub(crate) fn write(&self) -> Result<()> {
        let doing = || format!("writing {}", self.path.display());
        fs::write(&self.path, self.record.text().with_context(doing)?).with_context(doing)?;
        eprintln!("verify: wrote {}", self.path.display());
        Ok(())
    }
}

impl Deref for Kept {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}

impl DerefMut for Kept {
    fn deref_mut(&mut self) -> &mut Record {
        &mut self.record
    }
}

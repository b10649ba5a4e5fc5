//! `cargo xtask verify`: what the verifier of the running kernel makes of the program.

mod kept;
#[path = "../../../tests/src/verify/record.rs"]
#[expect(unreachable_pub, reason = "the test package has this file too, where others reach it")]
mod record;
mod table;

use anyhow::{Context as _, Result, ensure};

use crate::docs::Section;
use crate::test::Skipped;
use crate::{demo, exec, setup};

pub(crate) use kept::Kept;
pub(crate) use record::{RECORDING, Verification};
pub(crate) use table::figures;

const SECTION: Section = Section { page: "kernels", name: "verify" };

/// What becomes of what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recording {
    /// It is only shown.
    Nothing,
    /// It goes to its page, also where it is not accepted.
    Page,
    /// The figures become those that others are held to, and go to the page.
    Figures,
}

impl Recording {
    /// As `--record` says.
    pub(crate) fn asked_for(is_asked_for: bool) -> Self {
        if is_asked_for { Self::Figures } else { Self::Nothing }
    }
}

/// Loads the program as root and with the least privileges, and holds what the verifier says against the record.
pub(crate) fn run(record: Recording, skipped: Skipped) -> Result<()> {
    exec::require_root("verify")?;
    let draft = (record != Recording::Nothing).then(|| SECTION.open()).transpose()?;
    setup::run(setup::For::Tests)?;
    let json = exec::output(&mut demo::program("verify", &[])?, "loading the program")?;
    let found: Vec<Verification> =
        serde_json::from_str(&json).with_context(|| format!("reading `{json}`"))?;
    let mut kept = Kept::read()?;
    println!("{}", tables(&found, &kept));
    let is_recording = record == Recording::Figures;
    let first = found.first().context("the program was not loaded")?;
    let faults: Vec<_> = found.iter().flat_map(|found| kept.faults(found, is_recording)).collect();
    if is_recording && faults.is_empty() {
        kept.set(first);
        kept.write()?;
    }
    if let Some(draft) = draft.filter(|_| record == Recording::Page || faults.is_empty()) {
        draft.record(&tables(&found, &kept))?;
    }
    ensure!(faults.is_empty(), "the program is not accepted:\n{}", faults.join("\n"));
    if let Some(lack) = kept.lack(first) {
        println!("SKIPPED: {lack}");
        ensure!(skipped == Skipped::IsTold, "{lack}");
    }
    Ok(())
}

fn tables(found: &[Verification], kept: &Kept) -> String {
    found.iter().map(|found| table::of(found, kept)).collect::<Vec<_>>().join("\n")
}

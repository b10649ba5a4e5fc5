//! `cargo xtask verify`: what the verifier of the running kernel makes of the program.

mod kept;
#[path = "../../../tests/src/verify/record.rs"]
#[expect(unreachable_pub, reason = "the test package has this file too, where others reach it")]
mod record;
mod table;

use anyhow::{Context as _, Result, ensure};

use crate::docs::Section;
use crate::{demo, exec, setup};

pub(crate) use kept::Kept;
pub(crate) use record::{RECORDING, Verification};
pub(crate) use table::figures;

const SECTION: Section = Section { page: "kernels", name: "verify" };

/// Loads the program as root and with the least privileges, and holds what the verifier says against the record; with
/// `is_recording`, the figures become the record.
pub(crate) fn run(is_recording: bool) -> Result<()> {
    exec::require_root("verify")?;
    setup::run(setup::For::Tests)?;
    let json = exec::output(&mut demo::program("verify", &[])?, "loading the program")?;
    let found: Vec<Verification> =
        serde_json::from_str(&json).with_context(|| format!("reading `{json}`"))?;
    let mut kept = Kept::read()?;
    let text = found.iter().map(|found| table::of(found, &kept)).collect::<Vec<_>>().join("\n");
    println!("{text}");
    let faults: Vec<_> = found.iter().flat_map(|found| kept.faults(found, is_recording)).collect();
    ensure!(faults.is_empty(), "the program is not accepted:\n{}", faults.join("\n"));
    if is_recording {
        kept.set(found.first().context("the program was not loaded")?);
        kept.write()?;
        SECTION.record(&text)?;
    } else if let Some(lack) = found.first().and_then(|found| kept.lack(found)) {
        println!("SKIPPED: {lack}");
    }
    Ok(())
}

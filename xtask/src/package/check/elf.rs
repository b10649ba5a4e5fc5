//! What a binary needs to run.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

/// Type of the program header that names a dynamic linker; of elf.h.
const PT_INTERP: u32 = 3;

/// Refuses a binary that asks for a dynamic linker.
pub(super) fn check_is_static(binary: &Path) -> Result<()> {
    let bytes = fs::read(binary).with_context(|| format!("reading {}", binary.display()))?;
    let kinds = program_headers(&bytes)
        .with_context(|| format!("{} is no 64-bit ELF file", binary.display()))?;
    ensure!(!kinds.contains(&PT_INTERP), "{} needs a dynamic linker", binary.display());
    Ok(())
}

/// The types of all program headers of a little-endian file.
fn program_headers(bytes: &[u8]) -> Option<Vec<u32>> {
    bytes.strip_prefix(b"\x7fELF\x02\x01")?;
    let short = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let first = usize::try_from(u64::from_le_bytes(bytes.get(32..40)?.try_into().ok()?)).ok()?;
    let (size, count) = (usize::from(short(54)?), usize::from(short(56)?));
    (0..count).map(|number| word(first + number * size)).collect()
}

#[cfg(test)]
mod tests {
    use super::{PT_INTERP, program_headers};

    #[test]
    fn a_program_of_this_system_asks_for_its_dynamic_linker() {
        let bytes = std::fs::read("/bin/sh").unwrap();
        assert!(program_headers(&bytes).unwrap().contains(&PT_INTERP));
        assert_eq!(program_headers(b"#!/bin/sh"), None);
    }
}

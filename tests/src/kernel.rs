//! Which kernel runs.

use anyhow::{Context as _, Result};
use nix::sys::utsname::uname;

/// As `uname -r` prints it.
pub fn release() -> Result<String> {
    let names = uname().context("asking for the kernel's release")?;
    Ok(names.release().to_string_lossy().into_owned())
}

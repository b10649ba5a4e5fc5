//! cargo-deny, for `cargo xtask lint`.

use anyhow::Result;

use super::install;

const NAME: &str = "cargo-deny";
const SERIES: &str = "0.20";

/// Installs cargo-deny unless it is there.
pub(super) fn prepare() -> Result<String> {
    let installed = install::installed_version(NAME)?;
    if let Some(version) = installed.filter(|version| install::is_in_series(version, SERIES)) {
        return Ok(format!("{NAME} {version}"));
    }
    eprintln!("setup: installing {NAME} {SERIES} (checks licences and sources; takes minutes)");
    install::install(NAME, &format!("^{SERIES}"))?;
    Ok(format!("{NAME} {SERIES}"))
}

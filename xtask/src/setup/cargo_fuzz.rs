//! cargo-fuzz, for `cargo xtask fuzz`.

use anyhow::Result;

use super::install;

pub(crate) const NAME: &str = "cargo-fuzz";
const SERIES: &str = "0.13";

/// Installs cargo-fuzz unless it is there.
pub(super) fn prepare() -> Result<String> {
    let installed = install::installed_version(NAME)?;
    if let Some(version) = installed.filter(|version| install::is_in_series(version, SERIES)) {
        return Ok(format!("{NAME} {version}"));
    }
    eprintln!("setup: installing {NAME} {SERIES} (builds and runs fuzz targets)");
    install::install(NAME, &format!("^{SERIES}"))?;
    Ok(format!("{NAME} {SERIES}"))
}

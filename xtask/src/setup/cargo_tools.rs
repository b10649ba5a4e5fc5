//! Tools of cargo that single tasks call.

use anyhow::Result;

use super::install;

/// A crate whose binary is installed into the workspace.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    series: &'static str,
    reason: &'static str,
}

/// For `cargo xtask lint`.
pub(crate) const DENY: Tool = Tool {
    name: "cargo-deny",
    series: "0.20",
    reason: "checks licences and sources; takes a minute",
};

/// For `cargo xtask fuzz`.
pub(crate) const FUZZ: Tool =
    Tool { name: "cargo-fuzz", series: "0.13", reason: "builds and runs fuzz targets" };

impl Tool {
    /// Installs it unless it is there.
    pub(super) fn prepare(&self) -> Result<String> {
        let Self { name, series, reason } = self;
        let installed = install::installed_version(name)?;
        if let Some(version) = installed.filter(|version| install::is_in_series(version, series)) {
            return Ok(format!("{name} {version}"));
        }
        eprintln!("setup: installing {name} {series} ({reason})");
        install::install(name, &format!("^{series}"))?;
        Ok(format!("{name} {series}"))
    }
}

//! Tools that cargo installs into the workspace.

use std::process::Command;

use anyhow::Result;

use crate::{ebpf, exec, workspace};

/// The version that an installed tool reports, such as `0.10.4`; `None` if it does not run.
pub(super) fn installed_version(name: &str) -> Result<Option<String>> {
    let Ok(output) = Command::new(workspace::tool(name)?).arg("--version").output() else {
        return Ok(None);
    };
    let words = String::from_utf8_lossy(&output.stdout);
    let version = words.split_whitespace().nth(1).map(str::to_owned);
    Ok(version.filter(|_| output.status.success()))
}

/// Installs a crate's binary under the workspace's tools, in place of any other version.
pub(super) fn install(name: &str, requirement: &str) -> Result<()> {
    let mut cargo = workspace::cargo()?;
    cargo.args(["install", name, "--version", requirement, "--locked", "--force", "--root"]);
    cargo.arg(ebpf::tools_dir(&workspace::root()?));
    // They run for seconds: it would take longer to optimise them.
    cargo.args(["--profile", "dev", "--config", "profile.dev.debug=false"]);
    exec::run(&mut cargo, &format!("installing {name} {requirement}"))
}

/// Whether `version` is `series` or, like `0.13.2` in `0.13`, inside it.
pub(super) fn is_in_series(version: &str, series: &str) -> bool {
    version.strip_prefix(series).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::is_in_series;

    #[test]
    fn a_series_holds_itself_and_its_patches_only() {
        assert!(is_in_series("0.10.4", "0.10.4"));
        assert!(is_in_series("0.13.2", "0.13"));
        assert!(!is_in_series("0.10.40", "0.10.4"));
        assert!(!is_in_series("0.1.3", "0.13"));
        assert!(!is_in_series("0.130.0", "0.13"));
    }
}

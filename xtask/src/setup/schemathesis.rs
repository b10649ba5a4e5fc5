//! schemathesis, which asks the agent all that its OpenAPI document allows.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{ebpf, exec, workspace};

const NAME: &str = "schemathesis";
const VERSION: &str = "4.32.5";

/// Installs it into a Python environment of its own unless it is there.
pub(super) fn prepare() -> Result<String> {
    let environment = ebpf::tools_dir(&workspace::root()?).join(NAME);
    if is_there(&environment) {
        return Ok(format!("{NAME} {VERSION}"));
    }
    eprintln!("setup: installing {NAME} {VERSION} (tests the control socket)");
    let mut python = Command::new("python3");
    python.args(["-m", "venv", "--clear"]).arg(&environment);
    exec::run(&mut python, "making a Python environment")
        .context("cannot install Python packages; hint: on Debian, apt-get install python3-venv")?;
    let mut pip = Command::new(environment.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]);
    pip.arg(format!("{NAME}=={VERSION}"));
    exec::run(&mut pip, &format!("installing {NAME} {VERSION}"))?;
    Ok(format!("{NAME} {VERSION}"))
}

fn is_there(environment: &Path) -> bool {
    let output = Command::new(environment.join("bin").join(NAME)).arg("--version").output();
    output.is_ok_and(|output| {
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains(VERSION)
    })
}

//! System packages that tests, demo and benchmarks call.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::exec;

/// A Debian package, known to be there by its commands.
struct Package {
    name: &'static str,
    commands: &'static [&'static str],
    reason: &'static str,
}

static PACKAGES: [Package; 2] = [
    Package {
        name: "iproute2",
        commands: &["ip", "tc"],
        reason: "namespaces, veth pairs, filters of others",
    },
    Package { name: "iperf3", commands: &["iperf3"], reason: "real TCP transfers" },
];

/// Installs what is missing if this is Debian and we are root; names it otherwise.
pub(super) fn prepare() -> Result<String> {
    let missing = missing();
    if !missing.is_empty() {
        let wanted = missing.iter().map(|package| format!("{} ({})", package.name, package.reason));
        let wanted = wanted.collect::<Vec<_>>().join(", ");
        let is_debian = Path::new("/etc/debian_version").exists();
        ensure!(
            is_debian && exec::is_root(),
            "cannot install {wanted}: that takes root and Debian's apt-get; \
             hint: install {} with this system's package manager",
            names(&missing)
        );
        eprintln!("setup: installing {wanted}");
        install(&missing)?;
    }
    Ok(PACKAGES.each_ref().map(|package| package.name).join(", "))
}

fn install(packages: &[&Package]) -> Result<()> {
    exec::run(apt_get().arg("update"), "updating the package lists")?;
    let mut install = apt_get();
    install.args(["install", "--yes", "--no-install-recommends"]);
    install.args(packages.iter().map(|package| package.name));
    exec::run(&mut install, "installing packages")?;
    let absent = names(&missing());
    ensure!(
        absent.is_empty(),
        "{absent} is installed but its commands are not found; \
         hint: apt-get install --reinstall {absent}"
    );
    Ok(())
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet");
    command
}

fn missing() -> Vec<&'static Package> {
    PACKAGES
        .iter()
        .filter(|package| !package.commands.iter().all(|name| is_command(name)))
        .collect()
}

/// Looks in the system folders too, which are not on every user's `PATH`.
fn is_command(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(Into::into);
    env::split_paths(&path).chain(system).any(|dir| dir.join(name).is_file())
}

fn names(packages: &[&Package]) -> String {
    packages.iter().map(|package| package.name).collect::<Vec<_>>().join(" ")
}

//! System packages whose commands tests, demo, benchmarks and virtual machines call.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::exec;

/// A Debian package, known to be there by its commands.
pub(super) struct Package {
    name: &'static str,
    commands: &'static [&'static str],
    reason: &'static str,
}

/// What tests, demo and benchmarks call.
pub(super) const TESTS: &[Package] = &[
    Package {
        name: "iproute2",
        commands: &["ip", "tc"],
        reason: "namespaces, veth pairs, filters of others",
    },
    Package { name: "nftables", commands: &["nft"], reason: "a limiter to compare with" },
    Package {
        name: "iptables",
        commands: &["iptables-restore", "ip6tables-restore", "iptables-legacy", "ip6tables-legacy"],
        reason: "a limiter to compare with",
    },
    Package { name: "iperf3", commands: &["iperf3"], reason: "real TCP transfers" },
    Package { name: "curl", commands: &["curl"], reason: "examples of the API" },
    Package { name: "python3-venv", commands: &["python3"], reason: "schemathesis" },
    Package {
        name: "prometheus",
        commands: &["prometheus", "promtool"],
        reason: "scraping the agent's metrics",
    },
    Package { name: "chromium", commands: &["chromium"], reason: "the agent's web page" },
    Package { name: "tmux", commands: &["tmux"], reason: "a terminal for top" },
];

/// What virtual machines need beside [`TESTS`].
pub(super) const VIRTUAL_MACHINES: &[Package] = &[
    Package {
        name: "qemu-system-x86",
        commands: &["qemu-system-x86_64"],
        reason: "virtual machines",
    },
    Package { name: "busybox-static", commands: &["busybox"], reason: "their file system" },
    Package { name: "wireguard-tools", commands: &["wg"], reason: "tunnels in them" },
    Package { name: "xz-utils", commands: &["xz"], reason: "their kernels' modules" },
    Package { name: "ethtool", commands: &["ethtool"], reason: "offloads in them" },
];

/// What makes packages.
pub(super) const PACKAGE: &[Package] = &[
    Package { name: "dpkg", commands: &["dpkg-deb"], reason: "Debian's package" },
    Package { name: "gzip", commands: &["gzip"], reason: "manual pages, the archive" },
];

/// What installs packages in containers.
pub(super) const PACKAGE_CHECK: &[Package] = &[
    Package { name: "debootstrap", commands: &["debootstrap"], reason: "a Debian to install in" },
    Package {
        name: "systemd-container",
        commands: &["systemd-nspawn"],
        reason: "a system that runs systemd",
    },
];

/// What builds fuzz targets.
pub(super) const FUZZ: &[Package] =
    &[Package { name: "g++", commands: &["g++"], reason: "libFuzzer, which is C++" }];

/// Installs what is missing of `lists` if this is Debian and we are root; names it otherwise.
pub(super) fn prepare(lists: &[&[Package]]) -> Result<String> {
    let wanted: Vec<_> = lists.iter().copied().flatten().collect();
    let missing = missing(&wanted);
    if !missing.is_empty() {
        let reasons =
            missing.iter().map(|package| format!("{} ({})", package.name, package.reason));
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        let is_debian = Path::new("/etc/debian_version").exists();
        ensure!(
            is_debian && exec::is_root(),
            "cannot install {reasons}: that takes root and Debian's apt-get; \
             hint: install {} with this system's package manager",
            names(&missing)
        );
        eprintln!("setup: installing {reasons}");
        install(&missing)?;
    }
    Ok(wanted.iter().map(|package| package.name).collect::<Vec<_>>().join(", "))
}

fn install(packages: &[&Package]) -> Result<()> {
    exec::run(apt_get().arg("update"), "updating the package lists")?;
    let mut install = apt_get();
    install.args(["install", "--yes", "--no-install-recommends"]);
    install.args(packages.iter().map(|package| package.name));
    exec::run(&mut install, "installing packages")?;
    let absent = names(&missing(packages));
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

fn missing<'a>(packages: &[&'a Package]) -> Vec<&'a Package> {
    let is_there =
        |package: &&Package| package.commands.iter().all(|name| exec::find(name).is_some());
    packages.iter().copied().filter(|package| !is_there(package)).collect()
}

fn names(packages: &[&Package]) -> String {
    packages.iter().map(|package| package.name).collect::<Vec<_>>().join(" ")
}

//! Boots a Debian in a container and runs a script in it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::root::Root;

const SCRIPT: &str = include_str!("boot.sh");
const RESULT: &str = "result";

/// Runs the script once the system is up, and ends the system.
const UNIT: &str = "\
[Unit]
After=multi-user.target
SuccessAction=exit-force
FailureAction=exit-force

[Service]
Type=oneshot
ExecStart=/check.sh
StandardOutput=file:/result
StandardError=inherit
TimeoutStartSec=180

[Install]
WantedBy=multi-user.target
";

/// What would work beside the script.
const MASKED: [&str; 6] = [
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "systemd-networkd.service",
    "systemd-tmpfiles-clean.timer",
];

/// Longer than the script and its system take.
const LIMIT: &str = "240";

/// Installs, uses, upgrades and purges `package` under systemd.
pub(super) fn check(root: &Root, package: &Path) -> Result<()> {
    prepare(root.path(), package).context("preparing a Debian")?;
    let mut container = Command::new("timeout");
    container.args(["--kill-after=10", LIMIT, "systemd-nspawn", "--quiet", "--boot"]);
    // The machine may run no systemd of its own that containers register with.
    container.args(["--register=no", "--keep-unit", "--console=pipe", "--private-network"]);
    container.args(["--capability=all", "--system-call-filter=bpf", "--link-journal=no"]);
    // As in any other system, /sys can be written to, and the BPF file system is mounted there.
    container.env("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "1");
    container.arg("--directory").arg(root.path());
    let output = container.stdin(Stdio::null()).output().context("starting systemd-nspawn")?;
    let result = fs::read_to_string(root.path().join(RESULT)).unwrap_or_default();
    let _closed = write!(std::io::stderr(), "{result}");
    let console = String::from_utf8_lossy(&output.stdout);
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(
        !result.is_empty(),
        "the container said nothing ({}):\n{console}\n{words}",
        output.status
    );
    ensure!(result.ends_with("done\n"), "the script in the container did not come to its end");
    Ok(())
}

fn prepare(root: &Path, package: &Path) -> Result<()> {
    fs::copy(package, root.join("package.deb"))?;
    let script = root.join("check.sh");
    fs::write(&script, SCRIPT)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let units = root.join("etc/systemd/system");
    fs::write(units.join("check.service"), UNIT)?;
    for unit in MASKED {
        std::os::unix::fs::symlink("/dev/null", units.join(unit))?;
    }
    let wants = units.join("multi-user.target.wants");
    fs::create_dir_all(&wants)?;
    std::os::unix::fs::symlink("/etc/systemd/system/check.service", wants.join("check.service"))?;
    Ok(())
}

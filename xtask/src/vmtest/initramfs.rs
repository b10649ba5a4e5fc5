//! The guest's whole file system: busybox, the tests with the agent, the programs that they call, and modules.

use std::collections::BTreeSet;
use std::env;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::cpio::Archive;
use super::kernel::Files;
use super::modules;

const INIT: &str = include_str!("init.sh");

/// What is in a guest beside what every guest has.
#[derive(Debug, Default)]
pub(super) struct Content<'a> {
    /// Files of this machine and where they go.
    pub(super) files: Vec<(String, PathBuf)>,
    /// Programs of this machine.
    pub(super) programs: &'a [&'a str],
    /// Modules of the kernel.
    pub(super) modules: &'a [&'a str],
    /// What runs, with its arguments; none has white space.
    pub(super) command: String,
    /// Variables, as a shell sets them.
    pub(super) environment: &'a str,
}

/// What tests call by name.
const PROGRAMS: [&str; 5] = ["ip", "tc", "iperf3", "wg", "ethtool"];

/// What tests need of a kernel that has it as modules.
const MODULES: [&str; 29] = [
    "8021q",
    "act_bpf",
    "act_mirred",
    "bridge",
    "cls_bpf",
    "cls_flower",
    "cls_matchall",
    "cls_u32",
    "dummy",
    "ifb",
    "ip6_tunnel",
    "ipip",
    "macvlan",
    "ppp_async",
    "pppoe",
    "sch_cake",
    "sch_fq",
    "sch_htb",
    "sch_ingress",
    "sch_mqprio",
    "sch_netem",
    "sch_tbf",
    "sit",
    "tcp_bbr",
    "tcp_dctcp",
    "tun",
    "veth",
    "vxlan",
    "wireguard",
];

/// Writes the archive to `path`.
pub(super) fn write(path: &Path, kernel: &Files, content: &Content<'_>) -> Result<()> {
    let names: Vec<_> = MODULES.iter().chain(content.modules).copied().collect();
    let doing = || format!("writing {}", path.display());
    let mut archive = Archive::new(BufWriter::new(File::create(path).with_context(doing)?));
    archive.file("/init", 0o755, INIT.as_bytes())?;
    for directory in ["/dev", "/proc", "/run", "/sys", "/tmp"] {
        archive.directory(directory)?;
    }
    archive.file(
        "/etc/passwd",
        0o644,
        b"root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
    )?;
    archive.file("/etc/group", 0o644, b"root:x:0:\nnogroup:x:65534:\n")?;
    archive.file("/etc/vmtest/modules", 0o644, names.join(" ").as_bytes())?;
    archive.file("/etc/vmtest/command", 0o644, content.command.as_bytes())?;
    archive.file("/etc/vmtest/environment", 0o644, content.environment.as_bytes())?;
    programs(&mut archive, content)?;
    kernel_modules(&mut archive, kernel, &names)?;
    archive.finish().with_context(doing)
}

fn programs(archive: &mut Archive<BufWriter<File>>, content: &Content<'_>) -> Result<()> {
    let mut files = vec![("/bin/busybox".to_owned(), program("busybox")?)];
    files.extend(content.files.iter().cloned());
    for name in PROGRAMS.iter().chain(content.programs) {
        files.push((format!("/usr/local/bin/{name}"), program(name)?));
    }
    let mut libraries = BTreeSet::new();
    for (place, path) in files {
        archive.copy(&place, &path)?;
        // It fails for a program that needs none.
        let listing = Command::new("ldd").arg(&path).output().context("starting ldd")?.stdout;
        libraries.extend(shared_libraries(&String::from_utf8_lossy(&listing)).map(str::to_owned));
    }
    for library in libraries {
        archive.copy(&library, Path::new(&library))?;
    }
    Ok(())
}

fn kernel_modules(
    archive: &mut Archive<BufWriter<File>>,
    kernel: &Files,
    names: &[&str],
) -> Result<()> {
    let folder = format!("/lib/modules/{}", kernel.release);
    let listings = ["modules.alias", "modules.builtin", "modules.dep", "modules.symbols"];
    let files = modules::files(&kernel.modules, names)?;
    for file in listings.into_iter().chain(files.iter().map(String::as_str)) {
        archive.copy(&format!("{folder}/{file}"), &kernel.modules.join(file))?;
    }
    Ok(())
}

/// A program of this machine; system folders are not on every user's `PATH`.
fn program(name: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut files = env::split_paths(&path).chain(system).map(|dir| dir.join(name));
    files.find(|file| file.is_file()).with_context(|| format!("{name} is not on PATH"))
}

/// The absolute paths that ldd(1) prints.
fn shared_libraries(listing: &str) -> impl Iterator<Item = &str> {
    listing.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::{MODULES, shared_libraries};

    #[test]
    fn libraries_are_those_with_a_path() {
        let listing = "\tlinux-vdso.so.1 (0x00007ffc)\n\
             \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\
             \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let libraries: Vec<_> = shared_libraries(listing).collect();
        assert_eq!(libraries, ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]);
        assert_eq!(shared_libraries("\tstatically linked\n").count(), 0);
    }

    #[test]
    fn modules_are_in_order() {
        assert!(MODULES.is_sorted());
    }
}

//! The guest's whole file system: busybox, the tests with the agent, the programs that they call, and modules.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::cpio::Archive;
use super::kernel::Files;
use super::modules;
use crate::exec;

const INIT: &str = include_str!("init.sh");

/// What is in a guest beside what every guest has.
#[derive(Debug, Default)]
pub(super) struct Content<'a> {
    /// Files of this machine and where they go.
    pub(super) files: Vec<(String, PathBuf)>,
    /// What runs, with its arguments; none has white space.
    pub(super) command: String,
    /// Variables, as a shell sets them.
    pub(super) environment: &'a str,
}

/// What tests and benchmarks call by name.
const PROGRAMS: [&str; 10] = [
    "ethtool",
    "ip",
    "ip6tables",
    "ip6tables-restore",
    "iperf3",
    "iptables",
    "iptables-restore",
    "nft",
    "tc",
    "wg",
];

/// What iptables loads for itself.
const EXTENSIONS: [&str; 2] = ["libxt_hashlimit.so", "libxt_standard.so"];
const EXTENSIONS_DIR: &str = "/usr/lib/x86_64-linux-gnu/xtables";

/// What tests and benchmarks need of a kernel that has it as modules.
const MODULES: [&str; 34] = [
    "8021q",
    "act_bpf",
    "act_mirred",
    "act_police",
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
    "nf_tables",
    "nft_compat",
    "nft_limit",
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
    "xt_hashlimit",
];

/// What nf_tables takes of older kernels, which do not say so; newer ones have it without a module.
const OLDER_MODULES: [&str; 1] = ["crc32c_generic"];

/// Writes the archive to `path`.
pub(super) fn write(path: &Path, kernel: &Files, content: &Content<'_>) -> Result<()> {
    let all = modules::Modules::read(&kernel.modules)?;
    let older = OLDER_MODULES.into_iter().filter(|name| all.have(name));
    let names: Vec<_> = MODULES.into_iter().chain(older).collect();
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
    kernel_modules(&mut archive, kernel, &all.files(&names)?)?;
    archive.finish().with_context(doing)
}

fn programs(archive: &mut Archive<BufWriter<File>>, content: &Content<'_>) -> Result<()> {
    let mut files = vec![("/bin/busybox".to_owned(), program("busybox")?)];
    files.extend(content.files.iter().cloned());
    for name in PROGRAMS {
        files.push((format!("/usr/local/bin/{name}"), program(name)?));
    }
    files.extend(EXTENSIONS.map(|name| {
        let path = format!("{EXTENSIONS_DIR}/{name}");
        (path.clone(), PathBuf::from(path))
    }));
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
    files: &BTreeSet<String>,
) -> Result<()> {
    let folder = format!("/lib/modules/{}", kernel.release);
    let listings = ["modules.alias", "modules.builtin", "modules.dep", "modules.symbols"];
    for file in listings.into_iter().chain(files.iter().map(String::as_str)) {
        archive.copy(&format!("{folder}/{file}"), &kernel.modules.join(file))?;
    }
    Ok(())
}

fn program(name: &str) -> Result<PathBuf> {
    exec::find(name).with_context(|| format!("{name} is not on PATH"))
}

/// The absolute paths that ldd(1) prints.
fn shared_libraries(listing: &str) -> impl Iterator<Item = &str> {
    listing.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::{MODULES, PROGRAMS, shared_libraries};

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
    fn programs_and_modules_are_in_order() {
        assert!(MODULES.is_sorted() && PROGRAMS.is_sorted());
    }
}

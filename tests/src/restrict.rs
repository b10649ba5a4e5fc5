//! What a test needs of its surroundings, and what is taken away from its child processes.

use std::os::unix::fs::{chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::panic::resume_unwind;
use std::path::Path;
use std::process::Command;
use std::{fs, io, thread};

use anyhow::{Context as _, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};

use crate::foreign::BPFFS;
use crate::netns::unique_name;

/// Ends the calling test as [`skip`] says unless it runs as root.
#[macro_export]
macro_rules! require_root {
    () => {
        if !$crate::restrict::is_root() {
            $crate::restrict::skip("needs root: network namespaces and BPF");
            return;
        }
    };
}

/// Ends the calling test as [`skip`] says unless the program at a path is there.
#[macro_export]
macro_rules! require_tool {
    ($path:expr) => {
        if !$path.exists() {
            let missing = format!("needs {}: run `cargo xtask setup`", $path.display());
            $crate::restrict::skip(&missing);
            return;
        }
    };
}

/// Whether tests with a choice have the time to do all there is: with `THROTTLE_TESTS_FULL` set, as
/// `cargo xtask test --full` does.
pub fn is_full() -> bool {
    std::env::var_os("THROTTLE_TESTS_FULL").is_some()
}

/// Says why the calling test, which is to return then, cannot run: in a `SKIPPED` line. With
/// `THROTTLE_TESTS_MUST_RUN` set (as CI does) it fails instead.
#[track_caller]
pub fn skip(reason: &str) {
    assert!(std::env::var_os("THROTTLE_TESTS_MUST_RUN").is_none(), "{reason}");
    println!("SKIPPED: {reason}");
}

/// Whether the process is root.
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

/// An unprivileged user and its group, by their customary number and name.
pub const NOBODY: (u32, &str) = (65534, "nobody");

/// Makes `command` run as an unprivileged user in no group of ours.
pub fn without_privileges(command: &mut Command) -> &mut Command {
    command.uid(NOBODY.0).gid(NOBODY.0)
}

/// Makes `command` run as an unprivileged user that has `group` among its groups.
pub fn in_group(command: &mut Command, group: u32) -> &mut Command {
    let become_member = move || {
        setgroups(&[Gid::from_raw(group)])?;
        setgid(Gid::from_raw(NOBODY.0))?;
        Ok(setuid(Uid::from_raw(NOBODY.0))?)
    };
    // SAFETY: the closure runs between fork and exec and makes system calls only, which are
    // async-signal-safe.
    unsafe { command.pre_exec(become_member) }
}

/// Runs `closure` on a thread that, with every process it starts, finds group `throttle` on the machine, with this
/// number and `member`, and no other but root's.
pub fn with_group_throttle<R: Send>(
    number: u32,
    member: &str,
    closure: impl FnOnce() -> R + Send,
) -> Result<R> {
    let file = std::env::temp_dir().join(unique_name());
    let prepare = || {
        fs::write(&file, format!("root:x:0:\nthrottle:x:{number}:{member}\n"))?;
        mount(Some(&file), "/etc/group", NONE, MsFlags::MS_BIND, NONE).context("mounting")?;
        // The mount holds it.
        Ok(fs::remove_file(&file)?)
    };
    with_mounts(prepare, closure)
}

/// Runs `closure` on a thread that, with every process it starts, sees a new file system of type `kind` at
/// each path, which belongs to user `owner`.
pub fn with_file_systems<R: Send>(
    places: &[(&str, &str)],
    owner: u32,
    closure: impl FnOnce() -> R + Send,
) -> Result<R> {
    let prepare = || {
        places.iter().try_for_each(|&(kind, path)| {
            fs::create_dir_all(path)?;
            let doing = || format!("mounting {kind} on {path}");
            mount(Some(kind), path, Some(kind), MsFlags::empty(), NONE).with_context(doing)?;
            Ok(chown(path, Some(owner), None)?)
        })
    };
    with_mounts(prepare, closure)
}

/// Runs `closure` on a thread that, with every process it starts, has mounts of its own, which it may change.
pub fn with_own_mounts<R: Send>(closure: impl FnOnce() -> R + Send) -> Result<R> {
    with_mounts(|| Ok(()), closure)
}

/// In mounts of its own, unmounts whatever is mounted where the BPF file system belongs, one on the other.
pub fn unmount_bpffs() {
    while umount2(BPFFS, MntFlags::MNT_DETACH).is_ok() {}
}

/// In mounts of its own, hides the system's first process, as a container may: nobody can tell then that other
/// processes see other mounts.
pub fn hide_first_process() -> Result<()> {
    mount(Some("tmpfs"), FIRST_PROCESS, Some("tmpfs"), MsFlags::empty(), NONE)
        .context("hiding the first process")
}

/// The same, but that the first process has other mounts can be told, whatever this machine shows of it.
pub fn show_others_mounts() -> Result<()> {
    hide_first_process()?;
    let namespaces = Path::new(FIRST_PROCESS).join("ns");
    fs::create_dir(&namespaces)?;
    Ok(symlink("mnt:[1]", namespaces.join("mnt"))?)
}

/// Runs `closure` on a thread with mounts of its own, once `prepare` has changed them.
fn with_mounts<R: Send>(
    prepare: impl FnOnce() -> Result<()> + Send,
    closure: impl FnOnce() -> R + Send,
) -> Result<R> {
    let inside = || {
        unshare(CloneFlags::CLONE_NEWNS).context("unsharing the mounts")?;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(NONE, "/", NONE, private, NONE).context("keeping mounts private")?;
        prepare()?;
        Ok(closure())
    };
    thread::scope(|scope| scope.spawn(inside).join()).unwrap_or_else(|panic| resume_unwind(panic))
}

const NONE: Option<&str> = None;
const FIRST_PROCESS: &str = "/proc/1";

/// Ends the child when the thread that starts it ends, however that happens.
pub fn dies_with_this_thread(command: &mut Command) -> &mut Command {
    // SAFETY: the closure runs between fork and exec and makes one prctl(2) call, which is
    // async-signal-safe.
    unsafe { command.pre_exec(|| Ok(set_pdeathsig(Signal::SIGTERM)?)) }
}

/// Makes `command` see a kernel that was built without `CONFIG_BPF_SYSCALL`: a seccomp filter answers
/// every bpf(2) with ENOSYS.
pub fn without_bpf(command: &mut Command) -> &mut Command {
    // SAFETY: the closure runs between fork and exec and makes two prctl(2) calls, which are
    // async-signal-safe, on data it owns.
    unsafe { command.pre_exec(refuse_bpf) }
}

fn refuse_bpf() -> io::Result<()> {
    let mut filter = [
        load_word(std::mem::offset_of!(libc::seccomp_data, nr)),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_bpf as u32),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: plain integers; affects only the calling process.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    // SAFETY: `program` points at `filter`, which outlives the call; the kernel copies both.
    check(unsafe {
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
    })
}

fn load_word(offset: usize) -> libc::sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset as u32)
}

fn statement(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

fn check(answer: libc::c_int) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

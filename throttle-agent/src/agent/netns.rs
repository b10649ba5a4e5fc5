//! Entering a network namespace.

use std::{
    convert::Infallible,
    fmt,
    fs::{self, File},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    str::FromStr,
};

use nix::sched::{CloneFlags, setns};

use crate::error::{Error, Kind, Result, ResultExt};

/// Where iproute2 keeps namespaces that have a name.
const NAMED: &str = "/run/netns";

/// Asks a file which kind of namespace it is; of linux/nsfs.h.
const NS_GET_NSTYPE: libc::Ioctl = 0xb703;

/// What can be given.
const ACCEPTED: &str = "give a name that `ip netns list` shows, which has no slash, or a path such as \
                        /proc/PID/ns/net";

/// A network namespace by the name that iproute2 gave it, or by a path with a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetnsName(String);

impl FromStr for NetnsName {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for NetnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl NetnsName {
    /// Where the namespace is found: what is typed has a slash where it is a path.
    fn path(&self) -> PathBuf {
        if self.0.contains('/') { PathBuf::from(&self.0) } else { Path::new(NAMED).join(&self.0) }
    }

    /// Moves the calling thread, and all it spawns later, into the namespace.
    ///
    /// # Errors
    /// There is no such namespace, or the process may not enter it.
    pub fn enter(&self) -> Result<()> {
        let path = self.path();
        // Whatever is there, opening it does not wait.
        let opened = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&path);
        let file = opened.map_err(|error| self.cannot_open(&path, error))?;
        if !is_network_namespace(&file) {
            return Err(self.no_namespace(&path));
        }
        setns(file, CloneFlags::CLONE_NEWNET)
            .map_err(|errno| Error::of_io(errno, format_args!("entering network namespace {self}")))
    }

    fn cannot_open(&self, path: &Path, error: io::Error) -> Error {
        let shown = path.display();
        let missing = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
        if !missing.contains(&error.kind()) {
            return Error::of_io(error, format_args!("opening network namespace {shown}"));
        }
        let error =
            Error::failed(format_args!("no network namespace {self}: {shown} does not exist"));
        if process_of(path).is_some() {
            return error.hint("that process has ended: give one that runs, or a name");
        }
        error.hint(ACCEPTED)
    }

    fn no_namespace(&self, path: &Path) -> Error {
        let shown = path.display();
        let error = Error::failed(format_args!("{shown} is no network namespace"));
        if path.parent() == Some(Path::new(NAMED)) && path.is_file() {
            // Its file was bound in a mount namespace that is not ours, or before a restart.
            return error.hint(format_args!(
                "its file is left over: run `ip netns delete {self}` and `ip netns add {self}`"
            ));
        }
        error.hint(ACCEPTED)
    }
}

/// The process of a path such as `/proc/PID/ns/net`.
fn process_of(path: &Path) -> Option<u32> {
    path.strip_prefix("/proc").ok()?.iter().next()?.to_str()?.parse().ok()
}

fn is_network_namespace(file: &File) -> bool {
    // SAFETY: the call takes no argument and returns a number.
    let kind = unsafe { libc::ioctl(file.as_raw_fd(), NS_GET_NSTYPE) };
    kind == libc::CLONE_NEWNET
}

/// Which network namespace the agent works in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetnsId {
    /// What it was asked to enter; `None` where it stays in the namespace that it was started in.
    pub name: Option<NetnsName>,
    /// Number of the namespace, unique among those there are.
    pub inode: u64,
}

impl NetnsId {
    /// That of this thread, which has entered `name`.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn of_this_thread(name: Option<NetnsName>) -> Result<Self> {
        let path = "/proc/thread-self/ns/net";
        let inode = inode(Path::new(path)).doing(Kind::Failed, || format!("reading {path}"))?;
        Ok(Self { name, inode })
    }

    /// Says so when the name now means another namespace, or none.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let name = self.name.as_ref()?;
        // A process may end, and the namespace stay.
        if process_of(&name.path()).is_some() {
            return None;
        }
        let became = match inode(&name.path()) {
            Ok(now) if now == self.inode => return None,
            Ok(_) => "is another one now",
            Err(_) => "was removed",
        };
        Some(format!(
            "network namespace {name} {became}, and the agent still works in the one it was: start the \
             agent again"
        ))
    }
}

fn inode(path: &Path) -> io::Result<u64> {
    Ok(fs::metadata(path)?.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_where_iproute2_keeps_it() {
        let path = |text: &str| text.parse::<NetnsName>().unwrap().path();
        assert_eq!(path("blue"), Path::new("/run/netns/blue"));
        assert_eq!(path("/proc/1/ns/net"), Path::new("/proc/1/ns/net"));
    }

    #[test]
    fn a_missing_namespace_is_named() {
        let error = "no-such-namespace".parse::<NetnsName>().unwrap().enter().unwrap_err();
        assert_eq!(error.kind(), Kind::Failed);
        assert!(error.to_string().starts_with("no network namespace no-such-namespace"));
    }

    fn refused(text: &str) -> (String, String) {
        let error = text.parse::<NetnsName>().unwrap().enter().unwrap_err();
        assert_eq!(error.kind(), Kind::Failed);
        (error.to_string(), error.hint_text().unwrap().to_owned())
    }

    #[test]
    fn what_is_no_network_namespace_is_told() {
        for path in ["/etc/passwd", "/proc/self/ns/mnt", "/"] {
            let (error, hint) = refused(path);
            assert_eq!(error, format!("{path} is no network namespace"));
            assert!(hint.contains("`ip netns list`"), "{hint}");
        }
    }

    #[test]
    fn a_process_that_has_ended_and_a_name_with_a_slash_are_told() {
        let (error, hint) = refused("/proc/4194305/ns/net");
        assert!(error.ends_with("/proc/4194305/ns/net does not exist"), "{error}");
        assert!(hint.contains("process has ended"), "{hint}");
        let (error, hint) = refused("blue/green");
        assert!(error.starts_with("no network namespace blue/green"), "{error}");
        assert!(hint.contains("no slash"), "{hint}");
    }

    #[test]
    fn a_name_that_came_to_mean_another_namespace_is_told() {
        let own = |name: &str| NetnsId::of_this_thread(Some(name.parse().unwrap())).unwrap();
        assert_eq!(own("/proc/thread-self/ns/net").warning(), None);
        let path = format!("/proc/thread-self/../{}/ns/net", std::process::id());
        assert_eq!(own(&path).warning(), None);
        assert!(own("/etc/passwd").warning().unwrap().contains("is another one now"));
        assert!(own("/no/such/file").warning().unwrap().contains("was removed"));
        assert_eq!(NetnsId::of_this_thread(None).unwrap().warning(), None);
    }
}

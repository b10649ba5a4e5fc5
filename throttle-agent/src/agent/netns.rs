//! Entering a network namespace.

use std::{
    convert::Infallible,
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
    str::FromStr,
};

use nix::sched::{CloneFlags, setns};

use crate::error::{Error, Result};

/// Where iproute2 keeps namespaces that have a name.
const NAMED: &str = "/run/netns";

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
    fn path(&self) -> PathBuf {
        if self.0.contains('/') { PathBuf::from(&self.0) } else { Path::new(NAMED).join(&self.0) }
    }

    /// Moves the calling thread, and all it spawns later, into the namespace.
    ///
    /// # Errors
    /// There is no such namespace, or the process may not enter it.
    pub fn enter(&self) -> Result<()> {
        let path = self.path();
        let file = File::open(&path).map_err(|error| self.cannot_open(&path, error))?;
        setns(file, CloneFlags::CLONE_NEWNET)
            .map_err(|errno| Error::of_io(errno, format_args!("entering network namespace {self}")))
    }

    fn cannot_open(&self, path: &Path, error: io::Error) -> Error {
        let path = path.display();
        if error.kind() == io::ErrorKind::NotFound {
            return Error::failed(format_args!(
                "no network namespace {self}: {path} does not exist"
            ))
            .hint("give a name that `ip netns list` shows, or a path such as /proc/PID/ns/net");
        }
        Error::of_io(error, format_args!("opening network namespace {path}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

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
}

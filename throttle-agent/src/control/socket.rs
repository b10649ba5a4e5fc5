//! The socket's file: one agent per instance holds it.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::{
        fs::{PermissionsExt, chown},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};

use super::gate;
use crate::{
    error::{Error, Result},
    fault,
};

/// Owner and group may connect.
const MODE: u32 = 0o660;

/// Removes the socket when dropped, and its directory when that is empty then.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

/// Makes the socket at `path`, replacing one whose agent is dead.
///
/// # Errors
/// Another agent answers there, or the file system refuses.
pub fn claim(path: &Path) -> Result<(UnixListener, SocketFile)> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fault::before("making the directory of the control socket")
        .and_then(|()| fs::create_dir_all(directory))
        .map_err(|error| Error::of_io(error, format_args!("creating {}", directory.display())))?;
    let _lock = lock(directory)?;
    remove_stale(path)?;
    let failed = |error: io::Error, what: &str| {
        Error::of_io(error, format_args!("{what} control socket {}", path.display()))
    };
    let listener = fault::before("making the control socket")
        .and_then(|()| UnixListener::bind(path))
        .map_err(|error| failed(error, "creating"))?;
    let file = SocketFile(path.to_owned());
    // Until the mode is set, the check of each peer keeps strangers out.
    fault::before("setting the socket's mode")
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(MODE)))
        .map_err(|error| failed(error, "setting the mode of"))?;
    if let Some(group) = gate::group()? {
        fault::before("setting the socket's group")
            .and_then(|()| chown(path, None, Some(group.as_raw())))
            .map_err(|error| failed(error, "setting the group of"))?;
    }
    listener.set_nonblocking(true).map_err(|error| failed(error, "preparing"))?;
    fault::after("making the control socket");
    Ok((listener, file))
}

/// Removes a socket that nobody answers on.
fn remove_stale(path: &Path) -> Result<()> {
    let Err(error) = UnixStream::connect(path) else { return Err(taken(path)) };
    if error.kind() == io::ErrorKind::NotFound {
        return Ok(());
    }
    if error.kind() != io::ErrorKind::ConnectionRefused {
        return Err(Error::of_io(error, format_args!("trying control socket {}", path.display())));
    }
    let removed = fault::before("removing a stale control socket");
    removed.and_then(|()| fs::remove_file(path)).map_err(|error| {
        Error::of_io(error, format_args!("removing stale control socket {}", path.display()))
    })
}

/// Keeps two agents from taking the same socket for stale.
fn lock(directory: &Path) -> Result<Flock<File>> {
    let failed =
        |error: io::Error| Error::of_io(error, format_args!("locking {}", directory.display()));
    let file = File::open(directory).map_err(failed)?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| failed(errno.into()))
}

fn taken(path: &Path) -> Error {
    Error::failed(format_args!("an agent answers on {} already", path.display()))
        .hint("stop it first, or give this one another name with --instance NAME")
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let removed = fs::remove_file(&self.0);
        fault::after("removing the control socket");
        if let Err(error) = removed {
            tracing::warn!("removing control socket {}: {error}", self.0.display());
        }
        // Other instances may have theirs in there.
        let _not_empty = self.0.parent().map(fs::remove_dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_socket_and_its_empty_directory_go_with_the_agent() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("throttle/default.sock");
        let (_listener, file) = claim(&path).unwrap();
        assert_eq!(mode(&path), MODE);
        drop(file);
        assert!(!path.exists() && !path.parent().unwrap().exists());
        assert!(root.path().exists());
    }

    #[test]
    fn the_directory_stays_while_another_instance_uses_it() {
        let root = tempfile::tempdir().unwrap();
        let (one, two) = (root.path().join("run/one.sock"), root.path().join("run/two.sock"));
        let (_one_listener, one_file) = claim(&one).unwrap();
        let (_two_listener, _two_file) = claim(&two).unwrap();
        drop(one_file);
        assert!(!one.exists() && two.exists());
    }

    #[test]
    fn a_live_agent_is_not_replaced() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("default.sock");
        let (_listener, _file) = claim(&path).unwrap();
        let error = claim(&path).unwrap_err();
        assert_eq!(error.kind(), Kind::Failed);
        assert!(error.to_string().contains("an agent answers on"));
        assert!(path.exists());
    }

    #[test]
    fn a_dead_agents_socket_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("default.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let (_listener, _file) = claim(&path).unwrap();
        assert!(UnixStream::connect(&path).is_ok());
    }
}

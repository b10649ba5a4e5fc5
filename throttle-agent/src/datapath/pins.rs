//! Where pins live: `<root>/<layout version>/<instance>/`, on a BPF file system.

use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use aya::maps::MapInfo;
use nix::{
    mount::{self, MsFlags},
    sys::statfs::{FsType, statfs},
};
use throttle_common::abi::VERSION;

use super::{Options, bpf, held::Held, layout::MAPS, refusal::refused};
use crate::{
    error::{Error, Kind, Result, ResultExt},
    fault,
    instance::pin_directory,
};

/// The map that is pinned last.
const LAST: &str = "CONFIG";

const BPF_FS_MAGIC: FsType = FsType(0xcafe_4a11);

/// The pins of one instance.
#[derive(Debug, Clone)]
pub(super) struct Pins {
    directory: PathBuf,
    held: Held,
}

impl Pins {
    /// The pins of the instance that `options` name; nothing is touched.
    pub(super) fn of(options: &Options) -> Self {
        Self::of_version(options, VERSION)
    }

    /// Those whose layout is of another version; nothing is touched.
    pub(super) fn of_version(options: &Options, version: u32) -> Self {
        Self::at(pin_directory(&options.pin_root, version, &options.instance))
    }

    fn at(directory: PathBuf) -> Self {
        Self { directory, held: Held::default() }
    }

    /// Makes the directory, and mounts the BPF file system if nobody has.
    pub(super) fn create(options: &Options) -> Result<Self> {
        mount(options)?;
        let pins = Self::of(options);
        fault::before("making the directory of the pins")
            .and_then(|()| fs::create_dir_all(&pins.directory))
            .map_err(|error| refused(error, format!("creating {}", pins.directory.display())))?;
        Ok(pins)
    }

    /// The pins of all other instances, of any layout.
    pub(super) fn others(&self) -> Vec<Self> {
        let folders = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
        let root = self.directory.ancestors().nth(2).unwrap_or(&self.directory);
        let versions = folders(root).map(|version| version.path());
        let instances = versions.flat_map(|version| folders(&version).collect::<Vec<_>>());
        let others = instances.map(|instance| Self::at(instance.path()));
        others.filter(|other| other.directory != self.directory).collect()
    }

    /// Name of the instance.
    pub(super) fn instance(&self) -> String {
        let name = self.directory.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// The directory.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Path of a pin.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The names of all pins.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let failed = |error| refused(error, format!("reading {}", self.directory.display()));
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        let entries = fs::read_dir(&self.directory).map_err(failed)?;
        entries.map(|entry| entry.map(name).map_err(failed)).collect()
    }

    /// Opens what is pinned under this name, or was when it was [held](Self::hold).
    pub(super) fn open(&self, name: &str) -> io::Result<OwnedFd> {
        if self.held.is_stale(name) {
            return self.held.get(name).ok_or(io::ErrorKind::NotFound.into());
        }
        bpf::open_pin(&self.path(name)).or_else(|error| self.held.get(name).ok_or(error))
    }

    /// Holds what is pinned under this name from now on, so that it outlives its pin.
    pub(super) fn hold(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        let held = self.held.hold(name, &path);
        held.map_err(|error| refused(error, format!("opening {}", path.display())))
    }

    /// From now on, an object that cannot be pinned is held, and pinned by [`restore`](Self::restore) once that is
    /// possible.
    pub(super) fn allow_missing(&self) {
        self.held.allow_missing();
    }

    /// Pins a new link under this name, and holds it.
    pub(super) fn add_link(&self, name: &str, link: OwnedFd) -> io::Result<()> {
        let pinned =
            fault::before("pinning a link").and_then(|()| bpf::pin(link.as_fd(), &self.path(name)));
        if pinned.is_ok() {
            fault::after("pinning a link");
        } else if !self.held.may_lack_pins() {
            return pinned;
        }
        self.held.insert(name, link);
        Ok(())
    }

    /// Holds a link of this name, pinned or not.
    pub(super) fn hold_link(&self, name: &str, link: OwnedFd) {
        self.held.insert(name, link);
    }

    /// Removes one pin, if it is there, and what is held of it.
    ///
    /// One that cannot be removed goes as soon as that is possible, which is logged.
    pub(super) fn remove_one(&self, name: &str) {
        self.held.forget(name);
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("{} stands for nothing, and stays for now: {error}", path.display());
                self.held.remove_later(name);
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Makes those pins that are missing; `false` while one cannot be made.
    pub(super) fn restore(&self) -> bool {
        self.held.restore(&self.directory)
    }

    /// Checks the layout of every map that is already pinned.
    pub(super) fn check_maps(&self) -> Result<()> {
        for layout in MAPS.iter().filter(|layout| self.path(layout.name).exists()) {
            let path = self.path(layout.name);
            let info = MapInfo::from_pin(&path).map_err(|error| {
                refused(error, format!("reading the pinned map {}", path.display()))
            })?;
            layout.check(&info)?;
        }
        Ok(())
    }

    /// Whether every map is pinned.
    pub(super) fn have_all_maps(&self) -> bool {
        MAPS.iter().all(|layout| self.path(layout.name).exists())
    }

    /// Removes the pins of maps; links keep theirs.
    pub(super) fn remove_maps(&self) -> Result<()> {
        let paths = MAPS.iter().map(|layout| self.path(layout.name));
        paths.filter(|path| path.exists()).try_for_each(|path| remove_file(&path))
    }

    /// Removes the pin of the map without which nobody adopts the others, until [`complete`](Self::complete).
    pub(super) fn withhold(&self) -> Result<()> {
        remove_file(&self.path(LAST))
    }

    /// Pins what was [withheld](Self::withhold).
    pub(super) fn complete(&self) -> Result<()> {
        let path = self.path(LAST);
        let Some(map) = self.held.get(LAST).filter(|_| !path.exists()) else { return Ok(()) };
        fault::before("pinning the last map")
            .and_then(|()| bpf::pin(map.as_fd(), &path))
            .map_err(|error| refused(error, format!("pinning {}", path.display())))?;
        fault::after("pinning the last map");
        Ok(())
    }

    /// Whether there is anything to adopt or remove.
    pub(super) fn exist(&self) -> bool {
        self.directory.exists()
    }

    /// Removes every pin and the directory, then the directories above it that are empty.
    pub(super) fn remove(&self) -> Result<()> {
        let failed = |error| refused(error, format!("removing {}", self.directory.display()));
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            remove_file(&entry.map_err(failed)?.path())?;
        }
        fault::before("removing the directory of the pins")
            .and_then(|()| fs::remove_dir(&self.directory))
            .map_err(failed)?;
        for parent in self.directory.ancestors().skip(1).take(2) {
            // Other instances, or other layout versions, keep theirs.
            if fs::remove_dir(parent).is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// Removes a pin, if it is there.
fn remove_file(pin: &Path) -> Result<()> {
    match fault::before("removing a pin").and_then(|()| fs::remove_file(pin)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(refused(error, format!("removing {}", pin.display())))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Mounts the BPF file system unless it is there.
pub(super) fn mount(options: &Options) -> Result<()> {
    let point = options.pin_root.parent().unwrap_or(Path::new("/"));
    let shown = point.display();
    let found = statfs(point).doing(Kind::Unsupported, || format!("looking for {shown}"))?;
    if found.filesystem_type() == BPF_FS_MAGIC {
        return Ok(());
    }
    // Pins in a mount that only this process sees vanish with it, and enforcement with them.
    if is_private_mount_namespace() {
        return Err(Error::failed(format!(
            "mounting the BPF file system on {shown}: this mount namespace is not the system's, and \
             limits would end with this process"
        ))
        .hint("start the agent outside and pass `--netns NAME`, instead of inside `ip netns exec`"));
    }
    fault::before("mounting the BPF file system")
        .and_then(|()| {
            let mounted =
                mount::mount(Some("bpf"), point, Some("bpf"), MsFlags::empty(), None::<&str>);
            mounted.map_err(io::Error::from)
        })
        .map_err(|error| refused(error, format!("mounting the BPF file system on {shown}")))
}

/// Whether this process sees other mounts than the system's first process does.
///
/// A container may hide that process; the two are then taken to be alike.
fn is_private_mount_namespace() -> bool {
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/mnt"));
    match (namespace("self"), namespace("1")) {
        (Ok(own), Ok(system)) => own != system,
        (Err(_), _) | (_, Err(_)) => false,
    }
}

//! Takes over the pins of an agent whose layout was an older one.
//!
//! Layout 2 differs from [`VERSION`] in the meaning of one word: it kept the time of a host's last packet as 64
//! bits of nanoseconds, where now two halves hold that time and the last excess. So its maps are not copied: their
//! pins move, and the old program goes on with the very buckets, counters and limits that the new one is about to
//! work with. No charge is lost, and nobody gets a fresh burst.
//!
//! The program is loaded with the old maps first, so a kernel that refuses it changes nothing. Then the pins move,
//! then each link gets the new program, then the words are rewritten, and only then does the old directory go. It
//! stands for what is yet to be done, so an agent that is killed in between leaves links that an old or a new
//! program enforces, and the next agent does the rest: every step can be repeated.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use throttle_common::abi::{HostDirection, LastExcess, VERSION, seen_word};

use super::{Options, pins::Pins};
use crate::{
    error::{Error, Kind, Result, ResultExt},
    fault,
};

/// The layout whose pins can be taken over.
const OLDER: u32 = 2;

/// The pins of an older layout, as far as they are still to be taken over.
pub(super) struct Older {
    pins: Pins,
}

impl Older {
    /// The pins of an older layout, checked; `None` when there are none.
    ///
    /// # Errors
    /// There are pins of a layout that nobody here knows, or both layouts have been in use.
    pub(super) fn find(options: &Options) -> Result<Option<Self>> {
        check_versions(options)?;
        let pins = Pins::of_version(options, OLDER);
        if !pins.exist() {
            return Ok(None);
        }
        let new = Pins::of(options);
        if let Some(twice) = pins.names()?.iter().find(|name| new.path(name).exists()) {
            let (this, that) = (new.directory().display(), pins.directory().display());
            return Err(Error::failed(format!(
                "taking over {that}: {twice} is in {this} as well, so agents of both layouts have run"
            ))
            .hint("`throttle-agent detach --all` removes the pins of both, and with them the limits"));
        }
        pins.check_maps()?;
        Ok(Some(Self { pins }))
    }

    /// Where a pin is until the pins move, if it is there.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        Some(self.pins.path(name)).filter(|path| path.exists())
    }

    /// Moves the pins to where those of this layout are.
    pub(super) fn move_pins(&self, to: &Pins) -> Result<()> {
        let names = self.pins.names()?;
        names.iter().try_for_each(|name| rename(&self.pins.path(name), &to.path(name)))?;
        tracing::info!(from = OLDER, to = VERSION, "the pins of an older layout are taken over");
        Ok(())
    }

    /// Rewrites the words whose meaning has changed, once no link has the old program any more.
    pub(super) fn finish<'a>(self, hosts: impl Iterator<Item = &'a HostDirection>) -> Result<()> {
        hosts.for_each(rewrite);
        fault::after("rewriting what an older layout has of hosts");
        self.pins.remove()
    }
}

/// Every directory that pins of the instance may be in, those that are halfway taken over brought together.
pub(super) fn places(options: &Options) -> Result<[Pins; 2]> {
    let (older, pins) = (Pins::of_version(options, OLDER), Pins::of(options));
    let is_halfway = older.exist() && pins.exist();
    if is_halfway && older.names()?.iter().all(|name| !pins.path(name).exists()) {
        Older { pins: older.clone() }.move_pins(&pins)?;
    }
    Ok([older, pins])
}

/// Refuses to work beside the pins of a layout that nobody here knows.
pub(super) fn check_versions(options: &Options) -> Result<()> {
    let root = options.pin_root.display();
    let entries = match fs::read_dir(&options.pin_root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).doing(Kind::Failed, || format!("reading {root}")),
    };
    let version = |entry: fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    for found in entries.flatten().filter_map(version) {
        let pins = Pins::of_version(options, found);
        if found != VERSION && found != OLDER && pins.exist() {
            let (instance, directory) = (&options.instance, pins.directory().display());
            return Err(Error::failed(format!(
                "looking for pins of instance {instance}: those in {directory} have layout {found}, and this \
                 agent knows layouts {OLDER} and {VERSION}"
            ))
            .hint("`detach --all` of the agent that made them removes them, and with them the limits"));
        }
    }
    Ok(())
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fault::before("moving a pin")
        .and_then(|()| fs::rename(from, to))
        .doing(Kind::Failed, || format!("moving {} to {}", from.display(), to.display()))
}

/// Rewrites the word of one direction of a host, unless it has been.
///
/// The older layout's word is a time in nanoseconds. Of the halves, the upper one is 0 or begins with the number
/// of a reason, which no time reaches before 9 years of uptime. A time within the first four seconds of uptime
/// looks like a lower half, and so like another time.
fn rewrite(direction: &HostDirection) {
    let HostDirection { last_seen, last_excess, .. } = direction;
    let upper = last_excess.load();
    if upper == 0 || LastExcess::from_word(upper).reason().is_some() {
        return;
    }
    let seen_ns = u64::from(upper) << u32::BITS | u64::from(last_seen.load());
    last_seen.store(seen_word(seen_ns));
    last_excess.store(0);
}

#[cfg(test)]
mod tests {
    use throttle_common::{
        abi::{Host, since_seen_ns},
        verdict::Reason,
    };

    use super::*;

    /// A direction whose word for the last packet holds `word`.
    fn direction(host: &Host, word: u64) -> &HostDirection {
        let direction = &host.directions[0];
        direction.last_seen.store(word as u32);
        direction.last_excess.store((word >> u32::BITS) as u32);
        direction
    }

    fn blank() -> Host {
        // SAFETY: a host is made of numbers.
        unsafe { std::mem::zeroed() }
    }

    #[test]
    fn a_time_of_the_older_layout_becomes_the_same_time_once() {
        let (host, now_ns) = (blank(), 40_000_000_000_000_u64);
        let direction = direction(&host, now_ns - 9_000_000_000);
        for _ in 0..2 {
            rewrite(direction);
            let since_ns = since_seen_ns(direction.last_seen.load(), now_ns).unwrap();
            assert!(since_ns.abs_diff(9_000_000_000) < 40_000_000, "{since_ns}");
            assert_eq!(direction.last_excess.load(), 0);
        }
    }

    #[test]
    fn what_the_new_program_has_written_stays() {
        let (host, now_ns) = (blank(), 40_000_000_000_000_u64);
        for excess in [0, LastExcess::new(Reason::DscpMarked, seen_word(now_ns)).to_word()] {
            let direction =
                direction(&host, u64::from(excess) << u32::BITS | u64::from(seen_word(now_ns)));
            rewrite(direction);
            assert_eq!(direction.last_seen.load(), seen_word(now_ns));
            assert_eq!(direction.last_excess.load(), excess);
        }
    }

    #[test]
    fn a_host_that_was_never_seen_stays_so() {
        let host = blank();
        let direction = direction(&host, 0);
        rewrite(direction);
        assert_eq!((direction.last_seen.load(), direction.last_excess.load()), (0, 0));
    }
}

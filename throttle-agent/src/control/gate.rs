//! Who may use the control socket.

use std::ffi::CString;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

use crate::error::{Error, Kind, Result, ResultExt};

/// Members of this group may do what root may.
const GROUP: &str = "throttle";

/// The group, if the machine has it.
///
/// # Errors
/// The group database cannot be read.
pub(super) fn group() -> Result<Option<Gid>> {
    let group =
        Group::from_name(GROUP).doing(Kind::Failed, || format!("looking up group {GROUP}"))?;
    Ok(group.map(|group| group.gid))
}

/// Whether a peer is root, the agent's own user, or a member of the group.
///
/// The group's members are read at each call, so that a change needs no restart.
pub(super) fn admits(uid: Uid, gid: Gid) -> bool {
    uid.is_root() || uid == Uid::effective() || is_member(uid, gid)
}

/// What everyone else hears.
pub(super) fn stranger() -> Error {
    Error::not_permitted("only root and members of group throttle may use the agent")
        .hint("run it as root, for instance with sudo")
}

fn is_member(uid: Uid, gid: Gid) -> bool {
    let Ok(Some(group)) = group() else { return false };
    let listed = || {
        let user = User::from_uid(uid).ok().flatten()?;
        let name = CString::new(user.name).ok()?;
        getgrouplist(&name, user.gid).ok()
    };
    gid == group || listed().is_some_and(|groups| groups.contains(&group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_agents_own_user_are_admitted() {
        assert!(admits(Uid::from_raw(0), Gid::from_raw(0)));
        assert!(admits(Uid::effective(), Gid::from_raw(12_345)));
    }

    #[test]
    fn others_are_not() {
        assert!(!admits(Uid::from_raw(4_000_000_000), Gid::from_raw(4_000_000_000)));
    }
}

//! What has to be done about interfaces that came, went or were renamed.

use std::collections::{BTreeMap, BTreeSet};

use super::{LinkSpec, spec_for};
use crate::netlink::Interface;

/// One thing to do about an interface.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// A link is no longer wanted: its interface is gone, or has a name `now` that nobody specified.
    Drop { ifindex: u32, name: &'a str, now: Option<&'a str> },
    /// The interface of a link has another name. `spec` holds for it now, if another one did before.
    Rename { ifindex: u32, before: &'a str, name: &'a str, spec: Option<&'a LinkSpec> },
    /// An interface is wanted.
    Attach { interface: &'a Interface, spec: &'a LinkSpec },
}

/// Compares the links there are, by index and last known name, with the interfaces there are.
///
/// Those of `held_off` are not attached to.
pub(super) fn plan<'a>(
    specs: &'a [LinkSpec],
    held_off: &BTreeSet<String>,
    links: &'a BTreeMap<u32, String>,
    interfaces: &'a [Interface],
) -> Vec<Step<'a>> {
    let known = |ifindex: u32| interfaces.iter().find(|found| found.index == ifindex);
    let changed = links.iter().filter_map(|(&ifindex, before)| match known(ifindex) {
        None => Some(Step::Drop { ifindex, name: before, now: None }),
        Some(found) if found.name == *before => None,
        Some(found) => Some(renamed(specs, ifindex, before, &found.name)),
    });
    let is_free =
        |found: &&Interface| !links.contains_key(&found.index) && !held_off.contains(&found.name);
    let wanted = interfaces.iter().filter(is_free).filter_map(|interface| {
        let spec = spec_for(specs, &interface.name)?;
        Some(Step::Attach { interface, spec })
    });
    // A link that is dropped makes room for others.
    let (drops, renames): (Vec<_>, Vec<_>) =
        changed.partition(|step| matches!(step, Step::Drop { .. }));
    drops.into_iter().chain(renames).chain(wanted).collect()
}

fn renamed<'a>(specs: &'a [LinkSpec], ifindex: u32, before: &'a str, name: &'a str) -> Step<'a> {
    match (spec_for(specs, before), spec_for(specs, name)) {
        (Some(_), None) => Step::Drop { ifindex, name: before, now: Some(name) },
        (old, new) => Step::Rename { ifindex, before, name, spec: new.filter(|_| old != new) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(index: u32, name: &str) -> Interface {
        Interface { index, name: name.to_owned(), hardware_type: 1, ..Interface::default() }
    }

    /// What is done under `specs` about links and interfaces, each an index and a name.
    fn steps(specs: &[&str], links: &[(u32, &str)], interfaces: &[(u32, &str)]) -> Vec<String> {
        let specs: Vec<LinkSpec> = specs.iter().map(|text| text.parse().unwrap()).collect();
        let links = links.iter().map(|(index, name)| (*index, (*name).to_owned())).collect();
        let interfaces: Vec<_> =
            interfaces.iter().map(|(index, name)| interface(*index, name)).collect();
        let held_off = BTreeSet::from(["wg9".to_owned()]);
        let words = |step: &Step<'_>| match step {
            Step::Drop { ifindex, name, .. } => format!("drop {ifindex} {name}"),
            Step::Rename { ifindex, before, name, spec } => {
                let spec = spec.map(|spec| format!(" under {}", spec.pattern)).unwrap_or_default();
                format!("rename {ifindex} {before} {name}{spec}")
            }
            Step::Attach { interface, spec } => {
                format!("attach {} under {}", interface.name, spec.pattern)
            }
        };
        plan(&specs, &held_off, &links, &interfaces).iter().map(words).collect()
    }

    #[test]
    fn what_is_as_it_should_be_is_left_alone() {
        assert!(steps(&["wg*"], &[(5, "wg0")], &[(1, "lo"), (5, "wg0")]).is_empty());
        assert!(steps(&[], &[(5, "adopted0")], &[(5, "adopted0")]).is_empty());
    }

    #[test]
    fn an_interface_that_comes_is_attached_to_under_the_first_that_matches() {
        assert_eq!(
            steps(&["wg0", "wg*"], &[], &[(1, "lo"), (5, "wg0"), (6, "wg1")]),
            ["attach wg0 under wg0", "attach wg1 under wg*"]
        );
    }

    #[test]
    fn one_that_was_detached_by_hand_stays_detached() {
        assert!(steps(&["wg*"], &[], &[(5, "wg9")]).is_empty());
    }

    #[test]
    fn one_that_came_back_is_another_one() {
        assert_eq!(
            steps(&["wg*"], &[(5, "wg0")], &[(8, "wg0")]),
            ["drop 5 wg0", "attach wg0 under wg*"]
        );
        // Whoever has the old index now may be anyone.
        assert_eq!(
            steps(&["wg*"], &[(5, "wg0")], &[(5, "eth7"), (8, "wg0")]),
            ["drop 5 wg0", "attach wg0 under wg*"]
        );
    }

    #[test]
    fn a_new_name_that_is_specified_as_well_keeps_the_link() {
        assert_eq!(steps(&["wg*"], &[(5, "wg0")], &[(5, "wg1")]), ["rename 5 wg0 wg1"]);
        assert_eq!(
            steps(&["wg0", "wan*:near"], &[(5, "wg0")], &[(5, "wan0")]),
            ["rename 5 wg0 wan0 under wan*"]
        );
        assert_eq!(steps(&["wg*"], &[(5, "old0")], &[(5, "old1")]), ["rename 5 old0 old1"]);
    }

    #[test]
    fn a_new_name_that_nobody_specified_ends_the_link() {
        assert_eq!(steps(&["wg*"], &[(5, "wg0")], &[(5, "spare0")]), ["drop 5 wg0"]);
    }

    #[test]
    fn two_that_swap_names_keep_their_links() {
        assert_eq!(
            steps(&["eth*"], &[(2, "eth0"), (3, "eth1")], &[(2, "eth1"), (3, "eth0")]),
            ["rename 2 eth0 eth1", "rename 3 eth1 eth0"]
        );
    }
}

//! Whether packets take the way through a link, and take it once.

use throttle_common::abi::Side;

use crate::{
    datapath::{LinkReport, LinkStatus},
    links::{LinkState, Surroundings},
    netlink::Interface,
};

/// What keeps packets of a link from being limited, or has them limited twice. `all` are the links.
pub(super) fn warnings(
    report: &LinkReport,
    all: &[LinkReport],
    around: &Surroundings,
) -> Vec<String> {
    let link = &report.status;
    let Some(interface) = around.interface(link) else { return Vec::new() };
    let others = || all.iter().map(|other| &other.status).filter(|other| *other != link);
    let mut found: Vec<_> =
        [impassable(link, around), passed_by_xdp(interface), opposite(link, others())]
            .into_iter()
            .flatten()
            .collect();
    let below = around.below(interface);
    let attached = |lower: &&&Interface| others().any(|other| other.ifindex == lower.index);
    found.extend(below.iter().filter(attached).map(|lower| stacked(&interface.name, &lower.name)));
    found.extend(report.other_instances.iter().map(|name| shared(&interface.name, name)));
    found.extend(passed_by_flows(interface, &below, around));
    found
}

fn impassable(link: &LinkStatus, around: &Surroundings) -> Option<String> {
    let name = link.interface.as_deref()?;
    match around.state(link) {
        LinkState::Up | LinkState::Unknown => None,
        LinkState::Down => {
            Some(format!("{name} is down, so no packet passes: run `ip link set {name} up`"))
        }
        LinkState::NoCarrier => Some(format!(
            "{name} has no carrier, so no packet passes: look at its cable, or at its peer"
        )),
    }
}

fn passed_by_xdp(interface: &Interface) -> Option<String> {
    let name = &interface.name;
    interface.has_xdp.then(|| {
        format!(
            "an XDP program on {name} gets packets first: those that it drops, answers or redirects \
             are neither limited nor counted; see `ip link show dev {name}`"
        )
    })
}

/// Said of near links alone, so that a pair is named once.
fn opposite<'a>(
    link: &LinkStatus,
    mut others: impl Iterator<Item = &'a LinkStatus>,
) -> Option<String> {
    let name = link.interface.as_deref().filter(|_| link.side == Side::Near)?;
    let far = others.find(|other| other.side == Side::Far)?.interface.as_deref()?;
    Some(format!(
        "{name} has hosts near and {far} has them far: a packet that is forwarded through both is \
         charged to its host twice; attach to one of them, as after `throttle-agent detach --iface \
         {name}`"
    ))
}

fn stacked(upper: &str, lower: &str) -> String {
    format!(
        "packets of {upper} go through {lower} as well and are charged twice: attach to one of them, as \
         after `throttle-agent detach --iface {upper}`"
    )
}

fn shared(name: &str, instance: &str) -> String {
    format!(
        "instance {instance} is attached to {name} as well: each limits the packets that the other lets \
         pass; detach one of them, as with `throttle-agent --instance NAME detach --iface {name}`"
    )
}

/// Flowtables take packets at the ingress of an interface and send them on by one at the lower end: what
/// is made on top of either sees none of them. Where hardware does it, nobody does.
fn passed_by_flows(
    interface: &Interface,
    below: &[&Interface],
    around: &Surroundings,
) -> Vec<String> {
    let name = &interface.name;
    let mut warnings = Vec::new();
    for table in &around.flowtables {
        let is_in = |interface: &&Interface| table.takes_from(&interface.name);
        let lower = below.iter().copied().find(|lower| is_in(lower));
        let Some(device) = lower.or_else(|| Some(interface).filter(|own| is_in(own))) else {
            continue;
        };
        let (table_name, device) = (&table.name, &device.name);
        if table.is_offloaded {
            warnings.push(format!(
                "flowtable {table_name} lets the hardware of {device} forward packets, which are then \
                 neither limited nor counted on {name}: take `flags offload` out of it"
            ));
        } else if lower.is_some() {
            warnings.push(format!(
                "flowtable {table_name} forwards packets of established flows at {device} past {name}, \
                 where they are neither limited nor counted: attach to {device} instead, or take \
                 {device} out of the flowtable"
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests;

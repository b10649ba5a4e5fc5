use std::collections::BTreeSet;

use super::*;
use crate::{
    datapath::{HookKind, Position},
    netlink::Flowtable,
};

fn report(ifindex: u32, name: &str, side: Side) -> LinkReport {
    let alone = Some(Position::Tcx { place: 1, of: 1 });
    let status = LinkStatus {
        interface: Some(name.to_owned()),
        ifindex,
        side,
        hook: HookKind::Tcx,
        pace_ready: None,
        fq: None,
    };
    LinkReport { status, ingress: alone, egress: alone, other_instances: BTreeSet::new() }
}

fn interface(index: u32, name: &str) -> Interface {
    let name = name.to_owned();
    Interface { index, name, is_up: true, has_carrier: true, ..Interface::default() }
}

/// `eth0`, its VLAN `eth0.7`, and `wan0`.
fn around() -> Surroundings {
    let vlan = Interface { kind: "vlan".to_owned(), link: Some(2), ..interface(3, "eth0.7") };
    Surroundings {
        interfaces: vec![interface(2, "eth0"), vlan, interface(4, "wan0")],
        ..Surroundings::default()
    }
}

/// The first words of what is said of each link.
fn said(all: &[LinkReport], around: &Surroundings) -> Vec<String> {
    all.iter().flat_map(|report| warnings(report, all, around)).collect()
}

#[test]
fn links_that_see_other_packets_earn_no_warning() {
    let lans = [report(2, "eth0", Side::Far), report(4, "wan0", Side::Far)];
    assert_eq!(said(&lans, &around()), Vec::<String>::new());
}

#[test]
fn links_on_either_side_of_the_hosts_are_told_once() {
    let both = [report(2, "eth0", Side::Far), report(4, "wan0", Side::Near)];
    let said = said(&both, &around());
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("wan0 has hosts near and eth0 has them far"), "{said:?}");
}

#[test]
fn an_interface_on_top_of_another_link_is_told() {
    let both = [report(2, "eth0", Side::Far), report(3, "eth0.7", Side::Far)];
    let said = said(&both, &around());
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("packets of eth0.7 go through eth0 as well"), "{said:?}");
}

#[test]
fn other_instances_and_xdp_programs_are_told() {
    let mut link = report(4, "wan0", Side::Far);
    link.other_instances.insert("blue".to_owned());
    let mut around = around();
    around.interfaces[2].has_xdp = true;
    let said = said(&[link], &around);
    assert!(said[0].starts_with("an XDP program on wan0"), "{said:?}");
    assert!(said[1].starts_with("instance blue is attached to wan0 as well"), "{said:?}");
}

#[test]
fn a_flowtable_passes_by_what_is_on_top_of_its_interfaces() {
    let links = [report(2, "eth0", Side::Far)];
    let upper = [report(3, "eth0.7", Side::Far)];
    let mut around = around();
    let devices = vec!["eth0".to_owned(), "wan0".to_owned()];
    around.flowtables = vec![Flowtable { name: "fast".to_owned(), devices, is_offloaded: false }];
    assert_eq!(said(&links, &around), Vec::<String>::new(), "traffic control comes before it");
    assert!(said(&upper, &around)[0].contains("at eth0 past eth0.7"));
    around.flowtables[0].is_offloaded = true;
    assert!(said(&links, &around)[0].contains("the hardware of eth0"));
    assert!(said(&upper, &around)[0].contains("the hardware of eth0"));
}

#[test]
fn an_interface_that_nothing_passes_is_told() {
    let mut around = around();
    around.interfaces[0].is_up = false;
    around.interfaces[2].has_carrier = false;
    let links = [report(2, "eth0", Side::Far), report(4, "wan0", Side::Far)];
    let said = said(&links, &around);
    assert!(
        said[0].contains("`ip link set eth0 up`") && said[1].contains("no carrier"),
        "{said:?}"
    );
}

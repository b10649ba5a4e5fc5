//! Limits that share a group.

use throttle_agent::policy::{Group, ParentAction};
use throttle_common::abi::{Hook, Side};
use throttle_common::verdict::Reason;
use throttle_tests::packets::Frame;
use throttle_tests::prog::{Fate, Moves, limits, sound, with_program};
use throttle_tests::require_root;

use super::{GROUP, HOST, PEER, PREFIX, conform, down, member, of_bytes, refused, up};

#[test]
fn a_group_holds_both_families_and_shared_prefixes_together() {
    require_root!();
    with_program(Side::Far, |program| {
        program.set_group(&limits::group(GROUP, of_bytes(2)));
        let wide = limits::bytes(1 << 20);
        program.set(&limits::within(limits::each(PREFIX, wide), GROUP));
        program.set(&limits::within(limits::each("fd00::/48", wide), GROUP));
        program.set(&limits::within(limits::shared("10.0.1.0/24", wide), GROUP));
        let hosts = [
            (HOST, HOST, PREFIX, PEER),
            ("fd00:0:0:1::1", "fd00:0:0:1::", "fd00::/48", "2001:db8::1"),
            ("10.0.1.1", "10.0.1.1", "10.0.1.0/24", PEER),
        ];
        for (reason, fate) in [(Reason::Conforms, Fate::Passed), (Reason::GroupBytes, Fate::Excess)]
        {
            for (source, host, prefix, peer) in hosts {
                let sent = Frame::udp(source, peer).bytes();
                let moves = Moves::up(reason, 1000).held(host, prefix, fate).group(GROUP, fate);
                program.keeps(Hook::Ingress, &sent, &moves);
            }
        }
        let state = program.host(HOST).expect("it was made");
        assert_eq!(state.group.map(|name| name.to_string()).as_deref(), Some(GROUP));
        // The other direction has a bucket of its own, and others are not members.
        let moves = Moves::down(Reason::Conforms, 1000).held(HOST, PREFIX, Fate::Passed);
        program.keeps(Hook::Egress, &down(HOST), &moves.group(GROUP, Fate::Passed));
        program.set(&limits::each("10.0.2.0/24", wide));
        let moves = Moves::up(Reason::Conforms, 1000).held("10.0.2.1", "10.0.2.0/24", Fate::Passed);
        program.keeps(Hook::Ingress, &up("10.0.2.1"), &moves);
    });
}

#[test]
fn a_group_that_observes_counts_its_excess_and_refuses_nothing() {
    require_root!();
    with_program(Side::Far, |program| {
        let group = limits::group(GROUP, of_bytes(1));
        program.set_group(&Group { action: ParentAction::Observe, ..group });
        program.set(&limits::within(limits::each(PREFIX, of_bytes(6)), GROUP));
        conform(program, HOST, 2);
        for _ in 0..5 {
            let moves = Moves::up(Reason::Observed, 1000).held(HOST, PREFIX, Fate::Passed);
            program.keeps(Hook::Ingress, &up(HOST), &moves.group(GROUP, Fate::Excess));
        }
        // The host's bucket was charged all the while, the group's was not.
        program.keeps(Hook::Ingress, &up(HOST), &refused(Reason::HostBytes, HOST));
        assert!(program.counters().groups[0].up.wait_ns <= 10_000_000_000);
    });
}

#[test]
fn a_group_with_members_cannot_be_deleted_and_a_limit_needs_its_group() {
    require_root!();
    with_program(Side::Far, |program| {
        let name = GROUP.parse().expect("a name");
        let limit = limits::within(limits::each(PREFIX, of_bytes(100)), GROUP);
        let error = program.datapath().set_limit(&limit).expect_err("there is no group");
        assert!(error.to_string().contains("no group acme"), "{error}");
        program.keeps(Hook::Ingress, &up(HOST), &Moves::up(Reason::NoLimit, 1000));
        assert!(program.datapath().limits().is_empty());
        program.set_group(&limits::group(GROUP, of_bytes(1)));
        program.set(&limit);
        conform(program, HOST, 2);
        let error = program.datapath().delete_group(&name).expect_err("it has a member");
        assert!(error.to_string().contains(PREFIX), "{error}");
        let excess = member(Reason::GroupBytes, HOST, Fate::Excess);
        program.keeps(Hook::Ingress, &up(HOST), &excess);
        program.set(&limits::each(PREFIX, of_bytes(100)));
        assert!(sound(program.datapath().delete_group(&name)));
        assert!(!sound(program.datapath().delete_group(&name)));
        let moves = Moves::up(Reason::Conforms, 1000).held(HOST, PREFIX, Fate::Passed);
        program.keeps(Hook::Ingress, &up(HOST), &moves);
        // One made anew owes nothing.
        program.set_group(&limits::group(GROUP, of_bytes(1)));
        program.set(&limit);
        conform(program, HOST, 2);
        program.keeps(Hook::Ingress, &up(HOST), &excess);
    });
}

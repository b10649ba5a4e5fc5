//! What is exempt, by its own address or by the other one, is charged to nothing.

use std::thread::sleep;
use std::time::Duration;

use throttle_common::abi::{Hook, Side};
use throttle_common::verdict::Reason;
use throttle_tests::packets::Frame;
use throttle_tests::prog::{Fate, Moves, Segments, limits, sound, with_capacity, with_program};
use throttle_tests::require_root;

const HOST: &str = "10.0.0.1";
const PEER: &str = "192.0.2.7";
const PEER6: &str = "2001:db8::7";
const PREFIX: &str = "10.0.0.0/24";

#[test]
fn an_exempt_prefix_is_charged_to_nothing() {
    require_root!();
    with_program(Side::Far, |program| {
        program.set(&limits::each("10.0.0.0/8", limits::bytes(1)));
        program.set(&limits::pass(PREFIX));
        program.set_link(&limits::link(limits::rated(800, 1)));
        let sent = Frame::udp(HOST, PEER).class(2).bytes();
        let moves = Moves::up(Reason::ExemptPrefix, 1000);
        program.treat(Hook::Ingress, &sent, Segments::default());
        for _ in 0..5 {
            program.keeps(Hook::Ingress, &sent, &moves);
        }
        let received = Frame::udp(PEER, HOST).bytes();
        program.keeps(Hook::Egress, &received, &Moves::down(Reason::ExemptPrefix, 1000));
        // The link has all of its room left.
        let other = Frame::udp("172.16.0.1", PEER).bytes();
        program.keeps(Hook::Ingress, &other, &Moves::up(Reason::NoLimit, 1000));
        program.keeps(Hook::Ingress, &other, &Moves::up(Reason::LinkBytes, 1000));
        program.keeps(Hook::Ingress, &sent, &moves);
        program.delete(PREFIX);
        let moves = Moves::up(Reason::LinkBytes, 1000).held(HOST, "10.0.0.0/8", Fate::Excess);
        program.keeps(Hook::Ingress, &sent, &moves);
    });
}

#[test]
fn hosts_of_an_exempt_prefix_do_not_take_the_room_of_others_for_good() {
    require_root!();
    with_capacity(Side::Far, 4, |program| {
        program.set(&limits::pass("10.0.0.0/16"));
        program.set(&limits::each("10.1.0.0/16", limits::bytes(1)));
        for number in 0..256 {
            program.run(Hook::Ingress, &Frame::udp(&format!("10.0.0.{number}"), PEER).bytes());
        }
        let idle = Duration::from_millis(100);
        sleep(2 * idle);
        sound(program.datapath().expire_hosts(idle));
        assert_eq!(program.counters().hosts_tracked, 0, "hosts without a bucket are kept");
    });
}

#[test]
fn an_exempt_peer_is_charged_to_nothing_and_makes_no_host() {
    require_root!();
    with_program(Side::Far, |program| {
        for prefix in [PREFIX, "fd00::/48"] {
            program.set(&limits::each(prefix, limits::bytes(1)));
        }
        program.set(&limits::peer("192.0.2.0/24"));
        program.set(&limits::peer("192.0.2.128/25"));
        program.set(&limits::peer("2001:db8::7/128"));
        program.set_link(&limits::link(limits::rated(800, 1)));
        let (host6, beyond6) = ("fd00:0:0:1::1", "2001:db8::8");
        for (host, peer) in
            [(HOST, PEER), (HOST, "192.0.2.200"), (host6, PEER6), ("172.16.0.1", PEER)]
        {
            let (sent, received) = (Frame::udp(host, peer), Frame::udp(peer, host));
            for _ in 0..3 {
                let moves = Moves::up(Reason::ExemptPeer, 1000);
                program.keeps(Hook::Ingress, &sent.bytes(), &moves);
                let moves = Moves::down(Reason::ExemptPeer, 1000);
                program.keeps(Hook::Egress, &received.bytes(), &moves);
            }
        }
        assert_eq!(program.counters().hosts_tracked, 0);
        // The peer's own address is not a host's, and a neighbour of the peer is no peer.
        let sent = Frame::udp(host6, beyond6).bytes();
        let host6 = "fd00:0:0:1::";
        let moves = Moves::up(Reason::Conforms, 1000).held(host6, "fd00::/48", Fate::Passed);
        program.keeps(Hook::Ingress, &sent, &moves);
        let sent = Frame::udp(PEER, "198.51.100.1").bytes();
        program.keeps(Hook::Ingress, &sent, &Moves::up(Reason::LinkBytes, 1000));
    });
}

#[test]
fn an_exempt_peer_of_all_addresses_is_of_one_family_and_a_shorter_one_outlasts_a_longer() {
    require_root!();
    with_program(Side::Far, |program| {
        program.set(&limits::peer("::/0"));
        let sent = Frame::udp(HOST, PEER).bytes();
        let sent6 = Frame::udp("fd00::1", PEER6).bytes();
        program.keeps(Hook::Ingress, &sent, &Moves::up(Reason::NoLimit, 1000));
        program.keeps(Hook::Ingress, &sent6, &Moves::up(Reason::ExemptPeer, 1000));
        let (wide, narrow) = (limits::peer("192.0.0.0/8"), limits::peer("192.0.2.7/32"));
        program.set(&wide);
        program.set(&narrow);
        for (gone, reason) in [(&narrow, Reason::ExemptPeer), (&wide, Reason::NoLimit)] {
            program.keeps(Hook::Ingress, &sent, &Moves::up(Reason::ExemptPeer, 1000));
            let deleted = sound(program.datapath().delete_limit(&gone.key()));
            assert!(deleted);
            program.keeps(Hook::Ingress, &sent, &Moves::up(reason, 1000));
        }
    });
}

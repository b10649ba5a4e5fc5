//! Random frames: sound ones of every form, and what damage makes of them.

use std::net::IpAddr;

use throttle_common::{
    abi::Hook,
    packet::{ETHERNET_BYTES, LinkHeader},
};

use super::{Random, addresses};
use crate::prog::Segments;

/// A packet for one of the hooks.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Where it is met.
    pub hook: Hook,
    /// What the kernel says of its segments.
    pub segments: Segments,
    /// From the link header on.
    pub bytes: Vec<u8>,
}

/// The longest frame that the kernel runs, with room to spare.
const MAX_BYTES: usize = 3_400;

/// The shortest frame that the kernel runs.
const MIN_BYTES: usize = ETHERNET_BYTES;

const TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
const PPPOE: u16 = 0x8864;
const PPP_PROTOCOLS: [&[u8]; 6] =
    [&[0, 0x21], &[0, 0x57], &[0x21], &[0x57], &[0xc0, 0x21], &[0x80, 0x21]];
const EXTENSIONS: [u8; 7] = [0, 43, 44, 60, 51, 59, 135];
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;

/// A packet as one of a link's `header`.
pub fn packet(random: &mut Random, header: LinkHeader) -> Packet {
    let hook = random.pick(&[Hook::Ingress, Hook::Egress]);
    let mut bytes = if random.once_in(40) { garbage(random) } else { sound(random, header) };
    if random.once_in(4) {
        damage(random, &mut bytes);
    }
    bytes.resize(bytes.len().clamp(MIN_BYTES, MAX_BYTES), 0);
    Packet { hook, segments: segments(random), bytes }
}

/// A frame of an EtherType, with an IP packet behind it whatever that means.
pub fn of_ethertype(random: &mut Random, ethertype: u16) -> Packet {
    let mut bytes = random.bytes(12);
    bytes.extend(ethertype.to_be_bytes());
    bytes.extend(ip(random));
    bytes.truncate(MAX_BYTES);
    Packet { hook: Hook::Ingress, segments: Segments::default(), bytes }
}

fn sound(random: &mut Random, header: LinkHeader) -> Vec<u8> {
    let packet = ip(random);
    match header {
        LinkHeader::None => packet,
        LinkHeader::Ethernet => ethernet(random, &packet),
    }
}

/// Wraps a packet into Ethernet, up to three tags and PPPoE.
fn ethernet(random: &mut Random, packet: &[u8]) -> Vec<u8> {
    let mut frame = random.bytes(12);
    for _ in 0..random.pick(&[0, 0, 0, 0, 1, 1, 2, 3]) {
        frame.extend(random.pick(&TAGS).to_be_bytes());
        frame.extend(random.bytes(2));
    }
    let own: u16 = if packet[0] >> 4 == 4 { 0x0800 } else { 0x86dd };
    match random.below(12) {
        0 => {
            frame.extend(PPPOE.to_be_bytes());
            frame.extend([0x11, 0, 0, 7, 0, 0]);
            frame.extend(random.pick(&PPP_PROTOCOLS));
        }
        1 => frame.extend((random.number() as u16).to_be_bytes()),
        _ => frame.extend(own.to_be_bytes()),
    }
    frame.extend(packet);
    // What a card pads, or leaves behind.
    if random.once_in(3) {
        frame.resize(frame.len().max(60), 0);
    }
    frame
}

/// An IP packet of any length that is usual, most of them short.
fn ip(random: &mut Random) -> Vec<u8> {
    let (source, destination) = addresses::pair(random);
    let payload = match random.below(20) {
        0 => random.index(MAX_BYTES - 400),
        1..4 => 1400 + random.index(100),
        _ => random.index(120),
    };
    let mut packet = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            ipv4(random, source.octets(), destination.octets())
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            ipv6(random, source.octets(), destination.octets())
        }
        mixed => unreachable!("a pair is of one family, not {mixed:?}"),
    };
    packet.resize(packet.len() + payload, 0);
    let length = packet.len() as u16;
    let (at, announced) = if packet[0] >> 4 == 4 { (2, length) } else { (4, length - 40) };
    if !random.once_in(8) {
        packet[at..at + 2].copy_from_slice(&announced.to_be_bytes());
    }
    packet
}

fn ipv4(random: &mut Random, source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
    let options = if random.once_in(6) { random.index(11) } else { 0 };
    let protocol = protocol(random);
    let fragment = if random.once_in(10) { random.number() as u16 } else { 0 };
    let mut packet = vec![0x45 + options as u8, random.byte(), 0, 0];
    packet.extend(random.bytes(2));
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol]);
    packet.extend(random.bytes(2));
    packet.extend(source);
    packet.extend(destination);
    packet.extend(random.bytes(4 * options));
    packet.extend(transport(random, protocol));
    packet
}

fn ipv6(random: &mut Random, source: [u8; 16], destination: [u8; 16]) -> Vec<u8> {
    let chain = random.pick(&[0, 0, 0, 0, 1, 2, 3, 4, 5, 6]);
    let mut numbers: Vec<_> = (0..chain).map(|_| random.pick(&EXTENSIONS)).collect();
    numbers.push(protocol(random));
    let hop_limit = random.pick(&[64, 255]);
    let mut packet = vec![0x60 | random.byte() & 0xf, random.byte(), 0, 0, 0, 0];
    packet.extend([numbers[0], hop_limit]);
    packet.extend(source);
    packet.extend(destination);
    for next in &numbers[1..] {
        let units = if random.once_in(8) { random.below(4) as u8 } else { 0 };
        let header = packet.len();
        packet.extend([*next, units]);
        packet.extend(random.bytes(6 + 8 * usize::from(units)));
        // How Linux writes the length of a merged packet above 64 KiB.
        if random.once_in(8) {
            packet[header..header + 4].copy_from_slice(&[TCP, 0, 0xc2, 4]);
        }
    }
    let last = numbers[numbers.len() - 1];
    packet.extend(transport(random, last));
    packet
}

fn protocol(random: &mut Random) -> u8 {
    match random.below(8) {
        0 => random.byte(),
        1 => SCTP,
        2 => ICMPV6,
        3 | 4 => UDP,
        _ => TCP,
    }
}

fn transport(random: &mut Random, protocol: u8) -> Vec<u8> {
    match protocol {
        TCP => {
            let words = if random.once_in(6) { random.below(16) as u8 } else { 5 };
            let mut header = random.bytes(20.max(4 * usize::from(words)));
            header[12] = words << 4;
            header
        }
        UDP => random.bytes(8),
        SCTP => random.bytes(12),
        // Neighbour discovery among others.
        ICMPV6 => vec![random.pick(&[135, 136, 128, 133]), u8::from(random.once_in(6)), 0, 0],
        _ => random.bytes(4),
    }
}

/// What the kernel says of merged packets, and what it never would.
fn segments(random: &mut Random) -> Segments {
    if !random.once_in(6) {
        return Segments::default();
    }
    let size_bytes = match random.below(8) {
        0 => random.below(1 << 16) as u32,
        1 => random.pick(&[1, 2, 0xfffe, 0xffff]),
        _ => random.pick(&[100, 536, 1200, 1448]),
    };
    let count = match random.below(40) {
        0 => random.below(1 << 16) as u32,
        1..8 => 0,
        _ => 1 + random.below(5) as u32,
    };
    Segments { size_bytes, count }
}

fn garbage(random: &mut Random) -> Vec<u8> {
    let len = 1 + random.index(200);
    random.bytes(len)
}

/// Changes some bytes, or cuts the frame.
fn damage(random: &mut Random, frame: &mut Vec<u8>) {
    if random.once_in(2) {
        let headers = frame.len().min(110);
        for _ in 0..=random.below(3) {
            let at = random.index(headers);
            frame[at] = random.byte();
        }
    } else {
        let kept = 1 + random.index(frame.len().min(110));
        frame.truncate(kept);
    }
}

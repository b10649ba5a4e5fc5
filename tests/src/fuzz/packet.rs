//! Parsing and measuring, by the very functions that the program runs.
//!
//! Input: a byte whose lowest bit says that there is no link header, the size and the number of segments, an
//! overhead, bytes per unit (little endian, of 4, 4, 2 and 4 bytes); then the packet.

use std::net::Ipv4Addr;

use throttle_common::{
    address::{Address, Mask},
    packet::{
        Buffer, HEADERS_BYTES, LinkHeader, NoAddresses, Packet, Version, Wire, addresses_reach,
        measure, measure_single, parse, parse_untagged,
    },
    traffic_class::ClassBytes,
};

use super::Input;

/// Segments up to which units are added up one by one.
const FEW: u32 = 4096;

pub(super) fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let link = if input.byte() & 1 == 0 { LinkHeader::Ethernet } else { LinkHeader::None };
    let (segment_bytes, segments) = (input.word() & 0xffff, input.word() & 0xffff);
    let overhead = u32::from(u16::from_le_bytes(input.take()));
    let unit_bytes = input.word();
    let frame = input.rest();
    let buffer = Buffer { len_bytes: frame.len() as u32, segment_bytes, segments };

    let parsed = parse(frame, link);
    assert_eq!(parsed.map(seen), reference(frame, link), "addresses by a plain reading");
    check_reach(frame, link, parsed);
    if link == LinkHeader::Ethernet
        && let Some(packet) = parse_untagged(frame)
    {
        assert_eq!(parsed, Ok(packet), "the short way finds what the long one finds");
    }
    let Ok(packet) = parsed else { return };
    check_addresses(&packet);
    check_class(frame, &packet);
    check_wire(frame, &packet, buffer, overhead, unit_bytes);
    // An exemption depends on nothing behind the first message bytes, and never on a merged IPv6 one.
    if packet.version == Version::V4 {
        assert_eq!(packet.is_exempt(frame, buffer), packet.is_exempt(frame, Buffer::default()));
    }
}

/// What a packet is known by: where its IP header is, its version, source and destination.
type Seen = (usize, Version, [u8; 16], [u8; 16]);

fn seen(packet: Packet) -> Seen {
    let Packet { network_offset, version, source, destination, .. } = packet;
    (network_offset, version, source.octets(), destination.octets())
}

/// The addresses by reading one header after the other, as the standards draw them.
fn reference(frame: &[u8], link: LinkHeader) -> Result<Seen, NoAddresses> {
    let (start, version) = network_header(frame, link)?;
    let (number, length) = if version == Version::V4 { (4, 20) } else { (6, 40) };
    let header = frame.get(start..start + length).ok_or(NoAddresses::Malformed)?;
    if header[0] >> 4 != number {
        return Err(NoAddresses::Malformed);
    }
    let address = |number: usize| match version {
        Version::V4 => {
            let octets = header[12 + 4 * number..].first_chunk::<4>().expect("a whole header");
            Ipv4Addr::from(*octets).to_ipv6_mapped().octets()
        }
        Version::V6 => *header[8 + 16 * number..].first_chunk().expect("a whole header"),
    };
    Ok((start, version, address(0), address(1)))
}

/// Where the IP header begins, and of which version it says to be.
fn network_header(frame: &[u8], link: LinkHeader) -> Result<(usize, Version), NoAddresses> {
    if link == LinkHeader::None {
        return match frame.get(..20).ok_or(NoAddresses::Malformed)?[0] >> 4 {
            4 => Ok((0, Version::V4)),
            6 => Ok((0, Version::V6)),
            _ => Err(NoAddresses::NotIp),
        };
    }
    let short = |at: usize| {
        let two = frame.get(at..at + 2).ok_or(NoAddresses::Malformed)?;
        Ok(u16::from_be_bytes([two[0], two[1]]))
    };
    let (mut at, mut tags) = (12, 0);
    while tags < 2 && [0x8100, 0x88a8].contains(&short(at)?) {
        (at, tags) = (at + 4, tags + 1);
    }
    match short(at)? {
        0x0800 => Ok((at + 2, Version::V4)),
        0x86dd => Ok((at + 2, Version::V6)),
        // Six bytes of PPPoE, then a protocol field: one byte if that is odd, else two.
        0x8864 => {
            let two = short(at + 8)?;
            let (protocol, bytes) = if two >> 8 & 1 == 1 { (two >> 8, 1) } else { (two, 2) };
            match protocol {
                0x21 => Ok((at + 8 + bytes, Version::V4)),
                0x57 => Ok((at + 8 + bytes, Version::V6)),
                _ => Err(NoAddresses::NotIp),
            }
        }
        _ => Err(NoAddresses::NotIp),
    }
}

/// What lies behind the headers plays no part, and [`addresses_reach`] says where addresses end.
fn check_reach(frame: &[u8], link: LinkHeader, parsed: Result<Packet, NoAddresses>) {
    let headers = &frame[..frame.len().min(HEADERS_BYTES as usize)];
    assert_eq!(parse(headers, link), parsed, "headers alone");
    let reach = addresses_reach(frame, link);
    if let Some(reached) = frame.get(..reach) {
        assert_eq!(parse(reached, link), parsed, "the first {reach} bytes alone");
    }
    if let Ok(packet) = parsed {
        let least = if packet.version == Version::V4 { 20 } else { 40 };
        let end = packet.network_offset + least;
        assert_eq!(parse(&frame[..end], link), parsed, "what ends with its addresses");
        assert!(parse(&frame[..end - 1], link).is_err(), "what ends within its addresses");
    }
}

fn check_addresses(packet: &Packet) {
    for address in [packet.source, packet.destination] {
        assert_eq!(Address::from_octets(address.octets()), address);
        for bits in [0, 48, 64, 96, 127, 128] {
            let mask = Mask::from_prefix_len(bits);
            let host = address.host(&mask);
            assert_eq!(host.host(&mask), host, "a host is its own host");
            assert!(!address.is_ipv4() || host == address, "an IPv4 address is a host");
        }
    }
}

/// A mark changes the traffic class and nothing else of the header.
fn check_class(frame: &[u8], packet: &Packet) {
    let at = packet.network_offset;
    let class = ClassBytes::new(packet.version, [frame[at], frame[at + 1]]);
    for after in [class.marked_ce(), class.with_dscp(frame[at + 1] & 0x3f)] {
        let mut marked = frame.to_vec();
        marked[at..at + 2].copy_from_slice(&after.bytes());
        let link = if at == 0 { LinkHeader::None } else { LinkHeader::Ethernet };
        assert_eq!(parse(&marked[..], link).map(seen), Ok(seen(*packet)));
    }
}

fn check_wire(frame: &[u8], packet: &Packet, buffer: Buffer, overhead: u32, unit_bytes: u32) {
    let layer_3 = buffer.len_bytes - packet.network_offset as u32;
    let single = measure_single(frame, packet, buffer);
    assert_eq!((single.packets, single.segment_bytes), (1, single.bytes));
    assert!(
        single.bytes <= layer_3 && (single.bytes == layer_3 || layer_3 <= 46),
        "{single:?} of {layer_3}"
    );
    let wire = measure(frame, packet, buffer);
    assert!(wire.packets >= 1, "{wire:?}");
    if buffer.segment_bytes == 0 {
        assert_eq!(wire, single);
    } else {
        check_segments(frame, packet, buffer, wire);
        // Of a buffer above 64 KiB, the header that tells its length is on no segment.
        assert!(wire.bytes + 8 >= layer_3, "{wire:?} of {layer_3}");
        assert!(buffer.segments == 0 || wire.packets == buffer.segments, "{wire:?}");
    }
    assert_eq!(Wire::from_word(wire.to_word()), cut(wire));
    let longer = wire.with_overhead(overhead);
    let sum = u64::from(wire.bytes) + u64::from(wire.packets) * u64::from(overhead);
    let sum = sum.min(u32::MAX.into());
    assert_eq!((u64::from(longer.bytes), longer.packets), (sum, wire.packets));
    check_units(longer, unit_bytes);
}

/// Plain TCP and UDP in IPv4 are what they come to when they are cut one segment after the other.
fn check_segments(frame: &[u8], packet: &Packet, buffer: Buffer, wire: Wire) {
    let ip = &frame[packet.network_offset..];
    let Some(headers_bytes) = plain_headers_bytes(ip, packet.version) else { return };
    let Some(payload) = ip.get(headers_bytes..).filter(|payload| !payload.is_empty()) else {
        return;
    };
    let (mut segments, mut bytes) = (0, 0);
    for segment in payload.chunks(buffer.segment_bytes as usize) {
        segments += 1;
        bytes += headers_bytes + segment.len();
    }
    if buffer.segments == 0 || buffer.segments == segments {
        assert_eq!((wire.packets, wire.bytes as usize), (segments, bytes), "{buffer:?}");
    }
}

/// How long the headers are of TCP and UDP in IPv4.
fn plain_headers_bytes(ip: &[u8], version: Version) -> Option<usize> {
    let network = usize::from(ip.first()? & 0xf) * 4;
    let transport = match (version, ip.get(9)?) {
        (Version::V4, 6) => usize::from(ip.get(network + 12)? >> 4) * 4,
        (Version::V4, 17) => 8,
        (Version::V4 | Version::V6, _) => return None,
    };
    (network >= 20).then_some(network + transport)
}

/// The word that the program passes the measure on as has 28, 16 and 20 bits.
fn cut(wire: Wire) -> Wire {
    Wire {
        bytes: wire.bytes.min((1 << 28) - 1),
        packets: wire.packets.min((1 << 16) - 1),
        segment_bytes: wire.segment_bytes.min((1 << 20) - 1),
    }
}

/// Units are those of each packet, of which all but the last are as long as the others.
fn check_units(wire: Wire, unit_bytes: u32) {
    let units = wire.units(unit_bytes);
    if unit_bytes == 0 {
        assert_eq!(units, wire.packets);
        return;
    }
    assert!(units >= wire.packets, "{units} units of {wire:?}");
    let of = |bytes: u64| bytes.div_ceil(unit_bytes.into()).max(1);
    if wire.packets <= FEW {
        let full = u64::from(wire.packets - 1);
        let segment = u64::from(wire.segment_bytes);
        let last = u64::from(wire.bytes).saturating_sub(full * segment);
        let sum = (0..full).map(|_| of(segment)).sum::<u64>() + of(last);
        assert_eq!(u64::from(units), sum, "units of {unit_bytes} bytes of {wire:?}");
    }
}

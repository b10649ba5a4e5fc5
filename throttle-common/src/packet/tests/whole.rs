//! Fields over all of their values.

use super::*;
use crate::packet::{measure_merged, measure_single};

/// Every ethertype, and every PPP protocol field: those of IPv4 and IPv6 have addresses, those of tags lead on.
#[test]
fn every_ethertype_and_protocol_is_what_it_stands_for() {
    let header = [ipv4_header(20, UDP), vec![0; 40]].concat();
    for number in 0..=u16::MAX {
        let found = parsed(&ethernet(&[], number.to_be_bytes(), &header));
        match number {
            0x0800 => assert_eq!(found.unwrap().network_offset, 14),
            0x86dd => assert_eq!(found, Err(NoAddresses::Malformed), "of version 4"),
            // Behind a tag, or a PPPoE header, stand other numbers: the header's own bytes.
            _ => assert_eq!(found, Err(NoAddresses::NotIp), "{number:04x}"),
        }
        let found = parsed(&ethernet(&[], PPPOE, &pppoe(&number.to_be_bytes(), &header)));
        match number {
            0x0021 => assert_eq!(found.unwrap().network_offset, 22),
            // One byte is the field; the next is the version of a header, which is not what follows here.
            0x0057 | 0x2100..=0x21ff | 0x5700..=0x57ff => {
                let version = if number < 0x2200 && number > 0x57 { 4 } else { 6 };
                let is_right = number > 0x57 && number as u8 >> 4 == version;
                assert_eq!(found.is_ok(), is_right, "{number:04x}");
                assert!(is_right || found == Err(NoAddresses::Malformed), "{number:04x}");
            }
            _ => assert_eq!(found, Err(NoAddresses::NotIp), "{number:04x}"),
        }
    }
}

/// Every length that a header can announce, in frames around the shortest that are not padded.
#[test]
fn every_announced_length_is_trusted_within_padding_alone() {
    for bytes in [20_u32, 21, 39, 40, 45, 46, 47, 60] {
        for announced in 0..=u16::MAX {
            let frame =
                padded(&ethernet(&[], IPV4, &ipv4_header(announced, UDP)), 14 + bytes as usize);
            let found = wire(&frame, 0, 0).bytes;
            let told = u32::from(announced).clamp(20, bytes);
            assert_eq!(found, if bytes > 46 { bytes } else { told }, "{announced} in {bytes}");
            if bytes < 40 {
                continue;
            }
            let frame =
                padded(&ethernet(&[], IPV6, &ipv6_header(announced, UDP)), 14 + bytes as usize);
            let told = (40 + u32::from(announced)).min(bytes);
            let found = wire(&frame, 0, 0).bytes;
            assert_eq!(found, if bytes > 46 { bytes } else { told }, "{announced} in {bytes}");
        }
    }
}

/// Small buffers of all sizes and numbers of segments, each segment looked at by itself.
#[test]
fn segments_of_every_small_buffer_add_up() {
    let headers = 28;
    for payload in 0..64_u32 {
        let frame =
            padded(&ethernet(&[], IPV4, &ipv4_header(28, UDP)), (14 + headers + payload) as usize);
        for segment in 1..24 {
            let full = payload.div_ceil(segment).max(1);
            for segments in [0, full] {
                let found = wire(&frame, segment, segments);
                let sizes =
                    (0..full).map(|number| headers + segment.min(payload - number * segment));
                let sizes: Vec<_> = sizes.collect();
                assert_eq!(
                    (found.packets, found.bytes),
                    (full, sizes.iter().sum()),
                    "{payload}/{segment}"
                );
                for unit in 1..80 {
                    let units: u32 = sizes.iter().map(|size| size.div_ceil(unit).max(1)).sum();
                    assert_eq!(found.units(unit), units, "{payload}/{segment} in units of {unit}");
                }
            }
        }
    }
}

/// Every size and number of segments that a buffer can claim, over a small payload.
#[test]
fn no_claim_of_segments_shrinks_a_packet() {
    let frame = padded(&ethernet(&[], IPV4, &ipv4_header(128, UDP)), 142);
    let packet = parsed(&frame).unwrap();
    let buffer = |segment_bytes, segments| Buffer { len_bytes: 142, segment_bytes, segments };
    for claimed in 1..=u32::from(u16::MAX) {
        for (segment_bytes, segments) in [(claimed, 0), (claimed, 3), (100, claimed), (1, claimed)]
        {
            let found = measure_merged(&frame[..], &packet, buffer(segment_bytes, segments));
            assert!(found.bytes >= 128 && found.packets >= 1, "{segment_bytes} {segments}");
            assert_eq!(Wire::from_word(found.to_word()), found, "{segment_bytes} {segments}");
        }
    }
    assert_eq!(measure_single(&frame[..], &packet, buffer(0, 0)), Wire::single(128));
}

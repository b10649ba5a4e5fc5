//! The XDP program that makes a flood's packets, and the frame that it writes.

use std::os::fd::{AsRawFd as _, OwnedFd};

use super::Walk;
use crate::bpf::{Instruction, instruction};
use crate::packets::Frame;
use crate::router::{End, lan_macs};
use crate::sink::DISCARD_PORT;
use crate::traffic::Family;

const REDIRECT: i32 = 23;
const PSEUDO_MAP_VALUE: u8 = 2;
const LAYER3: usize = 14;
/// The least that an Ethernet frame has before its check sequence of four bytes.
const LEAST_FRAME_BYTES: usize = 60;
/// What the number of a source is multiplied by to be scattered: odd, so that each comes once in a walk.
const SCATTER: i32 = 0x9e37_79b1_u32 as i32;

/// The frame of the first source: the smallest of its family, with a length that is a multiple of four.
pub(super) fn frame(family: Family) -> Vec<u8> {
    const SOURCE_PORT: u16 = 12345;
    let udp = LAYER3 + family.header_bytes() as usize;
    let length_bytes = (udp + 8).next_multiple_of(4).max(LEAST_FRAME_BYTES);
    let server = End::Server.address(family).to_string();
    let frame = Frame::udp(first_source(family), &server).layer3_bytes(length_bytes - LAYER3);
    let mut frame = frame.bytes();
    frame[..12].copy_from_slice(lan_macs(0).as_flattened());
    let udp_bytes = (length_bytes - udp) as u16;
    let words = [SOURCE_PORT, DISCARD_PORT, udp_bytes].map(u16::to_be_bytes);
    frame[udp..udp + 6].copy_from_slice(words.as_flattened());
    // UDP goes without a checksum over IPv4; that of the IPv4 header is up to the program.
    if family == Family::V6 {
        let rest_of_pseudo_header = u64::from(udp_bytes) + u64::from(frame[LAYER3 + 6]);
        let checksum = !fold(sum(&frame[LAYER3 + 8..]) + rest_of_pseudo_header);
        frame[udp + 6..udp + 8].copy_from_slice(&checksum.to_be_bytes());
    }
    frame
}

/// The first source: as a whole for IPv4, of the first /64 for IPv6.
fn first_source(family: Family) -> &'static str {
    match family {
        Family::V4 => "11.0.0.0",
        // The last words are the complement of those that count hosts: the checksum is that of all.
        Family::V6 => "fd00:5f00::ffff:ffff",
    }
}

/// Writes the frame, the source in it, and sends it.
pub(super) fn program(
    family: Family,
    frame: &[u8],
    walk: Walk,
    counter: &OwnedFd,
    interface: u32,
) -> Vec<Instruction> {
    let scatter = [
        instruction(0x27, 8, 0, 0, SCATTER), // r8 *= scatter
        instruction(0x57, 8, 0, 0, (walk.sources - 1) as i32), // r8 &= sources - 1
    ];
    let scatter = scatter.into_iter().filter(|_| walk.is_scattered);
    let write = frame.chunks_exact(4).enumerate().map(|(number, word)| {
        let word = i32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        instruction(0x62, 2, 0, number as i16 * 4, word) // *(u32 *)(r2 + 4 * number) = word
    });
    let source = match family {
        Family::V4 => source_v4(frame),
        Family::V6 => source_v6(),
    };
    let body: Vec<_> = count(counter, walk.sources)
        .into_iter()
        .chain(scatter)
        .chain(write)
        .chain(source)
        .chain(send(interface))
        .collect();
    let mut code = vec![
        instruction(0x61, 2, 1, 0, 0),                  // r2 = data
        instruction(0x61, 3, 1, 4, 0),                  // r3 = data_end
        instruction(0xbf, 4, 2, 0, 0),                  // r4 = r2
        instruction(0x07, 4, 0, 0, frame.len() as i32), // r4 += length
        instruction(0x2d, 4, 3, body.len() as i16, 0),  // if r4 > r3 goto drop
    ];
    code.extend(body);
    code.extend([
        instruction(0xb7, 0, 0, 0, 1), // drop: r0 = XDP_DROP
        instruction(0x95, 0, 0, 0, 0), // exit
    ]);
    code
}

/// Takes the number of the next source into r8.
fn count(counter: &OwnedFd, sources: u32) -> [Instruction; 8] {
    [
        instruction(0x18, 7, PSEUDO_MAP_VALUE, 0, counter.as_raw_fd()), // r7 = counter
        instruction(0, 0, 0, 0, 0),
        instruction(0x79, 8, 7, 0, 0),              // r8 = *r7
        instruction(0xbf, 9, 8, 0, 0),              // r9 = r8
        instruction(0x07, 9, 0, 0, 1),              // r9 += 1
        instruction(0xa5, 9, 0, 1, sources as i32), // if r9 < sources skip
        instruction(0xb7, 9, 0, 0, 0),              // r9 = 0
        instruction(0x7b, 7, 9, 0, 0),              // *r7 = r9
    ]
}

/// Sends the frame out of an interface, by its index.
fn send(interface: u32) -> [Instruction; 4] {
    [
        instruction(0xb7, 1, 0, 0, interface as i32), // r1 = interface
        instruction(0xb7, 2, 0, 0, 0),                // r2 = 0
        instruction(0x85, 0, 0, 0, REDIRECT),         // call
        instruction(0x95, 0, 0, 0, 0),                // exit
    ]
}

/// Adds the host's number to the source and its two halves to the header's checksum.
fn source_v4(frame: &[u8]) -> Vec<Instruction> {
    let network = i32::from_be_bytes([frame[26], frame[27], frame[28], frame[29]]);
    let mut header = frame[LAYER3..LAYER3 + 20].to_vec();
    header[10..16].fill(0);
    let rest = i32::from(fold(sum(&header)));
    let fold = [
        instruction(0xbf, 3, 5, 0, 0),      // r3 = r5
        instruction(0x77, 3, 0, 0, 16),     // r3 >>= 16
        instruction(0x57, 5, 0, 0, 0xffff), // r5 &= 0xffff
        instruction(0x0f, 5, 3, 0, 0),      // r5 += r3
    ];
    let sum = [
        instruction(0xbf, 4, 8, 0, 0),       // r4 = r8
        instruction(0x07, 4, 0, 0, network), // r4 += network
        instruction(0xbf, 5, 4, 0, 0),       // r5 = r4
        instruction(0x77, 5, 0, 0, 16),      // r5 >>= 16
        instruction(0xbf, 3, 4, 0, 0),       // r3 = r4
        instruction(0x57, 3, 0, 0, 0xffff),  // r3 &= 0xffff
        instruction(0x0f, 5, 3, 0, 0),       // r5 += r3
        instruction(0x07, 5, 0, 0, rest),    // r5 += rest
    ];
    let write = [
        instruction(0xa7, 5, 0, 0, 0xffff), // r5 ^= 0xffff
        instruction(0xdc, 5, 0, 0, 16),     // r5 = be16 r5
        instruction(0x6b, 2, 5, 24, 0),     // *(u16 *)(r2 + 24) = r5
        instruction(0xdc, 4, 0, 0, 32),     // r4 = be32 r4
        instruction(0x63, 2, 4, 26, 0),     // *(u32 *)(r2 + 26) = r4
    ];
    [&sum[..], &fold, &fold, &write].concat()
}

/// Writes the host's number into the upper half of the source and its complement into the lower one.
fn source_v6() -> Vec<Instruction> {
    vec![
        instruction(0xdc, 8, 0, 0, 32), // r8 = be32 r8
        instruction(0x63, 2, 8, 26, 0), // *(u32 *)(r2 + 26) = r8
        instruction(0xa7, 8, 0, 0, -1), // r8 ^= -1
        instruction(0x63, 2, 8, 34, 0), // *(u32 *)(r2 + 34) = r8
    ]
}

/// The sum of 16-bit words, as checksums of the Internet are made of.
fn sum(bytes: &[u8]) -> u64 {
    bytes
        .chunks(2)
        .map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0)))
        .sum()
}

const fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

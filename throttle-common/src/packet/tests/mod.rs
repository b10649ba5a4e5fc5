use std::{vec, vec::Vec};

use super::*;
use crate::{address::Address, packet};

mod exempt;
mod frames;
mod measure;
mod parse;
mod whole;

const SOURCE: [u8; 4] = [10, 0, 0, 1];
const DESTINATION: [u8; 4] = [192, 0, 2, 7];

const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const PPPOE: [u8; 2] = [0x88, 0x64];

const TCP: u8 = 6;
const UDP: u8 = 17;

fn ethernet(tags: &[[u8; 4]], ethertype: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend(tags.as_flattened());
    frame.extend(ethertype);
    frame.extend(payload);
    frame
}

/// A PPPoE session header and what follows it.
fn pppoe(protocol: &[u8], payload: &[u8]) -> Vec<u8> {
    let [high, low] = ((protocol.len() + payload.len()) as u16).to_be_bytes();
    [&[0x11, 0, 0x12, 0x34, high, low], protocol, payload].concat()
}

fn ipv4_header(total: u16, protocol: u8) -> Vec<u8> {
    let [high, low] = total.to_be_bytes();
    let mut header = vec![0x45, 0, high, low, 0, 0, 0, 0, 64, protocol, 0, 0];
    header.extend(SOURCE);
    header.extend(DESTINATION);
    header
}

fn ipv6_header(payload: u16, next: u8) -> Vec<u8> {
    let [high, low] = payload.to_be_bytes();
    let mut header = vec![0x60, 0, 0, 0, high, low, next, 64];
    header.extend([0xfd; 16]);
    header.extend([0x20; 16]);
    header
}

fn padded(frame: &[u8], len: usize) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame.resize(len, 0);
    frame
}

/// Parses an Ethernet frame.
fn parsed(frame: &[u8]) -> Result<Packet, NoAddresses> {
    packet::parse(frame, LinkHeader::Ethernet)
}

/// Measures an Ethernet frame.
fn wire(frame: &[u8], segment_bytes: u32, segments: u32) -> Wire {
    let packet = parsed(frame).unwrap();
    let buffer = Buffer { len_bytes: frame.len() as u32, segment_bytes, segments };
    packet::measure(frame, &packet, buffer)
}

//! Ethernet frames made by hand.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP packet in an Ethernet frame, with a length that can be told.
#[derive(Debug, Clone)]
pub struct Frame {
    source: IpAddr,
    destination: IpAddr,
    tags: Vec<[u8; 4]>,
    ppp: Option<Vec<u8>>,
    class: u8,
    hop_limit: u8,
    fragment: u16,
    extensions: Vec<(u8, Vec<u8>)>,
    protocol: u8,
    transport: Vec<u8>,
    layer3_bytes: usize,
}

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_PPPOE_SESSION: u16 = 0x8864;
/// Both hardware addresses.
const HARDWARE_BYTES: usize = 12;
/// Version, code and session; the length comes behind.
const PPPOE: [u8; 4] = [0x11, 0, 0, 7];

impl Frame {
    /// A UDP packet of 1000 layer-3 bytes.
    pub fn udp(source: &str, destination: &str) -> Self {
        Self::new(source, destination, UDP, vec![0; 8])
    }

    /// A TCP packet of 1000 layer-3 bytes, its header without options.
    pub fn tcp(source: &str, destination: &str) -> Self {
        let mut header = vec![0; 20];
        header[12] = 5 << 4;
        Self::new(source, destination, TCP, header)
    }

    /// A message of ICMPv6 with this type, 72 layer-3 bytes long.
    pub fn icmpv6(source: &str, destination: &str, kind: u8) -> Self {
        Self::new(source, destination, ICMPV6, vec![kind, 0]).layer3_bytes(72)
    }

    fn new(source: &str, destination: &str, protocol: u8, transport: Vec<u8>) -> Self {
        let parse = |text: &str| text.parse().expect("an address");
        Self {
            source: parse(source),
            destination: parse(destination),
            tags: Vec::new(),
            ppp: None,
            class: 0,
            hop_limit: 64,
            fragment: 0,
            extensions: Vec::new(),
            protocol,
            transport,
            layer3_bytes: 1000,
        }
    }

    /// Puts a VLAN tag in front of those already there.
    #[must_use]
    pub fn tag(mut self, protocol: u16, vlan: u16) -> Self {
        let [p0, p1] = protocol.to_be_bytes();
        let [v0, v1] = vlan.to_be_bytes();
        self.tags.insert(0, [p0, p1, v0, v1]);
        self
    }

    /// Puts the packet into a PPPoE session, behind this PPP protocol field.
    #[must_use]
    pub fn pppoe(mut self, protocol: &[u8]) -> Self {
        self.ppp = Some(protocol.to_vec());
        self
    }

    /// Sets the traffic class: DSCP in the upper six bits, ECN in the lower two.
    #[must_use]
    pub fn class(mut self, class: u8) -> Self {
        self.class = class;
        self
    }

    /// Sets the hop limit.
    #[must_use]
    pub fn hop_limit(mut self, hop_limit: u8) -> Self {
        self.hop_limit = hop_limit;
        self
    }

    /// Makes it a fragment of IPv4: flags in the upper three bits, offset in the rest.
    #[must_use]
    pub fn fragment(mut self, fragment: u16) -> Self {
        self.fragment = fragment;
        self
    }

    /// Adds an extension header of IPv6: its number, and all of its bytes but the first.
    #[must_use]
    pub fn extension(mut self, number: u8, rest: &[u8]) -> Self {
        assert_eq!((rest.len() + 1) % 8, 0, "extension headers come in units of 8 bytes");
        self.extensions.push((number, rest.to_vec()));
        self
    }

    /// Sets the layer-3 length, in bytes.
    #[must_use]
    pub fn layer3_bytes(mut self, bytes: usize) -> Self {
        self.layer3_bytes = bytes;
        self
    }

    /// Where the IP header begins, in bytes.
    pub fn network_offset(&self) -> usize {
        let pppoe = self.ppp.as_ref().map_or(0, |protocol| PPPOE.len() + 2 + protocol.len());
        HARDWARE_BYTES + 4 * self.tags.len() + 2 + pppoe
    }

    /// The frame's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        for tag in &self.tags {
            frame.extend(tag);
        }
        let header = match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => self.ipv4(source, destination),
            (IpAddr::V6(source), IpAddr::V6(destination)) => self.ipv6(source, destination),
            mixed => panic!("addresses of one family, not {mixed:?}"),
        };
        let ethertype = match (&self.ppp, self.source) {
            (Some(_), _) => ETHERTYPE_PPPOE_SESSION,
            (None, IpAddr::V4(_)) => ETHERTYPE_IPV4,
            (None, IpAddr::V6(_)) => ETHERTYPE_IPV6,
        };
        frame.extend(ethertype.to_be_bytes());
        if let Some(protocol) = &self.ppp {
            frame.extend(PPPOE);
            frame.extend(((self.layer3_bytes + protocol.len()) as u16).to_be_bytes());
            frame.extend(protocol);
        }
        assert_eq!(frame.len(), self.network_offset());
        let start = frame.len();
        frame.extend(header);
        frame.extend(&self.transport);
        frame.resize(start + self.layer3_bytes, 0);
        frame
    }

    fn ipv4(&self, source: Ipv4Addr, destination: Ipv4Addr) -> Vec<u8> {
        let length = (self.layer3_bytes as u16).to_be_bytes();
        let mut header = vec![0x45, self.class, length[0], length[1], 0, 0];
        header.extend(self.fragment.to_be_bytes());
        header.extend([self.hop_limit, self.protocol, 0, 0]);
        header.extend(source.octets());
        header.extend(destination.octets());
        let checksum = !ones_complement_sum(&header);
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
        header
    }

    fn ipv6(&self, source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
        let length = (self.layer3_bytes.saturating_sub(40) as u16).to_be_bytes();
        let class = [0x60 | self.class >> 4, self.class << 4];
        let mut next = self.extensions.iter().map(|(number, _)| *number).chain([self.protocol]);
        let mut follows = || next.next().expect("one more than there are extension headers");
        let mut header = vec![class[0], class[1], 0, 0, length[0], length[1]];
        header.extend([follows(), self.hop_limit]);
        header.extend(source.octets());
        header.extend(destination.octets());
        for (_, rest) in &self.extensions {
            header.push(follows());
            header.extend(rest);
        }
        header
    }
}

/// The sum that the checksum of an IPv4 header is made of.
fn ones_complement_sum(header: &[u8]) -> u16 {
    let words =
        header.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum = words.sum::<u32>();
    let folded = (sum & 0xffff) + (sum >> 16);
    (folded + (folded >> 16)) as u16
}

//! Ethernet frames made by hand.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A UDP or TCP packet in an Ethernet frame, with a length that can be told.
#[derive(Debug, Clone)]
pub struct Frame {
    source: IpAddr,
    destination: IpAddr,
    tags: Vec<[u8; 4]>,
    protocol: u8,
    layer3_bytes: usize,
}

const TCP: u8 = 6;
const UDP: u8 = 17;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;

impl Frame {
    /// A UDP packet of 1000 layer-3 bytes.
    pub fn udp(source: &str, destination: &str) -> Self {
        let parse = |text: &str| text.parse().expect("an address");
        let (source, destination) = (parse(source), parse(destination));
        Self { source, destination, tags: Vec::new(), protocol: UDP, layer3_bytes: 1000 }
    }

    /// A TCP packet of 1000 layer-3 bytes, its header without options.
    pub fn tcp(source: &str, destination: &str) -> Self {
        Self { protocol: TCP, ..Self::udp(source, destination) }
    }

    /// Puts a VLAN tag in front of those already there.
    #[must_use]
    pub fn tag(mut self, protocol: u16, vlan: u16) -> Self {
        let [p0, p1] = protocol.to_be_bytes();
        let [v0, v1] = vlan.to_be_bytes();
        self.tags.insert(0, [p0, p1, v0, v1]);
        self
    }

    /// Sets the layer-3 length, in bytes.
    #[must_use]
    pub fn layer3_bytes(mut self, bytes: usize) -> Self {
        self.layer3_bytes = bytes;
        self
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
        let ethertype = if self.source.is_ipv4() { ETHERTYPE_IPV4 } else { ETHERTYPE_IPV6 };
        frame.extend(ethertype.to_be_bytes());
        let start = frame.len();
        frame.extend(header);
        frame.extend(self.transport());
        frame.resize(start + self.layer3_bytes, 0);
        frame
    }

    fn ipv4(&self, source: Ipv4Addr, destination: Ipv4Addr) -> Vec<u8> {
        let length = (self.layer3_bytes as u16).to_be_bytes();
        let mut header = vec![0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, self.protocol, 0, 0];
        header.extend(source.octets());
        header.extend(destination.octets());
        header
    }

    fn ipv6(&self, source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
        let length = (self.layer3_bytes.saturating_sub(40) as u16).to_be_bytes();
        let mut header = vec![0x60, 0, 0, 0, length[0], length[1], self.protocol, 64];
        header.extend(source.octets());
        header.extend(destination.octets());
        header
    }

    fn transport(&self) -> Vec<u8> {
        let mut header = vec![0; if self.protocol == TCP { 20 } else { 8 }];
        if self.protocol == TCP {
            header[12] = 5 << 4;
        }
        header
    }
}

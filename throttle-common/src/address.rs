//! Addresses in network order, as hosts are keyed by them.

/// An IPv6 address, or an IPv4 address in its IPv4-mapped form (RFC 4291, section 2.5.5.2).
///
/// A packet that carries an IPv4-mapped address in an IPv6 header is therefore charged to the IPv4
/// host of that address: whoever can forge one can forge the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Address {
    high: u64,
    low: u64,
}

const _: () = assert!(size_of::<Address>() == 16 && align_of::<Address>() == 8);

const MAPPED: u32 = u32::from_ne_bytes([0, 0, 0xff, 0xff]);

/// Prefix length, in the IPv4-mapped form, of all IPv4 addresses together.
pub const IPV4_BITS: u32 = 96;

impl Address {
    /// An IPv4 address.
    #[inline(always)]
    #[must_use]
    pub const fn from_ipv4(octets: [u8; 4]) -> Self {
        let low = join(MAPPED, u32::from_ne_bytes(octets));
        Self { high: 0, low }
    }

    /// An IPv6 address.
    #[inline(always)]
    #[must_use]
    pub const fn from_ipv6(high: [u8; 8], low: [u8; 8]) -> Self {
        Self { high: u64::from_ne_bytes(high), low: u64::from_ne_bytes(low) }
    }

    /// An address given by all of its 16 octets.
    #[must_use]
    pub const fn from_octets(o: [u8; 16]) -> Self {
        Self::from_ipv6(
            [o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7]],
            [o[8], o[9], o[10], o[11], o[12], o[13], o[14], o[15]],
        )
    }

    /// An address given by its two halves, each in network order in memory.
    #[inline(always)]
    #[must_use]
    pub const fn from_words(high: u64, low: u64) -> Self {
        Self { high, low }
    }

    /// The two halves, each in network order in memory.
    #[inline(always)]
    #[must_use]
    pub const fn words(self) -> (u64, u64) {
        (self.high, self.low)
    }

    /// The 16 octets.
    #[must_use]
    pub const fn octets(self) -> [u8; 16] {
        let h = self.high.to_ne_bytes();
        let l = self.low.to_ne_bytes();
        [
            h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7], l[0], l[1], l[2], l[3], l[4], l[5],
            l[6], l[7],
        ]
    }

    /// Whether this is an IPv4 address in its IPv4-mapped form.
    #[inline(always)]
    #[must_use]
    pub const fn is_ipv4(self) -> bool {
        self.high == 0 && first_half(self.low) == MAPPED
    }

    /// The host this address belongs to: an IPv4 address itself, an IPv6 address its host prefix.
    #[inline(always)]
    #[must_use]
    pub const fn host(self, ipv6_mask: &Mask) -> Self {
        if self.is_ipv4() {
            return self;
        }
        Self { high: self.high & ipv6_mask.high, low: self.low & ipv6_mask.low }
    }

    /// Whether packets to this address go to many: multicast, or the limited broadcast.
    #[inline(always)]
    #[must_use]
    pub const fn is_multicast(self) -> bool {
        if self.is_ipv4() {
            self.is_ipv4_multicast()
        } else {
            u64::from_be(self.high) >> 56 == 0xff
        }
    }

    /// Whether this address never leaves its link: 169.254.0.0/16 or fe80::/10.
    #[inline(always)]
    #[must_use]
    pub const fn is_link_local(self) -> bool {
        if self.is_ipv4() {
            self.is_ipv4_link_local()
        } else {
            u64::from_be(self.high) >> 54 == 0xfe80 >> 6
        }
    }

    /// [`Self::is_multicast`] of what is known to be an IPv4 address.
    #[inline(always)]
    pub(crate) const fn is_ipv4_multicast(self) -> bool {
        let ip = self.ipv4();
        ip >> 28 == 0b1110 || ip == u32::MAX
    }

    /// [`Self::is_link_local`] of what is known to be an IPv4 address.
    #[inline(always)]
    pub(crate) const fn is_ipv4_link_local(self) -> bool {
        self.ipv4() >> 16 == 0xa9fe
    }

    #[inline(always)]
    const fn ipv4(self) -> u32 {
        u32::from_be(second_half(self.low))
    }
}

/// Bits of an IPv6 address that tell hosts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Mask {
    high: u64,
    low: u64,
}

impl Mask {
    /// The mask of a prefix length of at most 128 bits.
    #[must_use]
    pub const fn from_prefix_len(bits: u32) -> Self {
        let ones = if bits == 0 { 0 } else { u128::MAX << (128 - bits) };
        Self { high: ((ones >> 64) as u64).to_be(), low: (ones as u64).to_be() }
    }

    /// The prefix length, in bits.
    #[must_use]
    pub const fn prefix_len(&self) -> u32 {
        self.high.count_ones() + self.low.count_ones()
    }
}

/// Two halves in memory order as one word.
#[inline(always)]
const fn join(first: u32, second: u32) -> u64 {
    if cfg!(target_endian = "little") {
        (second as u64) << 32 | first as u64
    } else {
        (first as u64) << 32 | second as u64
    }
}

#[inline(always)]
const fn first_half(word: u64) -> u32 {
    if cfg!(target_endian = "little") { word as u32 } else { (word >> 32) as u32 }
}

#[inline(always)]
const fn second_half(word: u64) -> u32 {
    if cfg!(target_endian = "little") { (word >> 32) as u32 } else { word as u32 }
}

#[cfg(test)]
mod tests;

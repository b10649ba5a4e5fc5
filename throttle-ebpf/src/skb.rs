//! A socket buffer, read through bounds-checked accesses.

use aya_ebpf::{helpers::generated::bpf_skb_load_bytes, programs::TcContext};
use throttle_common::packet::{self, Buffer, Bytes, HEADERS_BYTES, LinkHeader};

/// The linear part of a socket buffer, from the start of its link header.
pub(crate) struct Frame {
    data: usize,
    end: usize,
}

impl Frame {
    /// The frame of `ctx`, with the headers that matter in the linear part.
    ///
    /// A driver may leave headers in page fragments. They are pulled in, unless the addresses are
    /// linear already: most packets with fragments have no more than their headers there.
    #[inline(always)]
    pub(crate) fn of(ctx: &TcContext, link: LinkHeader) -> Self {
        let frame = Self::linear(ctx);
        let wanted = ctx.len().min(HEADERS_BYTES);
        if frame.reaches(wanted as usize) || frame.reaches(packet::addresses_reach(&frame, link)) {
            return frame;
        }
        // When that fails, headers are missing as before.
        let _ = ctx.pull_data(wanted);
        Self::linear(ctx)
    }

    /// Whether so many bytes are linear. Compared by addresses: the kernel's fields for them are of 32
    /// bits, and the compiler would subtract them so, which the verifier refuses of pointers.
    #[inline(always)]
    fn reaches(&self, bytes: usize) -> bool {
        self.data + bytes <= self.end
    }

    /// What is linear now.
    #[inline(always)]
    pub(crate) fn linear(ctx: &TcContext) -> Self {
        Self { data: ctx.data(), end: ctx.data_end() }
    }
}

impl Bytes for Frame {
    #[inline(always)]
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        let start = self.data + offset;
        if start + N > self.end {
            return None;
        }
        // SAFETY: the `N` bytes from `start` lie within the packet, and bytes need no alignment.
        Some(unsafe { (start as *const [u8; N]).read() })
    }
}

/// A packet whose bytes are copied from wherever they are.
pub(crate) struct Anywhere<'a>(pub(crate) &'a TcContext);

impl Bytes for Anywhere<'_> {
    #[inline(always)]
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        load(self.0, offset)
    }
}

/// Bytes on the stack, where the verifier wants words to be aligned.
#[repr(C, align(8))]
struct Copied<const N: usize>([u8; N]);

/// The `N` bytes at `offset`, wherever they are.
#[inline(always)]
pub(crate) fn load<const N: usize>(ctx: &TcContext, offset: usize) -> Option<[u8; N]> {
    let mut copied = Copied([0; N]);
    let (to, length) = (copied.0.as_mut_ptr().cast(), N as u32);
    // SAFETY: the context is valid for the whole run, and the helper writes `N` bytes or none.
    let outcome = unsafe { bpf_skb_load_bytes(ctx.skb.skb.cast(), offset as u32, to, length) };
    if outcome == 0 { Some(copied.0) } else { None }
}

/// The kernel's measures of the packet.
#[inline(always)]
pub(crate) fn buffer(ctx: &TcContext) -> Buffer {
    // SAFETY: the context is valid for the whole run and these fields are open to classifiers.
    let skb = unsafe { &*ctx.skb.skb };
    Buffer { len_bytes: skb.len, segment_bytes: skb.gso_size, segments: skb.gso_segs }
}

/// Index of the interface that the packet is on.
#[inline(always)]
pub(crate) fn ifindex(ctx: &TcContext) -> u32 {
    // SAFETY: the context is valid for the whole run and this field is open to classifiers.
    unsafe { (*ctx.skb.skb).ifindex }
}

//! A socket buffer, read through bounds-checked accesses.

use aya_ebpf::programs::TcContext;
use throttle_common::packet::{Buffer, Bytes, HEADERS_BYTES};

/// The linear part of a socket buffer, from the start of its link header.
pub(crate) struct Frame {
    data: usize,
    end: usize,
}

impl Frame {
    /// The frame of `ctx`, with all headers that matter in the linear part.
    ///
    /// A driver may leave headers in page fragments; those are pulled in, once.
    #[inline(always)]
    pub(crate) fn of(ctx: &TcContext) -> Self {
        let frame = Self::linear(ctx);
        let wanted = ctx.len().min(HEADERS_BYTES);
        if frame.end - frame.data >= wanted as usize {
            return frame;
        }
        // A failed pull leaves the frame as it was: the parser then finds it too short.
        let _ = ctx.pull_data(wanted);
        Self::linear(ctx)
    }

    #[inline(always)]
    fn linear(ctx: &TcContext) -> Self {
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

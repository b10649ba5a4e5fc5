//! Lets the structures of `throttle_common::abi` pass through aya's typed maps.

use aya::Pod;
use throttle_common::abi::{LimitUse, Link, PrefixKey, Tally};

/// A structure without padding that takes any bytes.
///
/// # Safety
///
/// Every bit pattern is a value of the type, and the type has no padding.
pub(super) unsafe trait Plain: Copy + 'static {}

// SAFETY: made of integers; sizes are pinned in `abi`.
unsafe impl Plain for LimitUse {}
// SAFETY: made of integers; sizes are pinned in `abi`.
unsafe impl Plain for Link {}
// SAFETY: made of integers; sizes are pinned in `abi`.
unsafe impl Plain for PrefixKey {}
// SAFETY: made of integers; sizes are pinned in `abi`.
unsafe impl Plain for Tally {}

/// A value of a map.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Raw<T>(pub(super) T);

// SAFETY: transparent over a type without padding that takes any bytes.
unsafe impl<T: Plain> Pod for Raw<T> {}

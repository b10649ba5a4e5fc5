//! A rate with its burst, in the form the kernel computes with.
//!
//! A packet costs time: at `r` bits per second, `len` bytes last `len * 8 / r` seconds. Time is
//! counted in ticks of 1/16 ns, which wrap after 36 years of uptime.

/// Ticks in one nanosecond.
pub const TICKS_PER_NS: u64 = 16;

/// Ticks in one second.
pub const TICKS_PER_SECOND: u64 = TICKS_PER_NS * 1_000_000_000;

/// The most units (bytes or packets) one cost is computed for: a 512 KiB packet with the headers of
/// 65,535 segments of its own fits.
pub const MAX_UNITS: u32 = (1 << 24) - 1;

/// The longest burst, in ticks: a bit over two years.
pub const MAX_BURST_TICKS: u64 = 1 << 60;

/// One part in 64: few packets of a default burst meet at its bucket, and few of it lie idle.
const ADVANCE_SHIFT: u32 = 6;

const MULT_LIMIT: u128 = 1 << 39;
const MAX_SHIFT: u32 = 40;

/// Fractional part of the golden ratio: multiples of it fill the unit interval evenly.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Units per second as a multiplication and a shift, and the burst in ticks.
///
/// `mult == 0` means that nothing is limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Rate {
    /// Ticks per unit, times two to the power of `shift`.
    pub mult: u64,
    /// Debt up to which a packet conforms, in ticks.
    pub burst_ticks: u64,
    /// Debt beyond which a packet that conforms is marked CE where the limit's action says so, in ticks.
    pub ce_ticks: u64,
    /// Binary digits of `mult` behind the point.
    pub shift: u32,
    /// Of the burst, what a processor is charged for in advance at once: one part in two to the power of
    /// this.
    pub advance_shift: u32,
}

const _: () = assert!(size_of::<Rate>() == 32 && align_of::<Rate>() == 8);

impl Rate {
    /// Nothing is limited.
    pub const UNLIMITED: Self =
        Self { mult: 0, burst_ticks: 0, ce_ticks: u64::MAX, shift: 0, advance_shift: 0 };

    /// A rate in bits per second that charges bytes.
    ///
    /// `None` when the rate is below 1 bit/s or the burst lasts more than [`MAX_BURST_TICKS`].
    #[must_use]
    pub fn bytes(bits_per_second: u64, burst_bytes: u64) -> Option<Self> {
        Self::new(8 * u128::from(TICKS_PER_SECOND), bits_per_second, burst_bytes)
    }

    /// A rate in packets per second that charges packets.
    ///
    /// `None` when the rate is below 1 packet/s or the burst lasts more than [`MAX_BURST_TICKS`].
    #[must_use]
    pub fn packets(packets_per_second: u64, burst_packets: u64) -> Option<Self> {
        Self::new(u128::from(TICKS_PER_SECOND), packets_per_second, burst_packets)
    }

    /// `units` in every `refill_ns` nanoseconds, and as many at once.
    ///
    /// `None` when there are none, or when the time is longer than [`MAX_BURST_TICKS`].
    #[must_use]
    pub fn refilled(units: u64, refill_ns: u64) -> Option<Self> {
        Self::new(u128::from(refill_ns) * u128::from(TICKS_PER_NS), units, units)
    }

    /// The same rate, with packets marked beyond half of the burst.
    #[must_use]
    pub const fn marking_from_half(self) -> Self {
        Self { ce_ticks: self.burst_ticks / 2, ..self }
    }

    /// The same rate, with packets marked beyond a debt of `ce_ticks`.
    #[must_use]
    pub const fn marking_from(self, ce_ticks: u64) -> Self {
        Self { ce_ticks, ..self }
    }

    /// The same rate, with one part of the burst in two to the power of `shift` taken in advance.
    #[must_use]
    pub const fn advancing(self, shift: u32) -> Self {
        Self { advance_shift: shift, ..self }
    }

    /// The same rate with another burst; `None` when it lasts more than [`MAX_BURST_TICKS`].
    #[must_use]
    pub fn with_burst_units(self, units: u64) -> Option<Self> {
        let burst = (u128::from(units) * u128::from(self.mult)) >> self.shift;
        let burst_ticks = u64::try_from(burst).ok().filter(|&ticks| ticks <= MAX_BURST_TICKS)?;
        Some(Self { burst_ticks, ..self })
    }

    /// One unit costs `ticks / units`.
    fn new(ticks: u128, units: u64, burst_units: u64) -> Option<Self> {
        let units = u128::from(units);
        if units == 0 {
            return None;
        }
        let burst = u128::from(burst_units).checked_mul(ticks)? / units;
        let scaled = |shift: u32| ((ticks << shift) + units / 2) / units;
        let shift = (1..=MAX_SHIFT).rev().find(|&shift| scaled(shift) < MULT_LIMIT)?;
        Some(Self {
            mult: u64::try_from(scaled(shift)).ok()?,
            burst_ticks: u64::try_from(burst).ok().filter(|&ticks| ticks <= MAX_BURST_TICKS)?,
            ce_ticks: u64::MAX,
            shift,
            advance_shift: ADVANCE_SHIFT,
        })
    }

    /// Whether anything is limited.
    #[inline(always)]
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        self.mult != 0
    }

    /// What `units` cost, in ticks.
    ///
    /// The exact cost has a fraction. It is rounded up as often as its size asks for, by comparing
    /// it with the `phase`-th point of a sequence that fills the unit interval evenly (Weyl's, by
    /// the golden ratio): over any run of packets with consecutive phases the fractions lost and
    /// gained differ by a few ticks in all, however short a packet is.
    #[inline(always)]
    #[must_use]
    pub const fn cost(&self, units: u32, phase: u64) -> u64 {
        let units = if units < MAX_UNITS { units } else { MAX_UNITS };
        let round = phase.wrapping_mul(GOLDEN) >> ((64 - self.shift) & 63);
        (units as u64 * self.mult + round) >> (self.shift & 63)
    }
}

#[cfg(test)]
mod tests;

//! Parsers of values whose types do not parse themselves.

use throttle_common::units::Size;

use crate::policy::TypedPrefix;

/// A prefix to limit.
pub(super) fn prefix(text: &str) -> Result<TypedPrefix, String> {
    text.parse().map_err(|error: crate::error::Error| error.to_string())
}

/// The address of one host.
pub(super) fn host(text: &str) -> Result<TypedPrefix, String> {
    let host = prefix(text)?;
    host.check_host().map_err(|error| error.to_string())?;
    Ok(host)
}

/// A burst in packets.
pub(super) fn packet_burst(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("burst {text:?} is no number of packets: write 45"))
}

/// Bytes per packet: a size, or a bare number, since the value's name is unit enough.
pub(super) fn overhead(text: &str) -> Result<u64, String> {
    let size = text.parse().or_else(|_| text.parse().map(Size::bytes));
    size.map_err(|_| format!("overhead {text:?} is no number of bytes: write 38 or 38b"))
}

//! Parsers of values whose types do not parse themselves.

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

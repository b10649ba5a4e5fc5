//! What an operator asks for, checked, and what it means.

mod limit;
mod object;
mod parent;
mod rates;
mod whole;

pub use limit::LimitRequest;
pub use parent::{GroupRequest, LinkRequest};
pub use rates::RatesRequest;
pub use whole::{GroupEntry, LimitEntry, LinkEntry, PolicyRequest};

/// A request that was found sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked<T> {
    /// What it means, defaults filled in.
    pub value: T,
    /// What the operator should know about it.
    pub warnings: Vec<String>,
}

#[cfg(test)]
pub(crate) mod tests;

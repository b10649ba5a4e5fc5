//! The agent's error: a kind that fixes the exit code, a chain of causes, and perhaps a hint.

use std::{
    fmt::{self, Display},
    io,
};

/// Result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure it is, as far as a caller can act on it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What was asked for failed.
    Failed,
    /// What was asked for makes no sense.
    Usage,
    /// There is no such limit, group, link or host.
    NotFound,
    /// The caller may not do it.
    NotPermitted,
    /// No agent runs for the instance.
    NotRunning,
    /// The kernel cannot do it.
    Unsupported,
    /// What is in force does not allow it: something is in use, missing or full.
    Conflict,
    /// The agent has too much to do.
    Busy,
}

impl Kind {
    /// The process's exit code; 0 stays for success.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Failed | Self::Conflict | Self::Busy => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::NotPermitted => 4,
            Self::NotRunning => 5,
            Self::Unsupported => 6,
        }
    }
}

/// A failure on its way to whoever asked.
///
/// It is no [`std::error::Error`] itself, so that [`ResultExt`] can tell it from foreign errors and
/// keep its kind and hint.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    chain: anyhow::Error,
    hint: Option<String>,
    details: Vec<String>,
}

impl Error {
    /// An error without a cause.
    ///
    /// `message` is lower case, without a period, and says what was being done with which value.
    pub fn new(kind: Kind, message: impl Display) -> Self {
        Self { kind, chain: anyhow::anyhow!("{message}"), hint: None, details: Vec::new() }
    }

    /// What was asked for failed: exit code 1.
    pub fn failed(message: impl Display) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// What was asked for makes no sense: exit code 2.
    pub fn usage(message: impl Display) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// There is no such limit, group, link or host: exit code 3.
    pub fn not_found(message: impl Display) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// The caller may not do it: exit code 4.
    pub fn not_permitted(message: impl Display) -> Self {
        Self::new(Kind::NotPermitted, message)
    }

    /// No agent runs: exit code 5.
    pub fn not_running(message: impl Display) -> Self {
        Self::new(Kind::NotRunning, message)
    }

    /// The kernel cannot do it: exit code 6.
    pub fn unsupported(message: impl Display) -> Self {
        Self::new(Kind::Unsupported, message)
    }

    /// What is in force does not allow it: exit code 1.
    pub fn conflict(message: impl Display) -> Self {
        Self::new(Kind::Conflict, message)
    }

    /// The agent has too much to do: exit code 1.
    pub fn busy(message: impl Display) -> Self {
        Self::new(Kind::Busy, message)
    }

    /// The operating system refused: [`Kind::NotPermitted`] or [`Kind::Failed`], by its reason.
    pub fn of_io(cause: impl Into<io::Error>, message: impl Display) -> Self {
        let cause = cause.into();
        let denied = cause.kind() == io::ErrorKind::PermissionDenied;
        let kind = if denied { Kind::NotPermitted } else { Kind::Failed };
        Self::from(anyhow::Error::new(cause)).with_kind(kind).context(message)
    }

    /// Adds what the operator can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Adds lines that say it in full, where one line cannot.
    #[must_use]
    pub fn with_details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }

    /// Adds what was being done when the error came up; kind and hint stay.
    #[must_use]
    pub fn context(mut self, message: impl Display) -> Self {
        self.chain = self.chain.context(message.to_string());
        self
    }

    /// Replaces the kind.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// The sort of failure.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it comes from writing to a reader that has gone away.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        let cause = self.chain.downcast_ref::<io::Error>();
        cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
    }

    /// What says it in full, line by line.
    #[must_use]
    pub fn details(&self) -> &[String] {
        &self.details
    }

    /// What the operator can do about it.
    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl Display for Error {
    /// The whole chain on one line: what was being done, then each cause.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chain = format!("{:#}", self.chain);
        let mut words = chain.split_whitespace();
        if let Some(first) = words.next() {
            f.write_str(first)?;
        }
        words.try_for_each(|word| write!(f, " {word}"))
    }
}

impl From<anyhow::Error> for Error {
    fn from(chain: anyhow::Error) -> Self {
        Self { kind: Kind::Failed, chain, hint: None, details: Vec::new() }
    }
}

/// Turns a foreign error into an [`Error`], or adds context to one.
pub trait ResultExt<T> {
    /// On failure, names what was being done and fixes the kind.
    ///
    /// An [`Error`] keeps the kind that it already has.
    ///
    /// # Errors
    /// The error of `self`, with the message in front of it.
    fn doing<M: Display>(self, kind: Kind, message: impl FnOnce() -> M) -> Result<T>;
}

impl<T, E: std::error::Error + Send + Sync + 'static> ResultExt<T> for std::result::Result<T, E> {
    fn doing<M: Display>(self, kind: Kind, message: impl FnOnce() -> M) -> Result<T> {
        self.map_err(|cause| {
            Error::from(anyhow::Error::new(cause)).with_kind(kind).context(message())
        })
    }
}

impl<T> ResultExt<T> for Result<T> {
    fn doing<M: Display>(self, _kind: Kind, message: impl FnOnce() -> M) -> Result<T> {
        self.map_err(|error| error.context(message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(text: &'static str) -> std::result::Result<(), std::io::Error> {
        Err(std::io::Error::other(text))
    }

    #[test]
    fn each_kind_has_the_designed_exit_code() {
        let codes = [
            Kind::Failed,
            Kind::Usage,
            Kind::NotFound,
            Kind::NotPermitted,
            Kind::NotRunning,
            Kind::Unsupported,
            Kind::Conflict,
            Kind::Busy,
        ]
        .map(Kind::exit_code);
        assert_eq!(codes, [1, 2, 3, 4, 5, 6, 1, 1]);
    }

    #[test]
    fn the_chain_is_printed_on_one_line() {
        let error = failing("first\n  second").doing(Kind::Failed, || "opening x").unwrap_err();
        assert_eq!(error.to_string(), "opening x: first second");
    }

    #[test]
    fn what_the_system_denies_is_not_permitted() {
        let error = Error::of_io(io::Error::from_raw_os_error(1), "opening x");
        assert_eq!(error.kind(), Kind::NotPermitted);
        assert_eq!(error.to_string(), "opening x: Operation not permitted (os error 1)");
        let error = Error::of_io(io::Error::from_raw_os_error(2), "opening x");
        assert_eq!(error.kind(), Kind::Failed);
    }

    #[test]
    fn a_reader_that_went_away_is_told_apart() {
        let pipe = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(Error::of_io(pipe, "writing to stdout").is_broken_pipe());
        assert!(!Error::failed("writing to stdout").is_broken_pipe());
    }

    #[test]
    fn context_keeps_kind_and_hint() {
        let error = Err::<(), _>(Error::not_permitted("no").hint("be root"))
            .doing(Kind::Failed, || "loading")
            .unwrap_err();
        assert_eq!(error.kind(), Kind::NotPermitted);
        assert_eq!(error.hint_text(), Some("be root"));
        assert_eq!(error.to_string(), "loading: no");
    }
}

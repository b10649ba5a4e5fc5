//! Failures on their way over the control socket.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind};

/// The body of every answer that is a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What failed and why, on one line.
    pub error: String,
    /// What the operator can do about it.
    pub hint: Option<String>,
    /// The sort of failure.
    pub kind: Kind,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self {
            error: error.to_string(),
            hint: error.hint_text().map(str::to_owned),
            kind: error.kind(),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let error = Self::new(refusal.kind, refusal.error);
        match refusal.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (status(self.kind), Json(self)).into_response()
    }
}

fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        Kind::Usage => StatusCode::BAD_REQUEST,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::NotPermitted => StatusCode::FORBIDDEN,
        Kind::NotRunning => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Unsupported => StatusCode::NOT_IMPLEMENTED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_way_through_json() {
        let error =
            Error::not_found("no limit 10.0.0.0/24").hint("see `throttle-agent limit list`");
        let text = serde_json::to_string(&Refusal::from(error)).unwrap();
        assert_eq!(
            text,
            r#"{"error":"no limit 10.0.0.0/24","hint":"see `throttle-agent limit list`","kind":"not_found"}"#
        );
        let back = Error::from(serde_json::from_str::<Refusal>(&text).unwrap());
        assert_eq!(back.kind(), Kind::NotFound);
        assert_eq!(back.hint_text(), Some("see `throttle-agent limit list`"));
    }
}

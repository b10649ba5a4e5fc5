//! Failures on their way over the control socket.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Error, Kind};

/// The body of every answer that is a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refusal {
    /// What failed and why, on one line.
    pub error: String,
    /// What says it in full, line by line; left out where one line does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// What the operator can do about it.
    pub hint: Option<String>,
    /// The sort of failure.
    pub kind: Kind,
    /// The status, where the kind does not say it.
    #[serde(skip)]
    status: Option<StatusCode>,
}

impl Refusal {
    /// A failure with a status of its own.
    #[must_use]
    pub fn with_status(status: StatusCode, error: Error) -> Self {
        Self { status: Some(status), ..error.into() }
    }

    /// A request that cannot be read.
    #[must_use]
    pub fn malformed(error: Error) -> Self {
        Self::with_status(StatusCode::BAD_REQUEST, error)
    }

    /// The status that goes with it.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status.unwrap_or(match self.kind {
            Kind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Kind::Usage => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::NotPermitted => StatusCode::FORBIDDEN,
            Kind::NotRunning | Kind::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Unsupported => StatusCode::NOT_IMPLEMENTED,
            Kind::Conflict => StatusCode::CONFLICT,
        })
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self {
            error: error.to_string(),
            details: error.details().to_vec(),
            hint: error.hint_text().map(str::to_owned),
            kind: error.kind(),
            status: None,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let error = Self::new(refusal.kind, refusal.error).with_details(refusal.details);
        match refusal.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, Json(self)).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
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

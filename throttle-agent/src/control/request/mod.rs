//! What requests are made of, read so that every mistake is answered with a [`Refusal`].

mod body;

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

pub(super) use body::{Body, LargeBody};

use super::refusal::Refusal;
use crate::error::Error;

/// What the variable part of the path says.
pub(super) struct Name(pub(super) String);

/// What the part of the address behind the question mark says.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let read = Path::from_request_parts(parts, state).await;
        let Path(name) = read.map_err(|error| malformed("path", &error.body_text()))?;
        Ok(Self(name))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let read = Query::from_request_parts(parts, state).await;
        let Query(asked) = read.map_err(|error| malformed("query", &error.body_text()))?;
        Ok(Self(asked))
    }
}

fn malformed(part: &str, message: &str) -> Refusal {
    let error = Error::usage(in_words(message));
    Refusal::malformed(error.context(format_args!("reading the request's {part}")))
}

/// What serde says, without the names of integer types.
fn in_words(message: &(impl std::fmt::Display + ?Sized)) -> String {
    let message = message.to_string();
    let plain =
        [("a nonzero u32", "a whole number above 0"), ("u64", "a whole number of at least 0")];
    plain.iter().fold(message, |message, (name, words)| {
        message.replace(&format!("expected {name}"), &format!("expected {words}"))
    })
}

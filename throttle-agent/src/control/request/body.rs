//! The body of a request: JSON, of a bounded size, sent in a bounded time.

use std::{fmt::Display, time::Duration};

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
};
use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use serde::de::DeserializeOwned;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout, timeout_at},
};

use super::in_words;
use crate::{
    control::refusal::Refusal,
    error::{Error, Kind, Result, ResultExt},
};

/// Larger than any request there is, but for a whole policy.
const MAX_BYTES: usize = 64 * 1024;

/// Room for a policy of some 100,000 limits with everything that a limit can have.
const MAX_LARGE_BYTES: usize = 64 * 1024 * 1024;

/// So much more is read and thrown away: a peer that is hung up on while it sends may miss the answer.
const GRACE_BYTES: usize = 1024 * 1024;

/// How long a body may take to begin, and how long one waits for those of others.
const PATIENCE: Duration = Duration::from_secs(10);

/// How fast a body has to come from then on.
const BYTES_PER_SECOND: u64 = 1024 * 1024;

/// Large bodies that are held in memory at once.
static LARGE: Semaphore = Semaphore::const_new(2);

/// The body of a request, read whole.
pub(in crate::control) struct Body<const MAX: usize = MAX_BYTES> {
    bytes: BytesMut,
    _room: Option<SemaphorePermit<'static>>,
}

/// The body of a request that holds a whole policy.
pub(in crate::control) type LargeBody = Body<MAX_LARGE_BYTES>;

impl<const MAX: usize> Body<MAX> {
    /// Reads an object of JSON.
    pub(in crate::control) fn read<T: DeserializeOwned>(self) -> Result<T, Refusal> {
        // An array would be taken for the values without their keys, and an empty one for the default.
        if self.bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(Refusal::malformed(Error::usage(
                "the request's body is no JSON object: write {\"key\": value}",
            )));
        }
        let read = serde_json::from_slice(&self.bytes);
        read.map_err(|error| Error::usage(in_words(&error)).context("reading the request's JSON"))
            .map_err(Refusal::malformed)
    }
}

impl<S: Sync, const MAX: usize> FromRequest<S> for Body<MAX> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        if body.size_hint().lower() > (MAX + GRACE_BYTES) as u64 {
            return Err(too_large(MAX));
        }
        let room = if MAX > MAX_BYTES { Some(room().await?) } else { None };
        let bytes = collect(body, MAX).await?;
        check_type(&parts.headers)?;
        Ok(Self { bytes, _room: room })
    }
}

/// Whoever says nothing about the type is taken to send JSON.
fn check_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let text = value.to_str().unwrap_or_default();
    let name = text.split(';').next().unwrap_or_default().trim();
    if name.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let error = Error::usage(format_args!(
        "the request's body is {value:?}, but application/json is what the agent reads"
    ));
    Err(Refusal::with_status(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        error.hint("send it with the header content-type: application/json, as curl --json does"),
    ))
}

/// A place for one more large body.
async fn room() -> Result<SemaphorePermit<'static>, Refusal> {
    match timeout(PATIENCE, LARGE.acquire()).await {
        Ok(permit) => Ok(permit.doing(Kind::Failed, || "waiting for other requests")?),
        Err(_) => Err(Error::busy("others are sending whole policies").hint("try again").into()),
    }
}

async fn collect(mut body: axum::body::Body, max: usize) -> Result<BytesMut, Refusal> {
    let begun = Instant::now();
    let mut bytes = BytesMut::new();
    let mut received = 0;
    while received <= max + GRACE_BYTES {
        let earned = Duration::from_micros(received as u64 * 1_000_000 / BYTES_PER_SECOND);
        let frame = timeout_at(begun + PATIENCE + earned, body.frame()).await;
        let Some(frame) = frame.map_err(|_| too_slow(received))? else { break };
        let data = frame.map_err(broken)?.into_data().unwrap_or_default();
        received += data.len();
        if received <= max {
            bytes.extend_from_slice(&data);
        }
    }
    if received <= max { Ok(bytes) } else { Err(too_large(max)) }
}

fn too_large(max: usize) -> Refusal {
    let error = Error::usage(format_args!("the request's body is larger than {} KiB", max / 1024));
    Refusal::with_status(StatusCode::PAYLOAD_TOO_LARGE, error)
}

fn too_slow(received: usize) -> Refusal {
    let error = Error::failed(format_args!(
        "the request's body comes too slowly: {received} bytes after {PATIENCE:?} and a second for \
         each {} KiB",
        BYTES_PER_SECOND / 1024
    ));
    Refusal::with_status(StatusCode::REQUEST_TIMEOUT, error)
}

fn broken(error: impl Display) -> Refusal {
    Refusal::malformed(Error::usage(error).context("reading the request's body"))
}

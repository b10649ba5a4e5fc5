//! Answers without end: JSON lines, or server-sent events for those who accept them.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    extract::FromRequestParts,
    http::{
        HeaderMap,
        header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;
use tokio::time::timeout;

use super::server::told_to_stop;
use crate::agent::Agent;

/// The type of JSON lines.
pub(super) const LINES: &str = "application/jsonl";

/// The type of server-sent events.
pub(super) const EVENTS: &str = "text/event-stream";

/// A stream of events that has nothing to say for so long sends a comment, so that the reader, and
/// whatever stands between, knows that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How a stream is written, by the request's `Accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// One line of JSON for each item.
    Lines,
    /// One server-sent event for each item, with the JSON as its data.
    Events,
}

/// One item of a stream, as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item(Vec<u8>);

/// An answer that ends with the items, or when the agent is asked to stop.
///
/// An item is asked for when the reader has taken those before: whoever makes them chooses what a slow
/// reader misses.
pub(super) fn answer(
    agent: &Agent,
    framing: Framing,
    items: impl Stream<Item = Item> + Send + 'static,
) -> Response {
    let mut stopping = agent.stopping();
    let stopped = Box::pin(async move { told_to_stop(&mut stopping).await });
    let items = items.take_until(stopped);
    let (content_type, body) = match framing {
        Framing::Lines => (LINES, Body::from_stream(items.map(|item| sent(item.line())))),
        Framing::Events => (EVENTS, Body::from_stream(events(items).map(sent))),
    };
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-cache")], body).into_response()
}

impl Framing {
    fn of(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let types = accepted.flat_map(|value| value.split(','));
        let mut types = types.map(|range| range.split(';').next().unwrap_or_default().trim());
        if types.any(|name| name.eq_ignore_ascii_case(EVENTS)) { Self::Events } else { Self::Lines }
    }
}

impl<S: Sync> FromRequestParts<S> for Framing {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

impl Item {
    /// An item of strings, numbers and maps keyed by strings, which always serialize.
    pub(super) fn new(value: &impl Serialize) -> Self {
        Self(serde_json::to_vec(value).unwrap_or_default())
    }

    fn line(mut self) -> Bytes {
        self.0.push(b'\n');
        self.0.into()
    }

    fn event(self) -> Bytes {
        [b"data: ", self.0.as_slice(), b"\n\n"].concat().into()
    }
}

/// Items as events, with comments in between while there are none.
fn events(items: impl Stream<Item = Item> + Send + 'static) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(items.boxed(), async |mut items| {
        let event = match timeout(HEARTBEAT, items.next()).await {
            Ok(item) => item?.event(),
            Err(_silence) => Bytes::from_static(b":\n\n"),
        };
        Some((event, items))
    })
}

fn sent(bytes: Bytes) -> Result<Bytes, Infallible> {
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn accepting(types: &[&'static str]) -> Framing {
        let mut headers = HeaderMap::new();
        for accepted in types {
            headers.append(ACCEPT, accepted.parse().unwrap());
        }
        Framing::of(&headers)
    }

    #[test]
    fn events_are_for_those_who_accept_them() {
        for types in [&[][..], &["*/*"], &["application/json", "text/event-streams"]] {
            assert_eq!(accepting(types), Framing::Lines, "{types:?}");
        }
        for types in [&["text/event-stream"][..], &["a/b", "c/d;q=1, Text/Event-Stream;q=0.5"]] {
            assert_eq!(accepting(types), Framing::Events, "{types:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_of_events_shows_that_it_is_alive() {
        let item = Item::new(&json!({"text": "two\nlines"}));
        let items = stream::iter([item]).chain(stream::pending());
        let mut events = Box::pin(events(items));
        assert_eq!(events.next().await.unwrap(), "data: {\"text\":\"two\\nlines\"}\n\n");
        assert_eq!(events.next().await.unwrap(), ":\n\n");
        assert_eq!(events.next().await.unwrap(), ":\n\n");
    }

    #[tokio::test]
    async fn events_end_with_their_items() {
        let mut events = Box::pin(events(stream::iter([Item::new(&1)])));
        assert_eq!(events.next().await.unwrap(), "data: 1\n\n");
        assert_eq!(events.next().await, None);
    }
}

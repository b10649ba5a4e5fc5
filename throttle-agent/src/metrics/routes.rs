//! What can be asked on the metrics address: nothing that changes anything.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{
        HeaderValue, StatusCode,
        header::{
            ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};

use super::{
    exposition::{Form, Scrapes},
    latest::{self, Sample},
    live::Live,
    pace::Pace,
    page, peer_names,
};
use crate::{
    agent::Agent,
    control::{look_ups, refusal::Refusal},
};

/// A look at the datapath costs as much as this many other answers.
const LOOK_UP_TURNS: u32 = 5;

/// The page takes everything from where it came from itself.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                           connect-src 'self'; img-src 'self' data:; base-uri 'none'; \
                           form-action 'none'; frame-ancestors 'none'";

/// What all answers are made of.
struct Shared {
    agent: Arc<Agent>,
    samples: tokio::sync::watch::Receiver<Arc<Sample>>,
    scrapes: Arc<Scrapes>,
    live: Live,
    pace: Pace,
    is_private: bool,
}

/// Everything that can be asked. `is_private` says that only this machine can connect.
pub(super) fn router(agent: Arc<Agent>, top_hosts: usize, is_private: bool) -> Router {
    let look_ups = look_ups(Arc::clone(&agent));
    let shared = Arc::new(Shared {
        samples: latest::follow(Arc::clone(&agent)),
        scrapes: Arc::new(Scrapes::new(&agent, top_hosts)),
        live: Live::default(),
        pace: Pace::new(),
        is_private,
        agent,
    });
    Router::new()
        .route("/metrics", get(metrics))
        .route("/api/live", get(live))
        .with_state(Arc::clone(&shared))
        .nest("/api", look_ups)
        .merge(page::router())
        .fallback(async || (StatusCode::NOT_FOUND, "there are / and /metrics\n"))
        .layer(from_fn_with_state(shared, guard))
}

async fn metrics(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Refusal> {
    let accepted = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    let form = Form::accepted(accepted.unwrap_or_default());
    let sample = shared.samples.borrow().clone();
    let text = Arc::clone(&shared.scrapes).text(sample, form).await?;
    Ok(([(CONTENT_TYPE, form.content_type())], text).into_response())
}

async fn live(State(shared): State<Arc<Shared>>) -> Result<Response, Refusal> {
    let sample = shared.samples.borrow().clone();
    let text = shared.live.text(&shared.agent, sample).await?;
    Ok(([(CONTENT_TYPE, "application/json")], text).into_response())
}

/// Slows down whoever asks too much, refuses names of others, and tells browsers to be strict.
async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_look_up = path.starts_with("/api/") && path != "/api/live";
    shared.pace.turn(if is_look_up { LOOK_UP_TURNS } else { 1 }).await;
    let name = request.headers().get(HOST).map(|name| name.to_str().unwrap_or_default());
    let is_ours = !shared.is_private || name.is_none_or(peer_names::is_of_this_machine);
    let mut response = if is_ours {
        next.run(request).await
    } else {
        let words = "this address answers to localhost and to IP addresses only\n";
        (StatusCode::MISDIRECTED_REQUEST, words).into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, PAGE_POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}

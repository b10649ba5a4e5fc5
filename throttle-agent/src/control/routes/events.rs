//! `/v1/events`.

use std::{collections::VecDeque, sync::Arc};

use axum::{extract::State, response::Response};
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::{
    broadcast::{self, error::RecvError},
    watch,
};

use crate::{
    agent::Agent,
    control::{
        EventsQuery, Told,
        refusal::Refusal,
        request::Asked,
        stream::{Framing, Item, answer},
    },
    error::Error,
    events::{Event, What, now_unix_ms},
    telemetry::StatsView,
    trace::{Snapshot, TimedReport, Traces},
};

/// Tells what happened, and with `follow` what happens, without end.
#[utoipa::path(
    get,
    path = "/v1/events",
    operation_id = "events",
    params(EventsQuery),
    responses((
        status = 200,
        description = "one line or event for each event or report, the remembered events first",
        content((Told = "application/jsonl"), (String = "text/event-stream"))
    ))
)]
pub(super) async fn events(
    State(agent): State<Arc<Agent>>,
    framing: Framing,
    Asked(EventsQuery { follow, trace }): Asked<EventsQuery>,
) -> Result<Response, Refusal> {
    if !follow && !trace.is_empty() {
        return Err(Error::usage(format_args!(
            "trace={trace} is of seconds to come: give follow=true as well"
        ))
        .into());
    }
    let (past, live) = agent.events.subscribe();
    let number = past.last().map_or(0, |event| event.number);
    let past = stream::iter(past).map(Told::Event);
    let item = |told| Item::new(&told);
    if !follow {
        return Ok(answer(&agent, framing, past.map(item)));
    }
    let samples = agent.samples();
    let listener = Listener {
        agent: Arc::clone(&agent),
        number,
        live,
        samples,
        trace,
        before: None,
        reports: VecDeque::new(),
    };
    Ok(answer(&agent, framing, past.chain(listener.told()).map(item)))
}

/// One who listens. What it has not taken yet is in the ring that all listeners share, and at most one
/// second's reports here.
struct Listener {
    agent: Arc<Agent>,
    /// Number of the last event that it was told, or told of its loss.
    number: u64,
    live: broadcast::Receiver<Event>,
    samples: watch::Receiver<Arc<StatsView>>,
    trace: Traces,
    before: Option<Snapshot>,
    reports: VecDeque<TimedReport>,
}

impl Listener {
    fn told(self) -> impl Stream<Item = Told> + Send {
        stream::unfold(self, async |mut listener| Some((listener.next().await?, listener)))
    }

    async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(report) = self.reports.pop_front() {
                return Some(Told::Report(report));
            }
            tokio::select! {
                event = self.live.recv() => return self.event(event).map(Told::Event),
                changed = self.samples.changed(), if !self.trace.is_empty() => {
                    changed.ok()?;
                    self.report().await;
                }
            }
        }
    }

    /// The next event, or how many of them were too long ago.
    fn event(&mut self, received: Result<Event, RecvError>) -> Option<Event> {
        let event = match received {
            Ok(event) => event,
            Err(RecvError::Lagged(count)) => Event {
                number: self.number + count,
                at_unix_ms: now_unix_ms(),
                what: What::EventsLost { count },
            },
            Err(RecvError::Closed) => return None,
        };
        self.number = event.number;
        Some(event)
    }

    async fn report(&mut self) {
        let now = match Snapshot::take(&self.agent).await {
            Ok(now) => now,
            Err(error) => return tracing::debug!("reporting the last second: {error}"),
        };
        if let Some(before) = &self.before {
            let reports = self.trace.iter().map(|kind| TimedReport::between(kind, before, &now));
            self.reports.extend(reports);
        }
        self.before = Some(now);
    }
}

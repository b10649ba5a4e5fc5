//! Metrics as text.

mod bounded;
mod classic;
mod counters;
mod families;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use prometheus_client::{encoding::text::encode, registry::Registry};

use self::families::{Families, Static};
use super::latest::Sample;
use crate::{
    agent::{Agent, blocking},
    error::{Kind, Result, ResultExt},
    policy::{GroupName, LimitKey},
};

/// Limits, and groups, that have series of their own; the others are summed.
const OWN_SERIES: usize = 1000;

/// The two text formats that Prometheus reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// What came before it, for readers that ask for nothing else.
    Classic,
}

impl Form {
    /// The form that an `Accept` header asks for.
    pub(super) fn accepted(accept: &str) -> Self {
        let is_classic = accept.contains("text/plain") && !accept.contains("openmetrics");
        if is_classic { Self::Classic } else { Self::OpenMetrics }
    }

    /// Its content type.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Texts of the newest sample, made once for all who ask.
#[derive(Debug)]
pub(super) struct Scrapes {
    facts: Static,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limits: bounded::Bounded<LimitKey>,
    groups: bounded::Bounded<GroupName>,
    made: Option<(Arc<Sample>, Bytes)>,
}

impl Scrapes {
    /// Metrics of `agent`; the first `top_hosts` hosts of each order have some of their own.
    pub(super) fn new(agent: &Arc<Agent>, top_hosts: usize) -> Self {
        let (limits, groups) =
            (bounded::Bounded::new(OWN_SERIES), bounded::Bounded::new(OWN_SERIES));
        let state = Mutex::new(State { limits, groups, made: None });
        Self { facts: Static::new(agent, top_hosts), state }
    }

    /// The metrics of a sample.
    pub(super) async fn text(self: Arc<Self>, sample: Arc<Sample>, form: Form) -> Result<Bytes> {
        // There may be as many limits as it takes to keep the event loop waiting.
        blocking(move || {
            let text = self.open_metrics(sample)?;
            Ok(match form {
                Form::OpenMetrics => text,
                Form::Classic => classic::from_open_metrics(&text).into(),
            })
        })
        .await
    }

    fn open_metrics(&self, sample: Arc<Sample>) -> Result<Bytes> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made_of, text)) = &state.made
            && Arc::ptr_eq(made_of, &sample)
        {
            return Ok(text.clone());
        }
        let State { limits, groups, .. } = &mut *state;
        let families = Families::new(&self.facts, Arc::clone(&sample), limits, groups);
        let mut registry = Registry::with_prefix("throttle");
        registry.register_collector(Box::new(families));
        let mut text = String::new();
        encode(&mut text, &registry).doing(Kind::Failed, || "writing metrics")?;
        let text = Bytes::from(text);
        state.made = Some((sample, text.clone()));
        Ok(text)
    }
}

#[cfg(test)]
mod tests;

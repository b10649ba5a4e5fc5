//! What listeners are told: events and reports.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    events::Event,
    trace::{TimedReport, Traces},
};

/// What to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct EventsQuery {
    /// Whether to be told what happens from now on, too.
    pub follow: bool,
    /// Reports of every second, besides; separated by commas.
    #[param(value_type = String, pattern = "^(bandwidth|packets|load|debug)(,(bandwidth|packets|load|debug))*$")]
    pub trace: Traces,
}

/// One thing that a listener is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Told {
    /// Something that happened: it has an `event`.
    Event(Event),
    /// What happened in a second: it has a `report`.
    Report(TimedReport),
}

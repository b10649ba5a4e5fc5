//! Writes metrics that are made of rows.

use std::fmt;

use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet},
    metrics::MetricType,
};

use super::counters::{Tally, Totals};

/// Writes one metric after the other; one without rows is left out.
pub(super) struct Writer<'a>(DescriptorEncoder<'a>);

impl<'a> Writer<'a> {
    pub(super) fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self(encoder)
    }

    /// A counter without labels.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// A gauge without labels.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    /// A counter by its labels; its samples are called `name_total`.
    pub(super) fn counters<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return Ok(());
        }
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        rows.try_for_each(|(labels, value)| {
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
        })
    }

    /// A gauge by its labels.
    pub(super) fn gauges<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (L, f64)>,
    ) -> fmt::Result {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return Ok(());
        }
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        rows.try_for_each(|(labels, value)| metric.encode_family(&labels)?.encode_gauge(&value))
    }

    /// Bytes and packets of `what`, by direction and result beside the labels `names`.
    pub(super) fn totals<const N: usize>(
        &mut self,
        what: &str,
        words: &str,
        names: [&'static str; N],
        rows: &[([String; N], Totals)],
    ) -> fmt::Result {
        for (unit, units) in [("bytes", "Layer-3 bytes"), ("packets", "Wire packets")] {
            let count = |tally: Tally| if unit == "bytes" { tally.bytes } else { tally.packets };
            let labelled = rows.iter().flat_map(|(values, totals)| {
                totals.labelled().map(move |([direction, result], tally)| {
                    let own: [_; N] = std::array::from_fn(|n| (names[n], values[n].as_str()));
                    ((own, [("direction", direction), ("result", result)]), count(tally))
                })
            });
            let help = format!("{units} {words}; result excess is what found no room.");
            self.counters(&format!("{what}_{unit}"), &help, labelled)?;
        }
        Ok(())
    }
}

//! Counters that every processor keeps for itself.

use std::sync::Arc;

use aya::{
    maps::{MapData, MapError, PerCpuArray, PerCpuValues},
    util::nr_cpus,
};
use throttle_common::{
    abi::{self, Direction, LimitUse, limit_use_index, reason_index},
    verdict::Reason,
};

use super::{
    limit_use::LimitUseReader,
    pod::{Plain, Raw},
    state::Tally,
};
use crate::error::{Kind, Result, ResultExt};

/// Maps `REASONS` and `LIMIT_USE`.
pub(super) struct CounterTable {
    reasons: PerCpuArray<MapData, Raw<abi::Tally>>,
    limit_use: PerCpuArray<MapData, Raw<LimitUse>>,
    limit_use_reader: Arc<LimitUseReader>,
}

impl CounterTable {
    /// Wraps the maps.
    pub(super) fn new(
        reasons: PerCpuArray<MapData, Raw<abi::Tally>>,
        limit_use: PerCpuArray<MapData, Raw<LimitUse>>,
        limit_use_reader: LimitUseReader,
    ) -> Self {
        Self { reasons, limit_use, limit_use_reader: Arc::new(limit_use_reader) }
    }

    /// The counters of limits, for reading.
    pub(super) fn limit_use(&self) -> Arc<LimitUseReader> {
        Arc::clone(&self.limit_use_reader)
    }

    /// A link's packets of one direction, per reason in the order of [`Reason::ALL`].
    pub(super) fn reasons(
        &self,
        link: u32,
        direction: Direction,
    ) -> Result<[Tally; Reason::COUNT]> {
        let mut tallies = [Tally::default(); Reason::COUNT];
        for (tally, reason) in tallies.iter_mut().zip(Reason::ALL) {
            let index = reason_index(link, direction, reason);
            let values =
                self.reasons.get(&index, 0).doing(Kind::Failed, || "reading map REASONS")?;
            *tally = values.iter().fold(Tally::default(), |sum, Raw(cpu)| sum.plus(cpu));
        }
        Ok(tallies)
    }

    /// Clears the counters of a link that is about to be attached.
    pub(super) fn clear_link(&mut self, link: u32) -> Result<()> {
        for direction in Direction::ALL {
            for reason in Reason::ALL {
                clear(&mut self.reasons, reason_index(link, direction, reason))
                    .doing(Kind::Failed, || "clearing map REASONS")?;
            }
        }
        Ok(())
    }

    /// Clears the counters of a limit that is about to get this index.
    pub(super) fn clear_limit(&mut self, index: u32) -> Result<()> {
        for direction in Direction::ALL {
            clear(&mut self.limit_use, limit_use_index(index, direction))
                .doing(Kind::Failed, || "clearing map LIMIT_USE")?;
        }
        Ok(())
    }
}

fn clear<T: Plain + Default>(
    map: &mut PerCpuArray<MapData, Raw<T>>,
    index: u32,
) -> Result<(), MapError> {
    let cpus = nr_cpus().map_err(|(_, error)| MapError::IoError(error))?;
    let zeros = PerCpuValues::try_from(vec![Raw(T::default()); cpus]).map_err(MapError::IoError)?;
    map.set(index, zeros, 0)
}

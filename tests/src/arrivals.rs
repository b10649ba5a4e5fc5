//! A receiver that notes when each packet arrives, by the kernel's clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, setsockopt, sockopt};
use nix::sys::time::TimeSpec;

use crate::receiver::{Receiver, control_messages};
use crate::router::{End, Router};
use crate::traffic::Family;

/// Notes when packets arrive at one address and port.
#[derive(Debug)]
pub struct Arrivals {
    receiver: Receiver,
    times: Arc<Mutex<Vec<Duration>>>,
}

impl Arrivals {
    /// Starts to listen at a free port of `end`.
    pub fn bind(router: &Router, end: End, family: Family) -> Result<Self> {
        let times = Arc::<Mutex<Vec<_>>>::default();
        let noted = Arc::clone(&times);
        let mut space = cmsg_space!(TimeSpec);
        let receiver = Receiver::bind(
            router,
            end,
            family,
            |socket| {
                setsockopt(socket, sockopt::ReceiveTimestampns, &true).context("asking for times")
            },
            move |socket| {
                let parts = control_messages(socket, &mut space)?;
                let time = parts.filter_map(|part| {
                    let ControlMessageOwned::ScmTimestampns(time) = part else { return None };
                    Some(Duration::from(time))
                });
                noted.lock().unwrap_or_else(PoisonError::into_inner).extend(time);
                Ok(())
            },
        )?;
        Ok(Self { receiver, times })
    }

    /// Where to send packets to.
    pub fn port(&self) -> u16 {
        self.receiver.port()
    }

    /// When each packet arrived since the last call, in order, as seen from the first.
    pub fn take(&self) -> Vec<Duration> {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = std::mem::take(&mut *times);
        if let Some(&first) = taken.first() {
            taken.iter_mut().for_each(|time| *time = time.saturating_sub(first));
        }
        taken
    }
}

/// Of the windows of length `window` that end in the span of `times`, the fewest and the most packets in one.
pub fn fewest_and_most(times: &[Duration], window: Duration) -> (usize, usize) {
    let end = times.last().copied().unwrap_or_default();
    let count = (end.as_nanos() / window.as_nanos().max(1)) as usize;
    let mut counts = vec![0; count];
    for time in times {
        let number = (time.as_nanos() / window.as_nanos().max(1)) as usize;
        if let Some(count) = counts.get_mut(number) {
            *count += 1;
        }
    }
    let of = |pick: fn(std::vec::IntoIter<usize>) -> Option<usize>| {
        pick(counts.clone().into_iter()).unwrap_or_default()
    };
    (of(Iterator::min), of(Iterator::max))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::fewest_and_most;

    #[test]
    fn windows_count_what_arrives_in_them() {
        let times = [0, 10, 20, 60, 100, 160, 170].map(Duration::from_millis);
        assert_eq!(fewest_and_most(&times, Duration::from_millis(50)), (1, 3));
        assert_eq!(fewest_and_most(&[], Duration::from_millis(50)), (0, 0));
    }
}

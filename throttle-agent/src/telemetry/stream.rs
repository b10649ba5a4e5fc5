//! Samples as a stream.

use std::{num::NonZeroU32, sync::Arc};

use futures_util::{Stream, stream};
use tokio::sync::watch;

use super::StatsView;

/// The newest sample at once, then every `every`-th one.
///
/// Whoever reads slowly misses samples and never delays anyone. The stream ends with the sampling.
pub fn every_nth(
    mut samples: watch::Receiver<Arc<StatsView>>,
    every: NonZeroU32,
) -> impl Stream<Item = Arc<StatsView>> {
    samples.mark_changed();
    stream::unfold((samples, 1), move |(mut samples, steps)| async move {
        for _ in 0..steps {
            samples.changed().await.ok()?;
        }
        let sample = Arc::clone(&samples.borrow());
        Some((sample, (samples, every.get())))
    })
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    fn sample(tracked: u64) -> Arc<StatsView> {
        let mut view = StatsView::default();
        view.hosts.tracked = tracked;
        Arc::new(view)
    }

    #[tokio::test]
    async fn every_nth_sample_is_seen_and_the_end_ends_it() {
        let (sender, receiver) = watch::channel(sample(0));
        let every = NonZeroU32::new(2).unwrap();
        let mut samples = Box::pin(every_nth(receiver, every));
        let mut seen = Vec::new();
        for tracked in 1..=4 {
            if tracked % 2 == 1 {
                seen.push(samples.next().await.unwrap().hosts.tracked);
            } else {
                assert!(futures_util::poll!(samples.next()).is_pending());
            }
            sender.send_replace(sample(tracked));
        }
        assert_eq!(seen, [0, 2]);
        drop(sender);
        while samples.next().await.is_some() {}
    }
}

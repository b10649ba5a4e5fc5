//! Samples as a stream of JSON lines.

use std::{convert::Infallible, num::NonZeroU32, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::sync::watch;

use super::StatsView;

/// The newest sample at once, then every `every`-th one, each as one line of JSON.
///
/// Whoever reads slowly misses samples and never delays anyone. The stream ends with the sampling.
pub fn lines(
    mut samples: watch::Receiver<Arc<StatsView>>,
    every: NonZeroU32,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    samples.mark_changed();
    stream::unfold((samples, 1), move |(mut samples, steps)| async move {
        for _ in 0..steps {
            samples.changed().await.ok()?;
        }
        let line = line(&samples.borrow());
        Some((Ok(line), (samples, every.get())))
    })
}

fn line(sample: &StatsView) -> Bytes {
    // Strings, numbers and maps keyed by strings always serialize.
    let mut text = serde_json::to_vec(sample).unwrap_or_default();
    text.push(b'\n');
    text.into()
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
    async fn every_nth_sample_is_one_line_and_the_end_ends_it() {
        let (sender, receiver) = watch::channel(sample(0));
        let every = NonZeroU32::new(2).unwrap();
        let mut lines = Box::pin(lines(receiver, every));
        let mut seen = Vec::new();
        for tracked in 1..=4 {
            if tracked % 2 == 1 {
                let line = lines.next().await.unwrap().unwrap();
                assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1);
                seen.push(serde_json::from_slice::<StatsView>(&line).unwrap().hosts.tracked);
            } else {
                assert!(futures_util::poll!(lines.next()).is_pending());
            }
            sender.send_replace(sample(tracked));
        }
        assert_eq!(seen, [0, 2]);
        drop(sender);
        while let Some(line) = lines.next().await {
            assert!(line.is_ok());
        }
    }
}

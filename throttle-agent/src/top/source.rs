//! Asks the agent for what the screen shows.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

use super::{Facts, Update, Wanted, facts::Policy};
use crate::{
    control::{Client, StatusView},
    error::{Kind, Result},
    telemetry::{HostExplained, HostView, StatsView, TOP},
};

/// Pause before an agent that has gone is looked for again.
const RETRY: Duration = Duration::from_secs(1);

/// A policy so large that asking for it takes long is asked for less often: at most one part in so many
/// of the time goes into it.
const POLICY_SHARE: u32 = 10;

/// A sample with its number and time.
type Sample = (u64, Instant, Arc<StatsView>);

/// The policy, and when to ask for it again.
#[derive(Default)]
struct KnownPolicy {
    policy: Arc<Policy>,
    due: Option<Instant>,
}

/// What there is to show at once.
pub(super) async fn first(client: &Client) -> Result<Facts> {
    let stats: StatsView = client.get("/v1/stats").await?;
    let sample = (Facts::UNMETERED, Instant::now(), Arc::new(stats));
    ask(client, &sample, &Wanted::default(), &mut KnownPolicy::default()).await
}

/// Sends what there is to show with every sample, and whenever something else is wanted, until nobody
/// receives it. An agent that has gone is looked for again.
pub(super) async fn follow(
    client: Client,
    every_seconds: NonZeroU32,
    mut wanted: watch::Receiver<Wanted>,
    updates: mpsc::Sender<Update>,
) {
    let (sender, mut samples) = watch::channel::<Option<Sample>>(None);
    let watched = watch_samples(client.clone(), every_seconds, sender, updates.clone());
    let answered = async {
        let mut policy = KnownPolicy::default();
        loop {
            let changed = tokio::select! {
                changed = samples.changed() => changed,
                changed = wanted.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
            let Some(sample) = samples.borrow().clone() else { continue };
            let asked = wanted.borrow_and_update().clone();
            // What fails here fails for the stream of samples as well, which says so.
            if let Ok(facts) = ask(&client, &sample, &asked, &mut policy).await
                && updates.send(Update::Facts(Box::new(facts))).await.is_err()
            {
                return;
            }
        }
    };
    tokio::select! {
        () = watched => {}
        () = answered => {}
    }
}

async fn watch_samples(
    client: Client,
    every_seconds: NonZeroU32,
    samples: watch::Sender<Option<Sample>>,
    updates: mpsc::Sender<Update>,
) {
    let mut number = Facts::UNMETERED;
    let path = format!("/v1/stats/stream?every_seconds={every_seconds}");
    loop {
        let take = |stats: StatsView| {
            number += 1;
            samples.send_replace(Some((number, Instant::now(), Arc::new(stats))));
            Ok(())
        };
        let Err(error) = client.lines(&path, take).await else { return };
        if updates.send(Update::Gone(error.to_string())).await.is_err() {
            return;
        }
        sleep(RETRY).await;
    }
}

async fn ask(
    client: &Client,
    (number, at, stats): &Sample,
    wanted: &Wanted,
    known: &mut KnownPolicy,
) -> Result<Facts> {
    let status: StatusView = client.get("/v1/status").await?;
    let path = format!("/v1/hosts?sort={}&top={TOP}", wanted.sort);
    let mut hosts: Vec<HostView> = client.get(&path).await?;
    if let Some(address) = wanted.host {
        let found: Result<HostExplained> = client.get(&format!("/v1/hosts/{address}")).await;
        let known = |host: &HostView| hosts.iter().any(|other| other.host == host.host);
        let found = found.ok().map(|explained| explained.host);
        hosts.extend(found.filter(|host| !known(host)));
    }
    let detail = match wanted.detail {
        None => None,
        Some(address) => match client.get(&format!("/v1/hosts/{address}")).await {
            Ok(host) => Some(Ok(host)),
            Err(error) if error.kind() == Kind::NotFound => Some(Err(error.to_string())),
            Err(error) => return Err(error),
        },
    };
    known.renew(client).await?;
    Ok(Facts {
        sample: *number,
        at: *at,
        status,
        stats: Arc::clone(stats),
        hosts,
        policy: Arc::clone(&known.policy),
        detail,
    })
}

impl KnownPolicy {
    async fn renew(&mut self, client: &Client) -> Result<()> {
        let begun = Instant::now();
        if self.due.is_some_and(|due| begun < due) {
            return Ok(());
        }
        let limits = client.get("/v1/limits").await?;
        let groups = client.get("/v1/groups").await?;
        let links = client.get("/v1/links").await?;
        self.policy = Arc::new(Policy::new(limits, groups, links));
        self.due = Some(Instant::now() + begun.elapsed() * POLICY_SHARE);
        Ok(())
    }
}

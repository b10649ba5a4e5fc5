//! A list of hosts as long as the table, written and sent part by part.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, stream};

use crate::{
    agent::{Agent, HOSTS_PER_TURN, blocking},
    error::{Kind, Result, ResultExt},
    telemetry::HostView,
};

/// What is left to be sent.
struct Rest {
    agent: Arc<Agent>,
    ways: Vec<u32>,
    sent: usize,
    /// Whether a host was sent, so that the next one follows a comma.
    has_any: bool,
    has_ended: bool,
}

/// The hosts in these ways as one JSON array. Hosts that leave the table meanwhile are left out.
pub(super) fn parts(
    agent: Arc<Agent>,
    ways: Vec<u32>,
) -> impl Stream<Item = std::result::Result<Bytes, String>> {
    let rest = Rest { agent, ways, sent: 0, has_any: false, has_ended: false };
    stream::try_unfold(rest, |rest| async {
        if rest.has_ended {
            return Ok(None);
        }
        rest.next().await.map(Some).map_err(|error| error.to_string())
    })
}

impl Rest {
    async fn next(mut self) -> Result<(Bytes, Self)> {
        let end = self.ways.len().min(self.sent + HOSTS_PER_TURN);
        let hosts = self.agent.hosts_in(&self.ways[self.sent..end]).await?;
        let mut text = Vec::from(if self.sent == 0 { "[" } else { "" });
        self.has_ended = end == self.ways.len();
        let is_last = self.has_ended;
        let has_any = self.has_any;
        self.has_any |= !hosts.is_empty();
        self.sent = end;
        let text = blocking(move || {
            append(&mut text, &hosts, has_any)?;
            text.extend_from_slice(if is_last { b"]" } else { b"" });
            Ok(text)
        })
        .await?;
        Ok((text.into(), self))
    }
}

fn append(text: &mut Vec<u8>, hosts: &[HostView], mut has_any: bool) -> Result<()> {
    for host in hosts {
        if has_any {
            text.push(b',');
        }
        has_any = true;
        serde_json::to_writer(&mut *text, host)
            .doing(Kind::Failed, || "writing a list of hosts")?;
    }
    Ok(())
}

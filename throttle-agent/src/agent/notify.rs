//! What the service manager is told, where one started the agent (sd_notify).

use sd_notify::NotifyState;

/// The agent is ready, again perhaps.
pub(super) fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The agent reads its file again, until it says that it is ready.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!("reading the clock for the service manager: {error}"),
    }
}

/// The agent is about to end.
pub(super) fn stopping() {
    send(&[NotifyState::Stopping]);
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("telling the service manager: {error}");
    }
}

//! The paths that connections take: as long as real ones, with packets as on a wire.

use std::time::Duration;

use anyhow::Result;

use crate::guest::set_qdisc;
use crate::offload::segment_before_sending;
use crate::router::{End, Router};

/// A router with a LAN for each round-trip time.
pub(super) fn lay(round_trips: &[Duration]) -> Result<Router> {
    let router = Router::with_lans(round_trips.len() as u8)?;
    cut_before_sending(&router, round_trips.len() as u8)?;
    for (lan, round_trip) in (0..).zip(round_trips) {
        // All of it on the way from the host; the queue holds whatever the connections have under way.
        let netem = format!("netem delay {}us limit 100000", round_trip.as_micros());
        set_qdisc(router.namespace(End::Host { lan, number: 0 }), "eth0", &netem)?;
    }
    Ok(router)
}

/// Makes the ends of `lans` LANs send packets of the link's size, which is how packets reach a router, and forget
/// what earlier connections have learned of a path.
pub(super) fn cut_before_sending(router: &Router, lans: u8) -> Result<()> {
    let hosts = (0..lans).map(|lan| End::Host { lan, number: 0 });
    for end in hosts.chain([End::Server]) {
        let namespace = router.namespace(end);
        segment_before_sending(namespace, "eth0")?;
        namespace.sysctl("ipv4/tcp_no_metrics_save", "1")?;
    }
    Ok(())
}

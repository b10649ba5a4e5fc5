//! What is done now and then: idle hosts go, qdiscs are looked at.

use std::{net::IpAddr, time::Duration};

use throttle_common::{abi::Direction, bucket, rate::TICKS_PER_NS};

use super::{Datapath, limits::LimitTable, prefix::host_prefix, report};
use crate::{error::Result, policy::LimitKey};

impl Datapath {
    /// Removes hosts that traffic has made and that have been idle for `idle`, so that others find
    /// room; returns how many. The fuller the table, the sooner they go.
    ///
    /// Hosts with a limit of their own stay, and so do hosts that still owe and those whose limit
    /// grants a burst once: coming back must not earn it again.
    ///
    /// What else had to wait is done as well: the rest of a policy that was replaced is removed, and
    /// the links' qdiscs are looked at where a limit paces.
    ///
    /// # Errors
    /// The clock cannot be read, or the kernel refuses.
    pub fn expire_hosts(&mut self, idle: Duration) -> Result<usize> {
        self.limits.clean()?;
        self.check_pacing()?;
        let now_ns = report::monotonic_ns()?;
        let idle = self.hosts.patience(idle);
        let idle_ns = u64::try_from(idle.as_nanos()).unwrap_or(u64::MAX);
        let (limits, bits) = (&self.limits, self.config.ipv6_host_prefix());
        Ok(self.hosts.expire(self.config.get(), |host| {
            let owes = Direction::ALL.iter().any(|direction| {
                let own = host.direction(*direction);
                let owes = |tat| bucket::debt(tat, now_ns * TICKS_PER_NS) > 0;
                owes(own.bytes_tat) || owes(own.packets_tat)
            });
            // One that never sent was made for a limit of its own, or is a moment old.
            let is_idle = host.idle_ns(now_ns).is_none_or(|since_ns| since_ns >= idle_ns);
            is_idle && !owes && !is_kept(limits, host.address, bits)
        }))
    }

    /// Looks at the links' qdiscs if a limit paces.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn check_pacing(&mut self) -> Result<()> {
        if self.limits.paces() { self.links.check_pacing() } else { Ok(()) }
    }

    /// Frees the rows of links that are gone.
    pub(super) fn forget_limits_of_lost_links(&mut self) {
        let bank = self.bank();
        let present: Vec<_> = self.links.iter().map(|link| link.ifindex).collect();
        self.limits.retain_links(&present, bank);
    }
}

/// Whether a host has a limit of its own.
pub(super) fn is_configured(limits: &LimitTable, host: IpAddr, ipv6_bits: u8) -> bool {
    let own = host_prefix(host, ipv6_bits).ok();
    own.is_some_and(|prefix| limits.get(&LimitKey::host(prefix)).is_some())
}

/// Whether a host stays however long it is idle.
fn is_kept(limits: &LimitTable, host: IpAddr, ipv6_bits: u8) -> bool {
    if is_configured(limits, host, ipv6_bits) {
        return true;
    }
    let held = host_prefix(host, ipv6_bits).ok().and_then(|prefix| limits.longest(prefix));
    held.is_some_and(|held| held.stated.one_time_burst.is_some())
}

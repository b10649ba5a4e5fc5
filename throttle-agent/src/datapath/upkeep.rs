//! What is done now and then: qdiscs are looked at, and links that are gone forgotten.

use std::net::IpAddr;

use super::{Datapath, limits::LimitTable, prefix::host_prefix};
use crate::{error::Result, policy::LimitKey};

impl Datapath {
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

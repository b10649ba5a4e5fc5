//! Who takes part, and what each has to do.

use std::fmt;

use anyhow::Result;
use aya::programs::LinkOrder;
use aya::programs::SchedClassifier;
use aya::programs::tc::{TcAttachOptions, TcAttachType};

use super::peers;
use crate::agent::Agent;
use crate::bpf;
use crate::foreign;
use crate::netns::Namespace;
use crate::shim::Empty;
use crate::spoof;
use crate::traffic::Family;

/// What stands in the packets' way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contestant {
    /// Nothing.
    Nothing,
    /// A classifier that gives one answer, by [`Load`], to every packet.
    Classifier,
    /// The throttler.
    Throttle,
    /// nftables: a dynamic set with a limit for each element.
    Nft,
    /// The match `hashlimit` of iptables.
    Hashlimit,
    /// A class of HTB for each source, found by hashed u32 filters.
    Htb,
}

/// What limits are to do with the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Let all of them pass.
    Pass,
    /// Drop all but the first few of each source.
    Excess,
}

/// A contestant in force; undone with its router.
#[derive(Debug)]
pub(super) enum Installed {
    /// By the kernel alone.
    Rules,
    /// Detaches when dropped.
    Classifier { _program: Box<SchedClassifier> },
    /// Detaches and ends when dropped.
    Agent(Box<Agent>),
}

/// With the link's overhead a packet takes 65 seconds at the least rate, of which the burst is one packet.
const EXCESS_OVERHEAD_BYTES: u32 = 65_000;

impl Contestant {
    /// All of them, the one that others are compared with first.
    pub const ALL: [Self; 6] =
        [Self::Nothing, Self::Classifier, Self::Throttle, Self::Nft, Self::Hashlimit, Self::Htb];

    /// What it is called where it has to do `load`.
    pub const fn name(self, load: Load) -> &'static str {
        match (self, load) {
            (Self::Nothing, _) => "no limiter",
            (Self::Classifier, Load::Pass) => "empty classifier",
            (Self::Classifier, Load::Excess) => "classifier that drops all",
            (Self::Throttle, _) => "throttle",
            (Self::Nft, _) => "nft",
            (Self::Hashlimit, _) => "hashlimit",
            (Self::Htb, _) => "HTB",
        }
    }

    /// Whether it limits each source.
    pub const fn is_limiter(self) -> bool {
        !matches!(self, Self::Nothing | Self::Classifier)
    }

    /// Whether it can do `load` to so many sources.
    pub fn takes_part(self, load: Load, family: Family, sources: u32) -> bool {
        match self {
            Self::Nothing => load == Load::Pass,
            Self::Htb => family == Family::V4 && sources <= peers::HTB_CLASSES,
            Self::Classifier | Self::Throttle | Self::Nft | Self::Hashlimit => true,
        }
    }

    /// Puts it in force on the router's way from `lan0` to `wan0`, with room for so many sources.
    pub(super) fn install(
        self,
        router: &Namespace,
        family: Family,
        load: Load,
        room: u32,
    ) -> Result<Installed> {
        match self {
            Self::Nothing => {}
            Self::Classifier => return classifier(router, load),
            Self::Throttle => return throttle(router, family, load, room),
            Self::Nft => peers::nft(router, family, load, room)?,
            Self::Hashlimit => peers::hashlimit(router, family, load, room)?,
            Self::Htb => peers::htb(router, load)?,
        }
        Ok(Installed::Rules)
    }
}

impl fmt::Display for Load {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Pass => "forwarded",
            Self::Excess => "dropped",
        })
    }
}

fn classifier(router: &Namespace, load: Load) -> Result<Installed> {
    let answer = match load {
        Load::Pass => bpf::NEXT,
        Load::Excess => bpf::DROP,
    };
    let mut program = foreign::opened(Empty::answering(answer)?.fd())?;
    router.run(|| {
        let options = TcAttachOptions::TcxOrder(LinkOrder::first());
        program.attach_with_options("lan0", TcAttachType::Ingress, options)
    })??;
    Ok(Installed::Classifier { _program: Box::new(program) })
}

fn throttle(router: &Namespace, family: Family, load: Load, room: u32) -> Result<Installed> {
    let arguments = ["--iface", "lan0", "--max-hosts", &room.to_string()];
    let agent = Agent::start(router, &arguments)?;
    let prefix = spoof::prefix(family);
    match load {
        Load::Pass => agent.done(&format!("limit set {prefix} --up 3200mbit --burst 1000mb"))?,
        Load::Excess => {
            agent.done(&format!("link set lan0 --overhead {EXCESS_OVERHEAD_BYTES}"))?;
            agent.done(&format!("limit set {prefix} --up 8kbit --burst 64b"))?
        }
    };
    Ok(Installed::Agent(Box::new(agent)))
}

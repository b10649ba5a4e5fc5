//! The police action of tc(8): a policer with one token bucket.

use std::collections::BTreeSet;

use anyhow::Result;

use super::{HostLimit, InForce, Limiter, Undo, interfaces_with, way_out};
use crate::command;
use crate::kernel;
use crate::netns::Namespace;
use crate::router::{End, Router};

/// A policer per host, on the interface that its packets come in by.
#[derive(Clone, Copy, Debug)]
pub struct Police;

impl Limiter for Police {
    fn name(&self) -> &'static str {
        "police"
    }

    fn configuration(&self) -> &'static str {
        "`police rate R burst B conform-exceed drop` per host behind a u32 filter, on the ingress of the interface that its \
         packets come in by, where it counts layer 3; `B` as our default burst."
    }

    fn lack(&self) -> Result<Option<String>> {
        const NO_MODULE: &str = "Failed to load TC action module";
        let probe = Namespace::new("police")?;
        let tried = probe.tc("actions add action police rate 1mbit burst 64k conform-exceed drop");
        match tried {
            Ok(_) => Ok(None),
            Err(error) if format!("{error:#}").contains(NO_MODULE) => {
                Ok(Some(format!("Linux {} has no act_police", kernel::release()?)))
            }
            Err(error) => Err(error.context("looking for the police action")),
        }
    }

    fn install<'a>(
        &self,
        router: &'a Router,
        limits: &[HostLimit],
    ) -> Result<Box<dyn InForce + 'a>> {
        let undo = Undo::new(router, lift);
        let mut tc = router.namespace(End::Router).command("tc")?;
        command::run_with_input(tc.args(["-batch", "-"]), &script(limits))?;
        Ok(undo)
    }
}

/// The lines that install the limits.
fn script(limits: &[HostLimit]) -> String {
    let interfaces: BTreeSet<_> = limits.iter().map(way_in).collect();
    let qdiscs = interfaces.iter().map(|interface| format!("qdisc add dev {interface} ingress\n"));
    qdiscs.chain(limits.iter().map(filter)).collect()
}

fn filter(limit: &HostLimit) -> String {
    let (rate, burst) = (limit.bits_per_second, limit.burst_bytes());
    let (interface, packets) = (way_in(limit), limit.u32_match());
    format!(
        "filter add dev {interface} ingress {packets} police rate {rate}bit burst {burst}b conform-exceed drop\n"
    )
}

/// The interface of the router that packets come in by.
fn way_in(limit: &HostLimit) -> String {
    way_out(limit.host, limit.case.direction.opposite())
}

fn lift(router: &Namespace) -> Result<()> {
    for interface in interfaces_with(router, "ingress")? {
        router.tc(&format!("qdisc del dev {interface} ingress"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::script;
    use crate::accuracy::limiters::HostLimit;
    use crate::router::End;
    use crate::traffic::{Case, MBIT};

    #[test]
    fn every_interface_gets_one_qdisc_and_every_host_a_policer_where_its_packets_come_in() {
        let limits =
            Case::ALL.map(|case| HostLimit { host: End::host(1), case, bits_per_second: 8 * MBIT });
        let script = script(&limits);
        let lines: Vec<_> = script.lines().collect();
        assert_eq!(lines[..2], ["qdisc add dev lan0 ingress", "qdisc add dev wan0 ingress"]);
        assert_eq!(
            lines[3],
            "filter add dev lan0 ingress protocol ipv6 prio 2 u32 match ip6 src fd00:77:0:11::/64 \
             police rate 8000000bit burst 250000b conform-exceed drop"
        );
        assert!(lines[4].starts_with("filter add dev wan0 ingress protocol ip prio 1"), "{script}");
        assert_eq!(lines.len(), 6);
    }
}

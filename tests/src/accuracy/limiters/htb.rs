//! HTB, the hierarchical token bucket of tc(8): a shaper, which delays what it will not pass at once.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{HostLimit, InForce, Limiter, Undo, interfaces_with, way_out};
use crate::command;
use crate::netns::Namespace;
use crate::router::{End, Router};

/// A class per host, on the interface that its packets leave by.
#[derive(Clone, Copy, Debug)]
pub struct Htb;

impl Limiter for Htb {
    fn name(&self) -> &'static str {
        "HTB"
    }

    fn configuration(&self) -> &'static str {
        "a class per host on the egress of the interface to it (down) and of the WAN (up), found by u32 filters; `burst` \
         and `cburst` as our default burst, its default queue (pfifo, 1000 packets). Counts whole Ethernet frames: \
         `stab overhead -14` takes their headers off, so that the rate is one of layer 3. It shapes: excess waits \
         in the queue, and is dropped only when that is full."
    }

    fn install<'a>(
        &self,
        router: &'a Router,
        limits: &[HostLimit],
    ) -> Result<Box<dyn InForce + 'a>> {
        install(router, limits, HostLimit::burst_bytes)
    }
}

/// The same without a burst: what passes is as even as on a wire of that rate.
#[derive(Clone, Copy, Debug)]
pub struct EvenHtb;

impl Limiter for EvenHtb {
    fn name(&self) -> &'static str {
        "HTB, even"
    }

    fn configuration(&self) -> &'static str {
        "as HTB, with `burst` and `cburst` of one packet: what a sender leaves unused is gone, as on a wire of that rate."
    }

    fn install<'a>(
        &self,
        router: &'a Router,
        limits: &[HostLimit],
    ) -> Result<Box<dyn InForce + 'a>> {
        install(router, limits, |_| FRAME_BYTES)
    }
}

/// A full packet of Ethernet.
const FRAME_BYTES: u64 = 1514;

fn install<'a>(
    router: &'a Router,
    limits: &[HostLimit],
    burst_bytes: fn(&HostLimit) -> u64,
) -> Result<Box<dyn InForce + 'a>> {
    let undo = Undo::new(router, lift);
    let mut tc = router.namespace(End::Router).command("tc")?;
    command::run_with_input(tc.args(["-batch", "-"]), &script(limits, burst_bytes))?;
    Ok(undo)
}

/// The lines that install the limits.
fn script(limits: &[HostLimit], burst_bytes: fn(&HostLimit) -> u64) -> String {
    let mut interfaces = BTreeMap::<_, String>::new();
    for (number, limit) in (1..).zip(limits) {
        let interface = way_out(limit.host, limit.case.direction);
        let lines = interfaces.entry(interface.clone()).or_insert_with(|| {
            format!("qdisc add dev {interface} root handle 1: stab overhead -14 linklayer ethernet htb\n")
        });
        *lines += &class(&interface, number, limit, burst_bytes(limit));
    }
    interfaces.into_values().collect()
}

/// The class of a host, and the filter that leads to it.
fn class(interface: &str, number: u16, limit: &HostLimit, burst: u64) -> String {
    let rate = limit.bits_per_second;
    let packets = limit.u32_match();
    // Without a quantum the kernel warns of fast classes; it only matters to classes that share a parent.
    format!(
        "class add dev {interface} parent 1: classid 1:{number:x} htb rate {rate}bit burst {burst}b cburst {burst}b quantum 1514
         filter add dev {interface} parent 1: {packets} flowid 1:{number:x}
        "
    )
}

fn lift(router: &Namespace) -> Result<()> {
    for interface in interfaces_with(router, "htb 1:")? {
        router.tc(&format!("qdisc del dev {interface} root"))?;
    }
    Ok(())
}

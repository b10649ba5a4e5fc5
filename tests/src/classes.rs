//! A receiver that tells packets apart by their class of traffic: DSCP and ECN.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, setsockopt, sockopt};

use crate::receiver::{Receiver, control_messages};
use crate::router::{End, Router};
use crate::traffic::Family;

/// Counts what arrives at one address and port, by the eight bits of TOS or traffic class.
#[derive(Debug)]
pub struct ClassSink {
    receiver: Receiver,
    packets: Arc<[AtomicU64; 256]>,
}

impl ClassSink {
    /// Starts to count at a free port of `end`.
    pub fn bind(router: &Router, end: End, family: Family) -> Result<Self> {
        let packets = Arc::new([const { AtomicU64::new(0) }; 256]);
        let counted = Arc::clone(&packets);
        let mut space = cmsg_space!(i32);
        let receiver = Receiver::bind(
            router,
            end,
            family,
            |socket| {
                match family {
                    Family::V4 => setsockopt(socket, sockopt::IpRecvTos, &true),
                    Family::V6 => setsockopt(socket, sockopt::Ipv6RecvTClass, &true),
                }
                .context("asking for the class of packets")
            },
            move |socket| {
                for class in control_messages(socket, &mut space)?.filter_map(class_of) {
                    counted[usize::from(class)].fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            },
        )?;
        Ok(Self { receiver, packets })
    }

    /// Where to send packets that are to be counted.
    pub fn port(&self) -> u16 {
        self.receiver.port()
    }

    /// The classes that arrived, and how many packets of each.
    pub fn packets(&self) -> Vec<(u8, u64)> {
        let counts = self.packets.iter().map(|count| count.load(Ordering::Relaxed));
        (0..=u8::MAX).zip(counts).filter(|(_, count)| *count > 0).collect()
    }
}

fn class_of(part: ControlMessageOwned) -> Option<u8> {
    if let ControlMessageOwned::Ipv6TClass(class) = part {
        return u8::try_from(class).ok();
    }
    if let ControlMessageOwned::Ipv4Tos(class) = part { Some(class) } else { None }
}

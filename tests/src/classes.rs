//! A receiver that tells packets apart by their class of traffic: DSCP and ECN.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};

use crate::router::{End, Router};
use crate::traffic::Family;

/// Counts what arrives at one address and port, by the eight bits of TOS or traffic class.
#[derive(Debug)]
pub struct ClassSink {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    stop: AtomicBool,
    packets: [AtomicU64; 256],
}

impl ClassSink {
    /// Starts to count at a free port of `end`.
    pub fn bind(router: &Router, end: End, family: Family) -> Result<Self> {
        let wanted = SocketAddr::new(end.address(family), 0);
        let socket = router.namespace(end).run(|| UdpSocket::bind(wanted))?;
        let socket = socket.with_context(|| format!("binding {wanted}"))?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        setsockopt(&socket, sockopt::RcvBufForce, &(8 << 20)).context("growing the queue")?;
        match family {
            Family::V4 => setsockopt(&socket, sockopt::IpRecvTos, &true),
            Family::V6 => setsockopt(&socket, sockopt::Ipv6RecvTClass, &true),
        }
        .context("asking for the class of packets")?;
        let port = socket.local_addr()?.port();
        let packets = [const { AtomicU64::new(0) }; 256];
        let shared = Arc::new(Shared { stop: AtomicBool::new(false), packets });
        let counting = Arc::clone(&shared);
        let thread = Some(thread::spawn(move || count(&socket, &counting)));
        Ok(Self { port, shared, thread })
    }

    /// Where to send packets that are to be counted.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The classes that arrived, and how many packets of each.
    pub fn packets(&self) -> Vec<(u8, u64)> {
        let counts = self.shared.packets.iter().map(|count| count.load(Ordering::Relaxed));
        (0..=u8::MAX).zip(counts).filter(|(_, count)| *count > 0).collect()
    }
}

impl Drop for ClassSink {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the counting thread has been printed already.
            let _ = thread.join();
        }
    }
}

fn count(socket: &UdpSocket, shared: &Shared) {
    let mut space = cmsg_space!(i32);
    while !shared.stop.load(Ordering::Relaxed) {
        let fd = socket.as_raw_fd();
        let message = match recvmsg::<()>(fd, &mut [], Some(&mut space), MsgFlags::empty()) {
            Ok(message) => message,
            Err(Errno::EAGAIN | Errno::EINTR) => continue,
            Err(error) => panic!("class sink: {error}"),
        };
        let classes = message.cmsgs().expect("the control messages fit");
        for class in classes.filter_map(class_of) {
            shared.packets[usize::from(class)].fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn class_of(part: ControlMessageOwned) -> Option<u8> {
    if let ControlMessageOwned::Ipv6TClass(class) = part {
        return u8::try_from(class).ok();
    }
    if let ControlMessageOwned::Ipv4Tos(class) = part { Some(class) } else { None }
}

//! A receiver that notes when each packet arrives, by the kernel's clock.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;

use crate::router::{End, Router};
use crate::traffic::Family;

/// Notes when packets arrive at one address and port.
#[derive(Debug)]
pub struct Arrivals {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    times: Mutex<Vec<Duration>>,
}

impl Arrivals {
    /// Starts to listen at a free port of `end`.
    pub fn bind(router: &Router, end: End, family: Family) -> Result<Self> {
        let wanted = SocketAddr::new(end.address(family), 0);
        let socket = router.namespace(end).run(|| UdpSocket::bind(wanted))?;
        let socket = socket.with_context(|| format!("binding {wanted}"))?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        setsockopt(&socket, sockopt::RcvBufForce, &(8 << 20)).context("growing the queue")?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).context("asking for times")?;
        let port = socket.local_addr()?.port();
        let shared = Arc::<Shared>::default();
        let listening = Arc::clone(&shared);
        let thread = Some(thread::spawn(move || listen(&socket, &listening)));
        Ok(Self { port, shared, thread })
    }

    /// Where to send packets to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// When each packet arrived since the last call, in order, as seen from the first.
    pub fn take(&self) -> Vec<Duration> {
        let mut times = self.shared.times.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = std::mem::take(&mut *times);
        if let Some(&first) = taken.first() {
            taken.iter_mut().for_each(|time| *time = time.saturating_sub(first));
        }
        taken
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already.
            let _ = thread.join();
        }
    }
}

fn listen(socket: &UdpSocket, shared: &Shared) {
    let mut space = cmsg_space!(TimeSpec);
    while !shared.stop.load(Ordering::Relaxed) {
        let fd = socket.as_raw_fd();
        let message = match recvmsg::<()>(fd, &mut [], Some(&mut space), MsgFlags::empty()) {
            Ok(message) => message,
            Err(Errno::EAGAIN | Errno::EINTR) => continue,
            Err(error) => panic!("noting arrivals: {error}"),
        };
        let parts = message.cmsgs().expect("the control messages fit");
        let time = parts.filter_map(|part| {
            let ControlMessageOwned::ScmTimestampns(time) = part else { return None };
            Some(Duration::from(time))
        });
        shared.times.lock().unwrap_or_else(PoisonError::into_inner).extend(time);
    }
}

/// Of the windows of length `window` that end in the span of `times`, the fewest and the most packets in one.
pub fn fewest_and_most(times: &[Duration], window: Duration) -> (usize, usize) {
    let end = times.last().copied().unwrap_or_default();
    let count = (end.as_nanos() / window.as_nanos().max(1)) as usize;
    let mut counts = vec![0; count];
    for time in times {
        let number = (time.as_nanos() / window.as_nanos().max(1)) as usize;
        if let Some(count) = counts.get_mut(number) {
            *count += 1;
        }
    }
    let of = |pick: fn(std::vec::IntoIter<usize>) -> Option<usize>| {
        pick(counts.clone().into_iter()).unwrap_or_default()
    };
    (of(Iterator::min), of(Iterator::max))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::fewest_and_most;

    #[test]
    fn windows_count_what_arrives_in_them() {
        let times = [0, 10, 20, 60, 100, 160, 170].map(Duration::from_millis);
        assert_eq!(fewest_and_most(&times, Duration::from_millis(50)), (1, 3));
        assert_eq!(fewest_and_most(&[], Duration::from_millis(50)), (0, 0));
    }
}

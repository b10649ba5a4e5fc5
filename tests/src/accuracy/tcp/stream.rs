//! A TCP connection that sends as fast as it can, and counts what reaches its receiver.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use nix::sys::socket::{setsockopt, sockopt};

use super::info::Info;
use crate::measure::Sample;
use crate::router::{End, Router};
use crate::traffic::{Direction, Family, Transport};

/// Of every link.
const MTU_BYTES: u64 = 1500;
/// What is written and read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// A connection to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream<'a> {
    pub(super) router: &'a Router,
    /// The limited host.
    pub(super) host: End,
    pub(super) direction: Direction,
    pub(super) family: Family,
    /// The kernel's name of the sender's congestion control.
    pub(super) congestion: &'a str,
}

/// A connection that sends until it is dropped.
#[derive(Debug)]
pub(super) struct RunningStream {
    sender: TcpStream,
    receiver: TcpStream,
    family: Family,
    threads: Vec<JoinHandle<()>>,
}

impl Stream<'_> {
    /// Connects the server to the host and starts to send.
    pub(super) fn start(self) -> Result<RunningStream> {
        let wanted = SocketAddr::new(self.host.address(self.family), 0);
        let listener = self.router.namespace(self.host).run(|| TcpListener::bind(wanted))?;
        let listener = listener.with_context(|| format!("listening at {wanted}"))?;
        let address = listener.local_addr()?;
        let server = self.router.namespace(End::Server).run(|| TcpStream::connect(address))?;
        let server = server.with_context(|| format!("connecting to {address}"))?;
        let (host, _) = listener.accept().with_context(|| format!("accepting at {address}"))?;
        let (sender, receiver) = match self.direction {
            Direction::Up => (host, server),
            Direction::Down => (server, host),
        };
        setsockopt(&sender.as_fd(), sockopt::TcpCongestion, &self.congestion.into())
            .with_context(|| format!("choosing the congestion control {}", self.congestion))?;
        let threads = vec![
            carry(sender.try_clone()?, |stream, chunk| stream.write(chunk)),
            carry(receiver.try_clone()?, |stream, chunk| stream.read(chunk)),
        ];
        Ok(RunningStream { sender, receiver, family: self.family, threads })
    }
}

/// Moves chunks on a thread of its own until the stream ends.
fn carry(
    mut stream: TcpStream,
    step: impl Fn(&mut TcpStream, &mut [u8]) -> std::io::Result<usize> + Send + 'static,
) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut chunk = vec![0; CHUNK_BYTES];
        while step(&mut stream, &mut chunk).is_ok_and(|length| length > 0) {}
    })
}

impl RunningStream {
    /// What has reached the receiver, in full packets.
    pub(super) fn sample(&self) -> Result<Sample> {
        let at = Instant::now();
        let packets = Info::of(&self.receiver)?.data_segments_in;
        Ok(Sample { at, bytes: packets * MTU_BYTES, packets })
    }

    /// What the sender knows.
    pub(super) fn sent(&self) -> Result<Info> {
        Info::of(&self.sender)
    }

    /// Makes certain that the packets sent since `earlier` were full, which [`Self::sample`] takes them for. A
    /// sender that nothing holds back yet runs out of payload in the middle of a packet now and then.
    pub(super) fn check_since(&self, earlier: &Info) -> Result<()> {
        let sent = self.sent()?;
        let packets = (sent.data_segments_out - earlier.data_segments_out).max(1);
        let mean = (sent.bytes_sent - earlier.bytes_sent) as f64 / packets as f64;
        let full = (MTU_BYTES - Transport::Tcp.header_bytes(self.family)) as f64;
        ensure!(
            (full * 0.998..=full).contains(&mean),
            "packets with {mean:.1} bytes of payload were sent where {full} fit, so their number does not tell \
             the bytes of layer 3"
        );
        Ok(())
    }
}

impl Drop for RunningStream {
    fn drop(&mut self) {
        // Both fail only for a connection that has ended already; they end the threads.
        let _ = self.receiver.shutdown(Shutdown::Both);
        let _ = self.sender.shutdown(Shutdown::Both);
        for thread in self.threads.drain(..) {
            // A panic of the thread has been printed already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Info, MTU_BYTES, Stream};
    use crate::require_root;
    use crate::router::{End, Router};
    use crate::traffic::{Direction, Family};

    #[test]
    fn a_stream_of_full_packets_arrives_in_both_directions_and_families() {
        require_root!();
        let router = Router::new().unwrap();
        super::super::path::cut_before_sending(&router, 1).unwrap();
        for (direction, family) in [(Direction::Up, Family::V6), (Direction::Down, Family::V4)] {
            let (router, host) = (&router, End::host(1));
            let stream = Stream { router, host, direction, family, congestion: "cubic" };
            let stream = stream.start().unwrap();
            let arrived = || stream.sample().unwrap().bytes > 100 * MTU_BYTES;
            while !arrived() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            let sent = stream.sent().unwrap();
            assert!(sent.bytes_sent > 100_000 && sent.bytes_sent_again <= sent.bytes_sent);
            // A packet in ten is short: far more than what is let by.
            let short = Info { data_segments_out: 0, bytes_sent: sent.bytes_sent / 10, ..sent };
            assert!(stream.check_since(&short).is_err(), "{family}");
        }
    }
}

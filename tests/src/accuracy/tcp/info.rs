//! What the kernel knows of a TCP connection.

use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;
use aya::Pod;

use crate::socket_option;

/// The head of `struct tcp_info` of linux/tcp.h.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Raw {
    states: [u8; 8],
    words: [u32; 24],
    pacing_rates: [u64; 2],
    bytes_acked: u64,
    bytes_received: u64,
    segments_out: u32,
    segments_in: u32,
    not_sent_bytes: u32,
    least_round_trip_us: u32,
    data_segments_in: u32,
    data_segments_out: u32,
    rates_and_times: [u64; 4],
    delivered: [u32; 2],
    bytes_sent: u64,
    bytes_sent_again: u64,
}

// SAFETY: it is made of integers, without padding.
unsafe impl Pod for Raw {}

const _: () = assert!(std::mem::offset_of!(Raw, data_segments_in) == 152);
const _: () = assert!(std::mem::offset_of!(Raw, bytes_sent_again) == 208);

/// Totals of a connection, at one of its ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Info {
    /// Packets with payload that arrived, each as often as it arrived.
    pub(super) data_segments_in: u64,
    /// Packets with payload that were sent, each as often as it was sent.
    pub(super) data_segments_out: u64,
    /// Payload that was sent, as often as it was sent.
    pub(super) bytes_sent: u64,
    /// The part of it that was sent again.
    pub(super) bytes_sent_again: u64,
    /// The shortest round trip yet.
    pub(super) least_round_trip: Duration,
}

impl Info {
    /// Asks the kernel.
    pub(super) fn of(stream: &TcpStream) -> Result<Self> {
        let option = [libc::IPPROTO_TCP, libc::TCP_INFO];
        let raw: Raw = socket_option::read(stream, option, "TCP_INFO (Linux 4.19)")?;
        Ok(Self {
            data_segments_in: raw.data_segments_in.into(),
            data_segments_out: raw.data_segments_out.into(),
            bytes_sent: raw.bytes_sent,
            bytes_sent_again: raw.bytes_sent_again,
            least_round_trip: Duration::from_micros(raw.least_round_trip_us.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use super::Info;

    #[test]
    fn what_one_end_sends_the_other_receives() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut receiver, _) = listener.accept().unwrap();
        sender.write_all(&[7; 1000]).unwrap();
        receiver.read_exact(&mut [0; 1000]).unwrap();
        let (sent, received) = (Info::of(&sender).unwrap(), Info::of(&receiver).unwrap());
        assert_eq!((sent.bytes_sent, sent.bytes_sent_again, sent.data_segments_out), (1000, 0, 1));
        assert_eq!((received.data_segments_in, received.bytes_sent), (1, 0));
        assert!(!sent.least_round_trip.is_zero());
    }
}

//! Lists that the kernel gives whole, as bytes: what an attribute of a newer kernel means does not
//! matter to those who do not ask for it.

use std::io;

use rtnetlink::sys::{Socket, SocketAddr};

/// Length of `struct nlmsghdr`.
pub(super) const HEADER_BYTES: usize = 16;

/// Length of `struct nlattr`.
const ATTRIBUTE_HEADER_BYTES: usize = 4;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
/// The list changed while it was given.
const NLM_F_DUMP_INTR: u16 = 0x10;

/// How often a list is asked for that changes all the time.
const TRIES: usize = 16;

/// Asks for a list; returns the body of each message.
pub(super) fn dump(protocol: isize, kind: u16, body: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let mut socket = Socket::new(protocol)?;
    socket.bind_auto()?;
    for sequence in 1..=TRIES as u32 {
        socket.send_to(&request(kind, sequence, body), &SocketAddr::new(0, 0), 0)?;
        let (bodies, is_whole) = receive(&socket, sequence)?;
        if is_whole {
            return Ok(bodies);
        }
    }
    Err(io::Error::other(format!("the list changed {TRIES} times while it was given")))
}

fn request(kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = (HEADER_BYTES + body.len()) as u32;
    let flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut message = Vec::with_capacity(length as usize);
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(body);
    message
}

/// Receives to the end of the list; `false` when it changed meanwhile.
fn receive(socket: &Socket, sequence: u32) -> io::Result<(Vec<Vec<u8>>, bool)> {
    let mut bodies = Vec::new();
    let mut is_whole = true;
    loop {
        let (datagram, _) = socket.recv_from_full()?;
        for message in messages(&datagram) {
            if message.sequence != sequence {
                continue;
            }
            is_whole &= message.flags & NLM_F_DUMP_INTR == 0;
            match message.kind {
                NLMSG_DONE => return errno(message.body).map(|()| (bodies, is_whole)),
                NLMSG_ERROR => return errno(message.body).map(|()| (bodies, is_whole)),
                _ => bodies.push(message.body.to_vec()),
            }
        }
    }
}

/// The error at the head of a message that ends a list.
fn errno(body: &[u8]) -> io::Result<()> {
    match number(body) {
        Some(code) if (code as i32) < 0 => Err(io::Error::from_raw_os_error(-(code as i32))),
        Some(_) | None => Ok(()),
    }
}

/// One message of a datagram.
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    flags: u16,
    sequence: u32,
    pub(super) body: &'a [u8],
}

/// The messages of a datagram; one that is cut short ends them.
pub(super) fn messages(datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = number(rest)? as usize;
        let message = rest.get(..length).filter(|message| message.len() >= HEADER_BYTES)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message {
            kind: u16::from_ne_bytes([message[4], message[5]]),
            flags: u16::from_ne_bytes([message[6], message[7]]),
            sequence: number(&message[8..])?,
            body: &message[HEADER_BYTES..],
        })
    })
}

/// Attributes behind a header of `header_bytes`, by number; what is cut short ends them.
pub(super) fn attributes(body: &[u8], header_bytes: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = body.get(header_bytes..).unwrap_or_default();
    std::iter::from_fn(move || {
        let &[low, high, kind @ ..] = rest.first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let value = rest.get(ATTRIBUTE_HEADER_BYTES..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        // The two highest bits are flags.
        Some((u16::from_ne_bytes(kind) & 0x3fff, value))
    })
}

/// The number at the head of some bytes, in this machine's order.
pub(super) fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.first_chunk()?))
}

/// Text up to its end or its terminating zero.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An attribute, padded to whole words.
    pub(crate) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = 4 + value.len() as u16;
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn messages_follow_one_another_until_one_is_cut_short() {
        let both = [request(7, 1, b"abc"), vec![0], request(8, 2, b"")].concat();
        let read = |bytes| messages(bytes).map(|message| message.kind).collect::<Vec<_>>();
        assert_eq!(read(&both), [7, 8]);
        assert_eq!(read(&both[..both.len() - 1]), [7]);
        assert_eq!(messages(&both).next().unwrap().body, b"abc");
        assert!(read(&[4, 0, 0, 0]).is_empty());
    }

    #[test]
    fn an_attribute_that_is_cut_short_ends_them() {
        let bytes = [attribute(1, &[]), attribute(2, b"abcd")].concat();
        let count = |bytes| attributes(bytes, 0).count();
        assert_eq!(
            (count(&bytes), count(&bytes[..bytes.len() - 1]), count(&bytes[..2])),
            (2, 1, 0)
        );
        assert_eq!(count(&[3, 0, 1, 0]), 0, "shorter than itself");
    }

    #[test]
    fn attributes_are_told_by_their_number_whatever_their_flags() {
        let bytes = [vec![9; 16], attribute(3, b"eth0\0"), attribute(0x8012, &[])].concat();
        let found: Vec<_> = attributes(&bytes, 16).collect();
        assert_eq!(found, [(3, &b"eth0\0"[..]), (0x12, &[][..])]);
        assert_eq!(text(found[0].1), "eth0");
    }
}

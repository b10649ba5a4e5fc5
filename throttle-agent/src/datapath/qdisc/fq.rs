//! What fq says of itself.

use rtnetlink::{
    packet_core::{DecodeError, Nla, NlasIterator, parse_u8, parse_u32},
    packet_route::tc::{TcAttribute, TcMessage, TcOption},
};
use throttle_common::units::Span;

use crate::datapath::state::FqRoom;

// Attributes, of linux/pkt_sched.h.
const TCA_FQ_PLIMIT: u16 = 1;
const TCA_FQ_FLOW_PLIMIT: u16 = 2;
/// In microseconds.
const TCA_FQ_HORIZON: u16 = 14;
const TCA_FQ_HORIZON_DROP: u16 = 15;

/// What an fq holds at most, by its own description. Linux before 5.8 has no horizon.
pub(super) fn room(message: &TcMessage) -> Result<FqRoom, DecodeError> {
    let mut room = FqRoom::UNBOUNDED;
    let options = message.attributes.iter().filter_map(|attribute| {
        if let TcAttribute::Options(options) = attribute { Some(options) } else { None }
    });
    for option in options.flatten() {
        let TcOption::Other(nest) = option else { continue };
        let mut bytes = vec![0; nest.value_len()];
        nest.emit_value(&mut bytes);
        for attribute in NlasIterator::new(&bytes) {
            let attribute = attribute?;
            let value = attribute.value();
            match attribute.kind() {
                TCA_FQ_PLIMIT => room.packets = parse_u32(value)?,
                TCA_FQ_FLOW_PLIMIT => room.flow_packets = parse_u32(value)?,
                TCA_FQ_HORIZON => {
                    room.horizon = Span::from_nanoseconds(u64::from(parse_u32(value)?) * 1000);
                }
                TCA_FQ_HORIZON_DROP => room.drops_beyond_horizon = parse_u8(value)? != 0,
                _ => {}
            }
        }
    }
    Ok(room)
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_core::Parseable;

    use super::*;

    /// An attribute, padded to whole words.
    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = 4 + value.len() as u16;
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// The message of an fq with these options, without what the tests do not look at.
    fn message(options: &[Vec<u8>]) -> TcMessage {
        let header = [0; 20];
        let (kind, options) = (attribute(1, b"fq\0"), attribute(2, &options.concat()));
        TcMessage::parse(&[&header[..], &kind, &options].concat()).unwrap()
    }

    fn number(kind: u16, value: u32) -> Vec<u8> {
        attribute(kind, &value.to_ne_bytes())
    }

    #[test]
    fn the_limits_are_read_among_all_options() {
        // Of linux/pkt_sched.h: limit, flow_limit, quantum, timer slack, horizon, its drop, weights.
        let options = [
            number(1, 10_000),
            number(2, 100),
            number(3, 3028),
            number(13, 10_000),
            number(14, 10_000_000),
            attribute(15, &[1]),
            attribute(18, &[0; 20]),
        ];
        let horizon = Span::from_nanoseconds(10 * Span::NANOSECONDS_PER_SECOND);
        let found = FqRoom {
            packets: 10_000,
            flow_packets: 100,
            horizon,
            drops_beyond_horizon: true,
            mq: None,
        };
        assert_eq!(room(&message(&options)).unwrap(), found);
        let capped = [options[4].clone(), attribute(TCA_FQ_HORIZON_DROP, &[0])];
        let found = FqRoom { horizon, ..FqRoom::UNBOUNDED };
        assert_eq!(room(&message(&capped)).unwrap(), found);
    }

    #[test]
    fn what_is_not_said_is_no_bound_and_what_is_cut_short_is_an_error() {
        assert_eq!(room(&message(&[])).unwrap(), FqRoom::UNBOUNDED);
        room(&message(&[attribute(TCA_FQ_PLIMIT, &[1, 2])])).unwrap_err();
        room(&message(&[number(TCA_FQ_PLIMIT, 1)[..6].to_vec()])).unwrap_err();
    }
}

//! Whether fq holds all that limits let wait.

use throttle_common::{
    abi::Side,
    units::{Size, Span},
};

use crate::{
    datapath::{FqRoom, LinkStatus},
    policy::{Limit, LimitKey},
};

/// A full packet of an Ethernet link. Smaller ones need more room.
const PACKET: Size = Size::from_bytes(1500);

/// The longest horizon that fq can be given: 32 bits of microseconds.
const MAX_HORIZON_SECONDS: u64 = u32::MAX as u64 / 1_000_000;

/// Where fq on a link loses or hurries packets that limits of `paced` let wait.
pub(super) fn warnings(paced: &[&Limit], link: &LinkStatus) -> Vec<String> {
    let (Some(name), Some(fq)) = (link.interface.as_deref(), link.fq) else { return Vec::new() };
    let waits: Vec<_> = paced.iter().map(|limit| Wait::of(limit, link.side)).collect();
    [too_many(name, &fq, &waits), too_long(name, &fq, &waits)].into_iter().flatten().collect()
}

/// What a limit lets wait at most.
struct Wait {
    key: LimitKey,
    packets: u64,
    time: Span,
}

impl Wait {
    /// Only what leaves by the link waits: packets to far hosts, or from near ones.
    fn of(limit: &Limit, side: Side) -> Self {
        let directed = match side {
            Side::Far => limit.down,
            Side::Near => limit.up,
        };
        let (bytes, packets) =
            (directed.bytes.or(limit.total.bytes), directed.packets.or(limit.total.packets));
        let held_back = [
            bytes.map(|rate| (rate.burst.bytes().div_ceil(PACKET.bytes()), rate.burst_time())),
            packets.map(|rate| (rate.burst_packets, rate.burst_time())),
        ];
        // Whichever bucket takes longer to drain holds packets back.
        let held_back = held_back.into_iter().flatten();
        let packets = held_back.clone().map(|(packets, _)| packets).max().unwrap_or_default();
        let time = held_back.map(|(_, time)| time).max().unwrap_or_default();
        Self { key: limit.key(), packets, time }
    }
}

fn too_many(name: &str, fq: &FqRoom, waits: &[Wait]) -> Option<String> {
    let (who, packets) = worst(waits, |wait| wait.packets, fq.packets.min(fq.flow_packets).into())?;
    let mut takes = Vec::new();
    let mut options = Vec::new();
    let enough = packets.checked_next_power_of_two().and_then(|room| u32::try_from(room).ok());
    if packets > fq.flow_packets.into() {
        takes.push(format!("{} of a flow", fq.flow_packets));
        options.extend(enough.map(|room| format!("flow_limit {room}")));
    }
    if packets > fq.packets.into() {
        takes.push(format!("{} in all", fq.packets));
        options.extend(enough.map(|room| format!("limit {room}")));
    }
    Some(format!(
        "{name} may lose delayed packets of {who}: a burst holds {packets} of {PACKET}, and fq takes \
         {}; {}",
        takes.join(" and "),
        remedy(name, fq, &options.join(" "))
    ))
}

fn too_long(name: &str, fq: &FqRoom, waits: &[Wait]) -> Option<String> {
    let (who, nanoseconds) =
        worst(waits, |wait| wait.time.nanoseconds(), fq.horizon.nanoseconds())?;
    let lasts = Span::from_nanoseconds(nanoseconds.next_multiple_of(1_000_000));
    let (does, fq_does) = if fq.drops_beyond_horizon {
        ("lose", "drops what would wait")
    } else {
        ("hurry", "lets none wait")
    };
    let seconds = nanoseconds.div_ceil(Span::NANOSECONDS_PER_SECOND);
    let option = (seconds <= MAX_HORIZON_SECONDS).then(|| format!("horizon {seconds}s"));
    Some(format!(
        "{name} may {does} delayed packets of {who}: a burst lasts {lasts}, and fq {fq_does} longer \
         than {}; {}",
        fq.horizon,
        remedy(name, fq, &option.unwrap_or_default())
    ))
}

/// Names the limit with the most of a measure, of those beyond `room`, and how many others there are.
fn worst(waits: &[Wait], measure: impl Fn(&Wait) -> u64, room: u64) -> Option<(String, u64)> {
    let beyond = || waits.iter().filter(|wait| measure(wait) > room);
    let worst = beyond().max_by_key(|wait| measure(wait))?;
    let who = match beyond().count() - 1 {
        0 => worst.key.to_string(),
        1 => format!("{} and 1 other limit", worst.key),
        others => format!("{} and {others} other limits", worst.key),
    };
    Some((who, measure(worst)))
}

/// What to do: options to give to fq, if they help, or a smaller burst.
fn remedy(name: &str, fq: &FqRoom, options: &str) -> String {
    let replace = format!("tc qdisc replace dev {name}");
    match fq.mq {
        _ if options.is_empty() => "give a smaller burst".to_owned(),
        None => format!("run `{replace} root fq {options}` or give a smaller burst"),
        // Without a handle, nobody can name the queues of mq.
        Some(0) => format!(
            "run `{replace} root handle 1: mq` and, for each of its queues N, `{replace} parent 1:N \
             fq {options}`, or give a smaller burst"
        ),
        Some(major) => format!(
            "run `{replace} parent {major:x}:N fq {options}` for each queue N of mq, or give a \
             smaller burst"
        ),
    }
}

#[cfg(test)]
mod tests;

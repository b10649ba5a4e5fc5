//! Limits as an operator states them, and as the kernel computes with them. Public for the fuzzer, which reads
//! entries that nobody wrote.

mod address;
mod rates;
#[cfg(test)]
mod tests;

use throttle_common::{
    abi::{self, NAME_BYTES},
    address::Address,
    rate::TICKS_PER_NS,
    units::{Size, Span},
};

pub(super) use self::address::{decode_address, encode_address, encode_prefix};
use self::rates::{Stated, read, stated};
use crate::{
    error::{Error, Result},
    policy::{Action, Dscp, Group, GroupName, Limit, LinkLimit, Match, ParentAction, Scope},
};

/// The limit of a prefix in the kernel's form. `group` is the row of its group, or of none; the
/// caller gives it its index.
pub fn encode(limit: &Limit, group: u32) -> Result<abi::Limit> {
    let Limit { up, down, total, .. } = limit;
    let stated = stated([*up, *down], *total, |rate| match limit.action {
        Action::Ecn => rate.marking_from_half(),
        Action::Pace { ecn_above: Some(delay) } => {
            rate.marking_from(delay.nanoseconds().saturating_mul(TICKS_PER_NS))
        }
        Action::Drop
        | Action::Dscp(_)
        | Action::Mark(_)
        | Action::Pace { ecn_above: None }
        | Action::Observe
        | Action::Pass => rate,
    })?;
    let (flag, action_value) = encode_action(limit.action);
    let shared = match limit.scope {
        Scope::Each => 0,
        Scope::Shared => abi::Limit::SHARED,
    };
    let peer = match limit.matches {
        Match::Host => 0,
        Match::Peer => abi::Limit::PEER,
    };
    let (prefix, prefix_bits) = encode_prefix(&limit.prefix);
    let one_time_bytes = limit.one_time_burst.map_or(0, Size::bytes);
    let ecn_above_ns = match limit.action {
        Action::Pace { ecn_above } => ecn_above.map_or(0, Span::nanoseconds),
        Action::Drop
        | Action::Ecn
        | Action::Dscp(_)
        | Action::Mark(_)
        | Action::Observe
        | Action::Pass => 0,
    };
    Ok(abi::Limit {
        flags: stated.flags | flag | shared | peer,
        group,
        action_value,
        packet_unit_bytes: limit.packet_unit.map_or(0, |unit| unit.bytes() as u32),
        one_time_ticks: stated.one_time_ticks(one_time_bytes)?,
        one_time_bytes,
        ecn_above_ns,
        prefix,
        prefix_bits,
        ..bare(&stated)
    })
}

/// The limit of a prefix as it was stated.
pub fn decode(limit: &abi::Limit, group: Option<GroupName>) -> Result<Limit> {
    let ([up, down], total) = read(limit);
    let size = |bytes: u64| (bytes != 0).then(|| Size::from_bytes(bytes));
    let action = decode_action(limit)?;
    Ok(Limit {
        prefix: address::decode_prefix(limit.prefix, limit.prefix_bits)?,
        matches: if limit.has(abi::Limit::PEER) { Match::Peer } else { Match::Host },
        scope: if limit.has(abi::Limit::SHARED) { Scope::Shared } else { Scope::Each },
        action,
        group,
        up,
        down,
        total,
        one_time_burst: size(limit.one_time_bytes),
        packet_unit: size(limit.packet_unit_bytes.into()),
    })
}

/// A group in the kernel's form; the caller gives it its index.
pub fn encode_group(group: &Group) -> Result<abi::Limit> {
    let stated = stated([group.up, group.down], group.total, |rate| rate)?;
    let mut name = [0; NAME_BYTES];
    let bytes = group.name.as_str().as_bytes();
    name[..bytes.len()].copy_from_slice(bytes);
    let flags = stated.flags | abi::Limit::GROUP | parent_flag(group.action);
    Ok(abi::Limit { flags, name, ..bare(&stated) })
}

/// A group as it was stated.
pub fn decode_group(limit: &abi::Limit) -> Result<Group> {
    let bytes = limit.name.split(|&byte| byte == 0).next().unwrap_or_default();
    let name = String::from_utf8_lossy(bytes);
    let name =
        name.parse().map_err(|error| Error::failed(format!("reading a pinned group: {error}")))?;
    let ([up, down], total) = read(limit);
    Ok(Group { name, action: parent_action(limit), up, down, total })
}

/// The limit of a link in the kernel's form; the caller gives it its index.
pub fn encode_link(link: &LinkLimit) -> Result<abi::Limit> {
    let stated = stated([link.up, link.down], link.total, |rate| rate)?;
    let flags = stated.flags | abi::Limit::LINK | parent_flag(link.action);
    Ok(abi::Limit { flags, ..bare(&stated) })
}

/// The limit of a link as it was stated.
pub fn decode_link(limit: &abi::Limit, overhead_bytes: u32) -> Result<LinkLimit> {
    let overhead_bytes = u16::try_from(overhead_bytes).map_err(|_| {
        Error::failed(format!("reading a pinned link: overhead of {overhead_bytes} bytes"))
    })?;
    let ([up, down], total) = read(limit);
    Ok(LinkLimit { action: parent_action(limit), up, down, total, overhead_bytes })
}

/// A limit of nothing but rates.
fn bare(stated: &Stated) -> abi::Limit {
    abi::Limit {
        flags: stated.flags,
        index: 0,
        group: abi::Limit::NO_ROW,
        action_value: 0,
        packet_unit_bytes: 0,
        prefix_bits: 0,
        one_time_ticks: [0; 2],
        prefix: Address::from_words(0, 0),
        zero: 0,
        rates: stated.rates,
        asked: stated.asked,
        one_time_bytes: 0,
        ecn_above_ns: 0,
        name: [0; NAME_BYTES],
        unused: [0; 6],
    }
}

fn encode_action(action: Action) -> (u32, u32) {
    match action {
        Action::Drop => (0, 0),
        Action::Ecn => (abi::Limit::ECN, 0),
        Action::Dscp(class) => (abi::Limit::DSCP, class.value().into()),
        Action::Mark(mark) => (abi::Limit::MARK, mark),
        Action::Pace { .. } => (abi::Limit::PACE, 0),
        Action::Observe => (abi::Limit::OBSERVE, 0),
        Action::Pass => (abi::Limit::PASS, 0),
    }
}

fn decode_action(limit: &abi::Limit) -> Result<Action> {
    let value = limit.action_value;
    Ok(if limit.has(abi::Limit::ECN) {
        Action::Ecn
    } else if limit.has(abi::Limit::DSCP) {
        let class = u8::try_from(value).ok().and_then(Dscp::new);
        Action::Dscp(class.ok_or_else(|| {
            Error::failed(format!("reading a pinned limit: DSCP {value} is above 63"))
        })?)
    } else if limit.has(abi::Limit::MARK) {
        Action::Mark(value)
    } else if limit.has(abi::Limit::PACE) {
        let delay = limit.ecn_above_ns;
        Action::Pace { ecn_above: (delay != 0).then(|| Span::from_nanoseconds(delay)) }
    } else if limit.has(abi::Limit::OBSERVE) {
        Action::Observe
    } else if limit.has(abi::Limit::PASS) {
        Action::Pass
    } else {
        Action::Drop
    })
}

fn parent_flag(action: ParentAction) -> u32 {
    match action {
        ParentAction::Drop => 0,
        ParentAction::Observe => abi::Limit::OBSERVE,
    }
}

fn parent_action(limit: &abi::Limit) -> ParentAction {
    if limit.has(abi::Limit::OBSERVE) { ParentAction::Observe } else { ParentAction::Drop }
}

//! What stands in maps: another agent wrote it, or nobody did.
//!
//! Input: the bytes of an entry of `LIMITS`, an overhead, then words of the other maps.

use throttle_agent::datapath::codec;
use throttle_common::{
    abi::{Binding, LastExcess, Limit, Policy, seen_word, since_seen_ns},
    bucket, host_table,
    packet::Wire,
};

use super::Input;

pub(super) fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let entry: [u8; size_of::<Limit>()] = input.take();
    // SAFETY: a limit is made of integers, arrays of them and an address, which is two of them.
    let limit: Limit = unsafe { entry.as_ptr().cast::<Limit>().read_unaligned() };
    check_limit(&limit);
    check_buckets(&limit, &mut input);
    check_words(&mut input);
}

/// What is read of an entry is written as an entry that is read and written the same from then on.
fn check_limit(limit: &Limit) {
    if let Ok(stated) = codec::decode(limit, None)
        && let Ok(written) = codec::encode(&stated, limit.group)
    {
        let again = codec::decode(&written, None).expect("a limit that was written");
        assert_eq!(codec::encode(&again, limit.group).ok(), Some(written), "{stated:?}");
    }
    if let Ok(stated) = codec::decode_group(limit)
        && let Ok(written) = codec::encode_group(&stated)
    {
        let again = codec::decode_group(&written).expect("a group that was written");
        assert_eq!(again, stated);
        assert_eq!(codec::encode_group(&again).ok(), Some(written), "{stated:?}");
    }
    if let Ok(stated) = codec::decode_link(limit, limit.action_value)
        && let Ok(written) = codec::encode_link(&stated)
    {
        let again = codec::decode_link(&written, stated.overhead_bytes.into());
        let again = again.expect("a link that was written");
        assert_eq!(again, stated);
        assert_eq!(codec::encode_link(&again).ok(), Some(written), "{stated:?}");
    }
}

/// What is shown of buckets has an answer for any words and any rates.
fn check_buckets(limit: &Limit, input: &mut Input<'_>) {
    let (tat, now) = (input.long(), input.long() >> 1);
    for rates in &limit.rates {
        for rate in [&rates.bytes, &rates.packets] {
            let wait = bucket::wait(tat, now, rate);
            let debt = bucket::debt(tat, now);
            assert!(wait <= debt, "a wait of {wait} for a debt of {debt}");
            assert!(debt == 0 || bucket::credit(tat) == 0, "a debt of {debt} and a credit");
        }
    }
}

fn check_words(input: &mut Input<'_>) {
    let word = input.long();
    let policy = Policy::from_word(word);
    assert_eq!(Policy::from_word(policy.to_word()), policy);
    assert!(policy.other_bank() < Policy::BANKS && policy.next_generation() != 0);
    assert_eq!(Binding::from_word(word).to_word(), word);
    assert_eq!(Wire::from_word(word).to_word(), word);
    let noted = LastExcess::from_word(input.word());
    let now_ns = input.long();
    assert_eq!(noted.reason().is_none(), noted.to_word() >> 26 == 0);
    let since_ns = noted.since_ns(now_ns);
    assert!(since_ns <= LastExcess::TICK_NS << 26, "{since_ns} ns since {noted:?}");
    assert_eq!(since_seen_ns(seen_word(now_ns), now_ns), Some(0));
    let address = host_table::address(word);
    let tag = host_table::tag(address, input.long());
    assert!(tag != host_table::FREE && tag != host_table::RESTING);
    assert_eq!(host_table::address(tag) == address, tag == word, "{address:?} by its tag");
}

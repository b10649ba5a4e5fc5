//! The word that says which policy is in force.

/// The policy in force, as one word: every table that a packet looks at is chosen by one read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Number of the policy, never 0: a host bound under another number is bound anew.
    pub generation: u32,
    /// Which of the two banks of prefixes, and of the limits of groups and links, is in force. The
    /// other one is where the next policy is filled in.
    pub bank: u32,
    /// Whether prefixes are compared with the other address, too.
    pub has_peers: bool,
}

impl Policy {
    /// Number of banks.
    pub const BANKS: u32 = 2;

    const BANK: u64 = 1 << 32;
    const PEERS: u64 = 1 << 33;

    /// Reads the word.
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        Self {
            generation: word as u32,
            bank: (word >> 32) as u32 & 1,
            has_peers: word & Self::PEERS != 0,
        }
    }

    /// The word.
    #[must_use]
    pub const fn to_word(self) -> u64 {
        let bank = if self.bank == 0 { 0 } else { Self::BANK };
        let peers = if self.has_peers { Self::PEERS } else { 0 };
        self.generation as u64 | bank | peers
    }

    /// The number of the next policy.
    #[must_use]
    pub const fn next_generation(self) -> u32 {
        if self.generation == u32::MAX { 1 } else { self.generation + 1 }
    }

    /// The bank that is not in force.
    #[must_use]
    pub const fn other_bank(self) -> u32 {
        1 - self.bank
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_word_is_read_back_as_it_was_written(generation: u32, bank in 0_u32..2, has_peers: bool) {
            let policy = Policy { generation, bank, has_peers };
            prop_assert_eq!(Policy::from_word(policy.to_word()), policy);
        }
    }

    #[test]
    fn no_policy_has_the_number_of_a_host_that_was_never_bound() {
        let last = Policy { generation: u32::MAX, bank: 0, has_peers: false };
        assert_eq!(last.next_generation(), 1);
    }
}

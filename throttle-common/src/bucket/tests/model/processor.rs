//! A processor, and what it has in advance.

use super::*;
use crate::bucket::advance::Advance;

/// What processors were charged for in advance: of group and link, bytes and packets, in ticks.
#[derive(Default)]
pub(super) struct Advanced {
    /// In all.
    pub(super) taken: [[AtomicU64; 2]; 2],
    /// And did not spend.
    pub(super) left: [[AtomicU64; 2]; 2],
}

pub(super) struct Processor {
    pub(super) number: usize,
    advances: Option<[Advances; 2]>,
}

impl Processor {
    pub(super) fn new(tree: &Tree, number: usize) -> Self {
        Self { number, advances: tree.advances.then(Default::default) }
    }

    pub(super) fn send(&self, tree: &Tree) -> Sent {
        let ends: Vec<_> = self.each().map(|(_, _, advance)| advance.end()).collect();
        let sent = tree.send(self.number, self.advances.as_ref());
        for ((level, kind, advance), end) in self.each().zip(ends) {
            if advance.end() != end {
                tree.advanced.taken[level][kind].fetch_add(advance.left(), Ordering::SeqCst);
            }
        }
        sent
    }

    /// What it has in advance, with the number of the level and of the kind.
    fn each(&self) -> impl Iterator<Item = (usize, usize, &Advance)> {
        self.advances.iter().flatten().enumerate().flat_map(|(level, advances)| {
            [(level, 0, &advances.bytes), (level, 1, &advances.packets)]
        })
    }

    /// Notes what it did not spend.
    pub(super) fn end(self, tree: &Tree) {
        for (level, kind, advance) in self.each() {
            tree.advanced.left[level][kind].fetch_add(advance.left(), Ordering::SeqCst);
        }
    }
}

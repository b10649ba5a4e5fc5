//! A processor, and what it has in advance.

use super::*;

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
        let before = self.ends();
        let sent = tree.send(self.number, self.advances.as_ref());
        for (level, advances) in self.advances.iter().flatten().enumerate() {
            for (kind, advance) in [&advances.bytes, &advances.packets].into_iter().enumerate() {
                if advance.end() != before[level][kind] {
                    tree.advanced.taken[level][kind].fetch_add(advance.left(), Ordering::SeqCst);
                }
            }
        }
        sent
    }

    fn ends(&self) -> [[u64; 2]; 2] {
        let ends = |advances: &Advances| [advances.bytes.end(), advances.packets.end()];
        self.advances.as_ref().map_or_else(Default::default, |both| both.each_ref().map(ends))
    }

    /// Notes what it did not spend.
    pub(super) fn end(self, tree: &Tree) {
        for (level, advances) in self.advances.iter().flatten().enumerate() {
            for (kind, advance) in [&advances.bytes, &advances.packets].into_iter().enumerate() {
                tree.advanced.left[level][kind].fetch_add(advance.left(), Ordering::SeqCst);
            }
        }
    }
}

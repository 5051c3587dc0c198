//! Memory for slices, which is used again: fresh memory of this size comes from the kernel, which
//! clears it page by page, and that costs more than to decode what goes into it.

use std::sync::{Mutex, PoisonError};

use super::slices::SLICE;

/// Longer ones are not kept, in bytes: few slices are so long.
const LONGEST: usize = 2 * SLICE as usize;

/// Blocks that are not in use. There are never more than were in use at once.
#[derive(Default)]
pub(super) struct Blocks(Mutex<Vec<Vec<u8>>>);

impl Blocks {
    /// An empty block with room for about so many `bytes`.
    pub(super) fn take(&self, bytes: usize) -> Vec<u8> {
        let block = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        block.unwrap_or_else(|| Vec::with_capacity(bytes))
    }

    /// Takes a block back.
    pub(super) fn give_back(&self, mut block: Vec<u8>) {
        if (1..=LONGEST).contains(&block.capacity()) {
            block.clear();
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(block);
        }
    }

    /// Frees what is not in use.
    pub(super) fn clear(&self) {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

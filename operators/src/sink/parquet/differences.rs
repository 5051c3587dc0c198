//! `DELTA_BINARY_PACKED`: numbers as the differences between neighbours, packed in as many bits as
//! each miniblock needs.
//!
//! ```text
//! page  = varint(128), varint(4), varint(count), zigzag(first), blocks
//! block = zigzag(least difference), widths of four miniblocks, a byte each, and the miniblocks:
//!         32 differences less the least one, packed
//! ```

use parquet::basic::Encoding;

use super::hybrid::varint;
use super::value::ValuePage;

const BLOCK: usize = 128;
const MINIBLOCKS: usize = 4;
const MINIBLOCK: usize = BLOCK / MINIBLOCKS;

/// An integer whose differences can be packed.
pub(super) trait Integer: Copy + Default {
    /// The difference to `other` in as many bits as the integers have, so that no miniblock needs
    /// more.
    fn less(self, other: Self) -> i64;

    /// The same number.
    fn wide(self) -> i64;
}

/// The numbers of the current page.
pub(super) struct Differences<N> {
    first: N,
    last: N,
    count: usize,
    /// The differences of the current block.
    block: Box<[i64; BLOCK]>,
    /// How many of them there are.
    pending: usize,
    /// The blocks that are full.
    blocks: Vec<u8>,
}

impl<N: Integer> ValuePage<N> for Differences<N> {
    const ENCODING: Encoding = Encoding::DELTA_BINARY_PACKED;

    fn new() -> Self {
        let zero = N::default();
        Differences { first: zero, last: zero, count: 0, block: Box::new([0; BLOCK]), pending: 0, blocks: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn append(&mut self, mut numbers: &[N]) {
        if let Some((&first, rest)) = numbers.split_first().filter(|_| self.count == 0) {
            (self.first, self.last, self.count) = (first, first, 1);
            numbers = rest;
        }
        self.count += numbers.len();
        while !numbers.is_empty() {
            let (now, later) = numbers.split_at(numbers.len().min(BLOCK - self.pending));
            for (difference, &number) in self.block[self.pending..].iter_mut().zip(now) {
                *difference = number.less(self.last);
                self.last = number;
            }
            self.pending += now.len();
            if self.pending == BLOCK {
                close_block(&self.block[..], &mut self.blocks);
                self.pending = 0;
            }
            numbers = later;
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if self.pending > 0 {
            close_block(&self.block[..self.pending], &mut self.blocks);
            self.pending = 0;
        }
        varint(BLOCK as u64, out);
        varint(MINIBLOCKS as u64, out);
        varint(self.count as u64, out);
        zigzag(self.first.wide(), out);
        out.extend_from_slice(&self.blocks);
        self.blocks.clear();
        (self.first, self.count) = (N::default(), 0);
    }

    fn memory(&self) -> usize {
        8 * BLOCK + self.blocks.capacity()
    }
}

/// Appends the block of these differences to `blocks`. It is the same for all integers, so that it
/// is compiled once, into one piece.
fn close_block(differences: &[i64], blocks: &mut Vec<u8>) {
    let least = differences.iter().copied().min().unwrap_or_default();
    zigzag(least, blocks);
    let widths = blocks.len();
    blocks.extend_from_slice(&[0; MINIBLOCKS]);
    for (place, miniblock) in differences.chunks(MINIBLOCK).enumerate() {
        let mut packed = [0u64; MINIBLOCK];
        for (packed, difference) in packed.iter_mut().zip(miniblock) {
            *packed = difference.wrapping_sub(least) as u64;
        }
        let width = u64::BITS - packed.iter().fold(0, |all, one| all | one).leading_zeros();
        blocks[widths + place] = width as u8;
        pack(&packed, width, blocks);
    }
}

fn zigzag(number: i64, out: &mut Vec<u8>) {
    varint((number << 1 ^ number >> 63) as u64, out);
}

/// Appends `numbers`, none of which needs more than `width` bits.
fn pack(numbers: &[u64; MINIBLOCK], width: u32, out: &mut Vec<u8>) {
    let (mut word, mut used) = (0u64, 0);
    for &number in numbers {
        word |= number << used;
        used += width;
        if used >= u64::BITS {
            out.extend_from_slice(&word.to_le_bytes());
            used -= u64::BITS;
            // The bits of the number that did not fit; none if it ended with the word.
            word = number.checked_shr(width - used).unwrap_or(0);
        }
    }
    out.extend_from_slice(&word.to_le_bytes()[..used.div_ceil(8) as usize]);
}

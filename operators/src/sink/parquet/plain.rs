//! Pages of plain values: one after the other, or bits.

use arrow_array::builder::BooleanBufferBuilder;
use parquet::basic::Encoding;
use parquet::file::statistics::Statistics;

use super::value::{Value, ValuePage, typed};

/// Values one after the other.
pub(super) struct Plain(Vec<u8>);

impl<V: Value> ValuePage<V> for Plain {
    const ENCODING: Encoding = Encoding::PLAIN;

    fn new() -> Self {
        Plain(Vec::new())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn append(&mut self, values: &[V]) {
        self.0.reserve(size_of_val(values));
        values.iter().for_each(|value| self.0.extend_from_slice(value.bytes().as_ref()));
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.0);
    }

    fn memory(&self) -> usize {
        self.0.capacity()
    }
}

/// Eight values in a byte.
pub(super) struct Bits(BooleanBufferBuilder);

impl ValuePage<bool> for Bits {
    const ENCODING: Encoding = Encoding::PLAIN;

    fn new() -> Self {
        Bits(BooleanBufferBuilder::new(0))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn append(&mut self, values: &[bool]) {
        self.0.append_slice(values);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.as_slice()[..self.0.len().div_ceil(8)]);
        self.0.truncate(0);
    }

    fn memory(&self) -> usize {
        self.0.capacity() / 8
    }
}

impl Value for bool {
    type Bytes = [u8; 1];
    type Page = Bits;

    /// A dictionary's index would take as much as the value.
    const REPEATS: bool = false;

    fn bytes(self) -> [u8; 1] {
        [self.into()]
    }

    fn of(bytes: &[u8]) -> Self {
        bytes == [1]
    }

    fn range(values: &[Self], _signed: bool) -> Option<(Self, Self)> {
        values.iter().min().copied().zip(values.iter().max().copied())
    }

    fn statistics(bounds: Option<(Self, Self)>, nulls: u64, signed: bool) -> Statistics {
        typed(bounds, nulls, signed).into()
    }
}

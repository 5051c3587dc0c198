//! Minimum and maximum of a chunk, as its statistics have them.

use parquet::data_type::ByteArray;
use parquet::file::statistics::{Statistics, ValueStatistics};

use super::value::Value;

/// Minimum and maximum of a text are cut to this many bytes.
const MOST: usize = 32;
/// A maximum that cannot be cut (`raised`) and is longer than this, in bytes, is omitted: it would
/// be in the file's footer, in the table's log, and in memory until the file is closed.
const LONGEST: usize = 1 << 10;

/// The bounds of texts.
#[derive(Default)]
pub(super) struct TextBounds(Option<(Vec<u8>, Vec<u8>)>);

impl TextBounds {
    pub(super) fn widen(&mut self, value: &[u8]) {
        match &mut self.0 {
            None => self.0 = Some((value.to_vec(), value.to_vec())),
            Some((min, _)) if value < &min[..] => value.clone_into(min),
            Some((_, max)) if value > &max[..] => value.clone_into(max),
            Some(_) => {}
        }
    }

    /// The statistics of a chunk with `nulls`, whose values are UTF-8 or any bytes.
    pub(super) fn statistics(&self, nulls: u64, utf8: bool) -> Statistics {
        let Some((min, max)) = &self.0 else {
            return ValueStatistics::<ByteArray>::new(None, None, None, Some(nulls), false).into();
        };
        let (low, high) = (cut(min, utf8), raised(max, utf8));
        let min_is_exact = low.is_none();
        let max_is_exact = high.is_none() && max.len() <= LONGEST;
        let low = low.unwrap_or_else(|| min.clone());
        let high = high.or_else(|| max_is_exact.then(|| max.clone())).map(ByteArray::from);
        let bounds = ValueStatistics::<ByteArray>::new(Some(low.into()), high, None, Some(nulls), false);
        bounds.with_min_is_exact(min_is_exact).with_max_is_exact(max_is_exact).into()
    }

    /// Memory in use, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.0.as_ref().map_or(0, |(min, max)| min.capacity() + max.capacity())
    }
}

/// A shorter text that is no greater, if `min` is too long.
fn cut(min: &[u8], utf8: bool) -> Option<Vec<u8>> {
    (min.len() > MOST).then(|| min[..boundary(min, utf8)].to_vec())
}

/// A shorter text that is greater, if `max` is too long and there is one.
fn raised(max: &[u8], utf8: bool) -> Option<Vec<u8>> {
    if max.len() <= MOST {
        return None;
    }
    let cut = &max[..boundary(max, utf8)];
    match std::str::from_utf8(cut) {
        Ok(text) if utf8 => raised_text(text),
        _ => raised_bytes(cut),
    }
}

/// Where to cut, so that no character is divided.
fn boundary(value: &[u8], utf8: bool) -> usize {
    let continues = |at: &usize| utf8 && value[*at] & 0xc0 == 0x80;
    (1..=MOST).rev().find(|at| !continues(at)).unwrap_or(MOST)
}

/// `text` without the characters at its end that cannot be raised, and with the one before them
/// raised to the next character of as many bytes.
fn raised_text(text: &str) -> Option<Vec<u8>> {
    text.char_indices().rev().find_map(|(at, last)| {
        let next = char::from_u32(last as u32 + 1).filter(|next| next.len_utf8() == last.len_utf8())?;
        let mut raised = text[..at].to_owned();
        raised.push(next);
        Some(raised.into_bytes())
    })
}

/// `bytes` as one long number, plus one.
fn raised_bytes(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut raised = bytes.to_vec();
    for byte in raised.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return Some(raised);
        }
    }
    None
}

/// The bounds of numbers.
#[derive(Clone, Copy)]
pub(super) struct NumberBounds<V> {
    range: Option<(V, V)>,
    /// Whether they have a sign, and are ordered by it.
    signed: bool,
    has_nan: bool,
}

impl<V: Value> NumberBounds<V> {
    pub(super) fn new(signed: bool) -> Self {
        NumberBounds { range: None, signed, has_nan: false }
    }

    pub(super) fn widen(&mut self, values: &[V]) {
        self.has_nan |= V::has_nan(values);
        if let Some((min, max)) = V::range(values, self.signed) {
            let (low, high) = self.range.unwrap_or((min, max));
            self.range = V::range(&[low, high, min, max], self.signed);
        }
    }

    /// Whether one of the values is NaN, which is not within the bounds.
    pub(super) fn has_nan(self) -> bool {
        self.has_nan
    }

    /// The statistics of a chunk with `nulls`.
    pub(super) fn statistics(self, nulls: u64) -> Statistics {
        V::statistics(self.range, nulls, self.signed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(value: &str) -> (Option<usize>, bool) {
        let mut bounds = TextBounds::default();
        bounds.widen(value.as_bytes());
        let Statistics::ByteArray(statistics) = bounds.statistics(0, true) else {
            panic!("texts have bounds of bytes")
        };
        (statistics.max_opt().map(|max| max.len()), statistics.max_is_exact())
    }

    #[test]
    fn a_maximum_that_cannot_be_cut_is_told_if_it_is_short() {
        assert_eq!(told(&"a".repeat(2_000)), (Some(MOST), false));
        assert_eq!(told(&"\u{7f}".repeat(LONGEST)), (Some(LONGEST), true));
        assert_eq!(told(&"\u{7f}".repeat(LONGEST + 1)), (None, false));
    }
}

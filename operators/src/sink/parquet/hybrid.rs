//! Parquet's hybrid of runs and packed bits: how indices and definition levels are written.
//!
//! ```text
//! run     = varint(length << 1), the value in whole bytes
//! packed  = varint(groups << 1 | 1), groups of eight values of `width` bits each,
//!           the last one filled up with zeros
//! ```

/// Appends `number` as an unsigned LEB128.
pub(super) fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The number of bits that values up to `most` need.
pub(super) fn width(most: u16) -> u32 {
    u16::BITS - most.leading_zeros()
}

/// Appends a run of `length` times `value`, which needs at most `width` bits.
pub(super) fn run(value: u16, width: u32, length: usize, out: &mut Vec<u8>) {
    varint((length as u64) << 1, out);
    out.extend_from_slice(&value.to_le_bytes()[..width.div_ceil(8) as usize]);
}

/// Appends `values`, none of which needs more than `width` bits.
pub(super) fn indices(values: &[u16], width: u32, out: &mut Vec<u8>) {
    // A run costs three or four bytes, with the header of what follows it: as much as this many
    // packed groups.
    let least = 8 * (4 / width.max(1)).max(1) as usize;
    let (mut packed, mut at) = (0, 0);
    while let Some(&value) = values.get(at) {
        let length = run_length(&values[at..], value);
        if length >= least || at + length == values.len() {
            pack(&values[packed..at], width, out);
            run(value, width, length, out);
            at += length;
            packed = at;
        } else {
            at = (at + 8).min(values.len());
        }
    }
    pack(&values[packed..], width, out);
}

/// How many values at the beginning of `values` are `value`; 0 if there are eight values or more,
/// and not all of the first eight are.
fn run_length(values: &[u16], value: u16) -> usize {
    let (groups, rest) = values.as_chunks::<8>();
    let same = groups.iter().take_while(|group| **group == [value; 8]).count();
    if same == 0 && !groups.is_empty() {
        return 0;
    }
    let tail = if same == groups.len() { rest } else { &groups[same][..] };
    8 * same + tail.iter().take_while(|v| **v == value).count()
}

fn pack(values: &[u16], width: u32, out: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    let (groups, rest) = values.as_chunks::<8>();
    varint((values.len().div_ceil(8) as u64) << 1 | 1, out);
    out.reserve((groups.len() + 1) * width as usize);
    for group in groups {
        pack_group(group, width, out);
    }
    if !rest.is_empty() {
        let mut group = [0; 8];
        group[..rest.len()].copy_from_slice(rest);
        pack_group(&group, width, out);
    }
}

fn pack_group(group: &[u16; 8], width: u32, out: &mut Vec<u8>) {
    let half = |values: &[u16]| values.iter().rev().fold(0u64, |bits, value| bits << width | u64::from(*value));
    let bits = u128::from(half(&group[..4])) | u128::from(half(&group[4..])) << (4 * width);
    out.extend_from_slice(&bits.to_le_bytes()[..width as usize]);
}

/// Appends the first `count` bits of `bits`, as values of one bit.
pub(super) fn bits(bits: &[u8], count: usize, out: &mut Vec<u8>) {
    /// This many equal bytes are a run.
    const LEAST: usize = 4;
    let (whole, mut packed, mut at) = (count / 8, 0, 0);
    while at < whole {
        let byte = bits[at];
        let length = match byte {
            0x00 | 0xff => bits[at..whole].iter().take_while(|b| **b == byte).count(),
            _ => 1,
        };
        if length >= LEAST {
            pack_bytes(&bits[packed..at], out);
            run(u16::from(byte & 1), 1, 8 * length, out);
            packed = at + length;
        }
        at += length;
    }
    pack_bytes(&bits[packed..count.div_ceil(8)], out);
}

fn pack_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.is_empty() {
        varint((bytes.len() as u64) << 1 | 1, out);
        out.extend_from_slice(bytes);
    }
}

//! The trail: a line is scanned along the steps that earlier lines took.
//!
//! The lines of one server have the same keys in the same order, with the same bytes between the
//! values. A [`Stretch`] is such a stretch of bytes: from the end of one value, or the beginning of
//! the line, to the beginning of the next value, or the end of the line. `walk` reads it token by
//! token once; after that it is compared as a whole, and so is a value that repeats the one its
//! column looked up last. Only the values that differ are still scanned: a message, a number, a
//! time.
//!
//! It is no error for a line to be off the trail. Anything rare (objects and arrays as values,
//! fractions, escapes in keys, a second `properties`) makes [`Trail::follow`] return `None`, and
//! [`scan`](mod@super::scan) scans the line from its beginning. The only guarantee is that what is
//! found here is what `scan` finds. The fuzz target `parse` and the tests of `prove` compare the
//! two.

mod value;
mod walk;

use super::columns::Scope;
use super::line::{Line, ScanRules};
use super::rest::Rest;
use super::wrapper::Hints;

/// With this many steps, the trail begins anew with the next line: keys that never repeat must not
/// fill the memory.
const MOST_STEPS: usize = 512;
/// The length of the longest stretch between two values that becomes a step, in bytes.
const LONGEST_STEP: usize = 256;
/// At most this many steps may follow one step.
const MOST_WAYS: usize = 6;

/// The steps that lines have taken so far.
#[derive(Default)]
pub(super) struct Trail {
    steps: Vec<Stretch>,
    begin: Ways,
}

/// The bytes before a value.
struct Stretch {
    bytes: Box<[u8]>,
    /// What the bytes lead to.
    to: To,
    /// The object that the value is in.
    scope: Scope,
    /// Whether `properties` begins in these bytes.
    opens: bool,
    next: Ways,
}

/// What a step leads to.
enum To {
    /// The value of the column at this place.
    Column(usize),
    /// The value of an unknown key, and what the key hints at.
    Unknown(Box<str>, Hints),
    /// The end of the line.
    End,
}

/// The steps that followed a step, the frequent ones first.
#[derive(Clone, Copy, Default)]
struct Ways {
    steps: [u16; MOST_WAYS],
    count: usize,
}

impl Stretch {
    /// Whether what is left of the line begins with this step, and not with a longer one.
    fn leads(&self, bytes: &[u8]) -> bool {
        let next = bytes.get(self.bytes.len());
        let ends = match self.to {
            To::End => next.is_none(),
            To::Column(_) | To::Unknown(..) => next.is_some_and(|byte| !is_space(*byte)),
        };
        ends && starts_with(bytes, &self.bytes)
    }
}

/// What JSON calls whitespace.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

impl Trail {
    /// Scans `text`, if the trail leads through it. `last` returns the JSON text that a column
    /// looked up last; empty if there is none.
    pub(super) fn follow<'line, 'last>(
        &mut self,
        text: &'line str,
        rules: ScanRules,
        last: impl Fn(usize) -> &'last [u8],
        rest: &mut Rest,
    ) -> Option<Line<'line>> {
        rest.clear();
        if self.steps.len() >= MOST_STEPS {
            *self = Trail::default();
        }
        let mut line = Line::empty();
        let (mut at, mut from, mut in_properties) = (0, None, false);
        loop {
            let step = self.next(from, &text.as_bytes()[at..], rules)?;
            let Stretch { bytes, to, scope, opens, .. } = &self.steps[step];
            at += bytes.len();
            if *opens {
                if std::mem::replace(&mut in_properties, true) {
                    return None;
                }
                rest.begin_properties();
            }
            let value = match to {
                To::End => return Some(line),
                To::Column(place) => {
                    let value = value::scan(text, at, last(*place))?;
                    line.values[*place] = Some(value);
                    value
                }
                To::Unknown(name, hints) => {
                    line.hints |= *hints;
                    let value = value::scan(text, at, &[])?;
                    rules.unknown(rest, *scope, name, value.text);
                    value
                }
            };
            at += value.text.len();
            from = Some(step);
        }
    }

    /// The step that the line takes next, `bytes` being what is left of it.
    fn next(&mut self, from: Option<usize>, bytes: &[u8], rules: ScanRules) -> Option<usize> {
        let ways = *self.ways(from);
        for (way, step) in ways.steps[..ways.count].iter().enumerate() {
            if self.steps[usize::from(*step)].leads(bytes) {
                if way > 0 {
                    self.ways(from).steps.swap(way - 1, way);
                }
                return Some(usize::from(*step));
            }
        }
        let step = walk::step(bytes, from.map(|from| self.steps[from].scope), rules)?;
        if step.bytes.len() > LONGEST_STEP || self.steps.len() >= MOST_STEPS {
            return None;
        }
        let number = self.steps.len();
        self.steps.push(step);
        let ways = self.ways(from);
        // If there are too many, the last one, which is the rarest, gives way.
        ways.count = (ways.count + 1).min(MOST_WAYS);
        ways.steps[ways.count - 1] = u16::try_from(number).ok()?;
        Some(number)
    }

    fn ways(&mut self, from: Option<usize>) -> &mut Ways {
        match from {
            Some(step) => &mut self.steps[step].next,
            None => &mut self.begin,
        }
    }
}

/// Whether `bytes` starts with `expected`. Most steps have 8 to 32 bytes, and two comparisons of a
/// fixed length, which may overlap, take half the time of one of any length.
fn starts_with(bytes: &[u8], expected: &[u8]) -> bool {
    fn ends_equal<const N: usize>(one: &[u8], other: &[u8]) -> bool {
        one.first_chunk::<N>() == other.first_chunk() && one.last_chunk::<N>() == other.last_chunk()
    }
    let Some(bytes) = bytes.get(..expected.len()) else { return false };
    match expected.len() {
        8..=16 => ends_equal::<8>(bytes, expected),
        17..=32 => ends_equal::<16>(bytes, expected),
        _ => bytes == expected,
    }
}

#[cfg(test)]
mod tests;

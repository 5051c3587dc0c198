//! The first walk over the bytes between two values: JSON's grammar of objects, token by token.

use super::super::columns::{Filled, Scope};
use super::super::line::ScanRules;
use super::super::wrapper::Hints;
use super::{Stretch, To, Ways, is_space};

/// The step at the beginning of `bytes`, which follow a value in the object `after`, or are the
/// whole line if that is none. None if the step is not a simple one, or not JSON.
pub(super) fn step(bytes: &[u8], after: Option<Scope>, rules: ScanRules) -> Option<Stretch> {
    let mut walk = Walk { bytes, at: 0, rules, opens: false };
    match after {
        Some(scope) => walk.after_value(scope),
        None => {
            walk.token(b'{')?;
            walk.in_object(Scope::Top)
        }
    }
}

struct Walk<'b> {
    bytes: &'b [u8],
    at: usize,
    rules: ScanRules,
    opens: bool,
}

impl Walk<'_> {
    /// After a value: another key, or the object's end.
    fn after_value(&mut self, scope: Scope) -> Option<Stretch> {
        if self.token(b',').is_some() { self.key(scope) } else { self.close(scope) }
    }

    /// After an opening brace.
    fn in_object(&mut self, scope: Scope) -> Option<Stretch> {
        if self.peek() == Some(b'"') { self.key(scope) } else { self.close(scope) }
    }

    fn close(&mut self, scope: Scope) -> Option<Stretch> {
        self.token(b'}')?;
        match scope {
            Scope::Properties => self.after_value(Scope::Top),
            Scope::Top => match self.peek() {
                None => Some(self.step(To::End, scope)),
                Some(_) => None,
            },
        }
    }

    fn key(&mut self, scope: Scope) -> Option<Stretch> {
        self.token(b'"')?;
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
        // Not `token`: a tab before the quote is part of the key, and not JSON there.
        if rest[end] != b'"' {
            return None;
        }
        let name = std::str::from_utf8(&rest[..end]).ok()?;
        self.at += end + 1;
        self.token(b':')?;
        let keys = match scope {
            Scope::Top => &self.rules.layout.top,
            Scope::Properties => &self.rules.layout.properties,
        };
        let first = self.peek()?;
        match keys.find(name) {
            Some(Filled::Properties) if first == b'{' && !self.opens => {
                self.opens = true;
                self.token(b'{')?;
                self.in_object(Scope::Properties)
            }
            Some(Filled::Properties) => None,
            Some(Filled::Column(place)) => Some(self.step(To::Column(place), scope)),
            None => Some(self.step(To::Unknown(name.into(), Hints::of(scope, name)), scope)),
        }
    }

    fn step(&self, to: To, scope: Scope) -> Stretch {
        Stretch { bytes: self.bytes[..self.at].into(), to, scope, opens: self.opens, next: Ways::default() }
    }

    /// Skips whitespace and `token`; none if something else comes after the whitespace.
    fn token(&mut self, token: u8) -> Option<()> {
        (self.peek()? == token).then(|| self.at += 1)
    }

    /// Skips whitespace, and returns the byte that follows it.
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().position(|byte| !is_space(*byte)).unwrap_or(rest.len());
        self.bytes.get(self.at).copied()
    }
}

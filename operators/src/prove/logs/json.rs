//! JSON by hand: checks a text against the grammar (RFC 8259), and finds where its values lie.
//!
//! Nothing is decoded unless it is asked for, and nesting costs heap, not stack.

use std::borrow::Cow;

/// A place in a text.
pub(in crate::prove) struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    /// The beginning of `text`, after blanks.
    pub(in crate::prove) fn new(text: &'t str) -> Self {
        let mut cursor = Cursor { text, at: 0 };
        cursor.blanks();
        cursor
    }

    /// The byte here.
    pub(in crate::prove) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Whether nothing but blanks is left.
    pub(in crate::prove) fn is_at_end(&mut self) -> bool {
        self.blanks();
        self.at == self.text.len()
    }

    /// The members of the object here: the text of each key between its quotes, and of its value.
    /// None if there is no object here.
    pub(in crate::prove) fn members(&mut self) -> Option<Vec<(&'t str, &'t str)>> {
        let mut members = Vec::new();
        self.eat(b'{').then_some(())?;
        self.blanks();
        if self.eat(b'}') {
            return Some(members);
        }
        loop {
            let key = self.key()?;
            members.push((key, self.value()?));
            self.blanks();
            if self.eat(b'}') {
                return Some(members);
            }
            self.eat(b',').then_some(())?;
        }
    }

    /// The elements of the array here: the text of each. None if there is no array here.
    pub(in crate::prove) fn elements(&mut self) -> Option<Vec<&'t str>> {
        let mut elements = Vec::new();
        self.eat(b'[').then_some(())?;
        self.blanks();
        if self.eat(b']') {
            return Some(elements);
        }
        loop {
            elements.push(self.value()?);
            self.blanks();
            if self.eat(b']') {
                return Some(elements);
            }
            self.eat(b',').then_some(())?;
        }
    }

    /// The text of the value here. None if there is none.
    pub(in crate::prove) fn value(&mut self) -> Option<&'t str> {
        self.blanks();
        let start = self.at;
        // The closing bracket of each array and object that is open.
        let mut open = Vec::new();
        loop {
            self.blanks();
            match self.peek()? {
                bracket @ (b'{' | b'[') => {
                    let close = if bracket == b'{' { b'}' } else { b']' };
                    self.at += 1;
                    self.blanks();
                    if !self.eat(close) {
                        open.push(close);
                        if close == b'}' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                b'"' => _ = self.string()?,
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                b'n' => self.word("null")?,
                _ => self.number()?,
            }
            // A value has ended, and so may the arrays and objects around it.
            loop {
                let Some(close) = open.last().copied() else { return Some(&self.text[start..self.at]) };
                self.blanks();
                if self.eat(close) {
                    open.pop();
                    continue;
                }
                self.eat(b',').then_some(())?;
                if close == b'}' {
                    self.key()?;
                }
                break;
            }
        }
    }

    /// A key and the colon after it.
    fn key(&mut self) -> Option<&'t str> {
        self.blanks();
        let key = self.string()?;
        self.blanks();
        self.eat(b':').then_some(key)
    }

    /// A string: the text between its quotes.
    fn string(&mut self) -> Option<&'t str> {
        self.eat(b'"').then_some(())?;
        let start = self.at;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(&self.text[start..self.at - 1]);
                }
                b'\\' => {
                    let escape = *self.text.as_bytes().get(self.at + 1)?;
                    self.at += 2;
                    if escape == b'u' {
                        let digits = self.text.as_bytes().get(self.at..self.at + 4)?;
                        digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
                        self.at += 4;
                    } else if !b"\"\\/bfnrt".contains(&escape) {
                        return None;
                    }
                }
                0..0x20 => return None,
                _ => self.at += 1,
            }
        }
    }

    fn number(&mut self) -> Option<()> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text.as_bytes()[self.at..].starts_with(word.as_bytes()).then(|| self.at += word.len())
    }

    fn eat(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }
}

/// Decodes `content`, the text between the quotes of a string; none if it holds half of a surrogate
/// pair.
pub(in crate::prove) fn decode(content: &str) -> Option<Cow<'_, str>> {
    if !content.contains('\\') {
        return Some(Cow::Borrowed(content));
    }
    let (mut text, mut rest) = (String::with_capacity(content.len()), content);
    while let Some((plain, escaped)) = rest.split_once('\\') {
        text.push_str(plain);
        if escaped.starts_with('u') {
            let (units, behind) = units(escaped)?;
            for character in char::decode_utf16(units) {
                text.push(character.ok()?);
            }
            rest = behind;
            continue;
        }
        let escape = escaped.chars().next()?;
        text.push(match escape {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            itself => itself,
        });
        rest = &escaped[escape.len_utf8()..];
    }
    text.push_str(rest);
    Some(Cow::Owned(text))
}

/// The code units of all `\uXXXX` in a row, the first without its backslash; and the text after
/// them.
fn units(escaped: &str) -> Option<(Vec<u16>, &str)> {
    let (mut units, mut rest) = (Vec::new(), escaped);
    loop {
        let digits = rest.strip_prefix('u')?.get(..4)?;
        units.push(u16::from_str_radix(digits, 16).ok()?);
        let behind = &rest[5..];
        match behind.strip_prefix('\\').filter(|next| next.starts_with('u')) {
            Some(next) => rest = next,
            None => return Some((units, behind)),
        }
    }
}

/// `text` as it is written between the quotes of a JSON string, with as few escapes as possible.
pub(in crate::prove) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\u{8}' => escaped.push_str("\\b"),
            '\u{c}' => escaped.push_str("\\f"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            control if u32::from(control) < 0x20 => escaped.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => escaped.push(other),
        }
    }
    escaped
}

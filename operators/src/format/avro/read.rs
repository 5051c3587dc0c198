//! Reads values, and writes them as JSON.

use serde::Serialize;
use thiserror::Error;

use super::schema::{Field, Kind, Node, Schema, What};

/// The most bytes of a value as JSON: so many, and so many times its own. Each field is named
/// there, and an array of nothing takes no bytes in Avro, however long.
const MOST: usize = 1 << 20;
const TIMES: usize = 256;
/// How deeply values may be nested: a type may be used in itself.
const DEEPEST: usize = 100;

/// Why bytes are no value of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unread {
    /// They end too early.
    #[error("it ends too early")]
    Short,
    /// There are more of them.
    #[error("{0} bytes are left over")]
    Left(usize),
    /// A number is none.
    #[error("a number in it is none of its type")]
    Number,
    /// A text is none.
    #[error("a text in it is not UTF-8")]
    Text,
    /// A value is of none of the types that it may have.
    #[error("a value in it is of none of the types that it may have")]
    Branch,
    /// It is nested too deeply.
    #[error("it is nested deeper than {DEEPEST} times")]
    Deep,
    /// It is too long.
    #[error("it is more than {TIMES} times as long as JSON")]
    Long,
}

impl Schema {
    /// Writes the value in `bytes` into `out` as Kafka Connect's JSON converter would.
    ///
    /// # Errors
    /// If the bytes are no value of this schema. What `out` has then means nothing.
    pub fn write(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Unread> {
        out.clear();
        let most = bytes.len().saturating_mul(TIMES).saturating_add(MOST);
        let mut reader = Reader { schema: self, rest: bytes, out, most };
        reader.value(&self.root, 0)?;
        match reader.rest.len() {
            0 => Ok(()),
            left => Err(Unread::Left(left)),
        }
    }
}

struct Reader<'a> {
    schema: &'a Schema,
    rest: &'a [u8],
    out: &'a mut Vec<u8>,
    /// The most bytes of `out`.
    most: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, node: &'a Node, depth: usize) -> Result<(), Unread> {
        if self.out.len() > self.most {
            return Err(Unread::Long);
        }
        if depth > DEEPEST {
            return Err(Unread::Deep);
        }
        match &node.kind {
            Kind::Null => self.out.extend_from_slice(b"null"),
            Kind::Boolean => match self.take(1)? {
                [0] => self.out.extend_from_slice(b"false"),
                [1] => self.out.extend_from_slice(b"true"),
                _ => return Err(Unread::Number),
            },
            Kind::Int => {
                let number = i32::try_from(self.long()?).map_err(|_| Unread::Number)?;
                self.json(&number);
            }
            Kind::Long => {
                let number = self.long()?;
                self.json(&number);
            }
            Kind::Float => {
                let number = f32::from_le_bytes(*self.rest.first_chunk().ok_or(Unread::Short)?);
                self.take(4)?;
                self.float(number.into(), |reader| reader.json(&number));
            }
            Kind::Double => {
                let number = f64::from_le_bytes(*self.rest.first_chunk().ok_or(Unread::Short)?);
                self.take(8)?;
                self.float(number, |reader| reader.json(&number));
            }
            Kind::Bytes => {
                let bytes = self.bytes()?;
                self.base64(bytes);
            }
            Kind::String => self.text()?,
            Kind::Array(items) => self.array(items, depth)?,
            Kind::Map(values) => self.map(values, depth)?,
            Kind::Union(branches) => {
                let branch = usize::try_from(self.long()?).ok().and_then(|at| branches.get(at));
                self.value(branch.ok_or(Unread::Branch)?, depth + 1)?;
            }
            Kind::Named(at) => self.named(&self.schema.named(*at).what, depth)?,
        }
        Ok(())
    }

    fn named(&mut self, what: &'a What, depth: usize) -> Result<(), Unread> {
        match what {
            What::Record(fields) => self.record(fields, depth),
            What::Enum(words) => {
                let word = usize::try_from(self.long()?).ok().and_then(|at| words.get(at));
                self.json(word.ok_or(Unread::Branch)?);
                Ok(())
            }
            What::Fixed(size) => {
                let bytes = self.take(*size)?;
                self.base64(bytes);
                Ok(())
            }
        }
    }

    fn record(&mut self, fields: &'a [Field], depth: usize) -> Result<(), Unread> {
        self.out.push(b'{');
        for (at, field) in fields.iter().enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            self.json(&field.name);
            self.out.push(b':');
            self.value(&field.node, depth + 1)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn array(&mut self, items: &'a Node, depth: usize) -> Result<(), Unread> {
        self.out.push(b'[');
        self.blocks(|reader| reader.value(items, depth + 1))?;
        self.out.push(b']');
        Ok(())
    }

    fn map(&mut self, values: &'a Node, depth: usize) -> Result<(), Unread> {
        self.out.push(b'{');
        self.blocks(|reader| {
            reader.text()?;
            reader.out.push(b':');
            reader.value(values, depth + 1)
        })?;
        self.out.push(b'}');
        Ok(())
    }

    /// Reads what lies in blocks: each begins with how many there are, and the last has none. Where
    /// the number is below zero, the block's bytes follow it.
    fn blocks(&mut self, mut each: impl FnMut(&mut Self) -> Result<(), Unread>) -> Result<(), Unread> {
        let mut is_first = true;
        loop {
            let count = self.long()?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                if !std::mem::take(&mut is_first) {
                    self.out.push(b',');
                }
                each(self)?;
            }
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Unread> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Unread::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A number: seven bits a byte, the lowest first, where the lowest bit is the sign.
    fn long(&mut self) -> Result<i64, Unread> {
        let mut number = 0_u64;
        for shift in (0..70).step_by(7) {
            let [byte] = *self.take(1)? else { return Err(Unread::Short) };
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Unread::Number);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
            }
        }
        Err(Unread::Number)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Unread> {
        let length = usize::try_from(self.long()?).map_err(|_| Unread::Number)?;
        self.take(length)
    }

    fn text(&mut self) -> Result<(), Unread> {
        let text = std::str::from_utf8(self.bytes()?).map_err(|_| Unread::Text)?;
        self.json(text);
        Ok(())
    }

    /// A number that JSON has is written by `write`; of the others there are texts.
    fn float(&mut self, number: f64, write: impl FnOnce(&mut Self)) {
        match number {
            _ if number.is_nan() => self.json("NaN"),
            f64::INFINITY => self.json("Infinity"),
            f64::NEG_INFINITY => self.json("-Infinity"),
            _ => write(self),
        }
    }

    fn json<T: Serialize + ?Sized>(&mut self, value: &T) {
        // Nothing but a value that has no form in JSON could fail, and these all have one.
        let _ = serde_json::to_writer(&mut *self.out, value);
    }

    fn base64(&mut self, bytes: &[u8]) {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        self.out.push(b'"');
        for three in bytes.chunks(3) {
            let byte = |at| u32::from(three.get(at).copied().unwrap_or_default());
            let word = byte(0) << 16 | byte(1) << 8 | byte(2);
            for at in 0..4 {
                let sextet = (word >> (18 - 6 * at)) as usize & 63;
                self.out.push(if at <= three.len() { LETTERS[sextet] } else { b'=' });
            }
        }
        self.out.push(b'"');
    }
}

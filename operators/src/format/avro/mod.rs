//! Avro, as the converters of Kafka Connect write it: what schemas a registry keeps, and values as
//! JSON.
//!
//! ```text
//! 0x00 │ schema id, 4 bytes │ value ─▶ Schema::write ─▶ JSON, as Connect's JSON converter has it
//! ```
//!
//! Promises: whatever the bytes are, the result is the JSON of a value of that schema, or a reason
//! why there is none: no panic, no recursion and no text whose size the bytes decide without a
//! limit. A number keeps all its digits; bytes are base64; NaN and the infinities are texts.
//!
//! The formats are those of Avro's specification 1.12 and of Confluent's registry ("wire format").

mod parse;
mod read;
mod schema;

#[cfg(test)]
mod tests;

pub use self::parse::NotASchema;
pub use self::read::Unread;
pub use self::schema::{Field, Kind, Named, Node, Notes, Schema, What};

/// The id of a schema in its registry.
pub type Id = u32;

/// The first byte of a value in the registry's wire format. No JSON begins with it.
const MAGIC: u8 = 0;

/// The schema's id, and the value behind it; none if the bytes are not in the wire format.
pub fn framed(bytes: &[u8]) -> Option<(Id, &[u8])> {
    let ([MAGIC, id @ ..], value) = bytes.split_first_chunk::<5>()? else { return None };
    Some((Id::from_be_bytes(*id), value))
}

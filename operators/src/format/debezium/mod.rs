//! Debezium's events of PostgreSQL, as they lie in Kafka's records.
//!
//! ```text
//! line ─▶ record ─▶ schema block? ─▶ envelope | unwrapped row ─▶ event ─▶ plain form
//!                                 └▶ tombstone, heartbeat, boundary of a transaction, message
//! ```
//!
//! Promises: an event borrows from the record's bytes. No number passes through a float, no text is
//! changed, and nothing is guessed: a value whose type is not known stays what it is, and what an
//! event does not know is absent. Whatever the bytes are, the result is an event, something that is
//! known to be none, or a [`Reason`]: there is no panic, and no recursion whose depth the bytes
//! decide without a limit.

mod avro;
mod binary;
mod boundary;
mod decimal;
mod decoder;
mod envelope;
mod event;
mod json;
mod line;
mod plain;
mod reason;
mod record;
mod row;
mod schema;
mod source;
mod time;
mod toast;
pub mod typed;
mod types;
mod unwrapped;
mod value;

#[cfg(test)]
mod tests;

pub use self::avro::{Columned, Schemas, Texts};
pub use self::boundary::{Boundary, Status};
pub use self::decoder::{Aside, Decoded, Decoder};
pub use self::event::{Before, Event, Key, Operation, OtherKey};
pub use self::line::Line;
pub use self::plain::write as write_plain;
pub use self::reason::Reason;
pub use self::record::{Header, Part, Record};
pub use self::row::{Field, Row};
pub use self::schema::{Column, Columns};
pub use self::source::{Sequence, Snapshot, Source, Table, Transaction};
pub use self::types::{Type, Unit};
pub use self::value::write as write_value;

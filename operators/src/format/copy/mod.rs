//! Rows of PostgreSQL's binary COPY, decoded straight into Arrow columns.
//!
//! `COPY (…) TO STDOUT (FORMAT binary)` is a header, tuples of fields, and a trailer. One pass over
//! these bytes appends every field to the builder of its column, with no row object in between:
//!
//! ```text
//! header ─▶ walk: tuple ─▶ field ─▶ column (numeric, time, array) ─▶ RecordBatch
//! ```
//!
//! A stream is decoded as a whole or is an error: nothing is skipped and nothing is guessed. Every
//! read is checked, so no bytes can cause a panic. Errors name the row and the column, but never
//! show a value, because rows are secret. There is no I/O here: who fetched the bytes is of no
//! concern.
//!
//! The format is the chapter on COPY in PostgreSQL's manual, under "Binary Format". The values are
//! what the `…send` functions of PostgreSQL write. All numbers are big-endian.

mod array;
mod bytes;
mod codec;
mod column;
mod cursor;
mod error;
mod interval;
mod numeric;
mod time;
mod walk;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

pub use self::codec::Codec;
use self::cursor::Cursor;
pub use self::error::{BadValue, CopyError};
use self::walk::Walk;

/// What every binary COPY stream begins with.
const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

/// Decodes the COPY streams of one query.
#[derive(Clone, Debug)]
pub struct Decoder {
    schema: SchemaRef,
    codecs: Vec<Codec>,
}

impl Decoder {
    /// A decoder of streams whose tuples have one field for each of the `codecs`, in their order.
    /// The batches have the `schema`. Its fields have the types that [`Codec::data_type`] tells;
    /// their names are for the errors, and their metadata is free, that of elements too.
    ///
    /// # Panics
    ///
    /// If there is not one field for each codec, if a field has another type, or if Arrow allows no
    /// decimal of a codec's precision and scale. That is a mistake of the caller, whatever the data
    /// are.
    pub fn new(schema: SchemaRef, codecs: Vec<Codec>) -> Decoder {
        assert_eq!(schema.fields().len(), codecs.len(), "every field has its codec");
        for (field, codec) in schema.fields().iter().zip(&codecs) {
            assert!(codec.is_valid(), "column {:?} has a precision and scale that Arrow allows", field.name());
            let expected = codec.data_type();
            assert!(field.data_type().equals_datatype(&expected), "column {:?} has type {expected}", field.name());
        }
        Decoder { schema, codecs }
    }

    /// Decodes the whole stream `copy` and gives its rows to `each`, in order, in batches of at
    /// most `rows`. A batch has fewer rows if it is the last, or if its rows had a GiB of bytes.
    /// Returns how many rows there were; a stream without rows has no batch.
    ///
    /// # Errors
    ///
    /// If the stream is damaged or a value has no place in its column. Batches before the error
    /// were given to `each` already, so whoever takes them must be able to forget them.
    ///
    /// # Panics
    ///
    /// If `rows` is 0.
    pub fn decode(&self, copy: &[u8], rows: usize, each: impl FnMut(RecordBatch)) -> Result<u64, CopyError> {
        assert!(rows > 0, "a batch has rows");
        Walk::new(&self.schema, &self.codecs, header(copy)?).run(rows, each)
    }
}

/// What follows the header of the stream `copy`.
fn header(copy: &[u8]) -> Result<Cursor<'_>, CopyError> {
    const ENDS: CopyError = CopyError::Ends { rows: 0 };
    let Some(rest) = copy.strip_prefix(SIGNATURE) else {
        return Err(if SIGNATURE.starts_with(copy) { ENDS } else { CopyError::NotCopy });
    };
    let mut cursor = Cursor::new(rest);
    let flags = cursor.i32().ok_or(ENDS)?;
    let extension = cursor.i32().ok_or(ENDS)?;
    // A reader must refuse those of the upper flags that it does not know; bit 16 adds an OID to
    // each tuple. The lower flags are for readers that care.
    if flags >> 16 != 0 {
        return Err(CopyError::Header { what: "a flag that changes the format" });
    }
    let extension =
        usize::try_from(extension).map_err(|_| CopyError::Header { what: "an extension of negative length" })?;
    cursor.take(extension).ok_or(ENDS)?;
    Ok(cursor)
}

#[cfg(test)]
mod tests;

//! What may be wrong with a COPY stream. No text shows a value, because rows are secret.

use thiserror::Error;

/// Why a COPY stream could not be decoded. Rows are counted from 1, which is the first
/// of the stream.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CopyError {
    /// The bytes do not begin as a binary COPY stream does: the format may be text, or a table may
    /// have been read in place of a query's output.
    #[error("the bytes are not a binary COPY stream")]
    NotCopy,
    /// The header asks for something that this decoder does not know.
    #[error("the header of the COPY stream has {what}")]
    Header {
        /// What the header has.
        what: &'static str,
    },
    /// The stream ends before its trailer.
    #[error("the COPY stream ends early, after {rows} whole rows")]
    Ends {
        /// How many rows were whole.
        rows: u64,
    },
    /// Bytes follow the trailer.
    #[error("the COPY stream goes on after its trailer, which follows {rows} rows")]
    GoesOn {
        /// How many rows there are before the trailer.
        rows: u64,
    },
    /// A tuple does not have one field for each column.
    #[error("row {row} of the COPY stream has {found} fields, not {expected}")]
    Fields {
        /// The row.
        row: u64,
        /// How many fields the tuple says it has.
        found: i16,
        /// How many columns there are.
        expected: usize,
    },
    /// A value has no place in its column.
    #[error("could not decode column {column:?} in row {row} of the COPY stream")]
    Value {
        /// The name of the column.
        column: String,
        /// The row.
        row: u64,
        /// What is wrong with the value.
        #[source]
        wrong: BadValue,
    },
}

/// What is wrong with a value, or with an element of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadValue {
    /// It is NULL in a column whose field is not nullable.
    #[error("it is NULL, but the column is not nullable")]
    Null,
    /// It has more or fewer bytes than its type has, or a negative number of them.
    #[error("its length is not one that its type has")]
    Length,
    /// It has the bytes of no value of its type.
    #[error("it is no value of its type")]
    Malformed,
    /// It is finite, but too far from the epoch, or no time of a day.
    #[error("it is out of range for its type")]
    Range,
    /// A numeric has more digits than the precision of its column.
    #[error("it has more digits than the column's precision")]
    Precision,
    /// A numeric has digits, not zero, beyond the scale of its column.
    #[error("it has digits beyond the column's scale")]
    Scale,
    /// A numeric is NaN or infinite, which no decimal is.
    #[error("it is NaN or infinite, which no decimal is")]
    NotFinite,
    /// An interval is negative, has parts of a millisecond, or more of them than 32 bits count.
    #[error(
        "it is an interval that Parquet files have no place for: one that is negative, has parts of a millisecond, or \
         49 days and more beside its days"
    )]
    Interval,
    /// A jsonb value does not begin with version 1, the only one there is.
    #[error("it is no jsonb of version 1")]
    Jsonb,
    /// An array has more than one dimension.
    #[error("it is an array of more than one dimension")]
    Dimensions,
    /// A text is not UTF-8.
    #[error("it is not UTF-8")]
    Utf8,
    /// The bytes or elements of a batch cannot be counted by an i32, which Arrow's offsets are.
    #[error("it is too long for a batch")]
    TooLong,
}

//! What operators tell each other about rows: the table they go to, and the reject that a line
//! becomes if it cannot go to one.

/// By default, at most this much of a rejected line is kept, in bytes.
pub const REJECT_RAW_LIMIT: usize = 64 * 1024;

/// Why a line was rejected. The list is closed: a new reason is a new variant here, and nowhere
/// else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The line is longer than `max_line`.
    LineTooLong,
    /// The line is not valid UTF-8.
    InvalidUtf8,
    /// The line is not JSON: torn, or with something PostgreSQL should not have written, such as
    /// `[227B blob data]`.
    InvalidJson,
    /// The line is JSON, but not an object.
    NotAnObject,
    /// A known key has a value of a different type than its column.
    WrongType,
    /// An integer does not fit its column (int64).
    IntegerOutOfRange,
    /// A timestamp cannot be read, or names a time zone whose offset is not certain.
    MalformedTime,
    /// The line is an object without a single key of the format, or a wrapper whose record cannot
    /// be taken out exactly.
    UnknownShape,
    /// A key is unknown, and `unknown_keys = "reject"`.
    UnknownKey,
    /// The line names no server role, and nothing configured supplies one.
    NoRole,
    /// The line names a server role that `[roles]` sends nowhere.
    UnknownRole,
}

impl Reason {
    /// All reasons, in the order of the variants.
    pub const ALL: [Reason; 11] = [
        Reason::LineTooLong,
        Reason::InvalidUtf8,
        Reason::InvalidJson,
        Reason::NotAnObject,
        Reason::WrongType,
        Reason::IntegerOutOfRange,
        Reason::MalformedTime,
        Reason::UnknownShape,
        Reason::UnknownKey,
        Reason::NoRole,
        Reason::UnknownRole,
    ];

    /// The text that the rejects table holds.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::LineTooLong => "line_too_long",
            Reason::InvalidUtf8 => "invalid_utf8",
            Reason::InvalidJson => "invalid_json",
            Reason::NotAnObject => "not_an_object",
            Reason::WrongType => "wrong_type",
            Reason::IntegerOutOfRange => "integer_out_of_range",
            Reason::MalformedTime => "malformed_time",
            Reason::UnknownShape => "unknown_shape",
            Reason::UnknownKey => "unknown_key",
            Reason::NoRole => "no_role",
            Reason::UnknownRole => "unknown_role",
        }
    }
}

/// A line that is kept as evidence instead of as a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Where the line starts in its partition.
    pub offset: u64,
    /// The number of the record in its line, if it is one of several; `raw`, `length` and `detail`
    /// are then those of the record.
    pub item: Option<u64>,
    /// Why it was rejected.
    pub reason: Reason,
    /// The first bytes of the line: [`REJECT_RAW_LIMIT`] at most, unless the settings say
    /// otherwise.
    pub raw: Vec<u8>,
    /// The whole line's length in bytes, without its newline.
    pub length: u64,
    /// The key to blame, and why; never its value.
    pub detail: Option<String>,
}

impl Reject {
    /// Rejects `line`, which starts at `offset`, keeping its first bytes.
    pub fn of(line: &[u8], offset: u64, reason: Reason) -> Self {
        Reject::keeping(REJECT_RAW_LIMIT as u64, line, offset, reason)
    }

    /// The same, keeping at most `most` bytes.
    pub fn keeping(most: u64, line: &[u8], offset: u64, reason: Reason) -> Self {
        let kept = usize::try_from(most).map_or(line.len(), |most| line.len().min(most));
        let (raw, length) = (line[..kept].to_vec(), line.len() as u64);
        Reject { offset, item: None, reason, raw, length, detail: None }
    }

    /// The same, for the record `number` of the line at that offset.
    pub fn at_item(self, number: u64) -> Self {
        Reject { item: Some(number), ..self }
    }

    /// The same, with the key to blame.
    pub fn detailed(self, detail: Option<String>) -> Self {
        Reject { detail, ..self }
    }
}

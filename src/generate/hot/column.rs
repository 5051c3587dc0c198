//! What a column's values are: they follow from its type, and from its name where that says more.

use lakefront_operators::source::postgres::HotColumn;

use super::binary;
use super::text::Like;
use crate::generate::random::Random;

/// Microseconds from PostgreSQL's epoch, 2000-01-01, to the first ledger of the Stellar network.
const GENESIS_US: i64 = 496_946_814_000_000;
/// A ledger takes about this long.
const LEDGER_US: i64 = 5_000_000;
const DAY_US: i64 = 86_400_000_000;
/// Ledgers after which time begins anew, so that no time is beyond what PostgreSQL has.
const CALENDAR: i64 = 1_000_000_000;
/// So many ledgers are a range, which is what `ledger_range` counts.
const RANGE: i64 = 10_000;
/// Rows of a ledger in one table; more would not fit a number that stands for ledger and row.
const MOST_ROWS: i64 = 1 << 20;
/// Of a value that may be null, one in so many is.
const NULLS: u64 = 8;
/// The fewest characters that tell rows apart.
const TELLING: usize = 24;

/// The place of a row.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) ledger: i64,
    /// Its number among those of its ledger.
    pub(super) row: i64,
}

/// A column that rows are made for.
pub(super) struct Column {
    pub(super) name: String,
    role: Role,
    of: Of,
    nullable: bool,
}

/// What the name says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The ledger's number.
    Ledger,
    /// The first number of its range.
    Range,
    /// The row's number in its ledger.
    Row,
    /// A value that no other row has.
    Unique,
    Any,
}

/// The type.
enum Of {
    Bool,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Numeric { digits: u32, scale: u16 },
    Text { longest: usize, like: Like },
    Json,
    Jsonb,
    Bytes,
    Uuid,
    Date,
    Time,
    Timetz,
    Timestamp,
    Interval,
    Enum(Vec<String>),
    List(Box<Of>, u32),
}

impl Column {
    /// A column of a table whose rows are numbered by `sequence` and have the primary key `key`;
    /// `labels` are those of an enumeration. None if its type is not known.
    pub(super) fn new(column: &HotColumn, sequence: &str, key: &[String], labels: Vec<String>) -> Option<Column> {
        let of = of(column, labels)?;
        let is_key = key.contains(&column.name);
        let role = match (&of, &*column.name) {
            _ if column.name == sequence => Role::Ledger,
            (Of::Int32 | Of::Int64, "ledger_range") => Role::Range,
            (Of::Int32 | Of::Int64, "ledger_sequence" | "sequence" | "created_ledger" | "last_modified_ledger") => {
                Role::Ledger
            }
            (Of::Int64 | Of::Bytes | Of::Uuid, _) if is_key && !key.iter().any(|name| name == sequence) => Role::Unique,
            (Of::Int16 | Of::Int32 | Of::Int64, name) if is_key || name.ends_with("_index") => Role::Row,
            (Of::Text { .. } | Of::Bytes | Of::Uuid, _) if is_key => Role::Unique,
            _ => Role::Any,
        };
        let nullable = column.nullable && !is_key && column.name != sequence;
        Some(Column { name: column.name.clone(), role, of, nullable })
    }

    /// Whether its values tell the rows of a table apart.
    pub(super) fn tells_all(&self) -> bool {
        match &self.of {
            Of::Text { longest, .. } => self.role == Role::Unique && *longest >= TELLING,
            _ => self.role == Role::Unique,
        }
    }

    /// Whether its values tell the rows of a ledger apart.
    pub(super) fn tells_rows(&self) -> bool {
        self.role == Role::Row || self.tells_all()
    }

    /// The highest ledger that the column has room for.
    pub(super) fn highest(&self) -> i64 {
        match (self.role, &self.of) {
            (Role::Ledger | Role::Range, Of::Int16) => i16::MAX.into(),
            (Role::Ledger | Role::Range, Of::Int32) => i32::MAX.into(),
            _ => i64::MAX / MOST_ROWS,
        }
    }

    /// Appends its value in the row `at`.
    pub(super) fn append(&self, out: &mut Vec<u8>, at: At, random: &mut Random) {
        if self.nullable && random.between(0, NULLS) == 0 {
            return binary::null(out);
        }
        binary::field(out, |out| match self.role {
            Role::Ledger => self.of.integer(out, at.ledger),
            Role::Range => self.of.integer(out, at.ledger / RANGE * RANGE),
            Role::Row => self.of.integer(out, at.row),
            Role::Unique => self.of.unique(out, at, random),
            Role::Any => self.of.any(out, at, random),
        });
    }
}

/// The type of a column, with what it needs to be written.
fn of(column: &HotColumn, labels: Vec<String>) -> Option<Of> {
    if column.is_enum {
        return (!labels.is_empty()).then_some(Of::Enum(labels));
    }
    match &column.element {
        // A type of somebody's own may have elements of this name, too.
        Some(element) if column.of == format!("_{element}") => {
            Some(Of::List(Box::new(scalar(element, column)?), number(element)?))
        }
        Some(_) => None,
        None => scalar(&column.of, column),
    }
}

fn scalar(of: &str, column: &HotColumn) -> Option<Of> {
    let like = Like::of(&column.name);
    // What `varchar(n)` may have; `name` has at most 63 bytes, and the texts here may have 3 for a
    // character.
    let longest = usize::try_from(column.modifier - 4).unwrap_or(usize::MAX);
    Some(match of {
        "bool" => Of::Bool,
        "int2" => Of::Int16,
        "int4" => Of::Int32,
        "int8" => Of::Int64,
        "float4" => Of::Float32,
        "float8" => Of::Float64,
        "numeric" => numeric(column.modifier),
        "text" => Of::Text { longest: usize::MAX, like },
        "varchar" | "bpchar" => Of::Text { longest, like },
        "name" => Of::Text { longest: 21, like },
        "json" => Of::Json,
        "jsonb" => Of::Jsonb,
        "bytea" => Of::Bytes,
        "uuid" => Of::Uuid,
        "date" => Of::Date,
        "time" => Of::Time,
        "timetz" => Of::Timetz,
        "timestamp" | "timestamptz" => Of::Timestamp,
        "interval" => Of::Interval,
        _ => return None,
    })
}

/// A numeric with the bounds in `modifier`, whose form is that of PostgreSQL's `numeric.c`. Seven
/// digits behind the point, as amounts have, if there are no bounds.
fn numeric(modifier: i32) -> Of {
    let packed = modifier - 4;
    if packed < 0 {
        return Of::Numeric { digits: 15, scale: 7 };
    }
    let (precision, scale) = (packed >> 16, ((packed & 0x7ff) ^ 1024) - 1024);
    // With a scale below zero PostgreSQL rounds: fewer digits than there may be stay below.
    let digits = u32::try_from(precision.clamp(1, 18)).expect("it is small");
    Of::Numeric { digits, scale: u16::try_from(scale.clamp(0, 38)).expect("it is small") }
}

/// The numbers that PostgreSQL gives its types, which are the same everywhere.
fn number(of: &str) -> Option<u32> {
    const NUMBERS: [(&str, u32); 21] = [
        ("bool", 16),
        ("bytea", 17),
        ("name", 19),
        ("int8", 20),
        ("int2", 21),
        ("int4", 23),
        ("text", 25),
        ("json", 114),
        ("float4", 700),
        ("float8", 701),
        ("bpchar", 1042),
        ("varchar", 1043),
        ("date", 1082),
        ("time", 1083),
        ("timestamp", 1114),
        ("timestamptz", 1184),
        ("interval", 1186),
        ("timetz", 1266),
        ("numeric", 1700),
        ("uuid", 2950),
        ("jsonb", 3802),
    ];
    NUMBERS.iter().find(|(known, _)| *known == of).map(|(_, number)| *number)
}

impl Of {
    /// An integer; one that does not fit is the highest that does.
    fn integer(&self, out: &mut Vec<u8>, value: i64) {
        match self {
            Of::Int16 => out.extend_from_slice(&i16::try_from(value).unwrap_or(i16::MAX).to_be_bytes()),
            Of::Int32 => out.extend_from_slice(&i32::try_from(value).unwrap_or(i32::MAX).to_be_bytes()),
            _ => out.extend_from_slice(&value.to_be_bytes()),
        }
    }

    /// A value that the row `at` alone has, as far as the type has room.
    fn unique(&self, out: &mut Vec<u8>, at: At, random: &mut Random) {
        match self {
            Of::Text { longest, .. } => out.extend_from_slice(Like::Hash.text(*longest, random).as_bytes()),
            Of::Bytes => (0..4).for_each(|_| out.extend_from_slice(&random.next().to_be_bytes())),
            Of::Uuid => (0..2).for_each(|_| out.extend_from_slice(&random.next().to_be_bytes())),
            of => of.integer(out, at.ledger * MOST_ROWS + at.row),
        }
    }

    /// A value of the row `at`.
    fn any(&self, out: &mut Vec<u8>, at: At, random: &mut Random) {
        let signed = |random: &mut Random, below: u64| random.between(0, below).cast_signed();
        let closed = GENESIS_US + at.ledger % CALENDAR * LEDGER_US;
        match self {
            Of::Bool => out.push(u8::from(random.between(0, 2) == 1)),
            Of::Int16 => self.integer(out, signed(random, 1_000)),
            Of::Int32 => self.integer(out, signed(random, 100_000)),
            Of::Int64 => self.integer(out, signed(random, 1_000_000_000_000)),
            // Exact in either, so that all programs show them alike.
            Of::Float32 => out.extend_from_slice(&eighths(random).to_be_bytes()),
            Of::Float64 => out.extend_from_slice(&f64::from(eighths(random)).to_be_bytes()),
            Of::Numeric { digits, scale } => binary::numeric(out, random.between(0, 10_u64.pow(*digits)), *scale),
            Of::Text { longest, like } => out.extend_from_slice(like.text(*longest, random).as_bytes()),
            Of::Json => out.extend_from_slice(Like::Json.text(usize::MAX, random).as_bytes()),
            Of::Jsonb => {
                out.push(1);
                out.extend_from_slice(Like::Json.text(usize::MAX, random).as_bytes());
            }
            Of::Bytes => (0..random.between(0, 9)).for_each(|_| out.extend_from_slice(&random.next().to_be_bytes())),
            Of::Uuid => (0..2).for_each(|_| out.extend_from_slice(&random.next().to_be_bytes())),
            Of::Date => out.extend_from_slice(&i32::try_from(closed / DAY_US).unwrap_or(0).to_be_bytes()),
            Of::Time => self.integer(out, signed(random, DAY_US.cast_unsigned())),
            Of::Timetz => {
                self.integer(out, signed(random, DAY_US.cast_unsigned()));
                // Seconds west of Greenwich.
                Of::Int32.integer(out, (signed(random, 25) - 12) * 3_600);
            }
            // The microseconds are there to be kept.
            Of::Timestamp => self.integer(out, closed + signed(random, LEDGER_US.cast_unsigned())),
            Of::Interval => {
                self.integer(out, signed(random, DAY_US.cast_unsigned()));
                Of::Int32.integer(out, signed(random, 31));
                Of::Int32.integer(out, signed(random, 12));
            }
            Of::Enum(labels) => out.extend_from_slice(random.pick(labels).as_bytes()),
            Of::List(of, number) => {
                let length = signed(random, 4);
                binary::array(out, *number, i32::try_from(length).unwrap_or(0));
                for _ in 0..length {
                    match random.between(0, NULLS) {
                        0 => binary::null(out),
                        _ => binary::field(out, |out| of.any(out, at, random)),
                    }
                }
            }
        }
    }
}

/// A number with three binary digits behind the point.
fn eighths(random: &mut Random) -> f32 {
    f32::from(u16::try_from(random.between(0, 1 << 14)).unwrap_or(0)) / 8.0
}

#[cfg(test)]
mod tests;

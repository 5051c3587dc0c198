//! Tells the rows of log lines: the second path from bytes to rows, of which no line is shared with
//! the parser that it checks.

pub(super) mod columns;
mod json;
pub(super) mod lines;
pub(super) mod moment;
pub(super) mod plain;
mod roles;
mod row;
mod shape;
#[cfg(test)]
mod tests;

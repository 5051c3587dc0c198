//! Reading all rows of a file, in their order, whatever is deleted.

use std::sync::Arc;

use arrow_array::RecordBatch;

use super::columns::Columns;
use super::deletes::Positions;
use super::{Fault, decode};
use crate::sink::ducklake::tables::Column;

/// How whole files of a table are read.
#[derive(Clone)]
pub(in crate::sink::ducklake) struct Whole(Arc<Columns>);

impl Whole {
    /// Batches of these columns. The error names one whose type cannot be read.
    pub(in crate::sink::ducklake) fn new(columns: &[&Column]) -> Result<Whole, String> {
        Columns::new(columns).map(|columns| Whole(Arc::new(columns)))
    }

    /// Hands the rows of the file with this `content` to `send`, in batches, until that returns
    /// `false`. Columns that it lacks have their initial defaults.
    pub(in crate::sink::ducklake) fn rows(
        &self,
        content: Vec<u8>,
        send: impl Fn(RecordBatch) -> bool,
    ) -> Result<(), Fault> {
        decode::rows(content, &self.0, &Positions::new(Vec::new()), None, send)
    }
}

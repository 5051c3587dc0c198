//! Rows on their way to a table: where the part of a pipeline that knows its source ends, and the
//! part that all pipelines share begins.

use std::rc::Rc;

use arrow_array::RecordBatch;

use crate::fetch::Credit;
use crate::protocol::names::TableId;
use crate::protocol::offsets::PartitionId;

/// Rows on their way to one table.
#[derive(Clone)]
pub struct Routed {
    /// The table.
    pub table: TableId,
    /// The rows.
    pub rows: RecordBatch,
    /// Which partition of the source they come from.
    pub partition: PartitionId,
    /// Held while they are in memory.
    pub credit: Rc<Credit>,
}

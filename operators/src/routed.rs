//! Rows on their way to a table: where the part of a pipeline that knows its source ends, and the
//! part that all pipelines share begins.

use std::rc::Rc;

use arrow_array::RecordBatch;

use crate::fetch::Credit;
use crate::protocol::names::TableId;
use crate::protocol::offsets::PartitionId;

/// Rows on their way to one table.
///
/// Here, each block that was read becomes one row, which is its length. `shared::blocks` stands for
/// [`fetch`](crate::fetch::fetch), which has read a small file:
///
/// ```
/// use std::sync::Arc;
///
/// use arrow_array::{ArrayRef, Int64Array, RecordBatch};
/// use lakefront_operators::position::Position;
/// use lakefront_operators::protocol::names::TableId;
/// use lakefront_operators::routed::Routed;
/// use timely::dataflow::operators::capture::{Capture, Extract};
/// use timely::dataflow::operators::vec::Map;
/// # mod shared {
/// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples/shared.rs"));
/// # }
///
/// let env = shared::env();
/// let rows = timely::execute_directly(move |worker| {
///     worker.dataflow(|scope| {
///         let blocks = shared::blocks(scope, "first\nsecond\n", &env);
///         let rows = blocks.map(|fetched| {
///             let column = |value| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
///             let length = fetched.block.bytes.len() as i64;
///             // Every row has the offset at which it begins in its partition.
///             let columns = [("length", column(length)), ("_offset", column(0))];
///             Routed {
///                 table: TableId(0),
///                 rows: RecordBatch::try_from_iter(columns).expect("columns of one length"),
///                 partition: fetched.work.partition.clone(),
///                 // From here on, the rows hold it.
///                 credit: fetched.credit,
///                 is_last: false,
///             }
///         });
///         rows.map(|routed| (routed.partition.to_string(), routed.rows.num_rows())).capture()
///     })
/// });
/// assert_eq!(rows.extract(), [(Position(0), vec![("a.log".to_owned(), 1)])]);
/// ```
#[derive(Clone)]
pub struct Routed {
    /// The table.
    pub table: TableId,
    /// The rows, all of `partition`. `tally` needs the column `_offset` in them: `Int64`, not null,
    /// the row's place in its partition. [`hash::kind`](crate::totals::hash::kind) says which types
    /// the other columns may have.
    pub rows: RecordBatch,
    /// Which partition of the source they come from.
    pub partition: PartitionId,
    /// Held while they are in memory.
    pub credit: Rc<Credit>,
    /// Whether the cut has no more rows for the table, on any worker, as far as the source knows
    /// by itself: then `stage` need not wait for the frontier to close their file.
    pub is_last: bool,
}

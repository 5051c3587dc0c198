//! Changes on their way to a table, and from there to the shards of its keys.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int8Array, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;

use crate::fetch::Credit;
use crate::merge::Sharded;
use crate::position::Position;
use crate::protocol::names::TableId;
use crate::protocol::offsets::PartitionId;
use crate::routed::Routed;
use crate::run::env::Env;
use crate::sink::delta::upsert::{Changes, Operation, UpsertSpec};
use crate::totals::{Counted, hash};

/// Changes of one table, all of one partition.
#[derive(Clone)]
pub struct Changed {
    /// The table.
    pub table: TableId,
    /// The changes.
    pub changes: Changes,
    /// Which partition of the source they come from.
    pub partition: PartitionId,
    /// The offset of each.
    pub offsets: Vec<u64>,
    /// Held while they are on their way; what waits for a cut to be complete holds none.
    pub credit: Rc<Credit>,
}

/// New rows, for a table to which rows are only appended.
impl From<Changed> for Routed {
    fn from(Changed { table, changes, partition, credit, .. }: Changed) -> Routed {
        Routed { table, rows: changes.rows, partition, credit, is_last: false }
    }
}

impl Counted for Changed {
    fn table(&self) -> TableId {
        self.table
    }

    fn partition(&self) -> &PartitionId {
        &self.partition
    }

    /// What a checksum covers: the offset, what happened, and each value of a type that has one.
    fn rows(&self) -> Cow<'_, RecordBatch> {
        let operation = |operation: &Operation| match operation {
            Operation::Insert => 0,
            Operation::Update => 1,
            Operation::Delete => 2,
        };
        let offsets = self.offsets.iter().map(|offset| offset.cast_signed());
        let operations = self.changes.operations.iter().map(operation);
        let mut fields = vec![
            Arc::new(Field::new(hash::OFFSET, DataType::Int64, false)),
            Arc::new(Field::new("_operation", DataType::Int8, false)),
        ];
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(Int64Array::from_iter_values(offsets)), Arc::new(Int8Array::from_iter_values(operations))];
        let rows = &self.changes.rows;
        for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
            if hash::kind(field.data_type()).is_some() && field.name() != hash::OFFSET {
                fields.push(field.clone());
                columns.push(column.clone());
            }
        }
        let counted = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns);
        Cow::Owned(counted.expect("each change has an offset and an operation"))
    }
}

/// Parts the changes of the table of `spec` by the shards of their keys, one for each worker.
pub fn shard<'s>(
    changes: StreamVec<'s, Position, Changed>,
    spec: UpsertSpec,
    env: &Env,
) -> StreamVec<'s, Position, Sharded> {
    let (shards, fatal) = (changes.scope().peers(), env.fatal.clone());
    let name = format!("shard[{}]", spec.table.name);
    changes.unary::<CapacityContainerBuilder<Vec<Sharded>>, _, _, _>(Pipeline, &name, move |_capability, _info| {
        let mut failed: Vec<Capability<Position>> = Vec::new();
        move |input, output| {
            input.for_each(|capability, changes| {
                for Changed { changes, .. } in changes.drain(..).filter(|_| !fatal.is_raised()) {
                    match changes.by_shard(&spec, shards) {
                        Ok(parts) => {
                            let sharded = parts.into_iter().map(|(shard, changes)| Sharded { shard, changes });
                            output.session(&capability).give_iterator(sharded);
                        }
                        Err(error) => {
                            failed.push(capability.retain(0));
                            fatal.raise(error.into());
                        }
                    }
                }
            });
        }
    })
}

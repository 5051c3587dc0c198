//! `tally`: counts the rows on their way to a table, and adds up their checksums by partition and
//! range of offsets.
//!
//! Rows pass through unchanged. A table that already stands beyond a cut holds its rows: they are
//! not counted again, because `stage` drops them. When the frontier passes a cut, its sums go to
//! the collection of [`totals`](super::totals).

use std::collections::{BTreeMap, HashMap};

use arrow_array::RecordBatch;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::collect::{Bucket, Counted};
use super::{FINEST_LOG2, Sum, hash};
use crate::position::Position;
use crate::protocol::offsets::PartitionId;
use crate::route::Routed;

/// The rows of `table`, which stands at `held`, and the sums of those that it lacks.
pub fn tally<'s>(
    rows: StreamVec<'s, Position, Routed>,
    table: &str,
    held: Position,
) -> (StreamVec<'s, Position, Routed>, StreamVec<'s, Position, Counted>) {
    let mut builder = OperatorBuilder::new(format!("tally[{table}]"), rows.scope());
    let mut input = builder.new_input(rows, Pipeline);
    let (passed, passed_stream) = builder.new_output::<Vec<Routed>>();
    let (sums, sums_stream) = builder.new_output::<Vec<Counted>>();
    let mut passed = OutputBuilder::<_, CapacityContainerBuilder<Vec<Routed>>>::from(passed);
    let mut sums = OutputBuilder::<_, CapacityContainerBuilder<Vec<Counted>>>::from(sums);
    builder.build(move |capabilities| {
        drop(capabilities);
        let mut open: BTreeMap<Position, (Capability<Position>, Tally)> = BTreeMap::new();
        let mut scratch = Vec::new();
        move |frontiers| {
            let (mut passed, mut sums) = (passed.activate(), sums.activate());
            input.for_each(|capability, rows| {
                let cut = *capability.time();
                if cut >= held {
                    let (_, tally) = open.entry(cut).or_insert_with(|| (capability.retain(1), Tally::default()));
                    for Routed { rows, chunk, .. } in rows.iter() {
                        tally.add(rows, &chunk.partition, &mut scratch);
                    }
                }
                passed.session(&capability).give_container(rows);
            });
            while let Some(first) = open.first_entry().filter(|first| !frontiers[0].less_equal(first.key())) {
                let (cut, (capability, tally)) = first.remove_entry();
                sums.session(&capability).give_iterator(tally.updates(cut));
            }
        }
    });
    (passed_stream, sums_stream)
}

/// What one worker has counted in one cut.
#[derive(Default)]
struct Tally(HashMap<PartitionId, HashMap<u64, Sum>>);

impl Tally {
    fn add(&mut self, rows: &RecordBatch, partition: &PartitionId, scratch: &mut Vec<u128>) {
        if !self.0.contains_key(partition) {
            self.0.insert(partition.clone(), HashMap::new());
        }
        let buckets = self.0.get_mut(partition).expect("it was just inserted");
        let source = hash::Source::new(&partition.to_string());
        // Rows lie close together: a bucket is looked up only when it changes.
        let (mut at, mut sum) = (0, Sum::default());
        hash::rows(rows, scratch, |offset, values| {
            let bucket = offset >> FINEST_LOG2;
            if bucket != at {
                *buckets.entry(at).or_default() += std::mem::take(&mut sum);
                at = bucket;
            }
            sum += Sum::row(source.row(offset, values));
        });
        *buckets.entry(at).or_default() += sum;
    }

    fn updates(self, cut: Position) -> impl Iterator<Item = Counted> {
        let bucket = |partition: &PartitionId, at: u64| Bucket { partition: partition.clone(), mebibyte: at };
        self.0.into_iter().flat_map(move |(partition, buckets)| {
            let counted = buckets.into_iter().filter(|(_, sum)| sum.rows > 0);
            counted.map(move |(at, sum)| ((bucket(&partition, at), ()), cut, sum)).collect::<Vec<_>>()
        })
    }
}

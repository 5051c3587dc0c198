//! `tally`: counts the rows on their way to a group, and adds up their checksums by table,
//! partition and range of offsets.
//!
//! Rows pass through unchanged. A group that already stands beyond a cut holds its rows: they are
//! not counted again, because `stage` drops them. When the frontier passes a cut, its sums go to
//! the collection of [`totals`](super::totals).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU64;

use arrow_array::RecordBatch;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::collect::Difference;
use super::hash;
use crate::position::Position;
use crate::protocol::names::TableId;
use crate::protocol::offsets::PartitionId;
use crate::protocol::sums::{Bucket, FINEST_LOG2, Sum};
use crate::routed::Routed;

/// What is counted on its way to a group.
pub trait Counted: Clone + 'static {
    /// The table that it goes to.
    fn table(&self) -> TableId;

    /// The partition of the source that it comes from.
    fn partition(&self) -> &PartitionId;

    /// Its rows, with the column [`hash::OFFSET`], as [`hash::rows`] takes them.
    fn rows(&self) -> Cow<'_, RecordBatch>;
}

impl Counted for Routed {
    fn table(&self) -> TableId {
        self.table
    }

    fn partition(&self) -> &PartitionId {
        &self.partition
    }

    fn rows(&self) -> Cow<'_, RecordBatch> {
        Cow::Borrowed(&self.rows)
    }
}

/// The rows of `group`, which stands at `held`, and the sums of those that it lacks: by buckets
/// and, if `fine` is given, by ranges of so many offsets within them.
///
/// Here, two rows from different ranges of a file. `shared::rows` stands for the first half of a
/// pipeline, as in the example of [`Routed`]:
///
/// ```
/// use lakefront_operators::position::Position;
/// use lakefront_operators::totals::tally;
/// use timely::dataflow::operators::capture::{Capture, Extract};
/// use timely::dataflow::operators::vec::Map;
/// # mod shared {
/// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples/shared.rs"));
/// # }
///
/// let env = shared::env();
/// let (rows, sums) = timely::execute_directly(move |worker| {
///     worker.dataflow(|scope| {
///         let rows = shared::rows(scope, &[5, 1_048_577], &env);
///         // The group holds nothing yet.
///         let (passed, sums) = tally(rows, "events", Position(0), None);
///         let sums = sums.map(|(((table, bucket), ()), _cut, sum)| {
///             (table.0, bucket.partition.name, bucket.range, sum.rows)
///         });
///         (passed.map(|routed| routed.rows.num_rows()).capture(), sums.capture())
///     })
/// });
/// assert_eq!(rows.extract(), [(Position(0), vec![2])]);
/// let (_cut, sums) = sums.extract().remove(0);
/// let file = || "a.log".to_owned();
/// assert_eq!(sums, [(0, file(), 0, 1), (0, file(), 1, 1)]);
/// ```
pub fn tally<'s, D: Counted>(
    rows: StreamVec<'s, Position, D>,
    group: &str,
    held: Position,
    fine: Option<NonZeroU64>,
) -> (StreamVec<'s, Position, D>, StreamVec<'s, Position, Difference>) {
    let mut builder = OperatorBuilder::new(format!("tally[{group}]"), rows.scope());
    let mut input = builder.new_input(rows, Pipeline);
    let (passed, passed_stream) = builder.new_output::<Vec<D>>();
    let (sums, sums_stream) = builder.new_output::<Vec<Difference>>();
    let mut passed = OutputBuilder::<_, CapacityContainerBuilder<Vec<D>>>::from(passed);
    let mut sums = OutputBuilder::<_, CapacityContainerBuilder<Vec<Difference>>>::from(sums);
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
                    for counted in rows.iter() {
                        tally.add(counted.table(), &counted.rows(), counted.partition(), fine, &mut scratch);
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
struct Tally(BTreeMap<TableId, OfTable>);

/// By partition, then by range and part.
type OfTable = HashMap<PartitionId, HashMap<(u64, u64), Sum>>;

impl Tally {
    fn add(
        &mut self,
        table: TableId,
        rows: &RecordBatch,
        partition: &PartitionId,
        fine: Option<NonZeroU64>,
        scratch: &mut Vec<u128>,
    ) {
        let of_table = self.0.entry(table).or_default();
        if !of_table.contains_key(partition) {
            of_table.insert(partition.clone(), HashMap::new());
        }
        let buckets = of_table.get_mut(partition).expect("it was just inserted");
        let source = hash::PartitionHash::new(&partition.to_string());
        // Rows lie close together: a bucket is looked up only when it changes.
        let (mut at, mut sum) = ((0, 0), Sum::default());
        hash::rows(rows, scratch, |offset, values| {
            let bucket = (offset >> FINEST_LOG2, fine.map_or(0, |width| offset / width));
            if bucket != at {
                *buckets.entry(at).or_default() += std::mem::take(&mut sum);
                at = bucket;
            }
            sum += Sum::row(source.row(offset, values));
        });
        *buckets.entry(at).or_default() += sum;
    }

    fn updates(self, cut: Position) -> impl Iterator<Item = Difference> {
        let partitions =
            |(table, of)| OfTable::into_iter(of).map(move |(partition, buckets)| (table, partition, buckets));
        self.0.into_iter().flat_map(partitions).flat_map(move |(table, partition, buckets)| {
            let counted = buckets.into_iter().filter(|(_, sum)| sum.rows > 0);
            counted.map(move |((range, part), sum)| {
                let bucket = Bucket { partition: partition.clone(), range, part };
                (((table, bucket), ()), cut, sum)
            })
        })
    }
}

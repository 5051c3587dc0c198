//! `totals`: adds up what all workers have counted in a cut, once the frontier has passed it.
//!
//! A differential collection whose records are buckets of tables and whose differences are
//! [`Sum`]s. It hands out each bucket of a cut once. It keeps no trace, because the groups' offsets
//! files are the trace of all cuts.

use differential_dataflow::difference::{IsZero, Semigroup};
use differential_dataflow::lattice::Lattice;
use differential_dataflow::operators::arrange::arrangement::arrange_core;
use differential_dataflow::trace::implementations::chunker::ContainerChunker;
use differential_dataflow::trace::implementations::{KeyBatcher, KeyBuilder, KeySpine};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;

use crate::position::Position;
use crate::protocol::names::TableId;
use crate::protocol::sums::{Bucket, Sum};

/// A bucket of one table.
pub(super) type Key = (TableId, Bucket);
/// Rows of a bucket, at the lower bound of their cut; paired with `()`, because an arrangement
/// needs a value.
pub type Difference = ((Key, ()), Position, Sum);
/// All rows of a bucket in a cut, at the cut's lower bound.
pub type Update = (Key, Position, Sum);

/// The sums of each cut on worker `home`, each bucket once.
///
/// ```
/// use lakefront_operators::position::Position;
/// use lakefront_operators::protocol::names::TableId;
/// use lakefront_operators::protocol::offsets::PartitionId;
/// use lakefront_operators::protocol::sums::{Bucket, Sum};
/// use lakefront_operators::totals::totals;
/// use timely::dataflow::operators::capture::{Capture, Extract};
/// use timely::dataflow::operators::vec::ToStream;
///
/// let bucket = Bucket { partition: PartitionId::first("a.log"), range: 0, part: 0 };
/// let key = (TableId(0), bucket);
/// // Two workers have counted rows of one bucket in the cut that begins at 0.
/// let counted = [Sum { rows: 2, checksum: 30 }, Sum { rows: 1, checksum: 12 }];
/// let differences = counted.map(|sum| ((key.clone(), ()), Position(0), sum));
/// let updates = timely::execute_directly(move |worker| {
///     worker.dataflow(|scope| totals(differences.to_stream(scope), "events", 0).capture())
/// });
/// let sum = Sum { rows: 3, checksum: 42 };
/// assert_eq!(updates.extract(), [(Position(0), vec![(key, Position(0), sum)])]);
/// ```
pub fn totals<'s>(
    counted: StreamVec<'s, Position, Difference>,
    group: &str,
    home: usize,
) -> StreamVec<'s, Position, Update> {
    let home = Exchange::new(move |_: &Difference| home as u64);
    let arranged = arrange_core::<
        _,
        _,
        ContainerChunker<_>,
        KeyBatcher<Key, Position, Sum>,
        KeyBuilder<Key, Position, Sum>,
        KeySpine<Key, Position, Sum>,
    >(counted, home, &format!("totals[{group}]"));
    arranged.as_collection(|key, ()| key.clone()).inner
}

impl IsZero for Sum {
    fn is_zero(&self) -> bool {
        *self == Sum::default()
    }
}

impl Semigroup for Sum {
    fn plus_equals(&mut self, other: &Sum) {
        *self += *other;
    }
}

/// Positions are totally ordered: join is the greater one, meet the lesser.
impl Lattice for Position {
    fn join(&self, other: &Position) -> Position {
        *self.max(other)
    }

    fn meet(&self, other: &Position) -> Position {
        *self.min(other)
    }
}

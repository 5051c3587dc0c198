//! Changes that cannot be made, because they keep a value that nobody has, as rejects.

use std::collections::BTreeMap;
use std::sync::Arc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

use super::REJECTS;
use super::reject::{self, Reject, Why};
use crate::fetch::Credit;
use crate::position::Position;
use crate::protocol::offsets::PartitionId;
use crate::routed::Routed;
use crate::run::metrics::Metrics;
use crate::sink::delta::upsert::{Gap, Merged};
use crate::source::kafka::kind::name_of;

/// The rejects of what a table's shards have made of its cuts.
pub fn gaps<'s>(merged: StreamVec<'s, Position, Merged>, metrics: Arc<Metrics>) -> StreamVec<'s, Position, Routed> {
    merged.unary::<CapacityContainerBuilder<Vec<Routed>>, _, _, _>(Pipeline, "gaps", |_capability, _info| {
        move |input, output| {
            input.for_each(|capability, merged| {
                let gaps = merged.drain(..).flat_map(|merged| merged.gaps);
                let gaps = gaps.inspect(|_| metrics.rejected(Why::ToastGap.word()));
                output.session(&capability).give_iterator(rejected(gaps).into_iter());
            });
        }
    })
}

/// The rejects, by partition.
fn rejected(gaps: impl Iterator<Item = Gap>) -> Vec<Routed> {
    let mut by_partition = BTreeMap::<PartitionId, Vec<Reject>>::new();
    for gap in gaps {
        let mut reject: Reject = serde_json::from_slice(&gap.origin).expect("our own JSON");
        let columns: Vec<String> = gap.columns.iter().map(|column| format!("{column:?}")).collect();
        reject.detail = format!(
            "PostgreSQL has not sent column {}, whose value did not change, and the table has no row of this key to \
             keep it from",
            columns.join(", ")
        );
        let partition = PartitionId { name: name_of(&reject.topic, reject.partition), generation: reject.generation };
        by_partition.entry(partition).or_default().push(reject);
    }
    let routed = |(partition, rejects): (PartitionId, Vec<Reject>)| Routed {
        table: REJECTS,
        rows: reject::rows(&rejects),
        partition,
        credit: Credit::none(),
        is_last: false,
    };
    by_partition.into_iter().map(routed).collect()
}

//! Looks at the first records of each partition, from the beginning or from where the lake stands.

use std::sync::Arc;

use lakefront_operators::error::Stop;
use lakefront_operators::events::{Met, survey};
use lakefront_operators::fetch::Reader;
use lakefront_operators::format::debezium::Decoder;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::last_rows::LastRows;
use lakefront_operators::protocol::offsets::PartitionId;
use lakefront_operators::protocol::supply::Supply;
use lakefront_operators::run::memory::Budget;
use lakefront_operators::source::kafka::kind::Standing;
use lakefront_operators::source::kafka::records::Records;
use lakefront_operators::source::kafka::sizes::Sizes;
use lakefront_operators::source::kafka::supply::{OnLoss, TopicSupply};

use super::{Changes, find};

/// Records of each partition that are looked at before the first run.
const FIRST: u64 = 500;

/// The tables of the first records of each partition.
pub(super) async fn first_records(changes: &Changes) -> Result<Met, Stop> {
    let sights = changes.watch().look().await?;
    let standing = Standing {
        offsets: Arc::new(changes.config.cold_start.offsets(&sights)),
        settings: Arc::new(changes.settings()),
        since: Position(0),
        last_rows: LastRows::default(),
    };
    let tables = find::known_tables(changes, Vec::new());
    let (mut met, mut decoder) = (Met::default(), Decoder::default());
    for (_, records) in next_records(changes, standing, FIRST).await? {
        met.add(survey(&records, &tables, &mut decoder));
    }
    Ok(met)
}

/// Up to so many records of each partition behind `standing`.
pub(super) async fn next_records(
    changes: &Changes,
    standing: Standing,
    most: u64,
) -> Result<Vec<(PartitionId, Records)>, Stop> {
    let sights = changes.watch().look().await?;
    let (partitions, sizes, settings) = (sights.len(), Arc::new(Sizes::default()), standing.settings.clone());
    let parts = changes.config.parts(1, 1);
    let budget = Budget::new(parts.usual(), parts);
    let reader = changes.reader(sizes.clone());
    let mut supply = TopicSupply::new(&[standing], sizes, changes.config.range(), OnLoss::Accept);
    supply.see(sights, 0);
    let mut all = Vec::new();
    for _ in 0..partitions {
        let Some(range) = supply.next(most, &settings) else { break };
        all.push((range.partition.clone(), reader.read(&range, &budget).await?.block));
    }
    Ok(all)
}

//! What somebody needs to know who writes into the hot tables as an ingester does.

use lakefront_operators::error::Stop;
use lakefront_operators::postgres::{self, Client, quoted};
use lakefront_operators::protocol::offsets_files::OffsetsFiles;
use lakefront_operators::source::postgres::{Flushes, HotTable};

use super::{Described, Flush, take};

/// The hot tables of a pipeline, and a session to write into them.
pub(crate) struct Ground {
    /// The session.
    pub(crate) client: Client,
    /// The tables that the pipeline flushes.
    pub(crate) tables: Vec<HotTable>,
    /// The place among them of the table up to whose highest number a flush goes.
    pub(crate) watermark: usize,
    /// The highest number that a table has, or was flushed up to.
    pub(crate) highest: Option<i64>,
}

impl Described {
    /// Looks at the hot tables, and at how far they were flushed. Nothing is written.
    pub(crate) async fn ground(self) -> anyhow::Result<Ground> {
        let flush = Flush::open(self).await?;
        let (table, column) = &flush.config.watermark;
        let watermark = flush.hot.iter().position(|hot| hot.name == *table && hot.sequence == *column);
        let watermark = watermark.ok_or_else(|| {
            Stop::Refused(format!(
                "source.watermark is {table:?} ({column:?}), which is none of the tables that are flushed, or not the column \
                 that numbers its rows: rows can be written only if it is"
            ))
        })?;
        let highest = flush.highest_flushed().await?.max(flush.highest_hot().await?);
        let client = postgres::connect(&flush.config.source, "lakefront generate").await?;
        Ok(Ground { client, tables: flush.hot, watermark, highest })
    }
}

impl Flush {
    async fn highest_flushed(&self) -> anyhow::Result<Option<i64>> {
        let Some((group, held)) = take::held(self).await? else { return Ok(None) };
        let recorded = OffsetsFiles::<Flushes>::read(&group, held).await?;
        Ok(recorded.standing.offsets.partitions.values().map(|mark| mark.watermark).max())
    }

    async fn highest_hot(&self) -> anyhow::Result<Option<i64>> {
        let client = postgres::connect(&self.config.source, "lakefront generate").await?;
        let mut highest = None;
        for table in &self.hot {
            let sql = format!("SELECT max({})::int8 FROM {}", quoted(&table.sequence), table.named());
            let row = client.query_one(&sql, &[]).await;
            let row = row.map_err(|e| postgres::failed(format!("look at table {:?}", table.name), e))?;
            highest = highest.max(row.get(0));
        }
        Ok(highest)
    }
}

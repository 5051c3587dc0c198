//! Rows that stay hot once the lake has them: of tables that are retained, and those that the gate
//! has not confirmed. What a run refuses of them before it writes anything.

use lakefront_operators::error::Stop;
use lakefront_operators::postgres::{self, quoted};
use lakefront_operators::protocol::offsets::PartitionId;
use lakefront_operators::protocol::offsets_files::OffsetsFiles;
use lakefront_operators::source::postgres::{Flushes, HotTable, Late};

use super::{Flush, take};
use crate::config::PgFlush;

/// Whether the rows of `table` stay hot once the lake has them.
pub(super) fn is_retained(config: &PgFlush, table: &HotTable) -> bool {
    config.tables.iter().flatten().any(|named| named.name == table.name && named.retain)
}

/// Refuses tables whose rows may stay hot, and that do not look for them in the lake although they
/// could: their rows would land again.
pub(super) fn refuse_doubles(config: &PgFlush, hot: &[HotTable], late: &[Late]) -> Result<(), Stop> {
    let stays = |table: &HotTable| config.downstream.is_some() || is_retained(config, table);
    let doubles = |(table, late): &(&HotTable, &Late)| **late != Late::Skip && !table.key.is_empty() && stays(table);
    let doubled: Vec<&str> = hot.iter().zip(late).filter(doubles).map(|(table, _)| &*table.name).collect();
    match doubled.is_empty() {
        true => Ok(()),
        false => Err(Stop::Refused(format!(
            "rows that stay in PostgreSQL, because of retain or [source.downstream], are told from rows that come back by \
             their primary key: that is late = \"skip\", but these tables have another: {}",
            doubled.join(", ")
        ))),
    }
}

/// Refuses a gate whose query is wrong. One that cannot be reached may be there later.
pub(super) async fn ask_gate(flush: &Flush) -> Result<(), Stop> {
    let Some(gate) = &flush.gate else { return Ok(()) };
    match gate.ask().await {
        Err(error) if !error.is_transient() => Err(error.into()),
        // Each flush asks again, and says what is wrong.
        _ => Ok(()),
    }
}

/// Refuses tables whose rows stayed hot and need not any more, if nothing would tell them from rows
/// that come back: they would land again.
pub(super) async fn refuse_forgotten(flush: &Flush) -> Result<(), Stop> {
    let Some((group, held)) = take::held(flush).await? else { return Ok(()) };
    let recorded = OffsetsFiles::<Flushes>::read(&group, held).await?;
    let marks = &recorded.standing.offsets.partitions;
    let session = flush.sessions.session().await?;
    for (table, what) in flush.hot.iter().zip(&flush.what) {
        let mark = marks.get(&PartitionId::first(&*table.name)).filter(|mark| mark.keeps);
        let Some(mark) = mark.filter(|_| !what.retain && what.late != Late::Skip) else { continue };
        let (named, column, mark) = (table.named(), quoted(&table.sequence), mark.watermark);
        let sql = format!("SELECT EXISTS (SELECT FROM {named} WHERE {column} <= {mark})");
        let row = session.query_one(&sql, &[]).await;
        let row = row.map_err(|e| postgres::failed(format!("look at the rows of table {:?}", table.name), e))?;
        if row.get(0) {
            return Err(Stop::Refused(format!(
                "rows of table {:?} up to {mark} have landed and stayed, and would land again, because it is neither \
                 retained any more nor skips what the lake has: go back to how it was, or delete them first, with \
                 DELETE FROM {named} WHERE {column} <= {mark}",
                table.name
            )));
        }
    }
    flush.sessions.give_back(session);
    Ok(())
}

//! What must be true of records: each since the base lies in exactly one table, once, and the log
//! has forgotten what all groups hold, and nothing else. A reader sees flushes as they are.

use std::collections::BTreeMap;

use lakefront_operators::protocol::names::TableId;

use crate::kind::SimKind;
use crate::records::log::REPLACED;
use crate::records::read::route;
use crate::records::{Records, Row};
use crate::world::World;

/// Returns the first rule of the outcome that does not hold.
pub(crate) fn check(w: &World<Records>) -> Result<(), String> {
    let found = found(w)?;
    for (uid, partition) in &w.source.partitions {
        for number in 0..partition.end() {
            let (row, at) = (Row { uid: *uid, number }, format!("record {number} of p{uid}"));
            let expected = w.lakes[0].base.is_before(&row);
            match found.get(&row) {
                None if expected => return Err(format!("LOST: {at} lies nowhere")),
                Some(table) if !tables_of(w, &row).any(|other| other == *table) => {
                    return Err(format!("MIS-ROUTED: {at} lies in table {}", table.0));
                }
                _ => {}
            }
        }
        if partition.forgotten < partition.end() {
            return Err(format!("KEPT: the log was not told that it may forget p{uid} from {}", partition.forgotten));
        }
    }
    Ok(())
}

/// The table of every row that has landed.
fn found(w: &World<Records>) -> Result<BTreeMap<Row, TableId>, String> {
    let mut found = BTreeMap::new();
    for (lake, (name, _)) in w.lakes.iter().zip(w.groups) {
        for (table, row) in lake.landed() {
            let at = format!("record {} of p{}", row.number, row.uid);
            if !lake.base.is_before(row) {
                return Err(format!("FOREIGN: {at} in {name} lies before the base"));
            }
            if found.insert(*row, table).is_some() {
                return Err(format!("DOUBLED: {at} lies in {name} again"));
            }
        }
        for (_, Row { uid, number }) in &lake.masked {
            let heir = Row { uid: *uid, number: number + REPLACED };
            if !lake.landed().any(|(_, row)| *row == heir) {
                return Err(format!("MASKED: record {number} of p{uid}, and nothing has taken its place"));
            }
        }
    }
    Ok(found)
}

/// The tables that a record may lie in, by the settings that runs have had.
fn tables_of(w: &World<Records>, row: &Row) -> impl Iterator<Item = TableId> {
    w.routes_used.iter().map(|routes| route(&Records::settings(*routes), row))
}

/// A commit shows whole flushes, where they are whole, and none from both sides of a boundary that
/// is forced.
pub(crate) fn may_appear(w: &World<Records>, group: usize, rows: &[Row]) -> Result<(), String> {
    let mut shown: BTreeMap<usize, usize> = BTreeMap::new();
    for row in rows {
        *shown.entry(w.source.partitions[&row.uid].flushes[row.number as usize]).or_default() += 1;
    }
    let (Some(first), Some(last)) = (shown.keys().next(), shown.keys().next_back()) else { return Ok(()) };
    if let Some(at) = (*first..*last).find(|flush| w.source.flushes[*flush].is_forced) {
        return Err(format!("JOINED: a reader sees rows from both sides of the end of flush {at} at once"));
    }
    for (at, count) in shown.into_iter().filter(|(at, _)| w.source.flushes[*at].is_whole) {
        if !w.routes_used.iter().any(|routes| rows_in(w, group, at, *routes) == count) {
            return Err(format!("HALVED: a reader sees a part of flush {at}"));
        }
    }
    Ok(())
}

/// How many rows a flush has in a group.
fn rows_in(w: &World<Records>, group: usize, flush: usize, routes: usize) -> usize {
    let settings = Records::settings(routes);
    let ranges = w.source.flushes[flush].ranges.iter();
    let rows = ranges.flat_map(|(uid, range)| range.clone().map(|number| Row { uid: *uid, number }));
    rows.filter(|row| w.layout.groups()[group].has(route(&settings, row))).count()
}

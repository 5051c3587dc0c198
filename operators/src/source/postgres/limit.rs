//! Up to which sequence a flush goes.

use tokio_postgres::Client;

use super::discover::HotTable;
use super::reach::Reach;
use crate::error::StoreError;
use crate::postgres::{self, Ask, quoted};

/// Into how many ranges of sequences rows are counted to find the limit.
const RANGES: i32 = 256;

/// The highest sequence at or below `highest` up to which `tables` have about `most` rows to copy:
/// at least the first range of sequences that has any.
pub(super) async fn limit(
    client: &Client,
    tables: &[(&HotTable, &Reach)],
    highest: i64,
    most: u64,
) -> Result<i64, StoreError> {
    let failed = |e| postgres::failed("count the rows that wait", e);
    let mut lowest = highest;
    for (table, reach) in tables {
        let column = quoted(&table.sequence);
        let waits = reach.copied(&column, highest);
        let sql = format!("SELECT min({column})::int8 FROM {} WHERE {waits}", table.named());
        let row = client.ask_one(&sql, &[]).await;
        lowest = row.map_err(failed)?.get::<_, Option<i64>>(0).unwrap_or(highest).min(lowest);
    }
    let width = width(lowest, highest);
    let mut counts = vec![0_u64; usize::try_from(RANGES).unwrap_or_default()];
    for (table, reach) in tables {
        let column = quoted(&table.sequence);
        let waits = reach.copied(&column, highest);
        let sql = format!(
            "SELECT (({column}::int8 - $1::int8) / $2::int8)::int8, count(*) FROM {} WHERE {waits} GROUP BY 1",
            table.named()
        );
        for row in client.ask(&sql, &[&lowest, &width]).await.map_err(failed)? {
            let (range, rows): (i64, i64) = (row.get(0), row.get(1));
            let range = usize::try_from(range).unwrap_or_default().min(counts.len() - 1);
            counts[range] += u64::try_from(rows).unwrap_or_default();
        }
    }
    Ok(end(&counts, lowest, width, most).min(highest))
}

/// How many sequences a range has.
fn width(lowest: i64, highest: i64) -> i64 {
    let span = highest.saturating_sub(lowest).saturating_add(1);
    span.saturating_add(i64::from(RANGES) - 1) / i64::from(RANGES)
}

/// The last sequence of the ranges that together have at most `most` rows.
fn end(counts: &[u64], lowest: i64, width: i64, most: u64) -> i64 {
    let (mut sum, mut end) = (0_u64, lowest - 1);
    for (range, rows) in (1_i64..).zip(counts) {
        if sum > 0 && sum + rows > most {
            break;
        }
        sum += rows;
        end = lowest.saturating_add(range.saturating_mul(width)) - 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_at_the_end_of_a_range() {
        assert_eq!(end(&[10, 10, 10], 100, 5, 25), 109);
        assert_eq!(end(&[10, 10, 10], 100, 5, 3), 104, "one range goes in any case");
        assert_eq!(end(&[0, 10, 10], 100, 5, 3), 109);
        assert_eq!(end(&[10, 10, 10], 100, 5, 1000), 114);
        assert_eq!(width(1, 256), 1);
        assert_eq!(width(1, 257), 2);
    }
}

//! A row that differs, and what to do.

use lakefront_operators::prove::{Difference, Odd, Proof, What};
use lakefront_operators::shown::one_line;

/// Names the row.
pub(super) fn named(difference: &Difference) -> String {
    let Difference { source, offset, item, key, flush, what, range, odd } = difference;
    let what = match what {
        Some(What::Missing) => "a row is missing",
        Some(What::Doubled) => "a row is there more than once",
        Some(What::Altered) => "a row was altered",
        Some(What::Unexpected) => "a row is there that is not in the source",
        None => "rows were counted differently",
    };
    // The name comes from the table, where anybody may have written anything.
    let source = source.as_deref().map(one_line);
    let item = item.map(|item| format!(", record {item}")).unwrap_or_default();
    let place = match (source, offset, range) {
        (Some(source), Some(offset), _) => format!("{source}:{offset}{item}"),
        (Some(source), None, Some([start, end])) => format!("{source}, between {start} and {end}"),
        (Some(source), None, None) => source.into_owned(),
        (None, ..) => "an unknown place".to_owned(),
    };
    let odd = match odd {
        Some(Odd::Table) if flush.is_some() => " (its commit and the totals agree, the table differs)",
        Some(Odd::Table) => " (source and totals agree, the table differs)",
        Some(Odd::Source) => " (totals and table agree, the source differs)",
        Some(Odd::Totals) => " (source and table agree, the totals differ)",
        None => "",
    };
    let key = key.iter().flatten().map(|(name, value)| format!("{} = {}", one_line(name), one_line(value)));
    let key = key.collect::<Vec<_>>().join(", ");
    let key = if key.is_empty() { key } else { format!(", key {key}") };
    let flush = flush.map(|flush| format!(", of flush {flush}")).unwrap_or_default();
    format!("{what}: {place}{key}{flush}{odd}")
}

/// What to do about the first row of `proof` that differs.
pub(super) fn advice(proof: &Proof, difference: &Difference) -> &'static str {
    match () {
        () if proof.flushed.is_some() => of_flushes(difference),
        () if proof.followed.is_some() => of_changes(difference),
        () => of_lines(difference),
    }
}

fn of_changes(difference: &Difference) -> &'static str {
    match (&difference.key, difference.what) {
        (None, _) => {
            "the lake has no such table: look in the rejects table for its events, which have a reason; if there are none, see \
             with lakefront doctor that the connector captures it, and that its snapshot is done"
        }
        (_, Some(What::Unexpected)) => {
            "either its delete has not come, or somebody has written it into the table (its history tells): insert the row with \
             this key in PostgreSQL and delete it again. If a slot was dropped or records were lost, other deletes are missing \
             too: land the topics anew"
        }
        (_, Some(What::Doubled)) => {
            "look at the table's history for a commit that is not lakefront's; update the row in PostgreSQL, so that its event \
             comes again. Do not restore an older version of the table: that takes away what has landed since. A table without \
             a key has such rows also if Debezium has written events again; delete one of the two with another tool"
        }
        _ => {
            "look in the rejects table for events of this key, which have a reason, and at the table's history for a commit that \
             is not lakefront's; once the reason is gone, update the row in PostgreSQL (UPDATE t SET c = c WHERE ...), so that \
             its event comes again. Of a column that was added with a default, or renamed, PostgreSQL sends nothing by itself. \
             To a table without a key, insert the row once more instead"
        }
    }
}

fn of_flushes(difference: &Difference) -> &'static str {
    match difference.odd {
        Some(Odd::Totals) => {
            "the flushes do not add up to their total; this is likely a bug in lakefront, please report it"
        }
        _ => {
            "look at the lake's snapshots and at the table's files for what is not DuckLake's doing, and put the files and the \
             catalog back from a backup of the same moment: what was flushed is in no other place"
        }
    }
}

fn of_lines(difference: &Difference) -> &'static str {
    if difference.source.is_none() && difference.what == Some(What::Unexpected) {
        return "look at the table's history to see who wrote them; to keep them, start the pipeline once with run --adopt";
    }
    match difference.odd {
        Some(Odd::Source) => {
            "the file was changed after it was read: look at its line there, and if it is wrong, put the old file back"
        }
        Some(Odd::Totals) => "rows and source agree; this is likely a bug in lakefront, please report it",
        Some(Odd::Table) | None => {
            "look at the table's history for a commit that is not lakefront's, and undo it with all runs stopped: RESTORE to the version \
             before it only if nothing has landed since, because rows landed since would be lost; otherwise put back a copy \
             of the table's whole folder"
        }
    }
}

//! What `prove` prints for people.

use lakefront_operators::prove::{Flushed, Lost, NotLanded, Other, Proof, Unverifiable};
use lakefront_operators::shown::one_line;

use super::advice::{advice, named};
use super::verdict::Verdict;

/// What was found, for people.
pub(super) fn text(pipeline: &str, proofs: &[Proof], verdict: Verdict) -> String {
    let mut text = format!("{}\n", verdict.told(pipeline, proofs));
    // What no table holds: one that is behind another may have no rows there.
    if let Some(NotLanded { bytes, files, first: Some(first) }) =
        proofs.iter().map(|proof| &proof.not_landed).min_by_key(|waits| waits.bytes)
    {
        let s = if *files == 1 { "" } else { "s" };
        let (first, hint) = (one_line(first), "a last line without a newline counts too");
        text.push_str(&format!(
            "  not landed yet, and not proved: {bytes} bytes of {files} file{s}, first {first} ({hint})\n"
        ));
    } else if verdict == Verdict::Nothing
        && proofs.iter().all(|proof| proof.flushed.is_none() && proof.followed.is_none())
    {
        text.push_str("  the source is empty too: check source.url\n");
    }
    for proof in proofs {
        let verdict = match (proof.is_ok(), proof.unverifiable.is_empty()) {
            (true, true) => "proved",
            (true, false) => "proved in part",
            (false, _) => "DIFFERS",
        };
        text.push_str(&format!(
            "  {}: {verdict}; position {}, version {}: {}\n",
            one_line(&proof.name),
            proof.position,
            proof.version.0,
            counted(proof)
        ));
        if let Some(difference) = &proof.first_difference {
            text.push_str(&format!("    first difference: {}\n", named(difference)));
            text.push_str(&format!("    what to do: {}\n", advice(proof, difference)));
        }
        text.push_str(&proof.flushed.as_ref().map(flushed).unwrap_or_default());
        text.push_str(&lost(&proof.lost, proof.flushed.is_some()));
        text.push_str(&company(proof));
        for Unverifiable { reason, source, bytes, rows: number } in &proof.unverifiable {
            let of = source.as_ref().map(|source| format!("{}: ", one_line(source))).unwrap_or_default();
            let reason = one_line(reason);
            let extent = match (&proof.flushed, &proof.followed, number) {
                (None, None, _) => format!(" ({bytes} bytes, {})", rows(*number)),
                (_, Some(_), 0) => String::new(),
                _ => format!(" ({})", rows(*number)),
            };
            text.push_str(&format!("    not verifiable: {of}{reason}{extent}\n"));
        }
    }
    text
}

/// How many rows each side has.
fn counted(proof: &Proof) -> String {
    let Proof { source_rows, totals_rows, lake_rows, .. } = proof;
    match &proof.followed {
        Some(followed) => {
            let more = if followed.differing_rows > 0 {
                format!("; {} differ", followed.differing_rows)
            } else {
                String::new()
            };
            format!("{source_rows} rows in PostgreSQL, {lake_rows} in the table, after {totals_rows} changes{more}")
        }
        None => {
            let source = if proof.flushed.is_some() { "by flushes" } else { "in the source" };
            format!("{source_rows} rows {source}, {totals_rows} in the totals, {lake_rows} in the table")
        }
    }
}

/// `number` with its noun, such as `1 row`.
pub(super) fn rows(number: u64) -> String {
    format!("{number} row{}", if number == 1 { "" } else { "s" })
}

/// What is hot, and what others have done to the rows of a lake.
fn flushed(of: &Flushed) -> String {
    let by = |author: &Option<String>| match author {
        Some(author) => format!("by {}", one_line(author)),
        None => "by whoever does not say".to_owned(),
    };
    let mut text = String::new();
    if of.hot_rows > 0 {
        let landed = match of.hot_landed {
            Some(landed @ 1..) => format!(", {landed} of them in the lake too"),
            _ => String::new(),
        };
        text.push_str(&format!("    still hot: {}{landed}\n", rows(of.hot_rows)));
    }
    let who = of.changed_by.iter().map(by).collect::<Vec<_>>().join(", ");
    let who = if who.is_empty() { "by others, whose snapshots have expired".to_owned() } else { who };
    // Nothing tells which of the replaced rows were ours.
    let least = if of.replaced_rows > 0 { "at least " } else { "" };
    for (what, least, number) in [("deleted", least, of.deleted_rows), ("changed", "", of.changed_rows)] {
        if number > 0 {
            text.push_str(&format!("    {what} since they landed: {least}{}, {who}\n", rows(number)));
        }
    }
    if of.replaced_rows > 0 {
        text.push_str(&format!("    replaced by later ones: {}\n", rows(of.replaced_rows)));
    }
    for foreign in &of.foreign {
        text.push_str(&format!("    also in the table: {} {}\n", rows(foreign.rows), by(&foreign.author)));
    }
    text
}

/// Files of the table that cannot be read.
fn lost(files: &[Lost], is_flushed: bool) -> String {
    let told = |Lost { path, rows: number, reason }: &Lost| {
        let held = number.map_or("an unknown number of rows".to_owned(), rows);
        format!("    a file is lost: {}: {}, it held {held}\n", one_line(path), one_line(reason))
    };
    let mut text: String = files.iter().map(told).collect();
    let back = "    what to do: put the file back from a backup of the table's folder";
    match is_flushed {
        _ if files.is_empty() => {}
        true => text.push_str(&format!("{back}: what was flushed is in no other place\n")),
        false => text.push_str(&format!("{back}, or land the source again into new tables\n")),
    }
    text
}

/// Rows of the table that are not this pipeline's.
fn company(proof: &Proof) -> String {
    let mut text = String::new();
    for Other { pipeline, source, rows: number, twice } in &proof.others {
        let (pipeline, source) = (one_line(pipeline), one_line(source));
        text.push_str(&format!("    also in the table: {} of pipeline {pipeline}, from {source}\n", rows(*number)));
        if let Some(file) = twice {
            let file = one_line(file);
            text.push_str(&format!(
                "    LANDED TWICE: {file}, by both pipelines\n    what to do: run only one of them, and land the source again into new tables\n"
            ));
        }
    }
    if proof.foreign_rows > 0 && proof.flushed.is_none() {
        text.push_str(&format!("    also in the table: {} that no pipeline has landed\n", rows(proof.foreign_rows)));
    }
    text
}

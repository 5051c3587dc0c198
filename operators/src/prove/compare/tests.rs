//! A renamed blob is no difference, any other change is.

use super::*;
use crate::format::logs::lines::{Account, Offsets, Standing};
use crate::format::logs::settings::{Destination, Envelope, Format, ROWS_VERSION, Roles, RowSettings, UnknownKeys};
use crate::position::Position;
use crate::protocol::document::Origin;
use crate::protocol::last_rows::LastRows;
use crate::protocol::sums::Totals;

/// A table whose partitions are all retired, with rows that add up to `retired`.
fn recorded(retired: Sum) -> Recorded {
    let (servers, sources) = (BTreeMap::new(), BTreeMap::new());
    let roles = Roles { primary: vec![], replica: vec![], default: Destination::Reject, servers, sources };
    let settings = RowSettings {
        rows_version: ROWS_VERSION,
        format: Format::Azure,
        max_line: 1,
        unknown_keys: UnknownKeys::Keep,
        zones: Default::default(),
        raw: RowSettings::usual_raw(),
        envelope: Envelope::None,
        roles,
        tables: vec![],
    };
    let totals = Totals { retired, ..Totals::default() };
    let word = |word: &str| word.to_owned();
    let (pipeline, source, role, lineage) = (word("p"), word("s"), word("primary"), word("l"));
    Recorded {
        origin: Origin { pipeline, source, root: None, role, genesis: Position(0), lineage, adopted: None },
        standing: Standing {
            offsets: <_>::default(),
            settings: settings.into(),
            since: Position(0),
            last_rows: LastRows::default(),
        },
        account: Account { tables: [("primary".to_owned(), totals)].into(), from: Offsets::default().into() },
        process: None,
    }
}

/// One row per blob: its name, and the row's checksum.
type Blobs<'b> = &'b [(&'b str, u128)];

fn is_renamed(read: Blobs<'_>, table: Blobs<'_>, there: Blobs<'_>) -> bool {
    let recorded = recorded(read.iter().map(|(_, row)| Sum::row(*row)).sum());
    let mut lake = Lake::default();
    table.iter().for_each(|(name, row)| lake.present.add(name, 7, *row));
    let piece = |(name, row): &(&str, u128)| ((PartitionId::first(*name), true), [(0, Sum::row(*row))].into());
    let source = there.iter().map(piece).collect();
    let extent = Extent { retired_are_there: true, ..Extent::default() };
    let foreign_sources = BTreeSet::new();
    let foreign = Sum::default();
    Evidence {
        recorded: &recorded,
        extent: &extent,
        source: &source,
        lake: &lake,
        foreign,
        foreign_sources: &foreign_sources,
    }
    .left_is_renamed()
}

#[test]
fn a_finished_blob_with_another_name_is_no_difference_and_any_other_change_is_one() {
    // A row's checksum covers the blob's name.
    let read = [("a", 1), ("b", 2)];
    assert!(is_renamed(&read, &read, &[("a", 1), ("archive/b", 3)]));
    assert!(!is_renamed(&read, &read, &read), "nothing differs");
    assert!(!is_renamed(&read, &read, &[("a", 1), ("b", 3)]), "the source was changed");
    assert!(!is_renamed(&read, &read, &[("a", 4), ("archive/b", 3)]), "one was renamed, another changed");
    assert!(!is_renamed(&read, &[("a", 1)], &[("a", 1), ("archive/b", 3)]), "the table lacks a row");
    assert!(!is_renamed(&read, &read, &[("a", 1), ("b", 2), ("c", 3)]), "a row never landed");
}

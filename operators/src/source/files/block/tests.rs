//! Long lines take turns, and give their memory back.

use std::sync::Arc;

use super::*;
use crate::format::logs::settings::RowSettings;
use crate::protocol::offsets::PartitionId;
use crate::source::files::file::FileSource;
use crate::source::files::identity::{Fingerprint, Identity};
use crate::source::files::needs::{Needs, READ_BEHIND};

const CHUNK: u64 = 1024;

fn settings(max_line: u64) -> Arc<RowSettings> {
    Arc::new(RowSettings { max_line, ..RowSettings::example() })
}

/// Reads the first chunk of a file that is one line of `length` bytes.
fn read_line(length: u64, max_line: u64, chunk_end: u64) -> (Block, bool) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("a");
    let length = usize::try_from(length).expect("a short file");
    std::fs::write(&path, [&b"x".repeat(length)[..], b"\n"].concat()).expect("a file");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    runtime.block_on(async {
        let reading = tokio::spawn(async move {
            let source = FileSource::open(path.to_str().expect("UTF-8")).expect("a source");
            let listed = source.list().await.expect("a listing").files.remove(0);
            let fingerprint = Fingerprint::of(b"x");
            let identity = Identity { created: listed.created, fingerprint, ..Identity::default() };
            let partition = PartitionId { name: listed.name, generation: 1 };
            let (limit, settings) = (listed.length, settings(max_line));
            let (start, end, line_start, catch_up) = (0, chunk_end, true, false);
            let chunk = Chunk { partition, identity, start, end, limit, line_start, settings, catch_up };
            let needs = Needs { workers: 1, tables: 1, chunk: CHUNK, in_flight: 1, max_line, uploads: 0 };
            let (block, turn) =
                read(&source, &chunk, &Budget::new(needs.parts().least(), needs.parts())).await.expect("read");
            (block, turn.is_some())
        });
        reading.await.expect("it does not panic")
    })
}

#[test]
fn a_line_that_goes_on_far_behind_its_chunk_has_a_turn_and_keeps_it() {
    let (block, turn) = read_line(READ_BEHIND / 2, 4 * READ_BEHIND, CHUNK);
    assert_eq!((block.bytes.len() as u64, turn), (READ_BEHIND / 2 + 1, false));
    let (block, turn) = read_line(3 * READ_BEHIND, 4 * READ_BEHIND, CHUNK);
    assert_eq!((block.bytes.len() as u64, turn), (3 * READ_BEHIND + 1, true));
}

#[test]
fn a_chunk_that_was_not_divided_has_a_turn() {
    let (block, turn) = read_line(3 * READ_BEHIND, 4 * READ_BEHIND, 3 * READ_BEHIND + 1);
    assert_eq!((block.bytes.len() as u64, turn), (3 * READ_BEHIND + 1, true));
}

#[test]
fn a_line_that_is_too_long_gives_back_its_turn_and_its_memory() {
    let (block, turn) = read_line(5 * READ_BEHIND, 2 * READ_BEHIND, CHUNK);
    assert!(!turn && block.bytes.is_empty());
    assert!(block.bytes.capacity() as u64 <= 2 * READ_BEHIND, "{}", block.bytes.capacity());
    assert_eq!(block.oversized.map(|reject| reject.length), Some(5 * READ_BEHIND));
}

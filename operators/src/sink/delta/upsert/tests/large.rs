//! Rows that are many, or large: what is in memory follows the changes, and no array overflows.

use super::Operation::{Insert, Update};
use super::Order;
use super::model::{Change, Truncation, changes};
use super::plain::change;
use super::world::World;
use crate::sink::delta::upsert::Changes;
use crate::sink::delta::upsert::shard::SLICE_BYTES;

/// Inserts of rows with notes of so many bytes.
fn inserts(ids: std::ops::Range<i64>, bytes: usize) -> Changes {
    changes(&ids.map(|id| change(id, &"large ".repeat(bytes / 6), Insert, 1)).collect::<Vec<_>>())
}

/// Updates of another column; the notes were not sent.
fn updates(ids: std::ops::Range<i64>) -> Vec<Change> {
    let update = |id| {
        let mut update = change(id, "__debezium_unavailable_value", Update, 2);
        (update.row.amount, update.unavailable) = (Some(1.0), [3].into());
        update
    };
    ids.map(update).collect()
}

/// How much more memory the process takes at most during `what`, in bytes; as Linux tells it.
async fn most_memory(what: impl Future<Output = u64>, wanted: u64) -> usize {
    let kept = |key: &str| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(key).map(str::to_owned)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    };
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = kept("VmRSS:");
    assert_eq!(what.await, wanted);
    kept("VmHWM:") - before
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slice_meets_as_many_rows_as_memory_has_room_for() {
    let mut world = World::new(1, true).await;
    let (rows, bytes) = (1_000, 60_000);
    let cut = world.staged(vec![inserts(0..rows, bytes)]).await;
    world.commit(cut).await;
    let counts = world.land(&updates(0..rows)).await;
    assert_eq!((counts.updated, counts.gaps), (rows as u64, 0));
    let slice = world.shards[0].slice;
    assert!((SLICE_BYTES / (bytes + 200)..=SLICE_BYTES / bytes).contains(&slice), "{slice} rows");
    assert!(world.rows().await.iter().all(|row| row.note.as_ref().map(String::len) == Some(bytes)));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes minutes and 5 GB of disk; run it with: cargo test --lib -- --ignored upsert"]
async fn more_text_than_an_array_can_have_is_changed_in_one_cut() {
    let mut world = World::new(1, true).await;
    let (rows, bytes) = (2_300, 1_000_000 / 6 * 6);
    let cut = world.staged((0..10).map(|part| inserts(part * 230..(part + 1) * 230, bytes)).collect()).await;
    assert_eq!(cut.counts().inserted, rows);
    world.commit(cut).await;
    let changes = updates(0..rows as i64);
    let update = most_memory(async { world.land(&changes).await.updated }, rows).await;
    let truncation = [Truncation { order: Order { partition: 0, offset: 3, lsn: 0 }, at: 3 }];
    let truncation = most_memory(async { world.truncate(&[], &truncation).await.truncated }, rows).await;
    assert!(update < 512 << 20 && truncation < 512 << 20, "{update} and {truncation} bytes");
    assert!(world.rows().await.is_empty());
}

//! What is planned in which order, and when cuts close and tables settle.

use super::*;
use crate::format::logs::lines::{Control, Retired};
use crate::plan::Feed;
use crate::protocol::cutter::{SETTLE_CUTS, SETTLE_MS};
use crate::protocol::last_rows::{Draw, LastRows};
use crate::protocol::names::GroupId;
use crate::source::files::feed::FileFeed;

mod catch_up;
mod retire;

const BOUNDS: Bounds = Bounds { work: 10, cut: 25, cut_ms: 1_000, ahead: 1_000 };

/// Settings that differ only in `max_line`.
fn settings(max_line: u64) -> Arc<RowSettings> {
    Arc::new(RowSettings { max_line, ..RowSettings::example() })
}

fn id(name: &str) -> PartitionId {
    PartitionId::first(name)
}

/// A standing at `offset` of one file, with the settings of `max_line`.
fn standing(offset: u64, max_line: u64) -> Standing {
    let at = Mark { offset, identity: Identity::default(), landed_tail: false, gone: false };
    Standing {
        offsets: Arc::new([(id("a"), at)].into_iter().collect::<Offsets>()),
        settings: settings(max_line),
        since: Position(0),
        last_rows: LastRows::default(),
    }
}

/// Offsets that stand at `offset` of one file.
fn at(name: &str, offset: u64) -> Offsets {
    [(id(name), Mark { offset, identity: Identity::default(), landed_tail: false, gone: false })].into_iter().collect()
}

fn limit(name: &str, end: u64) -> (PartitionId, Limit) {
    (id(name), Limit { end, identity: Identity::default(), landed_tail: false })
}

/// A planner over three tables that sees one file up to `end`.
fn planner(standings: [Standing; 3], bounds: Bounds, end: u64) -> Planner {
    let mut planner = Planner::new(&standings, settings(99), bounds);
    planner.supply_mut().limits([limit("a", end)]);
    planner
}

fn level(bounds: Bounds, end: u64) -> Planner {
    planner([standing(0, 1), standing(0, 1), standing(0, 1)], bounds, end)
}

/// A step in short: chunks by their range and settings, cuts by their bounds and settings.
fn short(step: Decision) -> String {
    match step {
        Decision::Work(c) => format!("chunk {} {}..{} by {}", c.partition, c.start, c.end, c.settings.max_line),
        Decision::Tell(Control::Cut(cut)) => format!("cut {}..{} by {}", cut.lower, cut.upper, cut.settings.max_line),
        Decision::Tell(Control::Settle(position)) => format!("settle {position}"),
        Decision::Wait(until) => format!("wait {until:?}"),
        Decision::Done => "done".to_owned(),
        Decision::Lost(lost) => format!("lost {}", lost.what.split(", and they").next().unwrap_or_default()),
    }
}

/// The next `count` steps at one moment, with credits for all.
fn steps(planner: &mut Planner, now_ms: u64, count: usize) -> Vec<String> {
    (0..count).map(|_| short(planner.next(now_ms, true))).collect()
}

/// Whether what comes next shares a credit with `bytes` that were handed out for it.
fn completes(planner: &Planner, bytes: u64) -> bool {
    let room = planner.bounds().work.saturating_sub(bytes);
    planner.is_fresh() && FileFeed::is_small(planner.supply(), room, room)
}

#[test]
fn bytes_become_chunks_and_chunks_become_cuts() {
    let mut planner = level(BOUNDS, 30);
    let planned = steps(&mut planner, 5, 6);
    assert_eq!(
        planned,
        [
            "chunk a 0..10 by 99",
            "chunk a 10..20 by 99",
            "chunk a 20..25 by 99",
            "cut 0..25 by 99",
            "chunk a 25..30 by 99",
            "wait Some(1005)",
        ]
    );
}

#[test]
fn what_is_left_of_a_file_completes_a_chunk_if_it_fits_and_nothing_is_behind_it() {
    let mut planner = level(BOUNDS, 12);
    planner.supply_mut().limits([limit("b", 8)]);
    assert!(!completes(&planner, 0), "a file of 12 bytes is longer than a chunk");
    steps(&mut planner, 0, 1);
    assert!(completes(&planner, 8) && !completes(&planner, 9), "2 bytes are left of the first file");
    steps(&mut planner, 0, 1);
    assert!(completes(&planner, 2) && !completes(&planner, 3), "8 bytes of the second");
    steps(&mut planner, 0, 1);
    assert!(!completes(&planner, 0), "nothing is left");
    planner.supply_mut().limits([limit("c", 1)]);
    planner.finish();
    assert!(!completes(&planner, 0), "no new chunk is handed out any more");

    let catching_up = self::planner([standing(5, 1), standing(8, 1), standing(8, 1)], BOUNDS, 9);
    assert!(!completes(&catching_up, 0), "a table that lags is brought level first");
}

#[test]
fn the_end_of_the_source_is_where_planning_would_end() {
    let mut planner = level(BOUNDS, 30);
    planner.supply_mut().limits([limit("b", 12)]);
    assert_eq!(planner.supply_mut().source_end(), Position(42));
    steps(&mut planner, 0, 7);
    assert_eq!((planner.position(), planner.supply_mut().source_end()), (Position(42), Position(42)));
    planner.supply_mut().limits([limit("a", 33)]);
    assert_eq!(planner.supply_mut().source_end(), Position(45));
}

#[test]
fn data_is_handed_out_at_the_lower_bound_of_the_open_cut() {
    let mut planner = level(BOUNDS, 30);
    steps(&mut planner, 0, 2);
    assert_eq!((planner.time(), planner.position()), (Position(0), Position(20)));
    steps(&mut planner, 0, 2);
    assert_eq!((planner.time(), planner.position()), (Position(25), Position(25)));
}

#[test]
fn without_a_credit_nothing_is_handed_out_but_cuts_close_in_time() {
    let mut planner = level(BOUNDS, 30);
    assert_eq!(short(planner.next(0, false)), "wait None");
    steps(&mut planner, 7, 1);
    assert_eq!(short(planner.next(8, false)), "wait Some(1007)");
    assert_eq!(short(planner.next(1_007, false)), "cut 0..10 by 99");
}

#[test]
fn tables_without_rows_are_settled_after_some_cuts_or_some_time() {
    let mut planner = level(Bounds { cut: 10, ..BOUNDS }, 100);
    let planned = steps(&mut planner, 0, 9);
    assert_eq!(planned[8], "settle 40", "after {SETTLE_CUTS} cuts: {planned:?}");

    let mut planner = level(Bounds { cut: 10, ..BOUNDS }, 10);
    assert_eq!(steps(&mut planner, 0, 3), ["chunk a 0..10 by 99", "cut 0..10 by 99", "wait Some(30000)"]);
    assert_eq!(steps(&mut planner, SETTLE_MS, 2), ["settle 10", "wait None"]);
}

#[test]
fn at_the_ahead_bound_the_cut_closes_and_the_tables_settle() {
    let mut planner = level(Bounds { ahead: 15, ..BOUNDS }, 100);
    let planned = steps(&mut planner, 0, 5);
    assert_eq!(planned, ["chunk a 0..10 by 99", "chunk a 10..15 by 99", "cut 0..15 by 99", "settle 15", "wait None"]);
    planner.acknowledged(Position(15));
    assert_eq!(steps(&mut planner, 0, 1), ["chunk a 15..25 by 99"]);
}

#[test]
fn shutdown_closes_and_settles_and_hands_out_nothing_more() {
    let mut planner = level(BOUNDS, 100);
    steps(&mut planner, 0, 1);
    planner.finish();
    assert_eq!(steps(&mut planner, 0, 4), ["cut 0..10 by 99", "settle 10", "done", "done"]);
}

#[test]
fn files_are_planned_whether_or_not_others_have_bytes_left() {
    let mut planner = level(BOUNDS, 5);
    planner.supply_mut().limits([limit("b", 5), limit("empty", 0)]);
    assert_eq!(steps(&mut planner, 0, 2), ["chunk a 0..5 by 99", "chunk b 0..5 by 99"]);
    assert!(planner.is_exhausted());
    planner.supply_mut().limits([limit("a", 6)]);
    assert_eq!(steps(&mut planner, 0, 1), ["chunk a 5..6 by 99"]);
}

#[test]
fn a_last_line_without_newline_is_not_divided() {
    // Wherever it starts, because it is at most `max_line` bytes long.
    let tail = (id("a"), Limit { end: 30, identity: Identity::default(), landed_tail: true });
    let mut planner = Planner::new(&[standing(0, 12)], settings(12), BOUNDS);
    planner.supply_mut().limits([tail]);
    let planned = steps(&mut planner, 0, 2);
    assert_eq!(planned, ["chunk a 0..10 by 12", "chunk a 10..30 by 12"]);
}

#[test]
fn behind_a_landed_tail_a_line_starts() {
    let mut planner = Planner::new(&[standing(0, 1)], settings(99), BOUNDS);
    planner.supply_mut().limits([(id("a"), Limit { end: 5, identity: Identity::default(), landed_tail: true })]);
    let mut line_starts = Vec::new();
    for end in [5, 9, 12] {
        planner.supply_mut().limits((end > 5).then(|| limit("a", end)));
        let Decision::Work(chunk) = planner.next(0, true) else { panic!("bytes are missing") };
        line_starts.push((chunk.start, chunk.line_start));
    }
    assert_eq!(line_starts, [(0, true), (5, true), (9, false)]);
}

#[test]
fn a_copy_in_the_place_of_a_file_and_its_end_are_recorded_with_the_next_cut() {
    let mut planner = level(BOUNDS, 10);
    steps(&mut planner, 0, 1);
    let copied = Identity { created: "copy".into(), ..Identity::default() };
    planner.supply_mut().limits([(id("a"), Limit { identity: copied.clone(), ..limit("a", 10).1 }), limit("b", 10)]);
    let second = PartitionId { generation: 2, ..id("a") };
    planner.supply_mut().limits([(second.clone(), limit("a", 0).1)]);
    let mut now_ms = 0;
    let mut cut = |planner: &mut Planner| loop {
        now_ms += BOUNDS.cut_ms;
        planner.acknowledged(planner.position());
        if let Decision::Tell(Control::Cut(cut)) = planner.next(now_ms, true) {
            return cut.offsets.partitions.clone();
        }
    };
    let recorded = cut(&mut planner);
    assert_eq!((recorded[&id("a")].offset, &recorded[&id("a")].identity), (10, &copied));
    assert_eq!(recorded[&second].offset, 0, "so that a later run knows of the first");
    assert_eq!(planner.supply_mut().gone(&id("a")), 0);
    planner.supply_mut().limits([limit("b", 20)]);
    assert!(cut(&mut planner)[&id("a")].gone);
    planner.supply_mut().limits([(id("a"), Limit { identity: copied, ..limit("a", 10).1 }), limit("b", 30)]);
    assert!(!cut(&mut planner)[&id("a")].gone, "it is back");
}

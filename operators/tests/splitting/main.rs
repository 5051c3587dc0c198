//! Any bytes, cut anywhere: the lines of all chunks are the lines of the file, each once, as a
//! naive splitter finds them.
//!
//! The real watcher finds the limits of growing files, the real planner cuts them, and the chunks
//! are read in any order and split. The naive splitter sees whole files and shares no code with
//! that path.

#![allow(clippy::unwrap_used, reason = "tests may")]

mod drive;
mod naive;

use std::collections::BTreeMap;

use drive::{Growth, Plan, drive, from};
use lakefront_operators::protocol::cutter::Bounds;
use lakefront_operators::protocol::offsets::PartitionId;
use lakefront_operators::source::files::watch::Unterminated;
use proptest::prelude::*;

/// Pieces that make up torn, blank, marked and whole lines.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => Just(b"\n".to_vec()),
        2 => Just(b"\r\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => Just(b"\xef\xbb\xbf".to_vec()),
        1 => Just(b" \t".to_vec()),
        1 => Just(b"\0\0".to_vec()),
        1 => Just(b"\x11\x03".to_vec()),
        1 => Just(b"\xff".to_vec()),
        3 => Just(br#"{"a":1}"#.to_vec()),
        4 => prop::collection::vec(b'a'..b'd', 1..20),
    ]
}

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(piece(), 0..30).prop_map(|pieces| pieces.concat())
}

/// Some files, and what each grows by at each poll.
fn growth() -> impl Strategy<Value = Growth> {
    prop::collection::vec(prop::collection::vec(pieces(), 1..4), 1..4)
        .prop_map(|files| files.into_iter().enumerate().map(|(n, polls)| (format!("file-{n}"), polls)).collect())
}

fn plan() -> impl Strategy<Value = Plan> {
    let ahead = prop_oneof![1_u64..80, Just(u64::MAX)];
    (1_u64..64, 1_u64..200, ahead, 8_u64..40, any::<bool>(), any::<u64>()).prop_map(
        |(chunk, cut_bytes, ahead, max_line, land, order)| Plan {
            bounds: Bounds { work: chunk, cut: cut_bytes, cut_ms: 50, ahead },
            max_line,
            unterminated: if land { Unterminated::Land { max_line } } else { Unterminated::Leave },
            order,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn lines_are_the_same_however_the_files_are_cut(growth in growth(), plan in plan()) {
        let driven = drive(&growth, &plan);
        prop_assert_eq!(driven.found, naive::lines(&growth, &plan));
    }

    #[test]
    fn tables_that_lag_get_the_same_lines(growth in growth(), plan in plan(), lag in prop::collection::vec(any::<prop::sample::Index>(), 1..4)) {
        // Given positions at which tables stood when a run died (a run that lands tails polls
        // once),
        let growth = match plan.unterminated {
            Unterminated::Leave => growth,
            Unterminated::Land { .. } => growth.into_iter().map(|(file, polls)| (file, vec![polls.concat()])).collect(),
        };
        let driven = drive(&growth, &plan);
        let mut standings = driven.standings.clone();
        standings.sort_by_key(|standing| standing.position());
        let stood: Vec<_> = lag.iter().map(|index| standings[index.index(standings.len())].clone()).collect();
        let lowest = stood.iter().min_by_key(|standing| standing.position()).unwrap();
        // when the next run plans from there, and reads the chunks in another order,
        let again = from(&stood, &growth, &Plan { order: !plan.order, ..plan.clone() });
        // then it finds just the lines that start behind the lowest position, and passes every
        // other position on the way.
        let behind = |found: &naive::Found| found.offset >= lowest.offsets.at(&PartitionId::first(&found.file));
        prop_assert_eq!(again.found, driven.found.into_iter().filter(behind).collect::<Vec<_>>());
        for standing in stood.iter().filter(|standing| standing.position() > lowest.position()) {
            prop_assert!(again.standings.contains(standing), "no cut ends at {}", standing.position());
        }
    }
}

/// One file that is complete at once.
fn whole(bytes: &[u8]) -> Growth {
    BTreeMap::from([("file".to_owned(), vec![bytes.to_vec()])])
}

fn plan_of(chunk: u64, max_line: u64) -> Plan {
    let bounds = Bounds { work: chunk, cut: 1000 * chunk, cut_ms: 1000, ahead: u64::MAX };
    Plan { bounds, max_line, unterminated: Unterminated::Leave, order: 1 }
}

#[test]
fn a_line_longer_than_several_chunks_is_found_once() {
    let growth = whole(b"ab\nabcdefghijklmnopqrstuvwxyz\nc\n");
    let driven = drive(&growth, &plan_of(4, 100));
    assert_eq!(driven.texts(), ["ab", "abcdefghijklmnopqrstuvwxyz", "c"]);
}

#[test]
fn a_line_of_max_line_is_a_row_and_one_byte_more_is_a_reject() {
    for chunk in [1, 3, 8, 64] {
        let growth = whole(b"12345678\n123456789\n1234567\r\n12345678\r\n1\n");
        let driven = drive(&growth, &plan_of(chunk, 8));
        assert_eq!(driven.texts(), ["12345678", "1234567", "1"]);
        assert_eq!(driven.rejects(), [(9, 9), (28, 9)], "offset and length; a carriage return counts");
        assert_eq!(driven.found, naive::lines(&growth, &plan_of(chunk, 8)));
    }
}

#[test]
fn a_huge_line_is_measured_and_kept_by_its_first_bytes() {
    // Around the length that is kept, and around the steps in which the end of a line is searched.
    for length in [16 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 200_000, 3 << 20] {
        let growth = whole(&[b"a\n", &vec![b'x'; length][..], b"\nb\n"].concat());
        for (chunk, max_line) in [(7000, 40), (100_000, 70_000), (1 << 22, 64 * 1024)] {
            let plan = plan_of(chunk, max_line);
            assert_eq!(drive(&growth, &plan).found, naive::lines(&growth, &plan), "{length} bytes, {plan:?}");
        }
    }
}

#[test]
fn a_landed_tail_is_a_line_and_what_grows_behind_it_starts_another() {
    let polls = [&b"a\n{\"b\":1}"[..], b"{\"c\":1}", b"\nd\n", b"torn"];
    let growth = BTreeMap::from([("file".to_owned(), polls.map(<[u8]>::to_vec).to_vec())]);
    for chunk in [1, 2, 5, 64] {
        let plan = Plan { unterminated: Unterminated::Land { max_line: 100 }, ..plan_of(chunk, 100) };
        assert_eq!(drive(&growth, &plan).texts(), ["a", "{\"b\":1}", "{\"c\":1}", "d"]);
    }
}

#[test]
fn without_leave_to_land_it_the_tail_waits_for_its_newline() {
    let polls = [&b"a\n{\"b\":"[..], b"1}", b"\n{\"c\":1}"];
    let growth = BTreeMap::from([("file".to_owned(), polls.map(<[u8]>::to_vec).to_vec())]);
    assert_eq!(drive(&growth, &plan_of(3, 100)).texts(), ["a", "{\"b\":1}"]);
}

#[test]
fn a_run_that_died_while_it_landed_a_tail_loses_nothing_behind_it() {
    let mut plan = Plan { unterminated: Unterminated::Land { max_line: 100 }, ..plan_of(2, 100) };
    plan.bounds.cut = 2;
    for stood in drive(&whole(b"a\n{\"b\":1}"), &plan).standings {
        let texts: &[&str] = match stood.position().0 {
            0 => &["a", "{\"b\":1}{\"c\":1}"],
            9 => &["{\"c\":1}"],
            inside => panic!("a table stands inside what is landed as one, at {inside}"),
        };
        let grown = whole(b"a\n{\"b\":1}{\"c\":1}\n");
        assert_eq!(from(&[stood], &grown, &plan).texts(), texts);
    }
}

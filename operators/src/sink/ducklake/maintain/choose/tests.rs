//! Files that never were, by their numbers of rows.

use super::*;

fn small(id: i64, rows: i64) -> Small {
    let (path, values) = (format!("{id}.parquet"), Vec::new());
    let (snapshots, row_id) = ((id, id), Some(0));
    Small { id, table: 1, path, snapshots, rows, bytes: 1000 + rows, row_id, partition: None, values }
}

fn ids(chosen: &[Vec<Small>]) -> Vec<Vec<i64>> {
    chosen.iter().map(|files| files.iter().map(|file| file.id).collect()).collect()
}

#[test]
fn files_of_one_rank_become_one() {
    assert!(choose((0..7).map(|id| small(id, 1)).collect()).is_empty(), "too few");
    assert_eq!(ids(&choose((0..8).map(|id| small(id, 7)).collect())), [(0..8).collect::<Vec<_>>()]);
    // Seven of one rank and seven of the next, in turns.
    assert!(choose((0..14).map(|id| small(id, 7 + id % 2)).collect()).is_empty());
    // Eight of each.
    let chosen = choose((0..16).map(|id| small(id, 7 + id % 2)).collect());
    assert_eq!(ids(&chosen), [(0..8).map(|i| 2 * i).collect::<Vec<_>>(), (0..8).map(|i| 2 * i + 1).collect()]);
}

#[test]
fn tables_partitionings_and_values_are_kept_apart() {
    let eight = |change: fn(&mut Small)| {
        let mut files: Vec<Small> = (0..8).map(|id| small(id, 1)).collect();
        change(&mut files[3]);
        choose(files).is_empty()
    };
    assert!(!eight(|_| {}));
    assert!(eight(|file| file.table = 2));
    assert!(eight(|file| file.partition = Some(3)));
    assert!(eight(|file| file.values = vec![None]));
    assert!(eight(|file| file.values = vec![Some("a".to_owned())]));
    assert!(eight(|file| file.bytes = LARGE));
    assert!(eight(|file| file.rows = 0));
}

#[test]
fn what_becomes_one_is_bounded() {
    let chosen = choose((0..300).map(|id| small(id, 1)).collect());
    assert_eq!(chosen.iter().map(Vec::len).collect::<Vec<_>>(), [256, 44]);
    let heavy = |id| Small { bytes: LARGE - 1, ..small(id, 1) };
    let chosen = choose((0..20).map(heavy).collect());
    assert_eq!(chosen.iter().map(Vec::len).collect::<Vec<_>>(), [8, 8]);
}

/// Flushes of any size, with a merge now and then: how often a row is written anew, and how many
/// small files stay, are logarithms of what there is.
#[test]
fn work_and_files_are_bounded() {
    let (mut files, mut rewritten, mut total, mut size) = (Vec::<Small>::new(), 0, 0, 1_u64);
    for id in 0..5000 {
        size = size.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let rows = 1 + (size >> 40).cast_signed() % 100;
        total += rows;
        files.push(small(id, rows));
        if id % 6 != 0 {
            continue;
        }
        loop {
            let chosen = choose(files.clone());
            if chosen.is_empty() {
                break;
            }
            for sources in chosen {
                let rows: i64 = sources.iter().map(|file| file.rows).sum();
                assert!(sources.iter().all(|file| rank(file.rows) < rank(rows)), "the rank rises");
                rewritten += rows;
                files.retain(|file| !sources.contains(file));
                files.push(Small { id: sources[0].id, ..small(10_000 + id, rows) });
            }
        }
        let ranks = usize::try_from(rank(total)).expect("a small number") + 1;
        assert!(files.len() <= FEW * ranks, "{} files of {total} rows", files.len());
    }
    assert!(rewritten <= total * i64::from(rank(total) + 1), "{rewritten} rows were rewritten of {total}");
    assert!(total > 100_000 && rewritten > total);
}

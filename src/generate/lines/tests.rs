//! A seed makes the same log everywhere.

use super::*;

fn log(format: FormatArg, seed: u64) -> (Vec<u8>, Tally) {
    let mut lines = Lines::new(format, false, 0.01, seed);
    let mut out = Vec::new();
    (0..2_000).for_each(|_| lines.append(&mut out, Author::Primary));
    (out, lines.tally)
}

#[test]
fn a_seed_makes_one_log() {
    for format in [FormatArg::Azure, FormatArg::Jsonlog] {
        let (once, again, other) = (log(format, 7), log(format, 7), log(format, 8));
        assert!(once == again && once.0 != other.0);
        let Tally { bytes, lines, primary, replica, .. } = once.1;
        assert_eq!((bytes, lines), (once.0.len() as u64, 2_000));
        assert_eq!(primary + replica + once.1.rejected(), lines);
    }
}

#[test]
fn the_bytes_are_the_same_everywhere() {
    // If these numbers change, so does every file that was ever measured with.
    let digest = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
    };
    assert_eq!(
        [FormatArg::Azure, FormatArg::Jsonlog].map(|format| digest(&log(format, 1).0)),
        [1_372_712_600_431_934_079, 13_575_554_149_721_570_767]
    );
}

#[test]
fn an_hour_has_room_for_its_lines() {
    let mut lines = Lines::new(FormatArg::Azure, false, 0.0, 1);
    lines.begin_hour(3, 4 << 30);
    assert!(lines.pace * 3600 * 250 > 4 << 30);
}

//! An endless log, line by line, and the count of what was written.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::azure::Azure;
use super::jsonlog::Jsonlog;
use super::random::{Chance, Random};
use super::spoil::{self, Fault};
use crate::cli::FormatArg;
use crate::moment::Second;

/// Lines per second, so that 1 GiB is an hour of a busy server.
const PACE: u64 = 380;
/// The last line of a second is written before its last millisecond, because an envelope's time is
/// one later.
const MILLISECONDS: u64 = 998;

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) lines: u64,
    /// Lines that become rows of the primary's table, and of the replicas'.
    pub(super) primary: u64,
    pub(super) replica: u64,
    /// Lines that become rejects, by reason.
    pub(super) rejects: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub(super) fn rejected(&self) -> u64 {
        self.rejects.values().sum()
    }

    pub(super) fn json(&self) -> Value {
        let tables = json!({"primary": self.primary, "replica": self.replica, "rejects": self.rejected()});
        json!({"files": self.files, "bytes": self.bytes, "lines": self.lines, "tables": tables, "rejects": self.rejects})
    }

    pub(super) fn text(&self) -> String {
        let Tally { files, bytes, lines, primary, replica, .. } = self;
        let mut text = format!("{lines} lines in {files} files, {bytes} bytes: primary {primary}, replica {replica}, ");
        text.push_str(&format!("rejects {}\n", self.rejected()));
        for (reason, count) in &self.rejects {
            text.push_str(&format!("  {reason:<20} {count}\n"));
        }
        text
    }
}

/// The kind of server that wrote a file of `jsonlog`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    Primary,
    Replica,
}

/// The lines of one log, in which time advances.
pub(super) struct Lines {
    format: FormatArg,
    rejects: Chance,
    random: Random,
    azure: Azure,
    jsonlog: Jsonlog,
    second: Second,
    /// Lines of this second so far, and how many a second has.
    written: u64,
    pace: u64,
    line: Vec<u8>,
    pub(super) tally: Tally,
}

impl Lines {
    pub(super) fn new(format: FormatArg, app_keys: bool, rejects: f64, seed: u64) -> Lines {
        let mut random = Random::new(seed);
        Lines {
            format,
            rejects: Chance::new(rejects),
            azure: Azure::new(app_keys, &mut random),
            jsonlog: Jsonlog::new(&mut random),
            random,
            second: Second::of_hour(0),
            written: 0,
            pace: PACE,
            line: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Moves to the start of the `n`th hour, which must have room for `bytes`.
    pub(super) fn begin_hour(&mut self, n: u64, bytes: u64) -> &Second {
        // The average line is longer than this.
        const SHORT: u64 = 250;
        (self.second, self.written, self.pace) = (Second::of_hour(n), 0, PACE.max(bytes / SHORT / 3600 + 1));
        &self.second
    }

    /// Appends a line with its newline. An `azure` line names its server, so `author` does not
    /// matter there.
    pub(super) fn append(&mut self, out: &mut Vec<u8>, author: Author) {
        if self.written == self.pace {
            (self.second, self.written) = (self.second.next(), 0);
        }
        let ms = u32::try_from(self.written * MILLISECONDS / self.pace).expect("it is below a second");
        self.written += 1;
        let before = out.len();
        let bad = self.rejects.happens(&mut self.random);
        self.line.clear();
        let into = if bad { &mut self.line } else { &mut *out };
        let primary = match self.format {
            FormatArg::Azure => self.azure.line(into, &self.second, ms, &mut self.random),
            FormatArg::Jsonlog => {
                self.jsonlog.line(into, author == Author::Primary, &self.second, ms, &mut self.random);
                author == Author::Primary
            }
        };
        if bad {
            let line = std::str::from_utf8(&self.line).expect("it is made of text");
            let fault = Fault::any(self.format, &mut self.random);
            out.extend_from_slice(&spoil::spoiled(line, self.format, fault, &mut self.random));
            *self.tally.rejects.entry(fault.reason().as_str()).or_default() += 1;
        } else if primary {
            self.tally.primary += 1;
        } else {
            self.tally.replica += 1;
        }
        out.push(b'\n');
        self.tally.lines += 1;
        self.tally.bytes += (out.len() - before) as u64;
    }
}

#[cfg(test)]
mod tests {
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
}

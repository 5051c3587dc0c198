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
mod tests;

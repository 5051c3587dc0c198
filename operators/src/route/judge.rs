//! Stops a run whose lines are mostly rejects.

use std::collections::VecDeque;

use crate::error::Stop;

/// The window over which rejects are judged, in lines.
const WINDOW: usize = 10_000;

/// Counts rejects among the last lines that one worker has seen. It judges only full windows, so that a few bad lines at
/// the beginning of a file stop nobody.
pub struct RatioJudge {
    ratio: f64,
    /// Chunk by chunk: lines, and rejects among them.
    window: VecDeque<(usize, usize)>,
    lines: usize,
    rejects: usize,
}

impl RatioJudge {
    /// Stops above `ratio`, 0 to 1.
    pub fn new(ratio: f64) -> Self {
        RatioJudge { ratio, window: VecDeque::new(), lines: 0, rejects: 0 }
    }

    /// Takes a chunk's lines into the window.
    pub fn judge(&mut self, lines: usize, rejects: usize) -> Result<(), Stop> {
        self.window.push_back((lines, rejects));
        self.lines += lines;
        self.rejects += rejects;
        while let Some(&(lines, rejects)) = self.window.front().filter(|(lines, _)| self.lines - lines >= WINDOW) {
            self.window.pop_front();
            self.lines -= lines;
            self.rejects -= rejects;
        }
        if self.lines >= WINDOW && self.rejects as f64 > self.ratio * self.lines as f64 {
            return Err(Stop::RejectRatio { rejected: self.rejects as u64, of: self.lines as u64, ratio: self.ratio });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_is_not_full_stops_nobody() {
        let mut judge = RatioJudge::new(0.5);
        assert!(judge.judge(9_999, 9_999).is_ok());
        assert!(judge.judge(1, 0).is_err(), "now it is full");
    }

    #[test]
    fn old_rejects_leave_the_window() {
        let mut judge = RatioJudge::new(0.5);
        assert!(judge.judge(5_000, 5_000).is_ok());
        assert!(judge.judge(5_000, 0).is_ok(), "exactly half is allowed");
        assert!(judge.judge(5_000, 0).is_ok());
        assert!(judge.judge(5_000, 5_000).is_ok());
        assert!(judge.judge(5_000, 1).is_err());
    }
}

//! Stops a run when too many of its lines are rejects.

use std::collections::VecDeque;
use std::sync::Arc;

use super::rejects::{Counted, Rejects, sum};
use crate::error::Stop;

/// The window over which rejects are judged, in lines.
const WINDOW: u64 = 10_000;

/// Counts rejects among the last lines that one worker has seen. It judges only full windows, so
/// that a few bad lines at the beginning of a file do not stop the run.
pub struct RatioJudge {
    rejects: Arc<Rejects>,
    /// Batch by batch: lines, and rejects among them.
    window: VecDeque<(u64, Vec<Counted>)>,
    lines: u64,
    rejected: u64,
}

impl RatioJudge {
    /// A judge that asks the run to stop when there are more rejects than `rejects` allows.
    pub fn new(rejects: Arc<Rejects>) -> Self {
        RatioJudge { rejects, window: VecDeque::new(), lines: 0, rejected: 0 }
    }

    /// Adds a batch's lines to the window. If too many are rejects, the run ends once everything
    /// that was read is committed, including the rejects.
    pub(super) fn judge(&mut self, lines: usize, rejects: Vec<Counted>) {
        self.rejects.seen(&rejects);
        let rejected = |rejects: &[Counted]| rejects.iter().map(|counted| counted.lines).sum::<u64>();
        self.lines += lines as u64;
        self.rejected += rejected(&rejects);
        self.window.push_back((lines as u64, rejects));
        while let Some((lines, rejects)) = self.window.pop_front_if(|(lines, _)| self.lines - *lines >= WINDOW) {
            self.lines -= lines;
            self.rejected -= rejected(&rejects);
        }
        let ratio = self.rejects.ratio();
        if self.lines >= WINDOW && self.rejected as f64 > ratio * self.lines as f64 && !self.rejects.is_over() {
            let reasons = sum(self.window.iter().flat_map(|(_, rejects)| rejects));
            let reasons = reasons.iter().map(ToString::to_string).collect();
            self.rejects.stop(Stop::RejectRatio { rejected: self.rejected, of: self.lines, ratio, reasons });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::logs::record::Reason;
    use crate::run::fatal::StopRequest;

    fn judge(ratio: f64) -> (RatioJudge, StopRequest) {
        let stop = StopRequest::default();
        (RatioJudge::new(Arc::new(Rejects::new(ratio, stop.clone()))), stop)
    }

    fn rejects(reason: Reason, lines: u64) -> Vec<Counted> {
        let (source, beginning) = ("a".to_owned(), "x".to_owned());
        if lines == 0 { Vec::new() } else { vec![Counted { reason, lines, source, offset: 7, beginning }] }
    }

    #[test]
    fn a_window_that_is_not_full_stops_nobody() {
        let (mut judge, stop) = judge(0.5);
        judge.judge(9_999, rejects(Reason::NoRole, 9_999));
        assert!(!stop.is_requested());
        judge.judge(1, Vec::new());
        assert!(stop.is_requested(), "now it is full");
    }

    #[test]
    fn old_rejects_leave_the_window() {
        let (mut judge, stop) = judge(0.5);
        for (lines, rejected) in [(5_000, 5_000), (5_000, 0), (5_000, 0), (5_000, 5_000)] {
            judge.judge(lines, rejects(Reason::NoRole, rejected));
        }
        assert!(!stop.is_requested(), "exactly half is allowed");
        judge.judge(5_000, rejects(Reason::NoRole, 1));
        assert!(stop.is_requested());
    }

    #[test]
    fn reasons_are_told_with_what_to_do_the_most_frequent_first() {
        let (mut judge, _) = judge(0.5);
        judge.judge(4_000, rejects(Reason::InvalidJson, 4_000));
        judge.judge(6_000, rejects(Reason::NoRole, 6_000));
        judge.judge(6_000, rejects(Reason::NoRole, 6_000));
        let told = judge.rejects.verdict().expect_err("too many").to_string();
        assert!(
            told.starts_with(
                "10000 of the last 10000 lines were rejected, above limits.reject_ratio = 0.5: no_role 6000"
            ),
            "{told}"
        );
        assert!(told.contains("invalid_json 4000, first a:7 `x`: check that source.url"), "{told}");
    }
}

//! What the operator of the pipeline does: obeys messages, restores backups, starts over.

use crate::group::MAIN;
use crate::kind::{Advice, SimKind};
use crate::lake::Lake;
use crate::schedule::Schedule;
use crate::world::ev;

impl<K: SimKind> Schedule<K> {
    /// The operator does what the message says.
    pub(crate) fn obey(&mut self, at: usize, text: &str) {
        let meddled = self.w().meddled;
        let (pipeline, typo) = (self.runs[at].env.pipeline, self.runs[at].env.typo);
        if text.contains("already receives") && self.w().twins {
            // Two that claim at once may refuse each other. Then, or if the twin was first, the
            // operator starts over.
            if pipeline == MAIN {
                self.start_over();
            }
        } else if text.contains("run --adopt") {
            self.w().adopt = true;
        } else if text.contains("but source.url is") && (typo || meddled) {
            // The message is enough to notice a typo.
            if !typo {
                self.start_over();
            }
        } else if pipeline != MAIN {
            // The twin need not recover.
        } else if text.contains("the state file says") && meddled {
            self.w().state = [None, None];
        } else if text.contains("holds no position") && meddled {
            let groups = self.w().groups;
            let is_named = |g: &usize| text.starts_with(&format!("{} {:?}", K::GROUP, groups[*g].0));
            let g = (0..groups.len()).find(is_named).expect("it names one");
            let backed_up = self.w().backups[g].as_ref().is_some_and(|b| b.held.is_some());
            match backed_up {
                true => self.restore(g),
                false => self.start_over(),
            }
        } else if let Some(advice) = self.advice(at, text) {
            if let Advice::StartOver = advice {
                self.start_over();
            }
        } else if meddled && beyond_repair(text) {
            self.start_over();
        } else if !text.contains("staged so long ago") {
            self.w().violate(format!("REFUSED: {text}"));
        }
    }

    /// What the kind advises. Where a source forgets, only the newest run can say that something is
    /// gone: an older one may miss what a newer one has landed.
    fn advice(&mut self, at: usize, text: &str) -> Option<Advice> {
        let advice = K::obey(&mut self.w(), text)?;
        let is_newest = at + 1 == self.runs.len();
        Some(if K::FORGETS && !(is_newest && self.w().meddled) { Advice::Restart } else { advice })
    }

    pub(crate) fn kill_all(&mut self) {
        for run in self.runs.iter_mut().filter(|r| r.is_live()) {
            run.kill("killed: the operator stops everything first");
        }
    }

    /// A backup replaces a group. Nothing may run meanwhile, and no write to the old one may be
    /// under way.
    pub(crate) fn restore(&mut self, g: usize) {
        self.kill_all();
        let mut w = self.w();
        let backup = w.backups[g].clone().expect("there is a backup");
        ev!(w, "{} restored to v{} at {:?}", w.name(g), backup.head, backup.held);
        let old = std::mem::take(&mut w.lakes[g]);
        let mut log = backup.log.clone();
        if !old.exists {
            log.extend(old.log.into_iter().filter(|(v, _)| *v > backup.head));
        }
        w.lakes[g] = Lake { incarnation: old.incarnation + 1, log, ..backup };
        w.meddled = true;
    }

    /// Starts over: new tables, no state file, no backups.
    fn start_over(&mut self) {
        self.kill_all();
        let mut w = self.w();
        (0..w.groups.len()).for_each(|g| w.delete(g));
        w.lakes.iter_mut().for_each(|l| l.incarnation += 1);
        w.backups.iter_mut().for_each(|backup| *backup = None);
        w.state = [None, None];
        ev!(w, "the operator starts over");
    }
}

/// Tables of two lineages, or tables between which the settings have changed.
fn beyond_repair(text: &str) -> bool {
    text.contains("were not written by one pipeline") || text.contains("the settings have changed since")
}

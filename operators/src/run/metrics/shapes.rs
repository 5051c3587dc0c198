//! What the lines looked like that were opened, or that could not be rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::format::logs::record::Reject;
use crate::format::logs::rows::look::Looks;
use crate::format::logs::rows::shape::Opened;
use crate::format::logs::settings::RowSettings;

/// How many files that look like documents over many lines are known by name.
const MOST_DOCUMENTS: usize = 1_000;
/// How many rejects are examined: examining one takes as long as a line.
const MOST_LOOKS: u64 = 10_000;

/// What has been seen so far.
#[derive(Debug, Default)]
pub struct Shapes(Mutex<LineShapes>);

/// What has been seen of the shapes of lines.
#[derive(Clone, Debug, Default)]
pub struct LineShapes {
    /// What the opened lines held their records in.
    pub opened: Opened,
    /// The files that look like one JSON document over many lines.
    pub documents: BTreeSet<String>,
    /// What other rejects look like, and how many of the first ten thousand do.
    pub looks: BTreeMap<Looks, u64>,
    looked: u64,
}

impl Shapes {
    /// What has been seen.
    pub fn seen(&self) -> LineShapes {
        self.lock().clone()
    }

    /// Adds the lines that were opened, mostly none.
    pub(crate) fn opened(&self, opened: &Opened) {
        if !opened.is_empty() {
            self.lock().opened += *opened;
        }
    }

    /// Adds the rejected lines of the file `name`, mostly none.
    pub(crate) fn rejected(&self, name: &str, rejects: &[Reject], settings: &RowSettings) {
        if rejects.is_empty() {
            return;
        }
        let mut seen = self.lock();
        for reject in rejects {
            if seen.looked == MOST_LOOKS {
                return;
            }
            let Some(looks) = Looks::like(&reject.raw, reject.reason, settings) else { continue };
            seen.looked += 1;
            match looks {
                Looks::Document if seen.documents.len() < MOST_DOCUMENTS => _ = seen.documents.insert(name.to_owned()),
                Looks::Document => {}
                looks => *seen.looks.entry(looks).or_default() += 1,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, LineShapes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What lines looked like that were opened, or that could not be rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::record::Reject;
use crate::rows::look::Looks;
use crate::rows::shape::Opened;
use crate::settings::RowSettings;

/// So many files are known by name that look like documents over many lines.
const MOST_DOCUMENTS: usize = 1_000;
/// So many rejects are looked at: a look takes as long as a line.
const MOST_LOOKS: u64 = 10_000;

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Shapes(Mutex<Seen>);

/// What was seen of the shapes of lines.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// What lines held their records in.
    pub opened: Opened,
    /// The files that look like one JSON document over many lines.
    pub documents: BTreeSet<String>,
    /// What other rejects look like, and how many of the first ten thousand.
    pub looks: BTreeMap<Looks, u64>,
    looked: u64,
}

impl Shapes {
    /// What was seen.
    pub fn seen(&self) -> Seen {
        self.lock().clone()
    }

    /// Lines were opened, mostly none.
    pub(crate) fn opened(&self, opened: &Opened) {
        if !opened.is_empty() {
            self.lock().opened += *opened;
        }
    }

    /// Lines of the file `name` were rejected, mostly none.
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

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

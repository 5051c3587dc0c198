//! Whether two pipelines read the same files, by their names, by the files that each reads or has
//! read, and by the creation of these files.

use std::collections::BTreeMap;

use crate::error::Stop;
use crate::format::logs::lines::{Lines, Recorded};
use crate::protocol::Pending;
use crate::protocol::document::Origin;
use crate::protocol::neighbours::Reading;
use crate::source::files::reads::Reads;

/// A file that is in the source now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name in the source.
    pub name: String,
    /// The store's mark of its creation, if no other file can ever have the same.
    pub created: Option<String>,
}

/// Lists the files of a source.
pub type Listed<'a> = dyn Fn() -> Pending<'a, Result<Vec<File>, Stop>> + Send + Sync + 'a;

/// What a pipeline reads.
pub struct Files<'a> {
    source: &'a str,
    reads: Reads,
    listed: &'a Listed<'a>,
}

impl<'a> Files<'a> {
    /// What the pipeline reads whose `source` has partitions named relative to `root`. `listed` is
    /// called only if another pipeline writes into the same table.
    pub fn new(source: &'a str, root: &str, listed: &'a Listed<'a>) -> Files<'a> {
        Files { source, reads: Reads::new(source, root), listed }
    }
}

impl Reading<Lines> for Files<'_> {
    fn source(&self) -> &str {
        self.source
    }

    fn root(&self) -> &str {
        self.reads.root()
    }

    fn continues(&self, origin: &Origin) -> Result<(), String> {
        let (theirs, ours) = (Reads::of(origin), &self.reads);
        if theirs.is_one_with(ours) {
            return Ok(());
        }
        let below = ours.root().strip_prefix(theirs.root()).and_then(|rest| rest.strip_prefix('/'));
        Err(match below {
            // Braces make the rest part of the glob, so that names stay relative to the folder
            // before it.
            Some(below) => format!(
                "; to read less of it, keep its folder before the glob: {}/{{{below}}}{}",
                theirs.root(),
                ours.to_string().strip_prefix(ours.root()).filter(|rest| !rest.is_empty()).unwrap_or("/**")
            ),
            None => String::new(),
        })
    }

    fn shared<'a>(&'a self, others: &'a [Recorded]) -> Pending<'a, Result<Vec<Option<String>>, Stop>> {
        Box::pin(async move {
            let files = (self.listed)().await?;
            let what = |theirs: &Recorded| {
                Some(match shared(&self.reads, &files, theirs)? {
                    Shared::Whole => theirs.origin.source.clone(),
                    Shared::File(here, there) if here == there => here,
                    Shared::File(here, there) => format!("{here} (there {there})"),
                })
            };
            Ok(others.iter().map(what).collect())
        })
    }
}

/// What two pipelines both read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shared {
    /// Everything that one of them reads.
    Whole,
    /// At least one file: its place, and its place in the other's source.
    File(String, String),
}

/// What is read both by the pipeline of `ours`, whose source has `files` now, and by the one that
/// recorded `theirs`.
fn shared(ours: &Reads, files: &[File], theirs: &Recorded) -> Option<Shared> {
    let reads = Reads::of(&theirs.origin);
    if ours.covers(&reads) || reads.covers(ours) {
        return Some(Shared::Whole);
    }
    let partitions = &theirs.standing.offsets.partitions;
    let places = partitions.keys().map(|id| reads.place(&id.name));
    if let Some(place) = places.into_iter().find(|place| ours.has(place)) {
        return Some(Shared::File(place.clone(), place));
    }
    let created: BTreeMap<&str, &str> =
        partitions.iter().map(|(id, at)| (at.identity.created.as_str(), id.name.as_str())).collect();
    files.iter().find_map(|file| {
        let place = ours.place(&file.name);
        if reads.has(&place) {
            return Some(Shared::File(place.clone(), place));
        }
        let there = created.get(file.created.as_deref()?)?;
        Some(Shared::File(place, reads.place(there)))
    })
}

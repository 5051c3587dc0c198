//! The source as a run sees it: a listing that takes its time, and reads of what is there now.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use lakefront_operators::error::StoreError;
use lakefront_operators::offsets::Identity;
use lakefront_operators::protocol::table::Pending;
use lakefront_operators::source::{Listed, Listing, Source};

use crate::files::File;
use crate::saboteur::Rule;
use crate::table::give_way;
use crate::world::World;

/// A source of blobs.
pub(crate) struct SimSource {
    world: Arc<Mutex<World>>,
    /// Which file each name was when it was last listed. Supposed: none is written anew in its place between listing and look.
    listed: Mutex<BTreeMap<String, u64>>,
}

impl SimSource {
    pub(crate) fn new(world: Arc<Mutex<World>>) -> Self {
        SimSource { world, listed: Mutex::default() }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("one thread a world")
    }

    /// Asks about the file of that name, if it is still the one that was listed.
    fn with<R>(&self, name: &str, answer: impl FnOnce(&File) -> R) -> Option<R> {
        let w = self.world();
        let uid = self.listed.lock().expect("one thread a world").get(name).copied();
        w.files.iter().find(|f| f.name == name && Some(f.uid) == uid).map(answer)
    }

    /// A page of the listing: the names below `middle`, or the others.
    fn page(&self, middle: &str, low: bool) -> Vec<Listed> {
        let w = self.world();
        let mut listed = self.listed.lock().expect("one thread a world");
        let files = w.files.iter().filter(|f| (*f.name < *middle) == low);
        let page: Vec<&File> = files.collect();
        listed.extend(page.iter().map(|f| (f.name.clone(), f.uid)));
        page.into_iter().map(show).collect()
    }
}

fn show(file: &File) -> Listed {
    Listed {
        name: file.name.clone(),
        created: file.created_ms.to_string(),
        length: file.seen,
        revision: file.revision(),
        modified_ms: Some(file.modified_ms),
    }
}

impl Source for SimSource {
    fn identity(&self) -> &str {
        "sim"
    }

    fn list(&self) -> Pending<'_, Result<Listing, StoreError>> {
        Box::pin(async move {
            let (at_ms, whole, lacks) = {
                let mut w = self.world();
                let first = self.listed.lock().expect("one thread a world").is_empty();
                (w.now_ms, first || w.calm || w.rng.chance(0.7), w.lacks(Rule::Whole))
            };
            let mut files = self.page("f3", true);
            let pages = self.world().rng.below(12);
            for _ in 0..=pages {
                give_way().await;
            }
            if whole {
                files.extend(self.page("f3", false));
                give_way().await;
            }
            let whole = whole || lacks;
            Ok(Listing { files, whole, at_ms: whole.then_some(at_ms) })
        })
    }

    fn is_there<'a>(&'a self, listed: &'a Listed) -> Pending<'a, Result<bool, StoreError>> {
        let there = |f: &File| f.created_ms.to_string() == listed.created && f.seen >= listed.length;
        let there = self.with(&listed.name, there).unwrap_or(false);
        Box::pin(async move {
            give_way().await;
            Ok(there)
        })
    }

    fn has_links(&self) -> bool {
        false
    }

    fn created_ms(&self, created: &str) -> Option<u64> {
        created.parse().ok()
    }

    fn read<'a>(
        &'a self,
        name: &'a str,
        identity: &'a Identity,
        range: Range<u64>,
        mut into: Vec<u8>,
    ) -> Pending<'a, Result<Vec<u8>, StoreError>> {
        Box::pin(async move {
            let is_it = |f: &File| f.created_ms.to_string() == identity.created && f.seen >= range.end;
            let bytes = self.with(name, |f| is_it(f).then(|| f.bytes(range.clone()))).flatten();
            give_way().await;
            into.extend(bytes.ok_or_else(|| StoreError::definite("read", format!("{name} is another file, or gone")))?);
            Ok(into)
        })
    }
}

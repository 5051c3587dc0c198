//! The source as a run sees it: a listing that takes time, and reads of what is there now.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use lakefront_operators::error::StoreError;
use lakefront_operators::format::logs::lines::Lines;
use lakefront_operators::protocol::Pending;
use lakefront_operators::source::files::identity::Identity;
use lakefront_operators::source::files::{ByteSource, Found, Listed, Listing, Sought};

use crate::group::give_way;
use crate::lines::files::File;
use crate::saboteur::Rule;
use crate::world::World;

/// A source of blobs.
pub(crate) struct SimSource {
    world: Arc<Mutex<World<Lines>>>,
    /// Its name is mistyped, so it has no files.
    empty: bool,
    /// Which file each name (on a disk: each inode) was when it was last listed. Assumed: none is
    /// written anew in its place between the listing and the look into it.
    listed: Mutex<BTreeMap<String, u64>>,
}

impl SimSource {
    pub(crate) fn new(world: Arc<Mutex<World<Lines>>>, empty: bool) -> Self {
        SimSource { world, empty, listed: Mutex::default() }
    }

    fn world(&self) -> MutexGuard<'_, World<Lines>> {
        self.world.lock().expect("one thread a world")
    }

    /// Asks the file of that name (on a disk: wherever it is now), if it is still the one that was
    /// listed.
    fn with<R>(&self, name: &str, created: &str, answer: impl FnOnce(&File) -> R) -> Option<R> {
        let w = self.world();
        let key = if w.source.on_disk { created } else { name };
        let uid = self.listed.lock().expect("one thread a world").get(key).copied();
        w.source.files.iter().find(|f| w.key(f) == key && Some(f.uid) == uid).map(answer)
    }

    /// A page of the listing: the names below `middle`, or the rest.
    fn page(&self, middle: &str, low: bool) -> Vec<Listed> {
        let w = self.world();
        let mut listed = self.listed.lock().expect("one thread a world");
        let files = w.source.files.iter().filter(|f| !self.empty && (*f.name < *middle) == low && !f.outside);
        let page: Vec<&File> = files.collect();
        listed.extend(page.iter().map(|f| (w.key(f), f.uid)));
        page.into_iter().map(|f| show(&w, f)).collect()
    }
}

impl World<Lines> {
    /// The creation that the store reports for a file.
    pub(crate) fn created(&self, file: &File) -> String {
        if self.source.on_disk { file.born.to_string() } else { file.created_ms.to_string() }
    }

    /// What identifies a file.
    fn key(&self, file: &File) -> String {
        if self.source.on_disk { file.born.to_string() } else { file.name.clone() }
    }
}

/// Whether the store reports `created` for the file, on a disk or elsewhere: the two never look
/// alike.
fn was_created(file: &File, created: &str) -> bool {
    file.born.to_string() == created || file.created_ms.to_string() == created
}

fn show(w: &World<Lines>, file: &File) -> Listed {
    Listed {
        name: file.name.clone(),
        created: w.created(file),
        length: file.seen,
        revision: file.revision(),
        modified_ms: (!w.source.on_disk).then_some(file.modified_ms),
    }
}

impl ByteSource for SimSource {
    fn identity(&self) -> &str {
        "sim"
    }

    fn list(&self) -> Pending<'_, Result<Listing, StoreError>> {
        Box::pin(async move {
            let (at_ms, whole, lacks) = {
                let mut w = self.world();
                let first = self.listed.lock().expect("one thread a world").is_empty();
                (w.now_ms, first || w.calm || w.source.on_disk || w.rng.chance(0.7), w.lacks(Rule::Whole))
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
            let at_ms = Some(at_ms).filter(|_| whole && !self.world().source.on_disk);
            Ok(Listing { files, whole, at_ms, ..Listing::default() })
        })
    }

    fn is_there<'a>(&'a self, listed: &'a Listed) -> Pending<'a, Result<bool, StoreError>> {
        let there = |f: &File| f.seen >= listed.length;
        let there = self.with(&listed.name, &listed.created, there).unwrap_or(false)
            && self.world().source.files.iter().any(|f| f.name == listed.name && was_created(f, &listed.created));
        Box::pin(async move {
            give_way().await;
            Ok(there)
        })
    }

    fn is_empty(&self) -> Pending<'_, Result<bool, StoreError>> {
        Box::pin(async move { Ok(self.list().await?.files.is_empty()) })
    }

    fn find<'a>(&'a self, sought: &'a [Sought]) -> Pending<'a, Vec<Found>> {
        Box::pin(async move {
            give_way().await;
            let w = self.world();
            let mut listed = self.listed.lock().expect("one thread a world");
            let find = |sought: &Sought| match w.source.files.iter().find(|f| w.created(f) == sought.identity.created) {
                Some(file) if !w.lacks(Rule::Seek) => {
                    listed.insert(w.key(file), file.uid);
                    Found::At(show(&w, file))
                }
                _ => Found::Gone,
            };
            sought.iter().map(find).collect()
        })
    }

    fn has_links(&self) -> bool {
        let w = self.world();
        w.source.on_disk && !w.lacks(Rule::Follow)
    }

    fn created_ms(&self, created: &str) -> Option<u64> {
        created.parse().ok().filter(|_| !self.world().source.on_disk)
    }

    fn read<'a>(
        &'a self,
        name: &'a str,
        identity: &'a Identity,
        range: Range<u64>,
        mut into: Vec<u8>,
    ) -> Pending<'a, Result<Vec<u8>, StoreError>> {
        Box::pin(async move {
            let is_it = |f: &File| was_created(f, &identity.created) && f.seen >= range.end;
            let bytes = self.with(name, &identity.created, |f| is_it(f).then(|| f.bytes(range.clone()))).flatten();
            give_way().await;
            into.extend(bytes.ok_or_else(|| StoreError::definite("read", format!("{name} is another file, or gone")))?);
            Ok(into)
        })
    }
}

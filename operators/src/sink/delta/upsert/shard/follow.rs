//! How a shard keeps up with its table's log, and its index with what others change.

use futures::{StreamExt, TryStreamExt, stream};

use super::Shard;
use crate::error::StoreError;
use crate::protocol::clock::Stamp;
use crate::protocol::names::Held;
use crate::protocol::retry::Retry;
use crate::sink::delta::upsert::files::{Files, LakeFile};
use crate::sink::delta::upsert::index::Place;
use crate::sink::delta::upsert::keys;
use crate::sink::delta::upsert::numbered::DataFile;
use crate::sink::delta::{log, snapshot};

/// The first pause between two looks at whether a shard's cuts have landed, in milliseconds. Pauses
/// double up to [`LOOK_MOST_MS`].
const LOOK_MS: u64 = 20;
/// The longest of these pauses, in milliseconds.
const LOOK_MOST_MS: u64 = 1_000;
/// How many files are indexed at a time.
const READS: usize = 4;
/// A file has fewer rows than this, because the index counts them in 32 bits.
const MOST_ROWS: u64 = 1 << 32;

impl Shard {
    /// Reads the log on to its end. If others have changed the table's files, the shard waits until
    /// its own cuts have landed, and then goes by the log. If another run has claimed the table, it
    /// waits for its own run to find that out.
    pub(super) async fn follow(&mut self) -> Result<(), StoreError> {
        self.read_on().await?;
        let mut pause_ms = LOOK_MS;
        while self.has_moved && !self.has_landed() {
            self.clock.pause(pause_ms).await;
            pause_ms = LOOK_MOST_MS.min(2 * pause_ms);
            self.read_on().await?;
        }
        if self.has_moved { self.settle().await } else { Ok(()) }
    }

    /// Notes what the log has had to say since it was last looked at.
    async fn read_on(&mut self) -> Result<(), StoreError> {
        let (mut retry, mut asked) = (Retry::default(), Stamp::now(&*self.clock));
        loop {
            // A next version that is not there may be none, or one that was cleaned up.
            if self.looked.age_ms(&*self.clock) > self.log.log_ms / 2 {
                asked = Stamp::now(&*self.clock);
                if let Err(error) = self.read_anew().await {
                    retry.after(error, &*self.clock).await?;
                    continue;
                }
                self.looked = asked;
            }
            let next = self.log.version.next();
            let read = self.log.commit(next).await.and_then(|content| {
                let Some(content) = content else { return Ok(None) };
                let did = self.log.apply(next, &content)?;
                Ok(Some((did, log::held(&content, &self.ids))))
            });
            match read {
                Ok(None) => {
                    self.looked = asked;
                    return Ok(());
                }
                Ok(Some((did, Some(held)))) => {
                    did.gone.iter().for_each(|path| self.files.retire(path));
                    self.stand(held);
                }
                Ok(Some((did, None))) => self.has_moved |= did.has_moved_files,
                Err(error) => retry.after(error, &*self.clock).await?,
            }
        }
    }

    /// Begins at the newest version again, whatever has led there.
    async fn read_anew(&mut self) -> Result<(), StoreError> {
        let (place, pipeline) = (&self.spec.table.place, &self.ids.position);
        let gone =
            || StoreError::definite(format!("change {}", self.spec.table.shown()), "it was deleted under this run");
        // What lands in between is read by version after that.
        let now = snapshot::read(place, pipeline).await?.ok_or_else(gone)?.state;
        self.log = Files::lean(place, Some(now.head)).await?;
        self.has_moved = true;
        if let Some(held) = now.held {
            self.stand(held);
        }
        Ok(())
    }

    /// Goes by what the log says of where the pipeline stands. If that is by another run, this one
    /// does not stand there.
    fn stand(&mut self, held: Held) {
        self.is_fenced |= self.held.run != held.run;
        self.held = held;
    }

    /// Whether all cuts that were staged are in the log.
    fn has_landed(&self) -> bool {
        !self.is_fenced && self.last.is_none_or(|last| self.held.position > last)
    }

    /// Makes the index one of the files that the log has. If that fails on the way, it is still to
    /// be done: what was noted so far is true.
    pub(super) async fn settle(&mut self) -> Result<(), StoreError> {
        self.files.retain(|path| self.log.active.contains_key(path));
        let is_new = |path: &str, file: &LakeFile| !self.files.is_told(path, file.vector());
        let mut dead = self.log.dead(is_new).await?;
        for (path, dead) in &dead {
            self.files.go_by(path, self.log.active[path].vector(), dead);
        }
        let is_unknown = |path: &&String| !self.files.has(path);
        let unknown: Vec<_> = self.log.active.keys().filter(is_unknown).cloned().collect();
        let unknown = unknown.into_iter().map(|path| {
            let (file, dead) = (&self.log.active[&path], dead.remove(&path).unwrap_or_default());
            DataFile::told(file.target(&path), file.vector(), dead)
        });
        self.index(unknown.collect()).await?;
        self.has_moved = false;
        Ok(())
    }

    /// Adds the keys of files to the index, of those rows that are alive.
    async fn index(&mut self, unknown: Vec<DataFile>) -> Result<(), StoreError> {
        let reads = (self.files.next()..).zip(&unknown).map(|(number, file)| {
            let (keys, sharding, dead) = (self.keys.clone(), self.sharding, file.dead.clone());
            let attempt = format!("index {}", file.target.path);
            let take = move |batch, (first, places): &mut (u64, Vec<(u64, Place)>)| {
                let rows = keys.of_these(&batch)?;
                places.extend(rows.iter().zip(*first..).filter_map(|(key, row)| {
                    let (hash, row_of) = (keys::hash(key), u32::try_from(row).ok()?);
                    let is_ours = keys::shard(hash, sharding.shards) == sharding.shard && !dead.contains(row);
                    is_ours.then_some((hash, Place { file: number, row: row_of }))
                }));
                *first += batch.num_rows() as u64;
                Ok(())
            };
            let what = (file.target.clone(), self.keys.columns().to_vec(), None);
            let read = self.reader.scan(what, (0, Vec::new()), take);
            async move {
                match read.await? {
                    (rows, _) if rows > MOST_ROWS => Err(StoreError::definite(attempt, "it has too many rows")),
                    (_, places) => Ok(places),
                }
            }
        });
        let all: Vec<Vec<_>> = stream::iter(reads.collect::<Vec<_>>()).buffered(READS).try_collect().await?;
        self.read += unknown.len();
        for file in unknown {
            self.files.add(file);
        }
        self.add(all.concat());
        Ok(())
    }
}

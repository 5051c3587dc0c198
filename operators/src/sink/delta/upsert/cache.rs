//! The index of a shard, kept in a file of the machine: a run that begins with it reads the keys of
//! those files alone that are new since.
//!
//! ```text
//!   {"format": 2, "made": …, "files": [{"target": …, "dead": …}, …], "runs": [places, …]}\n
//!   of each run: hashes (u64 each), then files and rows (u32 each)
//!   the XXH3 of all that (u64)
//! ```
//!
//! Numbers are in little-endian order. It may be of any age, of a table that was there before, or
//! ahead of a table whose last commits were lost. What is not in the table is not looked at, and of
//! a file that is, the index may lack places of those rows alone that were dead when it was kept:
//! if the log has one of them alive, the file is read again.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use super::definition::UpsertSpec;
use super::index::{Index, Place};
use super::numbered::KeptFile;
use super::shard::Sharding;
use crate::error::StoreError;

/// How it is written; one of another format is not read.
const FORMAT: u32 = 2;
/// A place takes this many bytes.
const PLACE: usize = 16;
/// The checksum takes this many bytes.
const CHECK: usize = 8;

/// What a kept index begins with.
#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    made: Made,
    files: Vec<KeptFile>,
    /// How many places each run has.
    runs: Vec<usize>,
}

/// What must be the same for hashes and places to mean the same.
#[derive(PartialEq, Serialize, Deserialize)]
struct Made {
    /// The release, because it decides what the bytes of a key are.
    by: String,
    /// The columns of the key, and their types.
    key: Vec<(String, String)>,
    shard: usize,
    shards: usize,
}

impl Made {
    fn of(spec: &UpsertSpec, sharding: Sharding) -> Made {
        let field = |column: usize| spec.table.schema.field(column);
        let key = spec.key_columns().into_iter().map(field);
        Made {
            by: env!("CARGO_PKG_VERSION").to_owned(),
            key: key.map(|field| (field.name().clone(), field.data_type().to_string())).collect(),
            shard: sharding.shard,
            shards: sharding.shards,
        }
    }
}

/// Where the index of one shard is kept.
#[derive(Clone)]
pub(super) struct Cache {
    file: PathBuf,
}

impl Cache {
    /// In `folder`, which is one table's.
    pub(super) fn of(folder: &Path, sharding: Sharding) -> Cache {
        let Sharding { shard, shards } = sharding;
        Cache { file: folder.join(format!("keys-{shard}-of-{shards}.index")) }
    }

    /// The files and places that were kept; none if nothing was, or what was is of no use.
    pub(super) fn load(&self, spec: &UpsertSpec, sharding: Sharding) -> Option<(Vec<KeptFile>, Index)> {
        let content = match fs::read(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            read => read.map_err(|error| error.to_string()),
        };
        match content.and_then(|content| parse(&content, &Made::of(spec, sharding)).map_err(str::to_owned)) {
            Ok(kept) => Some(kept),
            Err(error) => {
                let file = self.file.display().to_string();
                tracing::warn!(file, error, "the kept index of keys is of no use: keys are read from the table");
                None
            }
        }
    }

    /// Keeps an index in the place of the one before it. `files` are those that it numbers, none
    /// where the table does not have the file any more.
    pub(super) fn save(
        &self,
        (spec, sharding): (&UpsertSpec, Sharding),
        files: Vec<Option<KeptFile>>,
        index: &Index,
    ) -> Result<(), StoreError> {
        let attempt = || format!("keep the index of keys in {}", self.file.display());
        let mut next = 0..;
        let numbers: Vec<Option<u32>> = files.iter().map(|file| file.as_ref().and_then(|_| next.next())).collect();
        let is_kept = |place: &Place| numbers[place.file as usize].is_some();
        let runs = index.runs().map(|(_, places)| places.iter().filter(|place| is_kept(place)).count()).collect();
        let files = files.into_iter().flatten().collect();
        let head = Head { format: FORMAT, made: Made::of(spec, sharding), files, runs };
        let head = serde_json::to_vec(&head).map_err(|e| StoreError::definite(attempt(), e))?;
        let write = |out: &mut Checked| {
            out.write(&head)?;
            out.write(b"\n")?;
            for (hashes, places) in index.runs() {
                let kept = || hashes.iter().zip(places).filter(|(_, place)| is_kept(place));
                kept().try_for_each(|(hash, _)| out.write(&hash.to_le_bytes()))?;
                let mut files = places.iter().filter_map(|place| numbers[place.file as usize]);
                files.try_for_each(|file| out.write(&file.to_le_bytes()))?;
                kept().try_for_each(|(_, place)| out.write(&place.row.to_le_bytes()))?;
            }
            Ok(())
        };
        self.replace(write).map_err(|e| StoreError::definite(attempt(), e))
    }

    /// It need not survive a power cut: a torn one is known by its checksum. The file that it is
    /// written to first has one name, so that whatever a kill leaves of it is written over.
    fn replace(&self, write: impl Fn(&mut Checked) -> io::Result<()>) -> io::Result<()> {
        fs::create_dir_all(self.file.parent().unwrap_or(Path::new(".")))?;
        let unfinished = self.file.with_extension("unfinished");
        let mut out = Checked { file: BufWriter::new(File::create(&unfinished)?), check: Xxh3Default::new() };
        write(&mut out)?;
        out.finish()?;
        fs::rename(&unfinished, &self.file)
    }
}

/// A file that ends with the checksum of what was written to it. An index is never in memory a
/// second time, because it may be most of what a run holds.
struct Checked {
    file: BufWriter<File>,
    check: Xxh3Default,
}

impl Checked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.check.update(bytes);
        self.file.write_all(bytes)
    }

    fn finish(mut self) -> io::Result<()> {
        self.file.write_all(&self.check.digest().to_le_bytes())?;
        self.file.flush()
    }
}

fn parse(content: &[u8], made: &Made) -> Result<(Vec<KeptFile>, Index), &'static str> {
    let (content, check) = content.split_last_chunk::<CHECK>().ok_or("it is cut short")?;
    if xxh3_64(content) != u64::from_le_bytes(*check) {
        return Err("it is damaged");
    }
    let end = memchr::memchr(b'\n', content).ok_or("it has no head")?;
    let head: Head = serde_json::from_slice(&content[..end]).map_err(|_| "its head is of another format")?;
    if head.format != FORMAT || head.made != *made {
        return Err("it is of another release, key or number of workers");
    }
    let mut rest = &content[end + 1..];
    let mut runs = Vec::new();
    for places in head.runs {
        let length = places.checked_mul(PLACE).filter(|length| *length <= rest.len()).ok_or("it is cut short")?;
        let (run, after) = rest.split_at(length);
        let (hashes, places) = run.split_at(places * 8);
        let (files, rows) = places.split_at(places.len() / 2);
        let number = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
        let place = |(file, row): (&[u8; 4], &[u8; 4])| Place { file: number(file), row: number(row) };
        let (files, rows) = (files.as_chunks().0, rows.as_chunks().0);
        let hashes = hashes.as_chunks().0.iter().map(|hash| u64::from_le_bytes(*hash));
        runs.push((hashes.collect::<Vec<_>>(), files.iter().zip(rows).map(place).collect::<Vec<_>>()));
        rest = after;
    }
    let is_known = |place: &Place| (place.file as usize) < head.files.len();
    if !rest.is_empty() || !runs.iter().all(|(hashes, places)| hashes.is_sorted() && places.iter().all(is_known)) {
        return Err("it contradicts itself");
    }
    Ok((head.files, Index::of(runs)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::{DataType, Field, Schema};

    use super::*;
    use crate::sink::delta::TableSpec;
    use crate::sink::delta::upsert::outcome::Dead;
    use crate::sink::delta::upsert::read::Target;
    use crate::sink::files;

    const ALL: Sharding = Sharding { shard: 0, shards: 1 };

    fn spec(key: &str) -> UpsertSpec {
        let schema =
            Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Utf8, true)]));
        let place = files::Place::Disk(PathBuf::from("lake"));
        let table = TableSpec { place, name: "t".to_owned(), schema, partition: None };
        UpsertSpec { table, key: vec![key.to_owned()], feed: true }
    }

    fn kept(cache: &Cache) {
        let mut index = Index::default();
        // The second of the three files is gone.
        let place = |row| Place { file: row % 3, row };
        index.add((0..100).map(|row| (u64::from(row) * 7 % 50, place(row))).collect(), |_| true);
        index.add(vec![(3, place(100))], |_| true);
        cache.save((&spec("a"), ALL), vec![Some(file("one")), None, Some(file("three"))], &index).unwrap();
    }

    fn file(path: &str) -> KeptFile {
        KeptFile { target: Target { path: path.to_owned(), size: 9 }, dead: Dead([1, 70_000].into_iter().collect()) }
    }

    #[test]
    fn what_was_kept_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::of(&folder.path().join("new"), ALL);
        assert!(cache.load(&spec("a"), ALL).is_none());
        kept(&cache);
        let (files, index) = cache.load(&spec("a"), ALL).unwrap();
        assert_eq!(files, [file("one"), file("three")]);
        // The rows 29, 79 and 100 have the hash 3; the last two are of the file that is gone.
        assert_eq!(index.find(&[3]), [(0, Place { file: 1, row: 29 })]);
        assert_eq!(index.len(), 67, "of 101 rows, 34 are of it");
        kept(&cache);
        assert!(cache.load(&spec("a"), ALL).is_some(), "it takes the place of the one before");
        let unfinished = cache.file.with_extension("unfinished");
        fs::write(&unfinished, "what a kill has left").unwrap();
        kept(&cache);
        assert!(cache.load(&spec("a"), ALL).is_some() && !unfinished.exists());
    }

    #[test]
    fn what_is_torn_or_of_others_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::of(folder.path(), ALL);
        kept(&cache);
        assert!(cache.load(&spec("b"), ALL).is_none(), "another key");
        assert!(cache.load(&spec("a"), Sharding { shard: 0, shards: 2 }).is_none(), "other shards");
        let whole = fs::read(&cache.file).unwrap();
        for damage in [0, whole.len() / 2, whole.len() - 1] {
            let mut torn = whole.clone();
            torn[damage] ^= 1;
            fs::write(&cache.file, &torn).unwrap();
            assert!(cache.load(&spec("a"), ALL).is_none(), "byte {damage}");
            fs::write(&cache.file, &whole[..damage]).unwrap();
            assert!(cache.load(&spec("a"), ALL).is_none(), "cut at {damage}");
        }
        fs::write(&cache.file, &whole).unwrap();
        assert!(cache.load(&spec("a"), ALL).is_some());
    }
}

//! How far files can be planned, and what happens to files that are no longer the ones that were
//! read.

use std::ops::Range;
use std::sync::Mutex;

use super::*;
use crate::protocol::Pending;
use crate::source::files::{Found, Sought};

/// A file: what the store reports about its creation, and its bytes.
#[derive(Clone)]
struct File {
    created: &'static str,
    bytes: Vec<u8>,
    /// Counts its changes.
    change: u32,
    modified_ms: u64,
}

/// Files in memory; with a clock, they are blobs.
#[derive(Default)]
pub(super) struct Memory {
    files: Mutex<BTreeMap<String, File>>,
    reads: Mutex<u32>,
    now_ms: Mutex<Option<u64>>,
    in_parts: Mutex<bool>,
    lost: Mutex<BTreeSet<String>>,
    /// Files that can be found, under names that do not belong to the source.
    outside: Mutex<BTreeMap<String, File>>,
}

impl File {
    fn listed(&self, name: &str) -> Listed {
        Listed {
            name: name.to_owned(),
            created: self.created.to_owned(),
            length: self.bytes.len() as u64,
            revision: self.change.to_string(),
            modified_ms: None,
        }
    }
}

impl Memory {
    pub(super) fn with_clock(now_ms: u64) -> Self {
        Memory { now_ms: Mutex::new(Some(now_ms)), ..Memory::default() }
    }

    pub(super) fn tell_time(&self, now_ms: u64) {
        *self.now_ms.lock().expect("no panic") = Some(now_ms);
    }

    pub(super) fn list_in_parts(&self) {
        *self.in_parts.lock().expect("no panic") = true;
    }

    pub(super) fn put(&self, name: &str, created: &'static str, bytes: &[u8]) {
        let modified_ms = self.now_ms.lock().expect("no panic").unwrap_or_default();
        let mut files = self.files.lock().expect("no panic");
        let change = files.get(name).map_or(0, |file| file.change + 1);
        files.insert(name.to_owned(), File { created, bytes: bytes.to_vec(), change, modified_ms });
    }

    /// Renames a file. With `outside`, the new name does not belong to the source.
    pub(super) fn rename(&self, from: &str, to: &str, outside: bool) {
        let mut files = self.files.lock().expect("no panic");
        let mut elsewhere = self.outside.lock().expect("no panic");
        let file = files.remove(from).or_else(|| elsewhere.remove(from)).expect("a file of that name");
        let into = if outside { &mut *elsewhere } else { &mut *files };
        into.insert(to.to_owned(), file);
    }

    pub(super) fn grow_outside(&self, name: &str, bytes: &[u8]) {
        let mut outside = self.outside.lock().expect("no panic");
        let file = outside.get_mut(name).expect("a file of that name");
        file.bytes.extend_from_slice(bytes);
        file.change += 1;
    }

    pub(super) fn remove(&self, name: &str) {
        self.files.lock().expect("no panic").remove(name);
    }

    /// The file is still listed, but cannot be read.
    pub(super) fn lose(&self, name: &str) {
        self.lost.lock().expect("no panic").insert(name.to_owned());
    }

    pub(super) fn reads(&self) -> u32 {
        *self.reads.lock().expect("no panic")
    }
}

impl ByteSource for Memory {
    fn identity(&self) -> &str {
        "memory"
    }

    fn list(&self) -> Pending<'_, Result<Listing, StoreError>> {
        let files = self.files.lock().expect("no panic");
        let at_ms = *self.now_ms.lock().expect("no panic");
        let listed = files
            .iter()
            .map(|(name, file)| Listed { modified_ms: at_ms.map(|_| file.modified_ms), ..file.listed(name) });
        let whole = !*self.in_parts.lock().expect("no panic");
        let listing = Listing { files: listed.collect(), whole, at_ms, passed_over: Vec::new() };
        Box::pin(async move { Ok(listing) })
    }

    fn is_there<'a>(&'a self, listed: &'a Listed) -> Pending<'a, Result<bool, StoreError>> {
        let files = self.files.lock().expect("no panic");
        let lost = self.lost.lock().expect("no panic").contains(&listed.name);
        let there = !lost && files.get(&listed.name).is_some_and(|file| file.created == listed.created);
        Box::pin(async move { Ok(there) })
    }

    fn find<'a>(&'a self, sought: &'a [Sought]) -> Pending<'a, Vec<Found>> {
        let outside = self.outside.lock().expect("no panic");
        let find = |sought: &Sought| match outside.iter().find(|(_, file)| file.created == sought.identity.created) {
            Some((name, file)) => Found::At(file.listed(name)),
            None => Found::Gone,
        };
        let found = sought.iter().map(find).collect();
        Box::pin(async move { found })
    }

    fn is_empty(&self) -> Pending<'_, Result<bool, StoreError>> {
        Box::pin(async move { Ok(self.list().await?.files.is_empty()) })
    }

    fn has_links(&self) -> bool {
        self.now_ms.lock().expect("no panic").is_none()
    }

    fn created_ms(&self, created: &str) -> Option<u64> {
        self.now_ms.lock().expect("no panic").and_then(|_| created.parse().ok())
    }

    fn read<'a>(
        &'a self,
        name: &'a str,
        identity: &'a Identity,
        range: Range<u64>,
        mut into: Vec<u8>,
    ) -> Pending<'a, Result<Vec<u8>, StoreError>> {
        *self.reads.lock().expect("no panic") += 1;
        if self.lost.lock().expect("no panic").contains(name) {
            return Box::pin(async { Err(StoreError::definite("read", "it is gone")) });
        }
        let files = self.files.lock().expect("no panic");
        let outside = self.outside.lock().expect("no panic");
        let file = files.get(name).or_else(|| outside.get(name)).expect("it was listed").clone();
        assert_eq!(file.created, identity.created);
        into.extend_from_slice(&file.bytes[range.start as usize..range.end as usize]);
        Box::pin(async move { Ok(into) })
    }
}

pub(super) fn rules(on_rewrite: OnRewrite, unterminated: Unterminated) -> WatchRules {
    WatchRules { on_rewrite, unterminated, quiet: Duration::MAX }
}

/// Polls; returns what moved, as (partition, limit, whether that is a landed tail).
pub(super) fn poll(watcher: &mut Watcher) -> Result<Vec<(String, u64, bool)>, Stop> {
    let moved = wait(watcher.poll())?;
    Ok(moved.limits.into_iter().map(|(id, limit)| (id.to_string(), limit.end, limit.landed_tail)).collect())
}

pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

pub(super) fn end(name: &str, end: u64) -> (String, u64, bool) {
    (name.to_owned(), end, false)
}

/// A watcher that has seen the first eight bytes of one file, up to a line end.
pub(super) fn given(on_rewrite: OnRewrite) -> (Arc<Memory>, Watcher) {
    let memory = Arc::new(Memory::default());
    memory.put("f", "once", b"one\ntwo\nth");
    let mut watcher = Watcher::new(memory.clone(), &Offsets::default(), rules(on_rewrite, Unterminated::Leave));
    assert_eq!(poll(&mut watcher).expect("readable"), [end("f", 8)]);
    (memory, watcher)
}

#[test]
fn the_limit_is_the_last_line_end() {
    let (memory, mut watcher) = given(OnRewrite::Stop);
    assert_eq!(watcher.unfinished().map(|(id, bytes)| (id.name.as_str(), bytes)).collect::<Vec<_>>(), [("f", 2)]);
    memory.put("f", "once", b"one\ntwo\nthree");
    assert_eq!(poll(&mut watcher).expect("readable"), [end("f", 8)]);
    memory.put("f", "once", b"one\ntwo\nthree\nf");
    assert_eq!(poll(&mut watcher).expect("readable"), [end("f", 14)]);
}

#[test]
fn a_line_end_is_found_however_far_back_it_lies() {
    let (memory, mut watcher) = given(OnRewrite::Stop);
    memory.put("f", "once", &[b"one\ntwo\n", &vec![b'x'; 3 << 20][..]].concat());
    assert_eq!(poll(&mut watcher).expect("readable"), [end("f", 8)]);
    memory.put("f", "once", &[b"one\ntwo\n", &vec![b'x'; 3 << 20][..], b"\n", &vec![b'y'; 2 << 20][..]].concat());
    assert_eq!(poll(&mut watcher).expect("readable"), [end("f", 8 + (3 << 20) + 1)]);
}

#[test]
fn a_file_that_did_not_change_is_not_looked_into() {
    let (memory, mut watcher) = given(OnRewrite::Stop);
    let before = memory.reads();
    assert_eq!(poll(&mut watcher).expect("readable"), []);
    assert_eq!(memory.reads(), before);
}

#[test]
fn a_file_that_shrank_or_was_written_anew_stops_the_run() {
    for (bytes, what) in [(&b"one\n"[..], "has shrunk"), (b"ONE\ntwo\nthree\n", "was rewritten")] {
        let (memory, mut watcher) = given(OnRewrite::Stop);
        memory.put("f", "again", bytes);
        let stop = poll(&mut watcher).expect_err(what).to_string();
        assert!(stop.contains(what) && stop.contains("read up to byte 8") && stop.contains("on_rewrite"), "{stop}");
    }
}

#[test]
fn on_request_it_is_read_from_its_beginning_as_the_next_generation() {
    for bytes in [&b"one\n"[..], b"ONE\ntwo\nthree\n"] {
        let (memory, mut watcher) = given(OnRewrite::Restart);
        memory.put("f", "again", bytes);
        assert_eq!(poll(&mut watcher).expect("readable"), [end("f#2", bytes.len() as u64)]);
        memory.put("f", "again", &[bytes, b"more\n"].concat());
        assert_eq!(poll(&mut watcher).expect("readable"), [end("f#2", bytes.len() as u64 + 5)], "it stays that one");
    }
}

#[test]
fn a_copy_put_back_under_the_name_is_the_same_file() {
    let (memory, mut watcher) = given(OnRewrite::Stop);
    memory.put("f", "restored", b"one\ntwo\nthree\n");
    let moved = wait(watcher.poll()).expect("readable");
    let moved = &moved.limits;
    assert_eq!((moved[0].0.generation, moved[0].1.end, &moved[0].1.identity.created[..]), (1, 14, "restored"));
}

#[test]
fn the_next_run_recognises_its_files_by_what_the_tables_hold() {
    let (memory, mut watcher) = given(OnRewrite::Restart);
    memory.put("f", "again", b"ONE\n");
    let moved = wait(watcher.poll()).expect("readable");
    let at = |limit: Limit| Mark { offset: limit.end, identity: limit.identity, landed_tail: false, gone: false };
    let held: Offsets = moved.limits.into_iter().map(|(id, limit)| (id, at(limit))).collect();

    let mut next = Watcher::new(memory.clone(), &held, rules(OnRewrite::Stop, Unterminated::Leave));

    assert_eq!(poll(&mut next).expect("the same file"), [end("f#2", 4)]);
    memory.put("f", "once", b"one\ntwo\nth");
    let mut next = Watcher::new(memory, &held, rules(OnRewrite::Stop, Unterminated::Leave));
    poll(&mut next).expect_err("the first generation is not the second");
}

#[test]
fn only_a_whole_object_within_bounds_is_landed_without_its_newline() {
    let cases: [(&[u8], _); 5] = [
        (b"x\n{\"a\":1}", Some(9)),
        (b"x\n{\"a\":1", None),
        (b"x\n[1]", None),
        (b"x\n{\"a\":123456789}", None),
        (b"x\n  {}\r", Some(7)),
    ];
    for (bytes, landed) in cases {
        let memory = Arc::new(Memory::default());
        memory.put("f", "once", bytes);
        let land = Unterminated::Land { max_line: 10 };
        let mut watcher = Watcher::new(memory, &Offsets::default(), rules(OnRewrite::Stop, land));
        let expected = landed.map_or(end("f", 2), |end| ("f".to_owned(), end, true));
        assert_eq!(poll(&mut watcher).expect("readable"), [expected], "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn latest_is_the_last_line_end_of_every_file() {
    let memory = Arc::new(Memory::default());
    memory.put("a", "once", b"one\ntwo\nth");
    memory.put("b", "later", b"torn");
    let offsets = wait(latest(memory)).expect("readable");
    let at: Vec<_> = offsets.partitions.iter().map(|(id, at)| (id.name.as_str(), at.offset)).collect();
    assert_eq!(at, [("a", 8), ("b", 0)]);
}

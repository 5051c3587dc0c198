//! The kind of `pg_logs` in the simulation: files on a disk, or blobs, which grow, are renamed,
//! re-created and deleted. Each table is a group of its own. Watcher and supply are production
//! code.

mod check;
mod feed;
mod files;
mod folder;
mod read;
mod source;

use std::collections::BTreeMap;
use std::sync::Arc;

use lakefront_operators::error::Stop;
use lakefront_operators::format::logs::lines::{Lines, Mark, Offsets, Standing};
use lakefront_operators::format::logs::settings::RowSettings;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::neighbours::Reading;
use lakefront_operators::protocol::sums::Sum;
use lakefront_operators::source::files::chunk::Chunk;
use lakefront_operators::source::files::reading::{File, Files};
use lakefront_operators::source::files::supply::FileSupply;
use lakefront_operators::source::files::watch;
use lakefront_operators::totals::hash;
use serde_json::Value;

use crate::kind::{Advice, Groups, Planner, SimKind};
use crate::lines::feed::Feed;
use crate::lines::files::uid_of;
use crate::lines::folder::{Folder, some_quiet};
use crate::lines::source::SimSource;
use crate::rng::Rng;
use crate::run::Env;
use crate::saboteur::Rule;
use crate::world::World;

pub(crate) static NAMES: [&str; 3] = ["primary", "replica", "rejects"];

/// A row: the line it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    uid: u64,
    generation: u32,
    start: u64,
    torn: bool,
}

impl SimKind for Lines {
    const OWN_RULES: &'static [Rule] = &[
        Rule::Ratio,
        Rule::Newline,
        Rule::Generation,
        Rule::Told,
        Rule::Sum,
        Rule::Whole,
        Rule::Margin,
        Rule::Follow,
        Rule::Seek,
    ];
    const GROUP: &'static str = "table";
    const UNIT: &'static str = "bytes";
    const ROUTES: usize = 3;
    const FORGETS: bool = false;
    const MASKS: bool = false;
    const SOURCE: [&'static str; 2] = ["file:sim", "file:sim/**"];
    const TYPO: &'static str = "file:smi";

    type Source = Folder;
    type Row = Row;
    /// An offset by file.
    type Base = BTreeMap<u64, u64>;
    type Work = Chunk;
    type Supply = FileSupply;
    type Feed = Feed;

    fn source(rng: &mut Rng) -> Folder {
        Folder::new(rng)
    }

    fn groups(_source: &Folder) -> Groups {
        &[("primary", &["primary"]), ("replica", &["replica"]), ("rejects", &["rejects"])]
    }

    fn is_long(source: &Folder) -> bool {
        source.turnover
    }

    fn happen(w: &mut World<Lines>, x: f64) {
        match x {
            x if x < 0.08 || (x < 0.15 && w.source.turnover) => w.grow(),
            _ if w.source.on_disk && w.rng.chance(0.7) => w.rename(),
            _ => w.delete_file(false),
        }
    }

    fn meddle(w: &mut World<Lines>, what: usize) {
        match what {
            0 => w.delete_file(true),
            3 if w.source.on_disk => {}
            3 => w.undelete(),
            _ => w.rewrite(),
        }
    }

    fn reconfigure(w: &mut World<Lines>) {
        w.source.quiet_ms = some_quiet(&mut w.rng);
        w.source.quiet_least_ms = w.source.quiet_least_ms.min(w.source.quiet_ms);
        w.source.restart = w.rng.chance(0.5);
    }

    fn quieten(_w: &mut World<Lines>) {}

    /// Files keep everything.
    fn acknowledge(_w: &mut World<Lines>, _tag: u64, _standing: &Standing) {}

    fn obey(w: &mut World<Lines>, text: &str) -> Option<Advice> {
        let was_written_anew = ["was rewritten", "has shrunk"].iter().any(|what| text.contains(what));
        if was_written_anew || text.contains("has grown after") {
            read_anew(w, text, was_written_anew);
            return Some(Advice::Restart);
        }
        text.contains("are gone").then_some(Advice::StartOver)
    }

    fn settings(routes: usize) -> RowSettings {
        read::row_settings(routes)
    }

    fn reading(source: &'static str) -> Box<dyn Reading<Lines>> {
        let root = if source == Self::TYPO { source } else { Self::SOURCE[0] };
        Box::new(Files::new(source, root, &no_files))
    }

    fn cold_start(env: &Env<Lines>) -> Pending<'static, Result<Offsets, Stop>> {
        let source = Arc::new(SimSource::new(env.world.clone(), env.typo));
        match env.world().source.latest {
            true => Box::pin(watch::latest(source)),
            false => Box::pin(async { Ok(Offsets::default()) }),
        }
    }

    fn supply(_env: &Env<Lines>, standings: &[Standing]) -> Result<FileSupply, Stop> {
        Ok(FileSupply::new(standings))
    }

    fn feed(env: &Env<Lines>, standings: &[Standing]) -> Feed {
        Feed::new(env, standings)
    }

    async fn look(feed: &mut Feed, env: &Env<Lines>, planner: &mut Planner<Lines>) -> Result<(), Stop> {
        feed.go_on(env, planner).await
    }

    fn has_looked(feed: &Feed) -> bool {
        feed.polled
    }

    fn is_catch_up(work: &Chunk) -> bool {
        work.catch_up
    }

    async fn stage(env: &Env<Lines>, time: Position, work: Chunk) -> Result<(), Stop> {
        read::stage(env, time, work).await
    }

    fn is_zero(mark: &Mark) -> bool {
        mark.offset == 0
    }

    fn base(document: &Value) -> BTreeMap<u64, u64> {
        let entries = document["partitions"].as_array().cloned().unwrap_or_default();
        let uid = |e: &Value| e["revision"].as_str().map(uid_of).unwrap_or_default();
        entries.iter().map(|e| (uid(e), e["offset"].as_u64().unwrap_or_default())).collect()
    }

    fn masks(_detail: &str) -> Vec<(u64, Row)> {
        Vec::new()
    }

    fn sum_of(row: &Row) -> Sum {
        let Row { uid, generation, start, .. } = row;
        Sum::row(hash::PartitionHash::new(&format!("{uid}#{generation}")).row(*start, 0))
    }

    fn may_appear(_w: &World<Lines>, _group: usize, _rows: &[Row]) -> Result<(), String> {
        Ok(())
    }

    fn outcome(w: &World<Lines>) -> Result<(), String> {
        check::check(w)
    }

    fn show(chunk: &Chunk) -> String {
        format!("chunk {} [{},{}) limit {}", chunk.partition, chunk.start, chunk.end, chunk.limit)
    }

    fn brief(offsets: &Offsets) -> String {
        let at: Vec<_> = offsets.partitions.iter().map(|(id, at)| format!("{id}:{}", at.offset)).collect();
        format!("{} +{} before {}", at.join(" "), offsets.retired.bytes, offsets.retired.before_ms)
    }
}

fn no_files() -> Pending<'static, Result<Vec<File>, Stop>> {
    Box::pin(async { Ok(Vec::new()) })
}

/// If there was cause, the file that the message names is removed, or may be read as another
/// generation from now on.
fn read_anew(w: &mut World<Lines>, text: &str, was_written_anew: bool) {
    let name = text.split('"').nth(1).unwrap_or_default().to_owned();
    let cause = if was_written_anew { &w.source.reused } else { &w.source.suspects };
    if !cause.contains(&name) {
        w.violate(format!("REFUSED: without cause, {text}"));
    } else if w.rng.chance(0.3) {
        w.source.files.retain(|f| f.name != name);
        w.source.reused.insert(name);
    } else {
        w.source.restart = true;
    }
}

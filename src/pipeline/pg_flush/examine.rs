//! What `doctor` checks of a `pg_flush` pipeline: the folders of this machine, the hot tables and
//! the lake.

use lakefront_operators::error::chain;
use lakefront_operators::position::Position;
use lakefront_operators::run::clock::SystemClock;

use super::{Described, Flush, look, take};
use crate::config::LakeRoot;
use crate::doctor::Findings;
use crate::doctor::disk::{self, Room};
use crate::pipeline;

/// For the files of a flush that is not committed yet, in bytes.
const A_FLUSH: u64 = 1 << 30;

/// Checks the disk under the lake, or the folder of the scratch files of a lake in Azure or S3.
pub(super) fn folders(findings: &mut Findings, described: &Described) {
    let waits = pipeline::Described::appetite(described).waits;
    let room = Room { disk: &described.common.disk, waits, least: A_FLUSH / 16, good: A_FLUSH };
    match &described.flush.lake.root {
        LakeRoot::File(root) => disk::lake(findings, root, &room, &SystemClock),
        LakeRoot::Azure(_) | LakeRoot::S3(_) => disk::scratch(findings, &room),
    }
}

/// Checks the hot tables and the lake, as a run would before it writes.
pub(super) async fn examine(findings: &mut Findings, described: Described, _known: Option<Position>) {
    let flush = match Flush::open(described).await {
        Ok(flush) => flush,
        Err(stop) => {
            return findings.problem(
                "source",
                chain(&stop),
                "check source.url, lake.catalog, their passwords, and source.tables",
            );
        }
    };
    if let Some(gate) = &flush.gate {
        match gate.ask().await {
            Ok(confirmed) => findings.ok("gate", look::confirmed(confirmed)),
            Err(error) => findings.problem("gate", chain(&error), "check [source.downstream]"),
        }
    }
    match look::connect(&flush).await {
        Ok(text) => text.lines().for_each(|line| findings.ok("tables", line.trim().to_owned())),
        Err(error) => return findings.problem("lake", format!("{error:#}"), "check [lake]"),
    }
    match take::judge(&flush).await {
        Ok(()) => findings.ok("lake", "a run may claim it".to_owned()),
        Err(stop) => findings.problem("lake", chain(&stop), "do what it says"),
    }
}

//! What `doctor` checks of a `pg_logs` pipeline: the folders of this machine, the source, the lake
//! and the tables.

use lakefront_operators::error::chain;
use lakefront_operators::position::Position;
use lakefront_operators::run::clock::SystemClock;
use lakefront_operators::run::fatal::StopRequest;
use lakefront_operators::sink::delta;

use super::lake::Lake;
use super::{Described, Logs, source, tables};
use crate::config::LakeRoot;
use crate::doctor::disk::{self, Room};
use crate::doctor::{Findings, account, address, bucket};
use crate::pipeline;

/// Checks the disk under the lake, or the folder of the scratch files of a lake in Azure or S3.
pub(super) fn folders(findings: &mut Findings, described: &Described) {
    let Described { common, logs } = described;
    let waits = pipeline::Described::appetite(described).waits;
    // For the files of cuts that are open or not committed yet.
    let good = logs.ahead.saturating_add(logs.commit_bytes);
    let room = Room { disk: &common.disk, waits, least: logs.commit_bytes, good };
    match &logs.lake.root {
        LakeRoot::File(root) => {
            disk::lake(findings, &root.join(&logs.lake.catalog).join(&logs.lake.schema), &room, &SystemClock);
        }
        LakeRoot::Azure(_) | LakeRoot::S3(_) => disk::scratch(findings, &room),
    }
}

/// Checks what may be remote: the source, the lake, the tables.
pub(super) async fn examine(findings: &mut Findings, described: Described, known: Option<Position>) {
    let (lake, name) = (described.logs.lake.root.clone(), described.common.pipeline.clone());
    let tables = tables(&described.logs);
    let opened = Logs::open(described, StopRequest::default());
    match &opened {
        Ok(logs) => source::look(findings, &logs.config, &logs.source, &SystemClock).await,
        Err(stop) => findings.problem("source", chain(stop), "check that it is there, and that source.url is right"),
    }
    let reachable = match &lake {
        LakeRoot::File(_) => true,
        LakeRoot::Azure(location) => account::look(findings, "lake", location, &SystemClock).await,
        LakeRoot::S3(location) => {
            let probe = delta::probe(tables.iter().flatten());
            bucket::look(findings, location, probe).await
        }
    };
    if !reachable {
        return;
    }
    let opened = opened.as_ref().ok();
    if let Some(logs) = opened {
        address::look(findings, &logs.common, logs.source.identity()).await;
    }
    match tables {
        Ok(tables) => Lake { pipeline: &name, opened, tables: &tables }.look(findings, known).await,
        Err(stop) => {
            findings.problem("lake", chain(&stop), "fix what it names in lake.root, [lake.azure] or [lake.s3]")
        }
    }
}

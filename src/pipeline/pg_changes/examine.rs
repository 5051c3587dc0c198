//! What `doctor` checks of a `pg_changes` pipeline: the folders of this machine, Kafka and the
//! lake.

use lakefront_operators::error::chain;
use lakefront_operators::position::Position;
use lakefront_operators::run::clock::SystemClock;

use super::{Changes, Described, look, take};
use crate::config::LakeRoot;
use crate::doctor::disk::{self, Room};
use crate::doctor::{Findings, capture};
use crate::pipeline;

/// For the files of a cut that is not committed yet, in bytes.
const A_CUT: u64 = 1 << 30;

/// Checks the disk under the lake, or the folder of the scratch files of a lake in Azure or S3.
pub(super) fn folders(findings: &mut Findings, described: &Described) {
    let waits = pipeline::Described::appetite(described).waits;
    let room = Room { disk: &described.common.disk, waits, least: A_CUT / 16, good: A_CUT };
    match &described.changes.lake.root {
        LakeRoot::File(root) => disk::lake(findings, root, &room, &SystemClock),
        LakeRoot::Azure(_) | LakeRoot::S3(_) => disk::scratch(findings, &room),
    }
}

/// Checks the way of changes to Kafka, the topics and the lake, as a run would before it writes.
pub(super) async fn examine(findings: &mut Findings, described: Described, _known: Option<Position>) {
    let Described { common, changes } = &described;
    let (postgres, connect) = (changes.postgres.as_ref(), changes.connect.as_ref());
    capture::examine(findings, postgres, connect, &common.pipeline, &changes.names).await;
    let changes = match Changes::open(described).await {
        Ok(changes) => changes,
        Err(stop) => {
            return findings.problem(
                "source",
                chain(&stop),
                "check source.brokers, source.topics, [source.security] and [lake]",
            );
        }
    };
    match look::connect(&changes).await {
        Ok(text) => text.lines().for_each(|line| findings.ok("source", line.trim().to_owned())),
        Err(error) => {
            return findings.problem(
                "source",
                format!("{error:#}"),
                "check source.brokers, source.topics and [source.security]",
            );
        }
    }
    match take::judge(&changes).await {
        Ok(()) => findings.ok("lake", "a run may claim it".to_owned()),
        Err(stop) => findings.problem("lake", chain(&stop), "do what it says"),
    }
}

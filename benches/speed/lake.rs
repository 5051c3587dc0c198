//! Tables to land in.

use std::path::Path;
use std::sync::Arc;

use lakefront_operators::error::Stop;
use lakefront_operators::format::logs::lines::{Claimed, Intent, Offsets};
use lakefront_operators::format::logs::settings::Format;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::claim::claim;
use lakefront_operators::protocol::group::Group;
use lakefront_operators::sink::delta::{self, DeltaTable, TableSpec};
use lakefront_operators::sink::files::Place;
use lakefront_operators::source::files::reading::{File, Files};
use lakefront_topologies::pg_logs::{TABLES, outline, schemas};

use crate::run::{Run, settings, wait};

/// The pipeline that claims them.
pub(crate) const PIPELINE: &str = "speed";

/// The tables below `folder`, in claim order.
pub(crate) fn specs(folder: &Path) -> [TableSpec; 3] {
    let schemas = schemas(Format::Azure);
    std::array::from_fn(|i| TableSpec {
        place: Place::Disk(folder.join(TABLES[i])),
        name: TABLES[i].to_owned(),
        schema: schemas[i].clone(),
        partition: None,
    })
}

/// Creates and claims them, for a source that was read up to `offsets`.
pub(crate) fn claimed(specs: &[TableSpec; 3], run: &Run, offsets: &Offsets) -> (Vec<Arc<DeltaTable>>, Vec<Claimed>) {
    wait(async {
        let opened = delta::open(specs, PIPELINE, run.env.clock.clone(), |_| Ok(())).await.expect("the tables open");
        let tables: Vec<Arc<dyn Group>> = opened.iter().map(|table| table.clone() as Arc<dyn Group>).collect();
        let cold_start = || -> Pending<'_, Result<Offsets, Stop>> { Box::pin(async { Ok(offsets.clone()) }) };
        let none = || -> Pending<'_, Result<Vec<File>, Stop>> { Box::pin(async { Ok(Vec::new()) }) };
        let intent = Intent {
            pipeline: PIPELINE,
            reading: &Files::new(run.source.identity(), run.source.identity(), &none),
            adopt: false,
            layout: &outline().layout,
            settings: settings(),
            known: None,
            process: None,
            cold_start: &cold_start,
        };
        let claimed = claim(&tables, run.env.clock.clone(), &intent).await.expect("nobody else claims them");
        (opened, claimed)
    })
}

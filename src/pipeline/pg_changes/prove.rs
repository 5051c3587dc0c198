//! What `prove` is to prove of a `pg_changes` pipeline.

use std::time::Duration;

use lakefront_operators::error::Stop;
use lakefront_operators::prove::changes::{self, Subject, Table};
use lakefront_operators::prove::{Progress, Proof};
use lakefront_operators::shown::one_line;

use super::{Changes, find};
use crate::debezium::{matches, tables_of};

/// Proves the tables against those of PostgreSQL.
pub(super) async fn prove(changes: &Changes, patience: Duration, progress: &Progress) -> Result<Vec<Proof>, Stop> {
    let pipeline = &changes.common.pipeline;
    let Some(postgres) = &changes.config.postgres else {
        return Err(Stop::Refused(
            "prove compares the tables with PostgreSQL's: give the pipeline file [postgres] with \
             url = \"postgresql://user@host:5432/database\", of a role that may read them"
                .to_owned(),
        ));
    };
    if let Some(hold) = changes.holds.first() {
        let role = one_line(&hold.role);
        return Err(Stop::Refused(format!(
            "table {role} stands still, and lacks what PostgreSQL has: {}",
            hold.reason
        )));
    }
    // Of topics that tell no tables, nobody knows which of PostgreSQL's are meant.
    let captured = changes.config.connect.as_ref().and_then(|connect| connect.tables.clone());
    let captured = captured.or_else(|| tables_of(&changes.config.names));
    let (lake, known) = (&changes.config.lake, &changes.tables);
    // Events that do not name their schema are of the lake's.
    let is_known = |name: &str| {
        let ours = name.split_once('.').zip(lake.schema.as_ref()).map(|((_, table), ours)| format!("{ours}.{table}"));
        known.iter().any(|known| ours.as_ref().is_some_and(|ours| known.event.role == *ours))
    };
    let is_wanted = |name: &str| !is_known(name) && captured.as_ref().is_some_and(|captured| matches(captured, name));
    let is_wanted: &(dyn Fn(&str) -> bool + Sync) = &is_wanted;
    let tables = known.iter().map(|known| Table {
        spec: &known.spec.table,
        key: &known.event.key,
        database: known.event.database.as_deref(),
    });
    let subject = Subject {
        pipeline,
        postgres: &postgres.location,
        slot: &postgres.slot(pipeline),
        publication: &postgres.publication(pipeline),
        tables: tables.collect(),
        is_wanted: captured.is_some().then_some(is_wanted),
        place: &|name| find::place_of(changes, name).ok().map(|spec| spec.place),
        watch: changes.watch(),
        patience,
    };
    changes::prove(subject, progress).await
}

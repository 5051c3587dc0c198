//! What `prove` is to prove of a `pg_changes` pipeline.

use std::time::Duration;

use lakefront_operators::error::Stop;
use lakefront_operators::prove::changes::{self, Subject, Table};
use lakefront_operators::prove::{Progress, Proof};

use super::Changes;
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
    // Of topics that tell no tables, nobody knows which of PostgreSQL's are meant.
    let captured = changes.config.connect.as_ref().and_then(|connect| connect.tables.clone());
    let captured = captured.or_else(|| tables_of(&changes.config.names)).unwrap_or_default();
    let known = changes.tables.iter().map(|known| Table { spec: &known.spec.table, key: &known.event.key });
    let subject = Subject {
        pipeline,
        postgres: &postgres.location,
        slot: &postgres.slot(pipeline),
        publication: &postgres.publication(pipeline),
        tables: known.collect(),
        is_wanted: &|name| matches(&captured, name),
        watch: changes.watch(),
        patience,
    };
    changes::prove(subject, progress).await
}

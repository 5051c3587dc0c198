//! `lakefront debezium`: the connector that brings PostgreSQL's changes to Kafka, as a worker of
//! Kafka Connect runs it.
//!
//! ```text
//! pipeline file ─▶ Capture ─▶ Connector (its configuration) ─▶ Rest ─▶ Connect
//!                                                               │
//!                                Status (what Connect says) ◀───┘
//! ```
//!
//! Promises: no password is printed, also where Connect repeats one. A registration that is there
//! already is not touched. Leaves to others: installing Kafka Connect and Debezium, and what
//! becomes of the events.

mod commands;
mod connector;
mod converters;
mod delete;
mod look;
mod register;
mod rest;
mod status;
mod tables;
mod waiting;

use std::path::Path;

use lakefront_operators::shown::one_line;

use self::connector::{Connector, Entry, PLUGIN};
pub(crate) use self::converters::Nulls;
pub(crate) use self::look::{Connected, connected};

use self::rest::{Rest, RestError};
pub(crate) use self::status::{Status, Verdict};
pub(crate) use self::tables::{matches, prefix, tables as tables_of};
use crate::cli::{DebeziumArgs, DebeziumCommand};
use crate::config::{Config, Connect, Kind, PgChanges, Postgres};
use crate::exit::Usage;
use crate::{pipeline, runtime};

/// What a pipeline file says about the way of its changes to Kafka.
pub(crate) struct Capture {
    /// The pipeline's name.
    pub(crate) pipeline: String,
    /// The database.
    pub(crate) postgres: Postgres,
    /// Connect, and the connector.
    pub(crate) connect: Connect,
    /// The topics that the pipeline reads: names and patterns.
    pub(crate) topics: Vec<String>,
}

impl Capture {
    /// Reads a pipeline file, which must have both sections.
    fn load(file: &Path) -> anyhow::Result<Capture> {
        let Config { common, kind } = pipeline::load(file)?;
        let Kind::PgChanges(changes) = kind else {
            return Err(Usage("lakefront debezium is for pipelines with topology = \"pg_changes\"".to_owned()).into());
        };
        let PgChanges { postgres, connect, names: topics, .. } = *changes;
        let missing = |section: &str, example: &str| {
            let file = one_line(&file.display().to_string()).into_owned();
            Usage(format!("pipeline file {file} has no [{section}]: this command needs it, with {example}"))
        };
        let postgres = postgres.ok_or_else(|| missing("postgres", "url = \"postgresql://user@host:5432/database\""))?;
        let connect = connect.ok_or_else(|| missing("connect", "url = \"http://localhost:8083\""))?;
        Ok(Capture { pipeline: common.pipeline, postgres, connect, topics })
    }

    /// The connector's name.
    pub(crate) fn name(&self) -> &str {
        self.connect.name.as_deref().unwrap_or(&self.pipeline)
    }

    /// The replication slot.
    pub(crate) fn slot(&self) -> String {
        self.postgres.slot(&self.pipeline)
    }

    /// The publication.
    pub(crate) fn publication(&self) -> String {
        self.postgres.publication(&self.pipeline)
    }
}

/// Does what the command line says with the connector.
pub(crate) fn debezium(args: &DebeziumArgs) -> anyhow::Result<()> {
    let capture = Capture::load(args.command.file())?;
    let runtime = runtime::tokio()?;
    runtime.block_on(async {
        match &args.command {
            DebeziumCommand::Config(args) => commands::config(&capture, args),
            DebeziumCommand::Validate(args) => commands::validate(&capture, args).await,
            DebeziumCommand::Register(args) => register::register(&capture, args).await,
            DebeziumCommand::Status(args) => commands::status(&capture, args).await,
            DebeziumCommand::Pause(args) => commands::pause(&capture, args).await,
            DebeziumCommand::Resume(args) => commands::resume(&capture, args).await,
            DebeziumCommand::Restart(args) => commands::restart(&capture, args).await,
            DebeziumCommand::Delete(args) => delete::delete(&capture, args).await,
        }
    })
}

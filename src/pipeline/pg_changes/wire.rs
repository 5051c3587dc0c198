//! How a claimed `pg_changes` pipeline becomes a dataflow.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use lakefront_operators::checkpoint;
use lakefront_operators::error::Stop;
use lakefront_operators::events::Hold;
use lakefront_operators::plan;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::cutter::{Bounds, Cutter};
use lakefront_operators::protocol::names::RunId;
use lakefront_operators::run::bridge::Bridge;
use lakefront_operators::run::env::Env;
use lakefront_operators::run::fatal::{Fatal, StopRequest};
use lakefront_operators::run::memory::Budget;
use lakefront_operators::run::metrics::Metrics;
use lakefront_operators::run::space::FreeSpace;
use lakefront_operators::run::state;
use lakefront_operators::shown::one_line;
use lakefront_operators::sink::delta::DeltaTable;
use lakefront_operators::sink::delta::upsert::{Keeping, UpsertTable};
use lakefront_operators::source::kafka::acknowledge::GroupOffsets;
use lakefront_operators::source::kafka::feed::{Planning, TopicFeed};
use lakefront_operators::source::kafka::kind::Standing;
use lakefront_operators::source::kafka::sizes::Sizes;
use lakefront_operators::source::kafka::supply::TopicSupply;
use lakefront_topologies::Topology;
use lakefront_topologies::landing::Landing;
use lakefront_topologies::pg_changes;

use super::{Changes, Known, accept, find, known, take};
use crate::config::Mode;
use crate::pipeline::{self, Local, Opened, Run};

/// Offsets of a range at most, where records are tiny.
const RANGE_OFFSETS: u64 = 65_536;

/// A pipeline that has claimed its tables.
pub(super) struct Taken<'a> {
    changes: &'a Changes,
    taken: take::Taken,
}

impl<'a> Taken<'a> {
    pub(super) fn new(changes: &'a Changes, taken: take::Taken) -> Taken<'a> {
        Taken { changes, taken }
    }
}

impl pipeline::Claimed for Taken<'_> {
    fn run(&self) -> RunId {
        self.taken.claimed.first().map(|claimed| claimed.committer.run()).unwrap_or_default()
    }

    fn positions(&self) -> Vec<Position> {
        self.taken.claimed.iter().map(|claimed| claimed.standing.position()).collect()
    }

    fn dataflow(self: Box<Self>, run: Run) -> (Topology, Box<dyn pipeline::Ended>) {
        let number = pipeline::Claimed::run(&*self);
        let Taken { changes, taken: take::Taken { appended, tables, claimed, shards } } = *self;
        let common = &changes.common;
        let Run { bridge, metrics, fatal, stop, space, announce } = run;
        let standings: Vec<_> = claimed.iter().map(|claimed| claimed.standing.clone()).collect();
        let holds = known::still(&changes.holds, &standings);
        hold(changes, &holds, (&metrics, &fatal, &bridge));
        let named = state::Run {
            pipeline: common.pipeline.clone(),
            source: changes.source.clone(),
            run: number,
            tables: changes.names.clone(),
        };
        let parts = changes.parts();
        let budget = Budget::new(common.memory.unwrap_or(parts.usual()), parts);
        metrics.guarded_by(space.clone(), budget.clone());
        let sizes = Arc::new(Sizes::default());
        let planning = planning(changes, (&standings, &holds), sizes.clone(), space, stop);
        let checkpoint = checkpoint::Settings { path: common.state_file.clone(), run: named, standings, announce };
        let source = Arc::new(GroupOffsets::new(changes.asks.clone()));
        let keeping = shards.iter().flatten().map(|shard| shard.keeping()).collect();
        let events = changes.tables.iter().map(|table| table.event.clone()).collect();
        let topology = Topology::PgChanges(pg_changes::PgChanges {
            reader: Arc::new(changes.reader(sizes)),
            events: Arc::new(find::known_tables(changes, events)),
            tables: changes.tables.iter().map(|table| table.spec.clone()).collect(),
            rejects: changes.rejects.clone(),
            shards: shards.into_iter().map(Mutex::new).collect(),
            planning: Mutex::new(Some(planning)),
            landing: Landing::new(changes.outline().layout, claimed, checkpoint, source, &metrics),
            env: Env { clock: changes.clock.clone(), budget, bridge, metrics, fatal },
        });
        let held = match changes.config.mode {
            Mode::Backfill => (!holds.is_empty()).then(|| {
                let reasons: BTreeSet<&str> = holds.iter().map(|hold| &*hold.reason).collect();
                reasons.into_iter().collect::<Vec<_>>().join("; ")
            }),
            Mode::Tail => None,
        };
        (topology, Box::new(Ended { appended, tables, keeping, held }))
    }
}

/// Says which tables stand still, and begins anew once one of them has other columns.
fn hold(changes: &Changes, holds: &[Hold], (metrics, fatal, bridge): (&Metrics, &Fatal, &Bridge)) {
    for Hold { role, partition, offset, reason, .. } in holds {
        metrics.holds(role, reason);
        let (table, partition) = (one_line(role), partition.to_string());
        tracing::warn!(
            %table, partition = %one_line(&partition), offset, %reason,
            "the table stands still: its topic is not read further, and what waits there stays in Kafka"
        );
    }
    let is_held = |table: &&Known| holds.iter().any(|hold| hold.role == table.event.role);
    let held: Vec<_> = changes.tables.iter().filter(is_held).map(|table| table.spec.table.clone()).collect();
    if !held.is_empty() {
        bridge.detach(accept::watch(held, changes.common.pipeline.clone(), changes.clock.clone(), fatal.clone()));
    }
}

fn planning(
    changes: &Changes,
    (standings, holds): (&[Standing], &[Hold]),
    sizes: Arc<Sizes>,
    space: Arc<FreeSpace>,
    stop: StopRequest,
) -> Planning {
    let config = &changes.config;
    let bounds = Bounds {
        work: RANGE_OFFSETS,
        cut: config.rows,
        cut_ms: u64::try_from(config.interval.as_millis()).unwrap_or(u64::MAX),
        ahead: config.rows.saturating_mul(2).max(RANGE_OFFSETS),
    };
    let held = holds.iter().map(|hold| (hold.partition.clone(), hold.offset)).collect();
    let supply = TopicSupply::new(standings, sizes, config.range(), config.on_loss);
    let supply = supply.closing_after(config.bytes).holding(held);
    let supply = if config.whole.is_some() { supply.by_steps() } else { supply };
    Planning {
        cutter: Cutter::over(supply, standings, Arc::new(changes.settings()), bounds),
        watch: changes.watch().with_scout(changes.scout(standings)),
        feed: TopicFeed::default(),
        mode: match config.mode {
            Mode::Backfill => plan::Mode::Backfill,
            Mode::Tail => plan::Mode::Tail { poll: config.poll },
        },
        in_flight: config.in_flight(),
        space,
        stop,
    }
}

/// A run whose dataflow is complete.
struct Ended {
    /// The rejects, and tables without a key.
    appended: Vec<Arc<DeltaTable>>,
    tables: Vec<Arc<UpsertTable>>,
    keeping: Vec<Keeping>,
    /// Why a backfill has not landed all that is there.
    held: Option<String>,
}

impl pipeline::Ended for Ended {
    fn at_rest(&self) -> Local<'_, ()> {
        Box::pin(async {
            for table in &self.appended {
                table.at_rest().await;
            }
            for table in &self.tables {
                table.at_rest().await;
            }
            for keeping in &self.keeping {
                keeping.at_rest().await;
            }
        })
    }

    fn verdict(&self) -> Result<(), Stop> {
        match &self.held {
            None => Ok(()),
            Some(reason) => Err(Stop::Refused(format!("all is landed but what waits for a decision: {reason}"))),
        }
    }

    fn nothing(&self, _metrics: &Metrics) -> Option<String> {
        None
    }
}

//! `route`: sends every row to the table of its server's role, and every reject to the rejects
//! table.
//!
//! In order of precedence: a glob over the partition's name; the row's own role; the row's server
//! by name; the default. A share of rejects above `reject_ratio` among the last lines stops the
//! run, but not in a catch-up, because another table holds those cuts already. What was read by
//! then is still routed and committed.

mod judge;
mod rejects;
mod roles;
mod unnamed;

use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::progress::operate::FrontierInterest;

pub use judge::RatioJudge;
pub use rejects::{Counted, Rejects};
pub use roles::RoleMap;

use crate::error::Stop;
use crate::format::logs::record::Reason;
use crate::format::logs::rows;
use crate::format::logs::settings::{Destination, RowSettings};
use crate::parse::Parsed;
use crate::position::Position;
use crate::protocol::names::TableId;
use crate::routed::Routed;
use crate::run::env::Env;
use crate::run::metrics::Metrics;

/// The tables of this kind of pipeline, in their order: each is a group of its own.
pub const TABLES: [&str; 3] = ["primary", "replica", "rejects"];
const PRIMARY: TableId = TableId(0);
const REPLICA: TableId = TableId(1);
const REJECTS: TableId = TableId(2);

/// A stream per table, in the order of [`TABLES`].
pub type Routes<'s> = [StreamVec<'s, Position, Routed>; 3];

/// Routes rows by server role.
///
/// Here, `shared::blocks` stands for [`fetch`](crate::fetch::fetch), which has read a small file of
/// Azure's format. The settings send lines of primary servers to one table, lines that name another
/// role to the replicas' table, and reject the rest:
///
/// ```
/// use std::sync::Arc;
///
/// use lakefront_operators::run::fatal::StopRequest;
/// use lakefront_operators::parse::parse;
/// use lakefront_operators::route::{RatioJudge, Rejects, TABLES, route};
/// use lakefront_operators::split::split;
/// use timely::dataflow::operators::capture::{Capture, Extract};
/// use timely::dataflow::operators::vec::Map;
/// # mod shared {
/// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples/shared.rs"));
/// # }
///
/// let env = shared::env();
/// let rejects = Arc::new(Rejects::new(0.5, StopRequest::default()));
/// let judge = RatioJudge::new(rejects.clone());
/// let tables = timely::execute_directly(move |worker| {
///     worker.dataflow(|scope| {
///         let text = concat!(
///             "{\"ReplicaRole\": \"Primary\"}\n{\"ReplicaRole\": \"GeoReplica\"}\n",
///             "{\"Region\": \"westeurope\"}\n{\"ReplicaRole\": \"Primary\"}\n",
///         );
///         let rows = parse(split(shared::blocks(scope, text, &env)));
///         route(rows, judge, &env).map(|rows| {
///             rows.map(|routed| (TABLES[routed.table.0], routed.rows.num_rows())).capture()
///         })
///     })
/// });
/// let rows = tables.map(|rows| rows.extract().remove(0).1);
/// assert_eq!(rows, [[("primary", 2)], [("replica", 1)], [("rejects", 1)]]);
/// assert_eq!(rejects.counted()[0].reason.as_str(), "no_role");
/// ```
pub fn route<'s>(parsed: StreamVec<'s, Position, Parsed>, mut judge: RatioJudge, env: &Env) -> Routes<'s> {
    let Env { clock, metrics, fatal, .. } = env.clone();
    let mut builder = OperatorBuilder::new("route".to_owned(), parsed.scope());
    let mut input = builder.new_input(parsed, Pipeline);
    builder.set_notify_for(0, FrontierInterest::Never);
    let mut output = || {
        let (output, stream) = builder.new_output::<Vec<Routed>>();
        (OutputBuilder::<_, CapacityContainerBuilder<Vec<Routed>>>::from(output), stream)
    };
    let (mut primary, primary_stream) = output();
    let (mut replica, replica_stream) = output();
    let (mut rejects, rejects_stream) = output();
    builder.build(move |_capabilities| {
        let mut router = Router::default();
        // The capabilities of batches that could not be routed: they keep their cut incomplete.
        let mut stuck = Vec::new();
        move |_frontiers| {
            let (mut primary, mut replica, mut rejects) = (primary.activate(), replica.activate(), rejects.activate());
            input.for_each(|capability, parsed| {
                for parsed in parsed.drain(..) {
                    let (lines, catch_up) = (parsed.lines.len() + parsed.rejects.len(), parsed.fetched.work.catch_up);
                    match router.route(parsed, clock.now_ms(), &metrics) {
                        Ok(routed) => {
                            if !catch_up {
                                judge.judge(lines, routed.rejected);
                            }
                            let outputs = [&mut primary, &mut replica, &mut rejects];
                            for (part, output) in routed.tables.into_iter().zip(outputs) {
                                part.into_iter().for_each(|rows| output.session(&capability).give(rows));
                            }
                        }
                        Err(stop) => {
                            stuck.push([capability.retain(0), capability.retain(1), capability.retain(2)]);
                            fatal.raise(stop);
                        }
                    }
                }
            });
        }
    });
    [primary_stream, replica_stream, rejects_stream]
}

/// The parts of one batch.
struct Parts {
    /// A part per table, in the order of [`TABLES`]; one without rows is `None`.
    tables: [Option<Routed>; 3],
    rejected: Vec<Counted>,
}

/// Keeps the role map of the settings that were used last.
#[derive(Default)]
struct Router {
    map: Option<(Arc<RowSettings>, RoleMap)>,
}

impl Router {
    fn route(&mut self, mut parsed: Parsed, now_ms: u64, metrics: &Metrics) -> Result<Parts, Stop> {
        let mut rejects = std::mem::take(&mut parsed.rejects);
        let (fetched, rows) = (&parsed.fetched, &parsed.rows);
        let settings = &fetched.work.settings;
        if self.map.as_ref().is_none_or(|(of, _)| !Arc::ptr_eq(of, settings) && of != settings) {
            self.map = Some((settings.clone(), RoleMap::new(settings)?));
        }
        let (_, map) = self.map.as_ref().expect("it was just made");
        let name = &fetched.work.partition.name;
        let destinations = map.destinations(name, rows);
        unnamed::tell(map.unnamed(name, rows), map.other(), metrics);
        let nowhere = destinations.iter().enumerate();
        rejects.extend(nowhere.filter_map(|(row, to)| Some(parsed.reject(row, to.err()?))));
        metrics.shapes().opened(&parsed.opened);
        metrics.shapes().rejected(name, &rejects, settings);
        rejects.iter().for_each(|reject| metrics.rejected(reject.reason.as_str()));
        let partition = || fetched.work.partition.clone();
        let routed = |table, rows| Routed {
            table,
            rows,
            partition: partition(),
            credit: fetched.credit.clone(),
            is_last: false,
        };
        let part = |table, to| Some(routed(table, select(rows, &destinations, to)?));
        let source = fetched.work.partition.to_string();
        let now_micros = i64::try_from(now_ms * 1_000).unwrap_or(i64::MAX);
        let rejected = (!rejects.is_empty()).then(|| rows::rejects_batch(&rejects, &source, now_micros));
        Ok(Parts {
            tables: [
                part(PRIMARY, Destination::Primary),
                part(REPLICA, Destination::Replica),
                rejected.map(|rows| routed(REJECTS, rows)),
            ],
            rejected: rejects::count(&rejects, &source),
        })
    }
}

/// The rows that go to one table. A batch of one role, the usual case, is not copied.
fn select(rows: &RecordBatch, destinations: &[Result<Destination, Reason>], to: Destination) -> Option<RecordBatch> {
    let chosen = destinations.iter().filter(|d| **d == Ok(to)).count();
    match chosen {
        0 => None,
        all if all == rows.num_rows() => Some(rows.clone()),
        _ => {
            let mask: BooleanArray = destinations.iter().map(|d| Some(*d == Ok(to))).collect();
            Some(filter_record_batch(rows, &mask).expect("the mask has one entry a row"))
        }
    }
}

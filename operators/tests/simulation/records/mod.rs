//! A kind that shares no type with lines: partitions of numbered records, from a log that forces
//! and forbids boundaries and forgets what was acknowledged, and groups of several tables. Only the
//! simulation has such a source; what decides about commits is production code.

mod check;
mod kind;
mod log;
mod read;
mod supply;

use std::collections::BTreeMap;

use lakefront_operators::error::Stop;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::neighbours::Reading;
use lakefront_operators::protocol::offsets::Offsets;
use lakefront_operators::protocol::standing::Standing;
use lakefront_operators::protocol::sums::Sum;
use lakefront_operators::protocol::supply::{Boundary, Supply};
use lakefront_operators::totals::hash;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kind::{Advice, Groups, Planner, SimKind};
use crate::plan::lacking;
use crate::records::kind::Named;
pub(crate) use crate::records::kind::{Left, Next, Records, Routing};
use crate::records::log::{Log, id_of, uid_of};
use crate::records::supply::{Piece, RecordSupply};
use crate::rng::Rng;
use crate::run::Env;
use crate::saboteur::Rule;
use crate::world::World;

/// A row: the record it was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Row {
    uid: u64,
    number: u64,
}

/// Where a group began.
#[derive(Clone, Default)]
pub(crate) struct Base {
    marks: BTreeMap<u64, u64>,
    before: u64,
}

impl Base {
    /// Whether the group begins before this record.
    fn is_before(&self, row: &Row) -> bool {
        self.marks.get(&row.uid).map_or(row.uid >= self.before, |mark| *mark <= row.number)
    }
}

impl SimKind for Records {
    const OWN_RULES: &'static [Rule] = &[Rule::Boundary, Rule::Repeat, Rule::Conflict, Rule::Begun];
    const GROUP: &'static str = "group";
    const UNIT: &'static str = "records";
    const ROUTES: usize = 3;
    const FORGETS: bool = true;
    const MASKS: bool = true;
    const SOURCE: [&'static str; 2] = ["log:sim", "log:sim/"];
    const TYPO: &'static str = "log:smi";

    type Source = Log;
    type Row = Row;
    type Base = Base;
    type Work = Piece;
    type Supply = RecordSupply;
    /// Whether the log was looked at.
    type Feed = bool;

    fn source(rng: &mut Rng) -> Log {
        Log::new(rng)
    }

    fn groups(source: &Log) -> Groups {
        source.groups
    }

    fn is_long(source: &Log) -> bool {
        source.turnover
    }

    fn happen(w: &mut World<Records>, x: f64) {
        match x {
            x if x < 0.04 || (x < 0.06 && w.source.turnover) => w.write(),
            x if x > 0.15 => w.end_partition(),
            _ => {}
        }
    }

    fn meddle(w: &mut World<Records>, _what: usize) {
        w.end_partition();
    }

    fn reconfigure(_w: &mut World<Records>) {}

    fn quieten(w: &mut World<Records>) {
        w.end_flush();
    }

    fn acknowledge(w: &mut World<Records>, _tag: u64, standing: &Standing<Records>) {
        w.forget(standing);
    }

    fn obey(_w: &mut World<Records>, text: &str) -> Option<Advice> {
        text.contains("are gone").then_some(Advice::StartOver)
    }

    fn settings(routes: usize) -> Routing {
        Routing { route: routes as u32 }
    }

    fn reading(source: &'static str) -> Box<dyn Reading<Records>> {
        Box::new(Named(source))
    }

    fn cold_start(env: &Env<Records>) -> Pending<'static, Result<Offsets<Records>, Stop>> {
        let (w, is_typo) = (env.world(), env.typo);
        let start = if is_typo { w.source.empty().start() } else { w.source.start() };
        Box::pin(async { Ok(start) })
    }

    /// What the furthest group lacks has to be there. What a group before it lacks is asked for
    /// later, if it lacks anything.
    fn supply(env: &Env<Records>, standings: &[Standing<Records>]) -> Result<RecordSupply, Stop> {
        let w = env.world();
        let furthest = standings.iter().max_by_key(|standing| standing.position()).expect("there is a group");
        let mut rest = RecordSupply::new(std::slice::from_ref(furthest), false);
        rest.see(&w.source);
        match rest.lost() {
            Some(lost) if !env.typo => Err(lacking::<Records>(&lost.what)),
            _ => Ok(RecordSupply::new(standings, w.lacks(Rule::Boundary))),
        }
    }

    fn feed(_env: &Env<Records>, _standings: &[Standing<Records>]) -> bool {
        false
    }

    async fn look(has_looked: &mut bool, env: &Env<Records>, planner: &mut Planner<Records>) -> Result<(), Stop> {
        let mut w = env.world();
        let waits = planner.supply().boundary() == Boundary::MustNot;
        if !*has_looked || ((env.tail || waits) && w.rng.chance(0.5)) {
            match env.typo {
                true => planner.supply_mut().see(&w.source.empty()),
                false => planner.supply_mut().see(&w.source),
            }
            *has_looked = true;
        }
        Ok(())
    }

    fn has_looked(has_looked: &bool) -> bool {
        *has_looked
    }

    fn is_catch_up(work: &Piece) -> bool {
        work.catch_up
    }

    async fn stage(env: &Env<Records>, time: Position, work: Piece) -> Result<(), Stop> {
        read::stage(env, time, work).await
    }

    fn is_zero(mark: &Next) -> bool {
        mark.next == 0
    }

    fn base(document: &Value) -> Base {
        let entries = document["partitions"].as_array().cloned().unwrap_or_default();
        let mark = |entry: &Value| Some((uid_of(entry["name"].as_str()?), entry["next"].as_u64()?));
        let before = document["retired"]["before"].as_u64().unwrap_or_default();
        Base { marks: entries.iter().filter_map(mark).collect(), before }
    }

    fn masks(detail: &str) -> Vec<(u64, Row)> {
        serde_json::from_str(detail).expect("masks that were staged")
    }

    fn sum_of(row: &Row) -> Sum {
        Sum::row(hash::PartitionHash::new(&id_of(row.uid).to_string()).row(row.number, 0))
    }

    fn may_appear(w: &World<Records>, group: usize, rows: &[Row]) -> Result<(), String> {
        check::may_appear(w, group, rows)
    }

    fn outcome(w: &World<Records>) -> Result<(), String> {
        check::check(w)
    }

    fn show(piece: &Piece) -> String {
        let ranges: Vec<_> = piece.ranges.iter().map(|(uid, range)| format!("p{uid} {range:?}")).collect();
        format!("piece {}", ranges.join(", "))
    }

    fn brief(offsets: &Offsets<Records>) -> String {
        let at: Vec<_> = offsets.partitions.iter().map(|(id, at)| format!("{id}:{}", at.next)).collect();
        let Left { records, before, .. } = offsets.retired;
        format!("{} +{records} before {before}", at.join(" "))
    }
}

//! The kind of `pg_flush` in the simulation: hot tables whose rows move to a lake, flush by flush,
//! in two deployments. Hot tables and catalog are in one database, and rows leave in the
//! transaction that lands them; or they are in two, and a crash may come between the two commits.
//! Kind and supply are production code; PostgreSQL is simulated.
//!
//! Assumed, not tested: nobody deletes or restores the lake. Where there are two databases, nobody
//! updates a row from when its flush has deleted it until it is known to be void: if the owner's
//! connection is lost between, the row can be changed again, and lands as it was.

mod check;
mod commit;
mod feed;
mod flush;
mod hot;
mod read;

use lakefront_operators::error::{Stop, StoreError};
use lakefront_operators::position::Position;
use lakefront_operators::protocol::Pending;
use lakefront_operators::protocol::cutter::Bounds;
use lakefront_operators::protocol::group::Commit;
use lakefront_operators::protocol::names::{Held, TableId};
use lakefront_operators::protocol::neighbours::Reading;
use lakefront_operators::protocol::offsets::Offsets;
use lakefront_operators::protocol::standing::Standing;
use lakefront_operators::protocol::sums::Sum;
use lakefront_operators::source::postgres::{Flushes, HotSource, Slice, Watermark};
use lakefront_operators::totals::hash;
use serde_json::Value;

use crate::flushes::feed::{SimSupply, Watch};
use crate::flushes::hot::Hot;
use crate::group::SimGroup;
use crate::kind::{Advice, Groups, Planner, SimKind, Transaction};
use crate::rng::Rng;
use crate::run::Env;
use crate::saboteur::Rule;
use crate::world::World;

/// The hot tables, and those of the lake. The first is the one whose sequences bound a flush.
pub(crate) const TABLES: [&str; 2] = ["ledgers", "notes"];

/// A row, as a writer left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    table: TableId,
    sequence: i64,
    key: u64,
    /// How often it was updated.
    edition: u32,
}

impl SimKind for Flushes {
    const OWN_RULES: &'static [Rule] = &[
        Rule::Void,
        Rule::Anew,
        Rule::Known,
        Rule::Discard,
        Rule::Again,
        Rule::Marks,
        Rule::Leave,
        Rule::Leftover,
        Rule::Changed,
    ];
    const GROUP: &'static str = "group";
    const UNIT: &'static str = "rows";
    const ROUTES: usize = 1;
    const FORGETS: bool = true;
    const MASKS: bool = false;
    const IS_ONLY_COPY: bool = true;
    const COMPARES: bool = true;
    const SOURCE: [&'static str; 2] = ["postgresql://sim/hot", "postgresql://sim:5432/hot"];
    const TYPO: &'static str = "postgresql://sim/hto";

    type Source = Hot;
    type Row = Row;
    /// Whatever was hot at the start lands.
    type Base = ();
    type Work = Slice;
    type Supply = SimSupply;
    type Feed = Watch;

    /// There is one group, which cannot lag; it has one set of settings, and one pipeline. A run
    /// that does not see a claim meets the next commit: rows leave with theirs, whoever lands them.
    fn rules() -> impl Iterator<Item = Rule> {
        let shared = [
            Rule::Fence,
            Rule::Names,
            Rule::Tidy,
            Rule::Durable,
            Rule::Stale,
            Rule::Steady,
            Rule::Recheck,
            Rule::Acknowledge,
            Rule::Adopt,
            Rule::Boundary,
        ];
        shared.into_iter().chain(Self::OWN_RULES.iter().copied())
    }

    fn source(rng: &mut Rng) -> Hot {
        Hot::new(rng)
    }

    fn groups(_source: &Hot) -> Groups {
        &[("lake", &TABLES)]
    }

    fn is_long(source: &Hot) -> bool {
        source.is_long
    }

    fn happen(w: &mut World<Flushes>, x: f64) {
        match x {
            x if x < 0.07 => w.insert(),
            x if x < 0.085 => w.update(),
            x if x < 0.095 => w.insert_late(),
            x if x < 0.105 => w.insert_again(),
            x if x < 0.112 => w.lose_owner(),
            _ => {}
        }
    }

    fn meddle(w: &mut World<Flushes>, _what: usize) {
        w.lose_owner();
    }

    fn reconfigure(_w: &mut World<Flushes>) {}

    fn quieten(w: &mut World<Flushes>) {
        w.insert_last();
    }

    fn acknowledge(w: &mut World<Flushes>, tag: u64, standing: &Standing<Flushes>) {
        w.forget_flush(tag, standing.position());
    }

    fn ended(w: &mut World<Flushes>, tag: u64) {
        w.close_all(tag);
    }

    fn obey(_w: &mut World<Flushes>, _text: &str) -> Option<Advice> {
        None
    }

    fn settings(_routes: usize) -> u32 {
        HotSource::SETTINGS
    }

    fn reading(source: &'static str) -> Box<dyn Reading<Flushes>> {
        Box::new(HotSource::new(source, "public"))
    }

    fn cold_start(_env: &Env<Flushes>) -> Pending<'static, Result<Offsets<Flushes>, Stop>> {
        Box::pin(async { Ok(Offsets::default()) })
    }

    /// What is void is never acknowledged, so there is no bound to what is not.
    fn bounds(drawn: Bounds) -> Bounds {
        Bounds { ahead: u64::MAX, ..drawn }
    }

    fn supply(env: &Env<Flushes>, standings: &[Standing<Flushes>]) -> Result<SimSupply, Stop> {
        Ok(SimSupply::new((*standings[0].offsets).clone(), env.world().lacks(Rule::Boundary)))
    }

    fn feed(env: &Env<Flushes>, standings: &[Standing<Flushes>]) -> Watch {
        Watch::new(env, &standings[0])
    }

    async fn look(watch: &mut Watch, env: &Env<Flushes>, planner: &mut Planner<Flushes>) -> Result<(), Stop> {
        watch.look(env, planner).await
    }

    fn has_looked(watch: &Watch) -> bool {
        watch.has_looked
    }

    fn looks_again(watch: &Watch) -> bool {
        !watch.is_done
    }

    /// Of a single group, none lags.
    fn is_catch_up(_slice: &Slice) -> bool {
        false
    }

    async fn stage(env: &Env<Flushes>, time: Position, slice: Slice) -> Result<(), Stop> {
        read::stage(env, time, slice).await;
        Ok(())
    }

    /// Tables of which nothing is handed out are not named.
    fn is_zero(_mark: &Watermark) -> bool {
        false
    }

    fn begin<'a>(
        group: &'a SimGroup<Flushes>,
        commit: &'a Commit,
    ) -> Pending<'a, Result<Option<Transaction>, StoreError>> {
        Box::pin(commit::begin(group, commit))
    }

    fn stands(w: &World<Flushes>, group: usize, transaction: Transaction, is_late: bool) -> bool {
        w.stands(group, transaction, is_late)
    }

    fn landed(w: &mut World<Flushes>, group: usize, held: Held, transaction: Option<Transaction>) {
        w.landed(group, held, transaction);
    }

    fn discarded(w: &mut World<Flushes>, tag: u64, held: Held) {
        w.is_void(tag, held.position);
    }

    fn base(_document: &Value) {}

    fn masks(_detail: &str) -> Vec<(u64, Row)> {
        Vec::new()
    }

    fn sum_of(row: &Row) -> Sum {
        let Row { table, key, edition, .. } = row;
        Sum::row(hash::PartitionHash::new(TABLES[table.0]).row(*key, u128::from(*edition)))
    }

    fn may_appear(w: &World<Flushes>, group: usize, rows: &[Row]) -> Result<(), String> {
        check::may_appear(w, group, rows)
    }

    fn outcome(w: &World<Flushes>) -> Result<(), String> {
        check::check(w)
    }

    fn show(slice: &Slice) -> String {
        format!("slice {}..{:?} of {}, flush {}", slice.from, slice.to, slice.partition, slice.flush)
    }

    fn brief(offsets: &Offsets<Flushes>) -> String {
        let at: Vec<_> = offsets.partitions.iter().map(|(id, at)| format!("{id}:{}", at.watermark)).collect();
        at.join(" ")
    }
}

//! A group's offsets files: which one is written next, and what it refers to.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::error::{Stop, StoreError};
use crate::position::Position;
use crate::protocol::account::Account;
use crate::protocol::clock::Clock;
use crate::protocol::document::{Document, FORMAT, Origin, Recorded};
use crate::protocol::group::Created;
use crate::protocol::kind::{Kind, TooNew};
use crate::protocol::layout::Members;
use crate::protocol::names::{Held, OffsetsName};
use crate::protocol::offsets::{Delta, Offsets};
use crate::protocol::offsets_store::OffsetsStore;
use crate::protocol::refusals;
use crate::protocol::retry::ask;
use crate::protocol::staged::Counted;
use crate::protocol::standing::Standing;

/// A base is replaced once a delta has more entries than this and than half the base.
const DELTA_ENTRIES: usize = 64;

/// A full file that this run has written.
struct Base<K: Kind> {
    name: OffsetsName,
    offsets: Arc<Offsets<K>>,
    account: Account<K>,
}

/// One pipeline's offsets files of one group.
pub struct OffsetsFiles<K: Kind> {
    members: Members,
    now: Recorded<K>,
    base: Option<Base<K>>,
    /// Files that exist, as far as this run knows.
    known: BTreeSet<OffsetsName>,
}

impl<K: Kind> OffsetsFiles<K> {
    /// The files of a group of these `members`, with `now` to be written first. No file is known
    /// yet.
    pub fn new(members: Members, mut now: Recorded<K>) -> Self {
        for role in members.roles() {
            now.account.tables.entry(role.to_owned()).or_default();
        }
        OffsetsFiles { members, now, base: None, known: BTreeSet::new() }
    }

    /// The tables of the group.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// What stays the same for this group.
    pub fn origin(&self) -> &Origin {
        &self.now.origin
    }

    /// Sets what is written next: the group stands at `standing`, with the rows of `sums` added. It
    /// is a bug if they are of a table of another group.
    pub fn advance(&mut self, standing: &Standing<K>, sums: &[Counted]) -> Result<(), Stop> {
        if let Some(odd) = sums.iter().find(|counted| !self.members.has(counted.table)) {
            let (table, role) = (odd.table.0, &self.members.role);
            return Err(Stop::Bug(format!(
                "group {role:?} was given rows of table {table}, which is of another group"
            )));
        }
        let members = &self.members;
        let sums =
            sums.iter().filter_map(|Counted { table, bucket, sum }| Some((members.role_of(*table)?, bucket, *sum)));
        self.now.account.land(&self.now.standing, standing, sums);
        self.now.standing = standing.clone();
        Ok(())
    }

    /// Learns which files exist, so that [`OffsetsFiles::tidy`] can delete those of earlier runs
    /// too.
    pub async fn survey(&mut self, store: &dyn OffsetsStore, clock: &dyn Clock) -> Result<(), Stop> {
        self.known.extend(ask(clock, || store.list_offsets()).await?);
        Ok(())
    }

    /// Writes the file of `held`. `Ok(false)` means that another run has written other content
    /// under that name.
    pub async fn write(&mut self, store: &dyn OffsetsStore, held: Held) -> Result<bool, StoreError> {
        debug_assert_eq!(held.position, self.now.standing.position(), "a position has exactly one Offsets");
        let name = OffsetsName(held);
        let document = self.compose(held);
        let full = document.base.is_none();
        let content = serde_json::to_vec_pretty(&document).map_err(|e| StoreError::definite("write offsets", e))?;
        if store.write_offsets(name, &content).await? == Created::No {
            // It is ours if an earlier reply was lost, or a rival's that computed the same run
            // number.
            let there = store.read_offsets(name).await?;
            if there.as_deref() != Some(&content[..]) {
                return Ok(false);
            }
        }
        self.known.insert(name);
        if full {
            let Recorded { standing, account, .. } = &self.now;
            self.base = Some(Base { name, offsets: standing.offsets.clone(), account: account.clone() });
        }
        Ok(true)
    }

    /// A delta to the base; a full file if there is no base, or it has another `from`, or too much
    /// has changed.
    fn compose(&self, held: Held) -> Document<K> {
        let Recorded { origin, standing, account, process } = &self.now;
        let delta = self.base.as_ref().filter(|base| base.account.from == account.from).and_then(|base| {
            let delta = standing.offsets.since(&base.offsets);
            (delta.len() <= DELTA_ENTRIES.max(base.offsets.len() / 2)).then_some((base, delta))
        });
        let (base, offsets, gone, tables, from) = match delta {
            Some((base, Delta { changed, gone })) => {
                (Some(base.name), changed, gone, account.since(&base.account, &standing.offsets), None)
            }
            None => {
                let from = (*account.from).clone();
                (None, (*standing.offsets).clone(), Vec::new(), account.tables.clone(), Some(from))
            }
        };
        Document {
            format: FORMAT,
            kind: Some(K::NAME.to_owned()),
            origin: origin.clone(),
            held,
            settings: (*standing.settings).clone(),
            since: standing.since,
            last_cuts: standing.last_rows.clone(),
            base,
            offsets,
            gone,
            tables,
            from,
            process: process.clone(),
        }
    }

    /// Reads the file of `held`, and its base if it is a delta.
    pub async fn read(store: &dyn OffsetsStore, held: Held) -> Result<Recorded<K>, Stop> {
        let name = OffsetsName(held);
        let damaged =
            |how: &str| Stop::Refused(format!("{}: its offsets file {name} is damaged: {how}", store.shown()));
        let document = Self::document(store, held, name).await?;
        let (offsets, tables, from) = match document.base {
            None => (document.offsets, document.tables, document.from),
            Some(base) => {
                let full = Self::document(store, held, base).await?;
                if !full.tables.keys().eq(document.tables.keys()) {
                    return Err(damaged("it and its base count the rows of different tables"));
                }
                let offsets = full.offsets.updated(Delta { changed: document.offsets, gone: document.gone });
                let tables = Account::updated(full.tables, document.tables, &offsets);
                (offsets, tables, full.from)
            }
        };
        if offsets.position() != held.position {
            return Err(damaged(&format!("its offsets add up to {}", offsets.position())));
        }
        let settings = Arc::new(document.settings);
        let Document { since, last_cuts: last_rows, .. } = document;
        let standing = Standing { offsets: Arc::new(offsets), settings, since, last_rows };
        let account = Account { tables, from: Arc::new(from.unwrap_or_default()) };
        Ok(Recorded { origin: document.origin, standing, account, process: document.process })
    }

    async fn document(store: &dyn OffsetsStore, held: Held, name: OffsetsName) -> Result<Document<K>, Stop> {
        let Some(content) = store.read_offsets(name).await? else {
            return Err(refusals::offsets_missing(&store.shown(), held.position, &name.to_string()));
        };
        let document = Document::parse(&content)
            .map_err(|e| StoreError::definite(format!("read offsets file {name} of {}", store.shown()), e))?;
        if let Err(TooNew { version, known }) = K::check(&document.settings) {
            return Err(Stop::Refused(format!(
                "{} was written by a newer lakefront (row rules {version}, this binary knows {known}): upgrade",
                store.shown()
            )));
        }
        Ok(document)
    }

    /// Deletes the files below `committed`, except the base that newer files refer to. A file at or
    /// above it stays: it may belong to a commit that is still under way, ours or a rival's,
    /// however many newer files there are.
    pub async fn tidy(&mut self, store: &dyn OffsetsStore, committed: Position) -> Result<(), StoreError> {
        let base = self.base.as_ref().map(|base| base.name);
        let old = |name: &&OffsetsName| name.0.position < committed && Some(**name) != base;
        for name in self.known.iter().filter(old).copied().collect::<Vec<_>>() {
            store.delete_offsets(name).await?;
            fail::fail_point!("offsets-deleted");
            self.known.remove(&name);
        }
        Ok(())
    }
}

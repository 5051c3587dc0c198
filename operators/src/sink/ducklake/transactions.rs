//! The transaction in which a commit is made.
//!
//! A lake commits in transactions of its own, unless something else must become true in the same
//! moment: a source in the same database that forgets the rows.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Mutex;
use tokio_postgres::Client;

use super::catalog::Lake;
use super::places::Replaced;
use crate::error::StoreError;
use crate::postgres;
use crate::protocol::Pending;
use crate::protocol::group::Commit;

/// Brings the transactions of commits that have files.
///
/// An attempt at a commit is [`Transactions::begin`], then what the sink writes, and then
/// [`Transactions::committing`] right before `COMMIT`. If the sink gives up before that, it rolls
/// back to where `begin` left the transaction, and may ask for it again.
///
/// Here, each commit of a lake also leaves a row elsewhere, in the moment in which its own rows
/// appear:
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
///
/// use lakefront_operators::error::StoreError;
/// use lakefront_operators::postgres::{self, Location};
/// use lakefront_operators::protocol::Pending;
/// use lakefront_operators::protocol::group::Commit;
/// use lakefront_operators::sink::ducklake::{
///     Lake, LakeSpec, OwnTransactions, Replaced, Transactions,
/// };
/// use lakefront_operators::sink::files::Place;
/// use serde_json::Value;
/// use tokio_postgres::Client;
///
/// struct Noted(OwnTransactions);
///
/// impl Transactions for Noted {
///     fn begin<'a>(
///         &'a self,
///         commit: &'a Commit,
///     ) -> Pending<'a, Result<Option<Arc<Client>>, StoreError>> {
///         Box::pin(async move {
///             let Some(session) = self.0.begin(commit).await? else { return Ok(None) };
///             let sql = "INSERT INTO notes VALUES (clock_timestamp())";
///             let failed = |error| postgres::failed("take note of a commit", error);
///             session.execute(sql, &[]).await.map_err(failed)?;
///             Ok(Some(session))
///         })
///     }
///
///     fn replaces(&self, commit: &Commit) -> Option<Arc<Replaced>> {
///         self.0.replaces(commit)
///     }
///
///     fn committing(&self, commit: &Commit) {
///         self.0.committing(commit);
///     }
///
///     fn notes(&self, commit: &Commit) -> Option<Value> {
///         self.0.notes(commit)
///     }
///
///     fn has_lost(&self, commit: &Commit, why: &str) {
///         self.0.has_lost(commit, why);
///     }
///
///     fn is_void(&self, commit: &Commit) {
///         self.0.is_void(commit);
///     }
///
///     fn hands_out_again(&self) -> bool {
///         self.0.hands_out_again()
///     }
///
///     fn is_void_once_it_lost(&self) -> bool {
///         self.0.is_void_once_it_lost()
///     }
/// }
///
/// // Nothing is connected to before the first commit.
/// let lake = Lake::new(LakeSpec {
///     catalog: Location::parse("postgresql://flusher@127.0.0.1/catalog")?,
///     metadata_schema: "bronze_meta".to_owned(),
///     schema: "bronze".to_owned(),
///     data: Place::Disk("/data/lake".into()),
///     data_path: "/data/lake/".to_owned(),
///     create: true,
/// });
/// let transactions: Arc<dyn Transactions> = Arc::new(Noted(OwnTransactions::new(lake)));
/// // A transaction that lost is tried again with the same files.
/// assert!(!transactions.is_void_once_it_lost());
/// # Ok(())
/// # }
/// ```
pub trait Transactions: Send + Sync {
    /// A session within the transaction of `commit`, in which everything else that belongs to it is
    /// done; `None` if the commit is void. The sink sees the catalog over another connection, so
    /// the transaction may have a snapshot of any age.
    fn begin<'a>(&'a self, commit: &'a Commit) -> Pending<'a, Result<Option<Arc<Client>>, StoreError>>;

    /// The rows of the lake that the commit replaces, whose transaction has begun: they are in it
    /// until its snapshot, and not from there on. `None` if the commit is void by now.
    fn replaces(&self, commit: &Commit) -> Option<Arc<Replaced>>;

    /// What the source wants to find with the commit, whose transaction has begun, when somebody
    /// goes on after it, by [`LakeGroup::last_note`](super::LakeGroup::last_note); `None` for
    /// nothing.
    fn notes(&self, commit: &Commit) -> Option<Value>;

    /// From here on the transaction may have committed, whatever is heard of it.
    fn committing(&self, commit: &Commit);

    /// An attempt at the commit has lost, for this reason, and there will be no other: the commit
    /// will be void.
    fn has_lost(&self, commit: &Commit, why: &str);

    /// The commit is void: it is not in the lake, and no attempt at it is under way any more.
    fn is_void(&self, commit: &Commit);

    /// Whether the source hands the rows of a void commit out again. If not, a commit that its
    /// tables do not fit any more is an error.
    fn hands_out_again(&self) -> bool;

    /// Whether a transaction that lost against another writer, or whose connection was lost, makes
    /// the commit void. If not, it is tried again with the same files.
    fn is_void_once_it_lost(&self) -> bool;
}

/// Transactions in which nothing else happens.
pub struct OwnTransactions {
    lake: Arc<Lake>,
    client: Mutex<Option<Arc<Client>>>,
}

impl OwnTransactions {
    /// Transactions of `lake`.
    pub fn new(lake: Arc<Lake>) -> OwnTransactions {
        OwnTransactions { lake, client: Mutex::new(None) }
    }
}

impl Transactions for OwnTransactions {
    fn begin<'a>(&'a self, _commit: &'a Commit) -> Pending<'a, Result<Option<Arc<Client>>, StoreError>> {
        Box::pin(async {
            let mut known = self.client.lock().await;
            let client = match known.as_ref().filter(|client| !client.is_closed()) {
                Some(client) => client.clone(),
                None => known.insert(Arc::new(self.lake.connect().await?)).clone(),
            };
            // An earlier attempt may have left it in a transaction.
            let begun = client.batch_execute("ROLLBACK; BEGIN ISOLATION LEVEL READ COMMITTED").await;
            begun.map_err(|e| postgres::failed(format!("begin a transaction in {}", self.lake.shown()), e))?;
            Ok(Some(client))
        })
    }

    fn replaces(&self, _commit: &Commit) -> Option<Arc<Replaced>> {
        Some(Arc::default())
    }

    fn notes(&self, _commit: &Commit) -> Option<Value> {
        None
    }

    fn committing(&self, _commit: &Commit) {}

    fn has_lost(&self, _commit: &Commit, _why: &str) {}

    fn is_void(&self, _commit: &Commit) {}

    fn hands_out_again(&self) -> bool {
        false
    }

    fn is_void_once_it_lost(&self) -> bool {
        false
    }
}

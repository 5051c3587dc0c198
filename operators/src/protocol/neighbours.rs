//! Other writers to a group: other pipelines, which must not land what this one reads, and
//! strangers, beside whose rows a pipeline lands only if it is allowed to.

use crate::error::Stop;
use crate::protocol::Pending;
use crate::protocol::clock::Clock;
use crate::protocol::document::{Origin, Recorded};
use crate::protocol::group::Group;
use crate::protocol::kind::Kind;
use crate::protocol::offsets_files::OffsetsFiles;
use crate::protocol::retry::{Retry, ask};

/// What a pipeline reads, compared with what other pipelines, or earlier runs, have recorded.
///
/// Here, that of a queue, which is all or nothing:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use lakefront_operators::error::Stop;
/// use lakefront_operators::format::logs::lines::Lines;
/// # use lakefront_operators::position::Position;
/// use lakefront_operators::protocol::Pending;
/// # use lakefront_operators::protocol::account::Account;
/// use lakefront_operators::protocol::document::{Origin, Recorded};
/// use lakefront_operators::protocol::kind::Kind;
/// use lakefront_operators::protocol::neighbours::Reading;
///
/// struct Queue {
///     url: String,
/// }
///
/// impl<K: Kind> Reading<K> for Queue {
///     fn source(&self) -> &str {
///         &self.url
///     }
///
///     fn root(&self) -> &str {
///         &self.url
///     }
///
///     fn continues(&self, origin: &Origin) -> Result<(), String> {
///         match origin.source == self.url {
///             true => Ok(()),
///             false => Err("; a queue cannot be renamed".to_owned()),
///         }
///     }
///
///     fn shared<'a>(
///         &'a self,
///         others: &'a [Recorded<K>],
///     ) -> Pending<'a, Result<Vec<Option<String>>, Stop>> {
///         let what =
///             |theirs: &Recorded<K>| (theirs.origin.source == self.url).then(|| self.url.clone());
///         Box::pin(async move { Ok(others.iter().map(what).collect()) })
///     }
/// }
///
/// # mod shared {
/// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples/shared.rs"));
/// # }
/// # let recorded = |source: &str| Recorded {
/// #     origin: Origin {
/// #         pipeline: "other".into(),
/// #         source: source.into(),
/// #         root: None,
/// #         role: "events".into(),
/// #         genesis: Position(0),
/// #         lineage: "1".into(),
/// #         adopted: None,
/// #     },
/// #     standing: shared::standing(0),
/// #     account: Account::genesis(shared::standing(0).offsets),
/// #     process: None,
/// # };
/// // What two other pipelines have recorded in the same group.
/// let others: [Recorded<Lines>; 2] = [recorded("queue://orders"), recorded("queue://logins")];
/// let ours = Queue { url: "queue://orders".to_owned() };
/// assert_eq!(ours.shared(&others).await?, [Some("queue://orders".to_owned()), None]);
/// # Ok(())
/// # }
/// ```
pub trait Reading<K: Kind>: Send + Sync {
    /// The source, without credentials.
    fn source(&self) -> &str;

    /// The part of it that partitions' names are relative to.
    fn root(&self) -> &str;

    /// Whether a group of that origin is of this source, so that the names of its partitions mean
    /// the same. The error is advice for the message that refuses it, or empty.
    fn continues(&self, origin: &Origin) -> Result<(), String>;

    /// What each of the other pipelines reads, or has read, that this one reads too: as text for a
    /// message.
    fn shared<'a>(&'a self, others: &'a [Recorded<K>]) -> Pending<'a, Result<Vec<Option<String>>, Stop>>;
}

/// What every other pipeline has recorded in `group`.
pub async fn neighbours<K: Kind>(group: &dyn Group, clock: &dyn Clock) -> Result<Vec<Recorded<K>>, Stop> {
    let mut found = Vec::new();
    for (_, theirs) in ask(clock, || group.others()).await? {
        found.extend(newest(&*theirs, clock).await?);
    }
    Ok(found)
}

/// The newest record, committed or not. A claim records itself before it looks at the others, so of
/// two simultaneous claims one sees the other.
async fn newest<K: Kind>(theirs: &dyn Group, clock: &dyn Clock) -> Result<Option<Recorded<K>>, Stop> {
    let mut retry = Retry::default();
    loop {
        let Some(last) = ask(clock, || theirs.list_offsets()).await?.into_iter().max() else { return Ok(None) };
        let stop = match OffsetsFiles::read(theirs, last.0).await {
            Ok(recorded) => return Ok(Some(recorded)),
            Err(Stop::Store(error)) if error.is_transient() => {
                retry.after(error, clock).await?;
                continue;
            }
            Err(stop) => stop,
        };
        // The file may be a dead run's with its base gone, or a live run may have deleted it.
        let Some(held) = ask(clock, || theirs.load()).await?.held else { return Err(stop) };
        match OffsetsFiles::read(theirs, held).await {
            Ok(recorded) => return Ok(Some(recorded)),
            Err(_) => match retry.next_pause_ms() {
                Some(ms) if ask(clock, || theirs.list_offsets()).await?.into_iter().max() != Some(last) => {
                    clock.pause(ms).await;
                }
                _ => return Err(stop),
            },
        }
    }
}

/// Refuses to land what another pipeline lands into the same group.
pub async fn refuse_overlap<K: Kind>(
    group: &dyn Group,
    clock: &dyn Clock,
    reading: &dyn Reading<K>,
) -> Result<(), Stop> {
    let neighbours = neighbours(group, clock).await?;
    if neighbours.is_empty() {
        return Ok(());
    }
    for (theirs, what) in neighbours.iter().zip(reading.shared(&neighbours).await?) {
        let Some(what) = what else { continue };
        let origin = &theirs.origin;
        let idle = theirs.standing.position() == origin.genesis;
        let given_up = match idle {
            true => format!(
                "; it has landed nothing: if it is abandoned, delete the folder _lakefront/{} of each table",
                origin.pipeline
            ),
            false => String::new(),
        };
        return Err(Stop::Refused(format!(
            "{} already receives {what} through pipeline {:?}: a second pipeline would land every row twice; use that \
             pipeline, or name other tables in [tables]{given_up}",
            group.shown(),
            origin.pipeline
        )));
    }
    Ok(())
}

/// How many rows of `group` no pipeline has landed, judged by counts alone. This may take long.
pub async fn strangers<K: Kind>(group: &dyn Group, clock: &dyn Clock) -> Result<u64, Stop> {
    // Rows are counted first, so that rows that land meanwhile do not count as strangers'.
    let rows = ask(clock, || group.rows()).await?;
    if rows == 0 {
        return Ok(0);
    }
    let own = newest::<K>(group, clock).await?;
    let landed = neighbours(group, clock).await?.into_iter().chain(own).map(|told| told.account.sum().rows);
    Ok(rows.saturating_sub(landed.sum()))
}

/// Refuses to land beside rows that no pipeline has landed.
pub async fn refuse_strangers<K: Kind>(group: &dyn Group, clock: &dyn Clock) -> Result<(), Stop> {
    match strangers::<K>(group, clock).await? {
        0 => Ok(()),
        rows => Err(Stop::Refused(format!(
            "{} holds {rows} row{} that no pipeline has landed: to land beside them, start once with run --adopt; if lakefront \
             has landed them, restore the table's _lakefront folder, or they would land twice; or name another table in [tables]",
            group.shown(),
            if rows == 1 { "" } else { "s" }
        ))),
    }
}

//! Sources of files. Each kind of store is a module; what reads them knows only [`ByteSource`].

pub mod appends;
pub mod azure;
pub mod block;
pub mod chunk;
pub mod feed;
pub mod file;
pub mod identity;
mod listed;
pub mod names;
pub mod needs;
pub mod reader;
pub mod reading;
pub mod reads;
pub(crate) mod sight;
pub mod supply;
mod waiting;
pub mod watch;

use std::ops::Range;

use crate::error::StoreError;
use crate::protocol::Pending;
use crate::run::metrics::retry::Count;
use crate::source::files::identity::Identity;
use crate::source::files::reading::File;

pub use self::listed::{Found, Listed, Listing, PassedOver, Sought, Why};

/// The files in `source` that another source may have under another name; empty where no file can
/// have two.
pub async fn linkable(source: &dyn ByteSource) -> Result<Vec<File>, StoreError> {
    if !source.has_links() {
        return Ok(Vec::new());
    }
    let file = |listed: Listed| File {
        created: source.is_unique(&listed.created).then_some(listed.created),
        name: listed.name,
    };
    Ok(source.list().await?.files.into_iter().map(file).collect())
}

/// A place with growing files or blobs.
///
/// Here, one whose single file never changes:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::ops::Range;
///
/// use lakefront_operators::error::StoreError;
/// use lakefront_operators::protocol::Pending;
/// use lakefront_operators::source::files::identity::{Fingerprint, Identity};
/// use lakefront_operators::source::files::{ByteSource, Listed, Listing};
///
/// struct One {
///     bytes: &'static [u8],
/// }
///
/// impl ByteSource for One {
///     fn identity(&self) -> &str {
///         "one:"
///     }
///
///     fn list(&self) -> Pending<'_, Result<Listing, StoreError>> {
///         let (name, created, revision) = ("a.log".into(), "once".into(), "first".into());
///         let length = self.bytes.len() as u64;
///         let files = vec![Listed { name, created, length, revision, modified_ms: None }];
///         Box::pin(async { Ok(Listing { files, whole: true, ..Listing::default() }) })
///     }
///
///     fn is_there<'a>(&'a self, listed: &'a Listed) -> Pending<'a, Result<bool, StoreError>> {
///         Box::pin(async { Ok(listed.created == "once") })
///     }
///
///     fn is_empty(&self) -> Pending<'_, Result<bool, StoreError>> {
///         Box::pin(async { Ok(self.bytes.is_empty()) })
///     }
///
///     fn has_links(&self) -> bool {
///         false
///     }
///
///     fn created_ms(&self, _created: &str) -> Option<u64> {
///         None
///     }
///
///     fn read<'a>(
///         &'a self,
///         name: &'a str,
///         identity: &'a Identity,
///         range: Range<u64>,
///         mut into: Vec<u8>,
///     ) -> Pending<'a, Result<Vec<u8>, StoreError>> {
///         Box::pin(async move {
///             let bytes = self.bytes.get(range.start as usize..range.end as usize);
///             let Some(bytes) = bytes.filter(|_| identity.created == "once") else {
///                 let attempt = format!("read bytes {range:?} of {name}");
///                 return Err(StoreError::definite(attempt, "they are not there"));
///             };
///             into.extend_from_slice(bytes);
///             Ok(into)
///         })
///     }
/// }
///
/// let source = One { bytes: b"first\nsecond\n" };
/// let listed = source.list().await?.files.remove(0);
/// let identity = listed.identity(Fingerprint::of(b"first\n"));
/// let line = source.read(&listed.name, &identity, 6..listed.length, Vec::new()).await?;
/// assert_eq!(line, b"second\n");
/// // Another file of that name is not read.
/// let other = Identity { created: "twice".to_owned(), ..identity };
/// assert!(source.read(&listed.name, &other, 0..6, Vec::new()).await.is_err());
/// # Ok(())
/// # }
/// ```
pub trait ByteSource: Send + Sync {
    /// Which source this is, without credentials; it is recorded in the tables.
    fn identity(&self) -> &str;

    /// The part of the identity that partition names are relative to: all of it, unless it ends
    /// with a file's name or a glob.
    fn root(&self) -> String {
        self.identity().to_owned()
    }

    /// Lists the source. The first listing is whole.
    fn list(&self) -> Pending<'_, Result<Listing, StoreError>>;

    /// Whether the file of that name is still the one that was listed; it may have grown.
    fn is_there<'a>(&'a self, listed: &'a Listed) -> Pending<'a, Result<bool, StoreError>>;

    /// Where each of the `sought` files is now, in that order. In a store without renames, all are
    /// gone.
    fn find<'a>(&'a self, sought: &'a [Sought]) -> Pending<'a, Vec<Found>> {
        Box::pin(async move { vec![Found::Gone; sought.len()] })
    }

    /// Keeps as many of these `files` open as it can, the last ones first, so that bytes that are
    /// appended before they are deleted can be read.
    fn hold<'a>(&'a self, files: &'a [Listed]) -> Pending<'a, ()> {
        let _ = files;
        Box::pin(async {})
    }

    /// The identity of a copy that has taken the place of a file that is gone; it is read under the
    /// old name.
    fn copy_of<'a>(&'a self, name: &'a str, identity: &'a Identity) -> Pending<'a, Option<Identity>> {
        let _ = (name, identity);
        Box::pin(async { None })
    }

    /// The length of the file of that `identity` if it has no name any more and is kept open.
    fn held(&self, identity: &Identity) -> Option<u64> {
        let _ = identity;
        None
    }

    /// Whether the file of that `identity` was deleted, so that no later read can succeed after one
    /// has failed.
    fn is_gone<'a>(&'a self, name: &'a str, identity: &'a Identity) -> Pending<'a, bool> {
        let _ = (name, identity);
        Box::pin(async { false })
    }

    /// Whether there is nothing to read. Called once, before the first listing, which is whole
    /// regardless.
    fn is_empty(&self) -> Pending<'_, Result<bool, StoreError>>;

    /// When `listed` was last appended to, as well as the store can tell, in milliseconds since
    /// 1970. For measurement only.
    fn appended_ms(&self, listed: &Listed) -> Option<u64> {
        listed.modified_ms
    }

    /// How often requests were retried.
    fn retries(&self) -> Count {
        Count::default()
    }

    /// Whether one file can have two names, or change its name.
    fn has_links(&self) -> bool;

    /// Whether no other file can ever have the same `created`.
    fn is_unique(&self, _created: &str) -> bool {
        true
    }

    /// The creation time in an [`Identity`]'s `created`, on the store's clock, in milliseconds
    /// since 1970; `None` if a listing cannot be relied on to show everything created before it.
    fn created_ms(&self, created: &str) -> Option<u64>;

    /// Appends the bytes of `range` to `into` and returns it. Reads exactly what was planned, or
    /// fails: the error names the range if the file of that name does not have that `identity`, or
    /// is shorter.
    fn read<'a>(
        &'a self,
        name: &'a str,
        identity: &'a Identity,
        range: Range<u64>,
        into: Vec<u8>,
    ) -> Pending<'a, Result<Vec<u8>, StoreError>>;
}

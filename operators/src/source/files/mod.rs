//! Sources of files. Each kind of store is a module; what reads them knows only [`ByteSource`].

pub mod appends;
pub mod azure;
pub mod block;
pub mod chunk;
pub mod feed;
pub mod file;
pub mod identity;
pub mod names;
pub mod needs;
pub mod reader;
pub mod reading;
pub mod reads;
pub(crate) mod sight;
pub mod supply;
mod waiting;
pub mod watch;

use std::fmt;
use std::ops::Range;

use crate::error::StoreError;
use crate::metrics::retry::Count;
use crate::protocol::Pending;
use crate::source::files::identity::{Fingerprint, Identity};
use crate::source::files::reading::File;

/// A file or blob as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Relative to the source's root, with forward slashes.
    pub name: String,
    /// What the store reports about its creation: opaque, compared for equality only.
    pub created: String,
    /// Its length, in bytes.
    pub length: u64,
    /// A value that changes whenever the content may have changed.
    pub revision: String,
    /// When it last changed, on the store's clock, in milliseconds since 1970; `None` if the
    /// store's time cannot be relied on.
    pub modified_ms: Option<u64>,
}

impl Listed {
    /// Its identity, as that of a file that begins with `fingerprint`.
    pub fn identity(&self, fingerprint: Fingerprint) -> Identity {
        let Listed { created, revision, .. } = self.clone();
        Identity { created, revision, fingerprint, anchor: None }
    }
}

/// The result of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The files or blobs, in any order.
    pub files: Vec<Listed>,
    /// Whether these are all. If not, those left out are as they were when last listed, or will be
    /// listed soon.
    pub whole: bool,
    /// The store's clock when the listing began, in milliseconds since 1970; `None` if it has no
    /// clock of its own.
    pub at_ms: Option<u64>,
    /// What the source's URL names but is not read.
    pub passed_over: Vec<PassedOver>,
}

/// Something that is in the source and is not read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PassedOver {
    /// Its name, relative to the source's root, not yet escaped for display.
    pub name: String,
    /// Why it is not read.
    pub why: Why,
}

/// Why something in the source is not read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// Its name is that of a hidden or temporary file or folder.
    Temporary,
    /// It is a second name of a file that is read under this one.
    SecondName(String),
    /// It is compressed or in an encoding other than UTF-8, namely this one.
    Encoded(&'static str),
    /// Its name is not UTF-8.
    NotUtf8,
    /// The store does not allow reading it; this is its error.
    Unreadable(String),
}

impl Why {
    /// Whether lines that were meant to be read may be missed.
    pub fn matters(&self) -> bool {
        match self {
            Why::Temporary | Why::SecondName(_) => false,
            Why::Encoded(_) | Why::NotUtf8 | Why::Unreadable(_) => true,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Temporary => f.write_str(
                "its name is that of a hidden or temporary file; set source.temporary = \"read\" to read such files",
            ),
            Why::SecondName(name) => {
                write!(f, "it is the same file as {:?}, and is read under that name", name.escape_debug().to_string())
            }
            Why::Encoded(what) => {
                write!(f, "it is {what}, which is not read; provide it as plain UTF-8 text under another name")
            }
            Why::NotUtf8 => f.write_str("its name is not UTF-8; rename it to have it read"),
            Why::Unreadable(error) => write!(f, "it cannot be read: {error}"),
        }
    }
}

/// A file that is no longer listed under the name it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sought {
    /// The name it was last seen under.
    pub name: String,
    /// Which file it is.
    pub identity: Identity,
}

/// Where a sought file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is here, possibly under a name that the source's URL does not match.
    At(Listed),
    /// It has no name any more, but is kept open.
    Held(Listed),
    /// It is nowhere: it was deleted, or moved out of reach.
    Gone,
    /// It is not known: a folder that may hold it cannot be read.
    Unknown,
}

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

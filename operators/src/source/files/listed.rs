//! What a listing of a source of files shows.

use std::fmt;

use crate::source::files::identity::{Fingerprint, Identity};

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

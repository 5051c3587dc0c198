//! Where bytes come from. Each kind of source is a file; `plan` and `fetch` know only [`Source`].

pub mod azure;
pub mod block;
pub mod file;
pub mod watch;

use std::ops::Range;

use crate::error::StoreError;
use crate::metrics::retry::Count;
use crate::offsets::Identity;
use crate::protocol::table::Pending;

/// A file or blob as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Relative to the source's root, with forward slashes.
    pub name: String,
    /// What the store says of its creation, opaque and compared for equality only.
    pub created: String,
    /// In bytes.
    pub length: u64,
    /// Changes whenever the content may have.
    pub revision: String,
    /// When the store says that it last changed, on the store's clock, in milliseconds since 1970; none if the store's word
    /// is not to be relied upon.
    pub modified_ms: Option<u64>,
}

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The files or blobs, in any order.
    pub files: Vec<Listed>,
    /// Whether these are all; if not, those that are left out are as they were when last listed, or will be listed soon.
    pub whole: bool,
    /// The store's clock when the listing began, in milliseconds since 1970; none if it has no clock of its own.
    pub at_ms: Option<u64>,
}

/// A place with growing files or blobs.
pub trait Source: Send + Sync {
    /// Which source this is, without credentials; it is recorded in the tables.
    fn identity(&self) -> &str;

    /// What there is now. The first listing is whole.
    fn list(&self) -> Pending<'_, Result<Listing, StoreError>>;

    /// Whether the file of that name is still the one that was listed; it may have grown.
    fn is_there<'a>(&'a self, listed: &'a Listed) -> Pending<'a, Result<bool, StoreError>>;

    /// When `listed` was last appended to, as well as the store can say, in milliseconds since 1970. For measuring only.
    fn appended_ms(&self, listed: &Listed) -> Option<u64> {
        listed.modified_ms
    }

    /// How often requests were sent again.
    fn retries(&self) -> Count {
        Count::default()
    }

    /// Whether one file can stand under two names, or change its name.
    fn has_links(&self) -> bool;

    /// What an [`Identity`]'s `created` says, on the store's clock, in milliseconds since 1970; none if the store cannot be relied
    /// upon to have listed all that was created before the listing.
    fn created_ms(&self, created: &str) -> Option<u64>;

    /// Appends the bytes of `range` to `into` and gives it back. The error names the range if the file of that name is not the
    /// one of that `identity`, or is shorter: what is read is what was planned, or nothing.
    fn read<'a>(
        &'a self,
        name: &'a str,
        identity: &'a Identity,
        range: Range<u64>,
        into: Vec<u8>,
    ) -> Pending<'a, Result<Vec<u8>, StoreError>>;
}

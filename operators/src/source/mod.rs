//! Where bytes come from. Each kind of source is a file; `plan` and `fetch` know only [`Source`].

pub mod block;
pub mod file;
pub mod watch;

use std::ops::Range;

use crate::error::StoreError;
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
}

/// A place with growing files or blobs.
pub trait Source: Send + Sync {
    /// Which source this is, without credentials; it is recorded in the tables.
    fn identity(&self) -> &str;

    /// Everything there is now, in any order.
    fn list(&self) -> Pending<'_, Result<Vec<Listed>, StoreError>>;

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

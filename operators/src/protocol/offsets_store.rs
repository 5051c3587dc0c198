//! The port through which the protocol keeps a group's offsets files.

use crate::error::StoreError;
use crate::protocol::Pending;
use crate::protocol::group::{Created, Group};
use crate::protocol::names::OffsetsName;

/// Another pipeline's name, and the group as that pipeline sees it.
pub type Neighbour = (String, Box<dyn Group>);

/// Where one pipeline's offsets files of one group are.
///
/// [`OffsetsStore::write_offsets`] creates and never overwrites; what it reports as done is
/// durable. A [`StoreError::Transient`] from it means "unknown": the write may have happened, or
/// may yet.
pub trait OffsetsStore: Send + Sync {
    /// The name of the group.
    fn name(&self) -> &str;

    /// What messages call the group: `table "logs"`.
    fn shown(&self) -> String;

    /// Writes an offsets file, unless there is one of that name.
    fn write_offsets<'a>(&'a self, name: OffsetsName, content: &'a [u8]) -> Pending<'a, Result<Created, StoreError>>;

    /// Reads an offsets file; `None` if there is none.
    fn read_offsets(&self, name: OffsetsName) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>>;

    /// Lists this pipeline's offsets files.
    fn list_offsets(&self) -> Pending<'_, Result<Vec<OffsetsName>, StoreError>>;

    /// Deletes an offsets file; it is no error if it is gone already.
    fn delete_offsets(&self, name: OffsetsName) -> Pending<'_, Result<(), StoreError>>;

    /// Every other pipeline that has offsets files here, with the group as that pipeline sees it.
    fn others(&self) -> Pending<'_, Result<Vec<Neighbour>, StoreError>>;
}

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
///
/// Here, one in memory. It has one pipeline only:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::collections::BTreeMap;
/// use std::sync::{Mutex, MutexGuard};
///
/// use lakefront_operators::error::StoreError;
/// use lakefront_operators::position::Position;
/// use lakefront_operators::protocol::Pending;
/// use lakefront_operators::protocol::group::Created;
/// use lakefront_operators::protocol::names::{Held, OffsetsName, RunId};
/// use lakefront_operators::protocol::offsets_store::{Neighbour, OffsetsStore};
///
/// #[derive(Default)]
/// struct Memory(Mutex<BTreeMap<OffsetsName, Vec<u8>>>);
///
/// impl Memory {
///     fn files(&self) -> MutexGuard<'_, BTreeMap<OffsetsName, Vec<u8>>> {
///         self.0.lock().expect("no panic")
///     }
/// }
///
/// impl OffsetsStore for Memory {
///     fn name(&self) -> &str {
///         "events"
///     }
///
///     fn shown(&self) -> String {
///         format!("table {:?}", self.name())
///     }
///
///     fn write_offsets<'a>(
///         &'a self,
///         name: OffsetsName,
///         content: &'a [u8],
///     ) -> Pending<'a, Result<Created, StoreError>> {
///         Box::pin(async move {
///             let mut files = self.files();
///             if files.contains_key(&name) {
///                 return Ok(Created::No);
///             }
///             files.insert(name, content.to_vec());
///             Ok(Created::Yes)
///         })
///     }
///
///     fn read_offsets(
///         &self,
///         name: OffsetsName,
///     ) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>> {
///         Box::pin(async move { Ok(self.files().get(&name).cloned()) })
///     }
///
///     fn list_offsets(&self) -> Pending<'_, Result<Vec<OffsetsName>, StoreError>> {
///         Box::pin(async { Ok(self.files().keys().copied().collect()) })
///     }
///
///     fn delete_offsets(&self, name: OffsetsName) -> Pending<'_, Result<(), StoreError>> {
///         Box::pin(async move { Ok(drop(self.files().remove(&name))) })
///     }
///
///     fn others(&self) -> Pending<'_, Result<Vec<Neighbour>, StoreError>> {
///         Box::pin(async { Ok(Vec::new()) })
///     }
/// }
///
/// let store = Memory::default();
/// let name = OffsetsName(Held { position: Position(70), run: RunId(3) });
/// assert_eq!(store.write_offsets(name, b"first").await?, Created::Yes);
/// assert_eq!(store.write_offsets(name, b"second").await?, Created::No);
/// assert_eq!(store.read_offsets(name).await?.as_deref(), Some(&b"first"[..]));
/// # Ok(())
/// # }
/// ```
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

//! Reads chunks of files, as `fetch` asks for them.

use std::any::Any;
use std::sync::Arc;

use crate::error::{Stop, StoreError, chain};
use crate::fetch::{self, Read, Reader};
use crate::protocol::Pending;
use crate::protocol::refusals;
use crate::run::memory::{Budget, Turn};
use crate::source::files::ByteSource;
use crate::source::files::block::{self, Block};
use crate::source::files::chunk::Chunk;
use crate::source::files::supply::missing;

/// The lines of one chunk, in memory.
pub type Fetched = fetch::Fetched<Chunk, Block>;

/// A block, and the long line's turn if the block has a long line.
type Lines = (Block, Option<Turn>);

/// Reads chunks of a source of files.
pub struct FileReader(pub Arc<dyn ByteSource>);

impl Reader<Chunk> for FileReader {
    type Block = Block;

    fn read<'a>(&'a self, chunk: &'a Chunk, budget: &'a Arc<Budget>) -> Pending<'a, Result<Read<Block>, Stop>> {
        Box::pin(async move {
            let source = &*self.0;
            let read = match block::read(source, chunk, budget).await {
                Err(error) => instead_of(source, chunk, error, budget).await,
                read => read,
            };
            let (block, turn) = read.map_err(|error| gone(chunk, error))?;
            Ok(Read { block, turn: turn.map(|turn| Box::new(turn) as Box<dyn Any + Send>) })
        })
    }
}

/// What is read if the file could not be: a copy that was put in its place, or nothing.
async fn instead_of(
    source: &dyn ByteSource,
    chunk: &Chunk,
    error: StoreError,
    budget: &Arc<Budget>,
) -> Result<Lines, StoreError> {
    if error.is_transient() {
        return Err(error);
    }
    match source.copy_of(&chunk.partition.name, &chunk.identity).await {
        Some(identity) => block::read(source, &Chunk { identity, ..chunk.clone() }, budget).await,
        None => Ok((nothing_left_of(source, chunk, error).await?, None)),
    }
}

/// A file that was deleted between the look and the read has nothing left to read: a warning
/// reports the loss, and the run goes on. In a catch-up this is an error, because the lagging
/// tables cannot get what another table holds of the file.
async fn nothing_left_of(source: &dyn ByteSource, chunk: &Chunk, error: StoreError) -> Result<Block, StoreError> {
    let Chunk { partition, identity, start, end, catch_up, .. } = chunk;
    if *catch_up || !source.is_gone(&partition.name, identity).await {
        return Err(error);
    }
    let name = partition.to_string();
    let partition = name.escape_debug();
    tracing::warn!(%partition, bytes = end - start, "the file was deleted before these bytes were read: their lines are lost");
    Ok(Block { bytes: Vec::new(), begin: 0, base: *start, oversized: None, lenient: true })
}

/// A chunk could not be read. Bytes that a lagging table needs are nowhere else.
fn gone(chunk: &Chunk, error: StoreError) -> Stop {
    match chunk.catch_up {
        false => error.into(),
        true => refusals::lost(&missing(&chunk.partition, chunk.start..chunk.end, &chain(&error))),
    }
}

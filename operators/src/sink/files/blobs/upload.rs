//! Uploads staged files from the scratch files to the container. The memory for this is bounded for
//! the whole process.

use std::sync::Arc;

use object_store::{Error, MultipartUpload, ObjectStoreExt};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Blobs;
use crate::error::StoreError;
use crate::sink::files::blocking;
use crate::sink::files::scratch::Written;

/// A file up to this size is one request; a longer one is sent in parts of this size.
const PART: u64 = 8 << 20;
/// At most this many parts are in memory, for all workers and tables together.
const PARTS: usize = 8;
static IN_MEMORY: Semaphore = Semaphore::const_new(PARTS);
/// The most memory that uploads take, in bytes.
pub const UPLOADS: u64 = PART * PARTS as u64;

impl Blobs {
    /// Makes `written` the content of this blob. The name is new and only ours, so sending it twice
    /// changes nothing.
    pub(in crate::sink) async fn upload(&self, written: Arc<Written>) -> Result<(), StoreError> {
        let failed = |e: Error| self.answer(&e).failure(format!("upload {self}"));
        if written.length() <= PART {
            let _room = IN_MEMORY.acquire().await.expect("it is never closed");
            let content = read(&written, 0, written.length()).await?;
            return self.container.put(&self.path, content.into()).await.map(drop).map_err(failed);
        }
        let mut upload = self.container.put_multipart(&self.path).await.map_err(failed)?;
        let sent = self.upload_parts(&mut *upload, &written).await;
        if sent.is_err() {
            // S3 keeps the parts of an upload that was not completed, and they cost money. What
            // cannot be reached now, or is killed, is left to a lifecycle rule of the bucket.
            let _ = upload.abort().await;
        }
        sent
    }

    async fn upload_parts(&self, upload: &mut dyn MultipartUpload, written: &Arc<Written>) -> Result<(), StoreError> {
        let failed = |e: Error| self.answer(&e).failure(format!("upload {self}"));
        // Separate tasks: a part that has room must go on while the next one waits for it. If one
        // fails, dropping the set ends the others.
        let mut parts = JoinSet::new();
        let mut start = 0;
        while start < written.length() {
            let room = IN_MEMORY.acquire().await.expect("it is never closed");
            let length = PART.min(written.length() - start);
            let part = upload.put_part(read(written, start, length).await?.into());
            parts.spawn(async move {
                let sent = part.await;
                drop(room);
                sent
            });
            start += length;
        }
        while let Some(sent) = parts.join_next().await {
            sent.map_err(|e| StoreError::definite(format!("upload {self}"), e))?.map_err(failed)?;
        }
        upload.complete().await.map(drop).map_err(failed)
    }
}

async fn read(written: &Arc<Written>, start: u64, length: u64) -> Result<Vec<u8>, StoreError> {
    let written = written.clone();
    blocking(move || written.read(start, length)).await
}

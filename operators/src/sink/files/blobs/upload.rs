//! Uploads staged files from the scratch files to the container. The memory for this is bounded for
//! the whole process.

use std::sync::Arc;

use object_store::{Error, MultipartUpload, ObjectStoreExt};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

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
        let mut under_way = JoinSet::new();
        let sent = self.upload_parts(&mut *upload, &written, &mut under_way).await;
        if sent.is_err() {
            // S3 keeps the parts of an upload that was not completed, and they cost money. One that
            // arrives after the upload was given up would stay, so they are waited for. What cannot
            // be reached now, or is killed, is left to a lifecycle rule of the bucket.
            while under_way.join_next().await.is_some() {}
            let _ = upload.abort().await;
        }
        sent
    }

    /// Sends `written` in parts, and completes the upload. After a failure, some may be under way.
    async fn upload_parts(
        &self,
        upload: &mut dyn MultipartUpload,
        written: &Arc<Written>,
        under_way: &mut JoinSet<Result<(), Error>>,
    ) -> Result<(), StoreError> {
        let failed = |e: Error| self.answer(&e).failure(format!("upload {self}"));
        let done = |sent: Result<Result<(), Error>, JoinError>| {
            sent.map_err(|e| StoreError::definite(format!("upload {self}"), e))?.map_err(failed)
        };
        let mut start = 0;
        while start < written.length() {
            let room = IN_MEMORY.acquire().await.expect("it is never closed");
            // Of the parts that have made room, none may have failed.
            while let Some(sent) = under_way.try_join_next() {
                done(sent)?;
            }
            let length = PART.min(written.length() - start);
            let part = upload.put_part(read(written, start, length).await?.into());
            // Tasks of their own: a part that has room must go on while the next one waits for it.
            under_way.spawn(async move {
                let sent = part.await;
                drop(room);
                sent
            });
            start += length;
        }
        while let Some(sent) = under_way.join_next().await {
            done(sent)?;
        }
        upload.complete().await.map(drop).map_err(failed)
    }
}

async fn read(written: &Arc<Written>, start: u64, length: u64) -> Result<Vec<u8>, StoreError> {
    let written = written.clone();
    blocking(move || written.read(start, length)).await
}

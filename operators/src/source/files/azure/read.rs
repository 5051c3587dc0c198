//! Reads a range of a blob into our own buffer, and verifies that it is the blob that was planned.
//!
//! A blob may grow between any two requests, so no request insists on an ETag. A blob is told from
//! another of the same name by its creation and the hash of its first bytes; as long as the ETag is
//! the one that the plan saw, neither can have changed.

use std::num::NonZero;
use std::ops::Range;

use azure_core::http::StatusCode;
use azure_core::http::headers::HeaderName;
use azure_storage_blob::models::{BlobClientDownloadOptions, BlobDownloadProperties, HttpRange};
use futures::StreamExt;

use super::failure::Failure;
use super::{AzureSource, created, revision};
use crate::error::StoreError;
use crate::source::files::identity::{Fingerprint, Identity};

impl AzureSource {
    /// Appends the bytes of `range` to `into`.
    pub(super) async fn read_range(
        &self,
        name: &str,
        identity: &Identity,
        range: Range<u64>,
        mut into: Vec<u8>,
    ) -> Result<Vec<u8>, StoreError> {
        let begin = into.len();
        let revision = self.fill(name, identity, range.clone(), &mut into).await?;
        let covered = identity.fingerprint.length;
        if covered == 0 || revision.is_none_or(|revision| revision == identity.revision) {
            return Ok(into);
        }
        let head = match range.start {
            0 if range.end >= covered => into[begin..].iter().take(covered as usize).copied().collect(),
            _ => {
                let mut head = Vec::new();
                self.fill(name, identity, 0..covered, &mut head).await?;
                head
            }
        };
        if Fingerprint::of(&head) != identity.fingerprint {
            return Err(StoreError::definite(self.attempt(name, &range), "it was rewritten after it was planned"));
        }
        Ok(into)
    }

    fn attempt(&self, name: &str, range: &Range<u64>) -> String {
        format!("read bytes {}..{} of {name:?} in {}", range.start, range.end, self.identity)
    }

    /// Reads all of `range`, each try from where the last one broke off. Returns the blob's ETag
    /// from the last successful try, if there was one.
    async fn fill(
        &self,
        name: &str,
        identity: &Identity,
        range: Range<u64>,
        into: &mut Vec<u8>,
    ) -> Result<Option<String>, StoreError> {
        let wanted = usize::try_from(range.end - range.start).map_err(|e| StoreError::definite("read a range", e))?;
        let (begin, mut revision) = (into.len(), None);
        into.reserve_exact(wanted);
        let mut tries = self.retries.begin(self.attempt(name, &range));
        while into.len() - begin < wanted {
            let before = into.len();
            let missing = range.start + (before - begin) as u64..range.end;
            let failure = match self.get(name, identity, missing, into).await {
                Ok(etag) => {
                    revision = etag;
                    None
                }
                Err(failure) => Some(failure),
            };
            if into.len() > before {
                tries.made_headway();
            }
            if into.len() - begin < wanted {
                let failure = failure.unwrap_or(Failure::BeyondTheEnd);
                tries.after(self.confirmed(failure, name, identity, &range).await?).await?;
            }
        }
        Ok(revision)
    }

    /// Sends one request for `range`. Appends as much of it as the answer brings, and returns the
    /// blob's ETag.
    async fn get(
        &self,
        name: &str,
        identity: &Identity,
        range: Range<u64>,
        into: &mut Vec<u8>,
    ) -> Result<Option<String>, Failure> {
        let wanted = range.end - range.start;
        let options = BlobClientDownloadOptions {
            range: Some(HttpRange::new(range.start, wanted)),
            // One request: across parts of its own, the SDK would insist on one ETag, and a
            // growing blob has many.
            partition_size: usize::try_from(wanted).ok().and_then(NonZero::new),
            parallel: NonZero::new(1),
            ..Default::default()
        };
        let answer = self.retries.timely(async {
            let blob = self.blob(name);
            let answer = blob.download(Some(options)).await;
            answer.map_err(|e| Failure::of(&e))
        });
        let mut answer = answer.await?;
        let BlobDownloadProperties { etag, created_on, .. } = answer.properties;
        if created_on.is_none() {
            return Err(Failure::passing("the answer does not say when the blob was created"));
        }
        if created(created_on) != identity.created {
            return Err(Failure::Refused("another blob has taken its name since it was planned".to_owned()));
        }
        // If the whole blob came instead of the range, its first bytes would be taken for bytes
        // from the middle.
        let part = answer.headers.get_optional_str(&HeaderName::from_static("content-range"));
        if range.start > 0 && !part.is_some_and(|part| part.starts_with(&format!("bytes {}-", range.start))) {
            return Err(Failure::passing(
                "the answer is not for the requested range: something on the way ignores Range",
            ));
        }
        let end = into.len() + wanted as usize;
        while into.len() < end {
            let piece =
                self.retries.timely(async { answer.body.next().await.transpose().map_err(|e| Failure::of(&e)) });
            let Some(piece) = piece.await? else { break };
            into.extend_from_slice(&piece[..piece.len().min(end - into.len())]);
        }
        Ok(Some(revision(etag.as_ref())))
    }

    /// Looks at a blob that seems to be gone or shorter than planned. If it is, the failure is
    /// final; if not, it may pass.
    async fn confirmed(
        &self,
        failure: Failure,
        name: &str,
        identity: &Identity,
        range: &Range<u64>,
    ) -> Result<Failure, StoreError> {
        let text = match failure {
            Failure::Missing(cause) => cause,
            Failure::BeyondTheEnd => {
                format!("the service says {} or sends less", u16::from(StatusCode::RequestedRangeNotSatisfiable))
            }
            Failure::NotModified => "the service says 304 to an unconditional request".to_owned(),
            other => return Ok(other),
        };
        Ok(match self.properties(name).await? {
            None => Failure::Refused("the blob was deleted before it was read to its end".to_owned()),
            Some(now) if now.created != identity.created => {
                Failure::Refused("another blob has taken its name since it was planned".to_owned())
            }
            Some(now) if now.length < range.end => {
                Failure::Refused(format!("the blob has shrunk: it ends {} bytes earlier", range.end - now.length))
            }
            Some(_) => Failure::passing(format!("{text}, although the blob is there")),
        })
    }
}

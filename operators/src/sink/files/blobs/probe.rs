//! Finds out whether a store keeps the promise on which commits are built: that it creates a file
//! only if there is none of its name. Some stores do not know the condition, and some ignore it, so
//! that each of two runs would believe that its commit had won.

use uuid::Uuid;

use super::Blobs;
use super::failure::{Answer, Service};
use crate::error::StoreError;

/// The name of a file that exists for the length of a probe, followed by a random id. `_` keeps
/// readers away from it.
const PROBE: &str = "_probe-";
/// What the second attempt would put in place of the first one's content.
const CONTENTS: [&str; 2] = ["first", "second"];
/// What to do about a store that does not keep the promise.
const ELSEWHERE: &str = "two runs could both believe that their commit had won, so the store cannot hold Delta tables: use a store \
                         that creates objects conditionally, such as AWS, Cloudflare R2, Ceph from version 18 on or MinIO";

impl Blobs {
    /// Refuses a store on which no commit can be built: creates a file below this prefix twice,
    /// reads it, and deletes it. If the process dies meanwhile, the file stays, and harms nobody.
    /// Azure's services all keep the promise.
    pub(in crate::sink) async fn probe(&self) -> Result<(), StoreError> {
        if self.container.service == Service::Azure {
            return Ok(());
        }
        let file = self.join(&format!("{PROBE}{}", Uuid::new_v4()));
        let created = file.creates_once().await;
        // If creating has failed, that is what matters.
        let deleted = file.delete().await;
        created.and(deleted)
    }

    async fn creates_once(&self) -> Result<(), StoreError> {
        let [first, second] = CONTENTS.map(|content| content.as_bytes().to_vec());
        let unfit = |why: &str| StoreError::definite(format!("create {self} on condition that it does not exist"), why);
        for (number, content) in [(1, first.clone()), (2, second)] {
            match self.try_create(content).await {
                Ok(()) if number == 2 => {
                    return Err(unfit(&format!(
                        "the store has created it twice, so it ignores If-None-Match: {ELSEWHERE}"
                    )));
                }
                // The first attempt may find its own content, if a reply was lost.
                Ok(()) | Err(Answer::Exists) => {}
                Err(Answer::Unsupported(answer)) => {
                    return Err(unfit(&format!("{answer}, so it does not know If-None-Match: {ELSEWHERE}")));
                }
                Err(answer) => return Err(answer.failure(format!("create {self}"))),
            }
        }
        match self.read().await? {
            Some(content) if content == first => Ok(()),
            Some(_) => Err(unfit(&format!("the store has put other content in its place: {ELSEWHERE}"))),
            None => Err(unfit(&format!("the store does not show what was just created: {ELSEWHERE}"))),
        }
    }
}

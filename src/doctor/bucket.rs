//! A bucket of S3: whether its credential opens it, and whether it can hold a lake.

use lakefront_operators::error::{StoreError, chain};
use lakefront_operators::s3::Location;

use super::PATIENCE;
use super::findings::Findings;

/// Checks a bucket, with the sink's own `probe` of it; whether it can hold the lake.
pub(crate) async fn look(
    findings: &mut Findings,
    location: &Location,
    probe: impl Future<Output = Result<(), StoreError>>,
) -> bool {
    match tokio::time::timeout(PATIENCE, access(location, probe)).await {
        Ok(Ok(access)) => {
            findings.ok("lake", access);
            true
        }
        Ok(Err(error)) => {
            let advice = "fix what it names; docs/s3.md lists what opens a bucket, and which stores can hold a lake";
            findings.problem("lake", chain(&error), advice);
            false
        }
        Err(_) => {
            let found = format!("{location} did not answer within {} s", PATIENCE.as_secs());
            findings.problem("lake", found, "check endpoint in [lake.s3], and that it can be reached from here");
            false
        }
    }
}

/// What the credential may do, once `probe` has created an object where a run does, and deleted it.
pub(crate) async fn access(
    location: &Location,
    probe: impl Future<Output = Result<(), StoreError>>,
) -> Result<String, StoreError> {
    probe.await?;
    let by = location.bucket.credential.describe();
    Ok(format!("{location} by {by}: create once, read and delete granted"))
}

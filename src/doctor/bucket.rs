//! A bucket of S3: whether its credential opens it, and whether it can hold a lake.

use lakefront_operators::error::{StoreError, chain};
use lakefront_operators::s3::Location;
use lakefront_operators::sink::delta::{self, TableSpec};

use super::PATIENCE;
use super::findings::Findings;

/// Checks a bucket; whether it can hold the lake of these `tables`.
pub(crate) async fn look(findings: &mut Findings, location: &Location, tables: &[TableSpec]) -> bool {
    match tokio::time::timeout(PATIENCE, access(location, tables)).await {
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

/// What the credential may do where a run does it, and how the store took it. An object is created
/// there, and deleted.
pub(crate) async fn access(location: &Location, tables: &[TableSpec]) -> Result<String, StoreError> {
    delta::probe(tables.iter()).await?;
    let by = location.bucket.credential.describe();
    Ok(format!("{location} by {by}: create once, read and delete granted"))
}

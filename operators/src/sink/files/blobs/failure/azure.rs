//! What the answers of a storage account mean.

use super::Answer;

pub(super) fn answer(status: u16, code: Option<&str>) -> Answer {
    let told = format!("{status}{}{}", if code.is_some() { " " } else { "" }, code.unwrap_or_default());
    let refused = |advice: &str| Answer::Refused(format!("the account answered {told}: {advice}"));
    match (status, code) {
        (409, Some("BlobAlreadyExists")) | (412, _) => Answer::Exists,
        (404, Some("ContainerNotFound")) => refused("the container does not exist; create it"),
        (404, _) => Answer::Missing,
        (401 | 403, _) => refused(
            "let the credential read, write, delete and list in the container (for Entra ID: role Storage Blob Data \
             Contributor; for a signature: permissions rwdl, and an expiry that has not passed), and let the \
             account's network rules admit this machine",
        ),
        (409, Some("ContainerBeingDeleted")) => {
            refused("the container is being deleted; create it again once it is gone")
        }
        (409, Some("BlobImmutableDueToPolicy")) => {
            refused("a policy of the container forbids changes; a lake needs them")
        }
        (408 | 429 | 500.., _) | (409, None) => Answer::Unknown(format!("the account answered {told}")),
        _ => refused("it does not take the request"),
    }
}

//! The SDK's errors, for people.
//!
//! Promises: a text is one line and holds no signature. The transport puts the URL into its errors,
//! and a signed URL opens the account.

use azure_core::error::{Error, ErrorKind};

use crate::shown::without_secrets;

/// `error` and its causes on one line; a cause that is already contained in the text is left out.
pub fn told(error: &Error) -> String {
    let mut text = one_line(&error.to_string());
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = one_line(&error.to_string());
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    without_secrets(&text).into_owned()
}

/// The service's error code, such as `ContainerNotFound`; `None` if the service did not report the
/// error.
pub fn code(error: &Error) -> Option<&str> {
    match error.kind() {
        ErrorKind::HttpResponse { error_code, .. } => error_code.as_deref(),
        _ => None,
    }
}

/// What to do about the service's error `code`; `None` where there is nothing to add.
pub fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "AuthorizationPermissionMismatch" | "AuthorizationServiceMismatch" | "AuthorizationResourceTypeMismatch" => {
            "give the identity the role Storage Blob Data Reader on the account or container, or make the signature for \
             container and blobs with the permissions read and list (rl)"
        }
        // Some services also return this for a wrong key.
        "AuthorizationFailure" => {
            "the key or signature is wrong or has expired, or does not allow reading and listing (sp=rl in a shared access \
             signature, the role Storage Blob Data Reader in Entra ID), or the account's network rules keep this machine out"
        }
        "AuthorizationSourceIPMismatch" => "the signature is for another network address",
        "AuthorizationProtocolMismatch" => "the signature is for https only",
        "AuthenticationFailed" | "InvalidAuthenticationInfo" => {
            "the key is not one of the account's, the signature has expired or is for something else, or this machine's clock \
             is off by more than 15 minutes"
        }
        "KeyBasedAuthenticationNotPermitted" => {
            "the account takes tokens of Entra ID only: leave keys and signatures out of [source.azure] and the environment"
        }
        "NoAuthenticationInformation" | "PublicAccessNotPermitted" => "the request carried no credential",
        "ContainerNotFound" => "create the container, or correct the URL: names are in lower case",
        "ContainerBeingDeleted" | "ContainerDisabled" | "AccountIsDisabled" => "look at it in the portal",
        "BlobArchived" | "BlobBeingRehydrated" => {
            "bring the blob back from the archive tier, which takes hours, or keep it out of the source with a glob in source.url"
        }
        _ => return None,
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_without_signatures() {
        let cause = std::io::Error::other("for url (https://a/c?sp=r&sgi=hunter2%3D&se=1)\nno route");
        let error = Error::with_error(ErrorKind::Io, cause, "could not\nsend ?sig=hunter2");
        assert_eq!(told(&error), "could not send ?sig=***: for url (https://a/c?***) no route");
        assert_eq!(code(&error), None);
    }
}

//! What the answers of S3 mean, and of stores that speak its protocol.
//!
//! A 409 comes when two requests for one name cross: then nobody knows whose content is there. An
//! upload that is no longer known (404 `NoSuchUpload`) may have been completed by an attempt whose
//! reply was lost, and is begun anew.

use super::{Answer, code, element};

/// Where keys come from.
pub(super) const KEYS: &str = "give access_key_id and secret_access_key in [lake.s3], or AWS_ACCESS_KEY_ID and \
                               AWS_SECRET_ACCESS_KEY in the environment, or let the machine, container or pod have a role that may \
                               open the bucket";
/// What was received is not S3's.
pub(super) const UNREADABLE: &str = "the store's answer could not be read; if this goes on, endpoint in [lake.s3] is not that of a store that speaks S3";
/// What a credential must be allowed to do.
const RIGHTS: &str = "let the credential do s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucket \
                      there, and use the bucket's encryption key if it has one of its own";
const REGION: &str = "the bucket is in another region";

/// The meaning of an answer with this status, or of one that the client tells without it; none if
/// `text` is about no answer.
pub(super) fn answer(status: Option<u16>, text: &str) -> Option<Answer> {
    if let Some(status) = status {
        return Some(of_status(status, code(text), element(text, "Region")));
    }
    if text.contains("redirect without LOCATION") {
        return Some(of_status(301, None, None));
    }
    // Deleting succeeds as a request, whatever becomes of the single names.
    if let Some((_, code)) = text.rsplit_once("(code: ").filter(|_| text.contains("DeleteObjects request failed")) {
        return Some(of_deleting(code.trim_end_matches(')')));
    }
    // So does completing an upload, which takes its time.
    let late = text.contains("Server returned error response").then(|| code(text)).flatten();
    late.map(|code| Answer::Unknown(format!("the store answered {code}")))
}

fn of_deleting(code: &str) -> Answer {
    match code {
        "NoSuchKey" | "NoSuchVersion" => Answer::Missing,
        "AccessDenied" | "AllAccessDisabled" => of_status(403, Some("AccessDenied"), None),
        "InternalError" | "SlowDown" | "ServiceUnavailable" | "OperationAborted" => of_status(503, Some(code), None),
        code if code.bytes().all(|byte| byte.is_ascii_alphanumeric()) => of_status(400, Some(code), None),
        _ => of_status(400, None, None),
    }
}

fn of_status(status: u16, code: Option<&str>, region: Option<&str>) -> Answer {
    let told =
        format!("the store answered {status}{}{}", if code.is_some() { " " } else { "" }, code.unwrap_or_default());
    let refused = |advice: &str| Answer::Refused(format!("{told}: {advice}"));
    match (status, code) {
        (412 | 304, _) => Answer::Exists,
        (404, Some("NoSuchBucket")) => {
            refused("the bucket does not exist; create it, or correct lake.root, or endpoint in [lake.s3]")
        }
        (404, Some("NoSuchUpload")) => Answer::Unknown(told),
        (404, _) => Answer::Missing,
        (301 | 307, _) | (400, Some("AuthorizationHeaderMalformed" | "IllegalLocationConstraintException")) => {
            let good = |region: &&str| crate::s3::service::is_region(region);
            match region.filter(good) {
                Some(region) => refused(&format!("{REGION}: set region = {region:?} in [lake.s3]")),
                None => refused(&format!("{REGION}, or behind another endpoint: set region and endpoint in [lake.s3]")),
            }
        }
        (_, Some("InvalidAccessKeyId")) => {
            refused("the store does not know the access key: correct it, or endpoint in [lake.s3]")
        }
        (_, Some("SignatureDoesNotMatch")) => {
            refused("the secret is not that of the access key, or something on the way changes requests")
        }
        (_, Some("RequestTimeTooSkewed" | "RequestExpired")) => {
            refused("this machine's clock is off by more than 15 minutes: set it")
        }
        (_, Some("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired")) => {
            refused("the session token has expired or belongs to another key: get a new one with its key")
        }
        (400, Some("RequestTimeout")) | (408 | 409 | 429, _) => Answer::Unknown(told),
        (401 | 403, _) => refused(RIGHTS),
        (501, _) => Answer::Unsupported(told),
        (500.., _) => Answer::Unknown(told),
        _ => refused("it does not take the request"),
    }
}

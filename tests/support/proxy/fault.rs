//! What can go wrong with a request, and the answers of Azure or S3 in these cases.

use std::time::Duration;

use azure_core::time::{OffsetDateTime, to_rfc7231};

use super::message::Response;
use crate::support::wait;

/// Unless stated otherwise, the request does not reach the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 429, with the seconds to wait in `Retry-After`, or without that header.
    TooManyRequests(Option<u32>),
    /// 500
    InternalError(Option<u32>),
    /// 503
    ServerBusy(Option<u32>),
    /// 409: an append came while the blob was read.
    ModifiedWhileReading,
    /// 412
    ConditionNotMet,
    /// 404
    NotFound,
    /// 416
    InvalidRange,
    /// 403
    AuthenticationFailed,
    /// 304
    NotModified,
    /// 503 of S3.
    SlowDown,
    /// 409 of S3: two conditional writes of one name cross.
    CrossedWrites,
    /// 501 of a store that does not know a header.
    NotImplemented,
    /// 200 for whatever is written, as from a store that ignores a condition.
    Accepted,
    /// 200 with a web page, as from a login that is on the way.
    WebPage,
    /// The service's answer without a byte of its body. Only the answer for a part of a blob is
    /// emptied.
    EmptyPart,
    /// The service's answer to the same request without its `Range`, as from a cache on the way.
    WholeBlob,
    /// The connection is reset before an answer.
    Reset,
    /// The service executes the request, then the connection is reset.
    LostReply,
    /// The answer ends in the middle of its body.
    Truncated,
    /// Nothing comes for this long, then the connection is closed.
    Stall(Duration),
    /// The request is forwarded after this long.
    Delay(Duration),
    /// The request is forwarded once the rules are forgotten, so that something may happen before
    /// it for certain.
    Hold,
}

impl Fault {
    /// The answer that is given without asking the service.
    pub(super) fn response(self, without_body: bool) -> Option<Response> {
        use Fault::*;
        let (status, code, message, retry_after) = match self {
            TooManyRequests(after) => (429, "TooManyRequests", "Too many requests.", after),
            InternalError(after) => (500, "InternalError", "Server encountered an internal error.", after),
            ServerBusy(after) => (503, "ServerBusy", "The server is busy.", after),
            ModifiedWhileReading => {
                (409, "BlobModifiedWhileReading", "The blob has been modified while being read.", None)
            }
            ConditionNotMet => {
                let message = "The condition specified using HTTP conditional header(s) is not met.";
                (412, "ConditionNotMet", message, None)
            }
            NotFound => (404, "BlobNotFound", "The specified blob does not exist.", None),
            InvalidRange => {
                (416, "InvalidRange", "The range specified is invalid for the current size of the resource.", None)
            }
            AuthenticationFailed => (403, "AuthenticationFailed", "Server failed to authenticate the request.", None),
            NotModified => (304, "ConditionNotMet", "", None),
            SlowDown => (503, "SlowDown", "Please reduce your request rate.", None),
            CrossedWrites => (409, "ConditionalRequestConflict", "A conflicting operation is in progress.", None),
            NotImplemented => (501, "NotImplemented", "A header you provided is not implemented.", None),
            Accepted | WebPage => (200, "", "", None),
            EmptyPart | WholeBlob | Reset | LostReply | Truncated | Stall(_) | Delay(_) | Hold => return None,
        };
        let mut head =
            format!("HTTP/1.1 {status} {}\r\nServer: lakefront-proxy\r\nDate: {}\r\n", reason(status), date());
        match status {
            200 => head.push_str("ETag: \"0\"\r\n"),
            _ => head.push_str(&format!("x-ms-error-code: {code}\r\n")),
        }
        if let Some(seconds) = retry_after {
            head.push_str(&format!("Retry-After: {seconds}\r\n"));
        }
        let mut body = String::new();
        if !message.is_empty() {
            body = format!("\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code>");
            body.push_str(&format!("<Message>{message}\nRequestId:0\nTime:0</Message></Error>"));
            head.push_str("Content-Type: application/xml\r\n");
        }
        if self == WebPage {
            body = "<!DOCTYPE html><html><title>Log in</title></html>".to_owned();
            head.push_str("Content-Type: text/html; charset=utf-8\r\n");
        }
        if status != 304 {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        if without_body {
            body.clear();
        }
        Some(Response { status, head: head.into_bytes(), body: body.into_bytes() })
    }
}

/// The reason phrase of a status.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        304 => "Not Modified",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        412 => "Precondition Failed",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        _ => "Service Unavailable",
    }
}

fn date() -> String {
    to_rfc7231(&OffsetDateTime::from_unix_timestamp(wait::now() as i64).expect("a date"))
}

//! What the proxy saw: every request, its outcome, and how many there were at once.

use std::ops::Range;

use azure_core::http::Url;
use percent_encoding::percent_decode_str;

use super::Fault;
use super::message::Request;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Lists a container's blobs.
    List,
    /// Reads a blob.
    Read,
    /// Asks for a blob's properties.
    Head,
    /// Appends a block to a blob.
    Append,
    /// Creates a blob or writes it whole.
    Put,
    /// Deletes a blob; in S3, any number of them.
    Delete,
    /// Is about a container or an account.
    Other,
    /// Begins an upload in parts. (A part of it is an [`Kind::Append`].)
    Begin,
    /// Completes it.
    Complete,
    /// Gives it up.
    Abort,
}

/// The service that is behind the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Azure,
    S3,
}

/// A request that reached the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) kind: Kind,
    /// The blob, or the prefix of a list.
    pub(crate) name: String,
    /// The bytes it asks for; an open end is `u64::MAX`.
    pub(crate) range: Option<Range<u64>>,
    /// The answer's status, from the service or in its stead; `None` as long as there is no answer.
    /// After `Fault::LostReply`, the one that the client never saw.
    pub(crate) status: Option<u16>,
    pub(crate) fault: Option<Fault>,
}

/// Everything that was seen.
#[derive(Default)]
pub(super) struct Record {
    pub(super) seen: Vec<Seen>,
    at_once: usize,
    pub(super) most_at_once: usize,
}

impl Record {
    /// Records a request, and returns its number.
    pub(super) fn arrived(&mut self, request: &Request, kind: Kind, name: String, fault: Option<Fault>) -> usize {
        let (method, range) = (request.method.clone(), request.range.as_deref().and_then(range));
        self.seen.push(Seen { method, kind, name, range, status: None, fault });
        self.at_once += 1;
        self.most_at_once = self.most_at_once.max(self.at_once);
        self.seen.len() - 1
    }

    pub(super) fn answered(&mut self, number: usize, status: u16) {
        self.seen[number].status = Some(status);
    }

    pub(super) fn done(&mut self) {
        self.at_once -= 1;
    }
}

/// The kind of a request, and its blob or prefix.
pub(super) fn what(request: &Request, service: Service) -> (Kind, String) {
    let url = Url::parse("http://localhost").and_then(|base| base.join(&request.target)).expect("a request has a path");
    let query = |name: &str| url.query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned());
    // The account, the container, the blob; or the bucket, the object.
    let before = if service == Service::Azure { 3 } else { 2 };
    let path = url.path().splitn(before + 1, '/').nth(before).unwrap_or_default();
    let name = percent_decode_str(path).decode_utf8_lossy().into_owned();
    if service == Service::S3 {
        let is_upload = query("uploadId").is_some();
        let kind = match (request.method.as_str(), name.is_empty()) {
            ("GET", true) => return (Kind::List, query("prefix").unwrap_or_default()),
            ("POST", true) if query("delete").is_some() => {
                return (Kind::Delete, String::from_utf8_lossy(&request.body).into_owned());
            }
            ("GET", false) => Kind::Read,
            ("HEAD", false) => Kind::Head,
            ("PUT", false) if is_upload => Kind::Append,
            ("PUT", false) => Kind::Put,
            ("DELETE", false) if is_upload => Kind::Abort,
            ("DELETE", false) => Kind::Delete,
            ("POST", false) if is_upload => Kind::Complete,
            ("POST", false) => Kind::Begin,
            _ => Kind::Other,
        };
        return (kind, name);
    }
    let kind = match (request.method.as_str(), query("comp").as_deref(), name.is_empty()) {
        ("GET", Some("list"), true) => return (Kind::List, query("prefix").unwrap_or_default()),
        (_, _, true) => Kind::Other,
        ("GET", None, _) => Kind::Read,
        ("HEAD", _, _) => Kind::Head,
        ("PUT", Some("appendblock"), _) => Kind::Append,
        ("PUT", _, _) => Kind::Put,
        ("DELETE", _, _) => Kind::Delete,
        _ => Kind::Other,
    };
    (kind, name)
}

fn range(header: &str) -> Option<Range<u64>> {
    let (start, end) = header.strip_prefix("bytes=")?.split_once('-')?;
    let end = if end.is_empty() { u64::MAX } else { end.parse::<u64>().ok()? + 1 };
    Some(start.parse().ok()?..end)
}

//! Signs requests with an account's key. The SDK supports tokens and signed URLs; emulators and
//! many accounts have keys.
//!
//! Source of the format: "Authorize with Shared Key" in the Blob service's REST reference, for
//! versions from 2015-02-21 on.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::hmac::hmac_sha256;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request};
use azure_core::time::{OffsetDateTime, to_rfc7231};

use super::Secret;
use crate::protocol::clock::Clock;
use crate::run::clock::SystemClock;

/// The headers that are signed by position, in this order; `x-ms-date` takes the place of `date`.
const STANDARD: [&str; 11] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// Signs each try of a request anew, because a signature is valid for a few minutes only.
#[derive(Debug)]
pub(super) struct SharedKey {
    account: String,
    key: azure_core::credentials::Secret,
}

impl SharedKey {
    pub(super) fn new(account: &str, key: &Secret) -> Self {
        SharedKey { account: account.to_owned(), key: key.reveal().to_owned().into() }
    }

    fn to_sign(&self, request: &Request) -> String {
        let header = |name: &str| {
            let mut headers = request.headers().iter();
            headers.find(|(n, _)| n.as_str().eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.as_str())
        };
        let mut text = format!("{}\n", request.method());
        for name in STANDARD {
            // A length of 0 is signed as an empty string.
            let value = if name == "content-length" && header(name) == "0" { "" } else { header(name) };
            text.push_str(value);
            text.push('\n');
        }
        let own: BTreeMap<String, &str> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_ascii_lowercase(), value.as_str().trim()))
            .filter(|(name, _)| name.starts_with("x-ms-"))
            .collect();
        own.iter().for_each(|(name, value)| text.push_str(&format!("{name}:{value}\n")));
        text.push_str(&format!("/{}{}", self.account, request.url().path()));
        let mut query: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in request.url().query_pairs() {
            query.entry(name.to_ascii_lowercase()).or_default().push(value.into_owned());
        }
        for (name, mut values) in query {
            values.sort();
            text.push_str(&format!("\n{name}:{}", values.join(",")));
        }
        text
    }
}

#[async_trait]
impl Policy for SharedKey {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let seconds = i64::try_from(SystemClock.now_ms() / 1000).unwrap_or_default();
        let now = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        request.insert_header("x-ms-date", to_rfc7231(&now));
        // The transport would add it only after the signature is made.
        if let Some(length) = request.body().len().filter(|length| *length > 0) {
            request.insert_header("content-length", length.to_string());
        }
        let signature = hmac_sha256(&self.to_sign(request), &self.key)?;
        request.insert_header("authorization", format!("SharedKey {}:{signature}", self.account));
        next[0].send(ctx, request, &next[1..]).await
    }
}

#[cfg(test)]
mod tests {
    use azure_core::http::{Method, Url};

    use super::*;

    #[test]
    fn what_is_signed_is_what_the_service_signs() {
        let url = "http://127.0.0.1:10000/devstoreaccount1/c/a%20b?comp=list&prefix=a%2Fb&Include=x&include=m";
        let mut request = Request::new(Url::parse(url).expect("a URL"), Method::Get);
        request.insert_header("range", "bytes=0-9");
        request.insert_header("x-ms-version", "2026-01-01");
        request.insert_header("x-ms-date", "Sat, 21 Nov 2026 07:00:00 GMT");
        request.insert_header("content-length", "0");
        let key = SharedKey::new("devstoreaccount1", &Secret::new("a2V5"));
        let expected = "GET\n\n\n\n\n\n\n\n\n\n\nbytes=0-9\nx-ms-date:Sat, 21 Nov 2026 07:00:00 GMT\n\
                        x-ms-version:2026-01-01\n/devstoreaccount1/devstoreaccount1/c/a%20b\ncomp:list\ninclude:m,x\nprefix:a/b";
        assert_eq!(key.to_sign(&request), expected);
        assert!(!format!("{key:?}").contains("a2V5"));
    }
}

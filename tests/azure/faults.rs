//! Every fault of the proxy, as a client sees it.

use std::time::Duration;

use azure_core::Bytes;
use azure_core::error::ErrorKind;
use azure_core::http::StatusCode;
use azure_storage_blob::clients::BlobClient;
use lakefront_operators::azure::client;

use crate::support::blobs::{Container, location, run, with_key};
use crate::support::proxy::{Fault, Kind, Proxy, Rule};
use crate::support::wait;

/// A blob of eight bytes, and a client that goes through the proxy.
fn blob(proxy: &Proxy) -> (Container, BlobClient) {
    let container = Container::create();
    container.write("a", "12345678");
    let client = client::container(&location(&proxy.endpoint(), container.name(), with_key())).expect("a client");
    (container, client.blob_client("a"))
}

fn read(blob: &BlobClient) -> azure_core::Result<Vec<u8>> {
    Ok(run(async { blob.download(None).await?.body.collect().await })?.to_vec())
}

#[test]
fn a_made_up_answer_arrives() {
    let answers = [
        (Fault::TooManyRequests(None), 429, "TooManyRequests"),
        (Fault::InternalError(Some(1)), 500, "InternalError"),
        (Fault::ServerBusy(Some(2)), 503, "ServerBusy"),
        (Fault::ModifiedWhileReading, 409, "BlobModifiedWhileReading"),
        (Fault::ConditionNotMet, 412, "ConditionNotMet"),
        (Fault::NotFound, 404, "BlobNotFound"),
        (Fault::AuthenticationFailed, 403, "AuthenticationFailed"),
        (Fault::NotModified, 304, "ConditionNotMet"),
    ];
    let proxy = Proxy::start(0);
    let (_container, blob) = blob(&proxy);
    for (fault, status, code) in answers {
        proxy.rule(Rule::new(Kind::Read, fault));
        let error = read(&blob).expect_err("a fault");
        let ErrorKind::HttpResponse { status: got, error_code, raw_response } = error.kind() else { panic!("{error}") };
        assert_eq!((u16::from(*got), error_code.as_deref()), (status, Some(code)));
        let headers = raw_response.as_ref().expect("a response").headers();
        let after = headers.iter().find(|(name, _)| name.as_str() == "retry-after").map(|(_, value)| value.as_str());
        let wanted = [(Fault::InternalError(Some(1)), "1"), (Fault::ServerBusy(Some(2)), "2")];
        assert_eq!(after, wanted.iter().find(|(of, _)| *of == fault).map(|(_, after)| *after));
        assert_eq!(read(&blob).expect("one fault only"), b"12345678");
        proxy.calm();
    }
    assert_eq!(
        proxy.count(|seen| seen.kind == Kind::Read && seen.fault.is_none() && seen.status == Some(206)),
        answers.len()
    );
}

#[test]
fn an_empty_part_is_no_error() {
    let proxy = Proxy::start(0);
    let (_container, blob) = blob(&proxy);
    proxy.rule(Rule::new(Kind::Read, Fault::EmptyPart));
    let answer = run(blob.download(None)).expect("an answer");
    assert!(answer.properties.etag.is_some() && answer.properties.content_length == Some(0));
    assert_eq!(run(answer.body.collect()).expect("no body"), b"".as_slice());
    assert_eq!(read(&blob).expect("an answer"), b"12345678");
}

#[test]
fn a_range_that_is_refused_at_the_beginning_is_asked_for_whole() {
    let proxy = Proxy::start(0);
    let (_container, blob) = blob(&proxy);
    proxy.rule(Rule::new(Kind::Read, Fault::InvalidRange));
    assert_eq!(read(&blob).expect("an answer"), b"12345678");
    let asked: Vec<_> = proxy.seen().into_iter().map(|seen| (seen.range, seen.status)).collect();
    assert_eq!(asked, [(Some(0..4 << 20), Some(416)), (None, Some(200))]);
}

#[test]
fn connections_break() {
    let proxy = Proxy::start(0);
    let (_container, blob) = blob(&proxy);
    let stall = Duration::from_millis(300);
    for fault in [Fault::Reset, Fault::LostReply, Fault::Truncated, Fault::Stall(stall)] {
        proxy.rule(Rule::new(Kind::Read, fault));
        let start = wait::now();
        let error = read(&blob).expect_err("a fault");
        assert!(matches!(error.kind(), ErrorKind::Io | ErrorKind::Connection), "{fault:?}: {error}");
        assert!(fault != Fault::Stall(stall) || wait::now() - start > 0.29, "it did not stall");
        assert_eq!(read(&blob).expect("one fault only"), b"12345678");
        proxy.calm();
    }
    let answered: Vec<_> =
        proxy.seen().into_iter().filter(|seen| seen.fault.is_some()).map(|seen| seen.status).collect();
    assert_eq!(answered, [None, Some(206), Some(206), None]);
}

#[test]
fn a_write_whose_reply_is_lost_was_made() {
    let proxy = Proxy::start(0);
    let (container, blob) = blob(&proxy);
    let append = || run(blob.append_blob_client().append_block(Bytes::from_static(b"9").into(), 1, None)).map(drop);
    proxy.rule(Rule::new(Kind::Append, Fault::Reset));
    proxy.rule(Rule::new(Kind::Append, Fault::LostReply));
    assert!(append().is_err());
    assert_eq!(container.read("a"), b"12345678");
    assert!(append().is_err());
    assert_eq!(container.read("a"), b"123456789");
    assert!(append().is_ok());
}

#[test]
fn a_rule_chooses_its_requests() {
    let proxy = Proxy::start(0);
    let (_container, blob) = blob(&proxy);
    proxy.rule(Rule::new(Kind::Read, Fault::NotFound).named("a").nth(2).every(3).times(2));
    proxy.rule(Rule::new(Kind::Read, Fault::ServerBusy(None)).named("b").always());
    proxy.rule(Rule::new(Kind::List, Fault::ServerBusy(None)).always());
    let failed: Vec<_> =
        (1..=9).filter(|_| read(&blob).is_err_and(|e| e.http_status() == Some(StatusCode::NotFound))).collect();
    assert_eq!(failed, [2, 5]);
}

//! Which answers pass, and what a refusal advises.

use azure_core::http::RawResponse;

use super::*;

/// What an answer of the service means.
fn answer(status: u16, code: &str, headers: &[(&'static str, &'static str)]) -> Failure {
    let status = StatusCode::from(status);
    let mut all = Headers::new();
    headers.iter().for_each(|(name, value)| all.insert(HeaderName::from_static(name), *value));
    let raw_response = Some(Box::new(RawResponse::from_bytes(status, all, Vec::new())));
    let kind = ErrorKind::HttpResponse { status, error_code: Some(code.to_owned()), raw_response };
    Failure::of(&kind.into_error())
}

#[test]
fn a_blob_may_be_gone_and_its_container_may_not() {
    assert!(matches!(answer(404, "BlobNotFound", &[]), Failure::Missing(_)));
    let Failure::Refused(told) = answer(404, "ContainerNotFound", &[]) else { panic!("it lasts") };
    assert!(told.contains("create the container"), "{told}");
}

#[test]
fn what_passes_is_told_from_what_does_not() {
    for (status, code) in [(409, "BlobModifiedWhileReading"), (412, "ConditionNotMet"), (408, "x"), (500, "x")] {
        assert!(matches!(answer(status, code, &[]), Failure::Passing { retry_after: None, .. }), "{status} {code}");
    }
    for (status, code) in [(400, "x"), (401, "x"), (403, "x"), (409, "BlobArchived"), (409, "ContainerBeingDeleted")] {
        assert!(matches!(answer(status, code, &[]), Failure::Refused(_)), "{status} {code}");
    }
    assert!(matches!(answer(404, "BlobNotFound", &[]), Failure::Missing(_)));
    assert!(matches!(answer(416, "InvalidRange", &[]), Failure::BeyondTheEnd));
    assert!(matches!(answer(304, "ConditionNotMet", &[]), Failure::NotModified));
}

#[test]
fn the_service_says_how_long_to_wait() {
    for status in [429, 503] {
        let Failure::Passing { cause, retry_after } = answer(status, "ServerBusy", &[("retry-after", "7")]) else {
            panic!("{status} passes")
        };
        assert_eq!(retry_after, Some(Duration::from_secs(7)));
        assert_eq!(cause, format!("the service says {status} ServerBusy"));
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    let told = |status, code| match answer(status, code, &[]) {
        Failure::Refused(cause) | Failure::Missing(cause) => cause,
        other => panic!("{other:?}"),
    };
    assert!(told(403, "AuthorizationFailure").contains("sp=rl"));
    assert!(told(404, "ContainerNotFound").contains("create the container"));
    assert!(told(409, "BlobArchived").contains("archive tier"));
}

//! Answers are told from silence, and nothing of a request is told.

use object_store::client::HttpErrorKind;

use super::*;

fn generic(text: &str) -> object_store::Error {
    object_store::Error::Generic { store: "any", source: text.to_owned().into() }
}

fn answer(service: Service, text: &str) -> Answer {
    service.answer(&generic(text))
}

fn told(service: Service, status: &str, code: &str) -> Answer {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>sig=secret</Message></Error>");
    answer(
        service,
        &format!(
            "Error performing PUT https://a/b?sig=secret in 1s - Server returned non-2xx status code: {status}: {body}"
        ),
    )
}

fn check_refusal(service: Service, status: &str, code: &str, words: &str) {
    let Answer::Refused(text) = told(service, status, code) else { panic!("{status} {code} is a refusal") };
    assert!(text.contains(code) && text.contains(words) && !text.contains("secret="), "{text}");
}

fn check_unknown(service: Service, status: &str, code: &str) {
    let Answer::Unknown(text) = told(service, status, code) else { panic!("{status} {code} says nothing") };
    assert!(text.contains(code) && !text.contains("secret"), "{text}");
}

#[test]
fn answers_of_an_account() {
    use Service::Azure;
    assert_eq!(told(Azure, "409 Conflict", "BlobAlreadyExists"), Answer::Exists);
    assert_eq!(told(Azure, "412 Precondition Failed", "ConditionNotMet"), Answer::Exists);
    assert_eq!(told(Azure, "404 Not Found", "BlobNotFound"), Answer::Missing);
    assert_eq!(answer(Azure, "Server returned non-2xx status code: 404 Not Found: "), Answer::Missing);
    for (status, code) in [
        ("400 Bad Request", "InvalidHeaderValue"),
        ("401 Unauthorized", "NoAuthenticationInformation"),
        ("403 Forbidden", "AuthorizationPermissionMismatch"),
        ("404 Not Found", "ContainerNotFound"),
        ("409 Conflict", "ContainerBeingDeleted"),
        ("409 Conflict", "InvalidBlobType"),
        ("307 Temporary Redirect", "None"),
    ] {
        check_refusal(Azure, status, code, "");
    }
    for status in ["408 Request Timeout", "429 Too Many Requests", "500 Internal Server Error", "503 Busy"] {
        check_unknown(Azure, status, "ServerBusy");
    }
    assert!(matches!(answer(Azure, "status code: 409 Conflict: "), Answer::Unknown(_)), "of what, it does not say");
}

#[test]
fn a_path_is_not_an_answer() {
    let source = "Error performing GET https://a/status%20code:%20412 in 1s - Server returned non-2xx status code: 404 Not Found: ";
    let error = object_store::Error::NotFound { path: "status code: 412".to_owned(), source: source.into() };
    for service in [Service::Azure, Service::S3] {
        assert_eq!(service.answer(&error), Answer::Missing);
    }
}

#[test]
fn answers_of_a_bucket() {
    use Service::S3;
    assert_eq!(told(S3, "412 Precondition Failed", "PreconditionFailed"), Answer::Exists);
    assert_eq!(answer(S3, "Server returned non-2xx status code: 304 Not Modified: "), Answer::Exists);
    assert_eq!(told(S3, "404 Not Found", "NoSuchKey"), Answer::Missing);
    for (status, code, words) in [
        ("404 Not Found", "NoSuchBucket", "create it"),
        ("403 Forbidden", "AccessDenied", "s3:PutObject"),
        ("403 Forbidden", "InvalidAccessKeyId", "does not know the access key"),
        ("403 Forbidden", "SignatureDoesNotMatch", "not that of the access key"),
        ("403 Forbidden", "RequestTimeTooSkewed", "clock"),
        ("400 Bad Request", "ExpiredToken", "session token"),
        ("400 Bad Request", "AuthorizationHeaderMalformed", "another region"),
        ("301 Moved Permanently", "PermanentRedirect", "another region"),
        ("400 Bad Request", "InvalidRequest", "does not take"),
        ("405 Method Not Allowed", "MethodNotAllowed", "does not take"),
    ] {
        check_refusal(S3, status, code, words);
    }
    for (status, code) in [
        ("409 Conflict", "ConditionalRequestConflict"),
        ("400 Bad Request", "RequestTimeout"),
        ("404 Not Found", "NoSuchUpload"),
        ("429 Too Many Requests", "TooManyRequests"),
        ("500 Internal Server Error", "InternalError"),
        ("503 Slow Down", "SlowDown"),
    ] {
        check_unknown(S3, status, code);
    }
    assert!(matches!(told(S3, "501 Not Implemented", "NotImplemented"), Answer::Unsupported(_)));
}

#[test]
fn a_bucket_says_where_it_is() {
    let wrong =
        "status code: 400 Bad Request: <Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region>";
    let Answer::Refused(text) = answer(Service::S3, wrong) else { panic!("a refusal") };
    assert!(text.ends_with("set region = \"eu-west-1\" in [lake.s3]"), "{text}");
    let odd = wrong.replace("eu-west-1", "eu west, says hunter2");
    assert!(matches!(answer(Service::S3, &odd), Answer::Refused(text) if !text.contains("hunter2")));
    let bare = "Received redirect without LOCATION, this normally indicates an incorrectly configured region";
    assert!(matches!(answer(Service::S3, bare), Answer::Refused(text) if text.contains("another region")));
}

#[test]
fn a_success_may_be_none() {
    let deleting = |code: &str| {
        answer(Service::S3, &format!("DeleteObjects request failed for key a (code: x): no (code: {code})"))
    };
    assert!(matches!(deleting("AccessDenied"), Answer::Refused(text) if text.contains("s3:DeleteObject")));
    assert!(matches!(deleting("SlowDown"), Answer::Unknown(text) if text.contains("SlowDown")));
    assert_eq!(deleting("NoSuchKey"), Answer::Missing);
    let late = "Server returned error response: <Error><Code>InternalError</Code></Error>";
    assert!(matches!(answer(Service::S3, late), Answer::Unknown(text) if text.contains("InternalError")));
}

#[test]
fn silence_leaves_everything_open() {
    for service in [Service::Azure, Service::S3] {
        for kind in [HttpErrorKind::Timeout, HttpErrorKind::Interrupted, HttpErrorKind::Request, HttpErrorKind::Connect]
        {
            let broken = HttpError::new(kind, std::io::Error::other("nothing came"));
            let error = object_store::Error::Generic { store: "any", source: Box::new(broken) };
            assert!(matches!(service.answer(&error), Answer::Unknown(text) if text.contains("nothing came")));
            assert!(service.failure("read", &error).is_some_and(|failure| failure.is_transient()));
        }
        assert!(service.failure("read", &std::io::Error::other("a file is torn")).is_none());
        assert!(matches!(answer(service, "who knows"), Answer::Unknown(_)));
    }
}

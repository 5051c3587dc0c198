//! How errors are described, and probes of a scripted service.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use azure_core::http::StatusCode;

use super::super::Account;
use super::*;

fn error(status: StatusCode, code: &str) -> Error {
    let kind = ErrorKind::HttpResponse { status, error_code: Some(code.to_owned()), raw_response: None };
    Error::with_message(kind, "GET https://a/c?sig=hunter2")
}

#[test]
fn errors_are_told_with_what_to_do() {
    let denied = permission(&error(StatusCode::Forbidden, "AuthorizationPermissionMismatch")).expect("a permission");
    assert!(denied.to_string().starts_with("denied (AuthorizationPermissionMismatch: give the identity the role "));
    for (status, code, word, transient) in [
        (StatusCode::Forbidden, "AuthenticationFailed", "clock", false),
        (StatusCode::Forbidden, "AuthorizationFailure", "network rules", false),
        (StatusCode::NotFound, "ContainerNotFound", "create the container", false),
        (StatusCode::ServiceUnavailable, "ServerBusy", "https://a/c?***", true),
    ] {
        let error = error(status, code);
        assert_eq!(permission(&error), None);
        let failed = failed("list".to_owned(), &error);
        let told = crate::error::chain(&failed);
        assert!(told.contains(word) && !told.contains("hunter2"), "{told}");
        assert_eq!(failed.is_transient(), transient);
    }
}

#[test]
fn access_is_one_line() {
    let opened = "account acc1 by the account key".to_owned();
    let access =
        Access { opened, list: Permission::Granted, read: Permission::Untried("there is no blob"), at_ms: None };
    let expected = "account acc1 by the account key: list granted, read not tried (there is no blob), write not tried";
    assert_eq!(access.to_string(), expected);
}

/// A service that gives each request the next of `answers`: status, error code, body. The receiver
/// gets the request lines.
fn service(
    answers: Vec<(&'static str, &'static str, &'static str)>,
) -> (SocketAddr, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (lines, seen) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for (status, code, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
            lines.send(line).unwrap();
            let code = if code.is_empty() { String::new() } else { format!("x-ms-error-code: {code}\r\n") };
            let answer = format!(
                "HTTP/1.1 {status}\r\n{code}content-range: bytes 0-0/9\r\netag: \"1\"\r\ncontent-length: {}\r\n\
                 content-type: application/xml\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    (address, seen)
}

fn probed(path: &str, answers: Vec<(&'static str, &'static str, &'static str)>) -> (String, Vec<String>) {
    let (address, seen) = service(answers);
    let location = Location {
        account: Account {
            name: "dev1".to_owned(),
            endpoint: format!("http://{address}/dev1/").parse().unwrap(),
            credential: Credential::sas("sp=rl&se=2026-12-01&sig=hunter2").unwrap(),
        },
        container: "logs".to_owned(),
        path: path.to_owned(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let told = match runtime.block_on(probe(&location)) {
        Ok(access) => access.to_string(),
        Err(error) => crate::error::chain(&error),
    };
    assert!(!told.contains("hunter2"), "{told}");
    (
        told.replace("account dev1 by a shared access signature (sp=rl, until 2026-12-01)", "IT"),
        seen.try_iter().collect(),
    )
}

const LISTED: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ContainerName=\"logs\"><Blobs><Blob>\
    <Name>a b/x.json</Name><Properties><Content-Length>9</Content-Length></Properties></Blob></Blobs><NextMarker>n</NextMarker>\
    </EnumerationResults>";
const NONE: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ContainerName=\"logs\"><Blobs/><NextMarker/>\
    </EnumerationResults>";
const DENIED: (&str, &str, &str) = ("403 Forbidden", "AuthorizationPermissionMismatch", "");

#[test]
fn a_probe_lists_one_blob_and_reads_one_byte() {
    let (told, seen) = probed("a b/*.json", vec![("200 OK", "", LISTED), ("206 Partial Content", "", "{")]);
    assert_eq!(told, "IT: list granted, read granted, write not tried");
    assert!(seen[0].contains("comp=list&maxresults=1&prefix=a+b%2F&"), "{seen:?}");
    assert!(seen[1].starts_with("GET /dev1/logs/a%20b%2Fx.json?") && seen[1].contains("sig=hunter2"), "{seen:?}");

    let (told, _) = probed("", vec![("200 OK", "", NONE)]);
    assert_eq!(told, "IT: list granted, read not tried (there is no blob), write not tried");
}

#[test]
fn a_probe_tells_what_is_denied_and_what_is_wrong() {
    let (told, _) = probed("x.json", vec![DENIED, ("206 Partial Content", "", "{")]);
    assert!(told.starts_with("IT: list denied (AuthorizationPermissionMismatch: "), "{told}");
    assert!(told.ends_with("), read granted, write not tried"), "{told}");
    let (told, _) = probed("", vec![("200 OK", "", LISTED), DENIED]);
    assert!(told.starts_with("IT: list granted, read denied (AuthorizationPermissionMismatch: "), "{told}");
    let (told, _) = probed("", vec![("404 Not Found", "ContainerNotFound", "")]);
    assert!(
        told.starts_with("could not list container \"logs\" of IT: ContainerNotFound: create the container"),
        "{told}"
    );
    let (told, _) = probed("", vec![("403 Forbidden", "AuthenticationFailed", "<Error><Code>x</Code></Error>")]);
    assert!(
        told.starts_with("could not list container \"logs\" of IT: AuthenticationFailed: the key is not"),
        "{told}"
    );
}

#[test]
fn nobody_at_home_is_told_without_the_signature() {
    let (told, _) = probed("", vec![]);
    assert!(told.starts_with("could not list container \"logs\" of IT: "), "{told}");
}

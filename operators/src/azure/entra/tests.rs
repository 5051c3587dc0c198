//! The chain over fake links, and the SDK's own credentials over a fake service.

use std::collections::HashMap;
use std::sync::Mutex as Lock;
use std::sync::atomic::{AtomicUsize, Ordering};

use azure_core::Bytes;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Request, RetryOptions, StatusCode, Transport};
use azure_core::time::OffsetDateTime;

use super::super::Secret;
use super::super::certificate::tests::{PEM, verified};
use super::*;

const SCOPES: [&str; 1] = ["https://storage.azure.com/.default"];

/// A scripted link.
#[derive(Debug, Default)]
struct Fake {
    /// The token; without one the link fails. A `silent` link never answers.
    token: Lock<Option<&'static str>>,
    silent: bool,
    asked: AtomicUsize,
}

#[async_trait]
impl TokenCredential for Fake {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.silent {
            std::future::pending::<()>().await;
        }
        let token = *self.token.lock().unwrap();
        let refused = || {
            Error::with_message(
                ErrorKind::Credential,
                "hunter2 is\n wrong at ?sig=abc&x\nTo troubleshoot, visit https://x#y",
            )
        };
        Ok(AccessToken::new(token.ok_or_else(refused)?, OffsetDateTime::UNIX_EPOCH))
    }
}

fn fake(token: Option<&'static str>) -> Arc<Fake> {
    Arc::new(Fake { token: Lock::new(token), ..Fake::default() })
}

fn chain_of(links: &[&Arc<Fake>]) -> Chain {
    let link = |(n, link): (usize, &&Arc<Fake>)| {
        let credential: Arc<dyn TokenCredential> = (**link).clone();
        Opened { name: format!("link {n}"), patience: Duration::from_millis(20), credential: Ok(credential) }
    };
    let secret = Some(Secret::new("hunter2"));
    Chain {
        links: links.iter().enumerate().map(link).collect(),
        chosen: OnceLock::new(),
        search: Mutex::new(()),
        secret,
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn the_first_that_gives_a_token_is_kept() {
    let links = [fake(None), Arc::new(Fake { silent: true, ..Fake::default() }), fake(Some("a")), fake(Some("b"))];
    let chain = chain_of(&links.each_ref());
    block_on(async {
        let many = futures::future::join_all((0..8).map(|_| chain.get_token(&SCOPES, None))).await;
        assert!(many.into_iter().all(|token| token.unwrap().token.secret() == "a"));
    });
    assert_eq!(chain.chosen(), Some("link 2"));
    assert_eq!(links.each_ref().map(|link| link.asked.load(Ordering::SeqCst)), [1, 1, 8, 0]);

    // If it fails later, the run does not switch to another identity.
    *links[2].token.lock().unwrap() = None;
    let error = block_on(chain.get_token(&SCOPES, None)).unwrap_err();
    assert_eq!(error.to_string(), "no token from Entra ID by link 2: *** is wrong at ?sig=***&x");
}

#[test]
fn without_any_token_each_link_tells_why_on_one_line() {
    let chain = chain_of(&[&fake(None), &Arc::new(Fake { silent: true, ..Fake::default() })]);
    let error = block_on(chain.get_token(&SCOPES, None)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no token from Entra ID (link 0: *** is wrong at ?sig=***&x; link 1: no answer within 0 s): give an account_key or a \
         sas, or tenant_id, client_id and client_secret, run where there is a managed identity, or sign in with \"az login\""
    );
    assert_eq!(format!("{chain:?}"), "Chain { chosen: None, .. }");
}

#[test]
fn links_are_those_that_have_what_they_need() {
    let text = |text: &str| Some(text.to_owned());
    let mut entra = Entra { client_secret: Some(Secret::new("hunter2")), ..Entra::default() };
    assert_eq!(links(&entra), [Link::ManagedIdentity, Link::AzureCli]);
    entra.tenant_id = text("t");
    entra.client_id = text("app");
    entra.federated_token_file = text("missing/token");
    entra.client_certificate_path = text("missing/certificate");
    let named = [Link::WorkloadIdentity, Link::ClientSecret, Link::ClientCertificate];
    assert_eq!(links(&entra), named, "a transient failure of these must not change the run's identity");
    // A link that cannot be opened is kept with its reason.
    let chain = chain(&entra);
    let why: Vec<_> = chain.links.iter().map(|link| link.credential.as_ref().err().cloned()).collect();
    assert!(why[0].as_ref().is_some_and(|why| why.contains("missing/token")), "{why:?}");
    assert!(why[2].as_ref().is_some_and(|why| why.contains("missing/certificate")), "{why:?}");
    assert!(why[1].is_none(), "{why:?}");
}

/// A token service that accepts one kind of credential.
#[derive(Debug)]
struct Service {
    seen: Lock<Vec<(String, HashMap<String, String>)>>,
    opens: fn(&HashMap<String, String>) -> bool,
}

#[async_trait]
impl HttpClient for Service {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let body = match request.body() {
            Body::Bytes(bytes) => bytes.clone(),
            Body::SeekableStream(_) => panic!("a form"),
        };
        let form: HashMap<_, _> = url::form_urlencoded::parse(&body).into_owned().collect();
        let opens = (self.opens)(&form);
        self.seen.lock().unwrap().push((request.url().to_string(), form));
        let (status, body) = match opens {
            true => (StatusCode::Ok, r#"{"access_token":"t0","expires_in":3600,"token_type":"Bearer"}"#),
            false => (
                StatusCode::Unauthorized,
                r#"{"error_codes":[7000215],"error_description":"AADSTS7000215: Invalid client secret provided."}"#,
            ),
        };
        Ok(AsyncRawResponse::from_bytes(status, Headers::default(), Bytes::from_static(body.as_bytes())))
    }
}

#[test]
fn a_service_is_asked_with_token_secret_and_certificate_in_turn() {
    let folder = tempfile::tempdir().unwrap();
    let (token, certificate) = (folder.path().join("token"), folder.path().join("certificate.pem"));
    std::fs::write(&token, "federated").unwrap();
    std::fs::write(&certificate, PEM).unwrap();
    let entra = Entra {
        tenant_id: Some("t".to_owned()),
        client_id: Some("app".to_owned()),
        client_secret: Some(Secret::new("hunter2")),
        client_certificate_path: certificate.to_str().map(str::to_owned),
        federated_token_file: token.to_str().map(str::to_owned),
        authority_host: Some("https://login.example".to_owned()),
    };
    let by_certificate = |form: &HashMap<String, String>| form.get("client_assertion").is_some_and(|a| a.contains('.'));
    let service = Arc::new(Service { seen: Lock::default(), opens: by_certificate });
    let options = ClientOptions {
        transport: Some(Transport::new(service.clone())),
        retry: RetryOptions::none(),
        ..ClientOptions::default()
    };
    let chain = chain_over(&entra, options);
    let token = block_on(chain.get_token(&SCOPES, None)).unwrap();
    assert_eq!((token.token.secret(), chain.chosen()), ("t0", Some("client certificate of application app")));

    let seen = service.seen.lock().unwrap();
    let url = "https://login.example/t/oauth2/v2.0/token";
    assert_eq!(seen.iter().map(|(url, _)| url.as_str()).collect::<Vec<_>>(), [url; 3]);
    assert_eq!(seen[0].1["client_assertion"], "federated");
    assert_eq!(seen[1].1["client_secret"], "hunter2");
    let [_, claims] = verified(&seen[2].1["client_assertion"]);
    assert_eq!((claims["aud"].as_str(), claims["iss"].as_str()), (Some(url), Some("app")));
}

//! Tells a store's answers from web pages. Behind a proxy or a login, every request may be answered
//! with a page and status 200. The client would take one for a listing without entries, or for the
//! success of a write.

use async_trait::async_trait;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use object_store::{ClientOptions, Result};

/// Connects as the client does by itself, and refuses pages.
#[derive(Debug, Default)]
pub(super) struct NoPages;

impl HttpConnector for NoPages {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient> {
        Ok(HttpClient::new(Answers(ReqwestConnector::default().connect(options)?)))
    }
}

#[derive(Debug)]
struct Answers(HttpClient);

#[async_trait]
impl HttpService for Answers {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let holds_an_object = is_of_an_object(&request);
        let response = self.0.execute(request).await?;
        let content = response.headers().get("content-type").map_or(&b""[..], |content| content.as_bytes());
        match response.status().is_success() && content.starts_with(b"text/html") && !holds_an_object {
            true => Err(HttpError::new(HttpErrorKind::Unknown, IsPage)),
            false => Ok(response),
        }
    }
}

/// Whether the answer is an object or about one: those may be pages.
fn is_of_an_object(request: &HttpRequest) -> bool {
    let is_listing = request.uri().query().is_some_and(|query| query.contains("list"));
    matches!(request.method().as_str(), "GET" | "HEAD") && !is_listing
}

/// The answer is a web page.
#[derive(Debug, thiserror::Error)]
#[error("the answer is a web page, and not a store's: check the address, and whether a proxy or a login is on the way")]
pub(in crate::sink::files::blobs) struct IsPage;

//! A run, watched over HTTP: a live page, health for supervisors, numbers for Prometheus.
//!
//! ```text
//! /               the live page (page/), which polls /status.json each second
//! /status.json    all that is known of the run
//! /metrics        the numbers, in Prometheus text
//! /health         whether the run is well, with the step that holds the frontier; 503 if not ready
//! /health/live    200 as long as the process answers
//! /health/ready   200 or 503
//! ```
//!
//! It only reads. It has no authentication and knows no secrets: whoever reaches the address may
//! see the numbers and the tables' names. It cannot harm the run: connections are few and short
//! (`connection`), answers are made from counters, and nothing is written.

mod client;
mod connection;
mod flushes;
mod health;
mod history;
mod live;
pub(crate) mod metrics;
mod page;
mod status;

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

pub(crate) use self::client::ask;
pub(crate) use self::live::{Live, RunFacts};
use crate::config::HttpConfig;
use crate::exit::Unavailable;

/// Time between two attempts to bind the address of a run that is about to end.
const AGAIN: Duration = Duration::from_millis(200);

/// Sent with every answer: only our own scripts, styles, images and requests are allowed, and no
/// frames; types are not guessed, and nothing is cached.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    // A connection is never kept open for a request that may come.
    (header::CONNECTION, HeaderValue::from_static("close")),
];

/// Binds the address before the tables are claimed, because a run that cannot be watched as its
/// file says must not begin. With `take_over` the old run may still hold the address; then this is
/// `None`, and [`serve`] waits for it.
pub(crate) async fn listen(http: HttpConfig, take_over: bool) -> Result<Option<TcpListener>, Unavailable> {
    match TcpListener::bind(http.listen).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if take_over && error.kind() == ErrorKind::AddrInUse => Ok(None),
        Err(error) => Err(Unavailable { address: http.listen, error }),
    }
}

/// Answers requests until the process ends.
pub(crate) async fn serve(http: HttpConfig, listener: Option<TcpListener>, live: Arc<Live>) {
    tokio::spawn(history::keep(live.clone()));
    let listener = match listener {
        Some(listener) => listener,
        None => inherit(http.listen).await,
    };
    let address = http.listen;
    if address.ip().is_loopback() {
        tracing::info!(%address, "answers over HTTP");
    } else {
        tracing::warn!(%address, "answers over HTTP without authentication: whoever reaches the address may read");
    }
    let listener = connection::Bounded::new(listener);
    // This never ends by itself.
    let _ = axum::serve(listener, router(address, live)).await;
}

/// Binds the address once the run that holds it is gone.
async fn inherit(address: SocketAddr) -> TcpListener {
    tracing::info!(%address, "waits for the address of the run that is taken over");
    loop {
        tokio::time::sleep(AGAIN).await;
        if let Ok(listener) = TcpListener::bind(address).await {
            return listener;
        }
    }
}

fn router(address: SocketAddr, live: Arc<Live>) -> Router {
    let mut router = Router::new()
        .route("/status.json", get(|State(live): State<Arc<Live>>| async move { status::status(&live) }))
        .route("/metrics", get(|State(live): State<Arc<Live>>| async move { status::metrics(&live) }))
        .route("/health", get(|State(live): State<Arc<Live>>| async move { status::health(&live) }))
        .route("/health/live", get(|| async { status::alive() }))
        .route("/health/ready", get(|State(live): State<Arc<Live>>| async move { status::ready(&live) }));
    for (path, content_type, content) in page::FILES {
        router = router.route(path, get(([(header::CONTENT_TYPE, content_type)], content)));
    }
    router
        .fallback((StatusCode::NOT_FOUND, "not found: / is the live page\n"))
        .layer(middleware::from_fn_with_state(address, guard))
        .with_state(live)
}

/// Refuses what a foreign page sends through its reader's browser, and adds the headers to every
/// answer.
async fn guard(State(address): State<SocketAddr>, request: Request, next: Next) -> Response {
    let mut response = match is_for_us(address, &request) {
        true => next.run(request).await,
        false => (StatusCode::FORBIDDEN, "forbidden: ask for this machine by localhost, 127.0.0.1 or [::1]\n")
            .into_response(),
    };
    response.headers_mut().extend(HEADERS);
    response
}

/// A page whose host name was made to point to this machine has the same origin as ours, but its
/// requests carry that name. Ports are not compared, because a tunnel has its own. An address that
/// is not loopback has names that only its network knows, so all are accepted.
fn is_for_us(address: SocketAddr, request: &Request) -> bool {
    if !address.ip().is_loopback() {
        return true;
    }
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.filter(|host| !host.contains('@')).and_then(|host| host.parse::<Uri>().ok());
    host.as_ref().and_then(Uri::host).is_some_and(|host| {
        let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.is_loopback())
    })
}

#[cfg(test)]
mod tests;

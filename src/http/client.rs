//! Asks a running pipeline for its status, which says more than the tables do.
//!
//! There may be no answer, and an answer is not trusted: the request goes only to the address in
//! the pipeline's file, has a short timeout, and takes only a bounded answer that names the
//! pipeline and its source.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::redirect::Policy;
use serde_json::Value;

/// Timeout, from the connection to the last byte.
const PATIENCE: Duration = Duration::from_secs(2);
/// Maximum bytes of an answer: far more than the longest has.
const LONGEST: usize = 1 << 20;

/// The answer of the run of `pipeline` over `source` at `address` to `/status.json`; `None` if
/// nothing answers, or something else does.
pub(crate) async fn ask(address: SocketAddr, pipeline: &str, source: &str) -> Option<Value> {
    let answer =
        status(reachable(address)).await.inspect_err(|error| tracing::debug!(%error, "no run answers")).ok()?;
    let is = |key: &str, value: &str| answer.get(key).and_then(Value::as_str) == Some(value);
    let is_ours = is("pipeline", pipeline) && is("source", source);
    if !is_ours {
        tracing::debug!(%address, "what answers is not a run of this pipeline");
    }
    is_ours.then_some(answer)
}

async fn status(address: SocketAddr) -> anyhow::Result<Value> {
    // Only this address is asked: no proxy from the environment, and no redirect to another place.
    let client = reqwest::Client::builder().no_proxy().redirect(Policy::none()).timeout(PATIENCE).build()?;
    let mut response = client.get(format!("http://{address}/status.json")).send().await?.error_for_status()?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        anyhow::ensure!(body.len() + chunk.len() <= LONGEST, "the answer is longer than {LONGEST} bytes");
        body.extend_from_slice(&chunk);
    }
    Ok(serde_json::from_slice(&body)?)
}

/// A run that listens on all addresses is asked on loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everywhere_is_asked_here() {
        for (listen, asked) in [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.1.2.3:1", "10.1.2.3:1")] {
            assert_eq!(reachable(listen.parse().unwrap()), asked.parse().unwrap());
        }
    }
}

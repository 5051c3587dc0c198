//! Services: where a store answers, and how one of its buckets is addressed there.
//!
//! Promises: an error is one of a few fixed texts, so it contains nothing of the URL.

use url::{Host, Url};

/// A service's endpoint, such as `https://ACCOUNT.r2.cloudflarestorage.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Parses an endpoint. A plain `http://` one must be this machine's, unless it `may_be_plain`.
    pub fn parse(text: &str, may_be_plain: bool) -> Result<Endpoint, &'static str> {
        let url = Url::parse(text).map_err(|_| "an endpoint is a URL such as https://s3.example.com")?;
        let loopback = match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => return Err("an endpoint is a URL such as https://s3.example.com"),
        };
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err("an endpoint has no user, password, query or fragment: keys belong in [lake.s3]");
        }
        match url.scheme() {
            "https" => {}
            "http" if loopback || may_be_plain => {}
            "http" => {
                return Err(
                    "only https:// is allowed, and http:// for this machine only: over http anybody on the way can \
                            read and change what is sent; allow_http = true in [lake.s3] allows it",
                );
            }
            _ => return Err("an endpoint begins with https://"),
        }
        Ok(Endpoint(url))
    }

    /// AWS's own, in `region`.
    pub fn aws(region: &str) -> Option<Endpoint> {
        aws("s3", region).map(Endpoint)
    }
}

/// AWS's own service of tokens, in `region`.
pub fn aws_tokens(region: &str) -> Option<Url> {
    aws("sts", region)
}

fn aws(service: &str, region: &str) -> Option<Url> {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    Url::parse(&format!("https://{service}.{region}.{suffix}")).ok()
}

/// The URL of a bucket: its name is the first folder in path style, and else part of the host.
pub fn bucket(name: &str, Endpoint(url): &Endpoint, path_style: bool) -> Result<String, &'static str> {
    let mut url = url.clone();
    if path_style {
        return Ok(format!("{}/{name}", url.as_str().trim_end_matches('/')));
    }
    let host = match url.host() {
        Some(Host::Domain(host)) => format!("{name}.{host}"),
        _ => return Err("must be true: a bucket's name cannot stand before an address of numbers"),
    };
    url.set_host(Some(&host)).map_err(|_| "must be true: the bucket's name cannot be part of a host")?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Whether a region may have this name.
pub fn is_region(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

/// An agent that is asked for a key, with a token. Unless it is encrypted, it must be this machine
/// or one of the addresses that only the machine itself reaches.
pub fn agent(text: &str) -> Result<Url, &'static str> {
    const ALLOWED: &str = "allowed is https://, or http:// to an address that only this machine reaches";
    let url = Url::parse(text).map_err(|_| ALLOWED)?;
    let local = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback() || [[169, 254, 170, 2], [169, 254, 170, 23]].contains(&ip.octets()),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23],
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() == "https" || url.scheme() == "http" && local { Ok(url) } else { Err(ALLOWED) }
}

/// A service that exchanges tokens for keys.
pub fn tokens(text: &str) -> Result<Url, &'static str> {
    const ALLOWED: &str = "allowed is https:// followed by a host";
    Url::parse(text).ok().filter(|url| url.scheme() == "https").ok_or(ALLOWED)
}

/// A service that knows about the machine. What is sent there is no secret.
pub fn metadata(text: &str) -> Result<Url, &'static str> {
    Url::parse(text).ok().filter(Url::has_host).ok_or("allowed is a URL with a host")
}

#[cfg(test)]
mod tests;

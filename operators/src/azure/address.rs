//! Addresses: the account, service, container and path in a URL, and the names that Azure allows
//! for them.
//!
//! Promises: an error is one of a few fixed texts, so it contains nothing of the URL, which may
//! hold a signature.

use url::{Host, Url};

use super::Credential;

/// A blob service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The account; `None` if the host does not name it.
    pub account: Option<String>,
    /// As in [`Account::endpoint`](super::Account::endpoint).
    pub endpoint: Url,
}

/// A container and a path in it, before their credential is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The account and its service; an `az://` URL names neither.
    pub service: Option<(String, Url)>,
    /// The container.
    pub container: String,
    /// As in [`Location::path`](super::Location::path).
    pub path: String,
    /// The signature in the URL.
    pub sas: Option<Credential>,
}

const CONTAINER: &str = "a container's name has 3 to 63 lower case letters, digits and single hyphens between them; \
                         $root and $logs are names too";
const HOST: &str = "the host must be ACCOUNT.blob.…, where ACCOUNT has 3 to 24 lower case letters and digits; for an IP \
                    address or localhost the account is the first folder";

/// Hadoop's URL schemes for the same blobs. The unencrypted ones are read over https here.
const HADOOP: [&str; 4] = ["abfss", "abfs", "wasbs", "wasb"];
const OF_HADOOP: &str = "this is written abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/path";
/// The suffix of OneLake's hosts, where a container is a workspace.
const FABRIC: &str = ".fabric.microsoft.com";

impl Service {
    /// The service of `account` in Azure's public cloud.
    pub fn public(account: &str) -> Option<Service> {
        Service::parse(&format!("https://{account}.blob.core.windows.net/")).ok()
    }

    /// The service at `text`, such as `https://ACCOUNT.blob.core.windows.net` or
    /// `http://127.0.0.1:10000/ACCOUNT`.
    pub fn parse(text: &str) -> Result<Service, &'static str> {
        match split(text)? {
            (service, "", None) => Ok(service),
            _ => Err("an endpoint has no container and no query"),
        }
    }
}

impl Address {
    /// Parses `az://container[/path]`, or `https://ACCOUNT.blob.…/container[/path][?SAS]`, with
    /// `http` for this machine only. Percent signs are encoding in the latter only. Hadoop's
    /// `abfss://CONTAINER@ACCOUNT.dfs.…/path` and `wasbs://` mean the same blobs, and are read
    /// through the blob service like all others.
    pub fn parse(text: &str) -> Result<Address, &'static str> {
        if let Some((_, rest)) = text.split_once("://").filter(|(scheme, _)| HADOOP.contains(scheme)) {
            return Address::of_hadoop(rest);
        }
        let (service, path, sas) = match text.strip_prefix("az://") {
            Some(path) if path.split_once('?').is_some_and(|(_, rest)| is_signature(rest) || is_query(rest)) => {
                return Err(
                    "an az:// URL has no query: a shared access signature belongs in an https:// URL or in the key sas",
                );
            }
            Some(path) => (None, path.to_owned(), None),
            None => {
                let (Service { account, endpoint }, path, query) = split(text)?;
                let sas = query.map(Credential::sas).transpose()?;
                (Some((account.ok_or(HOST)?, endpoint)), decode(path)?, sas)
            }
        };
        // A path appears in logs and tables, so it must not hold a signature.
        if is_signature(&path) {
            return Err("a shared access signature begins with a question mark, and its parts are separated by &");
        }
        Address::new(service, &path, sas)
    }

    /// Parses what follows `abfss://`.
    fn of_hadoop(text: &str) -> Result<Address, &'static str> {
        let (authority, path) = text.split_once('/').unwrap_or((text, ""));
        let (container, host) = authority.split_once('@').ok_or(OF_HADOOP)?;
        if is_signature(path) || path.split_once('?').is_some_and(|(_, rest)| is_query(rest)) {
            return Err("an abfss:// URL has no query: a shared access signature belongs in the key sas");
        }
        let Service { account, endpoint } = Service::parse(&format!("https://{host}"))?;
        Address::new(Some((account.ok_or(HOST)?, endpoint)), &format!("{container}/{path}"), None)
    }

    fn new(service: Option<(String, Url)>, path: &str, sas: Option<Credential>) -> Result<Address, &'static str> {
        let (container, path) = path.split_once('/').unwrap_or((path, ""));
        let is_fabric =
            service.as_ref().is_some_and(|(_, at)| at.host_str().is_some_and(|host| host.ends_with(FABRIC)));
        if !(is_container(container) || is_fabric && is_workspace(container)) {
            return Err(CONTAINER);
        }
        if path.starts_with('/') || path.split('/').any(|folder| folder == "." || folder == "..") {
            return Err("a path in a container has no empty first folder and no folders . and ..");
        }
        if path.len() > 1024 || path.contains(char::is_control) {
            return Err("a path in a container has at most 1024 bytes and no control characters");
        }
        Ok(Address { service, container: container.to_owned(), path: path.to_owned(), sas })
    }
}

/// Whether a signature is in `text`, encoded or not.
fn is_signature(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["sig=", "sig%3d"].iter().any(|sig| text.contains(sig))
}

/// Whether `text` is the query of a URL rather than the rest of a glob.
fn is_query(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.split('&').flat_map(|part| part.split("%26")).filter(|part| part.contains('=') || part.contains("%3d")).count()
        > 1
}

/// Whether Azure allows this account name.
pub fn is_account(name: &str) -> bool {
    (3..=24).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

fn is_container(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let folders = || name.split('-').all(|part| !part.is_empty() && part.bytes().all(good));
    matches!(name, "$root" | "$logs") || ((3..=63).contains(&name.len()) && folders())
}

/// Whether OneLake allows this workspace name.
fn is_workspace(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && name.chars().all(|c| c.is_alphanumeric() || " ._-".contains(c))
}

/// The service, what follows it without the slash in between, and the query. Split by hand, because
/// the `url` crate's parser would encode the glob in a path and remove folders of dots.
fn split(text: &str) -> Result<(Service, &str, Option<&str>), &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("a URL begins with https://")?;
    if rest.contains(['#', '\\']) || rest.contains(char::is_control) {
        return Err("a URL has no fragment, backslash or control character: write %23 for #");
    }
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (authority, mut path) = rest.split_once('/').unwrap_or((rest, ""));
    // A `.dfs.` host serves the same account's blobs as files in folders; files are created there
    // by requests that differ from ours.
    let authority = authority.replacen(".dfs.", ".blob.", 1);
    let mut endpoint = Url::parse(&format!("{scheme}://{authority}/")).map_err(|_| "this is not a URL")?;
    if !endpoint.username().is_empty() || endpoint.password().is_some() {
        return Err("an account is not opened with a user name and password");
    }
    let (loopback, in_path) = match endpoint.host() {
        Some(Host::Ipv4(ip)) => (ip.is_loopback(), true),
        Some(Host::Ipv6(ip)) => (ip.is_loopback(), true),
        Some(Host::Domain(name)) => (name == "localhost", name == "localhost"),
        None => return Err(HOST),
    };
    match endpoint.scheme() {
        "https" => {}
        "http" if loopback => {}
        _ => return Err("only https:// is allowed, and http:// for this machine only"),
    }
    let account = if in_path {
        let (account, rest) = path.split_once('/').unwrap_or((path, ""));
        path = rest;
        Some(account.to_owned())
    } else {
        let host = endpoint.host_str().unwrap_or_default();
        host.split_once('.')
            .filter(|(_, rest)| rest.split('.').any(|l| l == "blob"))
            .map(|(account, _)| account.to_owned())
    };
    if account.as_deref().is_some_and(|account| !is_account(account)) {
        return Err(HOST);
    }
    if let Some(account) = account.as_ref().filter(|_| in_path) {
        endpoint.set_path(&format!("/{account}/"));
    }
    Ok((Service { account, endpoint }, path, query))
}

/// Decodes the percent-encoding in `path`. An encoded glob character is refused, because it would
/// become part of a glob.
fn decode(path: &str) -> Result<String, &'static str> {
    const WRONG: &str = "a percent sign begins an encoded byte, such as %20, and the bytes are UTF-8";
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        let byte = after.get(..2).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit())).ok_or(WRONG)?;
        let byte = u8::from_str_radix(byte, 16).map_err(|_| WRONG)?;
        if b"*?[{".contains(&byte) {
            return Err("an encoded *, ?, [ or { would be taken for a glob: a glob in an az:// URL can match it");
        }
        decoded.extend_from_slice(before.as_bytes());
        decoded.push(byte);
        rest = &after[2..];
    }
    decoded.extend_from_slice(rest.as_bytes());
    String::from_utf8(decoded).map_err(|_| WRONG)
}

#[cfg(test)]
mod tests;

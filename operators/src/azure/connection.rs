//! Connection strings, as the portal shows them: `AccountName=…;AccountKey=…;EndpointSuffix=…`.
//!
//! Promises: an error is one of a few fixed texts, because a connection string is a secret as a
//! whole.

use super::address::{Service, is_account};
use super::{Account, Credential};

/// The connection string of every emulator. It is documented, so it is no secret.
const EMULATOR: &str = "AccountName=devstoreaccount1;BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;\
    AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// The account that the connection string `text` describes.
pub fn parse(text: &str) -> Result<Account, &'static str> {
    let settings = settings(text)?;
    let get = |name: &str| settings.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    if get("UseDevelopmentStorage").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return parse(EMULATOR);
    }
    let credential = match (get("AccountKey"), get("SharedAccessSignature")) {
        (Some(key), _) => Credential::key(key)?,
        (None, Some(sas)) => Credential::sas(sas)?,
        (None, None) => return Err("a connection string has an AccountKey or a SharedAccessSignature"),
    };
    let name = get("AccountName");
    if name.is_some_and(|name| !is_account(name)) {
        return Err("its AccountName is not 3 to 24 lower case letters and digits");
    }
    let service = match (get("BlobEndpoint"), name) {
        (Some(endpoint), _) => Service::parse(endpoint).map_err(
            |_| "its BlobEndpoint is not https://ACCOUNT.blob.…/, nor http://127.0.0.1:10000/ACCOUNT/ for an emulator",
        )?,
        (None, Some(name)) => {
            let scheme = get("DefaultEndpointsProtocol").unwrap_or("https");
            let suffix = get("EndpointSuffix").unwrap_or("core.windows.net");
            Service::parse(&format!("{scheme}://{name}.blob.{suffix}/"))
                .map_err(|_| "its DefaultEndpointsProtocol is not https, or its EndpointSuffix is not a host")?
        }
        (None, None) => return Err("a connection string has an AccountName or a BlobEndpoint"),
    };
    match (name.map(str::to_owned), service.account) {
        (Some(name), Some(other)) if name != other => Err("its AccountName and its BlobEndpoint name two accounts"),
        (Some(name), _) | (None, Some(name)) => Ok(Account { name, endpoint: service.endpoint, credential }),
        (None, None) => Err("its BlobEndpoint does not name the account: add an AccountName"),
    }
}

/// The settings in `text`. Those of other services are among them and are ignored.
fn settings(text: &str) -> Result<Vec<(&str, &str)>, &'static str> {
    let parts = text.trim().split(';').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').ok_or("a connection string is NAME=value;NAME=value")).collect()
}

#[cfg(test)]
mod tests;

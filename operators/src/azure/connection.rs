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
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        match parse(text) {
            Ok(account) => format!("{} {} {:?}", account.name, account.endpoint, account.credential),
            Err(error) => error.to_owned(),
        }
    }

    #[test]
    fn accounts() {
        for (text, expected) in [
            ("AccountName=acc1;AccountKey=a2V5", "acc1 https://acc1.blob.core.windows.net/ Key(***)"),
            (
                "DefaultEndpointsProtocol=https;AccountName=acc1;AccountKey=a2V5;EndpointSuffix=core.chinacloudapi.cn;",
                "acc1 https://acc1.blob.core.chinacloudapi.cn/ Key(***)",
            ),
            (
                "BlobEndpoint=https://acc1.blob.example;QueueEndpoint=https://q;SharedAccessSignature=?sp=r&sig=x%3D",
                "acc1 https://acc1.blob.example/ Sas(***)",
            ),
            (
                "accountname = ignored spaces are not",
                "a connection string has an AccountKey or a SharedAccessSignature",
            ),
            (
                "BlobEndpoint=https://logs.example/;AccountName=acc1;AccountKey=a2V5",
                "acc1 https://logs.example/ Key(***)",
            ),
            ("UseDevelopmentStorage=true", "devstoreaccount1 http://127.0.0.1:10000/devstoreaccount1/ Key(***)"),
            (
                "DefaultEndpointsProtocol=http;AccountName=dev1;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/dev1;",
                "dev1 http://127.0.0.1:1/dev1/ Key(***)",
            ),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_it() {
        for (text, word) in [
            ("", "AccountKey or a SharedAccessSignature"),
            ("hunter2", "NAME=value"),
            ("AccountName=acc1", "AccountKey"),
            ("AccountKey=a2V5", "AccountName or a BlobEndpoint"),
            ("AccountName=acc1;AccountKey=hunter2!", "Base64"),
            ("AccountName=acc1;AccountKey=", "Base64"),
            ("AccountName=acc1;SharedAccessSignature=hunter2", "sig="),
            ("AccountName=Hunter2;AccountKey=a2V5", "AccountName"),
            ("AccountName=acc1;AccountKey=a2V5;DefaultEndpointsProtocol=http", "EndpointsProtocol"),
            ("AccountName=acc1;AccountKey=a2V5;EndpointSuffix=hunter2/x", "EndpointSuffix"),
            ("AccountName=acc1;AccountKey=a2V5;BlobEndpoint=hunter2", "BlobEndpoint"),
            ("AccountName=acc1;AccountKey=a2V5;BlobEndpoint=https://hunter2.blob.example", "two accounts"),
            ("AccountKey=a2V5;BlobEndpoint=https://hunter2.example", "AccountName"),
        ] {
            let told = told(text);
            assert!(told.contains(word) && !told.to_lowercase().contains("hunter2"), "{text}: {told}");
        }
    }
}

//! Azure storage accounts: where one is, and what opens it. The source reads blobs with it, a sink writes tables.
//!
//! Promises: a secret is in no `Debug` form, no error and no log line. Leaves to others: where the values come from.

pub mod access;
pub mod address;
pub mod append;
mod certificate;
pub mod client;
pub mod connection;
mod credential;
mod entra;
mod shared_key;
mod told;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use url::Url;

pub use self::told::{advice, code, told};

/// A text that must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being shown.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text, for the one who sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A storage account and what opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The account's name.
    pub name: String,
    /// Its blob service, with a trailing slash and without a query: `https://NAME.blob.core.windows.net/`, or
    /// `http://127.0.0.1:10000/devstoreaccount1/` for an emulator.
    pub endpoint: Url,
    /// What opens it.
    pub credential: Credential,
}

/// What opens an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A shared access signature: the query of a URL, without the question mark.
    Sas(Secret),
    /// The account's key, in Base64.
    Key(Secret),
    /// A token of Microsoft Entra ID, from the first that gives one.
    Entra(Entra),
}

/// Who asks Entra for a token. What is not set is left to the chain's other links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entra {
    /// The directory.
    pub tenant_id: Option<String>,
    /// The application or the user-assigned identity.
    pub client_id: Option<String>,
    /// The application's secret.
    pub client_secret: Option<Secret>,
    /// A PEM file with the application's certificate and its private key.
    pub client_certificate_path: Option<String>,
    /// A file with the token of a Kubernetes service account.
    pub federated_token_file: Option<String>,
    /// The URL of the service that gives tokens, without a path; nothing for the public cloud's.
    pub authority_host: Option<String>,
}

/// A blob, or a prefix of blobs, in an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The account.
    pub account: Account,
    /// The container.
    pub container: String,
    /// The blob or prefix, without a leading slash; a trailing slash says that it is a prefix. Not percent-encoded. A source's
    /// may be a glob over the container's blobs.
    pub path: String,
}

impl fmt::Display for Location {
    /// The location's identity: it names no endpoint, for one account may be reached in several ways.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "az://{}/{}/{}", self.account.name, self.container, self.path.trim_end_matches('/'))
    }
}

/// How a request is tried again: pauses double from `first` to `cap`, each shortened by chance, so that many do not come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySettings {
    /// A request that brings no byte for so long is given up.
    pub timeout: Duration,
    /// The first pause.
    pub first: Duration,
    /// The longest pause, unless the service asks for a longer one.
    pub cap: Duration,
    /// A request that has not succeeded for so long fails for good.
    pub max_time: Duration,
}

/// How blobs are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingSettings {
    /// Blobs that one request asks for, at most 5000.
    pub page: u32,
    /// The folder of an hour below a server's own, with `%Y`, `%m`, `%d` and `%H`, ending in a slash; none if there are no such.
    pub hour_folders: Option<String>,
    /// How often all blobs are listed, where the folders of the last hours are cheaper.
    pub relist: Duration,
    /// A blob that did not change for so long is finished.
    pub settle: Duration,
}

/// Tokens for whoever speaks to an account by other means than [`client`].
pub(crate) fn tokens(entra: &Entra) -> Arc<dyn TokenCredential> {
    entra::chain(entra)
}

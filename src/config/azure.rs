//! `[source.azure]` and `[lake.azure]`: the credentials of a storage account, from the section
//! first, then from the environment.
//!
//! Promises: credentials have one order, which docs/azure.md documents; a key for one account is
//! never sent to another, so far as the file and the environment name the account that it is for.

use lakefront_operators::azure::address::{Address, Service, is_account};
use lakefront_operators::azure::{Account, Credential, Entra, Location, Secret, connection};
use toml::Value;

use super::raw::{Reading, Section};
use super::secrets::{Env, variable};
use super::values::text;

/// What the section or the environment says about an account.
#[derive(Clone, Default)]
pub(super) struct Keys {
    /// The section, or "the environment", as messages call it.
    place: &'static str,
    account: Option<String>,
    endpoint: Option<Service>,
    connection: Option<Account>,
    key: Option<Credential>,
    sas: Option<Credential>,
    entra: Entra,
}

const TENANT: [&str; 1] = ["AZURE_TENANT_ID"];
const CLIENT: [&str; 1] = ["AZURE_CLIENT_ID"];

/// Reads the keys of `[source.azure]` or `[lake.azure]`.
pub(super) fn keys(section: &mut Section<'_>, place: &'static str) -> Option<Keys> {
    let account = section.optional("account", None, |v| account_name(v).map(Some));
    let endpoint = section.optional("endpoint", None, |v| endpoint_url(v).map(Some));
    let connection = section.secret("connection_string", |v| Ok(connection::parse(text(v)?)?));
    let key = section.secret("account_key", |v| Ok(Credential::key(text(v)?)?));
    let sas = section.secret("sas", |v| Ok(Credential::sas(text(v)?)?));
    let tenant_id = section.optional("tenant_id", None, |v| id(v).map(Some));
    let client_id = section.optional("client_id", None, |v| id(v).map(Some));
    let client_secret = section.secret("client_secret", |v| Ok(Secret::new(text(v)?)));
    let certificate = section.optional("client_certificate_path", None, |v| file(v).map(Some));
    let federated = section.optional("federated_token_file", None, |v| file(v).map(Some));

    let mut entra = Entra {
        tenant_id: tenant_id?,
        client_id: client_id?,
        client_secret: client_secret?,
        client_certificate_path: certificate?,
        federated_token_file: federated?,
        authority_host: None,
    };
    if entra != Entra::default() {
        let env = section.env();
        entra.tenant_id = entra.tenant_id.or(variable(env, &TENANT, id).ok()?);
        entra.client_id = entra.client_id.or(variable(env, &CLIENT, id).ok()?);
    }
    for key in ["client_secret", "client_certificate_path", "federated_token_file"] {
        if section.given(key) && (entra.tenant_id.is_none() || entra.client_id.is_none()) {
            let constraint =
                "needs tenant_id and client_id, here or as AZURE_TENANT_ID and AZURE_CLIENT_ID in the environment";
            section.refuse(key, constraint.to_owned());
        }
    }
    let keys =
        Keys { place, account: account?, endpoint: endpoint?, connection: connection?, key: key?, sas: sas?, entra };
    let names = keys.names();
    if let Some(second) = names.iter().find(|(_, name)| *name != names[0].1) {
        section.refuse(second.0, format!("names another account than {} in the same section", names[0].0));
    }
    Some(keys)
}

/// Reads what the section leaves out. The environment is not for lakefront alone, so an error in it
/// matters only when it is needed.
fn from_environment(env: Env<'_>) -> Reading<Keys> {
    let keys = Keys {
        place: "the environment",
        account: variable(env, &["AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"], account_name)?,
        endpoint: None,
        connection: variable(env, &["AZURE_STORAGE_CONNECTION_STRING"], |v| Ok(connection::parse(text(v)?)?))?,
        key: variable(env, &["AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY"], |v| {
            Ok(Credential::key(text(v)?)?)
        })?,
        sas: variable(env, &["AZURE_STORAGE_SAS_TOKEN"], |v| Ok(Credential::sas(text(v)?)?))?,
        entra: Entra {
            tenant_id: variable(env, &TENANT, id)?,
            client_id: variable(env, &CLIENT, id)?,
            client_secret: variable(env, &["AZURE_CLIENT_SECRET"], |v| Ok(Secret::new(text(v)?)))?,
            client_certificate_path: variable(env, &["AZURE_CLIENT_CERTIFICATE_PATH"], file)?,
            federated_token_file: variable(env, &["AZURE_FEDERATED_TOKEN_FILE"], file)?,
            authority_host: None,
        },
    };
    match (&keys.account, &keys.connection) {
        (Some(account), Some(connection)) if *account != connection.name => {
            Err("AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_CONNECTION_STRING name different accounts".to_owned())
        }
        _ => Ok(keys),
    }
}

/// The location of `address`, which is the value of the section's `key`. `None` if `keys` are
/// wrong, or if the location is refused, which is reported.
pub(super) fn located(
    section: &Section<'_>,
    key: &'static str,
    address: &Address,
    keys: Option<&Keys>,
) -> Option<Location> {
    match location(address, keys?, section.env()) {
        Ok(location) => Some(location),
        Err(constraint) => {
            section.refuse(key, constraint);
            None
        }
    }
}

/// The location of `address` for a caller that already knows an `account`. That account opens it,
/// unless the address names a different one or carries its own signature.
pub(super) fn beside(address: &Address, account: Option<&Account>, env: Env<'_>) -> Reading<Location> {
    let is_same = |account: &&Account| match &address.service {
        Some((name, endpoint)) => *name == account.name && *endpoint == account.endpoint,
        None => true,
    };
    match account.filter(is_same).filter(|_| address.sas.is_none()) {
        Some(account) => {
            let Address { container, path, .. } = address.clone();
            Ok(Location { account: account.clone(), container, path })
        }
        None => location(address, &Keys::default(), env),
    }
}

/// The account and the credential for `address`, or why they cannot be determined.
fn location(address: &Address, keys: &Keys, env: Env<'_>) -> Reading<Location> {
    let own = address.sas.clone().or_else(|| keys.opener());
    let service = address.service.clone().map(|(account, endpoint)| Service { account: Some(account), endpoint });
    let named = service.as_ref().and_then(|service| service.account.clone()).or_else(|| keys.name());
    let outer = if own.is_none() || named.is_none() { from_environment(env)? } else { Keys::default() };
    let name = named.or_else(|| outer.name()).ok_or(
        "does not name the account: set account in [source.azure] or [lake.azure], or AZURE_STORAGE_ACCOUNT in the \
         environment, or write https://ACCOUNT.blob.core.windows.net/container/path",
    )?;

    // Otherwise a credential of one account would be sent to the other.
    let asked = [(address.sas.is_none(), keys), (own.is_none() && outer.storage().is_some(), &outer)];
    for (_, keys) in asked.iter().filter(|(used, _)| *used) {
        if keys.name().is_some_and(|other| other != name) {
            let place = keys.place;
            return Err(format!(
                "is not in the account that {place} names: give the credentials for this URL in a section of their own"
            ));
        }
    }
    let of_outer = outer.service().filter(|_| outer.name().as_ref() == Some(&name));
    let service = service.or_else(|| keys.service()).or(of_outer).or_else(|| Service::public(&name));
    let endpoint = service.ok_or("does not name the account")?.endpoint;
    let mut credential = own.or_else(|| outer.storage()).unwrap_or(Credential::Entra(outer.entra));
    if let Credential::Entra(entra) = &mut credential {
        if endpoint.scheme() == "http" {
            return Err(
                "is not encrypted, so no token of Entra ID is sent there: give an account_key or a sas".to_owned()
            );
        }
        entra.authority_host = variable(env, &["AZURE_AUTHORITY_HOST"], authority)?;
    }
    let account = Account { name, endpoint, credential };
    Ok(Location { account, container: address.container.clone(), path: address.path.clone() })
}

impl Keys {
    /// The accounts that the keys name, each with its key.
    fn names(&self) -> Vec<(&'static str, String)> {
        let endpoint = self.endpoint.as_ref().and_then(|endpoint| endpoint.account.clone());
        let connection = self.connection.as_ref().map(|account| account.name.clone());
        let all = [("account", self.account.clone()), ("endpoint", endpoint), ("connection_string", connection)];
        all.into_iter().filter_map(|(key, name)| Some((key, name?))).collect()
    }

    fn name(&self) -> Option<String> {
        self.names().into_iter().next().map(|(_, name)| name)
    }

    fn service(&self) -> Option<Service> {
        let of_connection = || {
            let account = self.connection.as_ref()?;
            Some(Service { account: Some(account.name.clone()), endpoint: account.endpoint.clone() })
        };
        self.endpoint.clone().or_else(of_connection)
    }

    /// The credential that opens the account without Entra ID.
    fn storage(&self) -> Option<Credential> {
        let connection = self.connection.as_ref().map(|account| account.credential.clone());
        connection.or_else(|| self.key.clone()).or_else(|| self.sas.clone())
    }

    /// The credential that opens the account; `None` leaves it to the environment.
    fn opener(&self) -> Option<Credential> {
        let entra = || (self.entra != Entra::default()).then(|| Credential::Entra(self.entra.clone()));
        self.storage().or_else(entra)
    }
}

fn account_name(value: &Value) -> Reading<String> {
    let allowed = || "allowed is an account's name, 3 to 24 lower case letters and digits".to_owned();
    value.as_str().filter(|name| is_account(name)).map(str::to_owned).ok_or_else(allowed)
}

fn endpoint_url(value: &Value) -> Reading<Service> {
    Ok(Service::parse(text(value)?)?)
}

/// A tenant's id or domain, or a client's id.
pub(super) fn id(value: &Value) -> Reading<String> {
    let good = |id: &&str| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    let allowed = || "allowed are letters, digits, '-', '.' and '_'".to_owned();
    value.as_str().filter(good).map(str::to_owned).ok_or_else(allowed)
}

/// The authority that issues tokens, for clouds other than the public one.
fn authority(value: &Value) -> Reading<String> {
    let good =
        |url: &&str| url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && !rest.contains(['?', '@']));
    value.as_str().filter(good).map(str::to_owned).ok_or_else(|| "allowed is https:// followed by a host".to_owned())
}

pub(super) fn file(value: &Value) -> Reading<String> {
    super::values::path(value).map(|path| path.to_string_lossy().into_owned())
}

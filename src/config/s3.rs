//! `[lake.s3]`: where a bucket is and what opens it, from the section first, then from the
//! environment.
//!
//! Promises: credentials have one order, which docs/s3.md documents; nothing is sent in plain text
//! to another machine unless the file says so.

use lakefront_operators::s3::address::Address;
use lakefront_operators::s3::service::{self, Endpoint};
use lakefront_operators::s3::{Bucket, Credential, Location};
use lakefront_operators::secret::Secret;
use toml::Value;

use super::raw::{Reading, Section};
use super::secrets::{Env, variable};
use super::values::{self, flag, text};

/// What the section says.
pub(super) struct Keys {
    endpoint: Option<Endpoint>,
    region: Option<String>,
    path_style: Option<bool>,
    allow_http: bool,
    key: Option<Credential>,
}

/// The parts of an access key.
const PARTS: [&str; 3] = ["access_key_id", "secret_access_key", "session_token"];
const KEYS: [&str; 7] =
    ["endpoint", "region", "path_style", "allow_http", "access_key_id", "secret_access_key", "session_token"];
/// The region that stores without regions expect.
const ANY_REGION: &str = "us-east-1";

/// Reads the keys of `[lake.s3]`.
pub(super) fn keys(section: &mut Section<'_>) -> Option<Keys> {
    let allow_http = section.optional("allow_http", false, flag);
    let may_be_plain = allow_http.unwrap_or(true);
    let endpoint = section.optional("endpoint", None, |v| Ok(Some(Endpoint::parse(text(v)?, may_be_plain)?)));
    let region = section.optional("region", None, |v| region(v).map(Some));
    let path_style = section.optional("path_style", None, |v| flag(v).map(Some));
    let [id, secret, token] = PARTS.map(|key| section.secret(key, word));
    let given = PARTS.map(|key| section.given(key));
    if let Some(alone) = given.iter().position(|is| *is).filter(|_| !(given[0] && given[1])) {
        section.refuse(PARTS[alone], "needs access_key_id and secret_access_key next to it".to_owned());
    }
    let (id, secret, token) = (id?, secret?, token?);
    let key = id.zip(secret).map(|(id, secret)| Credential::Key { id, secret, token });
    Some(Keys { endpoint: endpoint?, region: region?, path_style: path_style?, allow_http: allow_http?, key })
}

/// Refuses what the section says, which was read before, because the lake is somewhere else.
pub(super) fn refuse(section: &Section<'_>, place: &str) {
    for key in KEYS.into_iter().filter(|key| section.given(key)) {
        section.refuse(key, format!("is for a lake in S3 only, and lake.{place} names another place: leave it out"));
    }
}

/// The location of `address`, which is the value of the section's `key`. `None` if `keys` are
/// wrong, or if the location is refused, which is reported.
pub(super) fn located(
    section: &Section<'_>,
    key: &'static str,
    address: &Address,
    keys: Option<Keys>,
) -> Option<Location> {
    match location(address, keys?, section.env()) {
        Ok(location) => Some(location),
        Err(constraint) => {
            section.refuse(key, constraint);
            None
        }
    }
}

/// The bucket and the credential for `address`, or why they cannot be determined.
fn location(address: &Address, keys: Keys, env: Env<'_>) -> Reading<Location> {
    let named = variable(env, &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"], |v| {
        Ok(Endpoint::parse(text(v)?, keys.allow_http)?)
    });
    let endpoint = match keys.endpoint {
        Some(endpoint) => Some(endpoint),
        None => named?,
    };
    let region = match keys.region {
        Some(region) => Some(region),
        None => variable(env, &["AWS_REGION", "AWS_DEFAULT_REGION"], region)?,
    };
    // Certificates of AWS are for one name before the dot.
    let path_style = keys.path_style.unwrap_or(endpoint.is_some() || address.bucket.contains('.'));
    let (endpoint, region) = match (endpoint, region) {
        (Some(endpoint), region) => (endpoint, region.unwrap_or_else(|| ANY_REGION.to_owned())),
        (None, Some(region)) => (Endpoint::aws(&region).ok_or("is in no region of AWS")?, region),
        (None, None) => {
            return Err(
                "does not say where the bucket is: set region in [lake.s3], or AWS_REGION in the environment, for \
                        AWS; and for another store, endpoint in [lake.s3]"
                    .to_owned(),
            );
        }
    };
    let url = service::bucket(&address.bucket, &endpoint, path_style);
    let url = url.map_err(|constraint| format!("cannot be reached, because lake.s3.path_style {constraint}"))?;
    let credential = match keys.key {
        Some(key) => key,
        None => from_environment(env)?,
    };
    let bucket = Bucket { name: address.bucket.clone(), url, region, credential };
    Ok(Location { bucket, path: address.path.clone() })
}

/// The first credential that the environment offers; that of the machine, if it offers none.
pub(super) fn from_environment(env: Env<'_>) -> Reading<Credential> {
    let id = variable(env, &["AWS_ACCESS_KEY_ID"], word)?;
    let secret = variable(env, &["AWS_SECRET_ACCESS_KEY"], word)?;
    match (id, secret) {
        (Some(id), Some(secret)) => {
            return Ok(Credential::Key { id, secret, token: variable(env, &["AWS_SESSION_TOKEN"], word)? });
        }
        (None, None) => {}
        _ => return Err("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together".to_owned()),
    }
    let token_file = variable(env, &["AWS_WEB_IDENTITY_TOKEN_FILE"], file)?;
    let role_arn = variable(env, &["AWS_ROLE_ARN"], plain)?;
    if let (Some(token_file), Some(role_arn)) = (token_file, role_arn) {
        let session_name = variable(env, &["AWS_ROLE_SESSION_NAME"], plain)?;
        let service = variable(env, &["AWS_ENDPOINT_URL_STS"], |v| Ok(service::tokens(text(v)?)?))?;
        return Ok(Credential::WebIdentity { token_file, role_arn, session_name, service });
    }
    if let Some(path) = variable(env, &["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"], plain)? {
        return Ok(Credential::Container { path });
    }
    let agent = variable(env, &["AWS_CONTAINER_CREDENTIALS_FULL_URI"], |v| Ok(service::agent(text(v)?)?))?;
    let token_file = variable(env, &["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"], file)?;
    if let (Some(agent), Some(token_file)) = (agent, token_file) {
        return Ok(Credential::Pod { agent, token_file });
    }
    let service = variable(env, &["AWS_EC2_METADATA_SERVICE_ENDPOINT"], |v| Ok(service::metadata(text(v)?)?))?;
    Ok(Credential::Instance { service })
}

pub(super) fn region(value: &Value) -> Reading<String> {
    let allowed = || "allowed is a region's name, such as \"eu-west-1\"".to_owned();
    value.as_str().filter(|name| service::is_region(name)).map(str::to_owned).ok_or_else(allowed)
}

/// Text that a header can hold.
fn plain(value: &Value) -> Reading<String> {
    let good = |text: &&str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
    let allowed = || "allowed is text without spaces and line breaks".to_owned();
    value.as_str().filter(good).map(str::to_owned).ok_or_else(allowed)
}

pub(super) fn word(value: &Value) -> Reading<Secret> {
    plain(value).map(Secret::new)
}

fn file(value: &Value) -> Reading<String> {
    values::path(value).map(|path| path.to_string_lossy().into_owned())
}

//! `[source.security]`: how connections to Kafka are secured, from the section first, then from the
//! environment.
//!
//! Promises: a password is never sent in plain text unless the file says so.

use std::path::Path;

use lakefront_operators::azure::Entra;
use lakefront_operators::kafka::settings::{Login, Sasl, Security, Tls};
use lakefront_operators::s3::Credential;
use lakefront_operators::secret::Secret;
use lakefront_operators::web::Service;
use toml::Value;

use super::azure::{file, id};
use super::decode::{self, Decode};
use super::error::Problems;
use super::raw::{Reading, Section};
use super::s3::{self, region, word};
use super::secrets::{Env, variable};
use super::values::{choice, flag, path, text};
use super::{ConfigError, read_text};

/// The mechanisms by their names in the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mechanism {
    Plain,
    Scram256,
    Scram512,
    OauthBearer,
    AwsMskIam,
}

const MECHANISMS: [(&str, Mechanism); 5] = [
    ("plain", Mechanism::Plain),
    ("scram-256", Mechanism::Scram256),
    ("scram-512", Mechanism::Scram512),
    ("oauthbearer", Mechanism::OauthBearer),
    ("aws-msk-iam", Mechanism::AwsMskIam),
];

/// The keys of a login, and those of Entra ID.
const LOGIN: [&str; 2] = ["user", "password"];
const ENTRA: [&str; 5] = ["tenant_id", "client_id", "client_secret", "client_certificate_path", "federated_token_file"];
/// Those of AWS.
const AWS: [&str; 4] = ["region", "access_key_id", "secret_access_key", "session_token"];

/// Reads `[source.security]`.
pub(super) fn security(section: &mut Section<'_>) -> Option<Security> {
    let mechanism = section.optional("sasl", None, |v| choice(v, &MECHANISMS).map(Some));
    let user = section.optional("user", None, |v| Ok(Some(text(v)?.to_owned())));
    let password = section.secret("password", |v| Ok(Secret::new(text(v)?)));
    let entra = entra(section);
    let aws = aws(section, matches!(mechanism, Some(Some(Mechanism::AwsMskIam))));
    let tls = section.optional("tls", None, |v| flag(v).map(Some));
    let ca_file = section.optional("ca_file", None, |v| path(v).map(Some));
    let certificate_file = section.optional("certificate_file", None, |v| path(v).map(Some));
    let key_file = section.optional("key_file", None, |v| path(v).map(Some));
    let key_password = section.secret("key_password", |v| Ok(Secret::new(text(v)?)));

    let mechanism = mechanism?;
    fits(section, mechanism);
    let files = ["ca_file", "certificate_file", "key_file", "key_password"];
    if let Some(file) = files.into_iter().find(|key| section.given(key)).filter(|_| tls == Some(Some(false))) {
        section.refuse(file, "is for TLS, and tls is false: leave one of them out".to_owned());
    }
    for (one, other) in
        [("certificate_file", "key_file"), ("key_file", "certificate_file"), ("key_password", "key_file")]
    {
        if section.given(one) && !section.given(other) {
            section.refuse(one, format!("needs {other} next to it"));
        }
    }
    let is_encrypted = tls?.unwrap_or(mechanism.is_some() || files.iter().any(|key| section.given(key)));
    let tls = Tls {
        ca_file: ca_file?,
        certificate_file: certificate_file?,
        key_file: key_file?,
        key_password: key_password?,
    };
    let (user, password, entra, aws) = (user?, password?, entra?, aws?);
    let login = || user.zip(password).map(|(user, password)| Login { user, password });
    let sasl = match mechanism {
        None => None,
        Some(Mechanism::Plain) => Some(Sasl::Plain(login()?)),
        Some(Mechanism::Scram256) => Some(Sasl::Scram256(login()?)),
        Some(Mechanism::Scram512) => Some(Sasl::Scram512(login()?)),
        Some(Mechanism::OauthBearer) => Some(Sasl::Entra(entra)),
        Some(Mechanism::AwsMskIam) => {
            let (region, credential) = aws?;
            Some(Sasl::MskIam { region, credential })
        }
    };
    Some(Security { tls: is_encrypted.then_some(tls), sasl })
}

/// Refuses keys that are not the mechanism's, and a login that is not whole.
fn fits(section: &Section<'_>, mechanism: Option<Mechanism>) {
    let has_login = matches!(mechanism, Some(Mechanism::Plain | Mechanism::Scram256 | Mechanism::Scram512));
    for key in LOGIN {
        match (section.given(key), has_login) {
            (false, true) => section.refuse(key, "must be given for this mechanism of sasl".to_owned()),
            (true, false) => section.refuse(key, "is for sasl plain, scram-256 and scram-512 only".to_owned()),
            _ => {}
        }
    }
    for key in ENTRA.into_iter().filter(|key| section.given(key) && mechanism != Some(Mechanism::OauthBearer)) {
        section.refuse(key, "is for sasl = \"oauthbearer\" only".to_owned());
    }
    for key in AWS.into_iter().filter(|key| section.given(key) && mechanism != Some(Mechanism::AwsMskIam)) {
        section.refuse(key, "is for sasl = \"aws-msk-iam\" only".to_owned());
    }
}

/// Who signs tokens of AWS, and for which region; `Some(None)` if that `is_wanted` by nobody. What
/// the section leaves out is the environment's.
fn aws(section: &mut Section<'_>, is_wanted: bool) -> Option<Option<(String, Credential)>> {
    let region = section.optional("region", None, |v| region(v).map(Some));
    let [id, secret, token] =
        ["access_key_id", "secret_access_key", "session_token"].map(|key| section.secret(key, word));
    let (region, id, secret, token) = (region?, id?, secret?, token?);
    if !is_wanted {
        return Some(None);
    }
    let env = section.env();
    let named = variable(env, &["AWS_REGION", "AWS_DEFAULT_REGION"], s3::region).ok().flatten();
    let Some(region) = region.or(named) else {
        section.refuse("region", "must be given, here or as AWS_REGION in the environment".to_owned());
        return None;
    };
    let credential = match id.zip(secret) {
        Some((id, secret)) => Ok(Credential::Key { id, secret, token }),
        None if ["access_key_id", "secret_access_key", "session_token"].iter().any(|key| section.given(key)) => {
            Err("needs access_key_id and secret_access_key together".to_owned())
        }
        None => s3::from_environment(env),
    };
    match credential {
        Ok(credential) => Some(Some((region, credential))),
        Err(constraint) => {
            section.refuse("access_key_id", constraint);
            None
        }
    }
}

/// Who gives tokens. What the section leaves out is the environment's.
fn entra(section: &mut Section<'_>) -> Option<Entra> {
    let tenant_id = section.optional("tenant_id", None, |v| id(v).map(Some));
    let client_id = section.optional("client_id", None, |v| id(v).map(Some));
    let client_secret = section.secret("client_secret", secret);
    let certificate = section.optional("client_certificate_path", None, |v| file(v).map(Some));
    let federated = section.optional("federated_token_file", None, |v| file(v).map(Some));
    let env = section.env();
    Some(Entra {
        tenant_id: or_else(tenant_id?, env, "AZURE_TENANT_ID", id),
        client_id: or_else(client_id?, env, "AZURE_CLIENT_ID", id),
        client_secret: or_else(client_secret?, env, "AZURE_CLIENT_SECRET", secret),
        client_certificate_path: or_else(certificate?, env, "AZURE_CLIENT_CERTIFICATE_PATH", file),
        federated_token_file: or_else(federated?, env, "AZURE_FEDERATED_TOKEN_FILE", file),
        authority_host: None,
    })
}

/// What the section has, or else the variable. The environment is not for lakefront alone, so what
/// is wrong in it counts as missing.
fn or_else<T>(given: Option<T>, env: Env<'_>, name: &str, read: impl FnOnce(&Value) -> Reading<T>) -> Option<T> {
    given.or_else(|| variable(env, &[name], read).ok().flatten())
}

fn secret(value: &Value) -> Reading<Secret> {
    Ok(Secret::new(text(value)?))
}

/// Reads `[source.security]`, `[source.decode]` and `[source.registry]` of the file at `path`
/// alone, which may be a pipeline file: how a command that reads a topic connects, and where
/// schemas are.
pub(crate) fn source_of(path: &Path) -> Result<(Security, Option<Service>), ConfigError> {
    parse_source(&read_text(path)?, &|name| std::env::var(name).ok())
}

fn parse_source(text: &str, env: Env<'_>) -> Result<(Security, Option<Service>), ConfigError> {
    let table: toml::Table = text.parse().map_err(|error| ConfigError::syntax(text, &error))?;
    let problems = Problems::default();
    let mut source = Section::top(table, env, &problems).section("source");
    let mut section = source.section("security");
    let security = security(&mut section);
    section.finish();
    let registry = decode::decode(&mut source).map(Decode::registry);
    let is_there = ["security", "registry"].iter().any(|section| source.given(section));
    let problems = problems.into_inner();
    match security.zip(registry) {
        Some(_) if !is_there && problems.is_empty() => Err(ConfigError::field(
            "source",
            "must have [source.security], which says how connections are secured, or [source.registry]".to_owned(),
        )),
        Some(both) if problems.is_empty() => Ok(both),
        _ => Err(ConfigError::Fields(problems)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(keys: &str) -> Result<Security, String> {
        let env = |name: &str| (name == "KAFKA_PASSWORD").then(|| "hunter2".to_owned());
        parse_source(&format!("[source.security]\n{keys}"), &env)
            .map(|(security, _)| security)
            .map_err(|error| error.to_string())
    }

    fn login() -> Login {
        Login { user: "reader".to_owned(), password: Secret::new("hunter2") }
    }

    #[test]
    fn a_password_is_encrypted_unless_the_file_says_otherwise() {
        let keys = "user = \"reader\"\npassword = \"${KAFKA_PASSWORD}\"\nsasl = ";
        let plain = read(&format!("{keys}\"plain\"")).expect("a login");
        assert_eq!(plain, Security { tls: Some(Tls::default()), sasl: Some(Sasl::Plain(login())) });
        let bare = read(&format!("{keys}\"scram-512\"\ntls = false")).expect("a login");
        assert_eq!(bare, Security { tls: None, sasl: Some(Sasl::Scram512(login())) });
        assert_eq!(read(""), Ok(Security::default()));
    }

    #[test]
    fn mutual_tls_needs_no_login() {
        let files = "ca_file = \"ca.pem\"\ncertificate_file = \"me.pem\"\nkey_file = \"me.key\"";
        let [ca_file, certificate_file, key_file] = ["ca.pem", "me.pem", "me.key"].map(|path| Some(path.into()));
        let tls = Tls { ca_file, certificate_file, key_file, key_password: None };
        assert_eq!(read(files), Ok(Security { tls: Some(tls), sasl: None }));
    }

    #[test]
    fn tokens_are_of_the_application_that_is_named() {
        let keys =
            "sasl = \"oauthbearer\"\ntenant_id = \"t\"\nclient_id = \"c\"\nclient_secret = \"${KAFKA_PASSWORD}\"";
        let Ok(Security { tls: Some(_), sasl: Some(Sasl::Entra(entra)) }) = read(keys) else { panic!("a token") };
        assert_eq!((entra.tenant_id.as_deref(), entra.client_id.as_deref()), (Some("t"), Some("c")));
    }

    #[test]
    fn aws_signs_for_a_region() {
        let keys = "sasl = \"aws-msk-iam\"\nregion = \"eu-west-1\"\naccess_key_id = \"id\"\nsecret_access_key = \"s\"";
        let Ok(Security { tls: Some(_), sasl: Some(Sasl::MskIam { region, .. }) }) = read(keys) else { panic!("IAM") };
        assert_eq!(region, "eu-west-1");
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        for (keys, part) in [
            ("sasl = \"plain\"", "source.security.user"),
            ("user = \"me\"", "source.security.user"),
            ("sasl = \"gssapi\"", "source.security.sasl"),
            ("client_id = \"c\"", "source.security.client_id"),
            ("key_file = \"k\"", "needs certificate_file next to it"),
            ("sasl = \"aws-msk-iam\"", "AWS_REGION in the environment"),
            ("sasl = \"aws-msk-iam\"\nregion = \"eu-west-1\"\naccess_key_id = \"a\"", "secret_access_key together"),
            ("region = \"eu-west-1\"", "source.security.region"),
            ("tls = false\nca_file = \"ca.pem\"", "source.security.ca_file"),
            ("pasword = \"hunter2\"", "did you mean \"password\"?"),
        ] {
            let text = read(keys).expect_err(keys);
            assert!(text.contains(part) && !text.contains("hunter2"), "{text}");
        }
        let text = parse_source("[source]\nbrokers = \"a:1\"", &|_| None).expect_err("no section").to_string();
        assert!(text.contains("source.security"), "{text}");
    }
}

//! A service of the user's that answers over HTTP: where it is, and who asks it.

use std::ops::RangeInclusive;
use std::time::Duration;

use lakefront_operators::secret::Secret;
use lakefront_operators::web::{Login, Service, Url};
use toml::Value;

use super::raw::{Reading, Section};
use super::values::{duration, path, text};

const TIMEOUT_ALLOWED: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

/// What a section says of a service: its name, what it is, a URL such as it may have, and how long
/// one request may take.
pub(super) struct About {
    pub(super) section: &'static str,
    pub(super) what: &'static str,
    pub(super) example: &'static str,
    pub(super) timeout: Duration,
    /// Whether a token may take the place of user and password.
    pub(super) has_token: bool,
}

/// Reads the keys of a service.
pub(super) fn service(section: &mut Section<'_>, about: &About) -> Option<Service> {
    let address = section.required("url", about.example, |v| url(v, about.example));
    let login = login(section, about.has_token);
    let ca_file = section.optional("ca_file", None, |v| path(v).map(Some));
    let timeout = section.optional("timeout", about.timeout, |v| duration(v, TIMEOUT_ALLOWED));
    Some(Service {
        section: about.section,
        what: about.what,
        url: address?,
        login: login?,
        ca_file: ca_file?,
        timeout: timeout?,
    })
}

/// A user and a password, a token, or nothing.
fn login(section: &mut Section<'_>, has_token: bool) -> Option<Option<Login>> {
    let user = section.optional("user", None, |v| Ok(Some(text(v)?.to_owned())));
    let password = section.secret("password", |v| Ok(Secret::new(text(v)?)));
    let token = if has_token { section.secret("token", |v| Ok(Secret::new(text(v)?))) } else { Some(None) };
    for (one, other) in [("user", "password"), ("password", "user")] {
        if section.given(one) && !section.given(other) {
            section.refuse(one, format!("needs {other} next to it"));
        }
    }
    if has_token && section.given("token") && section.given("user") {
        section.refuse("token", "takes the place of user and password: leave one of them out".to_owned());
    }
    let basic = user?.zip(password?).map(|(user, password)| Login::Basic(user, password));
    Some(basic.or(token?.map(Login::Bearer)))
}

/// Where a service answers, without a slash at the end.
pub(super) fn url(value: &Value, example: &str) -> Reading<String> {
    let allowed = || format!("allowed is a URL such as {example:?} or \"https://host.example/path\"");
    let url = Url::parse(text(value)?).map_err(|_| allowed())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user or a password in it: they are given as user and password, next to url".to_owned());
    }
    let good =
        matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none() && url.fragment().is_none();
    if good { Ok(url.as_str().trim_end_matches('/').to_owned()) } else { Err(allowed()) }
}

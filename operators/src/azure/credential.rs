//! Credentials: which texts are valid, and how they are described to people.
//!
//! Promises: a description holds no secret, and a refusal is a fixed text.

use azure_core::base64;
use url::form_urlencoded;

use super::{Account, Credential, Entra, Secret};

impl Credential {
    /// An account's key, in Base64.
    pub fn key(text: &str) -> Result<Credential, &'static str> {
        match base64::decode(text) {
            Ok(key) if !key.is_empty() => Ok(Credential::Key(Secret::new(text))),
            _ => Err("an account's key is Base64"),
        }
    }

    /// A shared access signature: the query of a signed URL, with or without its question mark.
    pub fn sas(text: &str) -> Result<Credential, &'static str> {
        let query = text.strip_prefix('?').unwrap_or(text);
        let signed = form_urlencoded::parse(query.as_bytes()).any(|(name, value)| name == "sig" && !value.is_empty());
        if !signed || query.contains(|c: char| c.is_whitespace() || c.is_control() || c == '#') {
            return Err("a shared access signature is a URL's query, such as sv=…&sp=rl&sig=…, and has a part sig=");
        }
        Ok(Credential::Sas(Secret::new(query)))
    }

    /// A description for people.
    pub fn describe(&self) -> String {
        match self {
            Credential::Sas(query) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || "-:.".contains(c);
                let part = |wanted: &str| {
                    let mut parts = form_urlencoded::parse(query.reveal().as_bytes());
                    parts
                        .find(|(name, _)| name == wanted)
                        .map(|(_, value)| value)
                        .filter(|value| value.chars().all(plain))
                };
                match (part("sp"), part("se")) {
                    (Some(may), Some(until)) => format!("a shared access signature (sp={may}, until {until})"),
                    _ => "a shared access signature (of a stored policy)".to_owned(),
                }
            }
            Credential::Key(_) => "the account key".to_owned(),
            Credential::Entra(entra) => format!("Entra ID: {}", entra.describe()),
        }
    }
}

impl Account {
    /// The account and its credential, for people.
    pub fn describe(&self) -> String {
        format!("account {} by {}", self.name, self.credential.describe())
    }
}

impl Entra {
    /// The links of its chain, for people.
    pub fn describe(&self) -> String {
        let links: Vec<_> = super::entra::links(self).iter().map(|link| link.describe(self)).collect();
        match &links[..] {
            [only] => only.clone(),
            _ => format!("the first of {} that gives a token", links.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_told_without_secrets() {
        let sas = Credential::sas("?sv=2026-01-01&sp=rl&se=2026-12-01T00%3A00Z&sig=hunter2").expect("a signature");
        assert_eq!(sas.describe(), "a shared access signature (sp=rl, until 2026-12-01T00:00Z)");
        let sas = Credential::sas("si=policy&sig=hunter2").expect("a signature");
        assert_eq!(sas.describe(), "a shared access signature (of a stored policy)");
        assert_eq!(Credential::key("aHVudGVyMg==").expect("a key").describe(), "the account key");
        let entra = Entra {
            tenant_id: Some("t".to_owned()),
            client_id: Some("app".to_owned()),
            client_secret: Some(Secret::new("hunter2")),
            ..Entra::default()
        };
        assert_eq!(Credential::Entra(entra).describe(), "Entra ID: client secret of application app");
    }
}

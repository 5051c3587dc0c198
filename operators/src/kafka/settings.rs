//! How a cluster is reached, and who we are to it.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::azure::Entra;
use crate::s3::Credential;
use crate::secret::Secret;

/// A cluster, and how its records are read.
///
/// ```
/// use lakefront_operators::kafka::settings::{Isolation, Security, Settings};
///
/// let settings = Settings::new("localhost:9092");
/// assert_eq!(settings.isolation, Isolation::ReadCommitted);
/// assert_eq!(settings.security, Security::default());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Hosts with their ports, separated by commas: those that are asked first for all others.
    pub brokers: String,
    /// The group whose offsets show people how far we are; `None` if nobody is shown. It decides
    /// nothing.
    pub group: Option<String>,
    /// What is read of transactions.
    pub isolation: Isolation,
    /// How connections are secured.
    pub security: Security,
}

impl Settings {
    /// A cluster that asks nobody who they are, with the defaults of everything else.
    pub fn new(brokers: impl Into<String>) -> Settings {
        let (isolation, security) = (Isolation::default(), Security::default());
        Settings { brokers: brokers.into(), group: None, isolation, security }
    }
}

/// Checks that `brokers` are hosts with their ports.
///
/// # Errors
/// What they must be. They are not shown: who has mistaken one text for another may have put a
/// connection string there, with its key.
pub fn check_brokers(brokers: &str) -> Result<(), String> {
    match brokers.split(',').all(|broker| is_broker(broker.trim())) {
        true => Ok(()),
        false => Err("must be hosts with their ports, separated by commas, such as \"kafka1:9092,kafka2:9092\": what \
                      is there has another form, and is not shown, because it may have a secret"
            .to_owned()),
    }
}

fn is_broker(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_v6 = |host: &str| host.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_host = is_v6(host).is_some() || (!host.is_empty() && host.chars().all(is_name));
    let is_port = port.chars().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    is_host && is_port
}

/// What is read of transactions. Records outside of transactions are always read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// Records of transactions that were committed, and nothing behind one that is open.
    #[default]
    ReadCommitted,
    /// All records, also those of transactions that were aborted.
    ReadUncommitted,
}

/// How connections are secured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// Encryption; `None` for plain text.
    pub tls: Option<Tls>,
    /// Who we are; `None` where nobody asks, or a client's certificate says it.
    pub sasl: Option<Sasl>,
}

/// Encryption. The server's certificate must be signed by an authority that is trusted, and be for
/// the host's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificates of the trusted authorities, in PEM; `None` for those of the machine.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate and those between it and its authority, in PEM, for mutual TLS.
    pub certificate_file: Option<PathBuf>,
    /// Its key, in PEM.
    pub key_file: Option<PathBuf>,
    /// What opens the key, if it is encrypted.
    pub key_password: Option<Secret>,
}

/// Who we are, by one of SASL's mechanisms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sasl {
    /// `PLAIN`: user and password as they are. Event Hubs takes a connection string so, as the
    /// password of `$ConnectionString`.
    Plain(Login),
    /// `SCRAM-SHA-256`.
    Scram256(Login),
    /// `SCRAM-SHA-512`.
    Scram512(Login),
    /// `OAUTHBEARER` with tokens of Entra ID, as Event Hubs takes them.
    Entra(Entra),
    /// `OAUTHBEARER` with tokens of AWS's IAM, as Amazon MSK takes them.
    MskIam {
        /// The region of the cluster.
        region: String,
        /// Who signs the tokens.
        credential: Credential,
    },
}

/// A user and their password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

impl Sasl {
    /// The mechanism by its name in Kafka.
    pub fn mechanism(&self) -> &'static str {
        match self {
            Sasl::Plain(_) => "PLAIN",
            Sasl::Scram256(_) => "SCRAM-SHA-256",
            Sasl::Scram512(_) => "SCRAM-SHA-512",
            Sasl::Entra(_) | Sasl::MskIam { .. } => "OAUTHBEARER",
        }
    }
}

impl Security {
    /// The protocol by its name in Kafka.
    pub(super) fn protocol(&self) -> &'static str {
        match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        }
    }
}

/// How connections are secured, for people.
impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls.is_some() { "TLS" } else { "no encryption" })?;
        match &self.sasl {
            None if self.tls.as_ref().is_some_and(|tls| tls.certificate_file.is_some()) => {
                f.write_str(" and a certificate of ours")
            }
            None => Ok(()),
            Some(Sasl::Entra(entra)) => write!(f, " and a token of Entra ID: {}", entra.describe()),
            Some(Sasl::MskIam { credential, .. }) => write!(f, " and a token of AWS by {}", credential.describe()),
            Some(sasl @ (Sasl::Plain(login) | Sasl::Scram256(login) | Sasl::Scram512(login))) => {
                write!(f, " and {} as user {:?}", sasl.mechanism(), login.user)
            }
        }
    }
}

impl Isolation {
    /// The isolation by its name in Kafka.
    pub fn name(self) -> &'static str {
        match self {
            Isolation::ReadCommitted => "read_committed",
            Isolation::ReadUncommitted => "read_uncommitted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_hosts_with_ports_and_nothing_else_is_shown() {
        for good in ["a:9092", "kafka-1.shop.internal:9092, kafka_2:9093", "127.0.0.1:1", "[::1]:9092"] {
            assert_eq!(check_brokers(good), Ok(()), "{good}");
        }
        let key = "Endpoint=sb://a.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=hunter2=";
        for bad in
            [key, "", "a", "a:", ":9092", "a:0", "a:+1", "a:70000", "a:1,", "u:hunter2@a:1", "ssl://a:1", "[a]:1"]
        {
            let wrong = check_brokers(bad).expect_err(bad);
            assert!(!wrong.contains("hunter2") && wrong.contains("hosts with their ports"), "{wrong}");
        }
    }

    #[test]
    fn what_is_shown_has_no_secret() {
        let login = Login { user: "reader".to_owned(), password: Secret::new("hunter2") };
        let tls = Tls { key_password: Some(Secret::new("hunter2")), ..Tls::default() };
        let security = Security { tls: Some(tls), sasl: Some(Sasl::Scram512(login)) };
        let settings = Settings { security, ..Settings::new("a:9093") };
        assert_eq!(settings.security.to_string(), r#"TLS and SCRAM-SHA-512 as user "reader""#);
        assert!(!format!("{settings:?}").contains("hunter2"), "{settings:?}");
    }
}

//! What opens a container, wherever it comes from. What does not is reported with a remedy, and no
//! secret is ever shown.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use crate::support::azurite::{KEY, endpoint};
use crate::support::blobs::connection_string;
use crate::support::proxy::Kind;
use crate::support::{Container, Ended, Lines, Pipeline, Proxy};

/// A key that is not the account's.
const WRONG: &str = "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmc=";

/// A pipeline that reads `container`, at first without anything that opens it. None of `secrets`
/// may show.
struct Locked {
    pipeline: Pipeline,
    proxy: Proxy,
    container: Container,
    secrets: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl Locked {
    fn new() -> Locked {
        let (mut pipeline, proxy, container) = (Pipeline::new(), Proxy::start(0), Container::create());
        container.write("logs/a.json", Lines::new(1).take(20));
        pipeline.set("source", "url", format!("az://{}/logs/", container.name()));
        pipeline.set("source.retry", "first", "10ms").set("source.retry", "max_time", "20s");
        let secrets = [KEY, WRONG].map(str::to_owned).to_vec();
        Locked { pipeline, proxy, container, secrets, environment: Vec::new() }
    }

    /// Remembers a signature, as it is in URLs and decoded.
    fn signed(&mut self, sas: String) -> String {
        let signature = sas.split_once("sig=").expect("a signature").1.to_owned();
        let decoded = signature.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
        self.secrets.extend([signature, decoded]);
        sas
    }

    fn endpoint_without_slash(&self) -> String {
        self.proxy.endpoint().trim_end_matches('/').to_owned()
    }

    /// Sets the endpoint, which names the account too; a key or a signature goes beside it.
    fn named(&mut self) -> &mut Pipeline {
        let endpoint = self.endpoint_without_slash();
        self.pipeline.set("source.azure", "endpoint", endpoint)
    }

    /// Runs the binary, which may say anything, at any length, but no secret.
    fn call(&self, arguments: &[&str]) -> Ended {
        let mut command = self.pipeline.command(arguments);
        command.env("LAKEFRONT_LOG", "trace").envs(self.environment.iter().map(|(name, value)| (*name, value)));
        let ended = self.pipeline.spawn(command).end();
        let secrets = self.secrets.iter().flat_map(|secret| [&secret[..], &secret[..16], &secret[10..30]]);
        for secret in secrets {
            assert!(!ended.stdout.contains(secret), "{arguments:?}: {}", ended.stdout);
            let line = ended.stderr.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{arguments:?} shows a secret");
        }
        ended
    }

    /// Every command succeeds, and leaves no secret behind.
    fn opens(&self) {
        self.call(&["run", "p.toml", "--json"]).exits_with(0);
        assert_eq!(self.pipeline.position(), self.container.list("logs/")[0].length);
        self.call(&["status", "p.toml", "--json"]).exits_with(0);
        self.call(&["validate", "p.toml", "--connect"]).exits_with(0);
        self.call(&["doctor", "p.toml"]).exits_with(0);
        for folder in ["lake", "state"] {
            self.holds_no_secret(&self.pipeline.path(folder));
        }
    }

    fn holds_no_secret(&self, path: &Path) {
        if path.is_dir() {
            fs::read_dir(path).expect("a folder").flatten().for_each(|entry| self.holds_no_secret(&entry.path()));
            return;
        }
        let content = fs::read(path).expect("a file");
        for secret in &self.secrets {
            let secret = secret.as_bytes();
            assert!(!content.windows(secret.len()).any(|bytes| bytes == secret), "a secret in {}", path.display());
        }
    }

    /// The run ends with the first answer. Returns its error.
    fn stays_shut(&self) -> String {
        let error = self.call(&["run", "p.toml", "--json"]).exits_with(3).error();
        assert_eq!(self.proxy.count(|_| true), 1, "a refusal is no reason to ask again: {error}");
        error
    }
}

#[test]
fn a_connection_string_opens_the_container() {
    let mut locked = Locked::new();
    let connection = connection_string(&locked.proxy.endpoint());
    locked.pipeline.set("source.azure", "connection_string", connection);
    locked.opens();
}

#[test]
fn the_doctor_looks_at_access_and_clock() {
    let mut locked = Locked::new();
    locked.named().set("source.azure", "account_key", KEY);
    let found = locked.call(&["doctor", "p.toml", "--json"]).exits_with(0).json();
    let found = found["checks"].as_array().expect("a list").clone();
    let says = |check: &str, words: &str| {
        found.iter().any(|f| f["check"] == check && f["level"] == "ok" && f["found"].to_string().contains(words))
    };
    assert!(
        says("source", "list granted, read granted") && says("clock", "service and this machine agree"),
        "{found:#?}"
    );

    locked.named().set("source.azure", "account_key", WRONG);
    let found = locked.call(&["doctor", "p.toml", "--json"]).exits_with(3).json();
    assert_eq!(found["problems"], 1, "{found:#}");
    let found = found["checks"].as_array().expect("a list").clone();
    let problem = found.iter().find(|f| f["level"] == "problem").expect("a problem");
    assert!(problem["found"].to_string().contains("the key or signature is wrong"), "{problem}");
    // What does not depend on the account is checked anyway.
    assert!(found.iter().any(|f| f["check"] == "table"), "{found:#?}");
}

#[test]
fn an_account_key_opens_the_container() {
    let mut locked = Locked::new();
    locked.named().set("source.azure", "account_key", KEY);
    locked.opens();
}

#[test]
fn a_signature_opens_the_container() {
    let mut locked = Locked::new();
    let sas = locked.signed(locked.container.sas("rl"));
    locked.named().set("source.azure", "sas", sas);
    locked.opens();
}

#[test]
fn a_signed_url_opens_the_container() {
    let mut locked = Locked::new();
    let sas = locked.signed(locked.container.sas("rl"));
    let url = format!("{}{}/logs/?{sas}", locked.proxy.endpoint(), locked.container.name());
    locked.pipeline.set("source", "url", url);
    locked.opens();
    assert!(!locked.pipeline.state().expect("a state file").to_string().contains("sig"));
}

#[test]
fn the_environment_opens_the_container() {
    let mut locked = Locked::new();
    let connection = connection_string(&locked.proxy.endpoint());
    locked.environment.push(("AZURE_STORAGE_CONNECTION_STRING", connection));
    locked.opens();

    let mut locked = Locked::new();
    locked.named();
    locked.environment.push(("AZURE_STORAGE_KEY", KEY.to_owned()));
    locked.opens();

    let mut locked = Locked::new();
    let sas = locked.signed(locked.container.sas("rl"));
    locked.named();
    locked.environment.push(("AZURE_STORAGE_SAS_TOKEN", sas));
    locked.opens();
}

#[test]
fn a_variable_in_the_file_opens_the_container() {
    let mut locked = Locked::new();
    locked.named().set("source.azure", "account_key", "${THE_KEY}");
    locked.environment.push(("THE_KEY", KEY.to_owned()));
    locked.opens();
}

#[test]
fn a_wrong_key_is_told_at_once() {
    let mut locked = Locked::new();
    locked.named().set("source.azure", "account_key", WRONG);
    let error = locked.stays_shut();
    assert!(error.contains("403 "), "{error}");
    assert!(error.contains("the key or signature is wrong or has expired"), "{error}");
}

#[test]
fn a_signature_that_has_expired_or_is_forged_is_told_at_once() {
    for forged in [false, true] {
        let mut locked = Locked::new();
        let sas = match forged {
            false => locked.container.sas_until("2021-01-01T00:00:00Z", "rl"),
            true => locked.container.sas("r").replace("sp=r", "sp=rl"),
        };
        let sas = locked.signed(sas);
        locked.named().set("source.azure", "sas", sas);
        let error = locked.stays_shut();
        assert!(error.contains("the key or signature is wrong or has expired"), "{error}");
    }
}

#[test]
fn a_signature_that_allows_too_little_is_told_at_once() {
    for permissions in ["r", "l"] {
        let mut locked = Locked::new();
        let sas = locked.signed(locked.container.sas(permissions));
        locked.named().set("source.azure", "sas", sas);
        let error = locked.call(&["run", "p.toml", "--json"]).exits_with(3).error();
        let told = ["with the permissions read and list (rl)", "does not allow reading and listing (sp=rl"];
        assert!(told.iter().any(|words| error.contains(words)), "{error}");
        assert_eq!(locked.proxy.count(|seen| seen.kind == Kind::List), 1);
        assert!(locked.proxy.count(|_| true) <= 3, "a refusal is no reason to ask again: {error}");
    }
}

#[test]
fn what_a_signature_may_do_is_told_where_it_may_not_list() {
    let mut locked = Locked::new();
    let sas = locked.signed(locked.container.sas("r"));
    locked.named().set("source.azure", "sas", sas);
    let said = locked.call(&["validate", "p.toml", "--connect"]).exits_with(3).stdout;
    assert!(
        said.starts_with("access   source: account devstoreaccount1 by a shared access signature (sp=r, "),
        "{said}"
    );
    assert!(said.contains("list denied (AuthorizationPermissionMismatch: "), "{said}");
}

#[test]
fn a_lake_shows_no_secret() {
    for signed in [false, true] {
        let mut locked = Locked::new();
        let sas = locked.signed(locked.container.sas("rcwdl"));
        let (key, secret) = if signed { ("sas", sas) } else { ("account_key", KEY.to_owned()) };
        locked.named().set("source.azure", key, secret);
        let root = format!("az://{}/lake", locked.container.name());
        locked.pipeline.set("lake", "root", root);
        locked.call(&["run", "p.toml", "--json"]).exits_with(0);
        locked.call(&["status", "p.toml", "--json"]).exits_with(0);
        locked.call(&["validate", "p.toml", "--connect"]).exits_with(0);
    }
}

#[test]
fn a_service_that_nobody_is_at_is_told() {
    let mut locked = Locked::new();
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let nobody = endpoint(free);
    locked.pipeline.set("source.azure", "connection_string", connection_string(&nobody));
    locked.pipeline.set("source.retry", "max_time", "300ms").set("source.retry", "cap", "100ms");
    let error = locked.call(&["run", "p.toml", "--json"]).exits_with(3).error();
    assert!(error.contains("tries in 0.") && error.contains("onnect"), "{error}");
}

//! Sources and lakes in Azure: which account a file means, which credential opens it, and what the
//! user is told if that is not clear.

use std::time::Duration;

use expect_test::{Expect, expect};

use super::super::{Config, ConfigError, LakeRoot, SourceUrl, parse};
use super::{check, env, good, logs_of, with};

/// The environment of the other tests, plus `more`.
fn parse_in(text: &str, more: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let more = |name: &str| more.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned());
    parse(text, &|name| more(name).or_else(|| env(name)))
}

/// A file that reads `url`, with `keys` in `[source.azure]`.
fn azure(url: &str, keys: &str) -> String {
    with("source", &format!("url = {url:?}")) + "\n[source.azure]\n" + keys
}

/// The place, endpoint and credential of the source, or what the user is told; no secret.
fn told(text: &str, more: &[(&str, &str)]) -> String {
    let told = match parse_in(text, more) {
        Ok(config) => match &logs_of(config).source.url {
            SourceUrl::Azure(at) => format!("{at} at {} by {:?}", at.account.endpoint, at.account.credential),
            SourceUrl::File(_) => panic!("a file"),
        },
        Err(error) => format!("{error}"),
    };
    assert!(!told.contains("hunter2"), "{told}");
    told + "\n"
}

fn check_keys(url: &str, keys: &[&str], expected: Expect) {
    let told: Vec<_> = keys.iter().map(|keys| told(&azure(url, keys), &[])).collect();
    expected.assert_eq(&told.concat());
}

#[test]
fn urls_say_container_and_path() {
    let urls = [
        "az://logs",
        "az://insights-logs/resourceId=/a%20b/",
        "az://logs/**/*.{json,log}",
        "https://acc2.blob.example/logs/a%20b/*.json?sp=r&sig=hunter2",
        "http://127.0.0.1:10000/devstoreaccount1/logs?sig=hunter2",
        "${SIGNED_URL}",
    ];
    let told: Vec<_> = urls.iter().map(|url| told(&azure(url, "connection_string = \"${CONNECTION}\""), &[])).collect();
    expect![[r#"
        az://acc1/logs/ at https://acc1.blob.core.windows.net/ by Key(***)
        az://acc1/insights-logs/resourceId=/a%20b at https://acc1.blob.core.windows.net/ by Key(***)
        az://acc1/logs/**/*.{json,log} at https://acc1.blob.core.windows.net/ by Key(***)
        az://acc2/logs/a b/*.json at https://acc2.blob.example/ by Sas(***)
        az://devstoreaccount1/logs/ at http://127.0.0.1:10000/devstoreaccount1/ by Sas(***)
        az://acc1/logs/x at https://acc1.blob.example/ by Sas(***)
    "#]]
    .assert_eq(&told.concat());
}

#[test]
fn what_opens_the_account_has_an_order() {
    check_keys(
        "az://logs",
        &[
            "connection_string = \"${CONNECTION}\"\naccount_key = \"${KEY}\"\nsas = \"${SAS}\"",
            "connection_string = \"BlobEndpoint=https://acc1.blob.example;SharedAccessSignature=${SAS}\"",
            "connection_string = \"UseDevelopmentStorage=true\"",
            "account = \"acc1\"\naccount_key = \"${KEY}\"\nsas = \"${SAS}\"",
            "account = \"acc1\"\nsas = \"?${SAS}\"\nclient_id = \"app\"",
            "endpoint = \"https://acc1.blob.example\"\ntenant_id = \"t\"\nclient_id = \"app\"\nclient_secret = \"${SECRET}\"",
            "endpoint = \"https://logs.example\"\naccount = \"acc1\"",
        ],
        expect![[r#"
            az://acc1/logs/ at https://acc1.blob.core.windows.net/ by Key(***)
            az://acc1/logs/ at https://acc1.blob.example/ by Sas(***)
            az://devstoreaccount1/logs/ at http://127.0.0.1:10000/devstoreaccount1/ by Key(***)
            az://acc1/logs/ at https://acc1.blob.core.windows.net/ by Key(***)
            az://acc1/logs/ at https://acc1.blob.core.windows.net/ by Sas(***)
            az://acc1/logs/ at https://acc1.blob.example/ by Entra(Entra { tenant_id: Some("t"), client_id: Some("app"), client_secret: Some(***), client_certificate_path: None, federated_token_file: None, authority_host: None })
            az://acc1/logs/ at https://logs.example/ by Entra(Entra { tenant_id: None, client_id: None, client_secret: None, client_certificate_path: None, federated_token_file: None, authority_host: None })
        "#]],
    );
    check_keys(
        "https://acc1.blob.example/logs?sig=hunter2",
        &["connection_string = \"AccountName=acc2;AccountKey=hunter2A\""],
        expect![[r#"
            az://acc1/logs/ at https://acc1.blob.example/ by Sas(***)
        "#]],
    );
}

#[test]
fn the_environment_fills_in() {
    let connection = ("AZURE_STORAGE_CONNECTION_STRING", "AccountName=acc1;AccountKey=hunter2A;EndpointSuffix=example");
    let (account, key) = (("AZURE_STORAGE_ACCOUNT_NAME", "acc1"), ("AZURE_STORAGE_ACCESS_KEY", "hunter2A"));
    let sas = ("AZURE_STORAGE_SAS_TOKEN", "?sp=r&sig=hunter2");
    let (tenant, client) = (("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "app"));
    let secret = ("AZURE_CLIENT_SECRET", "hunter2");
    let certificate = ("AZURE_CLIENT_CERTIFICATE_PATH", "/c.pem");
    let federated = ("AZURE_FEDERATED_TOKEN_FILE", "/token");
    let acc1 = "account = \"acc1\"";
    let secret_of_file = "account = \"acc1\"\nclient_id = \"own\"\nclient_secret = \"${SECRET}\"";
    let told: Vec<_> = [
        ("", vec![connection, key, sas]),
        ("", vec![account, key, sas]),
        ("", vec![account, sas, secret]),
        ("", vec![account, tenant, client, secret, certificate, federated]),
        ("", vec![account, ("AZURE_STORAGE_KEY", ""), ("AZURE_AUTHORITY_HOST", "https://login.example")]),
        // The credentials of the section come first, as a whole.
        ("account = \"acc1\"\naccount_key = \"${KEY}\"", vec![connection]),
        (secret_of_file, vec![connection, tenant, client, certificate, federated]),
        (acc1, vec![connection]),
        ("account = \"acc2\"", vec![connection]),
        ("account = \"acc2\"", vec![account, key]),
        ("account = \"acc2\"", vec![account]),
        (acc1, vec![("AZURE_STORAGE_KEY", "hunter2!")]),
        ("", vec![("AZURE_STORAGE_ACCOUNT", "acc2"), connection]),
        ("", vec![]),
    ]
    .iter()
    .map(|(keys, more)| told(&azure("az://logs", keys), more))
    .collect();
    expect![[r#"
        az://acc1/logs/ at https://acc1.blob.example/ by Key(***)
        az://acc1/logs/ at https://acc1.blob.core.windows.net/ by Key(***)
        az://acc1/logs/ at https://acc1.blob.core.windows.net/ by Sas(***)
        az://acc1/logs/ at https://acc1.blob.core.windows.net/ by Entra(Entra { tenant_id: Some("t"), client_id: Some("app"), client_secret: Some(***), client_certificate_path: Some("/c.pem"), federated_token_file: Some("/token"), authority_host: None })
        az://acc1/logs/ at https://acc1.blob.core.windows.net/ by Entra(Entra { tenant_id: None, client_id: None, client_secret: None, client_certificate_path: None, federated_token_file: None, authority_host: Some("https://login.example") })
        az://acc1/logs/ at https://acc1.blob.core.windows.net/ by Key(***)
        az://acc1/logs/ at https://acc1.blob.core.windows.net/ by Entra(Entra { tenant_id: Some("t"), client_id: Some("own"), client_secret: Some(***), client_certificate_path: None, federated_token_file: None, authority_host: None })
        az://acc1/logs/ at https://acc1.blob.example/ by Key(***)
        source.url = "az://logs": is not in the account that the environment names: give the credentials for this URL in a section of their own
        source.url = "az://logs": is not in the account that the environment names: give the credentials for this URL in a section of their own
        az://acc2/logs/ at https://acc2.blob.core.windows.net/ by Entra(Entra { tenant_id: None, client_id: None, client_secret: None, client_certificate_path: None, federated_token_file: None, authority_host: None })
        source.url = "az://logs": the environment variable AZURE_STORAGE_KEY cannot be used: an account's key is Base64
        source.url = "az://logs": AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_CONNECTION_STRING name different accounts
        source.url = "az://logs": does not name the account: set account in [source.azure] or [lake.azure], or AZURE_STORAGE_ACCOUNT in the environment, or write https://ACCOUNT.blob.core.windows.net/container/path
    "#]].assert_eq(&told.concat());
}

#[test]
fn accounts_that_disagree() {
    check_keys(
        "https://acc1.blob.example/logs",
        &[
            "connection_string = \"AccountName=acc2;AccountKey=${KEY}\"",
            "account = \"acc2\"",
            "account = \"acc2\"\nconnection_string = \"${CONNECTION}\"",
            "client_secret = \"${SECRET}\"",
            "tenant_id = \"t\"\nclient_certificate_path = \"c.pem\"",
        ],
        expect![[r#"
            source.url = "https://acc1.blob.example/logs": is not in the account that [source.azure] names: give the credentials for this URL in a section of their own
            source.url = "https://acc1.blob.example/logs": is not in the account that [source.azure] names: give the credentials for this URL in a section of their own
            source.azure.connection_string = "${CONNECTION}": names another account than account in the same section
            source.url = "https://acc1.blob.example/logs": is not in the account that [source.azure] names: give the credentials for this URL in a section of their own
            source.azure.client_secret = "${SECRET}": needs tenant_id and client_id, here or as AZURE_TENANT_ID and AZURE_CLIENT_ID in the environment
            source.azure.client_certificate_path = "c.pem": needs tenant_id and client_id, here or as AZURE_TENANT_ID and AZURE_CLIENT_ID in the environment
        "#]],
    );
    let http = told(&azure("http://localhost:10000/dev1/logs", ""), &[]);
    expect![[r#"
        source.url = "http://localhost:10000/dev1/logs": is not encrypted, so no token of Entra ID is sent there: give an account_key or a sas
    "#]].assert_eq(&http);
}

#[test]
fn what_is_wrong_with_a_url_is_told() {
    check(
        "source",
        &[
            "url = \"az://account.name/logs\"",
            "url = \"az://logs\"",
            "url = \"az://logs/[\"",
            "url = \"https://x.blob.core.windows.net/logs\"",
            "url = \"https://acc1.blob.core.windows.net/logs?restype=container\"",
            "url = \"http://acc1.blob.core.windows.net/logs\"",
        ],
        expect![[r#"
            source.url = "az://account.name/logs": a container's name has 3 to 63 lower case letters, digits and single hyphens between them; $root and $logs are names too
            source.url = "az://logs": does not name the account: set account in [source.azure] or [lake.azure], or AZURE_STORAGE_ACCOUNT in the environment, or write https://ACCOUNT.blob.core.windows.net/container/path
            source.url = "az://logs/[": is not a glob: close every [ and {
            source.url = "https://x.blob.core.windows.net/logs": the host must be ACCOUNT.blob.…, where ACCOUNT has 3 to 24 lower case letters and digits; for an IP address or localhost the account is the first folder
            source.url = "https://acc1.blob.core.windows.net/logs?***": a shared access signature is a URL's query, such as sv=…&sp=rl&sig=…, and has a part sig=
            source.url = "http://acc1.blob.core.windows.net/logs": only https:// is allowed, and http:// for this machine only
        "#]],
    );
    let roots = ["az://lake/*", "az://lake/a//b", "https://acc1.blob.example/lake/a%2Fb/?sv=1"];
    let roots: Vec<_> = roots.iter().map(|root| format!("root = {root:?}")).collect();
    check(
        "lake",
        &roots.iter().map(String::as_str).collect::<Vec<_>>(),
        expect![[r#"
            lake.root = "az://lake/*": a lake is one folder: no glob, and no folder without a name
            lake.root = "az://lake/a//b": a lake is one folder: no glob, and no folder without a name
            lake.root = "https://acc1.blob.example/lake/a%2Fb/?***": a shared access signature is a URL's query, such as sv=…&sp=rl&sig=…, and has a part sig=
        "#]],
    );
}

#[test]
fn a_lake_is_opened_by_its_own_section_or_the_sources() {
    let told: Vec<_> = [
        ("az://lake/", "[source.azure]\naccount = \"acc1\"\naccount_key = \"${KEY}\""),
        ("az://lake/a/b//", "[source.azure]\naccount = \"acc1\"\n[lake.azure]\naccount = \"acc2\"\nsas = \"${SAS}\""),
        ("https://acc2.blob.example/lake", "[source.azure]\naccount = \"acc1\"\naccount_key = \"${KEY}\""),
        ("https://acc2.blob.example/lake", "[source.azure]\naccount = \"acc1\"\n[lake.azure]\n"),
        ("https://acc2.blob.example/lake", "[lake.azure]\npage = 7\naccount_key = \"hunter2!\""),
    ]
    .iter()
    .map(|(root, keys)| match parse_in(&(with("lake", &format!("root = {root:?}")) + "\n" + keys), &[]) {
        Ok(config) => match &logs_of(config).lake.root {
            LakeRoot::Azure(at) => format!("{at} {:?} by {:?}\n", at.path, at.account.credential),
            LakeRoot::File(_) | LakeRoot::S3(_) => panic!("not in Azure"),
        },
        Err(error) => format!("{error}\n"),
    })
    .collect();
    assert!(!told.concat().contains("hunter2"));
    expect![[r#"
        az://acc1/lake/ "" by Key(***)
        az://acc2/lake/a/b "a/b" by Sas(***)
        lake.root = "https://acc2.blob.example/lake": is not in the account that [source.azure] names: give the credentials for this URL in a section of their own
        az://acc2/lake/ "" by Entra(Entra { tenant_id: None, client_id: None, client_secret: None, client_certificate_path: None, federated_token_file: None, authority_host: None })
        lake.azure.account_key = "***": an account's key is Base64
        lake.azure.page: unknown key in [lake.azure], known keys are account, account_key, client_certificate_path, client_id, client_secret, connection_string, endpoint, federated_token_file, sas, tenant_id
    "#]].assert_eq(&told.concat());
}

#[test]
fn what_is_for_azure_has_bounds_and_is_for_azure() {
    let source = logs_of(good(&azure("az://logs", "account = \"acc1\""))).source;
    assert_eq!((source.in_flight, source.listing.page), (4, 5000));
    assert_eq!(source.listing.quiet, Duration::from_secs(172_800));
    let more =
        "account = \"acc1\"\npage = 1\nhour_folders = \"%Y-%m/%d-%H\"\n[source.retry]\nfirst = \"1s\"\ncap = \"1s\"";
    let source = logs_of(good(&azure("az://logs", more))).source;
    assert_eq!(source.listing.hour_folders.as_deref(), Some("%Y-%m/%d-%H/"));
    assert_eq!((source.listing.page, source.retry.cap), (1, Duration::from_secs(1)));
    let none = logs_of(good(&azure("az://logs", "account = \"acc1\"\nhour_folders = \"\""))).source;
    assert_eq!(none.listing.hour_folders, None);

    check(
        "source",
        &["settle = \"48h\"", "settle = \"59s\"", "settle = \"8761h\"", "in_flight = 0", "in_flight = 65"],
        expect![[r#"
            source.settle = "48h": is for Azure sources only, and source.url names files: leave it out
            source.settle = "59s": is for Azure sources only, and source.url names files: leave it out
            source.settle = "8761h": allowed is a duration from 1s to 8760h in ms, s, m or h, such as "500ms" or "10s"
            source.settle = "8761h": is for Azure sources only, and source.url names files: leave it out
            source.in_flight = 0: allowed is a whole number from 1 to 64
            source.in_flight = 65: allowed is a whole number from 1 to 64
        "#]],
    );
    check(
        "source.azure",
        &["page = 0", "page = 5001", "page = 5000", "hour_folders = \"%Y/%m/%d/\"", "keys = 1"],
        expect![[r#"
            source.azure.page = 0: allowed is a whole number from 1 to 5000
            source.azure.page = 0: is for Azure sources only, and source.url names files: leave it out
            source.azure.page = 5001: allowed is a whole number from 1 to 5000
            source.azure.page = 5001: is for Azure sources only, and source.url names files: leave it out
            source.azure.page = 5000: is for Azure sources only, and source.url names files: leave it out
            source.azure.hour_folders = "%Y/%m/%d/": allowed is a folder with %Y, %m, %d and %H in it, below the URL's own, or "" for none
            source.azure.hour_folders = "%Y/%m/%d/": is for Azure sources only, and source.url names files: leave it out
            source.azure.keys: unknown key in [source.azure], known keys are account, account_key, client_certificate_path, client_id, client_secret, connection_string, endpoint, federated_token_file, hour_folders, page, relist, sas, tenant_id
        "#]],
    );
    check_keys(
        "az://logs",
        &["/%Y/%m/%d/%H", "../%Y/%m/%d/%H", "%Y/%m/%d/%H/%M", "%Y//%m/%d/%H", "%Y%m%d%H/*"]
            .map(|pattern| format!("account = \"acc1\"\nhour_folders = {pattern:?}"))
            .each_ref()
            .map(String::as_str),
        expect![[r#"
            source.azure.hour_folders = "/%Y/%m/%d/%H": allowed is a folder with %Y, %m, %d and %H in it, below the URL's own, or "" for none
            source.azure.hour_folders = "../%Y/%m/%d/%H": allowed is a folder with %Y, %m, %d and %H in it, below the URL's own, or "" for none
            source.azure.hour_folders = "%Y/%m/%d/%H/%M": allowed is a folder with %Y, %m, %d and %H in it, below the URL's own, or "" for none
            source.azure.hour_folders = "%Y//%m/%d/%H": allowed is a folder with %Y, %m, %d and %H in it, below the URL's own, or "" for none
            source.azure.hour_folders = "%Y%m%d%H/*": allowed is a folder with %Y, %m, %d and %H in it, below the URL's own, or "" for none
        "#]],
    );
    check(
        "source.retry",
        &["first = \"1m\"", "timeout = 30", "max_time = \"200h\"", "tries = 3"],
        expect![[r#"
        source.retry.cap: must be at least source.retry.first: pauses grow from first to cap; the defaults are 200ms and 30s
        source.retry.first = "1m": is for Azure sources only, and source.url names files: leave it out
        source.retry.timeout = 30: a duration needs a unit, ms, s, m or h, such as "10s"
        source.retry.timeout = 30: is for Azure sources only, and source.url names files: leave it out
        source.retry.max_time = "200h": allowed is a duration from 10ms to 168h in ms, s, m or h, such as "500ms" or "10s"
        source.retry.max_time = "200h": is for Azure sources only, and source.url names files: leave it out
        source.retry.tries: unknown key in [source.retry], known keys are cap, first, max_time, timeout
    "#]],
    );
}

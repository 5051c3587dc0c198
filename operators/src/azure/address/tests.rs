//! Which texts are addresses of blobs, and that no error repeats one.

use super::*;

fn told(text: &str) -> String {
    match Address::parse(text) {
        Ok(Address { service, container, path, sas }) => {
            let service = service.map_or("-".to_owned(), |(account, endpoint)| format!("{account} {endpoint}"));
            format!("{service} {container} {path:?}{}", if sas.is_some() { " signed" } else { "" })
        }
        Err(error) => error.to_owned(),
    }
}

#[test]
fn addresses() {
    for (text, expected) in [
        ("az://logs", r#"- logs """#),
        ("az://logs/a b/%20/", r#"- logs "a b/%20/""#),
        ("az://$logs/**/?.{json,log}", r#"- $logs "**/?.{json,log}""#),
        ("https://acc1.blob.core.windows.net/logs", r#"acc1 https://acc1.blob.core.windows.net/ logs """#),
        ("https://ACC1.blob.example:444/logs/a%20b/", r#"acc1 https://acc1.blob.example:444/ logs "a b/""#),
        (
            "https://acc1.privatelink.blob.example/logs/*.json",
            r#"acc1 https://acc1.privatelink.blob.example/ logs "*.json""#,
        ),
        ("https://acc1.blob.example/logs/x?sp=r&sig=a%3D", r#"acc1 https://acc1.blob.example/ logs "x" signed"#),
        ("http://127.0.0.1:10000/dev1/logs/x?sig=a", r#"dev1 http://127.0.0.1:10000/dev1/ logs "x" signed"#),
        ("http://[::1]:10000/dev1/logs", r#"dev1 http://[::1]:10000/dev1/ logs """#),
        ("https://acc1.dfs.core.windows.net/logs/x", r#"acc1 https://acc1.blob.core.windows.net/ logs "x""#),
        ("abfss://logs@acc1.dfs.core.windows.net/a%20b/", r#"acc1 https://acc1.blob.core.windows.net/ logs "a%20b/""#),
        ("wasbs://logs@acc1.blob.core.windows.net", r#"acc1 https://acc1.blob.core.windows.net/ logs """#),
        (
            "abfss://Sales Team@onelake.dfs.fabric.microsoft.com/lake.Lakehouse/Files",
            r#"onelake https://onelake.blob.fabric.microsoft.com/ Sales Team "lake.Lakehouse/Files""#,
        ),
        ("https://10.0.0.7/dev1/logs/x", r#"dev1 https://10.0.0.7/dev1/ logs "x""#),
    ] {
        assert_eq!(told(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_address_is_told_without_it() {
    for (text, word) in [
        ("az://", "container's name"),
        ("az://LOGS", "container's name"),
        ("az://a--b", "container's name"),
        ("az://-ab", "container's name"),
        ("az://lo", "container's name"),
        ("az://logs?sp=r&sig=hunter2", "no query"),
        ("az://logs?sp=r&sgi=hunter2", "no query"),
        ("az://logs/x?sp%3Dr%26sig%3Dhunter2", "no query"),
        ("https://acc1.blob.example/logs/x&sp=r&sig=hunter2", "question mark"),
        ("https://acc1.blob.example/logs/x&sig%3Dhunter2", "question mark"),
        ("https://acc1.blob.example/logs/x?sig%3Dhunter2", "sig="),
        ("https://acc1.blob.example/logs/x?sgi=hunter2", "sig="),
        ("abfss://logs/x", "CONTAINER@ACCOUNT"),
        ("abfss://LOGS@acc1.dfs.core.windows.net/x", "container's name"),
        ("abfss://logs@acc1.dfs.core.windows.net/x?sv=1&sgi=hunter2", "no query"),
        ("abfss://u:hunter2@logs@acc1.dfs.core.windows.net/x", "password"),
        ("az://logs//x", "empty first folder"),
        ("az://logs/a/../b", "no folders . and .."),
        ("https://acc1.blob.example/logs/%2e%2E/b", "no folders . and .."),
        ("https://acc1.blob.example/logs/a\nb", "control"),
        ("https://acc1.blob.example/logs/a%0Ab", "control"),
        ("https://acc1.blob.example/logs/%2A", "glob"),
        ("https://acc1.blob.example/logs/%zz", "percent sign"),
        ("https://acc1.blob.example/logs/%ff", "percent sign"),
        ("https://acc1.blob.example/logs/%+1", "percent sign"),
        ("https://acc1.blob.example/logs#x", "fragment"),
        ("https://acc1.blob.example/logs?restype=container", "sig="),
        ("https://u:hunter2@acc1.blob.example/logs", "password"),
        ("https://logs.example/logs", "ACCOUNT.blob"),
        ("https://my-acc.blob.example/logs", "ACCOUNT.blob"),
        ("https://127.0.0.1/logs", "container's name"),
        ("http://acc1.blob.example/logs", "this machine only"),
        ("http://10.0.0.7/dev1/logs", "this machine only"),
        ("ftp://acc1.blob.example/logs", "this machine only"),
        ("https://", "not a URL"),
    ] {
        let told = told(text);
        assert!(told.contains(word) && !told.contains("hunter2"), "{text}: {told}");
    }
    let long = format!("az://logs/{}", "x".repeat(1025));
    assert!(told(&long).contains("1024"));
}

#[test]
fn services() {
    assert_eq!(Service::public("acc1").expect("a name").endpoint.as_str(), "https://acc1.blob.core.windows.net/");
    let emulator = Service::parse("http://127.0.0.1:10000/dev1").expect("a service");
    assert_eq!(
        (emulator.account.as_deref(), emulator.endpoint.as_str()),
        (Some("dev1"), "http://127.0.0.1:10000/dev1/")
    );
    assert_eq!(Service::parse("https://logs.example/").expect("a service").account, None);
    assert!(Service::parse("https://acc1.blob.example/logs").is_err());
    assert!(Service::parse("https://acc1.blob.example/?sig=x").is_err());
}

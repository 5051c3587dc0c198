//! Lakes in S3: which bucket a file means, what opens it, and what the user is told if that is not
//! clear.

use expect_test::{Expect, expect};

use super::super::{LakeRoot, parse};
use super::{check, env, logs_of, with};

/// The place, the URL and the credential of the lake, or what the user is told; no secret.
fn told(root: &str, keys: &str, more: &[(&str, &str)]) -> String {
    let text = with("lake", &format!("root = {root:?}")) + "\n[lake.s3]\n" + keys;
    let more = |name: &str| more.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned());
    let told = match parse(&text, &|name| more(name).or_else(|| env(name))) {
        Ok(config) => match &logs_of(config).lake.root {
            LakeRoot::S3(at) => {
                format!("{at} at {} in {} by {:?}", at.bucket.url, at.bucket.region, at.bucket.credential)
            }
            other => panic!("{other:?}"),
        },
        Err(error) => format!("{error}"),
    };
    assert!(!told.contains("hunter2"), "{told}");
    told + "\n"
}

fn check_keys(keys: &[&str], expected: Expect) {
    let told: Vec<_> = keys.iter().map(|keys| told("s3://lake/a b/", keys, &[])).collect();
    expected.assert_eq(&told.concat());
}

fn check_environment(environments: &[&[(&str, &str)]], expected: Expect) {
    let told: Vec<_> = environments.iter().map(|more| told("s3://lake", "region = \"r\"", more)).collect();
    expected.assert_eq(&told.concat());
}

#[test]
fn a_bucket_is_somewhere() {
    check_keys(
        &[
            "region = \"eu-west-1\"",
            "region = \"eu-west-1\"\npath_style = true",
            "endpoint = \"https://s3.example.com/\"",
            "endpoint = \"https://s3.example.com\"\npath_style = false\nregion = \"auto\"",
            "endpoint = \"http://127.0.0.1:9000\"",
            "endpoint = \"http://10.0.0.7:9000\"\nallow_http = true",
            "endpoint = \"http://10.0.0.7:9000\"",
            "endpoint = \"https://10.0.0.7\"\npath_style = false",
            "endpoint = \"https://id:${SECRET}@s3.example.com\"",
            "region = \"eu west\"",
            "path_style = \"yes\"",
            "",
        ],
        expect![[r#"
            s3://lake/a b at https://lake.s3.eu-west-1.amazonaws.com in eu-west-1 by Instance { service: None }
            s3://lake/a b at https://s3.eu-west-1.amazonaws.com/lake in eu-west-1 by Instance { service: None }
            s3://lake/a b at https://s3.example.com/lake in us-east-1 by Instance { service: None }
            s3://lake/a b at https://lake.s3.example.com in auto by Instance { service: None }
            s3://lake/a b at http://127.0.0.1:9000/lake in us-east-1 by Instance { service: None }
            s3://lake/a b at http://10.0.0.7:9000/lake in us-east-1 by Instance { service: None }
            lake.s3.endpoint = "http://10.0.0.7:9000": only https:// is allowed, and http:// for this machine only: over http anybody on the way can read and change what is sent; allow_http = true in [lake.s3] allows it
            lake.root = "s3://lake/a b/": cannot be reached, because lake.s3.path_style must be true: a bucket's name cannot stand before an address of numbers
            lake.s3.endpoint = "https://***@s3.example.com": an endpoint has no user, password, query or fragment: keys belong in [lake.s3]
            lake.s3.region = "eu west": allowed is a region's name, such as "eu-west-1"
            lake.s3.path_style = "yes": allowed are true and false, without quotes
            lake.root = "s3://lake/a b/": does not say where the bucket is: set region in [lake.s3], or AWS_REGION in the environment, for AWS; and for another store, endpoint in [lake.s3]
        "#]],
    );
    let dotted = told("s3a://lake.example", "region = \"eu-west-1\"", &[]);
    expect![[r#"
        s3://lake.example/ at https://s3.eu-west-1.amazonaws.com/lake.example in eu-west-1 by Instance { service: None }
    "#]]
    .assert_eq(&dotted);
}

#[test]
fn the_environment_says_where_too() {
    let url = ("AWS_ENDPOINT_URL", "https://s3.example.com");
    let plain = ("AWS_ENDPOINT_URL_S3", "http://s3.example.com");
    let told: Vec<_> = [&[url, ("AWS_DEFAULT_REGION", "auto")][..], &[url, plain], &[("AWS_REGION", "eu-west-1")]]
        .iter()
        .map(|more| told("s3://lake", "", more))
        .collect();
    expect![[r#"
        s3://lake/ at https://s3.example.com/lake in auto by Instance { service: None }
        lake.root = "s3://lake": the environment variable AWS_ENDPOINT_URL_S3 cannot be used: only https:// is allowed, and http:// for this machine only: over http anybody on the way can read and change what is sent; allow_http = true in [lake.s3] allows it
        s3://lake/ at https://lake.s3.eu-west-1.amazonaws.com in eu-west-1 by Instance { service: None }
    "#]].assert_eq(&told.concat());
}

#[test]
fn keys_come_in_pairs() {
    check_keys(
        &[
            "region = \"r\"\naccess_key_id = \"${SECRET}\"\nsecret_access_key = \"${SECRET}\"",
            "region = \"r\"\naccess_key_id = \"hunter2\"\nsecret_access_key = \"hunter2\"\nsession_token = \"${SECRET}\"",
            "region = \"r\"\naccess_key_id = \"hunter2\"",
            "region = \"r\"\nsecret_access_key = \"hunter2\"",
            "region = \"r\"\nsession_token = \"hunter2\"",
            "region = \"r\"\naccess_key_id = \"hunter2 \"\nsecret_access_key = \"hunter2\"",
        ],
        expect![[r#"
            s3://lake/a b at https://lake.s3.r.amazonaws.com in r by Key { id: ***, secret: ***, token: None }
            s3://lake/a b at https://lake.s3.r.amazonaws.com in r by Key { id: ***, secret: ***, token: Some(***) }
            lake.s3.access_key_id = "***": needs access_key_id and secret_access_key next to it
            lake.s3.secret_access_key = "***": needs access_key_id and secret_access_key next to it
            lake.s3.session_token = "***": needs access_key_id and secret_access_key next to it
            lake.s3.access_key_id = "***": allowed is text without spaces and line breaks
        "#]],
    );
}

#[test]
fn what_opens_a_bucket_has_an_order() {
    let key = [("AWS_ACCESS_KEY_ID", "hunter2"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];
    let token = ("AWS_SESSION_TOKEN", "hunter2");
    let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"), ("AWS_ROLE_ARN", "arn:aws:iam::1:role/x")];
    let container = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x");
    let agent = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials");
    let far = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://agent.example/v1/credentials");
    let file = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/pod/token");
    check_environment(
        &[
            &[key[0], key[1], token, web[0], web[1], container],
            &[key[0], web[0], web[1]],
            &[web[0], web[1], container],
            &[web[0], container, agent, file],
            &[agent, file],
            &[far, file],
            &[agent],
            &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://[fd00:ec2::254]")],
            &[],
        ],
        expect![[r#"
            s3://lake/ at https://lake.s3.r.amazonaws.com in r by Key { id: ***, secret: ***, token: Some(***) }
            lake.root = "s3://lake": AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together
            s3://lake/ at https://lake.s3.r.amazonaws.com in r by WebIdentity { token_file: "/token", role_arn: "arn:aws:iam::1:role/x", session_name: None, service: None }
            s3://lake/ at https://lake.s3.r.amazonaws.com in r by Container { path: "/v2/x" }
            s3://lake/ at https://lake.s3.r.amazonaws.com in r by Pod { agent: Url { scheme: "http", cannot_be_a_base: false, username: "", password: None, host: Some(Ipv4(169.254.170.23)), port: None, path: "/v1/credentials", query: None, fragment: None }, token_file: "/pod/token" }
            lake.root = "s3://lake": the environment variable AWS_CONTAINER_CREDENTIALS_FULL_URI cannot be used: allowed is https://, or http:// to an address that only this machine reaches
            s3://lake/ at https://lake.s3.r.amazonaws.com in r by Instance { service: None }
            s3://lake/ at https://lake.s3.r.amazonaws.com in r by Instance { service: Some(Url { scheme: "http", cannot_be_a_base: false, username: "", password: None, host: Some(Ipv6(fd00:ec2::254)), port: None, path: "/", query: None, fragment: None }) }
            s3://lake/ at https://lake.s3.r.amazonaws.com in r by Instance { service: None }
        "#]],
    );
}

#[test]
fn a_bucket_is_for_lakes_and_its_keys_for_buckets() {
    check(
        "lake.s3",
        &["region = \"eu-west-1\"", "secret_access_key = \"hunter2\"", "key = 1"],
        expect![[r#"
        lake.s3.region = "eu-west-1": is for a lake in S3 only, and lake.root names another place: leave it out
        lake.s3.secret_access_key = "***": needs access_key_id and secret_access_key next to it
        lake.s3.secret_access_key = "***": is for a lake in S3 only, and lake.root names another place: leave it out
        lake.s3.key: unknown key in [lake.s3], known keys are access_key_id, allow_http, endpoint, path_style, region, secret_access_key, session_token
    "#]],
    );
    check(
        "source",
        &["url = \"s3://logs/x\""],
        expect![[r#"
        source.url = "s3://logs/x": allowed are file:relative/path, file:/absolute/path, file:///absolute/path, az://container/path and https://ACCOUNT.blob.core.windows.net/container/path
    "#]],
    );
    let roots = ["s3://LAKE", "s3://lake/*.json", "s3://lake/a//b", "s3://lake/a%20b", "s3://lake--az1--x-s3"];
    let told: Vec<_> = roots.iter().map(|root| told(root, "region = \"r\"", &[])).collect();
    expect![[r#"
        lake.root = "s3://LAKE": a bucket's name has 3 to 63 lower case letters, digits, dots and hyphens, a letter or digit at its ends; keys and endpoints belong in [lake.s3]
        lake.root = "s3://lake/*.json": a lake is one folder: no glob, and no folder without a name
        lake.root = "s3://lake/a//b": a lake is one folder: no glob, and no folder without a name
        lake.root = "s3://lake/a%20b": the whole path of a lake must be UTF-8, without backslashes, control characters or percent signs before two hexadecimal digits: readers of Delta logs would look elsewhere, such as in "a b" for "a%20b"; name another folder
        lake.root = "s3://lake--az1--x-s3": a directory bucket lists its objects in no order, so it cannot hold the log of a table: use a general purpose bucket
    "#]].assert_eq(&told.concat());
}

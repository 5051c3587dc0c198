//! Endpoints and buckets, and that tokens stay on the machine.

use super::*;

fn url(endpoint: &str, path_style: bool) -> Result<String, &'static str> {
    bucket("lake", &Endpoint::parse(endpoint, false)?, path_style)
}

#[test]
fn buckets_have_urls() {
    for (endpoint, path_style, expected) in [
        ("https://s3.example.com", true, "https://s3.example.com/lake"),
        ("https://s3.example.com:444/", false, "https://lake.s3.example.com:444"),
        ("https://s3.example.com/gateway/", true, "https://s3.example.com/gateway/lake"),
        ("http://127.0.0.1:9000", true, "http://127.0.0.1:9000/lake"),
        ("http://[::1]:9000", true, "http://[::1]:9000/lake"),
        ("http://localhost:4566", false, "http://lake.localhost:4566"),
        ("https://10.0.0.7", true, "https://10.0.0.7/lake"),
    ] {
        assert_eq!(url(endpoint, path_style).as_deref(), Ok(expected));
    }
    assert!(url("https://10.0.0.7", false).is_err());
    let aws = |region| bucket("lake", &Endpoint::aws(region).expect("a region"), false);
    assert_eq!(aws("eu-west-1").as_deref(), Ok("https://lake.s3.eu-west-1.amazonaws.com"));
    assert_eq!(aws("cn-north-1").as_deref(), Ok("https://lake.s3.cn-north-1.amazonaws.com.cn"));
    let tokens = |region| aws_tokens(region).expect("a region").to_string();
    assert_eq!(tokens("eu-west-1"), "https://sts.eu-west-1.amazonaws.com/");
    assert_eq!(tokens("cn-north-1"), "https://sts.cn-north-1.amazonaws.com.cn/");
}

#[test]
fn what_is_no_endpoint_is_told_without_it() {
    for (text, word) in [
        ("s3.example.com", "such as https://"),
        ("https://", "such as https://"),
        ("ftp://s3.example.com", "begins with https://"),
        ("http://s3.example.com", "allow_http"),
        ("http://10.0.0.7:9000", "allow_http"),
        ("https://id:hunter2@s3.example.com", "no user"),
        ("https://s3.example.com/?x=hunter2", "no user"),
    ] {
        let told = Endpoint::parse(text, false).expect_err(text);
        assert!(told.contains(word) && !told.contains("hunter2"), "{text}: {told}");
    }
    assert!(Endpoint::parse("http://10.0.0.7:9000", true).is_ok());
    assert!(Endpoint::parse("ftp://10.0.0.7:9000", true).is_err());
}

#[test]
fn tokens_stay_on_the_machine() {
    for (agent, good) in [
        ("http://169.254.170.23/v1/credentials", true),
        ("http://[fd00:ec2::23]/v1/credentials", true),
        ("http://localhost:51679/x", true),
        ("https://agent.example/x", true),
        ("http://169.254.170.24/x", false),
        ("http://agent.example/x", false),
    ] {
        assert_eq!(super::agent(agent).is_ok(), good, "{agent}");
    }
    assert!(tokens("https://sts.example").is_ok() && tokens("http://sts.example").is_err());
    assert!(is_region("eu-west-1") && !is_region("eu/west") && !is_region(""));
}

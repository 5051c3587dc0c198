//! Which account a connection string and its neighbours name.

use super::*;

fn told(text: &str) -> String {
    match parse(text) {
        Ok(account) => format!("{} {} {:?}", account.name, account.endpoint, account.credential),
        Err(error) => error.to_owned(),
    }
}

#[test]
fn accounts() {
    for (text, expected) in [
        ("AccountName=acc1;AccountKey=a2V5", "acc1 https://acc1.blob.core.windows.net/ Key(***)"),
        (
            "DefaultEndpointsProtocol=https;AccountName=acc1;AccountKey=a2V5;EndpointSuffix=core.chinacloudapi.cn;",
            "acc1 https://acc1.blob.core.chinacloudapi.cn/ Key(***)",
        ),
        (
            "BlobEndpoint=https://acc1.blob.example;QueueEndpoint=https://q;SharedAccessSignature=?sp=r&sig=x%3D",
            "acc1 https://acc1.blob.example/ Sas(***)",
        ),
        ("accountname = ignored spaces are not", "a connection string has an AccountKey or a SharedAccessSignature"),
        ("BlobEndpoint=https://logs.example/;AccountName=acc1;AccountKey=a2V5", "acc1 https://logs.example/ Key(***)"),
        ("UseDevelopmentStorage=true", "devstoreaccount1 http://127.0.0.1:10000/devstoreaccount1/ Key(***)"),
        (
            "DefaultEndpointsProtocol=http;AccountName=dev1;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/dev1;",
            "dev1 http://127.0.0.1:1/dev1/ Key(***)",
        ),
    ] {
        assert_eq!(told(text), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_without_it() {
    for (text, word) in [
        ("", "AccountKey or a SharedAccessSignature"),
        ("hunter2", "NAME=value"),
        ("AccountName=acc1", "AccountKey"),
        ("AccountKey=a2V5", "AccountName or a BlobEndpoint"),
        ("AccountName=acc1;AccountKey=hunter2!", "Base64"),
        ("AccountName=acc1;AccountKey=", "Base64"),
        ("AccountName=acc1;SharedAccessSignature=hunter2", "sig="),
        ("AccountName=Hunter2;AccountKey=a2V5", "AccountName"),
        ("AccountName=acc1;AccountKey=a2V5;DefaultEndpointsProtocol=http", "EndpointsProtocol"),
        ("AccountName=acc1;AccountKey=a2V5;EndpointSuffix=hunter2/x", "EndpointSuffix"),
        ("AccountName=acc1;AccountKey=a2V5;BlobEndpoint=hunter2", "BlobEndpoint"),
        ("AccountName=acc1;AccountKey=a2V5;BlobEndpoint=https://hunter2.blob.example", "two accounts"),
        ("AccountKey=a2V5;BlobEndpoint=https://hunter2.example", "AccountName"),
    ] {
        let told = told(text);
        assert!(told.contains(word) && !told.to_lowercase().contains("hunter2"), "{text}: {told}");
    }
}

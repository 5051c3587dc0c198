//! What is printed acts on no terminal, and opens no account.

use super::*;

const NASTY: &str = "a\nb\rc\td\u{1b}[2J\u{9b}e\u{202e}f\u{2028}g\u{200b}h\u{e0041}é…→";

#[test]
fn nothing_acts_and_letters_stay() {
    let shown = one_line(NASTY);
    assert_eq!(shown, "a\\nb\\rc\\td\\u{1b}[2J\\u{9b}e\\u{202e}f\\u{2028}g\\u{200b}h\\u{e0041}é…→");
    assert!(!shown.chars().any(acts));
    assert_eq!(lines("a\n\tb\rc"), "a\n\tb\\rc");
    assert!(matches!(one_line("orders-uat/täglich é.json"), Cow::Borrowed(_)));
}

#[test]
fn json_is_the_same_value() {
    let value = serde_json::json!({NASTY: [NASTY]});
    let text = value.to_string();
    let shown = json(&text);
    assert!(!shown.chars().any(acts), "{shown}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), value);
}

#[test]
fn nothing_that_opens_an_account_is_shown() {
    for (text, shown) in [
        ("https://a.blob.example/c?sp=r&sig=hunter2%3D&se=1", "https://a.blob.example/c?***"),
        ("https://a.blob.example/c?sp=r&sig%3Dhunter2", "https://a.blob.example/c?***"),
        ("https://a.blob.example/c?sp=r&sgi=hunter2", "https://a.blob.example/c?***"),
        ("HTTPS://a/c?hunter2", "HTTPS://a/c?***"),
        ("https://a/c%3Fsp%3Dr%26sgi%3Dhunter2", "https://a/c%3F***"),
        ("https%3A%2F%2Fa%2Fc%3Fsp%3Dr%26sig%3Dhunter2", "https%3A%2F%2Fa%2Fc%3Fsp%3Dr%26sig%3D***"),
        ("https://u:hunter2@a/c", "https://***@a/c"),
        ("for url (https://a/c?sgi=hunter2): no route", "for url (https://a/c?***): no route"),
        ("at https://a/c?sgi=hunter2, and http://b/?x=hunter2.", "at https://a/c?***, and http://b/?***."),
        ("{\"url\":\"https://a/c?sgi=hunter2\",\"n\":1}", "{\"url\":\"https://a/c?***\",\"n\":1}"),
        ("az://logs/?sp=r&sgi=hunter2", "az://logs/?***"),
        ("az://logs/**/?.{json,log}", "az://logs/**/?.{json,log}"),
        ("file:///logs/?/h=1/x", "file:///logs/?/h=1/x"),
        ("abfss://logs@acc1.dfs.core.windows.net/a", "abfss://logs@acc1.dfs.core.windows.net/a"),
        ("AccountName=a;AccountKey=hunter2==;X=1", "AccountName=a;AccountKey=***;X=1"),
        (
            "Endpoint=sb://a.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=hunter2=;EntityPath=e",
            "Endpoint=sb://a.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=***;EntityPath=e",
        ),
        ("?sv=1&sig=hunter2&se=1", "?sv=1&sig=***&se=1"),
        ("az://logs?sig=${SIG}", "az://logs?***"),
        ("sig=${SIG}", "sig=${SIG}"),
        ("nothing ü://", "nothing ü://"),
    ] {
        assert_eq!(without_secrets(text), shown, "{text}");
        assert_eq!(without_secrets(shown), shown, "a second time");
    }
}

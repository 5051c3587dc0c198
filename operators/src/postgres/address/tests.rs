use super::super::{Mode, Roots};
use super::*;

fn parsed(url: &str) -> Location {
    Location::parse(url).expect("a location")
}

fn refusal(url: &str) -> String {
    Location::parse(url).expect_err("a refusal")
}

#[test]
fn the_parts_of_a_url() {
    let location = parsed(
        "postgresql://alice:s%40cr:et%25@DB.example:6543/my%2Fshop?sslmode=verify-full&sslrootcert=/etc/ca.pem\
         &application_name=lake%20front&connect_timeout=3&channel_binding=require",
    );
    let expected = Location {
        host: "db.example".to_owned(),
        port: 6543,
        user: "alice".to_owned(),
        database: "my/shop".to_owned(),
        tls: Tls { mode: Mode::VerifyFull, roots: Some(Roots::File("/etc/ca.pem".into())) },
        channel_binding: ChannelBinding::Require,
        password: Password::Text(Secret::new("s@cr:et%")),
        application_name: Some("lake front".to_owned()),
        connect_timeout: Duration::from_secs(3),
    };
    assert_eq!(location, expected);
    assert_eq!(location.shown(), "postgresql://db.example:6543/my%2Fshop");
}

#[test]
fn what_is_left_out_has_a_default() {
    for url in ["postgres://alice@db/shop", "postgresql://alice:@db:/shop?"] {
        let location = parsed(url);
        assert_eq!((location.host.as_str(), location.port), ("db", 5432));
        assert_eq!((location.password, location.tls), (Password::None, Tls::default()));
        assert_eq!((location.application_name, location.connect_timeout), (None, Duration::from_secs(10)));
    }
}

#[test]
fn hosts() {
    let table = [
        ("postgres://a@[2001:DB8:0::1]:1/b", "2001:db8::1", "postgresql://[2001:db8::1]:1/b"),
        ("postgres://a@[::1]/b", "::1", "postgresql://[::1]:5432/b"),
        ("postgres://a@127.0.0.1/b", "127.0.0.1", "postgresql://127.0.0.1:5432/b"),
        ("postgres://a@%2Frun%2FPg/b", "/run/Pg", "postgresql://%2Frun%2FPg:5432/b"),
        ("postgres://a@/b?host=/run/Pg", "/run/Pg", "postgresql://%2Frun%2FPg:5432/b"),
        ("postgres://a@:5433/b?host=%2Frun/Pg", "/run/Pg", "postgresql://%2Frun%2FPg:5433/b"),
    ];
    for (url, host, shown) in table {
        let location = parsed(url);
        assert_eq!((location.host.as_str(), location.shown().as_str()), (host, shown), "{url}");
    }
}

#[test]
fn what_is_missing_or_wrong_is_refused() {
    let table = [
        ("mysql://a@db/b", FORM),
        ("postgres://db/b", NO_USER),
        ("postgres://:hunter2@db/b", NO_USER),
        ("postgres://a@db", NO_DATABASE),
        ("postgres://a@db/", NO_DATABASE),
        ("postgres://a@/b", HOST),
        ("postgres://a@::1/b", HOST),
        ("postgres://a@[::1/b", HOST),
        ("postgres://a@[::1]5/b", HOST),
        ("postgres://a@b%C3%BCro/b", HOST),
        ("postgres://a@db/b?connect_timeout=0", TIMEOUT),
        ("postgres://a@db/b?connect_timeout=%2B5", TIMEOUT),
        ("postgres://a@db/b?connect_timeout=3601", TIMEOUT),
    ];
    for (url, expected) in table {
        assert_eq!(refusal(url), expected, "{url}");
    }
    let others = [
        "postgres://a@db:0/b",
        "postgres://a@db:65536/b",
        "postgres://a@db:x/b",
        "postgres://a@one,two/b",
        "postgres://a@db/b%00",
        "postgres://a@db/b%zz",
        "postgres://a@db/b c",
        "postgres://a@db/b?host=/run",
        "postgres://a@/b?host=db",
        "postgres://a@db/b?sslmode",
        "postgres://a@db/b?application_name=",
        "postgres://a@db/b?channel_binding=yes",
    ];
    for url in others {
        refusal(url);
    }
}

#[test]
fn a_parameter_is_refused_by_its_name() {
    let known = "sslmode, sslrootcert, channel_binding, application_name, connect_timeout, host";
    assert_eq!(refusal("postgres://a@db/b?sslkey=k"), format!("the parameter sslkey is not known; these are: {known}"));
    assert_eq!(refusal("postgres://a@db/b?S%20=k"), format!("a parameter is not known; these are: {known}"));
    let twice = refusal("postgres://a@db/b?sslmode=require&sslmode=disable");
    assert_eq!(twice, "the parameter sslmode is given twice");
    assert!(refusal("postgres://a@db/b?password=hunter2").starts_with("password is no parameter here"));
}

#[test]
fn no_part_of_a_password_is_shown() {
    // Each has a character in its password that should have been encoded.
    let urls = [
        "postgres://a:x?hunter=2@db/b",
        "postgres://a:x?hunter2@db/b",
        "postgres://a:hunter/2@db/b",
        "postgres://a:hunter@2@db/b",
        "postgres://a:hunter@x?hunter=2@db/b?sslmode=require",
        "postgres://a:hunter@x/hunter?hunter=2@db/b",
        "postgres://a:hunter%2@db/b",
        "postgres://a:hunter #2@db/b",
        "postgres://a:hunter2@/b",
        "postgres://a:hunter2@db",
    ];
    for url in urls {
        let refusal = refusal(url);
        assert!(!refusal.contains("hunter"), "{url}: {refusal}");
    }
    let location = parsed("postgres://alice:hunter2@db/shop");
    assert!(!format!("{location:?} {}", location.shown()).contains("hunter2"));
    assert!(!location.shown().contains("alice"));
}

#[test]
fn the_same_database_has_the_same_place() {
    let location = parsed("postgres://a@db/b");
    assert!(location.is_same_database(&parsed("postgresql://x:y@DB:5432/b?sslmode=require")));
    for other in ["postgres://a@db2/b", "postgres://a@db:5433/b", "postgres://a@db/B"] {
        assert!(!location.is_same_database(&parsed(other)), "{other}");
    }
}

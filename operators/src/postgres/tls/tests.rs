use super::*;

#[test]
fn modes_mean_what_libpq_says() {
    let table = [
        (Some("disable"), None, Mode::Disable, SslMode::Disable, None),
        (None, None, Mode::Prefer, SslMode::Prefer, Some(Check::Nothing)),
        (Some("allow"), None, Mode::Prefer, SslMode::Prefer, Some(Check::Nothing)),
        (Some("prefer"), None, Mode::Prefer, SslMode::Prefer, Some(Check::Nothing)),
        (Some("require"), None, Mode::Require, SslMode::Require, Some(Check::Nothing)),
        (Some("require"), Some("ca.pem"), Mode::Require, SslMode::Require, Some(Check::Chain)),
        (Some("verify-ca"), Some("ca.pem"), Mode::VerifyCa, SslMode::Require, Some(Check::Chain)),
        (Some("verify-ca"), None, Mode::VerifyCa, SslMode::Require, Some(Check::Chain)),
        (Some("verify-full"), Some("ca.pem"), Mode::VerifyFull, SslMode::Require, Some(Check::ChainAndName)),
        (Some("verify-full"), Some("system"), Mode::VerifyFull, SslMode::Require, Some(Check::ChainAndName)),
        (None, Some("system"), Mode::VerifyFull, SslMode::Require, Some(Check::ChainAndName)),
    ];
    for (sslmode, sslrootcert, mode, ssl_mode, check) in table {
        let tls = Tls::new(sslmode, sslrootcert).expect("a mode");
        assert_eq!((tls.mode, tls.ssl_mode(), tls.check()), (mode, ssl_mode, check), "{sslmode:?} {sslrootcert:?}");
    }
}

#[test]
fn what_would_check_nothing_is_refused() {
    let table = [
        (Some("VERIFY-FULL"), None),
        (Some(""), None),
        (None, Some("")),
        (None, Some("ca.pem")),
        (Some("disable"), Some("ca.pem")),
        (Some("prefer"), Some("system")),
        (Some("require"), Some("system")),
        (Some("verify-ca"), Some("system")),
    ];
    for (sslmode, sslrootcert) in table {
        assert!(Tls::new(sslmode, sslrootcert).is_err(), "{sslmode:?} {sslrootcert:?}");
    }
}

#[test]
fn certificates_are_read_from_a_file() {
    let pem = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/certificate.pem");
    let tls = |file: &str| Tls::new(Some("verify-full"), Some(file)).expect("a mode").client();
    assert!(tls(pem).expect("certificates").is_some());
    assert!(tls("/nowhere/ca.pem").is_err_and(|error| !error.is_transient()));
    assert!(tls(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).is_err_and(|error| !error.is_transient()));
    assert!(Tls::default().client().expect("no check").is_some());
    assert!(Tls::new(Some("disable"), None).expect("a mode").client().expect("no TLS").is_none());
}

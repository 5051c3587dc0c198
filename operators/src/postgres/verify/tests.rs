use std::time::Duration;

use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject;

use super::*;

/// An authority, for tests only.
const AUTHORITY: &str = "
-----BEGIN CERTIFICATE-----
MIIBnjCCAUOgAwIBAgIUQic/3p6XY/fKxR9wIi4nflUqn/8wCgYIKoZIzj0EAwIw
IzEhMB8GA1UEAwwYbGFrZWZyb250IHRlc3QgYXV0aG9yaXR5MCAXDTI2MTEyOTE3
Mjg0NloYDzIxMjYxMTA1MTcyODQ2WjAjMSEwHwYDVQQDDBhsYWtlZnJvbnQgdGVz
dCBhdXRob3JpdHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQITKu3EXiBKSXA
9MebrOluxmAg5NDvxSmG/K679jmhy/as0ONtgs+7wDeZTk2Y06EaFGsJjP6cQa2m
EG0Z6G6yo1MwUTAdBgNVHQ4EFgQUriyFwThbDiRp8soZeLX2LvaZmQUwHwYDVR0j
BBgwFoAUriyFwThbDiRp8soZeLX2LvaZmQUwDwYDVR0TAQH/BAUwAwEB/zAKBggq
hkjOPQQDAgNJADBGAiEAmrzU+kjNEdKfJnuAcL23OfISQMhTYLJa+yOPtp4NijUC
IQD+bMC117yVRTBwF3HRE7a2+1cBTQEriDiBOB7T3Vutbw==
-----END CERTIFICATE-----
";

/// A certificate for db.example and 192.0.2.1 that the authority has signed. Its common name is
/// ignored.example.
const SERVER: &str = "
-----BEGIN CERTIFICATE-----
MIIBqzCCAVGgAwIBAgIUUcJJ2e2CLFW2OyuEyIt2JPBCzV8wCgYIKoZIzj0EAwIw
IzEhMB8GA1UEAwwYbGFrZWZyb250IHRlc3QgYXV0aG9yaXR5MCAXDTI2MTEyOTE3
Mjg0NloYDzIxMjYxMTA1MTcyODQ2WjAaMRgwFgYDVQQDDA9pZ25vcmVkLmV4YW1w
bGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARyrbksiz2dB5FnBY7zZbQ7FZLs
JcheWRGAayTcMvrbsWUYY0nLQ2DGpw4QJsXQU+MLGqnBzp07Z0APMb7u5j80o2ow
aDAbBgNVHREEFDASggpkYi5leGFtcGxlhwTAAAIBMAkGA1UdEwQCMAAwHQYDVR0O
BBYEFGQtpkrdTXSb1w+vNJDoP9yk1CYmMB8GA1UdIwQYMBaAFK4shcE4Ww4kafLK
GXi19i72mZkFMAoGCCqGSM49BAMCA0gAMEUCIFAQ4oee4pE5Q/3mffYvtS107uzL
hOTcEHJdnly7GtpTAiEAlVKtVRUoflA0Apft8HLaXezl5u4/sZo1VLkxXmphERQ=
-----END CERTIFICATE-----
";

/// When all of these are valid, in seconds since 1970.
const NOW_S: u64 = 1_800_000_000;

fn certificate(pem: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem).expect("a certificate")
}

fn authority() -> CertificateDer<'static> {
    certificate(AUTHORITY.as_bytes())
}

fn server() -> CertificateDer<'static> {
    certificate(SERVER.as_bytes())
}

/// A certificate that has signed itself.
fn own() -> CertificateDer<'static> {
    certificate(include_bytes!("../../../testdata/certificate.pem"))
}

fn outcome(
    check: Check,
    anchors: Vec<CertificateDer<'static>>,
    shown: &CertificateDer<'_>,
    host: &str,
    now_s: u64,
) -> Result<(), Error> {
    let verifier = Verifier::new(check, anchors, ring::default_provider().signature_verification_algorithms);
    let host = ServerName::try_from(host).expect("a host");
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now_s));
    verifier.verify_server_cert(shown, &[], &host, &[], now).map(|_| ())
}

#[test]
fn without_a_check_any_certificate_will_do() {
    assert_eq!(outcome(Check::Nothing, Vec::new(), &server(), "other.example", 0), Ok(()));
}

#[test]
fn a_chain_is_checked_without_the_name() {
    let chain = |anchor, now_s| outcome(Check::Chain, vec![anchor], &server(), "other.example", now_s);
    assert_eq!(chain(authority(), NOW_S), Ok(()));
    assert!(matches!(chain(own(), NOW_S), Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))));
    assert!(chain(authority(), 0).is_err(), "it is not valid yet");
}

#[test]
fn a_name_is_checked_too() {
    let full = |host| outcome(Check::ChainAndName, vec![authority()], &server(), host, NOW_S);
    assert_eq!((full("db.example"), full("192.0.2.1")), (Ok(()), Ok(())));
    for host in ["other.example", "ignored.example", "192.0.2.2"] {
        assert!(
            matches!(full(host), Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. }))),
            "{host}"
        );
    }
    assert!(outcome(Check::ChainAndName, vec![own()], &server(), "db.example", NOW_S).is_err());
}

#[test]
fn a_trusted_certificate_may_have_signed_itself() {
    let chain = |anchor, now_s| outcome(Check::Chain, vec![anchor], &own(), "other.example", now_s);
    assert_eq!(chain(own(), NOW_S), Ok(()));
    assert!(chain(authority(), NOW_S).is_err(), "it is not the trusted one");
    assert!(chain(own(), 0).is_err(), "it is not valid yet");
    let name = outcome(Check::ChainAndName, vec![own()], &own(), "lakefront-test", NOW_S);
    assert!(name.is_err(), "a common name does not count");
}

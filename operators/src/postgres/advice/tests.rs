use rustls::Error as TlsError;

use super::*;

fn location() -> Location {
    Location::parse("postgres://alice:hunter2@db.example/shop").expect("a location")
}

#[test]
fn advice_names_the_setting_and_no_password() {
    for sqlstate in ["28P01", "28000", "3D000", "42501", "53300", "57P03"] {
        let advice = of_code(&location(), sqlstate).expect("advice");
        assert!(!advice.contains("hunter2"), "{advice}");
    }
    assert_eq!(of_code(&location(), "XX000"), None);
    let location = location().with_password(super::super::Password::File("/run/secrets/pg".into()));
    let advice = of_code(&location, "28P01").expect("advice");
    assert!(advice.ends_with("it is the first line of /run/secrets/pg"), "{advice}");
}

#[test]
fn a_refused_certificate_has_advice() {
    let advice = |error: CertificateError| of_tls(&TlsError::InvalidCertificate(error));
    assert!(advice(CertificateError::UnknownIssuer).is_some_and(|advice| advice.contains("sslrootcert")));
    assert!(advice(CertificateError::NotValidForName).is_some_and(|advice| advice.contains("verify-ca")));
    assert!(advice(CertificateError::Expired).is_some());
    assert_eq!(of_tls(&TlsError::DecryptError), None);
}

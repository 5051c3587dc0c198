//! Assertions signed with an application's certificate, as Entra's documentation of "certificate
//! credentials" specifies.
//!
//! Leaves to others: sending them. The SDK's own credential of this kind needs OpenSSL, which this
//! build does not include.

use std::fmt;

use async_trait::async_trait;
use azure_core::base64::encode_url_safe;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use uuid::Uuid;

use crate::protocol::clock::Clock;
use crate::run::clock::SystemClock;

/// How long an assertion is valid, in seconds; it is sent at once.
const LIFETIME: u64 = 600;

/// A certificate with its private key.
pub(super) struct Certificate {
    key: RsaKeyPair,
    header: String,
    client_id: String,
    audience: String,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

impl Certificate {
    /// The certificate of application `client_id` in `pem`, which also holds its private key;
    /// `audience` is the URL that tokens are requested from.
    pub(super) fn new(pem: &[u8], client_id: &str, audience: String) -> Result<Certificate, &'static str> {
        let certificate = CertificateDer::from_pem_slice(pem).map_err(|_| "there is no certificate in the PEM file")?;
        let key = match PrivateKeyDer::from_pem_slice(pem) {
            Ok(PrivateKeyDer::Pkcs8(key)) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            Ok(PrivateKeyDer::Pkcs1(key)) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err("the PEM file has no unencrypted private key"),
        };
        let key = key.map_err(|_| "the private key is not an RSA key of 2048 bits or more")?;
        let thumbprint = |algorithm| encode_url_safe(digest(algorithm, &certificate));
        let header = json!({
            "alg": "RS256",
            "typ": "JWT",
            "x5t": thumbprint(&SHA1_FOR_LEGACY_USE_ONLY),
            "x5t#S256": thumbprint(&SHA256),
        });
        Ok(Certificate { key, header: header.to_string(), client_id: client_id.to_owned(), audience })
    }

    /// An assertion that is valid from `now`, in seconds, and is identified by `id`.
    fn assertion(&self, now: u64, id: &str) -> Result<String, ring::error::Unspecified> {
        let claims = json!({
            "aud": self.audience,
            "iss": self.client_id,
            "sub": self.client_id,
            "jti": id,
            "nbf": now,
            "exp": now + LIFETIME,
        });
        let signed = format!("{}.{}", encode_url_safe(&self.header), encode_url_safe(claims.to_string()));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)?;
        Ok(format!("{signed}.{}", encode_url_safe(signature)))
    }
}

#[async_trait]
impl ClientAssertion for Certificate {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        self.assertion(SystemClock.now_ms() / 1000, &Uuid::new_v4().to_string())
            .map_err(|_| Error::with_message(ErrorKind::Credential, "the certificate's key could not sign"))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use azure_core::base64::decode_url_safe;
    use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;

    /// A certificate with its key, for tests only.
    pub(in super::super) const PEM: &[u8] = include_bytes!("../../testdata/certificate.pem");

    /// Verifies the signature of `assertion` with the key in [`PEM`]; returns its header and
    /// claims.
    pub(in super::super) fn verified(assertion: &str) -> [Value; 2] {
        let (signed, signature) = assertion.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let certificate = Certificate::new(PEM, "app", String::new()).unwrap();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, certificate.key.public_key().as_ref());
        key.verify(signed.as_bytes(), &decode_url_safe(signature).unwrap()).unwrap();
        [header, claims].map(|part| serde_json::from_slice(&decode_url_safe(part).unwrap()).unwrap())
    }

    #[test]
    fn an_assertion_says_who_and_is_signed() {
        let certificate = Certificate::new(PEM, "app", "https://login.example/t/oauth2/v2.0/token".to_owned()).unwrap();
        let [header, claims] = verified(&certificate.assertion(1_795_244_400, "id-1").unwrap());
        // As `openssl x509 -fingerprint` prints them.
        let sha1 = "15:2D:32:AA:73:04:92:95:2E:DD:BB:DC:50:27:70:9D:37:BE:47:00";
        let sha256 = "54:5F:4F:0B:E9:B2:38:92:D5:61:AB:AE:D7:92:58:61:7B:70:83:2B:19:8D:FB:DF:4C:CB:34:D6:43:39:8A:ED";
        let thumbprint = |hex: &str| {
            let bytes = hex.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap());
            encode_url_safe(bytes.collect::<Vec<_>>())
        };
        let expected = json!({"alg": "RS256", "typ": "JWT", "x5t": thumbprint(sha1), "x5t#S256": thumbprint(sha256)});
        assert_eq!(header, expected);
        let expected = json!({
            "aud": "https://login.example/t/oauth2/v2.0/token", "iss": "app", "sub": "app", "jti": "id-1",
            "nbf": 1_795_244_400u64, "exp": 1_795_245_000u64,
        });
        assert_eq!(claims, expected);
        assert_eq!(format!("{certificate:?}"), r#"Certificate { client_id: "app", .. }"#);
    }

    #[test]
    fn what_is_no_certificate_is_told() {
        let told = |pem: &[u8]| Certificate::new(pem, "app", String::new()).unwrap_err();
        let text = std::str::from_utf8(PEM).unwrap();
        let key = text.find("-----BEGIN PRIVATE KEY").unwrap();
        assert_eq!(told(b""), "there is no certificate in the PEM file");
        assert_eq!(told(&PEM[key..]), "there is no certificate in the PEM file");
        assert_eq!(told(&PEM[..key]), "the PEM file has no unencrypted private key");
        let other = text[key..].replace("MII", "MIJ");
        assert_eq!(
            told((text[..key].to_owned() + &other).as_bytes()),
            "the private key is not an RSA key of 2048 bits or more"
        );
    }
}

//! What of a server's certificate is checked.
//!
//! Promises: whatever is checked of a certificate, the server proves that it has its key.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// How much is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// Nothing: any certificate will do.
    Nothing,
    /// That a trusted certificate has signed it, and that it is valid today.
    Chain,
    /// That it is for the host's name too.
    ChainAndName,
}

/// Checks certificates as far as it was told to.
#[derive(Debug)]
pub(super) struct Verifier {
    check: Check,
    anchors: Vec<CertificateDer<'static>>,
    roots: RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// Trusts `anchors`; those that [`Verifier::accepts`] does not are left out.
    pub(super) fn new(
        check: Check,
        anchors: Vec<CertificateDer<'static>>,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Verifier {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(anchors.iter().cloned());
        Verifier { check, anchors, roots, algorithms }
    }

    /// Whether `certificate` can be trusted at all: a machine's store may hold what is none.
    pub(super) fn accepts(certificate: &CertificateDer<'static>) -> bool {
        RootCertStore::empty().add(certificate.clone()).is_ok()
    }

    /// Whether one of the anchors has signed `end_entity`, directly or through `intermediates`.
    fn verify_chain(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.algorithms.all;
        match verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, algorithms) {
            // A certificate that signed itself, and is trusted because it is in the file: that is
            // how PostgreSQL's manual makes one, and OpenSSL accepts it. webpki refuses its use for
            // a server, but only after it has found it valid today.
            Err(Error::InvalidCertificate(error)) if is_authority(&error) && self.is_anchor(end_entity) => Ok(()),
            outcome => outcome,
        }
    }

    fn is_anchor(&self, certificate: &CertificateDer<'_>) -> bool {
        self.anchors.iter().any(|anchor| anchor.as_ref() == certificate.as_ref())
    }
}

/// Whether a certificate was refused because it is an authority's. rustls has no error of its own
/// for it, and passes webpki's on.
fn is_authority(error: &CertificateError) -> bool {
    matches!(error, CertificateError::Other(other) if other.0.to_string() == "CaUsedAsEndEntity")
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.check != Check::Nothing {
            self.verify_chain(end_entity, intermediates, now)?;
        }
        if self.check == Check::ChainAndName {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;

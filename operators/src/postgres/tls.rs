//! Encryption: what libpq's `sslmode` and `sslrootcert` mean, and the configuration of rustls for
//! them.
//!
//! Promises: the crypto provider is named here, so that no other part of the process decides about
//! it. Certificates are read anew for each connection. Leaves to others: the checks themselves,
//! and client certificates, which are not supported.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio_postgres::config::SslMode;

use super::verify::{Check, Verifier};
use crate::error::StoreError;

/// Where libpq looks for certificates below the home directory.
const ROOTS: &str = ".postgresql/root.crt";

/// How a connection is encrypted, and what is checked. [`Tls::new`] refuses what makes no sense.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// How far the server is trusted.
    pub mode: Mode,
    /// Who may have signed its certificate.
    pub roots: Option<Roots>,
}

/// The modes of libpq's `sslmode`, from the weakest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// `disable`: not encrypted.
    Disable,
    /// `prefer`: encrypted if the server offers it, and nothing is checked, so it is no protection
    /// from who sits in between. `allow` is read as this. Unlike libpq, a server that offers
    /// encryption and then refuses us is not tried again without.
    #[default]
    Prefer,
    /// `require`: encrypted, and nothing is checked, unless there are roots: then it is
    /// [`Mode::VerifyCa`].
    Require,
    /// `verify-ca`: a root has signed the certificate.
    VerifyCa,
    /// `verify-full`: a root has signed the certificate, and it is for the host's name. Only the
    /// certificate's alternative names count: a common name does not.
    VerifyFull,
}

/// Certificates that are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// Those of a PEM file. The server's own certificate may be among them.
    File(PathBuf),
    /// `system`: those that this machine trusts.
    System,
}

impl Tls {
    /// Reads `sslmode` and `sslrootcert`. Without a mode, it is `prefer`, or `verify-full` for
    /// `sslrootcert=system`. An error is a fixed text.
    pub fn new(sslmode: Option<&str>, sslrootcert: Option<&str>) -> Result<Tls, &'static str> {
        let roots = match sslrootcert {
            None => None,
            Some("") => return Err("sslrootcert is the path of a PEM file, or system"),
            Some("system") => Some(Roots::System),
            Some(file) => Some(Roots::File(file.into())),
        };
        let mode = match (sslmode, &roots) {
            (None, Some(Roots::System)) => Mode::VerifyFull,
            (None, _) => Mode::default(),
            (Some(mode), _) => Mode::parse(mode)?,
        };
        match (mode, &roots) {
            (Mode::Disable | Mode::Prefer, Some(_)) => {
                Err("sslrootcert is used only with sslmode=verify-full, verify-ca or require")
            }
            // Anybody can have a certificate that one of the system's roots has signed.
            (Mode::Require | Mode::VerifyCa, Some(Roots::System)) => {
                Err("sslrootcert=system proves nothing without the host's name: it needs sslmode=verify-full")
            }
            _ => Ok(Tls { mode, roots }),
        }
    }

    /// What to tell the client library, which knows no checks.
    pub(super) fn ssl_mode(&self) -> SslMode {
        match self.mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        }
    }

    /// What of the certificate is checked; `None` without encryption.
    fn check(&self) -> Option<Check> {
        match (self.mode, &self.roots) {
            (Mode::Disable, _) => None,
            (Mode::Prefer, _) | (Mode::Require, None) => Some(Check::Nothing),
            (Mode::Require, Some(_)) | (Mode::VerifyCa, _) => Some(Check::Chain),
            (Mode::VerifyFull, _) => Some(Check::ChainAndName),
        }
    }

    /// The configuration of rustls; `None` without encryption. Fails if there are no certificates
    /// to check with.
    pub(super) fn client(&self) -> Result<Option<ClientConfig>, StoreError> {
        let Some(check) = self.check() else { return Ok(None) };
        let provider = Arc::new(ring::default_provider());
        let anchors = match check {
            Check::Nothing => Vec::new(),
            Check::Chain | Check::ChainAndName => self.anchors()?,
        };
        let verifier = Verifier::new(check, anchors, provider.signature_verification_algorithms);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| StoreError::definite("set up TLS", error))?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        Ok(Some(builder.with_no_client_auth()))
    }

    /// The certificates that are trusted, one or more.
    fn anchors(&self) -> Result<Vec<CertificateDer<'static>>, StoreError> {
        match &self.roots {
            Some(Roots::File(file)) => in_file(file),
            Some(Roots::System) => of_system(),
            None => match std::env::home_dir().map(|home| home.join(ROOTS)).filter(|file| file.exists()) {
                Some(file) => in_file(&file),
                None => Err(StoreError::definite(
                    "find the certificates that may have signed the server's",
                    "sslmode=verify-ca and verify-full need sslrootcert: the path of a PEM file with the authority's \
                     certificate, or system; ~/.postgresql/root.crt, which is used without, does not exist",
                )),
            },
        }
    }
}

impl Mode {
    fn parse(text: &str) -> Result<Mode, &'static str> {
        match text {
            "disable" => Ok(Mode::Disable),
            "allow" | "prefer" => Ok(Mode::Prefer),
            "require" => Ok(Mode::Require),
            "verify-ca" => Ok(Mode::VerifyCa),
            "verify-full" => Ok(Mode::VerifyFull),
            _ => Err("sslmode is disable, allow, prefer, require, verify-ca or verify-full"),
        }
    }
}

fn in_file(file: &Path) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let attempt = || format!("read the certificates in {}", file.display());
    let pem = std::fs::read(file).map_err(|error| StoreError::definite(attempt(), error))?;
    match CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>() {
        Ok(certificates) if certificates.iter().any(Verifier::accepts) => Ok(certificates),
        Ok(_) => Err(StoreError::definite(attempt(), "there is no certificate in the PEM file")),
        Err(error) => Err(StoreError::definite(attempt(), error)),
    }
}

fn of_system() -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let certificates = rustls_native_certs::load_native_certs().certs;
    match certificates.iter().any(Verifier::accepts) {
        true => Ok(certificates),
        false => Err(StoreError::definite(
            "read the certificates that this machine trusts",
            "there are none: install the package ca-certificates, or give sslrootcert a PEM file",
        )),
    }
}

#[cfg(test)]
mod tests;

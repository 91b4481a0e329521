//! The certificate that the stand-in shows, and who has signed it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// A certificate for this machine, with its key and its authority.
pub struct Identity {
    pub(super) ca_pem: String,
    pub(super) tls: TlsAcceptor,
}

impl Identity {
    /// A new one for `localhost` and `127.0.0.1`, signed by an authority of its own.
    ///
    /// # Errors
    ///
    /// There are no random bytes.
    pub fn new() -> io::Result<Self> {
        let (authority, certificate, key) = certify().map_err(io::Error::other)?;
        Self::with(authority, vec![certificate], key)
    }

    /// The one in these PEM files.
    ///
    /// # Errors
    ///
    /// A file can't be read, or key and certificate don't belong together.
    pub fn read(authority: &Path, certificate: &Path, key: &Path) -> io::Result<Self> {
        let chain: Result<_, _> = CertificateDer::pem_file_iter(certificate)
            .map_err(io::Error::other)?
            .collect();
        Self::with(
            std::fs::read_to_string(authority)?,
            chain.map_err(io::Error::other)?,
            PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?,
        )
    }

    fn with(
        ca_pem: String,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> io::Result<Self> {
        let settings = rustls::ServerConfig::builder_with_provider(super::provider())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(io::Error::other)?;
        Ok(Self {
            ca_pem,
            tls: TlsAcceptor::from(Arc::new(settings)),
        })
    }
}

/// Makes an authority, and a certificate for this machine that it has signed.
fn certify() -> Result<(String, CertificateDer<'static>, PrivateKeyDer<'static>), rcgen::Error> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
    Ok((authority.as_ref().pem(), certificate.into(), key.into()))
}

//! The certificate that the stand-in shows, and who has signed it.

use std::io;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::stack::tls::{Authority, Certificates, THIS_MACHINE};

/// A certificate for this machine, with its key and its authority.
pub struct Identity {
    ca_pem: String,
    tls: TlsAcceptor,
    /// Where it can sign another one.
    authority: Option<Authority>,
}

impl Identity {
    /// A new one, signed by an authority of its own.
    ///
    /// # Errors
    ///
    /// It can't be made.
    pub fn new() -> io::Result<Self> {
        let authority = Authority::new().map_err(io::Error::other)?;
        Ok(Self {
            ca_pem: authority.pem(),
            tls: signed_by(&authority)?,
            authority: Some(authority),
        })
    }

    /// The one in these files.
    ///
    /// # Errors
    ///
    /// A file can't be read, or key and certificate don't belong together.
    pub(crate) fn read(files: &Certificates) -> io::Result<Self> {
        let chain: Result<_, _> = CertificateDer::pem_file_iter(&files.server)
            .map_err(io::Error::other)?
            .collect();
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(io::Error::other)?;
        Ok(Self {
            ca_pem: std::fs::read_to_string(&files.authority)?,
            tls: acceptor(chain.map_err(io::Error::other)?, key)?,
            authority: None,
        })
    }

    pub(super) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.tls.clone()
    }

    /// The same with another certificate of the same authority.
    pub(super) fn renewed(&self) -> io::Result<TlsAcceptor> {
        match &self.authority {
            Some(authority) => signed_by(authority),
            None => Err(io::Error::other("the authority's key is not at hand")),
        }
    }
}

fn signed_by(authority: &Authority) -> io::Result<TlsAcceptor> {
    let (certificate, key) = authority.certify(&THIS_MACHINE).map_err(io::Error::other)?;
    acceptor(vec![certificate.into()], key.into())
}

fn acceptor(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> io::Result<TlsAcceptor> {
    let settings = rustls::ServerConfig::builder_with_provider(super::provider())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(std::sync::Arc::new(settings)))
}

//! TLS with clients and with the server. Clients see the certificate of the stack's server.

use std::io;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::stack::tls::Certificates;

pub(super) struct Tls {
    certificates: Certificates,
    connector: TlsConnector,
    /// The name in the server's certificate.
    host: ServerName<'static>,
}

impl Tls {
    pub(super) fn new(host: &str, certificates: &Certificates) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(&certificates.authority);
        let authority = authority.map_err(io::Error::other)?;
        roots.add(authority).map_err(io::Error::other)?;
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            certificates: certificates.clone(),
            connector: TlsConnector::from(Arc::new(client)),
            host: ServerName::try_from(host.to_owned()).map_err(io::Error::other)?,
        })
    }

    /// Begins TLS with a client. Reads the certificate each time, because it may have changed.
    pub(super) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<server::TlsStream<TcpStream>> {
        let Certificates { server, key, .. } = &self.certificates;
        let certificate = CertificateDer::from_pem_file(server).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .map_err(io::Error::other)?;
        TlsAcceptor::from(Arc::new(config)).accept(stream).await
    }

    /// Begins TLS with the server.
    pub(super) async fn connect(
        &self,
        stream: TcpStream,
    ) -> io::Result<client::TlsStream<TcpStream>> {
        self.connector.connect(self.host.clone(), stream).await
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

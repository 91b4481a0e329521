//! The provider of all TLS connections of the process, and the root certificates for each kind of
//! server.
//!
//! | server | roots |
//! | --- | --- |
//! | AWS | [`amazon_roots`]: those of Amazon Trust Services |
//! | PlanetScale's API | [`public_roots`]: Mozilla's, from the crate webpki-roots |
//! | the database | [`DatabaseRoots`]: Mozilla's, which the driver has built in, or those of a file |
//!
//! The system's store is not used, because it has some 140 certificates to read at each cold start.

use std::path::Path;

use rustls::{
    RootCertStore,
    crypto::ring::{self, kx_group},
    pki_types::{CertificateDer, pem::PemObject},
};

/// The roots of Amazon Trust Services. The certificates of AWS's endpoints chain to them. AWS asks
/// its customers to trust all five.
pub fn amazon_roots() -> RootCertStore {
    const AMAZON_ROOTS: &str = include_str!("tls/amazon_roots.pem");
    let certificates = CertificateDer::pem_slice_iter(AMAZON_ROOTS.as_bytes());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.flatten());
    roots
}

/// Mozilla's roots.
pub fn public_roots() -> RootCertStore {
    RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    }
}

/// The roots that the database's certificate must chain to.
#[derive(Debug, Clone)]
pub enum DatabaseRoots {
    /// Mozilla's. `mysql_async` accepts only its own copy of webpki-roots, or PEM.
    Public,
    /// Only the certificates of your own authority, as PEM.
    Own(Vec<u8>),
}

impl DatabaseRoots {
    /// Reads the certificates of a PEM file.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, as the end of a sentence that begins with its setting.
    pub fn from_file(path: &Path) -> Result<Self, String> {
        let pem = std::fs::read(path)
            .map_err(|error| format!("names a file that can't be read: {}", error.kind()))?;
        let mut certificates = 0;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            certificate.map_err(|_| "names a file that is not PEM")?;
            certificates += 1;
        }
        if certificates == 0 {
            return Err("names a file without a PEM certificate".to_owned());
        }
        Ok(Self::Own(pem))
    }
}

/// Makes ring the provider of TLS for the whole process.
///
/// The first key share that it offers is of P-256. MySQL accepts no X25519, and asking for another
/// share costs a round trip. All other servers accept both.
pub fn install_provider() {
    let mut provider = ring::default_provider();
    provider.kx_groups = vec![kx_group::SECP256R1, kx_group::X25519, kx_group::SECP384R1];
    // This fails only if a provider was installed before, and only this function installs one.
    let _ = provider.install_default();
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{ClientConfig, ClientConnection};

    use super::*;

    #[test]
    fn every_root_of_amazon_is_taken() {
        assert_eq!(amazon_roots().len(), 5);
    }

    #[test]
    fn the_key_share_that_comes_first_is_one_that_mysql_takes() {
        install_provider();
        let config = ClientConfig::builder()
            .with_root_certificates(public_roots())
            .with_no_client_auth();
        let server = "db.example".try_into().unwrap();
        let mut client = ClientConnection::new(Arc::new(config), server).unwrap();
        let mut hello = Vec::new();
        client.write_tls(&mut hello).unwrap();
        // The extension, its length, the length of its list, and the group (RFC 8446, section 4.2.8).
        let [extension, group] = [[0, 51], [0, 23]];
        let offers = |bytes: &[u8]| bytes.starts_with(&extension) && bytes.ends_with(&group);
        assert!(hello.windows(8).any(offers));
    }
}

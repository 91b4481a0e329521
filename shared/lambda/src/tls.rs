//! The provider of all TLS connections of the process, and the root certificates for each kind of
//! server.
//!
//! | server | roots |
//! | --- | --- |
//! | AWS | [`AMAZON_ROOTS`] |
//! | PlanetScale's API | [`public_roots`]: Mozilla's, from the crate webpki-roots |
//! | the database | [`DatabaseRoots`]: Mozilla's, which the driver has built in, or those of a file |
//!
//! The system's store is not used, because it has some 140 certificates to read at each cold start.

use std::path::Path;

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// The roots of Amazon Trust Services as PEM. The certificates of AWS's endpoints chain to them.
/// AWS asks its customers to trust all five.
pub const AMAZON_ROOTS: &str = include_str!("tls/amazon_roots.pem");

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
pub fn install_provider() {
    // This fails only if a provider was installed before, and only this function installs one.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

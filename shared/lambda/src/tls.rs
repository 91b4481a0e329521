//! What every TLS connection of the process stands on: one provider, and the roots that each kind of
//! server is trusted by.
//!
//! | server | roots |
//! | --- | --- |
//! | AWS | [`AMAZON_ROOTS`] |
//! | PlanetScale's API | [`public_roots`]: Mozilla's, as the crate webpki-roots carries them |
//! | the database | [`DatabaseRoots`]: the same ones, which the driver has built in, or those of a file |
//!
//! The system's store is not read: that would be some 140 certificates at each cold start.

use std::path::Path;

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// The roots of Amazon Trust Services as PEM, to which the certificates of AWS's endpoints chain. AWS
/// asks its customers to trust all five.
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
    /// Mozilla's. `mysql_async` takes no others than its own copy of webpki-roots, or PEM.
    Public,
    /// An own authority's certificates alone, as PEM.
    Own(Vec<u8>),
}

impl DatabaseRoots {
    /// The certificates of a PEM file.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, as the end of a sentence about what names it.
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
    // It fails only where a provider was chosen before, and this is the only place.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

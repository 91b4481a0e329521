//! What every TLS connection of the process stands on: one provider, and the roots that each kind of
//! server is trusted by.
//!
//! | server | roots |
//! | --- | --- |
//! | AWS | [`AMAZON_ROOTS`] |
//! | the database, PlanetScale's API | Mozilla's, as the crate webpki-roots carries them; the driver has the same built in |
//!
//! The system's store is not read: that would be some 140 certificates at each cold start.

use rustls::RootCertStore;

/// The roots of Amazon Trust Services as PEM, to which the certificates of AWS's endpoints chain. AWS
/// asks its customers to trust all five.
pub const AMAZON_ROOTS: &str = include_str!("tls/amazon_roots.pem");

/// Mozilla's roots.
pub fn public_roots() -> RootCertStore {
    RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    }
}

/// Makes ring the provider of TLS for the whole process.
pub fn install_provider() {
    // It fails only where a provider was chosen before, and this is the only place.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

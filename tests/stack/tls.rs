//! The stack's certificate authorities and the certificates of its servers.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::stack::file;

/// Clients accept no certificate that is valid for longer (the CA/Browser Forum's limit).
const VALID: Duration = Duration::days(398);

/// The folder of the stack server's certificates.
pub const FOLDER: &str = "tls";

/// The names that clients on this machine may use for it.
pub const THIS_MACHINE: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

/// An authority that signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new authority.
    pub fn new() -> Result<Self, rcgen::Error> {
        let mut params = params(&[], "local stack", OffsetDateTime::now_utc())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        Ok(Self(issuer))
    }

    /// What clients have to trust, as PEM.
    pub fn pem(&self) -> String {
        self.0.as_ref().pem()
    }

    /// A new certificate for these hosts, with its key.
    pub fn certify(&self, hosts: &[&str]) -> Result<(Certificate, KeyPair), rcgen::Error> {
        let mut params = params(hosts, "local server", OffsetDateTime::now_utc())?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        Ok((params.signed_by(&key, &self.0)?, key))
    }
}

/// The PEM files that the server and its clients need.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Certificates {
    /// The authority's certificate, for the clients.
    pub authority: PathBuf,
    /// The server's certificate for 127.0.0.1, ::1 and localhost.
    pub server: PathBuf,
    /// The server's private key.
    pub key: PathBuf,
}

impl Certificates {
    /// New certificates in `folder`, by this authority.
    pub fn by(authority: &Authority, folder: &Path) -> anyhow::Result<Self> {
        let certificates = Self {
            authority: folder.join("ca.pem"),
            server: folder.join("server.pem"),
            key: folder.join("server-key.pem"),
        };
        file::create_folder(folder)?;
        file::write(&certificates.authority, &authority.pem())?;
        certificates.renew(authority, &THIS_MACHINE)?;
        Ok(certificates)
    }

    /// Gives the server another certificate and key, for these hosts.
    pub fn renew(&self, authority: &Authority, hosts: &[&str]) -> anyhow::Result<()> {
        let (certificate, key) = authority.certify(hosts)?;
        file::write(&self.server, &certificate.pem())?;
        file::write(&self.key, &key.serialize_pem())?;
        Ok(())
    }
}

fn params(
    names: &[&str],
    subject: &str,
    now: OffsetDateTime,
) -> Result<CertificateParams, rcgen::Error> {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, subject);
    // A client's clock may be a little slow.
    params.not_before = now - Duration::days(1);
    params.not_after = now + VALID;
    Ok(params)
}

//! Certificate authorities of the stack's own, and the certificates of its servers.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::stack::file::{self, FileError};

/// Clients accept no certificate that is valid for longer (the CA/Browser Forum's limit).
const VALID: Duration = Duration::days(398);

/// Certificates with less time left than this are made anew.
const TOO_SHORT: Duration = Duration::days(30);

/// The folder of the stack's own, in that of the stack.
pub const FOLDER: &str = "tls";

/// What clients on this machine may call it.
pub const THIS_MACHINE: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

/// An authority that vouches for servers.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one, which nobody trusts yet.
    pub fn new() -> Result<Self, TlsError> {
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
    pub fn certify(&self, hosts: &[&str]) -> Result<(Certificate, KeyPair), TlsError> {
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

/// The certificates could not be made or kept.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificates could not be made.
    #[error("can't make the server's certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Certificates {
    /// The certificates in `folder`, which are made when they aren't there or soon expire. The
    /// authority's key is thrown away, so it can sign nothing else.
    pub fn keep(folder: &Path) -> Result<Self, TlsError> {
        let certificates = Self::in_folder(folder);
        // Written last, so that it speaks for the others too.
        let valid_until = folder.join("valid-until");
        let now = OffsetDateTime::now_utc();
        if still_valid(&valid_until, now + TOO_SHORT) {
            return Ok(certificates);
        }
        file::create_folder(folder)?;
        file::remove(&valid_until)?;
        Self::by(&Authority::new()?, folder)?;
        file::write(&valid_until, &(now + VALID).unix_timestamp().to_string())?;
        Ok(certificates)
    }

    /// New certificates in `folder`, by an authority that can be used again.
    pub fn by(authority: &Authority, folder: &Path) -> Result<Self, TlsError> {
        let certificates = Self::in_folder(folder);
        file::create_folder(folder)?;
        file::write(&certificates.authority, &authority.pem())?;
        certificates.renew(authority, &THIS_MACHINE)?;
        Ok(certificates)
    }

    /// The files of `folder`, whether they are there or not.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            authority: folder.join("ca.pem"),
            server: folder.join("server.pem"),
            key: folder.join("server-key.pem"),
        }
    }

    /// Gives the server another certificate and key, for these hosts.
    pub fn renew(&self, authority: &Authority, hosts: &[&str]) -> Result<(), TlsError> {
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
    // A clock that goes a little slow is no reason to refuse it.
    params.not_before = now - Duration::days(1);
    params.not_after = now + VALID;
    Ok(params)
}

fn still_valid(valid_until: &Path, at: OffsetDateTime) -> bool {
    let recorded = file::read(valid_until)
        .ok()
        .and_then(|text| text.parse::<i64>().ok());
    recorded.is_some_and(|until| until > at.unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_kept_until_they_soon_expire() {
        let folder = std::env::temp_dir().join(format!("tls-{}", std::process::id()));
        let first = Certificates::keep(&folder).unwrap();
        let made = std::fs::read_to_string(&first.server).unwrap();
        assert!(made.starts_with("-----BEGIN CERTIFICATE-----"));

        Certificates::keep(&folder).unwrap();
        assert_eq!(std::fs::read_to_string(&first.server).unwrap(), made);

        let soon = OffsetDateTime::now_utc() + Duration::days(29);
        std::fs::write(
            folder.join("valid-until"),
            soon.unix_timestamp().to_string(),
        )
        .unwrap();
        Certificates::keep(&folder).unwrap();
        assert_ne!(std::fs::read_to_string(&first.server).unwrap(), made);
        std::fs::remove_dir_all(folder).unwrap();
    }
}

//! The stack's own certificate authority and the server's certificate.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

use crate::file::{self, FileError};

/// Clients accept no certificate that is valid for longer (the CA/Browser Forum's limit).
const VALID: Duration = Duration::days(398);

/// Certificates with less time left than this are made anew.
const TOO_SHORT: Duration = Duration::days(30);

/// The PEM files that the server and its clients need.
#[derive(Debug, Clone)]
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
        let certificates = Self::beside(&folder.join("ca.pem"));
        // Written last, so that it speaks for the others too.
        let valid_until = folder.join("valid-until");
        let now = OffsetDateTime::now_utc();
        if still_valid(&valid_until, now + TOO_SHORT) {
            return Ok(certificates);
        }
        file::create_folder(folder)?;
        file::remove(&valid_until)?;
        certificates.make(now)?;
        file::write(&valid_until, &(now + VALID).unix_timestamp().to_string())?;
        Ok(certificates)
    }

    /// The certificates whose authority is in this file, which are there already.
    pub fn beside(authority: &Path) -> Self {
        Self {
            authority: authority.to_owned(),
            server: authority.with_file_name("server.pem"),
            key: authority.with_file_name("server-key.pem"),
        }
    }

    fn make(&self, now: OffsetDateTime) -> Result<(), TlsError> {
        let mut authority = params(&[], "local stack", now)?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

        let mut server = params(&["127.0.0.1", "::1", "localhost"], "local server", now)?;
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let server = server.signed_by(&key, &authority)?;

        file::write(&self.authority, &authority.pem())?;
        file::write(&self.server, &server.pem())?;
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

//! What tells one text from another in a cursor, a request and an idempotency key.

/// SHA-256 of the data.
pub(super) fn sha256(data: &[u8]) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, data);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

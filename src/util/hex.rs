//! Bytes and digests as hexadecimal text.

use sha2::{Digest, Sha256};

/// Two lower-case digits for each byte.
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 digest of what was hashed, 64 digits.
pub fn digest(hasher: Sha256) -> String {
    encode(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_two_digits() {
        assert_eq!(encode(&[0, 10, 255]), "000aff");
    }

    /// The digest of no bytes, as FIPS 180 implementations print it.
    #[test]
    fn the_digest_of_nothing_is_the_published_one() {
        let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest(Sha256::new()), expected);
    }
}

//! Bytes as lower-case hexadecimal, for serial numbers, digests and DER inside the journal.

/// Lower case, two digits a byte.
pub fn encode(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|b| [b >> 4, b & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// Two digits a byte, either case; colons are skipped, as OpenSSL prints serial numbers with them.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().filter(|c| *c != ':').map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then(|| pairs.map(|p| p.iter().fold(0, |byte, d| byte << 4 | d)).collect())
}

/// For serde: a byte string as hexadecimal text.
pub mod serde_bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes text.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::encode(bytes))
    }

    /// Reads text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        super::decode(&text).ok_or_else(|| D::Error::custom("not hexadecimal"))
    }
}

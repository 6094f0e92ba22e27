//! What is shown of a key: words for eyes, a document for machines.

pub use crate::screen::moment;
use crate::screen::{Screen, hex};
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::{KeyEntry, KeyState};
use serde_json::{Value, json};
use time::OffsetDateTime;

/// The word for a state.
pub fn state_word(screen: &Screen, state: KeyState) -> &'static str {
    match state {
        KeyState::PreActive => screen.text("pre-active", "chưa kích hoạt"),
        KeyState::Active => screen.text("active", "đang hoạt động"),
        KeyState::Suspended => screen.text("suspended", "tạm dừng"),
        KeyState::Deactivated => screen.text("deactivated", "ngừng hoạt động"),
        KeyState::Compromised => screen.text("compromised", "đã lộ"),
        KeyState::Destroyed => screen.text("destroyed", "đã tiêu hủy"),
    }
}

/// The word for what kind of key it is.
pub fn class_word(of: u64) -> &'static str {
    match of {
        class::PUBLIC_KEY => "public key",
        class::PRIVATE_KEY => "private key",
        class::SECRET_KEY => "secret key",
        _ => "object",
    }
}

/// The name of a key type, with the size where it has several.
pub fn type_word(kind: u64, bits: u32) -> String {
    let name = match kind {
        key_type::RSA => "RSA",
        key_type::EC => "EC P",
        key_type::AES => "AES",
        key_type::AES_XTS => "AES-XTS",
        key_type::GENERIC_SECRET => "GENERIC",
        key_type::EC_EDWARDS => "Ed25519",
        key_type::EC_MONTGOMERY => "X25519",
        key_type::HKDF => "HKDF",
        key_type::ML_KEM => "ML-KEM",
        key_type::ML_DSA => "ML-DSA",
        key_type::SHA256_HMAC..=key_type::SHA224_HMAC | key_type::SHA3_224_HMAC..=key_type::SHA3_512_HMAC => "HMAC",
        _ => return format!("{kind:#x}"),
    };
    if bits == 0 { name.into() } else { format!("{name}-{bits}") }
}

/// Nothing, Mật, Tối mật or Tuyệt mật: these words are the law's.
pub fn classification_word(level: Option<u8>) -> &'static str {
    match level {
        None | Some(0) => "",
        Some(1) => "Mật",
        Some(2) => "Tối mật",
        Some(_) => "Tuyệt mật",
    }
}

/// A day in UTC.
pub fn date(millis: u64) -> String {
    let at = i64::try_from(millis / 1000).ok().and_then(|s| OffsetDateTime::from_unix_timestamp(s).ok());
    at.map_or_else(String::new, |t| t.date().to_string())
}

/// A label, or what can be shown of it.
pub fn label(key: &KeyEntry) -> String {
    String::from_utf8_lossy(&key.label).chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The document of a key. Its fields stay.
pub fn document(key: &KeyEntry) -> Value {
    let said = &key.metadata;
    json!({
        "object": key.object.to_string(), "class": class_word(key.class), "type": type_word(key.key_type, key.bits),
        "bits": key.bits, "label": label(key), "id": hex(&key.id), "state": key.state.name(),
        "since": key.since.map(moment), "reason": key.reason, "check_value": hex(&key.check_value),
        "start": String::from_utf8_lossy(&key.start), "end": String::from_utf8_lossy(&key.end),
        "created": key.created.map(moment), "expires": key.expires.map(moment), "version": key.version,
        "predecessor": key.predecessor.map(|id| id.to_string()), "uses": key.uses, "max_uses": said.max_uses,
        "organ": said.organ, "site": said.site, "purpose": said.purpose, "owner": said.owner,
        "classification": said.classification, "crypto_period": said.crypto_period,
    })
}

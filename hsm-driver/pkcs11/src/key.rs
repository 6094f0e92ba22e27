//! Keys: what a session must know of one before it uses it, and generating them.

use crate::attribute::wants_token;
use crate::mechanism::Given;
use crate::rv::{Outcome, Rv};
use crate::session::Session;
use coloa_wire::attribute::class;
use coloa_wire::command::{AttributesRead, KeyGenerate, KeyPairGenerate};
use coloa_wire::{AttributeType, ObjectId, Template, Value};
use cryptoki_sys::*;
use std::sync::Arc;

/// DER of the named curves (RFC 5480 §2.1.1.1).
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];

/// What decides which operation a key can begin. The engine decides again when it is used; this only makes the answer
/// come as early as PKCS#11 wants it, without a round trip each time.
pub(crate) struct KeyFacts {
    pub(crate) id: ObjectId,
    pub(crate) class: u64,
    pub(crate) key_type: u64,
    /// Bytes of an ECDSA signature; 0 for other keys.
    pub(crate) signature_bytes: usize,
    pub(crate) sign: bool,
    pub(crate) verify: bool,
    pub(crate) encrypt: bool,
    pub(crate) decrypt: bool,
}

const ASKED: [AttributeType; 7] = [
    AttributeType::CLASS,
    AttributeType::KEY_TYPE,
    AttributeType::EC_PARAMS,
    AttributeType::SIGN,
    AttributeType::VERIFY,
    AttributeType::ENCRYPT,
    AttributeType::DECRYPT,
];

impl KeyFacts {
    fn new(id: ObjectId, known: &Template) -> Outcome<Self> {
        let uint = |kind| match known.value(kind) {
            Some(Value::Uint(v)) => Some(*v),
            _ => None,
        };
        let flag = |kind| known.value(kind) == Some(&Value::Bool(true));
        let class = uint(AttributeType::CLASS).filter(|c| (class::PUBLIC_KEY..=class::SECRET_KEY).contains(c));
        Ok(KeyFacts {
            id,
            class: class.ok_or(Rv(CKR_KEY_HANDLE_INVALID))?,
            key_type: uint(AttributeType::KEY_TYPE).ok_or(Rv(CKR_KEY_HANDLE_INVALID))?,
            signature_bytes: signature_bytes(known),
            sign: flag(AttributeType::SIGN),
            verify: flag(AttributeType::VERIFY),
            encrypt: flag(AttributeType::ENCRYPT),
            decrypt: flag(AttributeType::DECRYPT),
        })
    }
}

fn signature_bytes(known: &Template) -> usize {
    match known.value(AttributeType::EC_PARAMS) {
        Some(Value::Bytes(oid)) if oid == P256 => 64,
        Some(Value::Bytes(oid)) if oid == P384 => 96,
        _ => 0,
    }
}

impl Session {
    /// What is known of a key, asked of the engine once.
    pub(crate) fn key(&self, handle: CK_OBJECT_HANDLE) -> Outcome<Arc<KeyFacts>> {
        if let Some(known) = self.slot.handles.facts(handle) {
            return Ok(known);
        }
        let object = self.slot.handles.id(handle).map_err(Rv::of_key)?;
        let reply = self.slot.ask(&AttributesRead { object, kinds: ASKED.to_vec() }).map_err(Rv::of_key)?;
        let facts = Arc::new(KeyFacts::new(object, &Template(reply.values))?);
        self.slot.handles.learn(handle, facts.clone());
        Ok(facts)
    }

    /// `C_GenerateKey`.
    pub(crate) fn generate_key(&self, mechanism: &Given, template: Template) -> Outcome<CK_OBJECT_HANDLE> {
        let mechanism = mechanism.generating(false)?;
        let token = wants_token(&template);
        self.may_create(token)?;
        let reply = self.slot.ask(&KeyGenerate { mechanism, template })?;
        Ok(self.adopt(reply.object, token))
    }

    /// `C_GenerateKeyPair`: the public key's handle, then the private key's.
    pub(crate) fn generate_key_pair(
        &self,
        mechanism: &Given,
        public: Template,
        private: Template,
    ) -> Outcome<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
        let mechanism = mechanism.generating(true)?;
        let (public_token, private_token) = (wants_token(&public), wants_token(&private));
        self.may_create(public_token || private_token)?;
        let reply = self.slot.ask(&KeyPairGenerate { mechanism, public, private })?;
        Ok((self.adopt(reply.public, public_token), self.adopt(reply.private, private_token)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_no_key() {
        let known = Template::default().with(AttributeType::CLASS, class::CERTIFICATE);
        assert_eq!(KeyFacts::new(ObjectId([0; 16]), &known).err(), Some(Rv(CKR_KEY_HANDLE_INVALID)));
    }

    #[test]
    fn the_curve_gives_the_length_of_a_signature() {
        for (curve, bytes) in [(P256, 64), (P384, 96), (&[][..], 0)] {
            assert_eq!(signature_bytes(&Template::default().with(AttributeType::EC_PARAMS, curve)), bytes);
        }
    }
}

//! What a session must know of a key before it uses it.

use crate::rv::{Outcome, Rv};
use crate::session::Session;
use coloa_wire::attribute::{class, key_type, parameter_set};
use coloa_wire::command::AttributesRead;
use coloa_wire::{AttributeType as A, MechanismType, ObjectId, Template, Value};
use cryptoki_sys::*;
use std::sync::Arc;

/// DER of the named curves (RFC 5480 §2.1.1.1).
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
const P521: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];
/// Bytes of an Ed25519 signature (RFC 8032 §5.1.6).
const ED25519_BYTES: usize = 64;

/// What decides which operation a key can begin. The engine decides again when it is used; this only makes the answer
/// come as early as PKCS#11 wants it, without a round trip each time.
pub(crate) struct KeyFacts {
    pub(crate) id: ObjectId,
    pub(crate) class: u64,
    pub(crate) key_type: u64,
    /// Bytes of a signature, of an RSA or of an ML-KEM ciphertext; 0 for other keys.
    pub(crate) output_bytes: usize,
    permitted: Vec<A>,
    /// `CKA_ALLOWED_MECHANISMS`, if there are any.
    mechanisms: Option<Vec<u64>>,
    /// Whether a key that is unwrapped or derived by this one becomes a token object anyway.
    makes_token: [bool; 2],
}

/// What a key may be used for.
const USES: [A; 10] = [
    A::SIGN,
    A::VERIFY,
    A::ENCRYPT,
    A::DECRYPT,
    A::WRAP,
    A::UNWRAP,
    A::DERIVE,
    A::ENCAPSULATE,
    A::DECAPSULATE,
    A::ALWAYS_AUTHENTICATE,
];
const ASKED: [A; 8] = [
    A::CLASS,
    A::KEY_TYPE,
    A::EC_PARAMS,
    A::MODULUS,
    A::PARAMETER_SET,
    A::ALLOWED_MECHANISMS,
    A::UNWRAP_TEMPLATE,
    A::DERIVE_TEMPLATE,
];

impl KeyFacts {
    fn new(id: ObjectId, known: &Template) -> Outcome<Self> {
        let class = uint(known, A::CLASS).filter(|c| (class::PUBLIC_KEY..=class::SECRET_KEY).contains(c));
        let mechanisms = match known.value(A::ALLOWED_MECHANISMS) {
            Some(Value::Uints(list)) if !list.is_empty() => Some(list.clone()),
            _ => None,
        };
        let key_type = uint(known, A::KEY_TYPE).ok_or(Rv(CKR_KEY_HANDLE_INVALID))?;
        Ok(KeyFacts {
            id,
            class: class.ok_or(Rv(CKR_KEY_HANDLE_INVALID))?,
            key_type,
            output_bytes: output_bytes(known, key_type),
            permitted: USES.into_iter().filter(|kind| known.value(*kind) == Some(&Value::Bool(true))).collect(),
            mechanisms,
            makes_token: [A::UNWRAP_TEMPLATE, A::DERIVE_TEMPLATE].map(|kind| makes_token(known, kind)),
        })
    }

    /// `CKR_KEY_FUNCTION_NOT_PERMITTED` unless the key was made for this use.
    pub(crate) fn permits(&self, purpose: A) -> Outcome {
        if self.permitted.contains(&purpose) { Ok(()) } else { Err(Rv(CKR_KEY_FUNCTION_NOT_PERMITTED)) }
    }

    /// Whether each use wants a login of its own.
    pub(crate) fn always_authenticates(&self) -> bool {
        self.permitted.contains(&A::ALWAYS_AUTHENTICATE)
    }

    /// Whether `CKA_ALLOWED_MECHANISMS` leaves a mechanism.
    pub(crate) fn allows(&self, mechanism: MechanismType) -> bool {
        self.mechanisms.as_ref().is_none_or(|list| list.contains(&mechanism.0.into()))
    }

    /// Whether `CKA_UNWRAP_TEMPLATE` makes token objects.
    pub(crate) fn unwraps_to_token(&self) -> bool {
        self.makes_token[0]
    }

    /// Whether `CKA_DERIVE_TEMPLATE` makes token objects.
    pub(crate) fn derives_to_token(&self) -> bool {
        self.makes_token[1]
    }
}

fn uint(known: &Template, kind: A) -> Option<u64> {
    match known.value(kind) {
        Some(Value::Uint(v)) => Some(*v),
        _ => None,
    }
}

fn makes_token(known: &Template, kind: A) -> bool {
    match known.value(kind) {
        Some(Value::Template(inner)) => inner.iter().any(|a| a.kind == A::TOKEN && a.value == Value::Bool(true)),
        _ => false,
    }
}

fn output_bytes(known: &Template, kind: u64) -> usize {
    let bytes = |kind| match known.value(kind) {
        Some(Value::Bytes(bytes)) => bytes.as_slice(),
        _ => &[],
    };
    match (kind, uint(known, A::PARAMETER_SET)) {
        (key_type::RSA, _) => bytes(A::MODULUS).len(),
        (key_type::EC, _) if bytes(A::EC_PARAMS) == P256 => 64,
        (key_type::EC, _) if bytes(A::EC_PARAMS) == P384 => 96,
        (key_type::EC, _) if bytes(A::EC_PARAMS) == P521 => 132,
        (key_type::EC_EDWARDS, _) => ED25519_BYTES,
        // FIPS 204 table 2, FIPS 203 table 3.
        (key_type::ML_DSA, Some(parameter_set::ML_DSA_44)) => 2420,
        (key_type::ML_DSA, Some(parameter_set::ML_DSA_65)) => 3309,
        (key_type::ML_DSA, Some(parameter_set::ML_DSA_87)) => 4627,
        (key_type::ML_KEM, Some(parameter_set::ML_KEM_512)) => 768,
        (key_type::ML_KEM, Some(parameter_set::ML_KEM_768)) => 1088,
        (key_type::ML_KEM, Some(parameter_set::ML_KEM_1024)) => 1568,
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
        let kinds = ASKED.into_iter().chain(USES).collect();
        let reply = self.slot.ask(&AttributesRead { object, kinds }).map_err(Rv::of_key)?;
        let facts = Arc::new(KeyFacts::new(object, &Template(reply.values))?);
        self.slot.handles.learn(handle, facts.clone());
        Ok(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_no_key() {
        let known = Template::default().with(A::CLASS, class::CERTIFICATE).with(A::KEY_TYPE, key_type::EC);
        assert_eq!(KeyFacts::new(ObjectId([0; 16]), &known).err(), Some(Rv(CKR_KEY_HANDLE_INVALID)));
    }

    #[test]
    fn the_key_gives_the_length_of_a_result() {
        let ec = |curve: &[u8]| Template::default().with(A::EC_PARAMS, curve);
        for (curve, bytes) in [(P256, 64), (P384, 96), (P521, 132), (&[][..], 0)] {
            assert_eq!(output_bytes(&ec(curve), key_type::EC), bytes);
        }
        let set = |number: u64| Template::default().with(A::PARAMETER_SET, number);
        assert_eq!(output_bytes(&set(parameter_set::ML_DSA_87), key_type::ML_DSA), 4627);
        assert_eq!(output_bytes(&set(parameter_set::ML_KEM_768), key_type::ML_KEM), 1088);
        assert_eq!(output_bytes(&Template::default().with(A::MODULUS, vec![1; 384]), key_type::RSA), 384);
    }

    #[test]
    fn a_list_of_mechanisms_leaves_what_it_names() {
        let key = Template::default().with(A::CLASS, class::SECRET_KEY).with(A::KEY_TYPE, key_type::AES);
        let free = KeyFacts::new(ObjectId([0; 16]), &key).unwrap();
        assert!(free.allows(MechanismType::AES_CBC));
        let mut bound = key;
        bound.0.push(coloa_wire::Attribute { kind: A::ALLOWED_MECHANISMS, value: Value::Uints(vec![0x1085]) });
        let bound = KeyFacts::new(ObjectId([0; 16]), &bound).unwrap();
        assert!(bound.allows(MechanismType::AES_CBC_PAD) && !bound.allows(MechanismType::AES_CBC));
    }
}

//! Attributes: C's bytes to the wire's values and back (PKCS#11 v3.1 §4).

use crate::rv::{Outcome, Rv};
use coloa_wire::{Attribute, AttributeType, Template, Value};
use cryptoki_sys::*;
use zeroize::Zeroizing;

/// Bytes of a `CK_ULONG`.
const ULONG: usize = size_of::<CK_ULONG>();

enum Kind {
    Bool,
    Ulong,
    Mechanisms,
    Template,
    Bytes,
}

fn kind_of(attribute: AttributeType) -> Kind {
    use AttributeType as A;
    match attribute {
        A::TOKEN | A::PRIVATE | A::TRUSTED | A::SENSITIVE | A::ENCRYPT | A::DECRYPT | A::WRAP | A::UNWRAP => Kind::Bool,
        A::SIGN | A::SIGN_RECOVER | A::VERIFY | A::VERIFY_RECOVER | A::DERIVE | A::EXTRACTABLE => Kind::Bool,
        A::LOCAL | A::NEVER_EXTRACTABLE | A::ALWAYS_SENSITIVE | A::MODIFIABLE | A::COPYABLE | A::DESTROYABLE => {
            Kind::Bool
        }
        A::ALWAYS_AUTHENTICATE | A::WRAP_WITH_TRUSTED | A::ENCAPSULATE | A::DECAPSULATE => Kind::Bool,
        A::CLASS | A::CERTIFICATE_TYPE | A::CERTIFICATE_CATEGORY | A::KEY_TYPE | A::MODULUS_BITS => Kind::Ulong,
        A::VALUE_BITS | A::VALUE_LEN | A::KEY_GEN_MECHANISM | A::PARAMETER_SET | A::PROFILE_ID => Kind::Ulong,
        A::NAME_HASH_ALGORITHM | A::JAVA_MIDP_SECURITY_DOMAIN => Kind::Ulong,
        A::STATE | A::CLASSIFICATION | A::CRYPTO_PERIOD | A::KEY_VERSION | A::MAX_USES | A::USES => Kind::Ulong,
        A::TRUST_SERVER_AUTH | A::TRUST_CLIENT_AUTH | A::TRUST_CODE_SIGNING | A::TRUST_EMAIL_PROTECTION => Kind::Ulong,
        A::TRUST_IPSEC_IKE | A::TRUST_TIME_STAMPING | A::TRUST_OCSP_SIGNING => Kind::Ulong,
        A::ALLOWED_MECHANISMS => Kind::Mechanisms,
        A::WRAP_TEMPLATE | A::UNWRAP_TEMPLATE | A::DERIVE_TEMPLATE => Kind::Template,
        _ => Kind::Bytes,
    }
}

/// One attribute as C gave it.
pub(crate) type Given = (CK_ATTRIBUTE_TYPE, Raw);

/// A copy of its value.
pub(crate) enum Raw {
    Bytes(Zeroizing<Vec<u8>>),
    /// Of `CKA_WRAP_TEMPLATE` and its like; there is no template inside.
    Template(Vec<(CK_ATTRIBUTE_TYPE, Zeroizing<Vec<u8>>)>),
}

/// Whether an attribute's value is an array of attributes.
pub(crate) fn holds_template(kind: CK_ATTRIBUTE_TYPE) -> bool {
    wire_type(kind).is_some_and(|kind| matches!(kind_of(kind), Kind::Template))
}

/// The wire's template of what C gave.
pub(crate) fn template(given: Vec<Given>) -> Outcome<Template> {
    given.into_iter().map(attribute).collect::<Outcome<_>>().map(Template)
}

fn attribute((kind, raw): Given) -> Outcome<Attribute> {
    let value = match raw {
        Raw::Bytes(bytes) => return flat((kind, bytes)),
        Raw::Template(inner) => Value::Template(inner.into_iter().map(flat).collect::<Outcome<_>>()?),
    };
    let kind = wire_type(kind).ok_or(Rv(CKR_ATTRIBUTE_TYPE_INVALID))?;
    Ok(Attribute { kind, value })
}

fn flat((kind, bytes): (CK_ATTRIBUTE_TYPE, Zeroizing<Vec<u8>>)) -> Outcome<Attribute> {
    let kind = wire_type(kind).ok_or(Rv(CKR_ATTRIBUTE_TYPE_INVALID))?;
    Ok(Attribute { kind, value: value(kind, &bytes)? })
}

/// The wire's number of an attribute type; none for types nobody can have.
pub(crate) fn wire_type(kind: CK_ATTRIBUTE_TYPE) -> Option<AttributeType> {
    u32::try_from(kind).ok().map(AttributeType)
}

fn value(kind: AttributeType, bytes: &[u8]) -> Outcome<Value> {
    match kind_of(kind) {
        Kind::Bool => match bytes {
            [CK_FALSE] => Ok(Value::Bool(false)),
            [CK_TRUE] => Ok(Value::Bool(true)),
            _ => Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID)),
        },
        Kind::Ulong => bytes.try_into().map(|b| Value::Uint(ulong(b))).map_err(|_| Rv(CKR_ATTRIBUTE_VALUE_INVALID)),
        Kind::Mechanisms => {
            let (list, []) = bytes.as_chunks::<ULONG>() else { return Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID)) };
            Ok(Value::Uints(list.iter().map(|b| ulong(*b)).collect()))
        }
        Kind::Bytes => Ok(Value::Bytes(bytes.to_vec())),
        // One inside another.
        Kind::Template => Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID)),
    }
}

fn ulong(bytes: [u8; ULONG]) -> u64 {
    CK_ULONG::from_ne_bytes(bytes)
}

/// Whether an attribute can have this value. A value of another kind is dangerous: a template's place holds pointers.
pub(crate) fn suits(kind: AttributeType, value: &Value) -> bool {
    match kind_of(kind) {
        Kind::Bool => matches!(value, Value::Bool(_)),
        Kind::Ulong => matches!(value, Value::Uint(_)),
        Kind::Mechanisms => matches!(value, Value::Uints(_)),
        Kind::Template => matches!(value, Value::Template(inner) if inner.iter().all(|a| suits(a.kind, &a.value))),
        Kind::Bytes => matches!(value, Value::Bytes(_)),
    }
}

/// C's bytes of a value.
pub(crate) fn bytes(value: &Value) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(match value {
        Value::Bool(v) => vec![CK_BBOOL::from(*v)],
        Value::Uint(v) => v.to_ne_bytes().to_vec(),
        Value::Bytes(v) => v.clone(),
        Value::Uints(v) => v.iter().flat_map(|n| n.to_ne_bytes()).collect(),
        // The ABI writes these: they hold pointers.
        Value::Template(_) => Vec::new(),
    })
}

/// Whether a template asks for a token object; session objects are the default (§4.4.1).
pub(crate) fn wants_token(template: &Template) -> bool {
    template.value(AttributeType::TOKEN) == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(kind: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Vec<Given> {
        vec![(kind, Raw::Bytes(Zeroizing::new(value.to_vec())))]
    }

    #[test]
    fn what_goes_in_comes_out() {
        let cases: [(CK_ATTRIBUTE_TYPE, Vec<u8>); 5] = [
            (CKA_TOKEN, vec![1]),
            (CKA_CLASS, CKO_PRIVATE_KEY.to_ne_bytes().to_vec()),
            (CKA_LABEL, b"khoa".to_vec()),
            (CKA_ID, vec![]),
            (CKA_ALLOWED_MECHANISMS, [CKM_ECDSA, CKM_AES_GCM].iter().flat_map(|m| m.to_ne_bytes()).collect()),
        ];
        for (kind, value) in cases {
            let template = template(given(kind, &value)).unwrap();
            assert_eq!(*bytes(&template.0[0].value), value, "attribute {kind:#x}");
        }
    }

    #[test]
    fn values_of_the_wrong_length_are_refused() {
        for (kind, value) in
            [(CKA_TOKEN, &[][..]), (CKA_TOKEN, &[2]), (CKA_CLASS, &[0; 4]), (CKA_ALLOWED_MECHANISMS, &[0; 9])]
        {
            assert_eq!(
                template(given(kind, value)).err(),
                Some(Rv(CKR_ATTRIBUTE_VALUE_INVALID)),
                "attribute {kind:#x}"
            );
        }
    }

    #[test]
    fn types_nobody_can_have_are_refused() {
        assert_eq!(template(given(1 << 40, &[0])).err(), Some(Rv(CKR_ATTRIBUTE_TYPE_INVALID)));
    }

    #[test]
    fn a_template_holds_attributes_but_no_template() {
        let inner = |kind, value: &[u8]| Raw::Template(vec![(kind, Zeroizing::new(value.to_vec()))]);
        let made = template(vec![(CKA_WRAP_TEMPLATE, inner(CKA_SENSITIVE, &[1]))]).unwrap();
        let expected = Attribute { kind: AttributeType::SENSITIVE, value: Value::Bool(true) };
        assert!(made.0[0].value == Value::Template(vec![expected]));
        let nested = template(vec![(CKA_WRAP_TEMPLATE, inner(CKA_UNWRAP_TEMPLATE, &[]))]);
        assert_eq!(nested.err(), Some(Rv(CKR_ATTRIBUTE_VALUE_INVALID)));
    }

    #[test]
    fn session_objects_are_the_default() {
        assert!(!wants_token(&Template::default()));
        assert!(wants_token(&Template::default().with(AttributeType::TOKEN, true)));
    }
}

//! Curves, points and SubjectPublicKeyInfo in DER (RFC 5280 §4.1.2.7, RFC 5480, RFC 8410, RFC 9881, RFC 9935).

use crate::crypto::{MlDsa, MlKem};
use crate::{Curve, PairKind};
use alloc::vec::Vec;
use coloa_wire::ErrorCode;
use der::asn1::{AnyRef, BitStringRef, Null, ObjectIdentifier, OctetStringRef};
use der::{Decode, Encode};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
const P521: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];
/// id-Ed25519 (RFC 8410 §3).
pub(super) const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
/// id-X25519.
pub(super) const X25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x6e];
/// The same by name, as PrintableString (PKCS#11 §6.3.4): `edwards25519`, `curve25519`.
const ED25519_NAME: &[u8] = b"\x13\x0cedwards25519";
const X25519_NAME: &[u8] = b"\x13\x0acurve25519";

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ID_X25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.110");
const ID_ML_DSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");
const ID_ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");
const ID_ML_DSA_87: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19");
const ID_ML_KEM_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.4.1");
const ID_ML_KEM_768: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.4.2");
const ID_ML_KEM_1024: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.4.3");

/// The curve a DER `namedCurve` OID names (RFC 5480 §2.1.1.1).
pub(super) fn curve_of(params: &[u8]) -> Option<Curve> {
    [Curve::P256, Curve::P384, Curve::P521].into_iter().find(|curve| params_of(*curve) == params)
}

/// `CKA_EC_PARAMS` of a curve.
pub(super) fn params_of(curve: Curve) -> &'static [u8] {
    match curve {
        Curve::P256 => P256,
        Curve::P384 => P384,
        Curve::P521 => P521,
    }
}

pub(super) fn is_ed25519(params: &[u8]) -> bool {
    params == ED25519 || params == ED25519_NAME
}

pub(super) fn is_x25519(params: &[u8]) -> bool {
    params == X25519 || params == X25519_NAME
}

/// `CKA_EC_POINT`: the point as a DER OCTET STRING (PKCS#11 §6.3.3).
pub(super) fn wrap_octet_string(point: &[u8]) -> Result<Vec<u8>, ErrorCode> {
    OctetStringRef::new(point).and_then(|octets| octets.to_der()).map_err(|_| ErrorCode::Internal)
}

/// The point in a `CKA_EC_POINT`.
pub(super) fn unwrap_octet_string(der: &[u8]) -> Option<&[u8]> {
    <&OctetStringRef>::from_der(der).ok().map(|octets| octets.as_bytes())
}

/// `CKA_PUBLIC_KEY_INFO`: the SubjectPublicKeyInfo.
pub(super) fn public_key_info(kind: PairKind, public: &[u8]) -> Result<Vec<u8>, ErrorCode> {
    encode(kind, public).map_err(|_| ErrorCode::Internal)
}

fn encode(kind: PairKind, public: &[u8]) -> der::Result<Vec<u8>> {
    let algorithm = AlgorithmIdentifierRef { oid: algorithm(kind), parameters: parameters(kind)? };
    SubjectPublicKeyInfoRef { algorithm, subject_public_key: BitStringRef::from_bytes(public)? }.to_der()
}

pub(super) fn parameters(kind: PairKind) -> der::Result<Option<AnyRef<'static>>> {
    match kind {
        PairKind::Ec(curve) => AnyRef::from_der(params_of(curve)).map(Some),
        PairKind::Rsa => Ok(Some(Null.into())),
        PairKind::Ed25519 | PairKind::X25519 | PairKind::MlDsa(_) | PairKind::MlKem(_) => Ok(None),
    }
}

pub(super) fn algorithm(kind: PairKind) -> ObjectIdentifier {
    match kind {
        PairKind::Ec(_) => EC_PUBLIC_KEY,
        PairKind::Rsa => RSA_ENCRYPTION,
        PairKind::Ed25519 => ID_ED25519,
        PairKind::X25519 => ID_X25519,
        PairKind::MlDsa(MlDsa::L44) => ID_ML_DSA_44,
        PairKind::MlDsa(MlDsa::L65) => ID_ML_DSA_65,
        PairKind::MlDsa(MlDsa::L87) => ID_ML_DSA_87,
        PairKind::MlKem(MlKem::L512) => ID_ML_KEM_512,
        PairKind::MlKem(MlKem::L768) => ID_ML_KEM_768,
        PairKind::MlKem(MlKem::L1024) => ID_ML_KEM_1024,
    }
}

/// The kind of key pair that an algorithm identifier names.
pub(super) fn kind_of(named: &AlgorithmIdentifierRef<'_>) -> Option<PairKind> {
    const KINDS: [PairKind; 12] = [
        PairKind::Rsa,
        PairKind::Ec(Curve::P256),
        PairKind::Ec(Curve::P384),
        PairKind::Ec(Curve::P521),
        PairKind::Ed25519,
        PairKind::X25519,
        PairKind::MlDsa(MlDsa::L44),
        PairKind::MlDsa(MlDsa::L65),
        PairKind::MlDsa(MlDsa::L87),
        PairKind::MlKem(MlKem::L512),
        PairKind::MlKem(MlKem::L768),
        PairKind::MlKem(MlKem::L1024),
    ];
    KINDS.into_iter().find(|kind| algorithm(*kind) == named.oid && parameters(*kind).ok() == Some(named.parameters))
}

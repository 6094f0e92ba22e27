//! Curves and points as PKCS#11 writes them: DER object identifiers, octet strings and SubjectPublicKeyInfo.

use crate::Curve;
use alloc::vec::Vec;

const P256_OID: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384_OID: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
const P521_OID: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];
const EC_PUBLIC_KEY_OID: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// The curve a DER `namedCurve` OID names (RFC 5480 §2.1.1.1).
pub(crate) fn curve_of(params: &[u8]) -> Option<Curve> {
    match params {
        p if p == P256_OID => Some(Curve::P256),
        p if p == P384_OID => Some(Curve::P384),
        p if p == P521_OID => Some(Curve::P521),
        _ => None,
    }
}

/// `CKA_EC_POINT`: the point as a DER OCTET STRING (PKCS#11 §6.3.3).
pub(crate) fn wrap_octet_string(point: &[u8]) -> Vec<u8> {
    der(0x04, &[point])
}

/// The point in a `CKA_EC_POINT`.
pub(crate) fn unwrap_octet_string(der: &[u8]) -> Option<&[u8]> {
    match der {
        [0x04, length, point @ ..] if *length < 0x80 && point.len() == usize::from(*length) => Some(point),
        [0x04, 0x81, length, point @ ..] if *length >= 0x80 && point.len() == usize::from(*length) => Some(point),
        _ => None,
    }
}

/// `CKA_PUBLIC_KEY_INFO`: the SubjectPublicKeyInfo (RFC 5480 §2).
pub(crate) fn public_key_info(curve: Curve, point: &[u8]) -> Vec<u8> {
    let oid = match curve {
        Curve::P256 => P256_OID,
        Curve::P384 => P384_OID,
        Curve::P521 => P521_OID,
    };
    der(0x30, &[&der(0x30, &[EC_PUBLIC_KEY_OID, oid]), &der(0x03, &[&[0], point])])
}

/// A DER value of fewer than 256 bytes.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u8::try_from(body.len()).unwrap_or(u8::MAX);
    let head: &[u8] = if length < 0x80 { &[tag, length] } else { &[tag, 0x81, length] };
    [head, &body].concat()
}

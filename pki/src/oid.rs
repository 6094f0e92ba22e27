//! Object identifiers, each with its source.

use der::asn1::ObjectIdentifier as Oid;

/// id-ecPublicKey, RFC 5480 §2.1.1.
pub const EC_PUBLIC_KEY: Oid = Oid::new_unwrap("1.2.840.10045.2.1");
/// P-256, RFC 5480 §2.1.1.1.
pub const SECP256R1: Oid = Oid::new_unwrap("1.2.840.10045.3.1.7");
/// P-384, RFC 5480 §2.1.1.1.
pub const SECP384R1: Oid = Oid::new_unwrap("1.3.132.0.34");
/// RFC 5758 §3.2.
pub const ECDSA_WITH_SHA256: Oid = Oid::new_unwrap("1.2.840.10045.4.3.2");
/// RFC 5758 §3.2.
pub const ECDSA_WITH_SHA384: Oid = Oid::new_unwrap("1.2.840.10045.4.3.3");

/// RFC 5280 §4.2.1.1.
pub const AUTHORITY_KEY_IDENTIFIER: Oid = Oid::new_unwrap("2.5.29.35");
/// RFC 5280 §4.2.1.2.
pub const SUBJECT_KEY_IDENTIFIER: Oid = Oid::new_unwrap("2.5.29.14");
/// RFC 5280 §4.2.1.3.
pub const KEY_USAGE: Oid = Oid::new_unwrap("2.5.29.15");
/// RFC 5280 §4.2.1.6.
pub const SUBJECT_ALT_NAME: Oid = Oid::new_unwrap("2.5.29.17");
/// RFC 5280 §4.2.1.9.
pub const BASIC_CONSTRAINTS: Oid = Oid::new_unwrap("2.5.29.19");
/// RFC 5280 §4.2.1.12.
pub const EXTENDED_KEY_USAGE: Oid = Oid::new_unwrap("2.5.29.37");
/// RFC 5280 §4.2.1.13.
pub const CRL_DISTRIBUTION_POINTS: Oid = Oid::new_unwrap("2.5.29.31");
/// RFC 5280 §5.2.3.
pub const CRL_NUMBER: Oid = Oid::new_unwrap("2.5.29.20");
/// RFC 5280 §5.3.1.
pub const CRL_REASON: Oid = Oid::new_unwrap("2.5.29.21");

/// The content octets of an object identifier, for arcs wider than 32 bits.
pub type Content = &'static [u8];

/// id-kp-serverAuth, 1.3.6.1.5.5.7.3.1 (RFC 5280 §4.2.1.12).
pub const SERVER_AUTH: Content = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
/// id-kp-clientAuth, 1.3.6.1.5.5.7.3.2 (RFC 5280 §4.2.1.12).
pub const CLIENT_AUTH: Content = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
/// Signs link policy: 2.25.152171363938579942698067219498457522657, an arc that needs no registration (X.667), from
/// the UUID 727b237e-7c20-4353-8049-5caaa1f261e1. A purpose of its own, so that no other certificate may do it.
pub const POLICY_SIGNING: Content = &[
    0x69, 0x81, 0xe4, 0xfb, 0x91, 0xdf, 0xcf, 0xc2, 0x82, 0x8d, 0xa7, 0x80, 0xa4, 0xd7, 0x95, 0xaa, 0x8f, 0xc9, 0xc3,
    0x61,
];
/// Signs journal records: 2.25.33061743998342470451863660385890662431, from the UUID 18df75d4-c78c-4fa4-8c6d-a6897082f81f.
pub const JOURNAL_SIGNING: Content =
    &[0x69, 0xb1, 0xdf, 0xba, 0xf5, 0x98, 0xf8, 0xe2, 0xbe, 0xc9, 0x8c, 0xb6, 0xe9, 0xd1, 0x97, 0x84, 0x8b, 0xf0, 0x1f];
/// Signs key packages for sites: 2.25.82554203446187077083008497123949274289, from the UUID 3e1b5c7a-90d4-4b6f-8a52-6c0f9d27e4b1.
pub const PACKAGE_SIGNING: Content =
    &[0x69, 0xfc, 0x9b, 0xae, 0x9e, 0xd2, 0x8d, 0xa2, 0xad, 0xdf, 0x8a, 0xa9, 0x9b, 0x81, 0xf9, 0xe9, 0x9f, 0xc9, 0x31];

//! X.509 certificates (RFC 5280) as the device makes them: few shapes, written directly.

use super::Signer;
use crate::record::DeviceRecord;
use crate::{Crypto, Engine, Hash, Platform};
use alloc::string::String;
use alloc::vec::Vec;
use coloa_wire::ErrorCode;
use coloa_wire::command::STATEMENT_EXTENSION;

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// ecdsa-with-SHA384 (RFC 5758 §3.2).
const ALGORITHM: &[u8] = &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
/// A SubjectPublicKeyInfo on P-384 (RFC 5480) up to the point.
const P384_INFO: &[u8] = &[
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00,
    0x22, 0x03, 0x62, 0x00,
];
/// From 2020-01-01, without an end (RFC 5280 §4.1.2.5). The body's clock need not be set; what time it is stands in what is
/// signed.
const VALIDITY: &[u8] = b"\x30\x20\x17\x0d200101000000Z\x18\x0f99991231235959Z";
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];
const SERIAL_NUMBER: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x05];
const SUBJECT_KEY: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x0e];
const KEY_USAGE: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x0f];
const BASIC_CONSTRAINTS: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x13];
const AUTHORITY_KEY: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x23];
/// `keyCertSign`, `digitalSignature`, both.
const CERTIFIES: &[u8] = &[0x03, 0x02, 0x02, 0x04];
const SIGNS: &[u8] = &[0x03, 0x02, 0x07, 0x80];
const BOTH: &[u8] = &[0x03, 0x02, 0x02, 0x84];

/// Whom a certificate is about.
pub(crate) struct Subject<'a> {
    pub name: &'a str,
    /// The device's serial number.
    pub serial: String,
}

impl Subject<'_> {
    fn to_der(&self) -> Vec<u8> {
        let part = |kind: &[u8], tag, text: &str| tlv(SET, &[&tlv(SEQUENCE, &[kind, &tlv(tag, &[text.as_bytes()])])]);
        let name = part(COMMON_NAME, UTF8_STRING, self.name);
        tlv(SEQUENCE, &[&name, &part(SERIAL_NUMBER, PRINTABLE_STRING, &self.serial)])
    }
}

/// Tag, length and the concatenation of the parts.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|b| *b == 0).collect();
    let mut out = alloc::vec![tag];
    match content.len() {
        short @ 0..=127 => out.push(u8::try_from(short).unwrap_or_default()),
        _ => {
            out.push(0x80 | u8::try_from(significant.len()).unwrap_or_default());
            out.extend_from_slice(&significant);
        }
    }
    out.extend_from_slice(&content);
    out
}

/// A positive INTEGER.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len());
    let digits = bytes.get(start..).unwrap_or_default();
    let high = digits.first().is_none_or(|b| *b >= 0x80);
    tlv(INTEGER, &[if high { &[0] } else { &[] }, digits])
}

fn extension(kind: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let flag = if critical { tlv(BOOLEAN, &[&[0xff]]) } else { Vec::new() };
    tlv(SEQUENCE, &[kind, &flag, &tlv(OCTET_STRING, &[value])])
}

/// RFC 7093 §2, method 1: the left 160 bits of the SHA-256 of the key.
fn key_id<P: Platform>(engine: &Engine<P>, public: &[u8]) -> Vec<u8> {
    let digest = engine.platform().crypto().digest(Hash::Sha256, &[public]);
    digest.as_ref().iter().take(20).copied().collect()
}

fn own_key_extension(id: &[u8]) -> Vec<u8> {
    extension(SUBJECT_KEY, false, &tlv(OCTET_STRING, &[id]))
}

/// What is certified.
struct Wanted<'a> {
    subject: Vec<u8>,
    public_info: &'a [u8],
    extensions: Vec<Vec<u8>>,
}

fn issue<P: Platform>(
    engine: &Engine<P>,
    issuer: &Signer,
    issuer_name: &[u8],
    wanted: Wanted<'_>,
) -> Result<Vec<u8>, ErrorCode> {
    let mut number: [u8; 16] = engine.random()?;
    if let Some(first) = number.first_mut() {
        // Positive, and of full length.
        *first = (*first & 0x3f) | 0x40;
    }
    let authority = tlv(SEQUENCE, &[&tlv(0x80, &[&key_id(engine, &issuer.public)])]);
    let mut extensions = wanted.extensions.concat();
    extensions.extend(extension(AUTHORITY_KEY, false, &authority));
    let version_3 = &[0xa0, 0x03, 0x02, 0x01, 0x02];
    let body = tlv(
        SEQUENCE,
        &[
            version_3,
            &integer(&number),
            ALGORITHM,
            issuer_name,
            VALIDITY,
            &wanted.subject,
            wanted.public_info,
            &tlv(0xa3, &[&tlv(SEQUENCE, &[&extensions])]),
        ],
    );
    let raw = issuer.sign(engine, &body)?;
    let (r, s) = raw.split_at_checked(raw.len() / 2).ok_or(ErrorCode::Internal)?;
    let signature = tlv(SEQUENCE, &[&integer(r), &integer(s)]);
    Ok(tlv(SEQUENCE, &[&body, ALGORITHM, &tlv(BIT_STRING, &[&[0], &signature])]))
}

/// Names of the two keys that the identity certifies.
const AUDIT: &str = "coloa audit";
const ATTESTATION: &str = "coloa attestation";

/// Certifies the identity by itself, and the other two by it.
pub(super) fn certify<P: Platform>(
    engine: &Engine<P>,
    device: &DeviceRecord,
    [identity, audit, attestation]: &mut [Signer; 3],
) -> Result<(), ErrorCode> {
    let label = if device.label.is_empty() { "coloa" } else { &device.label };
    let named = |name: &str| Subject { name, serial: device.serial() }.to_der();
    let issuer = named(label);
    let any_path: &[u8] = &[0x30, 0x03, 0x01, 0x01, 0xff];
    let leaves_only: &[u8] = &[0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x00];
    let make = |signer: &Signer, name: &str, usage: &[u8], authority: Option<&[u8]>| {
        let mut extensions = alloc::vec![own_key_extension(&key_id(engine, &signer.public))];
        extensions.extend(authority.map(|path| extension(BASIC_CONSTRAINTS, true, path)));
        extensions.push(extension(KEY_USAGE, true, usage));
        let info = [P384_INFO, &signer.public].concat();
        issue(engine, identity, &issuer, Wanted { subject: named(name), public_info: &info, extensions })
    };
    let own = make(identity, label, CERTIFIES, Some(any_path))?;
    audit.certificate = make(audit, AUDIT, SIGNS, None)?;
    attestation.certificate = make(attestation, ATTESTATION, BOTH, Some(leaves_only))?;
    identity.certificate = own;
    Ok(())
}

/// The certificate of a key of which the device tells what it knows.
pub(crate) fn key_certificate<P: Platform>(
    engine: &Engine<P>,
    attestation: &Signer,
    subject: &Subject<'_>,
    (public_info, statement): (&[u8], &[u8]),
) -> Result<Vec<u8>, ErrorCode> {
    let issuer = Subject { name: ATTESTATION, serial: subject.serial.clone() }.to_der();
    let told = extension(STATEMENT_EXTENSION, false, &tlv(OCTET_STRING, &[statement]));
    let extensions = alloc::vec![own_key_extension(&key_id(engine, public_info)), told];
    issue(engine, attestation, &issuer, Wanted { subject: subject.to_der(), public_info, extensions })
}

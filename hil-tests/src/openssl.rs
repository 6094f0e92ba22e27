//! OpenSSL as the judge: a signature counts when a program that is not ours verifies it.

use crate::token::Curve;
use anyhow::{Context, Result, bail};
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::Session;
use std::path::Path;
use std::process::{Command, Output};

/// What OpenSSL says of a raw signature (r ‖ s) over `document`, hashed with `hash` ("sha256").
pub fn verifies(scratch: &Path, public: &[u8], hash: &str, document: &[u8], signature: &[u8]) -> Result<bool> {
    let file = |name: &str, bytes: &[u8]| -> Result<_> {
        let path = scratch.join(name);
        std::fs::write(&path, bytes)?;
        Ok(path)
    };
    let key = file("judge.key.der", public)?;
    let signature = file("judge.sig", &der_signature(signature))?;
    let document = file("judge.doc", document)?;
    let mut c = Command::new("openssl");
    c.args(["dgst", &format!("-{hash}"), "-keyform", "DER", "-verify"]).arg(key);
    c.arg("-signature").arg(signature).arg(document);
    let said = run(&mut c)?;
    match String::from_utf8_lossy(&said.stdout).trim() {
        "Verified OK" => Ok(true),
        "Verification failure" | "Verification Failure" => Ok(false),
        other => bail!("openssl said `{other}`: {}", String::from_utf8_lossy(&said.stderr)),
    }
}

/// The digest of `data` as OpenSSL computes it.
pub fn digest(scratch: &Path, hash: &str, data: &[u8]) -> Result<Vec<u8>> {
    let path = scratch.join("judge.data");
    std::fs::write(&path, data)?;
    Ok(run(Command::new("openssl").args(["dgst", "-binary", &format!("-{hash}")]).arg(path))?.stdout)
}

/// SubjectPublicKeyInfo (RFC 5480) of a public key object.
pub fn public_key(session: &Session, key: ObjectHandle, curve: Curve) -> Result<Vec<u8>> {
    let attributes = session.get_attributes(key, &[AttributeType::EcPoint])?;
    let [Attribute::EcPoint(wrapped)] = attributes.as_slice() else { bail!("no CKA_EC_POINT") };
    info_of_point(wrapped, curve)
}

/// SubjectPublicKeyInfo of a CKA_EC_POINT, which wraps the point in an OCTET STRING.
pub fn info_of_point(wrapped: &[u8], curve: Curve) -> Result<Vec<u8>> {
    let point = match wrapped {
        [4, length, point @ ..] if usize::from(*length) == point.len() => point,
        _ => bail!("CKA_EC_POINT is no OCTET STRING: {wrapped:02x?}"),
    };
    let algorithm = sequence(&[EC_PUBLIC_KEY, &curve.params()].concat());
    let bits = tagged(3, &[&[0], point].concat());
    Ok(sequence(&[algorithm, bits].concat()))
}

const EC_PUBLIC_KEY: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];

/// Ecdsa-Sig-Value (RFC 3279 §2.2.3) of r ‖ s.
fn der_signature(raw: &[u8]) -> Vec<u8> {
    let (r, s) = raw.split_at(raw.len() / 2);
    sequence(&[integer(r), integer(s)].concat())
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    let first = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len());
    let magnitude = bytes.get(first..).unwrap_or_default();
    let sign: &[u8] = if magnitude.first().is_none_or(|b| *b >= 0x80) { &[0] } else { &[] };
    tagged(2, &[sign, magnitude].concat())
}

fn sequence(content: &[u8]) -> Vec<u8> {
    tagged(0x30, content)
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("nothing here is longer than 255 bytes");
    let header = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [header, content.to_vec()].concat()
}

fn run(command: &mut Command) -> Result<Output> {
    command.output().context("cannot start openssl; `cargo xtask setup` installs it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_minimal_and_positive() {
        assert_eq!(integer(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0, 0]), [2, 1, 0]);
    }
}

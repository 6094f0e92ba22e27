//! AES-GCM, digests and random numbers.

use crate::openssl;
use crate::token::{Token, aes};
use anyhow::{Result, ensure};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;

const IV: [u8; 12] = [1; 12];

fn seal(session: &Session, key: ObjectHandle, aad: &[u8], data: &[u8]) -> Result<Vec<u8>> {
    let mut iv = IV;
    Ok(session.encrypt(&Mechanism::AesGcm(GcmParams::new(&mut iv, aad, 128.into())?), key, data)?)
}

fn open(session: &Session, key: ObjectHandle, aad: &[u8], data: &[u8]) -> Result<Vec<u8>> {
    let mut iv = IV;
    Ok(session.decrypt(&Mechanism::AesGcm(GcmParams::new(&mut iv, aad, 128.into())?), key, data)?)
}

pub fn round_trip(token: &Token) -> Result<()> {
    lengths(token, &[0, 1, 16, 1024, 4000])
}

pub fn bulk(token: &Token) -> Result<()> {
    lengths(token, &[16_384, 65_536, 200_000])
}

fn lengths(token: &Token, lengths: &[u32]) -> Result<()> {
    let session = token.user()?;
    let key = aes(&session, "gcm", false)?;
    for length in lengths.iter().copied() {
        let plain: Vec<u8> = (0..length).map(|n| n as u8).collect();
        let sealed = seal(&session, key, b"header", &plain)?;
        ensure!(sealed.len() == plain.len() + 16, "{length} bytes became {}", sealed.len());
        ensure!(length < 16 || !sealed.starts_with(&plain), "the ciphertext is the plaintext");
        ensure!(open(&session, key, b"header", &sealed)? == plain, "{length} bytes do not round-trip");
    }
    Ok(())
}

pub fn altered(token: &Token) -> Result<()> {
    let session = token.user()?;
    let key = aes(&session, "gcm", false)?;
    let sealed = seal(&session, key, b"header", b"secret of state")?;
    ensure!(open(&session, key, b"another", &sealed).is_err(), "another header opens");
    for at in [0, sealed.len() - 1] {
        let mut wrong = sealed.clone();
        wrong[at] ^= 0x80;
        ensure!(open(&session, key, b"header", &wrong).is_err(), "byte {at} altered, and it opens");
    }
    ensure!(open(&session, key, b"header", &sealed)? == b"secret of state", "after refusals the key still works");
    Ok(())
}

pub fn digests(token: &Token) -> Result<()> {
    let session = token.session()?;
    let data: Vec<u8> = (0..5000u32).map(|n| n as u8).collect();
    for (mechanism, name) in [(Mechanism::Sha256, "sha256"), (Mechanism::Sha384, "sha384")] {
        let judged = openssl::digest(&token.scratch, name, &data)?;
        ensure!(session.digest(&mechanism, &data)? == judged, "{name} in one part");
        session.digest_init(&mechanism)?;
        for part in data.chunks(999) {
            session.digest_update(part)?;
        }
        ensure!(session.digest_final()? == judged, "{name} in parts");
    }
    Ok(())
}

pub fn random(token: &Token) -> Result<()> {
    let session = token.session()?;
    let (a, b) = (session.generate_random_vec(64)?, session.generate_random_vec(64)?);
    ensure!(a != b && a.iter().any(|byte| *byte != 0), "64 random bytes came twice, or were zero");
    Ok(())
}

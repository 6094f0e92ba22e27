//! Signatures and MACs. OpenSSL judges what it can.

use crate::openssl;
use crate::token::{Curve, Token, hmac as hmac_key, pair};
use anyhow::{Result, ensure};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectClass;

const DOCUMENT: &[u8] = b"Quyet dinh so 1: sign me";

pub fn p256(token: &Token) -> Result<()> {
    raw(token, Curve::P256, "sha256", 64)
}

pub fn p384(token: &Token) -> Result<()> {
    raw(token, Curve::P384, "sha384", 96)
}

fn raw(token: &Token, curve: Curve, hash: &str, length: usize) -> Result<()> {
    let session = token.user()?;
    let (public, private) = pair(&session, curve, "raw", false)?;
    let digest = openssl::digest(&token.scratch, hash, DOCUMENT)?;
    let signature = session.sign(&Mechanism::Ecdsa, private, &digest)?;
    ensure!(signature.len() == length, "r ‖ s of {curve:?} has {} bytes", signature.len());
    let key = openssl::public_key(&session, public, curve)?;
    ensure!(openssl::verifies(&token.scratch, &key, hash, DOCUMENT, &signature)?, "OpenSSL refuses the signature");
    ensure!(!openssl::verifies(&token.scratch, &key, hash, b"another", &signature)?, "OpenSSL takes another document");
    Ok(())
}

pub fn hashed(token: &Token) -> Result<()> {
    let session = token.user()?;
    let (public, private) = pair(&session, Curve::P256, "hashed", false)?;
    let key = openssl::public_key(&session, public, Curve::P256)?;
    let whole = session.sign(&Mechanism::EcdsaSha256, private, DOCUMENT)?;
    ensure!(openssl::verifies(&token.scratch, &key, "sha256", DOCUMENT, &whole)?, "one part");
    session.sign_init(&Mechanism::EcdsaSha256, private)?;
    for part in DOCUMENT.chunks(5) {
        session.sign_update(part)?;
    }
    let parts = session.sign_final()?;
    ensure!(openssl::verifies(&token.scratch, &key, "sha256", DOCUMENT, &parts)?, "many parts");
    Ok(())
}

pub fn verifies_and_refuses(token: &Token) -> Result<()> {
    let session = token.user()?;
    let (public, private) = pair(&session, Curve::P256, "verify", false)?;
    let digest = [7; 32];
    let mut signature = session.sign(&Mechanism::Ecdsa, private, &digest)?;
    session.verify(&Mechanism::Ecdsa, public, &digest, &signature)?;
    ensure!(session.verify(&Mechanism::Ecdsa, public, &[8; 32], &signature).is_err(), "another digest verifies");
    if let Some(last) = signature.last_mut() {
        *last ^= 1;
    }
    ensure!(session.verify(&Mechanism::Ecdsa, public, &digest, &signature).is_err(), "a flipped bit verifies");
    Ok(())
}

pub fn threads(token: &Token) -> Result<()> {
    let login = token.user()?;
    pair(&login, Curve::P256, "threads", true)?;
    let signs = || -> Result<()> {
        let session = token.session()?;
        let private = crate::token::one(&session, ObjectClass::PRIVATE_KEY, "threads")?;
        let public = crate::token::one(&session, ObjectClass::PUBLIC_KEY, "threads")?;
        for n in 0..20 {
            let signature = session.sign(&Mechanism::Ecdsa, private, &[n; 32])?;
            session.verify(&Mechanism::Ecdsa, public, &[n; 32], &signature)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..8).map(|_| scope.spawn(signs)).collect();
        workers.into_iter().try_for_each(|w| w.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?)
    })
}

pub fn hmac(token: &Token) -> Result<()> {
    let session = token.user()?;
    let key = hmac_key(&session, "hmac", false)?;
    let mac = session.sign(&Mechanism::Sha256Hmac, key, DOCUMENT)?;
    ensure!(mac.len() == 32, "HMAC-SHA-256 of {} bytes", mac.len());
    session.verify(&Mechanism::Sha256Hmac, key, DOCUMENT, &mac)?;
    ensure!(session.verify(&Mechanism::Sha256Hmac, key, b"another", &mac).is_err(), "another document verifies");
    Ok(())
}

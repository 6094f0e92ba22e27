//! What outlives a kill of the target.

use crate::openssl;
use crate::token::{Curve, Token, aes, one, pair};
use anyhow::{Context, Result, ensure};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectClass;

const DOCUMENT: &[u8] = b"signed before and after";

pub fn make(token: &Token) -> Result<()> {
    let session = token.user()?;
    let (public, _) = pair(&session, Curve::P256, "survivor", true)?;
    aes(&session, "survivor", true)?;
    std::fs::write(token.scratch.join("public"), openssl::public_key(&session, public, Curve::P256)?)?;
    Ok(())
}

/// The public key of before the kill verifies what the private key signs after it.
pub fn use_again(token: &Token) -> Result<()> {
    let session = token.user()?;
    let private = one(&session, ObjectClass::PRIVATE_KEY, "survivor")?;
    one(&session, ObjectClass::SECRET_KEY, "survivor")?;
    let digest = openssl::digest(&token.scratch, "sha256", DOCUMENT)?;
    let signature = session.sign(&Mechanism::Ecdsa, private, &digest)?;
    let key = std::fs::read(token.scratch.join("public"))?;
    ensure!(openssl::verifies(&token.scratch, &key, "sha256", DOCUMENT, &signature)?, "OpenSSL refuses the signature");
    Ok(())
}

/// The server is killed under an application that stays: it logs in anew and goes on, without C_Finalize.
pub fn reconnect(token: &Token) -> Result<()> {
    let session = token.user()?;
    pair(&session, Curve::P256, "reconnect", true)?;
    token.restart_target()?;
    // the old session or login may be gone with the server; a new one must do
    drop(session);
    let session = token.session()?;
    if session.login(cryptoki::session::UserType::User, Some(&crate::token::pin(crate::target::USER_PIN))).is_err() {
        session.logout().ok();
        let session = token.user().context("a new login after the server came back")?;
        return sign(&session, "reconnect");
    }
    sign(&session, "reconnect")
}

/// Where the server can tell the time the session itself goes on: its login is restored by a ticket.
pub fn go_on(token: &Token) -> Result<()> {
    let session = token.user()?;
    pair(&session, Curve::P256, "go on", true)?;
    token.restart_target()?;
    sign(&session, "go on")
}

fn sign(session: &cryptoki::session::Session, label: &str) -> Result<()> {
    let private = one(session, ObjectClass::PRIVATE_KEY, label)?;
    session.sign(&Mechanism::Ecdsa, private, &[1; 32]).context("a signature after the server came back")?;
    Ok(())
}

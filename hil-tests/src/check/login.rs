//! Who may what: PINs, roles and the lock (R1, R4).

use crate::target::USER_PIN;
use crate::token::{Curve, Token, one, pair, pin};
use anyhow::{Context, Result, anyhow, bail, ensure};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectClass;
use cryptoki::session::{Session, UserType};

/// More wrong PINs than any target allows.
const TOO_MANY: usize = 20;

fn try_pin(session: &Session, text: &str) -> Result<(), RvError> {
    match session.login(UserType::User, Some(&pin(text))) {
        Ok(()) => Ok(()),
        Err(Error::Pkcs11(rv, _)) => Err(rv),
        Err(_) => Err(RvError::GeneralError),
    }
}

fn expect(got: Result<(), RvError>, wanted: RvError) -> Result<()> {
    match got {
        Err(rv) if rv == wanted => Ok(()),
        other => bail!("{wanted:?} was expected, it was {other:?}"),
    }
}

pub fn wrong_pin(token: &Token) -> Result<()> {
    let session = token.session()?;
    expect(try_pin(&session, "654321"), RvError::PinIncorrect)?;
    try_pin(&session, USER_PIN).map_err(|rv| anyhow!("the right PIN after a wrong one: {rv}"))?;
    Ok(())
}

pub fn twice(token: &Token) -> Result<()> {
    let session = token.user()?;
    expect(try_pin(&session, USER_PIN), RvError::UserAlreadyLoggedIn)
}

pub fn logout(token: &Token) -> Result<()> {
    let session = token.user()?;
    let (_, private) = pair(&session, Curve::P256, "logout", true)?;
    session.sign(&Mechanism::Ecdsa, private, &[1; 32])?;
    session.logout()?;
    ensure!(session.sign(&Mechanism::Ecdsa, private, &[1; 32]).is_err(), "a private key signs after the logout");
    ensure!(pair(&session, Curve::P256, "after", true).is_err(), "a private key is made without a login");
    Ok(())
}

pub fn change(token: &Token) -> Result<()> {
    let session = token.user()?;
    session.set_pin(&pin(USER_PIN), &pin("new-pin-1"))?;
    session.logout()?;
    expect(try_pin(&session, USER_PIN), RvError::PinIncorrect)?;
    try_pin(&session, "new-pin-1").map_err(|rv| anyhow!("the new PIN: {rv}"))?;
    session.set_pin(&pin("new-pin-1"), &pin(USER_PIN)).context("the old PIN again")
}

/// Wrong PINs until the token says that it is locked.
pub fn lock(token: &Token) -> Result<()> {
    let session = token.user()?;
    pair(&session, Curve::P256, "before-the-lock", true)?;
    session.logout()?;
    for _ in 0..TOO_MANY {
        match try_pin(&session, "654321") {
            Err(RvError::PinIncorrect) => {}
            Err(RvError::PinLocked) => return Ok(()),
            other => bail!("a wrong PIN answered {other:?}"),
        }
    }
    bail!("{TOO_MANY} wrong PINs did not lock the user")
}

pub fn lockout(token: &Token) -> Result<()> {
    lock(token)?;
    still_locked(token)
}

/// The right PIN is refused too; the officer sets a PIN, and the keys are there again.
pub fn still_locked(token: &Token) -> Result<()> {
    let session = token.session()?;
    let right = try_pin(&session, USER_PIN);
    session.close()?;
    let officer = token.officer()?;
    officer.init_pin(&pin(USER_PIN)).context("C_InitPIN by the officer")?;
    officer.logout()?;
    officer.close()?;
    expect(right, RvError::PinLocked)?;
    let session = token.user().context("after the officer set the PIN")?;
    let key = one(&session, ObjectClass::PRIVATE_KEY, "before-the-lock")?;
    session.sign(&Mechanism::Ecdsa, key, &[1; 32])?;
    session.destroy_object(key)?;
    Ok(())
}

//! Several processes on one token, and applications that fork.

use crate::suite::sibling;
use crate::token::{Curve, MODULE, Token, one, pair};
use anyhow::{Context, Result, ensure};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use std::path::Path;
use std::process::{Child, Command};

/// Keys that each of two processes makes.
const KEYS: u8 = 10;

/// Tells a sibling process from the first one.
fn is_sibling(token: &Token) -> bool {
    token.scratch.join("first").exists()
}

/// Two processes make keys at the same time; one that made some of them finds all.
pub fn share(token: &Token) -> Result<()> {
    let session = token.user()?;
    if let Some(mut other) = make_together(token, &session, "share")? {
        ensure!(other.wait()?.success(), "the second process failed");
        all_found(&session, "share")?;
    }
    Ok(())
}

/// Two processes make keys at the same time, and end.
pub fn make(token: &Token) -> Result<()> {
    if let Some(mut other) = make_together(token, &token.user()?, "made")? {
        ensure!(other.wait()?.success(), "the second process failed");
    }
    Ok(())
}

/// A process that begins after both have ended finds every key, and each signs.
pub fn find_made(token: &Token) -> Result<()> {
    let session = token.user()?;
    for key in all_found(&session, "made")? {
        session.sign(&Mechanism::Ecdsa, key, &[1; 32])?;
    }
    Ok(())
}

/// Makes this process's keys; the first process starts the second one, and gets it.
fn make_together(token: &Token, session: &Session, label: &str) -> Result<Option<Child>> {
    let prefix = if is_sibling(token) { "second" } else { "first" };
    let other = if is_sibling(token) {
        None
    } else {
        std::fs::write(token.scratch.join("first"), "")?;
        Some(sibling(0)?)
    };
    for n in 0..KEYS {
        let (_, private) = pair(session, Curve::P256, &format!("{label}-{prefix}-{n}"), true)?;
        session.sign(&Mechanism::Ecdsa, private, &[n; 32])?;
    }
    Ok(other)
}

/// Each key of both processes, once.
fn all_found(session: &Session, label: &str) -> Result<Vec<ObjectHandle>> {
    let made = ["first", "second"].iter().flat_map(|p| (0..KEYS).map(move |n| format!("{label}-{p}-{n}")));
    made.map(|key| one(session, ObjectClass::PRIVATE_KEY, &key)).collect()
}

/// A login is of one process: another one, at the same time, sees no private object.
pub fn login_is_mine(token: &Token) -> Result<()> {
    if is_sibling(token) {
        let session = token.session()?;
        let private = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label("mine".into())];
        ensure!(session.find_objects(&private)?.is_empty(), "a process without a login sees a private key");
        return Ok(());
    }
    let session = token.user()?;
    pair(&session, Curve::P256, "mine", true)?;
    std::fs::write(token.scratch.join("first"), "")?;
    ensure!(sibling(0)?.wait()?.success(), "the process without a login saw too much");
    Ok(())
}

/// Rust cannot fork safely, Python can: the parent's session goes on, the child must initialise and log in anew.
pub fn fork(_: &Token) -> Result<()> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/fork.py");
    let module = std::env::var_os(MODULE).context("the suite names its module")?;
    let out = Command::new("python3").arg(program).arg(module).output().context("cannot start python3")?;
    let said = [out.stdout, out.stderr].concat();
    ensure!(out.status.success(), "fork.py ended with {}: {}", out.status, String::from_utf8_lossy(&said));
    Ok(())
}

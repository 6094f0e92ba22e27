//! Sessions and what ends with them.

use crate::token::{Curve, Token, one, pair};
use anyhow::{Result, ensure};
use cryptoki::object::{Attribute, ObjectClass};

pub fn session_objects(token: &Token) -> Result<()> {
    let keeper = token.user()?;
    let session = token.session()?;
    pair(&session, Curve::P256, "passing", false)?;
    pair(&session, Curve::P256, "staying", true)?;
    one(&keeper, ObjectClass::PRIVATE_KEY, "passing")?;
    session.close()?;
    let left = keeper.find_objects(&[Attribute::Label("passing".into())])?;
    ensure!(left.is_empty(), "{} session objects outlived their session", left.len());
    one(&keeper, ObjectClass::PRIVATE_KEY, "staying").map(drop)
}

pub fn many(token: &Token) -> Result<()> {
    for _ in 0..3 {
        let sessions = (0..50).map(|_| token.session()).collect::<Result<Vec<_>>>()?;
        ensure!(sessions.len() == 50);
        for session in sessions {
            session.close()?;
        }
    }
    token.user().map(drop)
}

//! Objects: found by what they are, attributes as asked for, secrets never readable (R9), one purpose a key (R10).

use crate::token::{Curve, Token, aes, one, pair};
use anyhow::{Result, ensure};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass};

pub fn find(token: &Token) -> Result<()> {
    let session = token.user()?;
    for n in 0..5 {
        pair(&session, Curve::P256, &format!("find-{n}"), true)?;
    }
    let found = session.find_objects(&[Attribute::Label("find-3".into())])?;
    ensure!(found.len() == 2, "{} objects are labelled find-3, a pair was made", found.len());
    let by_id = session.find_objects(&[Attribute::Id("find-3".into()), Attribute::Class(ObjectClass::PRIVATE_KEY)])?;
    let private = one(&session, ObjectClass::PRIVATE_KEY, "find-3")?;
    ensure!(by_id == [private], "label and id find different keys");
    session.destroy_object(private)?;
    ensure!(one(&session, ObjectClass::PRIVATE_KEY, "find-3").is_err(), "a destroyed key is found");
    ensure!(session.sign(&Mechanism::Ecdsa, private, &[1; 32]).is_err(), "a destroyed key signs");
    ensure!(session.find_objects(&[Attribute::Label("never made".into())])?.is_empty(), "something was found");
    one(&session, ObjectClass::PRIVATE_KEY, "find-4").map(drop)
}

pub fn attributes(token: &Token) -> Result<()> {
    let session = token.user()?;
    let (_, private) = pair(&session, Curve::P256, "attributes", false)?;
    let asked = [
        Attribute::Label("attributes".into()),
        Attribute::Id("attributes".into()),
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::AlwaysSensitive(true),
        Attribute::Extractable(false),
        Attribute::NeverExtractable(true),
        Attribute::Local(true),
        Attribute::Sign(true),
        Attribute::EcParams(Curve::P256.params()),
    ];
    for wanted in asked {
        let got = session.get_attributes(private, &[wanted.attribute_type()])?;
        ensure!(got == [wanted.clone()], "asked for {wanted:?}, got {got:?}");
    }
    session.update_attributes(private, &[Attribute::Label("renamed".into())])?;
    ensure!(one(&session, ObjectClass::PRIVATE_KEY, "renamed")? == private, "a new label is not found");
    let loosened = session.update_attributes(private, &[Attribute::Sensitive(false)]);
    ensure!(loosened.is_err(), "CKA_SENSITIVE was taken back");
    ensure!(session.update_attributes(private, &[Attribute::Extractable(true)]).is_err(), "CKA_EXTRACTABLE was set");
    Ok(())
}

pub fn sensitive(token: &Token) -> Result<()> {
    let session = token.user()?;
    let (_, private) = pair(&session, Curve::P256, "sensitive", false)?;
    let secret = aes(&session, "sensitive", false)?;
    for key in [private, secret] {
        let read = session.get_attributes(key, &[AttributeType::Value]).unwrap_or_default();
        ensure!(read.is_empty(), "CKA_VALUE of a sensitive key was read");
    }
    Ok(())
}

pub fn private(token: &Token) -> Result<()> {
    let user = token.user()?;
    pair(&user, Curve::P256, "private", true)?;
    user.logout()?;
    let found = user.find_objects(&[Attribute::Label("private".into()), Attribute::Class(ObjectClass::PRIVATE_KEY)])?;
    ensure!(found.is_empty(), "a private object is seen without a login");
    Ok(())
}

pub fn purpose(token: &Token) -> Result<()> {
    let session = token.user()?;
    let (_, private) = pair(&session, Curve::P256, "purpose", false)?;
    let key = aes(&session, "purpose", false)?;
    ensure!(session.sign(&Mechanism::Sha256Hmac, key, b"x").is_err(), "an encryption key makes MACs");
    ensure!(session.sign(&Mechanism::Sha256Hmac, private, b"x").is_err(), "an EC key makes HMACs");
    ensure!(session.sign(&Mechanism::Ecdsa, key, &[0; 32]).is_err(), "an AES key signs");
    Ok(())
}

//! The calls of Oracle's Transparent Data Encryption. The database cannot be had here, so the suite makes them itself: a master
//! key that never leaves the token and is found again by its label, and the keys of tables under it in CBC. CBC tells nobody
//! that it was altered, so a strict partition does not serve it: TDE is for compatible ones.

use super::{plain, run};
use crate::target::USER_PIN;
use crate::token::{Token, one, pin};
use anyhow::{Context, Result, ensure};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};

/// How the label of a master key begins; its identifier in hexadecimal digits follows.
const PREFIX: &str = "ORACLE.TDE.HSM.MK.";
/// The data object that newer databases keep beside a master key: the digits of its identifier, each in hexadecimal again.
const COMPANION: &str = "ORACLE.SECURITY.KM.ENCRYPTION.";
/// The key of a table: whole blocks, for CBC.
const TABLE_KEY: &[u8; 32] = b"the key of a table of a database";
/// A key with its length before it, for CBC-PAD: no whole blocks.
const RECORD: &[u8; 45] = b"0032 the key of a tablespace, with its length";
const IV: [u8; 16] = *b"initial vector 1";
/// The tables' keys while the database is down.
const COLUMN: &str = "column.key";
const TABLESPACE: &str = "tablespace.key";

/// `ADMINISTER KEY MANAGEMENT SET KEY`: a master key is made and found, and tables' keys are encrypted with it.
pub fn make(token: &Token) -> Result<()> {
    let info = token.pkcs11.get_token_info(token.slot)?;
    ensure!(info.login_required() && !info.write_protected(), "the database takes no such token: {info:?}");
    let session = token.user()?;
    ensure!(master_keys(&session)?.is_empty(), "there is a master key already");
    let key = master_key(&session)?;
    is_guarded(&session, key)?;
    judged(token, &session)?;
    for (file, mechanism, plain) in wrapped() {
        std::fs::write(token.scratch.join(file), encrypt(&session, &mechanism, key, plain)?)?;
    }
    Ok(())
}

/// `ADMINISTER KEY MANAGEMENT SET KEYSTORE OPEN` of a database that starts, and a change of the master key.
pub fn open(token: &Token) -> Result<()> {
    let session = token.user()?;
    let [(label, key)] = &master_keys(&session)?[..] else { anyhow::bail!("one master key was expected") };
    opens(token, &session, *key)?;
    session.logout()?;
    ensure!(master_keys(&session)?.is_empty(), "a master key is seen without a login");
    session.login(UserType::User, Some(&pin(USER_PIN)))?;
    let next = master_key(&session)?;
    for (file, mechanism, plain) in wrapped() {
        let old = one(&session, ObjectClass::SECRET_KEY, label)?;
        let opened = decrypt(&session, &mechanism, old, &std::fs::read(token.scratch.join(file))?)?;
        ensure!(opened == plain, "{file}: another key after a new login");
        std::fs::write(token.scratch.join(file), encrypt(&session, &mechanism, next, &opened)?)?;
    }
    opens(token, &session, next)?;
    ensure!(opens(token, &session, *key).is_err(), "the old master key opens what the new one encrypted");
    let companions = labelled(&session, &[Attribute::Class(ObjectClass::DATA)], COMPANION)?;
    let mut all = master_keys(&session)?.into_iter().chain(companions);
    all.try_for_each(|(_, object)| Ok(session.destroy_object(object)?))
}

fn wrapped() -> [(&'static str, Mechanism<'static>, &'static [u8]); 2] {
    [(COLUMN, Mechanism::AesCbc(IV), TABLE_KEY), (TABLESPACE, Mechanism::AesCbcPad(IV), RECORD)]
}

fn opens(token: &Token, session: &Session, key: ObjectHandle) -> Result<()> {
    for (file, mechanism, plain) in wrapped() {
        let opened = decrypt(session, &mechanism, key, &std::fs::read(token.scratch.join(file))?)?;
        ensure!(opened == plain, "{file} is not what was encrypted");
    }
    Ok(())
}

fn master_keys(session: &Session) -> Result<Vec<(String, ObjectHandle)>> {
    let aes = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::KeyType(KeyType::AES), Attribute::Token(true)];
    labelled(session, &aes, PREFIX)
}

/// Objects whose label begins so, each with its label: PKCS#11 finds no beginnings, so all labels are read.
fn labelled(session: &Session, sought: &[Attribute], beginning: &str) -> Result<Vec<(String, ObjectHandle)>> {
    let all = session.find_objects(sought)?.into_iter().map(|object| {
        let attributes = session.get_attributes(object, &[AttributeType::Label])?;
        let [Attribute::Label(label)] = attributes.as_slice() else { anyhow::bail!("no label: {attributes:?}") };
        Ok((String::from_utf8_lossy(label).into_owned(), object))
    });
    let all = all.collect::<Result<Vec<_>>>()?;
    Ok(all.into_iter().filter(|(label, _)| label.starts_with(beginning)).collect())
}

/// A new master key and its companion, both found by their labels.
fn master_key(session: &Session) -> Result<ObjectHandle> {
    let identifier = format!("06{}", hex(&session.generate_random_vec(16)?));
    let label = format!("{PREFIX}{identifier}");
    let made = session.generate_key(&Mechanism::AesKeyGen, &template(&label, true)).context("C_GenerateKey")?;
    ensure!(one(session, ObjectClass::SECRET_KEY, &label)? == made, "another key has the label {label}");
    let companion = format!("{COMPANION}{}", hex(identifier.as_bytes()));
    let data = [
        Attribute::Class(ObjectClass::DATA),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Label(companion.as_bytes().into()),
        Attribute::Value(identifier.into_bytes()),
    ];
    let data = session.create_object(&data).context("C_CreateObject")?;
    // by its label alone, whatever its class
    let found = session.find_objects(&[Attribute::Label(companion.into())])?;
    ensure!(found == [data], "found by the label of the companion: {found:?}");
    Ok(made)
}

fn template(label: &str, keep: bool) -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(32.into()),
        Attribute::Token(keep),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Label(label.into()),
    ]
}

/// The key is what was asked for, nobody reads it, and its check value is of this key: of a block of zeros.
fn is_guarded(session: &Session, key: ObjectHandle) -> Result<()> {
    use AttributeType as A;
    let asked = [A::Sensitive, A::AlwaysSensitive, A::Extractable, A::NeverExtractable, A::Local, A::ValueLen];
    let is = session.get_attributes(key, &asked)?;
    let wanted = [
        Attribute::Sensitive(true),
        Attribute::AlwaysSensitive(true),
        Attribute::Extractable(false),
        Attribute::NeverExtractable(true),
        Attribute::Local(true),
        Attribute::ValueLen(32.into()),
    ];
    ensure!(wanted.iter().all(|one| is.contains(one)), "{is:?}");
    ensure!(session.get_attributes(key, &[A::Value]).map_or(true, |value| value.is_empty()), "the key can be read");
    let zeros = session.encrypt(&Mechanism::AesCbc([0; 16]), key, &[0; 16])?;
    let check = session.get_attributes(key, &[A::CheckValue])?;
    ensure!(check == [Attribute::CheckValue(zeros[..3].into())], "{check:?} is of another key");
    Ok(())
}

/// OpenSSL makes the same bytes with a key that both have.
fn judged(token: &Token, session: &Session) -> Result<()> {
    let value = session.generate_random_vec(32)?;
    let mut known = template("known", false);
    known.retain(|attribute| !matches!(attribute, Attribute::ValueLen(_)));
    known.push(Attribute::Value(value.clone()));
    let key = session.create_object(&known)?;
    for (file, mechanism, plain_text) in wrapped() {
        std::fs::write(token.scratch.join("plain"), plain_text)?;
        let mut openssl = plain(token, "openssl");
        openssl.args(["enc", "-aes-256-cbc", "-K", &hex(&value), "-iv", &hex(&IV), "-in", "plain", "-out", "secret"]);
        if matches!(mechanism, Mechanism::AesCbc(_)) {
            openssl.arg("-nopad");
        }
        run(&mut openssl)?;
        let secret = std::fs::read(token.scratch.join("secret"))?;
        ensure!(encrypt(session, &mechanism, key, plain_text)? == secret, "{file}: OpenSSL encrypts differently");
        ensure!(decrypt(session, &mechanism, key, &secret)? == plain_text, "{file}: not what OpenSSL encrypted");
    }
    Ok(session.destroy_object(key)?)
}

/// In one call and in parts, with the same result.
fn encrypt(session: &Session, mechanism: &Mechanism, key: ObjectHandle, data: &[u8]) -> Result<Vec<u8>> {
    let whole = session.encrypt(mechanism, key, data)?;
    session.encrypt_init(mechanism, key)?;
    let parts = parts(data).map(|part| session.encrypt_update(part));
    let mut joined = parts.collect::<Result<Vec<_>, _>>()?.concat();
    joined.extend(session.encrypt_final()?);
    ensure!(whole == joined, "encrypted in parts it is something else");
    Ok(whole)
}

fn decrypt(session: &Session, mechanism: &Mechanism, key: ObjectHandle, data: &[u8]) -> Result<Vec<u8>> {
    let whole = session.decrypt(mechanism, key, data)?;
    session.decrypt_init(mechanism, key)?;
    let parts = parts(data).map(|part| session.decrypt_update(part));
    let mut joined = parts.collect::<Result<Vec<_>, _>>()?.concat();
    joined.extend(session.decrypt_final()?);
    ensure!(whole == joined, "decrypted in parts it is something else");
    Ok(whole)
}

/// A byte, the rest of its block, and what remains.
fn parts(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    [&data[..1], &data[1..16], &data[16..]].into_iter()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

//! `coloa custodian`: who has a voice in the quorum (R2), and the key with which one speaks.
//!
//! A custodian's key is made on the custodian's own machine and stays there, encrypted under a passphrase (PKCS#8, PBES2 with
//! scrypt), or in a token ([`held`]). Only the public half, a SubjectPublicKeyInfo on P-384, goes to the appliance.

pub mod arguments;
mod held;

use crate::arguments::{Custodian as Command, CustodianSet, Passphrase};
use crate::client::write;
use crate::fault::Fault;
use crate::screen::{Screen, hex};
use crate::secret;
use crate::socket::AdminSocket;
use arguments::Signer;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use coloa_wire::command::{CUSTODIAN_KEY, Custodian, CustodiansRead, CustodiansSet};
use held::Held;
use pkcs8::der::Decode;
use pkcs8::der::pem::{LineEnding, encode_string};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef, SecretDocument};
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384};
use serde_json::json;
use std::path::{Path, PathBuf};
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo};
use zeroize::Zeroizing;

/// Shorter ones are guessed.
const MIN_PASSPHRASE: usize = 8;

pub fn run(open: impl Fn() -> Result<AdminSocket, Fault>, screen: &Screen, command: &Command) -> Result<(), Fault> {
    match command {
        Command::New { out, passphrase, token } => match Held::open(screen, token)? {
            Some(held) => new_in_token(screen, &held, out),
            None => new(screen, out, passphrase),
        },
        Command::List => list(&mut open()?, screen),
        Command::Set(asked) => {
            let mut socket = open()?;
            socket.call(None, &named(asked)?)?;
            list(&mut socket, screen)
        }
    }
}

/// Makes a key pair: `OUT` (mode 0600, encrypted) and `OUT.pub`.
fn new(screen: &Screen, out: &Path, passphrase: &Passphrase) -> Result<(), Fault> {
    let fault = |why: &dyn ToString| Fault::Key(why.to_string());
    let prompt = screen.text("Passphrase for the new key: ", "Mật khẩu cho khóa mới: ");
    let passphrase = secret::fresh(passphrase.source(), screen, prompt)?;
    if passphrase.0.len() < MIN_PASSPHRASE {
        return Err(Fault::Key(format!("a passphrase has at least {MIN_PASSPHRASE} bytes")));
    }
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).map_err(|e| fault(&e))?;
    let plain = Zeroizing::new(key.serialize_der());
    let info = PrivateKeyInfoRef::from_der(&plain).map_err(|e| fault(&e))?;
    let sealed = info.encrypt(&passphrase.0).map_err(|e| fault(&e))?;
    let pem = sealed.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF).map_err(|e| fault(&e))?;
    write(out, pem.as_bytes(), 0o600)?;
    let public = beside(out);
    write(&public, key.public_key_pem().as_bytes(), 0o644)?;
    let check = check_value(&point(&public)?);
    screen.facts(
        &json!({ "key": out, "public": public, "check_value": check }),
        vec![
            (screen.text("Key, for its holder alone", "Khóa, chỉ người giữ"), out.display().to_string()),
            (screen.text("Public half, for the ceremony", "Khóa công khai, cho buổi lễ"), public.display().to_string()),
            (screen.text("Check value", "Giá trị kiểm tra"), check),
        ],
    );
    Ok(())
}

/// Makes a key pair in a token, or takes the one that is there: `OUT` is its public half.
fn new_in_token(screen: &Screen, held: &Held<'_>, out: &Path) -> Result<(), Fault> {
    let (public, made) = held.public()?;
    let pem = encode_string("PUBLIC KEY", LineEnding::LF, &public).map_err(|e| Fault::Key(e.to_string()))?;
    write(out, pem.as_bytes(), 0o644)?;
    let check = check_value(&point(out)?);
    let said = match made {
        true => screen.text("made in the token now", "vừa tạo trong token"),
        false => screen.text("was in the token before", "đã có trong token"),
    };
    screen.facts(
        &json!({ "public": out, "check_value": check, "made": made }),
        vec![
            (screen.text("Key", "Khóa"), said.to_owned()),
            (screen.text("Public half, for the ceremony", "Khóa công khai, cho buổi lễ"), out.display().to_string()),
            (screen.text("Check value", "Giá trị kiểm tra"), check),
        ],
    );
    Ok(())
}

fn beside(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

pub fn list(socket: &mut AdminSocket, screen: &Screen) -> Result<(), Fault> {
    let found = socket.call(None, &CustodiansRead {})?;
    let all: Vec<_> = found.custodians.iter().map(|c| (c.name.clone(), check_value(&c.key))).collect();
    let document = json!({
        "threshold": found.threshold,
        "custodians": all.iter().map(|(name, check)| json!({ "name": name, "check_value": check })).collect::<Vec<_>>(),
    });
    if found.threshold == 0 {
        let none = screen.text(
            "No custodians: an administrator acts alone. `coloa custodian set` names them.",
            "Chưa có người giữ khóa: quản trị viên tự quyết. Đặt bằng `coloa custodian set`.",
        );
        screen.done(&document, none);
        return Ok(());
    }
    let header = [
        screen.text("Custodian", "Người giữ khóa"),
        screen.text("Check value of the key", "Giá trị kiểm tra của khóa"),
    ];
    screen.rows(&document, &header, all.into_iter().map(|(name, check)| vec![name, check]).collect());
    screen.note(&format!(
        "{} {} {}",
        screen.text("A quorum is", "Cần đủ"),
        found.threshold,
        screen.text("of them.", "người trong số đó.")
    ));
    Ok(())
}

/// The command that the words on the line mean.
pub fn named(asked: &CustodianSet) -> Result<CustodiansSet, Fault> {
    let custodian = |words: &String| {
        let (name, file) = words.split_once('=').ok_or_else(|| Fault::Unknown(format!("NAME=FILE in \"{words}\"")))?;
        Ok(Custodian { name: name.to_owned(), key: point(Path::new(file))? })
    };
    let custodians = asked.custodians.iter().map(custodian).collect::<Result<_, Fault>>()?;
    Ok(CustodiansSet { threshold: asked.threshold, custodians })
}

/// The public key of a PEM file.
pub fn point(file: &Path) -> Result<Vec<u8>, Fault> {
    let bytes = std::fs::read(file).map_err(|e| Fault::file(file, e))?;
    let (_, pem) = x509_parser::pem::parse_x509_pem(&bytes).map_err(|e| Fault::file(file, e))?;
    let key = SubjectPublicKeyInfo::from_der(&pem.contents).ok().filter(|_| pem.label == "PUBLIC KEY");
    let point = key.map(|(_, key)| key.subject_public_key.data.to_vec()).filter(|point| point.len() == CUSTODIAN_KEY);
    point.ok_or_else(|| Fault::file(file, "it holds no public key on P-384 (PEM, BEGIN PUBLIC KEY)"))
}

/// What two people compare: the beginning of the SHA-256 of the key, in groups of four digits.
pub fn check_value(bytes: &[u8]) -> String {
    let digits = hex(&digest(&SHA256, bytes).as_ref()[..8]);
    digits.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect::<Vec<_>>().join(" ")
}

/// A signature by the key that was named, in a token or a file.
pub fn sign(screen: &Screen, by: &Signer, text: &[u8]) -> Result<Vec<u8>, Fault> {
    match (Held::open(screen, &by.token)?, &by.key) {
        (Some(held), _) => held.sign(text),
        (None, Some(file)) => Ok(sign_by_file(screen, file, &by.passphrase, text)?.1),
        (None, None) => Err(Fault::Key("no key was named".into())),
    }
}

/// The public key of the key that was named, and its signature.
pub fn sign_and_say(screen: &Screen, by: &Signer, text: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Fault> {
    match (Held::open(screen, &by.token)?, &by.key) {
        (Some(held), _) => {
            let spki = held.existing()?;
            let point = spki.last_chunk::<CUSTODIAN_KEY>().map(|point| point.to_vec()).unwrap_or_default();
            Ok((point, held.sign(text)?))
        }
        (None, Some(file)) => sign_by_file(screen, file, &by.passphrase, text),
        (None, None) => Err(Fault::Key("no key was named".into())),
    }
}

/// The public key in a file, and its signature.
fn sign_by_file(
    screen: &Screen,
    file: &Path,
    passphrase: &Passphrase,
    text: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), Fault> {
    let fault = |why: &dyn ToString| Fault::file(file, why.to_string());
    let pem = Zeroizing::new(std::fs::read_to_string(file).map_err(|e| fault(&e))?);
    let (label, sealed) = SecretDocument::from_pem(&pem).map_err(|e| fault(&e))?;
    if label != "ENCRYPTED PRIVATE KEY" {
        return Err(fault(&"a custodian's key is encrypted (BEGIN ENCRYPTED PRIVATE KEY)"));
    }
    let prompt = format!("{} {}: ", screen.text("Passphrase of", "Mật khẩu của"), file.display());
    let passphrase = secret::present(passphrase.source(), &prompt)?;
    let sealed = EncryptedPrivateKeyInfoRef::try_from(sealed.as_bytes()).map_err(|e| fault(&e))?;
    let wrong = screen.text("the passphrase is wrong", "sai mật khẩu");
    let key = sealed.decrypt(&passphrase.0).map_err(|_| fault(&wrong))?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, key.as_bytes()).map_err(|e| fault(&e))?;
    let signature = pair.sign(&SystemRandom::new(), text).map_err(|_| fault(&"it does not sign"))?;
    Ok((pair.public_key().as_ref().to_vec(), signature.as_ref().to_vec()))
}

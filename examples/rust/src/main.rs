//! Signs and encrypts a document with keys in a token, through the crate `cryptoki`.
//!
//! ```text
//! coloa-example TOKEN PIN-FILE DOCUMENT
//! ```
//!
//! `PKCS11_MODULE` names the module, TOKEN is the token's label. DOCUMENT.sig gets the signature by the key `example` (ECDSA
//! with SHA-256, DER as OpenSSL reads it), DOCUMENT.gcm what `example-aes` encrypts: IV of 12 bytes, ciphertext, tag of 16.

#![forbid(unsafe_code)]

use anyhow::{Context, Result, bail, ensure};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::aead::{GcmMessageParams, GcmParams, GeneratorFunction};
use cryptoki::mechanism::{Mechanism, MessageParam};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use der::Encode;
use der::asn1::UintRef;
use std::fs;
use std::process::ExitCode;

const IV: usize = 12;
const TAG: usize = 16;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [label, pin_file, document] = words.as_slice() else {
        eprintln!("give me TOKEN PIN-FILE DOCUMENT");
        return ExitCode::from(2);
    };
    match run(label, pin_file, document) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(label: &str, pin_file: &str, document: &str) -> Result<()> {
    let data = fs::read(document).with_context(|| document.to_owned())?;
    let pin = fs::read_to_string(pin_file).with_context(|| pin_file.to_owned())?;
    let pin = AuthPin::new(pin.trim_end_matches('\n').into());
    let module = std::env::var_os("PKCS11_MODULE").context("PKCS11_MODULE does not name the module")?;
    let pkcs11 = Pkcs11::new(module)?;
    pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
    let session = pkcs11.open_ro_session(find_slot(&pkcs11, label)?)?;
    session.login(UserType::User, Some(&pin)).map_err(explained)?;
    fs::write(format!("{document}.sig"), sign(&session, &data)?)?;
    fs::write(format!("{document}.gcm"), encrypt(&session, &data)?)?;
    println!("{document}: signed and encrypted");
    Ok(())
}

/// What a person can do about it; the rest says it itself.
fn explained(error: Error) -> anyhow::Error {
    let Error::Pkcs11(code, _) = &error else { return error.into() };
    anyhow::anyhow!(match code {
        RvError::PinIncorrect => "the PIN is wrong; several wrong ones lock it",
        RvError::PinLocked => "too many wrong PINs; the security officer sets a new one",
        RvError::DeviceError => "the token does not answer; `coloa doctor` says why",
        _ => return error.into(),
    })
}

fn find_slot(pkcs11: &Pkcs11, label: &str) -> Result<Slot> {
    for slot in pkcs11.get_slots_with_token()? {
        if pkcs11.get_token_info(slot).is_ok_and(|info| info.label() == label) {
            return Ok(slot);
        }
    }
    bail!("no token is labelled {label}; `coloa doctor` says which tokens the module reaches")
}

fn find(session: &Session, class: ObjectClass, label: &str) -> Result<ObjectHandle> {
    let found = session.find_objects(&[Attribute::Class(class), Attribute::Label(label.into())])?;
    let [one] = found.as_slice() else {
        bail!("{} keys are labelled {label}, one is wanted; examples/README.md says how to make it", found.len());
    };
    Ok(*one)
}

/// PKCS#11 has r and s one after the other, OpenSSL a SEQUENCE of two INTEGERs.
fn sign(session: &Session, data: &[u8]) -> Result<Vec<u8>> {
    let key = find(session, ObjectClass::PRIVATE_KEY, "example")?;
    let signature = session.sign(&Mechanism::EcdsaSha256, key, data).map_err(explained)?;
    let (r, s) = signature.split_at(signature.len() / 2);
    Ok(vec![UintRef::new(r)?, UintRef::new(s)?].to_der()?)
}

/// As a message of PKCS#11 3.0, whose IV the token makes in any partition; decrypted as PKCS#11 2.40 does it.
fn encrypt(session: &Session, data: &[u8]) -> Result<Vec<u8>> {
    let key = find(session, ObjectClass::SECRET_KEY, "example-aes")?;
    let (mut iv, mut tag) = ([0; IV], [0; TAG]);
    let made = GcmMessageParams::new(&mut iv, 0.into(), GeneratorFunction::GenerateRandom, &mut tag)?;
    session.message_encrypt_init(&Mechanism::AesGcmMessage(made), key).map_err(explained)?;
    let sealed = session.encrypt_message(&MessageParam::AesGcmMessage(made), &[], data).map_err(explained)?;
    session.message_encrypt_final()?;
    let sealed = [sealed.as_slice(), &tag].concat();

    let mut given = iv;
    let gcm = GcmParams::new(&mut given, &[], (8 * TAG as u64).into())?;
    let opened = session.decrypt(&Mechanism::AesGcm(gcm), key, &sealed).map_err(explained)?;
    ensure!(opened == data, "decrypted is not what was encrypted");
    Ok([iv.as_slice(), &sealed].concat())
}

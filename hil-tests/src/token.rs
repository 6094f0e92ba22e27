//! The application's side: a token opened through `cryptoki`, and the keys that checks make on it.

use crate::target::{LABEL, SO_PIN, USER_PIN};
use anyhow::{Context, Result};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use std::path::PathBuf;

/// The variable that names the module to a check's process.
pub const MODULE: &str = "COLOA_CHECK_MODULE";
/// The variable that names the folder which a check's processes share.
pub const SCRATCH: &str = "COLOA_CHECK_SCRATCH";

/// A curve that keys are made on.
#[derive(Clone, Copy, Debug)]
pub enum Curve {
    /// secp256r1
    P256,
    /// secp384r1
    P384,
}

impl Curve {
    /// CKA_EC_PARAMS: the curve's OID in DER.
    pub fn params(self) -> Vec<u8> {
        match self {
            Curve::P256 => vec![0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
            Curve::P384 => vec![0x06, 5, 0x2b, 0x81, 4, 0, 0x22],
        }
    }
}

/// An initialised module with its token.
pub struct Token {
    /// The module.
    pub pkcs11: Pkcs11,
    /// The slot of the token [`LABEL`].
    pub slot: Slot,
    /// A folder shared by the processes of one check.
    pub scratch: PathBuf,
}

/// A PIN as `cryptoki` wants it.
pub fn pin(text: &str) -> AuthPin {
    AuthPin::new(text.into())
}

impl Token {
    /// Opens the token that this process's environment names.
    pub fn open() -> Result<Self> {
        let module = std::env::var_os(MODULE).context("a check is started by the suite, which names its module")?;
        let scratch = std::env::var_os(SCRATCH).map(PathBuf::from).context("the suite names a scratch folder")?;
        let pkcs11 = Pkcs11::new(PathBuf::from(&module)).with_context(|| format!("cannot load {module:?}"))?;
        pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).context("C_Initialize")?;
        let slot = find_slot(&pkcs11)?;
        Ok(Self { pkcs11, slot, scratch })
    }

    /// A read-write session without a login.
    pub fn session(&self) -> Result<Session> {
        self.pkcs11.open_rw_session(self.slot).context("C_OpenSession")
    }

    /// A read-write session with the user logged in.
    pub fn user(&self) -> Result<Session> {
        let session = self.session()?;
        session.login(UserType::User, Some(&pin(USER_PIN))).context("C_Login as user")?;
        Ok(session)
    }

    /// A read-write session with the security officer logged in.
    pub fn officer(&self) -> Result<Session> {
        let session = self.session()?;
        session.login(UserType::So, Some(&pin(SO_PIN))).context("C_Login as security officer")?;
        Ok(session)
    }

    /// Asks the suite to kill the target and start it again, and waits until that is done.
    pub fn restart_target(&self) -> Result<()> {
        let wish = self.scratch.join(crate::suite::RESTART_WISH);
        std::fs::write(&wish, "")?;
        while wish.exists() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Ok(())
    }
}

fn find_slot(pkcs11: &Pkcs11) -> Result<Slot> {
    let slots = pkcs11.get_slots_with_token().context("C_GetSlotList")?;
    let is_ours = |slot: &Slot| pkcs11.get_token_info(*slot).is_ok_and(|info| info.label() == LABEL);
    slots.into_iter().find(is_ours).with_context(|| format!("no token is labelled {LABEL}"))
}

/// A signing pair, kept in the token or gone with the session.
pub fn pair(session: &Session, curve: Curve, label: &str, keep: bool) -> Result<(ObjectHandle, ObjectHandle)> {
    let public = [
        Attribute::Token(keep),
        Attribute::Label(label.into()),
        Attribute::EcParams(curve.params()),
        Attribute::Verify(true),
    ];
    let private = [
        Attribute::Token(keep),
        Attribute::Label(label.into()),
        Attribute::Id(label.into()),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
    ];
    session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private).context("C_GenerateKeyPair")
}

/// An AES-256 key that never leaves.
pub fn aes(session: &Session, label: &str, keep: bool) -> Result<ObjectHandle> {
    let uses = [Attribute::Encrypt(true), Attribute::Decrypt(true)];
    secret(session, &Mechanism::AesKeyGen, label, keep, &uses)
}

/// A 32-byte HMAC key that never leaves.
pub fn hmac(session: &Session, label: &str, keep: bool) -> Result<ObjectHandle> {
    let uses = [Attribute::Sign(true), Attribute::Verify(true)];
    secret(session, &Mechanism::GenericSecretKeyGen, label, keep, &uses)
}

fn secret(s: &Session, mechanism: &Mechanism, label: &str, keep: bool, uses: &[Attribute]) -> Result<ObjectHandle> {
    let mut template = vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::Token(keep),
        Attribute::Label(label.into()),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::ValueLen(32.into()),
    ];
    template.extend_from_slice(uses);
    s.generate_key(mechanism, &template).context("C_GenerateKey")
}

/// The one object of this class and label.
pub fn one(session: &Session, class: ObjectClass, label: &str) -> Result<ObjectHandle> {
    let found = session.find_objects(&[Attribute::Class(class), Attribute::Label(label.into())])?;
    match found.as_slice() {
        [one] => Ok(*one),
        several => anyhow::bail!("{} objects of class {class} are labelled {label}, one was expected", several.len()),
    }
}

//! A custodian's key in a PKCS#11 token: a smart card, or any other (R2). It never leaves the token.
//!
//! It should not be in the device that it governs: whoever keeps that device's partitions would keep the quorum too.

use crate::custodian::arguments::TokenKey;
use crate::fault::Fault;
use crate::screen::Screen;
use crate::secret;
use aws_lc_rs::digest::{SHA384, digest};
use coloa_wire::command::CUSTODIAN_KEY;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use std::path::Path;

/// `CKA_EC_PARAMS` of P-384: the curve's OID.
const P384: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
/// What stands before the point in a SubjectPublicKeyInfo on P-384 (RFC 5480 §2).
const SPKI: [u8; 23] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00,
    0x22, 0x03, 0x62, 0x00,
];
/// Random bytes of a new key's `CKA_ID`.
const ID: u32 = 16;

/// An open token with the name of a key.
pub struct Held<'a> {
    session: Session,
    label: &'a str,
}

impl<'a> Held<'a> {
    /// Opens the token that was named, if one was.
    pub fn open(screen: &Screen, asked: &'a TokenKey) -> Result<Option<Self>, Fault> {
        let TokenKey { module: Some(module), token: Some(token), label: Some(label), user } = asked else {
            return Ok(None);
        };
        let context = load(module)?;
        let slot = find_slot(&context, token)?;
        let session = context.open_rw_session(slot).map_err(fault)?;
        let prompt = format!("{} \"{token}\": ", screen.text("PIN of the token", "Mã PIN của token"));
        let pin = secret::present(user.source(), &prompt)?;
        let text = str::from_utf8(&pin.0).map_err(|_| Fault::Pin("it is not UTF-8".into()))?;
        session.login(UserType::User, Some(&AuthPin::from(text.to_owned()))).map_err(fault)?;
        Ok(Some(Held { session, label }))
    }

    /// The SubjectPublicKeyInfo of the key, and whether it was made now: where there is none with this label, one is.
    pub fn public(&self) -> Result<(Vec<u8>, bool), Fault> {
        let made = self.objects(ObjectClass::PRIVATE_KEY)?.is_empty();
        if made {
            self.generate()?;
        }
        Ok((self.existing()?, made))
    }

    /// The SubjectPublicKeyInfo of the key that is there.
    pub fn existing(&self) -> Result<Vec<u8>, Fault> {
        let key = self.one(ObjectClass::PRIVATE_KEY)?;
        // R9: what can be copied out of the token is not its holder's alone.
        let kept = self.attributes(key, &[AttributeType::Sensitive, AttributeType::Extractable])?;
        if !(kept.contains(&Attribute::Sensitive(true)) && kept.contains(&Attribute::Extractable(false))) {
            return Err(Fault::Token(format!("the key \"{}\" can be read out of it", self.label)));
        }
        let public = self.one(ObjectClass::PUBLIC_KEY)?;
        let known = self.attributes(public, &[AttributeType::EcParams, AttributeType::EcPoint])?;
        let on_p384 = known.contains(&Attribute::EcParams(P384.to_vec()));
        let point = known.iter().find_map(|a| if let Attribute::EcPoint(value) = a { bare(value) } else { None });
        let point = point.filter(|_| on_p384).ok_or_else(|| Fault::Token("its key is not on P-384".into()))?;
        Ok([&SPKI[..], point].concat())
    }

    /// `r ‖ s` over the text.
    pub fn sign(&self, text: &[u8]) -> Result<Vec<u8>, Fault> {
        let key = self.one(ObjectClass::PRIVATE_KEY)?;
        self.session.sign(&Mechanism::Ecdsa, key, digest(&SHA384, text).as_ref()).map_err(fault)
    }

    fn generate(&self) -> Result<(), Fault> {
        let id = self.session.generate_random_vec(ID).map_err(fault)?;
        let both = [Attribute::Token(true), Attribute::Label(self.label.into()), Attribute::Id(id)];
        let public = [Attribute::Private(false), Attribute::Verify(true), Attribute::EcParams(P384.to_vec())];
        let private = [
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
        ];
        let (public, private) = ([&both[..], &public].concat(), [&both[..], &private].concat());
        self.session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private).map_err(fault)?;
        Ok(())
    }

    fn objects(&self, class: ObjectClass) -> Result<Vec<ObjectHandle>, Fault> {
        let wanted = [Attribute::Class(class), Attribute::KeyType(KeyType::EC), Attribute::Label(self.label.into())];
        self.session.find_objects(&wanted).map_err(fault)
    }

    fn one(&self, class: ObjectClass) -> Result<ObjectHandle, Fault> {
        match self.objects(class)?.as_slice() {
            [one] => Ok(*one),
            [] => Err(Fault::Token(format!("it holds no EC key \"{}\"", self.label))),
            _ => Err(Fault::Token(format!("it holds several EC keys \"{}\"", self.label))),
        }
    }

    fn attributes(&self, object: ObjectHandle, wanted: &[AttributeType]) -> Result<Vec<Attribute>, Fault> {
        self.session.get_attributes(object, wanted).map_err(fault)
    }
}

/// A bare name would be looked for in the loader's search path, which is not where a trusted module is named.
fn load(module: &Path) -> Result<Pkcs11, Fault> {
    let module = module.canonicalize().map_err(|e| Fault::file(module, e))?;
    let context = Pkcs11::new(&module).map_err(|e| Fault::file(&module, e))?;
    context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).map_err(|e| Fault::file(&module, e))?;
    Ok(context)
}

fn find_slot(context: &Pkcs11, token: &str) -> Result<Slot, Fault> {
    let slots = context.get_slots_with_token().map_err(fault)?;
    // One token that cannot answer does not hide the others.
    let called = |slot: &Slot| context.get_token_info(*slot).is_ok_and(|info| info.label().trim_end() == token);
    let mut found = slots.into_iter().filter(called);
    match (found.next(), found.next()) {
        (Some(slot), None) => Ok(slot),
        (None, _) => Err(Fault::Token(format!("the module shows none called \"{token}\""))),
        (Some(_), Some(_)) => Err(Fault::Token(format!("the module shows several called \"{token}\""))),
    }
}

/// `CKA_EC_POINT` is a DER OCTET STRING of the point (PKCS#11 3.1 §6.3.3); some tokens give the point bare.
fn bare(value: &[u8]) -> Option<&[u8]> {
    let point = match value.len() {
        CUSTODIAN_KEY => value,
        _ => value.strip_prefix(&[0x04, 0x61])?,
    };
    (point.len() == CUSTODIAN_KEY).then_some(point)
}

fn fault(error: Error) -> Fault {
    match error {
        Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => {
            Fault::Token("the PIN is wrong".into())
        }
        Error::Pkcs11(RvError::PinLocked, _) => Fault::Token("its PIN is locked".into()),
        other => Fault::Token(other.to_string()),
    }
}

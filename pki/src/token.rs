//! Keys in a PKCS#11 token, and the few calls made on it.
//!
//! Any token serves. The calls are C_Initialize, C_GetSlotList, C_GetTokenInfo, C_OpenSession, C_Login,
//! C_GenerateKeyPair (`CKM_EC_KEY_PAIR_GEN`), C_FindObjects, C_GetAttributeValue, C_Sign (`CKM_ECDSA` on a digest),
//! C_GenerateRandom, and C_CloseSession with C_Finalize at the end. One process holds one open token at a time.

mod site_key;

use std::path::{Path, PathBuf};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as P11Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use der::asn1::OctetStringRef;
use der::{Decode, Encode};

use crate::curve::{Curve, PublicKey, signature_to_der};
use crate::{Error, Result};
pub use site_key::SiteKey;

/// CKA_ID of a key made here: random, so that two keys never share one.
const KEY_ID_LEN: u32 = 16;

/// Something that signs: a key in a token.
pub trait Signer {
    /// The public half.
    fn public_key(&self) -> &PublicKey;
    /// Signs with the curve's own hash; returns a DER `Ecdsa-Sig-Value`.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>>;
}

/// An open, logged-in token. Closing it ends the login and finalizes the module.
pub struct Token {
    // Dropped in `Drop`, in this order; both are present until then.
    session: Option<Session>,
    context: Option<Pkcs11>,
    label: String,
    module: PathBuf,
}

/// Which token, and how to open it.
#[derive(Clone, Debug)]
pub struct TokenAddress {
    /// The PKCS#11 module, a shared object.
    pub module: PathBuf,
    /// CKA label of the token.
    pub label: String,
}

impl Token {
    /// Loads the module, finds the token by its label, and logs its user in.
    pub fn open(address: &TokenAddress, pin: AuthPin) -> Result<Token> {
        let module = module_path(&address.module)?;
        let fail = |e| module_error(&module, e);
        let context = Pkcs11::new(&module).map_err(fail)?;
        context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).map_err(fail)?;
        let mut token = Token {
            session: None,
            context: Some(context.clone()),
            label: address.label.clone(),
            module: module.clone(),
        };
        let slot = find_slot(&context, &address.label, &module)?;
        let session = context.open_rw_session(slot).map_err(fail)?;
        token.session = Some(session);
        token.session()?.login(UserType::User, Some(&pin)).map_err(fail)?;
        Ok(token)
    }

    /// The token's label.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Random bytes from the token's generator.
    pub fn random(&self, len: u32) -> Result<Vec<u8>> {
        let bytes = self.session()?.generate_random_vec(len).map_err(|e| self.error(e))?;
        // A generator that answers all the same byte is broken; a serial number must not come from it.
        match bytes.first() {
            Some(first) if bytes.iter().any(|b| b != first) => Ok(bytes),
            _ => Err(Error::RandomBroken),
        }
    }

    /// Makes a key pair that never leaves the token, and proves that it signs.
    pub fn generate(&self, label: &str, curve: Curve) -> Result<Key<'_>> {
        if !self.find_private(label)?.is_empty() {
            return Err(Error::KeyExists { label: label.into(), token: self.label.clone() });
        }
        let id = self.random(KEY_ID_LEN)?;
        let public = [
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::EcParams(curve.oid().to_der()?),
            Attribute::Label(label.as_bytes().to_vec()),
            Attribute::Id(id.clone()),
        ];
        let private = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            Attribute::Label(label.as_bytes().to_vec()),
            Attribute::Id(id),
        ];
        let (_, handle) = self
            .session()?
            .generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)
            .map_err(|e| self.error(e))?;
        self.refuse_extractable(handle, label)?;
        self.key(label)
    }

    /// Finds the one key pair with this label.
    pub fn key(&self, label: &str) -> Result<Key<'_>> {
        let handle = match self.find_private(label)?.as_slice() {
            [one] => *one,
            [] => return Err(Error::KeyMissing { label: label.into(), token: self.label.clone() }),
            _ => return Err(Error::KeyAmbiguous { label: label.into(), token: self.label.clone() }),
        };
        let public = self.public_of(handle, label)?;
        let key = Key { token: self, handle, public };
        key.prove()?;
        Ok(key)
    }

    fn find_private(&self, label: &str) -> Result<Vec<ObjectHandle>> {
        self.find(&[Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(label.as_bytes().to_vec())])
    }

    fn find(&self, template: &[Attribute]) -> Result<Vec<ObjectHandle>> {
        self.session()?.find_objects(template).map_err(|e| self.error(e))
    }

    /// The public object with the private one's CKA_ID; labels may be shared, ids should not be.
    fn public_of(&self, private: ObjectHandle, label: &str) -> Result<PublicKey> {
        let Some(Attribute::Id(id)) = self.attributes(private, &[AttributeType::Id])?.pop() else {
            return Err(Error::KeyMissing { label: label.into(), token: self.label.clone() });
        };
        let found = self.find(&[Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Id(id)])?;
        let [public] = found.as_slice() else {
            return Err(Error::KeyAmbiguous { label: label.into(), token: self.label.clone() });
        };
        let (mut curve, mut point) = (None, Vec::new());
        for attribute in self.attributes(*public, &[AttributeType::EcParams, AttributeType::EcPoint])? {
            match attribute {
                Attribute::EcParams(der) => curve = curve_of_params(&der),
                Attribute::EcPoint(value) => point = value,
                _ => {}
            }
        }
        let curve = curve.ok_or(Error::PublicKeyUnusable)?;
        PublicKey::from_point(curve, point_octets(curve, &point)?)
    }

    fn refuse_extractable(&self, handle: ObjectHandle, label: &str) -> Result<()> {
        // R9: a token that quietly made an extractable key is not one to hold a CA.
        let attributes = self.attributes(handle, &[AttributeType::Sensitive, AttributeType::Extractable])?;
        if attributes.contains(&Attribute::Sensitive(true)) && attributes.contains(&Attribute::Extractable(false)) {
            return Ok(());
        }
        Err(Error::KeyExtractable { label: label.into(), token: self.label.clone() })
    }

    fn attributes(&self, object: ObjectHandle, wanted: &[AttributeType]) -> Result<Vec<Attribute>> {
        self.session()?.get_attributes(object, wanted).map_err(|e| self.error(e))
    }

    fn session(&self) -> Result<&Session> {
        self.session.as_ref().ok_or(Error::TokenGone)
    }

    fn error(&self, error: P11Error) -> Error {
        module_error(&self.module, error)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.session.take();
        if let Some(context) = self.context.take() {
            // Nothing can be done about a module that will not finalize; the process is about to leave it alone.
            let _ = context.finalize();
        }
    }
}

/// A key pair in an open token.
pub struct Key<'t> {
    token: &'t Token,
    handle: ObjectHandle,
    public: PublicKey,
}

impl Key<'_> {
    /// Pairwise consistency: the private object signs for the public one that carries its id.
    fn prove(&self) -> Result<()> {
        const PROBE: &[u8] = b"coloa-pki pairwise consistency test";
        self.public.verify(PROBE, &self.sign(PROBE)?).map_err(|_| Error::KeyPairInconsistent)
    }
}

impl Signer for Key<'_> {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let digest = self.public.curve().digest(message);
        let raw =
            self.token.session()?.sign(&Mechanism::Ecdsa, self.handle, &digest).map_err(|e| self.token.error(e))?;
        signature_to_der(self.public.curve(), &raw)
    }
}

/// A bare file name would be looked for in the loader's search path, which is not where a trusted module is named.
fn module_path(path: &Path) -> Result<PathBuf> {
    path.canonicalize().map_err(|e| Error::Module { module: path.into(), why: e.to_string() })
}

fn find_slot(context: &Pkcs11, label: &str, module: &Path) -> Result<Slot> {
    let mut found = Vec::new();
    let mut seen = Vec::new();
    for slot in context.get_slots_with_token().map_err(|e| module_error(module, e))? {
        // One token that cannot answer (a board that is off) must not hide the others.
        let Ok(info) = context.get_token_info(slot) else { continue };
        match info.label().trim_end() == label {
            true => found.push(slot),
            false => seen.push(info.label().trim_end().to_owned()),
        }
    }
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(Error::TokenMissing { label: label.into(), seen }),
        _ => Err(Error::TokenAmbiguous { label: label.into() }),
    }
}

fn curve_of_params(der: &[u8]) -> Option<Curve> {
    let oid: der::asn1::ObjectIdentifier = der::asn1::ObjectIdentifier::from_der(der).ok()?;
    Curve::of_oid_bytes(oid.as_bytes())
}

/// CKA_EC_POINT is a DER OCTET STRING of the point (PKCS#11 v3.1 §6.3.3); some tokens give the point bare.
fn point_octets(curve: Curve, value: &[u8]) -> Result<&[u8]> {
    if value.len() == 1 + 2 * curve.coordinate_len() {
        return Ok(value);
    }
    Ok(<&OctetStringRef>::from_der(value).map_err(|_| Error::PublicKeyUnusable)?.as_bytes())
}

fn module_error(module: &Path, error: P11Error) -> Error {
    match error {
        P11Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => Error::PinWrong,
        P11Error::Pkcs11(RvError::PinLocked, _) => Error::PinLocked,
        other => Error::Module { module: module.into(), why: other.to_string() },
    }
}

//! Keys that are drawn for somebody else's token: made as session objects and taken out only under a wrapping key (R32).
//!
//! The wrapping key is imported for this one act (`C_CreateObject`), the private key leaves through `C_WrapKey`
//! (`CKM_AES_KEY_WRAP_PAD`, RFC 5649), and both are destroyed. The private key is never in this process, and never stays in
//! the token. Both SoftHSM2 and our own token do this; one that forbids it says so.

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use der::Encode;

use super::{Signer, Token, point_octets, signature_to_der};
use crate::curve::{Curve, PublicKey};
use crate::{Error, Result};

/// A key pair that lasts as long as this value.
pub struct SiteKey<'t> {
    token: &'t Token,
    private: ObjectHandle,
    public_handle: ObjectHandle,
    public: PublicKey,
}

impl Token {
    /// Draws a P-384 key pair that may leave under a wrapping key, and proves that it signs.
    pub fn draw_site_key(&self) -> Result<SiteKey<'_>> {
        let public = [
            Attribute::Token(false),
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::EcParams(Curve::P384.oid().to_der()?),
        ];
        let private = [
            Attribute::Token(false),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(true),
            Attribute::Sign(true),
        ];
        let session = self.session()?;
        let drawn = session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private);
        let (public_handle, private) = drawn.map_err(|e| self.error(e))?;
        let Some(Attribute::EcPoint(value)) = self.attributes(public_handle, &[AttributeType::EcPoint])?.pop() else {
            return Err(Error::PublicKeyUnusable);
        };
        let public = PublicKey::from_point(Curve::P384, point_octets(Curve::P384, &value)?)?;
        let key = SiteKey { token: self, private, public_handle, public };
        const PROBE: &[u8] = b"coloa-pki pairwise consistency test";
        key.public.verify(PROBE, &key.sign(PROBE)?).map_err(|_| Error::KeyPairInconsistent)?;
        Ok(key)
    }
}

impl SiteKey<'_> {
    /// The private key, wrapped under this key of 32 bytes.
    pub fn wrap(&self, wrapping: &[u8; 32]) -> Result<Vec<u8>> {
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(false),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Wrap(true),
            Attribute::Value(wrapping.to_vec()),
        ];
        let session = self.token.session()?;
        let imported = session.create_object(&template);
        wipe(template);
        let under = imported.map_err(|e| self.token.error(e))?;
        let wrapped = session.wrap_key(&Mechanism::AesKeyWrapPad, under, self.private);
        session.destroy_object(under).map_err(|e| self.token.error(e))?;
        wrapped.map_err(|e| self.token.error(e))
    }
}

/// The template held a copy of the wrapping key.
fn wipe(template: [Attribute; 8]) {
    use zeroize::Zeroize;
    for attribute in template {
        if let Attribute::Value(mut value) = attribute {
            value.zeroize();
        }
    }
}

impl Signer for SiteKey<'_> {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let digest = Curve::P384.digest(message);
        let raw = self.token.session()?.sign(&Mechanism::Ecdsa, self.private, &digest);
        signature_to_der(Curve::P384, &raw.map_err(|e| self.token.error(e))?)
    }
}

impl Drop for SiteKey<'_> {
    fn drop(&mut self) {
        let Ok(session) = self.token.session() else { return };
        for handle in [self.private, self.public_handle] {
            // They end with the session in any case.
            let _ = session.destroy_object(handle);
        }
    }
}

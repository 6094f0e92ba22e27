//! The site's key on its way into the token: the token itself unwraps it, so that it is never in this process.

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use rustls_pki_types::CertificateDer;
use zeroize::Zeroize;

use crate::fault::Fault;
use crate::keyholder::process::{self, KeySpec};
use crate::keyholder::sign::{Curve, der_signature};

/// DER of the object identifier of P-384 (RFC 5480 §2.1.1.1).
const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
/// Octets of an uncompressed point on P-384.
const POINT_LEN: usize = 97;

/// The key, in the token for good.
pub struct Imported {
    session: Session,
    key: ObjectHandle,
}

/// What is imported.
pub struct Wrapped<'a> {
    pub wrapped: &'a [u8],
    pub under: &'a [u8; 32],
    pub point: &'a [u8],
    pub id: &'a [u8],
}

impl Imported {
    /// Takes the key in under the label of `spec`. What an interrupted attempt left under this label is replaced.
    pub fn take(spec: &KeySpec, what: &Wrapped<'_>) -> Result<Self, Fault> {
        let pin = process::read_pin(&spec.pin_file).map_err(Fault::token)?;
        let module = process::load(&spec.module).map_err(Fault::token)?;
        let slot = process::find_token(&module, &spec.token).map_err(Fault::token)?;
        let session = module.open_rw_session(slot).map_err(Fault::token)?;
        session.login(UserType::User, Some(&pin)).map_err(Fault::token)?;
        let label = spec.key.clone().unwrap_or_default().into_bytes();
        for left in session.find_objects(&[Attribute::Label(label.clone()), Attribute::Id(what.id.to_vec())])? {
            session.destroy_object(left)?;
        }
        let key = unwrap(&session, what, label.clone())?;
        session.create_object(&public(what, label)?)?;
        Ok(Self { session, key })
    }

    /// A signature, DER, that fits the certificate.
    pub fn sign(&self, certificate: &CertificateDer<'_>, message: &[u8]) -> Result<Vec<u8>, Fault> {
        let curve = Curve::of(certificate).filter(|c| *c == Curve::P384).ok_or(Fault::WrongKey)?;
        let raw = self.session.sign(&Mechanism::Ecdsa, self.key, curve.digest(message).as_ref())?;
        let signature = der_signature(&raw).ok_or(Fault::WrongKey)?;
        webpki::EndEntityCert::try_from(certificate)
            .and_then(|c| c.verify_signature(webpki::aws_lc_rs::ECDSA_P384_SHA384, message, &signature))
            .map_err(|_| Fault::WrongKey)?;
        Ok(signature)
    }
}

impl From<cryptoki::error::Error> for Fault {
    fn from(error: cryptoki::error::Error) -> Self {
        Fault::token(error)
    }
}

fn unwrap(session: &Session, what: &Wrapped<'_>, label: Vec<u8>) -> Result<ObjectHandle, Fault> {
    let mut wrapping = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Unwrap(true),
        Attribute::Value(what.under.to_vec()),
    ];
    let under = session.create_object(&wrapping);
    if let Some(Attribute::Value(value)) = wrapping.last_mut() {
        value.zeroize();
    }
    let under = under?;
    let template = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(KeyType::EC),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Label(label),
        Attribute::Id(what.id.to_vec()),
    ];
    let key = session.unwrap_key(&Mechanism::AesKeyWrapPad, under, what.wrapped, &template);
    session.destroy_object(under)?;
    Ok(key?)
}

fn public(what: &Wrapped<'_>, label: Vec<u8>) -> Result<Vec<Attribute>, Fault> {
    let length = u8::try_from(what.point.len()).ok().filter(|n| usize::from(*n) == POINT_LEN).ok_or(Fault::WrongKey)?;
    Ok(vec![
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(KeyType::EC),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::EcParams(P384.to_vec()),
        Attribute::EcPoint([&[0x04, length], what.point].concat()),
        Attribute::Label(label),
        Attribute::Id(what.id.to_vec()),
    ])
}

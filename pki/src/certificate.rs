//! Builds and signs a certificate from a profile, and wraps whatever else this authority signs.
//!
//! Every byte comes from the profile, the issuer, the clock, the token's generator, the verified key or a permitted
//! name. There is no parameter through which a request's extension could arrive.

use der::asn1::{Any, AnyRef, BitString, OctetString, Uint};
use der::{Decode, Encode, Sequence, Tag, Tagged};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, BasicConstraints, KeyUsage};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::Time;

use crate::clock::Moment;
use crate::curve::PublicKey;
use crate::name::AltName;
use crate::profile::{Permitted, Profile};
use crate::token::Signer;
use crate::{Result, oid};

/// version v3 (RFC 5280 §4.1.2.1).
const V3: u8 = 2;

/// Who signs, and until when it may.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// DER Name, as it stands in the issuer's own certificate.
    pub name: Vec<u8>,
    /// The issuer's subject key identifier.
    pub key_id: Vec<u8>,
    /// Where its CRL can be fetched, if certificates should say so.
    pub crl_url: Option<String>,
}

/// What this one certificate says beyond its profile.
pub struct Particulars<'a> {
    /// Names that fit the profile.
    pub permitted: &'a Permitted,
    /// A key whose possession was proved.
    pub public_key: &'a PublicKey,
    /// Positive, at most 20 bytes (RFC 5280 §4.1.2.2).
    pub serial: &'a [u8],
    /// First second of validity.
    pub not_before: Moment,
    /// Last second of validity.
    pub not_after: Moment,
}

/// RFC 5280 §4.1.2, without the unique identifiers that nobody should use.
#[derive(Sequence)]
struct TbsCertificate {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial: Uint,
    signature: AlgorithmIdentifierOwned,
    issuer: Any,
    validity: ValidityPeriod,
    subject: Any,
    public_key: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

#[derive(Sequence)]
struct ValidityPeriod {
    not_before: Time,
    not_after: Time,
}

/// Builds the TBSCertificate and has it signed; the result is not yet verified (see [`crate::lint`]).
pub fn build(particulars: &Particulars<'_>, issuer: &Issuer, signer: &dyn Signer) -> Result<Vec<u8>> {
    let tbs = TbsCertificate {
        version: V3,
        serial: Uint::new(particulars.serial)?,
        signature: signer.public_key().curve().signature_algorithm(),
        issuer: Any::from_der(&issuer.name)?,
        validity: ValidityPeriod {
            not_before: particulars.not_before.x509()?,
            not_after: particulars.not_after.x509()?,
        },
        subject: Any::from_der(&particulars.permitted.subject().to_der()?)?,
        public_key: particulars.public_key.spki()?,
        extensions: extensions(particulars, issuer)?,
    };
    signed(&tbs.to_der()?, signer)
}

/// The shape that certificates, CRLs and requests share (RFC 5280 §4.1).
#[derive(Sequence)]
struct Signed<'a> {
    tbs: AnyRef<'a>,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

/// Has `tbs` signed and puts the three parts together.
pub fn signed(tbs: &[u8], signer: &dyn Signer) -> Result<Vec<u8>> {
    let whole = Signed {
        tbs: AnyRef::from_der(tbs)?,
        algorithm: signer.public_key().curve().signature_algorithm(),
        signature: BitString::from_bytes(&signer.sign(tbs)?)?,
    };
    Ok(whole.to_der()?)
}

/// Whether bytes have that shape in strict DER, to the last byte. The other parser is more lenient with what lies
/// outside the signature.
pub fn is_signed_shape(der: &[u8]) -> bool {
    Signed::from_der(der).is_ok_and(|s| s.tbs.tag() == Tag::Sequence && s.signature.unused_bits() == 0)
}

fn extensions(particulars: &Particulars<'_>, issuer: &Issuer) -> Result<Vec<Extension>> {
    let profile = particulars.permitted.profile();
    let mut list = vec![basic_constraints(profile)?, key_usage(profile)?];
    if !profile.extended.is_empty() {
        list.push(extended_key_usage(profile)?);
    }
    if !particulars.permitted.alt_names().is_empty() {
        list.push(alt_names(particulars.permitted.alt_names())?);
    }
    list.push(subject_key_identifier(&particulars.public_key.identifier())?);
    list.push(authority_key_identifier(&issuer.key_id)?);
    if let Some(url) = &issuer.crl_url {
        list.push(crl_distribution_point(url)?);
    }
    Ok(list)
}

fn basic_constraints(profile: &Profile) -> Result<Extension> {
    let value = BasicConstraints { ca: profile.path_len.is_some(), path_len_constraint: profile.path_len };
    extension(oid::BASIC_CONSTRAINTS, true, &value)
}

fn key_usage(profile: &Profile) -> Result<Extension> {
    extension(oid::KEY_USAGE, true, &KeyUsage(profile.usage()))
}

fn extended_key_usage(profile: &Profile) -> Result<Extension> {
    let purposes: Vec<Any> =
        profile.extended.iter().map(|o| Any::new(Tag::ObjectIdentifier, *o)).collect::<der::Result<_>>()?;
    extension(oid::EXTENDED_KEY_USAGE, profile.extended_critical, &purposes)
}

/// Not critical: the subject is never empty here (RFC 5280 §4.2.1.6).
fn alt_names(names: &[AltName]) -> Result<Extension> {
    let names: Vec<Any> = names.iter().map(AltName::to_any).collect::<Result<_>>()?;
    extension(oid::SUBJECT_ALT_NAME, false, &names)
}

fn subject_key_identifier(id: &[u8]) -> Result<Extension> {
    extension(oid::SUBJECT_KEY_IDENTIFIER, false, &OctetString::new(id)?)
}

/// Also in CRLs (RFC 5280 §5.2.1).
pub(crate) fn authority_key_identifier(id: &[u8]) -> Result<Extension> {
    let value = AuthorityKeyIdentifier { key_identifier: Some(OctetString::new(id)?), ..Default::default() };
    extension(oid::AUTHORITY_KEY_IDENTIFIER, false, &value)
}

/// One distribution point with one URI (RFC 5280 §4.2.1.13): `[0] { [0] { [6] uri } }` in two sequences.
fn crl_distribution_point(url: &str) -> Result<Extension> {
    let context = |constructed, number, bytes: Vec<u8>| {
        Any::new(Tag::ContextSpecific { constructed, number: der::TagNumber(number) }, bytes)
    };
    let uri = context(false, 6, url.as_bytes().to_vec())?;
    let full_name = context(true, 0, uri.to_der()?)?;
    let point = context(true, 0, full_name.to_der()?)?;
    extension(oid::CRL_DISTRIBUTION_POINTS, false, &vec![vec![point]])
}

pub(crate) fn extension(id: der::asn1::ObjectIdentifier, critical: bool, value: &impl Encode) -> Result<Extension> {
    Ok(Extension { extn_id: id, critical, extn_value: OctetString::new(value.to_der()?)? })
}

//! Commands that generate keys.

use super::derive::kdf;
use super::object::{Place, draft, place, publish, usable};
use super::secret;
use crate::attributes::{Origin, Wanted};
use crate::call::{Call, NOT_APPROVED};
use crate::crypto::{KeyMaterial, RSA_BITS};
use crate::keypair::{self, Described, F4};
use crate::mechanism::{self, MAX_SECRET, Service};
use crate::object::secret_kind;
use crate::{Crypto, CryptoError, PairKind, Platform, approval, policy};
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::{KeyGenerate, KeyPairGenerate, KeyPairReply, ObjectReply};
use coloa_wire::{AttributeType as A, ErrorCode, MechanismType};
use zeroize::Zeroizing;

/// The shortest secret the engine generates: 112 bits (SP 800-131A).
const MIN_SECRET: u64 = 14;

pub(crate) fn generate<P: Platform>(call: &mut Call<'_, P>, command: KeyGenerate) -> Result<ObjectReply, ErrorCode> {
    let place = place(call)?;
    let mechanism = command.mechanism.kind;
    let kind = generated_type(call, &place, mechanism, Service::Generate)?;
    if mechanism == MechanismType::PKCS5_PBKD2 {
        return from_password(call, &place, command);
    }
    let implied = [(A::CLASS, class::SECRET_KEY), (A::KEY_TYPE, kind)];
    let wanted = Wanted::parse(command.template, &implied, Origin::Generate(mechanism))?;
    let length = wanted.number(A::VALUE_LEN).ok_or(ErrorCode::TemplateIncomplete)?;
    let secret = random_secret(call, kind, length)?;
    let template = wanted.complete(place.partition.mode)?;
    let draft = draft(call, &place, template, secret)?;
    let reply = ObjectReply { object: draft.object.id };
    publish(call, &place, vec![draft], reply)
}

/// PBKDF2 (PKCS#11 §6.46): who knows the password knows the key, so a strict partition has it neither wrap nor derive.
fn from_password<P: Platform>(
    call: &Call<'_, P>,
    place: &Place<P>,
    command: KeyGenerate,
) -> Result<ObjectReply, ErrorCode> {
    let (mode, origin) = (place.partition.mode, Origin::Generate(command.mechanism.kind));
    let mut wanted = secret::wanted(command.template, &[], origin)?;
    let length = secret::length(&wanted, None, mode)?;
    let (pbkdf2, password) = mechanism::pbkdf2(&command.mechanism, mode)?;
    let derived = kdf::provided(call, password, pbkdf2, length)?;
    secret::accept(call, &mut wanted, &derived)?;
    secret::keep(call, place, wanted, derived, |object| ObjectReply { object })
}

pub(super) fn random_secret<P: Platform>(
    call: &Call<'_, P>,
    kind: u64,
    length: u64,
) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    let fits = match kind {
        key_type::AES => matches!(length, 16 | 24 | 32),
        key_type::AES_XTS => matches!(length, 32 | 64),
        _ => (MIN_SECRET..=u64::from(MAX_SECRET)).contains(&length),
    };
    let length = usize::try_from(length).ok().filter(|_| fits).ok_or(ErrorCode::KeySize)?;
    let mut secret = Zeroizing::new(vec![0; length]);
    let drawn = call.engine.platform().crypto().random(&mut secret);
    drawn.map_err(|error| call.engine.crypto_failed(error))?;
    usable(call, secret_kind(kind), &secret)?;
    Ok(secret)
}

/// The key type that a mechanism generates.
fn generated_type<P: Platform>(
    call: &mut Call<'_, P>,
    place: &Place<P>,
    mechanism: MechanismType,
    service: Service,
) -> Result<u64, ErrorCode> {
    let served = policy::served(call.engine.platform().crypto(), &place.partition, mechanism, service)?;
    if !approval::is_approved(mechanism, service, place.partition.mode) {
        if place.partition.approved_only {
            return Err(ErrorCode::ServiceNotApproved);
        }
        call.detail = Some(NOT_APPROVED.into());
    }
    served.key_types().first().copied().ok_or(ErrorCode::Internal)
}

pub(crate) fn generate_pair<P: Platform>(
    call: &mut Call<'_, P>,
    command: KeyPairGenerate,
) -> Result<KeyPairReply, ErrorCode> {
    let place = place(call)?;
    let mechanism = command.mechanism.kind;
    let kind = generated_type(call, &place, mechanism, Service::GeneratePair)?;
    let origin = Origin::Generate(mechanism);
    let implied = |class| [(A::CLASS, class), (A::KEY_TYPE, kind)];
    let mut public = Wanted::parse(command.public, &implied(class::PUBLIC_KEY), origin)?;
    let mut private = Wanted::parse(command.private, &implied(class::PRIVATE_KEY), origin)?;
    agree(&public, &private)?;
    let (kind, pair) = make_pair(call, &public)?;
    keypair::write_public(&mut public, kind, &pair.public)?;
    keypair::write_private(&mut private, kind, &pair.public)?;
    let mode = place.partition.mode;
    let public = draft(call, &place, public.complete(mode)?, Zeroizing::default())?;
    let private = draft(call, &place, private.complete(mode)?, pair.secret)?;
    let reply = KeyPairReply { public: public.object.id, private: private.object.id };
    publish(call, &place, vec![private, public], reply)
}

/// What both templates say of the pair must be the same.
fn agree(public: &Wanted, private: &Wanted) -> Result<(), ErrorCode> {
    let params = private.bytes(A::EC_PARAMS).is_none_or(|given| public.bytes(A::EC_PARAMS) == Some(given));
    let set = private.number(A::PARAMETER_SET).is_none_or(|given| public.number(A::PARAMETER_SET) == Some(given));
    if params && set { Ok(()) } else { Err(ErrorCode::TemplateInconsistent) }
}

/// Generates the pair that a public template describes.
pub(super) fn make_pair<P: Platform>(
    call: &Call<'_, P>,
    public: &Wanted,
) -> Result<(PairKind, KeyMaterial), ErrorCode> {
    let crypto = call.engine.platform().crypto();
    let kind = Described::by(public).kind()?;
    let made = match kind {
        PairKind::Rsa => crypto.generate_rsa(modulus_bits(public)?),
        other => crypto.generate(other),
    };
    match made {
        Ok(pair) => Ok((kind, pair)),
        Err(CryptoError::Unsupported) => Err(ErrorCode::CurveUnsupported),
        Err(error) => Err(call.engine.crypto_failed(error)),
    }
}

fn modulus_bits(public: &Wanted) -> Result<u32, ErrorCode> {
    let bits = public.number(A::MODULUS_BITS).ok_or(ErrorCode::TemplateIncomplete)?;
    if public.bytes(A::PUBLIC_EXPONENT).is_some_and(|given| given != F4) {
        return Err(ErrorCode::AttributeValueInvalid);
    }
    let bits = u32::try_from(bits).ok().filter(|bits| RSA_BITS.contains(bits) && bits.is_multiple_of(8));
    bits.ok_or(ErrorCode::KeySize)
}

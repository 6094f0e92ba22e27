//! Key derivation (PKCS#11 §5.18.5): agreement on a curve, HKDF, and the counter KDF of SP 800-108. What only composes a
//! hash or a MAC is written out here; the primitives are the provider's.

pub(super) mod kdf;

use super::crypto::authorize;
use super::object::place;
use super::secret;
use crate::attributes::{Origin, Wanted};
use crate::call::Call;
use crate::keypair;
use crate::keyring::Key;
use crate::mechanism::{Derivation, Hkdf, Salt};
use crate::object::Object;
use crate::{Crypto, CryptoError, Hash, PairKind, Platform, policy};
use alloc::vec::Vec;
use coloa_wire::command::{KeyDerive, ObjectReply, PartitionMode};
use coloa_wire::{AttributeType as A, ErrorCode, MechanismType};
use zeroize::Zeroizing;

pub(crate) fn derive<P: Platform>(call: &mut Call<'_, P>, command: KeyDerive) -> Result<ObjectReply, ErrorCode> {
    let place = place(call)?;
    let kind = command.mechanism.kind;
    call.present(command.ticket);
    let (base, session) = authorize::<policy::Derive, P>(call, command.base, kind)?;
    let (base, mode) = (base.object(), place.partition.mode);
    let derivation = Derivation::parse(&command.mechanism)?;
    let strict = mode == PartitionMode::Strict;
    if !call.engine.platform().crypto().supports(derivation.needs()) || (strict && derivation.is_weak()) {
        return call.used(&session, command.base, kind, Err(ErrorCode::MechanismParameter));
    }
    let (sensitive, unextractable) = (base.flag(A::ALWAYS_SENSITIVE), base.flag(A::NEVER_EXTRACTABLE));
    let origin = Origin::Derived { sensitive, unextractable };
    let mut wanted = secret::wanted(command.template, base.template(A::DERIVE_TEMPLATE), origin)?;
    let natural = natural_length(base, &derivation);
    let length = secret::length(&wanted, natural, mode)?;
    if strict && is_raw(&derivation) {
        only_derives(&mut wanted, natural == Some(length))?;
    }
    let derived = compute(call, base, &derivation, length);
    let derived = call.used(&session, command.base, kind, derived)?;
    secret::accept(call, &mut wanted, &derived)?;
    secret::keep(call, &place, wanted, derived, |object| ObjectReply { object })
}

/// Whether the result is the bare shared secret.
fn is_raw(derivation: &Derivation<'_>) -> bool {
    matches!(derivation, Derivation::Agree { kdf: None, .. })
}

/// A bare shared secret is no key: on a strict partition it is whole, and only derives (SP 800-56A §5.8).
fn only_derives(wanted: &mut Wanted, whole: bool) -> Result<(), ErrorCode> {
    if !whole {
        return Err(ErrorCode::KeySize);
    }
    if !wanted.flag(A::DERIVE) && wanted.has(A::DERIVE) {
        return Err(ErrorCode::TemplateInconsistent);
    }
    // With another purpose beside this one the partition's rules refuse it.
    wanted.set(A::DERIVE, true);
    Ok(())
}

/// Bytes that the derivation itself gives.
fn natural_length<K>(base: &Object<K>, derivation: &Derivation<'_>) -> Option<usize> {
    match derivation {
        Derivation::Agree { kdf: None, .. } => match base.pair()? {
            PairKind::Ec(curve) => Some(curve.scalar()),
            _ => Some(32),
        },
        Derivation::Hkdf(Hkdf { hash, expand: None, .. }) => Some(hash.length()),
        _ => None,
    }
}

fn compute<P: Platform>(
    call: &Call<'_, P>,
    base: &Object<Key<P>>,
    derivation: &Derivation<'_>,
    length: usize,
) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    match derivation {
        Derivation::Agree { public, kdf } => {
            let shared = agree(call, base, public)?;
            match kdf {
                Some((hash, info)) => Ok(kdf::x963(call.engine.platform().crypto(), *hash, [&shared, info], length)),
                None => last(shared, length),
            }
        }
        Derivation::Hkdf(params) => hkdf(call, base, params, length),
        Derivation::Counter(params) => {
            let crypto = call.engine.platform().crypto();
            let outcome = kdf::counter(crypto, base, params, length)?;
            outcome.map_err(|error| call.engine.crypto_failed(error))
        }
    }
}

fn agree<P: Platform>(
    call: &Call<'_, P>,
    base: &Object<Key<P>>,
    public: &[u8],
) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    let crypto = call.engine.platform().crypto();
    let kind = base.pair().ok_or(ErrorCode::KeyTypeInconsistent)?;
    crypto.agree(base.open(crypto)?, keypair::point_of(public, kind)).map_err(|error| match error {
        CryptoError::Invalid | CryptoError::Length => ErrorCode::PublicKeyInvalid,
        other => call.engine.crypto_failed(other),
    })
}

/// `CKD_NULL` removes bytes from the leading end (PKCS#11 §6.3.19).
fn last(shared: Zeroizing<Vec<u8>>, length: usize) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    let from = shared.len().checked_sub(length).ok_or(ErrorCode::KeySize)?;
    Ok(Zeroizing::new(shared.get(from..).unwrap_or_default().to_vec()))
}

fn hkdf<P: Platform>(
    call: &Call<'_, P>,
    base: &Object<Key<P>>,
    params: &Hkdf<'_>,
    length: usize,
) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    let Hkdf { hash, extract, expand } = *params;
    let key = match extract {
        Some(Salt::Data(salt)) => extracted(call, hash, salt, base.secret())?,
        Some(Salt::Key(salt)) => {
            let (salt, _) = authorize::<policy::Derive, P>(call, salt, MechanismType::HKDF_DERIVE)?;
            extracted(call, hash, salt.object().secret(), base.secret())?
        }
        None => base.secret().clone(),
    };
    match expand {
        // What the second step takes is at least as long as the hash (RFC 5869 §2.3).
        Some(_) if key.len() < hash.length() => Err(ErrorCode::KeySize),
        Some(info) => kdf::provided(call, &key, crate::crypto::Kdf::HkdfExpand { hash, info }, length),
        None if length == hash.length() => Ok(key),
        None => Err(ErrorCode::TemplateInconsistent),
    }
}

fn extracted<P: Platform>(
    call: &Call<'_, P>,
    hash: Hash,
    salt: &[u8],
    secret: &[u8],
) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    kdf::provided(call, secret, crate::crypto::Kdf::HkdfExtract { hash, salt }, hash.length())
}

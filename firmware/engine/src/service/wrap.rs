//! Keys that leave and come under other keys (PKCS#11 §5.18.3, §5.18.4).
//!
//! A secret key is wrapped as its value, a private one as PKCS#8. Whatever is wrong with a wrapped key is one error, and
//! nothing is stored that did not load as a key of its type. A compatible partition has AES-CBC-PAD and RSA PKCS#1 v1.5 for
//! old clients: those do not authenticate, so there whoever may unwrap has a padding oracle and can make keys of noise; a
//! strict partition has neither.

use super::crypto::{authorize, make_iv, open, seal};
use super::object::{is_secret_type, place};
use super::secret;
use crate::attributes::{Origin, Wanted, merged, narrowest};
use crate::call::Call;
use crate::crypto::{Mode, Padding};
use crate::keypair::{self, Described, Unwrapped};
use crate::keyring::Key;
use crate::mechanism::{Cipher, Wrapping};
use crate::object::Object;
use crate::policy::{self, Authorized, Wrappable};
use crate::session::Session;
use crate::{Crypto, CryptoError, KeyKind, Platform, allowance};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::attribute::class;
use coloa_wire::command::{KeyUnwrap, KeyWrap, KeyWrapReply, ObjectReply, PartitionMode};
use coloa_wire::{AttributeType as A, ErrorCode, Mechanism};
use zeroize::Zeroizing;

/// What KWP adds at most.
const GROWTH: usize = 16;

pub(crate) fn wrap<P: Platform>(call: &mut Call<'_, P>, command: KeyWrap) -> Result<KeyWrapReply, ErrorCode> {
    let kind = command.mechanism.kind;
    let (wrapping, session) =
        authorize::<policy::Wrap, P>(call, command.wrapping, kind).map_err(|error| match error {
            ErrorCode::KeyTypeInconsistent => ErrorCode::WrappingKeyType,
            other => other,
        })?;
    let key = policy::look_up(&session, &session.partition, command.key)?;
    let made = make(call, &session, &wrapping, key, &command.mechanism);
    if matches!(made, Err(ErrorCode::Conflict)) {
        return Err(ErrorCode::Conflict);
    }
    // Which key has left is logged, and under which.
    let made = call.used(&session, command.key, kind, made);
    let (iv, wrapped) = call.used(&session, command.wrapping, kind, made)?;
    call.out = wrapped;
    Ok(KeyWrapReply { iv })
}

/// The IV that the engine made, and the wrapped key.
fn make<P: Platform>(
    call: &Call<'_, P>,
    session: &Session<P>,
    wrapping: &Authorized<policy::Wrap, Key<P>>,
    key: Arc<Object<Key<P>>>,
    mechanism: &Mechanism,
) -> Result<(Option<Vec<u8>>, Vec<u8>), ErrorCode> {
    let way = Wrapping::parse(mechanism)?;
    let key = policy::wrappable(session, wrapping, key, call.engine.platform())?;
    if session.partition.mode == PartitionMode::Strict && way.has_chosen_iv() {
        return Err(ErrorCode::MechanismParameter);
    }
    let plain = plain(call, &key)?;
    if way.is_counted() {
        allowance::spend(call, session, wrapping.object())?;
    }
    let iv = match way {
        Wrapping::Cipher(cipher) => make_iv(call, cipher)?,
        Wrapping::Aes(_) | Wrapping::RsaAes(..) => Vec::new(),
    };
    let wrapped = match way {
        Wrapping::Cipher(cipher) => seal(call, wrapping.object(), cipher.with_iv(&iv), &plain),
        Wrapping::Aes(mode) => wrap_aes(call, wrapping.object().open(call.engine.platform().crypto())?, mode, &plain),
        Wrapping::RsaAes(bytes, padding) => wrap_rsa_aes(call, wrapping.object(), (bytes, padding), &plain),
    };
    // The text is a key, so its length is the key's.
    let wrapped = wrapped.map_err(|error| if error == ErrorCode::DataLength { ErrorCode::KeySize } else { error })?;
    Ok(((!iv.is_empty()).then_some(iv), wrapped))
}

/// What is wrapped of a key.
fn plain<P: Platform>(call: &Call<'_, P>, key: &Wrappable<Key<P>>) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    let key = key.object();
    if key.class() == class::SECRET_KEY {
        return Ok(key.secret().clone());
    }
    let kind = key.pair().ok_or(ErrorCode::StoreCorrupt)?;
    let public = call.engine.platform().crypto().public(kind, key.secret()).map_err(|_| ErrorCode::StoreCorrupt)?;
    keypair::private_key_info(kind, key.secret(), &public)
}

fn wrap_aes<P: Platform>(call: &Call<'_, P>, key: &Key<P>, mode: Mode<'_>, plain: &[u8]) -> Result<Vec<u8>, ErrorCode> {
    let mut text = Zeroizing::new(Vec::with_capacity(plain.len().saturating_add(GROWTH)));
    text.extend_from_slice(plain);
    let wrapped = call.engine.platform().crypto().encrypt(key, mode, &mut text);
    wrapped.map_err(|error| call.engine.crypto_failed(error))?;
    Ok(core::mem::take(&mut text))
}

/// RSA AES key wrap (PKCS#11 §6.1.15): the AES key lives for this one wrapping.
fn wrap_rsa_aes<P: Platform>(
    call: &Call<'_, P>,
    wrapping: &Object<Key<P>>,
    (bytes, padding): (usize, Padding<'_>),
    plain: &[u8],
) -> Result<Vec<u8>, ErrorCode> {
    let crypto = call.engine.platform().crypto();
    let mut passing = Zeroizing::new(vec![0; bytes]);
    crypto.random(&mut passing).map_err(|error| call.engine.crypto_failed(error))?;
    let key = crypto.load(KeyKind::Aes, &passing).map_err(|_| ErrorCode::Internal)?;
    let sealed = seal(call, wrapping, Cipher::Rsa(padding), &passing)?;
    Ok([sealed, wrap_aes(call, &key, Mode::Kwp, plain)?].concat())
}

pub(crate) fn unwrap<P: Platform>(call: &mut Call<'_, P>, command: KeyUnwrap) -> Result<ObjectReply, ErrorCode> {
    let place = place(call)?;
    let kind = command.mechanism.kind;
    call.present(command.ticket);
    let (key, session) =
        authorize::<policy::Unwrap, P>(call, command.unwrapping, kind).map_err(|error| match error {
            ErrorCode::KeyTypeInconsistent => ErrorCode::UnwrappingKeyType,
            other => other,
        })?;
    let way = Wrapping::parse(&command.mechanism)?;
    let template = merged(command.template, key.object().template(A::UNWRAP_TEMPLATE))?;
    let mut wanted = Wanted::parse(template, &[], Origin::Carried)?;
    admit(&mut wanted, key.object(), place.partition.mode)?;
    let secret = unwrap_into(call, key.object(), way, &mut wanted);
    let secret = call.used(&session, command.unwrapping, kind, secret)?;
    secret::keep(call, &place, wanted, secret, |object| ObjectReply { object })
}

/// Whether such a key may come out of that one.
fn admit<K>(wanted: &mut Wanted, unwrapping: &Object<K>, mode: PartitionMode) -> Result<(), ErrorCode> {
    let demanded = unwrapping.template(A::UNWRAP_TEMPLATE);
    let kind = wanted.number(A::KEY_TYPE).ok_or(ErrorCode::TemplateIncomplete)?;
    let fits = match wanted.class() {
        class::SECRET_KEY => is_secret_type(kind),
        class::PRIVATE_KEY => !is_secret_type(kind),
        _ => false,
    };
    let denied = |kind: A| wanted.has(kind) && !wanted.flag(kind);
    let trusted = unwrapping.flag(A::TRUSTED);
    if !fits || (trusted && (denied(A::SENSITIVE) || denied(A::WRAP_WITH_TRUSTED))) {
        return Err(ErrorCode::TemplateInconsistent);
    }
    if trusted {
        // What left under trust stays under it.
        wanted.set(A::WRAP_WITH_TRUSTED, true);
    }
    if mode == PartitionMode::Strict { narrowest(wanted, demanded) } else { Ok(()) }
}

fn unwrap_into<P: Platform>(
    call: &Call<'_, P>,
    unwrapping: &Object<Key<P>>,
    way: Wrapping<'_>,
    wanted: &mut Wanted,
) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    let plain = reveal(call, unwrapping, way).map_err(|error| match error {
        ErrorCode::DecryptionFailed => ErrorCode::WrappedKeyInvalid,
        ErrorCode::DataLength => ErrorCode::WrappedKeyLength,
        other => other,
    })?;
    if wanted.class() == class::SECRET_KEY {
        secret::accept(call, wanted, &plain).map_err(|_| ErrorCode::WrappedKeyInvalid)?;
        return Ok(plain);
    }
    accept_private(call, wanted, &plain).ok_or(ErrorCode::WrappedKeyInvalid)
}

fn reveal<P: Platform>(
    call: &Call<'_, P>,
    unwrapping: &Object<Key<P>>,
    way: Wrapping<'_>,
) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    let crypto = call.engine.platform().crypto();
    match way {
        Wrapping::Cipher(cipher) => open(call, unwrapping, cipher, call.bulk),
        Wrapping::Aes(mode) => unwrap_aes(call, unwrapping.open(crypto)?, mode, call.bulk),
        Wrapping::RsaAes(bytes, padding) => {
            let modulus = unwrapping.bytes(A::MODULUS).map_or(0, <[u8]>::len);
            let (sealed, rest) = call.bulk.split_at_checked(modulus).ok_or(ErrorCode::WrappedKeyLength)?;
            let passing = open(call, unwrapping, Cipher::Rsa(padding), sealed)?;
            if passing.len() != bytes {
                return Err(ErrorCode::WrappedKeyInvalid);
            }
            let key = crypto.load(KeyKind::Aes, &passing).map_err(|_| ErrorCode::WrappedKeyInvalid)?;
            unwrap_aes(call, &key, Mode::Kwp, rest)
        }
    }
}

fn unwrap_aes<P: Platform>(
    call: &Call<'_, P>,
    key: &Key<P>,
    mode: Mode<'_>,
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    let mut text = Zeroizing::new(wrapped.to_vec());
    let opened = call.engine.platform().crypto().decrypt(key, mode, &mut text);
    opened.map_err(|error| match error {
        CryptoError::Unauthentic => ErrorCode::DecryptionFailed,
        other => call.engine.crypto_failed(other),
    })?;
    Ok(text)
}

/// Takes a PKCS#8 key as the value of a new private key: of the type the template says, whole, and with the public key that
/// came with it, if one did.
fn accept_private<P: Platform>(call: &Call<'_, P>, wanted: &mut Wanted, plain: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let Unwrapped { kind, secret, expanded, public } = Unwrapped::parse(plain)?;
    let described = Described::by(wanted);
    let unnamed = described.params.is_none() && described.set.is_none();
    let typed = wanted.number(A::KEY_TYPE) == Some(keypair::key_type_of(kind));
    if !typed || !(unnamed || described.kind().ok() == Some(kind)) {
        return None;
    }
    let crypto = call.engine.platform().crypto();
    crypto.load(KeyKind::Pair(kind), &secret).ok()?;
    let own = crypto.public(kind, &secret).ok()?;
    let same = match expanded {
        Some(expanded) => crypto.public(kind, &expanded).ok()? == own,
        None => true,
    };
    let exponent = wanted.bytes(A::PUBLIC_EXPONENT).map(<[u8]>::to_vec);
    keypair::write_private(wanted, kind, &own).ok()?;
    let kept = exponent.is_none_or(|given| wanted.bytes(A::PUBLIC_EXPONENT) == Some(&given));
    (same && kept && public.is_none_or(|given| given == own)).then_some(secret)
}

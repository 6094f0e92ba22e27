//! Key encapsulation (PKCS#11 §5.18.8, §5.18.9): a shared secret for the holder of a private key. Whoever made the
//! ciphertext knows it, so the key is as one from outside: never counted as always sensitive, and on a strict partition
//! never one that wraps.

use super::crypto::authorize;
use super::object::place;
use super::secret;
use crate::attributes::Origin;
use crate::call::Call;
use crate::{Crypto, CryptoError, Platform, policy};
use coloa_wire::ErrorCode;
use coloa_wire::command::{KeyDecapsulate, KeyEncapsulate, KeyEncapsulateReply, ObjectReply};
use coloa_wire::{Mechanism, MechanismType};

pub(crate) fn encapsulate<P: Platform>(
    call: &mut Call<'_, P>,
    command: KeyEncapsulate,
) -> Result<KeyEncapsulateReply, ErrorCode> {
    let place = place(call)?;
    let kind = plain(&command.mechanism)?;
    let (key, session) = authorize::<policy::Encapsulate, P>(call, command.key, kind)?;
    let mut wanted = secret::wanted(command.template, &[], Origin::Carried)?;
    let crypto = call.engine.platform().crypto();
    let made = crypto.encapsulate(key.object().open(crypto)?).map_err(|error| call.engine.crypto_failed(error));
    let (ciphertext, shared) = call.used(&session, command.key, kind, made)?;
    secret::accept(call, &mut wanted, &shared)?;
    secret::keep(call, &place, wanted, shared, |object| KeyEncapsulateReply { object, ciphertext })
}

pub(crate) fn decapsulate<P: Platform>(
    call: &mut Call<'_, P>,
    command: KeyDecapsulate,
) -> Result<ObjectReply, ErrorCode> {
    let place = place(call)?;
    let kind = plain(&command.mechanism)?;
    call.present(command.ticket);
    let (key, session) = authorize::<policy::Decapsulate, P>(call, command.key, kind)?;
    let mut wanted = secret::wanted(command.template, &[], Origin::Carried)?;
    let crypto = call.engine.platform().crypto();
    let got = crypto.decapsulate(key.object().open(crypto)?, call.bulk).map_err(|error| match error {
        CryptoError::Length => ErrorCode::WrappedKeyLength,
        other => call.engine.crypto_failed(other),
    });
    let shared = call.used(&session, command.key, kind, got)?;
    secret::accept(call, &mut wanted, &shared)?;
    secret::keep(call, &place, wanted, shared, |object| ObjectReply { object })
}

/// The mechanism, which has no parameter.
fn plain(mechanism: &Mechanism) -> Result<MechanismType, ErrorCode> {
    let bare = mechanism.gcm.is_none() && mechanism.parameter.is_none();
    if bare { Ok(mechanism.kind) } else { Err(ErrorCode::MechanismParameter) }
}

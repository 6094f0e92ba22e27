//! Commands that use keys: snapshot, authorise, compute outside every lock, log.

mod cipher;
mod sign;

pub(crate) use cipher::{decrypt, encrypt};
pub(super) use cipher::{make_iv, open, seal};

pub(crate) use sign::{sign, verify};

use crate::call::Call;
use crate::keyring::Key;
use crate::policy::{self, Authorized};
use crate::session::Session;
use crate::{Crypto, Platform, allowance, life};
use alloc::sync::Arc;
use alloc::vec;
use coloa_wire::command::{Done, KeyState, MAX_RANDOM, Random};
use coloa_wire::{ErrorCode, MechanismType, ObjectId};

/// The proof that a key may be used, and by whom.
pub(super) type Permitted<U, P> = (Authorized<U, Key<P>>, Arc<Session<P>>);

/// Looks the key up and asks policy.
pub(super) fn authorize<U: policy::Use, P: Platform>(
    call: &Call<'_, P>,
    key: ObjectId,
    mechanism: MechanismType,
) -> Result<Permitted<U, P>, ErrorCode> {
    let (session, partition) = call.session()?;
    let object = policy::look_up(&session, &partition, key)?;
    match policy::authorize(&session, object, mechanism, call.engine.platform(), call.leave()) {
        Ok(authorized) => {
            let object = authorized.object();
            if life::stated(object) == KeyState::Compromised {
                call.taint();
            }
            if !authorized.is_approved() {
                call.mark_unapproved();
            }
            match allowance::spend_use(call, &session, object, U::PERMISSION) {
                Ok(()) => Ok((authorized, session)),
                Err(ErrorCode::Conflict) => Err(ErrorCode::Conflict),
                Err(error) => call.used(&session, key, mechanism, Err(error)),
            }
        }
        // The key, or the one that it is a copy of, is to be read first.
        Err(ErrorCode::Conflict) => Err(ErrorCode::Conflict),
        Err(error) => call.used(&session, key, mechanism, Err(error)),
    }
}

pub(crate) fn random<P: Platform>(call: &mut Call<'_, P>, command: Random) -> Result<Done, ErrorCode> {
    call.session()?;
    if command.length > MAX_RANDOM {
        return Err(ErrorCode::DataTooLong);
    }
    let mut bytes = vec![0; usize::try_from(command.length).unwrap_or_default()];
    let drawn = call.engine.platform().crypto().random(&mut bytes);
    drawn.map_err(|error| call.engine.crypto_failed(error))?;
    call.out = bytes;
    Ok(Done {})
}

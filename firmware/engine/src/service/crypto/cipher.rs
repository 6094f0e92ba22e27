//! Encryption and decryption.

use super::authorize;
use crate::call::Call;
use crate::crypto::Mode;
use crate::keyring::Key;
use crate::mechanism::{BlockMode, Cipher, counts};
use crate::object::Object;
use crate::policy;
use crate::{Aead, Crypto, CryptoError, Platform, allowance};
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::ErrorCode;
use coloa_wire::command::{Decrypt, Done, Encrypt, EncryptReply, PartitionMode};
use zeroize::Zeroizing;

/// What a block mode's padding and a tag add at most.
const GROWTH: usize = crate::crypto::BLOCK;

pub(crate) fn encrypt<P: Platform>(call: &mut Call<'_, P>, command: Encrypt) -> Result<EncryptReply, ErrorCode> {
    let kind = command.mechanism.kind;
    let (key, session) = authorize::<policy::Encrypt, P>(call, command.key, kind)?;
    let cipher = Cipher::parse(&command.mechanism)?;
    if session.partition.mode == PartitionMode::Strict && cipher.has_chosen_iv() {
        return call.used(&session, command.key, kind, Err(ErrorCode::MechanismParameter));
    }
    if matches!(cipher, Cipher::Aead { .. }) {
        match allowance::spend(call, &session, key.object()) {
            Ok(()) => {}
            Err(ErrorCode::Conflict) => return Err(ErrorCode::Conflict),
            Err(error) => return call.used(&session, command.key, kind, Err(error)),
        }
    }
    let made = make_iv(call, cipher)?;
    let sealed = seal(call, key.object(), cipher.with_iv(&made), call.bulk);
    call.out = call.used(&session, command.key, kind, sealed)?;
    Ok(EncryptReply { iv: (!made.is_empty()).then_some(made) })
}

/// The IV that the caller left to the engine; empty when it left none.
pub(crate) fn make_iv<P: Platform>(call: &Call<'_, P>, cipher: Cipher<'_>) -> Result<Vec<u8>, ErrorCode> {
    let mut iv = vec![0; cipher.wants_iv()];
    if !iv.is_empty() {
        let drawn = call.engine.platform().crypto().random(&mut iv);
        drawn.map_err(|error| call.engine.crypto_failed(error))?;
    }
    Ok(iv)
}

/// Encrypts with a key that policy has let through.
pub(crate) fn seal<P: Platform>(
    call: &Call<'_, P>,
    key: &Object<Key<P>>,
    cipher: Cipher<'_>,
    plain: &[u8],
) -> Result<Vec<u8>, ErrorCode> {
    let crypto = call.engine.platform().crypto();
    let opened = key.open(crypto)?;
    if let Cipher::Rsa(padding) = cipher {
        return crypto.rsa_encrypt(opened, padding, plain).map_err(|error| call.engine.crypto_failed(error));
    }
    // What is encrypted may be a key, and stays in the text when the provider refuses.
    let mut text = Zeroizing::new(Vec::with_capacity(plain.len().saturating_add(GROWTH)));
    text.extend_from_slice(plain);
    let sealed = match cipher {
        Cipher::Aead { mode, iv, aad, tag } => {
            let iv = iv.ok_or(ErrorCode::MechanismParameter)?;
            crypto.seal(opened, &Aead { mode, iv, aad, tag }, &mut text)
        }
        other => crypto.encrypt(opened, mode_of(other, plain.len())?, &mut text),
    };
    sealed.map_err(|error| call.engine.crypto_failed(error))?;
    Ok(core::mem::take(&mut *text))
}

/// The provider's mode for data of this length.
fn mode_of(cipher: Cipher<'_>, length: usize) -> Result<Mode<'_>, ErrorCode> {
    match cipher {
        Cipher::Ecb => Ok(Mode::Ecb),
        Cipher::Ctr { block, bits } if counts(block, bits, length) => Ok(Mode::Ctr(block)),
        Cipher::Ctr { .. } => Err(ErrorCode::DataLength),
        Cipher::Block(mode, Some(iv)) => Ok(mode.with(iv)),
        Cipher::Block(..) | Cipher::Aead { .. } | Cipher::Rsa(_) => Err(ErrorCode::MechanismParameter),
    }
}

pub(crate) fn decrypt<P: Platform>(call: &mut Call<'_, P>, command: Decrypt) -> Result<Done, ErrorCode> {
    let kind = command.mechanism.kind;
    call.present(command.ticket);
    let (key, session) = authorize::<policy::Decrypt, P>(call, command.key, kind)?;
    let cipher = Cipher::parse(&command.mechanism)?;
    let opened = open(call, key.object(), cipher, call.bulk);
    call.out = core::mem::take(&mut *call.used(&session, command.key, kind, opened)?);
    Ok(Done {})
}

/// Decrypts with a key that policy has let through. Whatever is wrong with the ciphertext is one error.
pub(crate) fn open<P: Platform>(
    call: &Call<'_, P>,
    key: &Object<Key<P>>,
    cipher: Cipher<'_>,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    let crypto = call.engine.platform().crypto();
    let opened = key.open(crypto)?;
    let failed = |error| match error {
        CryptoError::Unauthentic => ErrorCode::DecryptionFailed,
        CryptoError::Length if matches!(cipher, Cipher::Block(BlockMode::CbcPad, _)) => ErrorCode::DecryptionFailed,
        other => call.engine.crypto_failed(other),
    };
    if let Cipher::Rsa(padding) = cipher {
        return crypto.rsa_decrypt(opened, padding, sealed).map_err(failed);
    }
    let mut text = Zeroizing::new(sealed.to_vec());
    let outcome = match cipher {
        Cipher::Aead { mode, iv, aad, tag } => {
            let iv = iv.ok_or(ErrorCode::MechanismParameter)?;
            crypto.open(opened, &Aead { mode, iv, aad, tag }, &mut text)
        }
        other => crypto.decrypt(opened, mode_of(other, sealed.len())?, &mut text),
    };
    outcome.map_err(failed)?;
    Ok(text)
}

//! Key derivation functions over a provider's hashes and MACs.

use crate::call::Call;
use crate::crypto::{BLOCK, Kdf};
use crate::mechanism::{CounterKdf, Field, Prf};
use crate::object::Object;
use crate::{Crypto, CryptoError, Hash, Platform};
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::attribute::key_type;
use coloa_wire::{AttributeType as A, ErrorCode};
use zeroize::Zeroizing;

/// One of the provider's own.
pub(in crate::service) fn provided<P: Platform>(
    call: &Call<'_, P>,
    secret: &[u8],
    kdf: Kdf<'_>,
    length: usize,
) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    let mut out = Zeroizing::new(vec![0; length]);
    let derived = call.engine.platform().crypto().derive(secret, kdf, &mut out);
    derived.map_err(|error| call.engine.crypto_failed(error))?;
    Ok(out)
}

/// The KDF of ANSI X9.63 (SEC 1 §3.6.1) of a shared secret and shared data.
pub(super) fn x963<C: Crypto>(crypto: &C, hash: Hash, [shared, info]: [&[u8]; 2], length: usize) -> Zeroizing<Vec<u8>> {
    let blocks = length.div_ceil(hash.length());
    let mut out = Zeroizing::new(Vec::with_capacity(blocks.saturating_mul(hash.length())));
    for counter in (1_u32..).take(blocks) {
        out.extend_from_slice(crypto.digest(hash, &[shared, &counter.to_be_bytes(), info]).as_ref());
    }
    out.truncate(length);
    out
}

/// SP 800-108r1 §4.1. A counter that runs over, or a length that its field cannot hold, is refused.
pub(super) fn counter<C: Crypto>(
    crypto: &C,
    base: &Object<C::Key>,
    params: &CounterKdf<'_>,
    length: usize,
) -> Result<Result<Zeroizing<Vec<u8>>, CryptoError>, ErrorCode> {
    let is_aes = base.number(A::KEY_TYPE) == Some(key_type::AES);
    if is_aes != (params.prf == Prf::Cmac) {
        return Err(ErrorCode::KeyTypeInconsistent);
    }
    let block = match params.prf {
        Prf::Hmac(hash) => hash.length(),
        Prf::Cmac => BLOCK,
    };
    let key = base.open(crypto)?;
    let blocks = length.div_ceil(block);
    let mut out = Zeroizing::new(Vec::with_capacity(blocks.saturating_mul(block)));
    for count in (1_u64..).take(blocks) {
        let input = input(&params.fields, count, length)?;
        let made = match params.prf {
            Prf::Hmac(hash) => crypto.mac(key, hash, &[&input]),
            Prf::Cmac => crypto.cmac(key, &[&input]),
        };
        match made {
            Ok(mac) => out.extend_from_slice(mac.as_ref()),
            Err(error) => return Ok(Err(error)),
        }
    }
    out.truncate(length);
    Ok(Ok(out))
}

/// What the PRF is given for one block.
fn input(fields: &[Field<'_>], count: u64, length: usize) -> Result<Vec<u8>, ErrorCode> {
    let mut input = Vec::new();
    for field in fields {
        match *field {
            Field::Bytes(bytes) => input.extend_from_slice(bytes),
            Field::Counter(bytes, little) => {
                input.extend(number(count, bytes, little).ok_or(ErrorCode::KeySize)?);
            }
            Field::Length(bytes, little) => {
                let bits = (length as u64).saturating_mul(8);
                input.extend(number(bits, bytes, little).ok_or(ErrorCode::MechanismParameter)?);
            }
        }
    }
    Ok(input)
}

/// A number in so many bytes; none when it does not fit.
fn number(value: u64, bytes: usize, little: bool) -> Option<Vec<u8>> {
    let (high, low) =
        value.to_be_bytes().split_at_checked(8_usize.checked_sub(bytes)?).map(|(h, l)| (h.to_vec(), l.to_vec()))?;
    if high.iter().any(|byte| *byte != 0) {
        return None;
    }
    Some(if little { low.into_iter().rev().collect() } else { low })
}

//! The known answer of firmware signatures (R6): before anything is trusted to them, a manifest that two of three have signed
//! must verify, and must not with one bit of it changed.

use crate::{Manifest, Refusal, Trust};
use coloa_engine::Crypto;

/// The list of custodians and the manifest of the test; their private keys are nobody's secret.
const TRUST: &[u8] = include_bytes!("known/trust.cbor");
const MANIFEST: &[u8] = include_bytes!("known/manifest.clfw");

/// Are signatures checked rightly here?
///
/// # Errors
/// [`Refusal::SelfTest`]: then nothing may run.
pub fn self_test<C: Crypto>(crypto: &C) -> Result<(), Refusal> {
    let trust = Trust::parse(TRUST).map_err(|_| Refusal::SelfTest)?;
    let good = Manifest::parse(MANIFEST).map_err(|_| Refusal::SelfTest)?;
    trust.verify(crypto, &good).map_err(|_| Refusal::SelfTest)?;
    let mut bytes = MANIFEST.to_vec();
    // The last byte is one of a signature.
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    let bad = Manifest::parse(&bytes).map_err(|_| Refusal::SelfTest)?;
    match trust.verify(crypto, &bad) {
        Err(Refusal::Quorum { valid: 1, needed: 2 }) => Ok(()),
        _ => Err(Refusal::SelfTest),
    }
}

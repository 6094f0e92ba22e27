//! Two operations at once (§5.16 of 2.40): digest and cipher, signature and cipher. What one gives the other takes.
//!
//! A question for the length, and a buffer that is too small, leave both as they were; an error ends the one it came from.

use super::NOT_INITIALIZED;
use super::cipher::update;
use crate::abi::memory::{Input, Output};
use crate::rv::Outcome;
use crate::session::{Session, State};
use zeroize::Zeroizing;

impl Session {
    /// `C_DigestEncryptUpdate`.
    pub(crate) fn digest_encrypt(&self, part: &Input, out: &Output) -> Outcome {
        let State { digest, encrypt, scratch, .. } = &mut *self.state();
        let digest = digest.as_mut().ok_or(NOT_INITIALIZED)?;
        // The ciphertext may be put where the plaintext stood.
        let plain = Zeroizing::new(part.bytes().to_vec());
        if update(encrypt, (&self.slot, scratch), part, out)?.is_some() {
            digest.update(&plain);
        }
        Ok(())
    }

    /// `C_DecryptDigestUpdate`.
    pub(crate) fn decrypt_digest(&self, part: &Input, out: &Output) -> Outcome {
        let State { digest, decrypt, scratch, .. } = &mut *self.state();
        let digest = digest.as_mut().ok_or(NOT_INITIALIZED)?;
        if let Some(made) = update(decrypt, (&self.slot, &mut *scratch), part, out)? {
            digest.update(made.bytes(scratch));
        }
        Ok(())
    }

    /// `C_SignEncryptUpdate`.
    pub(crate) fn sign_encrypt(&self, part: &Input, out: &Output) -> Outcome {
        let State { sign, encrypt, scratch, .. } = &mut *self.state();
        let active = sign.as_mut().filter(|o| o.takes_parts()).ok_or(NOT_INITIALIZED)?;
        let plain = Zeroizing::new(part.bytes().to_vec());
        if update(encrypt, (&self.slot, scratch), part, out)?.is_some() {
            active.update(&plain, &self.slot).inspect_err(|_| *sign = None)?;
        }
        Ok(())
    }

    /// `C_DecryptVerifyUpdate`.
    pub(crate) fn decrypt_verify(&self, part: &Input, out: &Output) -> Outcome {
        let State { verify, decrypt, scratch, .. } = &mut *self.state();
        let active = verify.as_mut().filter(|v| v.takes_parts_before_signature()).ok_or(NOT_INITIALIZED)?;
        if let Some(made) = update(decrypt, (&self.slot, &mut *scratch), part, out)? {
            active.update(made.bytes(scratch), &self.slot).inspect_err(|_| *verify = None)?;
        }
        Ok(())
    }
}

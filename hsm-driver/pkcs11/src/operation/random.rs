//! `C_GenerateRandom` (§5.20): from the engine's generator.

use crate::abi::memory::Output;
use crate::rv::{Outcome, Rv};
use crate::session::Session;
use coloa_wire::command::{MAX_RANDOM, Random};
use cryptoki_sys::*;

/// Nobody needs more at once; a length beyond it is a mistake.
const MAX_BYTES: usize = 16 * 1024 * 1024;

impl Session {
    pub(crate) fn random(&self, wanted: usize, out: &Output) -> Outcome {
        if wanted > MAX_BYTES {
            return Err(Rv(CKR_ARGUMENTS_BAD));
        }
        let scratch = &mut self.state().scratch;
        let mut done = 0;
        while done < wanted {
            let length = u32::try_from(wanted - done).unwrap_or(MAX_RANDOM).min(MAX_RANDOM);
            self.slot.call(scratch, &Random { length }, &[])?;
            let bytes = scratch.bulk();
            if bytes.len() != length as usize {
                return Err(Rv(CKR_DEVICE_ERROR));
            }
            out.put_at(done, bytes)?;
            done += bytes.len();
        }
        scratch.wipe();
        Ok(())
    }
}

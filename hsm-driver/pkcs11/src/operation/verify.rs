//! `C_Verify*` (§5.14): it ends the operation whatever comes of it.

use super::{Begin, SignOperation, begin};
use crate::abi::memory::Input;
use crate::rv::{Outcome, Rv};
use crate::session::{Session, State};
use coloa_client::Scratch;
use coloa_wire::command::Verify;
use coloa_wire::{Mechanism, ObjectId};
use cryptoki_sys::*;
use zeroize::Zeroizing;

impl Session {
    pub(crate) fn verify_init(&self, given: Begin, key: CK_OBJECT_HANDLE) -> Outcome {
        let Some(given) = begin(&mut self.state().verify, given)? else { return Ok(()) };
        let operation = SignOperation::new(&given, &*self.key(key)?, false)?;
        self.state().verify = Some(operation);
        Ok(())
    }

    pub(crate) fn verify(&self, data: &Input, signature: &Input) -> Outcome {
        let State { verify, scratch, .. } = &mut *self.state();
        let operation = verify.take_if(|o| !o.in_parts).ok_or_else(|| not_whole(verify.is_some()))?;
        let check = self.check(&operation, signature)?;
        operation.whole(data.bytes(), &self.slot, |data| check.ask(self, scratch, data))
    }

    pub(crate) fn verify_update(&self, part: &Input) -> Outcome {
        let mut state = self.state();
        let operation = state.verify.as_mut().ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))?;
        operation.update(part.bytes(), &self.slot).inspect_err(|_| state.verify = None)
    }

    pub(crate) fn verify_final(&self, signature: &Input) -> Outcome {
        let State { verify, scratch, .. } = &mut *self.state();
        let operation = verify.take().filter(|o| o.signing.takes_parts()).ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))?;
        let check = self.check(&operation, signature)?;
        operation.parts(|data| check.ask(self, scratch, data))
    }

    fn check<'a>(&self, operation: &SignOperation, signature: &'a Input) -> Outcome<Check<'a>> {
        let signature = signature.bytes();
        if signature.len() != operation.output_bytes {
            return Err(Rv(CKR_SIGNATURE_LEN_RANGE));
        }
        Ok(Check { key: operation.key, mechanism: operation.signing.wire.into(), signature })
    }
}

fn not_whole(in_parts: bool) -> Rv {
    if in_parts { Rv(CKR_OPERATION_ACTIVE) } else { Rv(CKR_OPERATION_NOT_INITIALIZED) }
}

struct Check<'a> {
    key: ObjectId,
    mechanism: Mechanism,
    signature: &'a [u8],
}

impl Check<'_> {
    fn ask(self, session: &Session, scratch: &mut Scratch, data: &[u8]) -> Outcome {
        let bulk = Zeroizing::new([data, self.signature].concat());
        let signature = u32::try_from(self.signature.len()).map_err(|_| Rv(CKR_SIGNATURE_LEN_RANGE))?;
        let command = Verify { key: self.key, mechanism: self.mechanism, signature };
        session.slot.call(scratch, &command, &bulk).map_err(Rv::of_key).map(drop)
    }
}

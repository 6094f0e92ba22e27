//! `C_MessageSign*` and `C_MessageVerify*`: many signatures or MACs by one key.

use super::without_parameters;
use crate::abi::memory::{Input, Output};
use crate::mechanism::{Message, Signing};
use crate::operation::leave::Leave;
use crate::operation::sign::Signer;
use crate::operation::{Begin, NOT_INITIALIZED, SignOperation, begin, sign, verify};
use crate::rv::{Outcome, Rv};
use crate::session::{Session, State};
use cryptoki_sys::*;

/// Signing or verifying messages with one key.
pub(crate) struct MessageSigning {
    by: Signer,
    output_bytes: usize,
    /// A message that comes in parts.
    open: Option<SignOperation>,
}

impl MessageSigning {
    fn new(session: &Session, signing: Signing, key: CK_OBJECT_HANDLE, signs: bool) -> Outcome<Self> {
        session.slot.offers(signing.kind, if signs { CKF_MESSAGE_SIGN } else { CKF_MESSAGE_VERIFY })?;
        let SignOperation { by, output_bytes, .. } = SignOperation::new(signing, &*session.key(key)?, signs)?;
        Ok(MessageSigning { by, output_bytes, open: None })
    }

    /// A message of its own, with the leave there is for it.
    fn message(&mut self) -> SignOperation {
        let by = self.by.clone();
        let _ = self.by.leave.spend();
        SignOperation::begun(by, self.output_bytes)
    }

    /// Of the message that has begun, or of the next one.
    pub(in crate::operation) fn leave(&mut self) -> &mut Leave {
        match &mut self.open {
            Some(message) => message.leave(),
            None => &mut self.by.leave,
        }
    }

    fn begin(&mut self) -> Outcome {
        if self.open.is_some() {
            return Err(Rv(CKR_OPERATION_ACTIVE));
        }
        self.open = Some(self.message());
        Ok(())
    }
}

/// Between messages.
fn idle(active: &mut Option<MessageSigning>) -> Outcome<&mut MessageSigning> {
    let active = active.as_mut().ok_or(NOT_INITIALIZED)?;
    if active.open.is_some() { Err(Rv(CKR_OPERATION_ACTIVE)) } else { Ok(active) }
}

impl Session {
    /// `C_MessageSignInit`.
    pub(crate) fn sign_messages_init(&self, given: Begin, key: CK_OBJECT_HANDLE) -> Outcome {
        let state = &mut *self.state();
        let Some(given) = begin(&mut state.sign_messages, given)? else { return Ok(()) };
        state.sign_messages = Some(MessageSigning::new(self, Signing::parse(given)?, key, true)?);
        Ok(())
    }

    /// `C_MessageVerifyInit`.
    pub(crate) fn verify_messages_init(&self, given: Begin, key: CK_OBJECT_HANDLE) -> Outcome {
        let state = &mut *self.state();
        let Some(given) = begin(&mut state.verify_messages, given)? else { return Ok(()) };
        state.verify_messages = Some(MessageSigning::new(self, Signing::parse(given)?, key, false)?);
        Ok(())
    }

    /// `C_SignMessage`.
    pub(crate) fn sign_message(&self, parameters: &Option<Message>, data: &Input, out: &Output) -> Outcome {
        let State { sign_messages, scratch, .. } = &mut *self.state();
        let active = idle(sign_messages)?;
        without_parameters(parameters)?;
        if !out.has_room(active.output_bytes)? {
            return Ok(());
        }
        active.message().whole(data.bytes(), &self.slot, |by, data| sign::make(&self.slot, scratch, by, data))?;
        out.put(scratch.bulk())
    }

    /// `C_SignMessageBegin`.
    pub(crate) fn sign_message_begin(&self, parameters: &Option<Message>) -> Outcome {
        let state = &mut *self.state();
        let active = state.sign_messages.as_mut().ok_or(NOT_INITIALIZED)?;
        without_parameters(parameters).and_then(|()| active.begin())
    }

    /// `C_SignMessageNext`: with a place for the signature it is the last part.
    pub(crate) fn sign_message_next(
        &self,
        parameters: &Option<Message>,
        part: &Input,
        out: Option<&Output>,
    ) -> Outcome {
        let State { sign_messages, scratch, .. } = &mut *self.state();
        let active = sign_messages.as_mut().ok_or(NOT_INITIALIZED)?;
        without_parameters(parameters)?;
        let message = active.open.as_mut().ok_or(NOT_INITIALIZED)?;
        let Some(out) = out else {
            return message.update(part.bytes(), &self.slot).inspect_err(|_| active.open = None);
        };
        if !out.has_room(message.output_bytes)? {
            return Ok(());
        }
        let mut message = active.open.take().ok_or(NOT_INITIALIZED)?;
        message.update(part.bytes(), &self.slot)?;
        message.parts(|by, data| sign::make(&self.slot, scratch, by, data))?;
        out.put(scratch.bulk())
    }

    /// `C_MessageSignFinal`.
    pub(crate) fn sign_messages_final(&self) -> Outcome {
        self.state().sign_messages.take().map(drop).ok_or(NOT_INITIALIZED)
    }

    /// `C_VerifyMessage`.
    pub(crate) fn verify_message(&self, parameters: &Option<Message>, data: &Input, signature: &Input) -> Outcome {
        let State { verify_messages, scratch, .. } = &mut *self.state();
        let active = idle(verify_messages)?;
        without_parameters(parameters)?;
        let (message, end) = (active.message().with(signature.bytes())?, signature.bytes());
        message.whole(data.bytes(), &self.slot, |by, asked| verify::ask(&self.slot, scratch, by, (asked, end)))
    }

    /// `C_VerifyMessageBegin`.
    pub(crate) fn verify_message_begin(&self, parameters: &Option<Message>) -> Outcome {
        let state = &mut *self.state();
        let active = state.verify_messages.as_mut().ok_or(NOT_INITIALIZED)?;
        without_parameters(parameters).and_then(|()| active.begin())
    }

    /// `C_VerifyMessageNext`: with a signature it is the last part.
    pub(crate) fn verify_message_next(
        &self,
        parameters: &Option<Message>,
        part: &Input,
        signature: Option<&Input>,
    ) -> Outcome {
        let State { verify_messages, scratch, .. } = &mut *self.state();
        let active = verify_messages.as_mut().ok_or(NOT_INITIALIZED)?;
        without_parameters(parameters)?;
        let mut message = active.open.take().ok_or(NOT_INITIALIZED)?;
        message.update(part.bytes(), &self.slot)?;
        match signature {
            Some(signature) => {
                let message = message.with(signature.bytes())?;
                message.parts(|by, asked| verify::ask(&self.slot, scratch, by, (asked, signature.bytes())))
            }
            None => {
                active.open = Some(message);
                Ok(())
            }
        }
    }

    /// `C_MessageVerifyFinal`.
    pub(crate) fn verify_messages_final(&self) -> Outcome {
        self.state().verify_messages.take().map(drop).ok_or(NOT_INITIALIZED)
    }
}

//! `C_MessageEncrypt*` and `C_MessageDecrypt*`: AES-GCM and AES-CCM. The tag stands in the message's parameters, not at the
//! ciphertext's end. Parts are gathered: what comes of a message comes with its last part.

use crate::abi::memory::{Input, Output};
use crate::mechanism::{Aead, Message, wire_number};
use crate::operation::cipher::By;
use crate::operation::{Buffer, NOT_INITIALIZED, begin, data_limit};
use crate::rv::{Outcome, Rv};
use crate::session::{Session, State};
use crate::slot::Slot;
use coloa_client::Scratch;
use coloa_wire::MechanismType as M;
use coloa_wire::attribute::key_type;
use cryptoki_sys::*;
use zeroize::Zeroizing;

/// Encryption or decryption of messages under one key.
pub(crate) struct MessageCipher {
    by: By,
    kind: M,
    open: Option<Open>,
}

/// A message that comes in parts.
struct Open {
    message: Message,
    aad: Vec<u8>,
    data: Buffer,
}

impl Session {
    /// `C_MessageEncryptInit`.
    pub(crate) fn encrypt_messages_init(&self, given: Option<CK_MECHANISM_TYPE>, key: CK_OBJECT_HANDLE) -> Outcome {
        let state = &mut *self.state();
        let Some(kind) = begin(&mut state.encrypt_messages, given)? else { return Ok(()) };
        state.encrypt_messages = Some(MessageCipher::new(self, kind, key, true)?);
        Ok(())
    }

    /// `C_MessageDecryptInit`.
    pub(crate) fn decrypt_messages_init(&self, given: Option<CK_MECHANISM_TYPE>, key: CK_OBJECT_HANDLE) -> Outcome {
        let state = &mut *self.state();
        let Some(kind) = begin(&mut state.decrypt_messages, given)? else { return Ok(()) };
        state.decrypt_messages = Some(MessageCipher::new(self, kind, key, false)?);
        Ok(())
    }

    /// `C_EncryptMessage` and `C_DecryptMessage`.
    pub(crate) fn crypt_message(
        &self,
        encrypts: bool,
        message: Option<Message>,
        (aad, data): (Vec<u8>, &Input),
        out: &Output,
    ) -> Outcome {
        let State { encrypt_messages, decrypt_messages, scratch, .. } = &mut *self.state();
        let active = if encrypts { encrypt_messages } else { decrypt_messages };
        let active = active.as_mut().ok_or(NOT_INITIALIZED)?;
        if active.open.is_some() {
            return Err(Rv(CKR_OPERATION_ACTIVE));
        }
        let message = active.accepts(message)?;
        active.has_length(&message, data.len())?;
        if !out.has_room(data.len())? {
            return Ok(());
        }
        active.run(&self.slot, scratch, (message, aad), data.bytes())?;
        out.put(text(scratch, data.len())?)
    }

    /// `C_EncryptMessageBegin` and `C_DecryptMessageBegin`.
    pub(crate) fn crypt_message_begin(&self, encrypts: bool, message: Option<Message>, aad: Vec<u8>) -> Outcome {
        let State { encrypt_messages, decrypt_messages, .. } = &mut *self.state();
        let active = if encrypts { encrypt_messages } else { decrypt_messages };
        let active = active.as_mut().ok_or(NOT_INITIALIZED)?;
        if active.open.is_some() {
            return Err(Rv(CKR_OPERATION_ACTIVE));
        }
        let message = active.accepts(message)?;
        active.open = Some(Open { message, aad, data: Buffer::default() });
        Ok(())
    }

    /// `C_EncryptMessageNext` and `C_DecryptMessageNext`. The last part's parameters say where the tag is; without any,
    /// those of the beginning do.
    pub(crate) fn crypt_message_next(
        &self,
        encrypts: bool,
        (message, ends): (Option<Message>, bool),
        part: &Input,
        out: &Output,
    ) -> Outcome {
        let State { encrypt_messages, decrypt_messages, scratch, .. } = &mut *self.state();
        let active = if encrypts { encrypt_messages } else { decrypt_messages };
        let active = active.as_mut().ok_or(NOT_INITIALIZED)?;
        let there = active.open.as_ref().ok_or(NOT_INITIALIZED)?.data.0.len();
        let room = if ends { there.saturating_add(part.len()) } else { 0 };
        if !out.has_room(room)? {
            return Ok(());
        }
        let Open { message: begun, aad, mut data } = active.open.take().ok_or(NOT_INITIALIZED)?;
        data.push(part.bytes(), active.by.limit).map_err(|_| active.by.wrong_length())?;
        if !ends {
            active.open = Some(Open { message: begun, aad, data });
            return out.put(&[]);
        }
        let message = match message.map(|last| active.accepts(Some(last))).transpose()? {
            Some(last) if last.iv.len() == begun.iv.len() => Message { iv: begun.iv, nonce: begun.nonce, ..last },
            Some(_) => return Err(Rv(CKR_MECHANISM_PARAM_INVALID)),
            None => begun,
        };
        active.has_length(&message, data.0.len())?;
        active.run(&self.slot, scratch, (message, aad), &data.0)?;
        out.put(text(scratch, data.0.len())?)
    }

    /// `C_MessageEncryptFinal` and `C_MessageDecryptFinal`.
    pub(crate) fn crypt_messages_final(&self, encrypts: bool) -> Outcome {
        let State { encrypt_messages, decrypt_messages, .. } = &mut *self.state();
        let active = if encrypts { encrypt_messages } else { decrypt_messages };
        active.take().map(drop).ok_or(NOT_INITIALIZED)
    }
}

impl MessageCipher {
    fn new(session: &Session, kind: CK_MECHANISM_TYPE, key: CK_OBJECT_HANDLE, encrypts: bool) -> Outcome<Self> {
        let kind = wire_number(kind).ok_or(Rv(CKR_MECHANISM_INVALID))?;
        session.slot.offers(kind, if encrypts { CKF_MESSAGE_ENCRYPT } else { CKF_MESSAGE_DECRYPT })?;
        let limit = data_limit(&session.slot, 0);
        let by = By::new(&*session.key(key)?, key_type::AES, encrypts, limit)?;
        Ok(MessageCipher { by, kind, open: None })
    }

    /// Parameters of this mechanism.
    fn accepts(&self, message: Option<Message>) -> Outcome<Message> {
        message.filter(|m| m.kind == self.kind).ok_or(Rv(CKR_MECHANISM_PARAM_INVALID))
    }

    /// CCM's caller says beforehand how long the data is.
    fn has_length(&self, message: &Message, bytes: usize) -> Outcome {
        if message.data_bytes.is_some_and(|said| said != bytes) { Err(self.by.wrong_length()) } else { Ok(()) }
    }

    /// Has the engine do it, and puts IV and tag where the caller wants them.
    fn run(&self, slot: &Slot, scratch: &mut Scratch, (message, aad): (Message, Vec<u8>), data: &[u8]) -> Outcome {
        let head = aad.len().saturating_add(message.iv.len()).saturating_add(message.tag.len());
        if data.len().saturating_add(head) > self.by.limit {
            return Err(self.by.wrong_length());
        }
        let aead = message.aead(aad);
        if self.by.encrypts {
            return self.seal(slot, scratch, (&message, aead), data);
        }
        let sealed = Zeroizing::new([data, &message.tag.read()?].concat());
        self.by.run((slot, &mut *scratch), aead.decrypting(), &sealed)?;
        if scratch.bulk().len() == data.len() { Ok(()) } else { Err(Rv(CKR_DEVICE_ERROR)) }
    }

    fn seal(&self, slot: &Slot, scratch: &mut Scratch, (message, aead): (&Message, Aead), data: &[u8]) -> Outcome {
        let iv_home = aead.iv_from_engine(slot.is_strict());
        let iv = self.by.run((slot, &mut *scratch), aead.encrypting(slot.is_strict()), data)?;
        let tag = scratch.bulk().get(data.len()..).ok_or(Rv(CKR_DEVICE_ERROR))?;
        message.tag.write(tag)?;
        iv.map_or(Ok(()), |iv| iv_home.write(&iv))
    }
}

/// What the engine answered, without a tag.
fn text(scratch: &Scratch, bytes: usize) -> Outcome<&[u8]> {
    scratch.bulk().get(..bytes).ok_or(Rv(CKR_DEVICE_ERROR))
}

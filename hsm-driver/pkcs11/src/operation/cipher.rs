//! `C_Encrypt*` and `C_Decrypt*`: AES-GCM (§5.9, §5.10, §6.13.5).
//!
//! Parts are gathered and processed by the final call: nothing of a plaintext is released before its tag is verified, and the
//! engine's command is whole.

use super::{Begin, Buffer, begin, data_limit};
use crate::abi::memory::{Input, IvHome, Output};
use crate::rv::{Outcome, Rv};
use crate::session::{Session, State};
use coloa_client::Scratch;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::{Decrypt, Encrypt};
use coloa_wire::{Mechanism, ObjectId};
use cryptoki_sys::*;

/// An encryption or decryption that is not done.
pub(crate) struct Cipher {
    key: ObjectId,
    mechanism: Mechanism,
    iv_home: IvHome,
    tag_bytes: usize,
    data: Buffer,
    in_parts: bool,
    limit: usize,
}

impl Cipher {
    /// Bytes of the ciphertext of `plain` bytes.
    fn sealed(&self, plain: usize) -> usize {
        plain.saturating_add(self.tag_bytes)
    }

    /// Bytes of the plaintext of `sealed` bytes; what is shorter than its tag has none.
    fn opened(&self, sealed: usize) -> usize {
        sealed.saturating_sub(self.tag_bytes)
    }

    fn within_limit(&self, bytes: usize) -> Outcome {
        if bytes > self.limit { Err(Rv(CKR_DATA_LEN_RANGE)) } else { Ok(()) }
    }
}

impl Session {
    pub(crate) fn encrypt_init(&self, given: Begin, key: CK_OBJECT_HANDLE) -> Outcome {
        let Some(given) = begin(&mut self.state().encrypt, given)? else { return Ok(()) };
        let operation = self.cipher(given, key, true)?;
        self.state().encrypt = Some(operation);
        Ok(())
    }

    pub(crate) fn decrypt_init(&self, given: Begin, key: CK_OBJECT_HANDLE) -> Outcome {
        let Some(given) = begin(&mut self.state().decrypt, given)? else { return Ok(()) };
        let operation = self.cipher(given, key, false)?;
        self.state().decrypt = Some(operation);
        Ok(())
    }

    fn cipher(&self, given: crate::mechanism::Given, key: CK_OBJECT_HANDLE, encrypts: bool) -> Outcome<Cipher> {
        let gcm = given.into_gcm()?;
        let (tag_bytes, key) = (gcm.tag_bytes()?, self.key(key)?);
        if key.class != class::SECRET_KEY || key.key_type != key_type::AES {
            return Err(Rv(CKR_KEY_TYPE_INCONSISTENT));
        }
        if !(if encrypts { key.encrypt } else { key.decrypt }) {
            return Err(Rv(CKR_KEY_FUNCTION_NOT_PERMITTED));
        }
        let mechanism = if encrypts { gcm.encrypting(self.slot.is_strict()) } else { gcm.decrypting() };
        let limit = data_limit(&self.slot, gcm.aad.len().saturating_add(gcm.iv.len()));
        Ok(Cipher {
            key: key.id,
            mechanism,
            iv_home: gcm.iv_home,
            tag_bytes,
            data: Buffer::default(),
            in_parts: false,
            limit,
        })
    }

    pub(crate) fn encrypt(&self, data: &Input, out: &Output) -> Outcome {
        let State { encrypt, scratch, .. } = &mut *self.state();
        let room = at_once(encrypt, |o| o.within_limit(data.len()).map(|()| o.sealed(data.len())))?;
        if !out.has_room(room)? {
            return Ok(());
        }
        let operation = encrypt.take().ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))?;
        self.seal(operation, data.bytes(), scratch)?;
        out.put(scratch.bulk())
    }

    pub(crate) fn decrypt(&self, data: &Input, out: &Output) -> Outcome {
        let State { decrypt, scratch, .. } = &mut *self.state();
        let room = at_once(decrypt, |o| o.within_limit(data.len()).map(|()| o.opened(data.len())))?;
        if !out.has_room(room)? {
            return Ok(());
        }
        let operation = decrypt.take().ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))?;
        self.open(operation, data.bytes(), scratch)?;
        out.put(scratch.bulk())
    }

    pub(crate) fn encrypt_update(&self, part: &Input, out: &Output) -> Outcome {
        gather(&mut self.state().encrypt, part, out)
    }

    pub(crate) fn decrypt_update(&self, part: &Input, out: &Output) -> Outcome {
        gather(&mut self.state().decrypt, part, out).map_err(Rv::of_ciphertext)
    }

    pub(crate) fn encrypt_final(&self, out: &Output) -> Outcome {
        let State { encrypt, scratch, .. } = &mut *self.state();
        let operation = encrypt.as_ref().ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))?;
        if !out.has_room(operation.sealed(operation.data.0.len()))? {
            return Ok(());
        }
        let mut operation = encrypt.take().ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))?;
        let data = std::mem::take(&mut operation.data);
        self.seal(operation, &data.0, scratch)?;
        out.put(scratch.bulk())
    }

    pub(crate) fn decrypt_final(&self, out: &Output) -> Outcome {
        let State { decrypt, scratch, .. } = &mut *self.state();
        let operation = decrypt.as_ref().ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))?;
        if !out.has_room(operation.opened(operation.data.0.len()))? {
            return Ok(());
        }
        let mut operation = decrypt.take().ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))?;
        let data = std::mem::take(&mut operation.data);
        self.open(operation, &data.0, scratch)?;
        out.put(scratch.bulk())
    }

    /// Encrypts; an IV that the engine made goes to where the caller's stood at `C_EncryptInit`.
    fn seal(&self, operation: Cipher, data: &[u8], scratch: &mut Scratch) -> Outcome {
        let command = Encrypt { key: operation.key, mechanism: operation.mechanism };
        let reply = self.slot.call(scratch, &command, data).map_err(Rv::of_key)?;
        reply.iv.map_or(Ok(()), |iv| operation.iv_home.write(&iv))
    }

    fn open(&self, operation: Cipher, data: &[u8], scratch: &mut Scratch) -> Outcome {
        if data.len() < operation.tag_bytes {
            return Err(Rv(CKR_ENCRYPTED_DATA_LEN_RANGE));
        }
        let command = Decrypt { key: operation.key, mechanism: operation.mechanism, ticket: None };
        self.slot.call(scratch, &command, data).map_err(|e| e.of_key().of_ciphertext()).map(drop)
    }
}

/// The room a one-part call needs. Data that is too long ends the operation.
fn at_once(operation: &mut Option<Cipher>, room: impl Fn(&Cipher) -> Outcome<usize>) -> Outcome<usize> {
    let active = operation.as_ref().ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))?;
    if active.in_parts {
        return Err(Rv(CKR_OPERATION_ACTIVE));
    }
    room(active).inspect_err(|_| *operation = None)
}

/// Takes a part and gives nothing back yet.
fn gather(operation: &mut Option<Cipher>, part: &Input, out: &Output) -> Outcome {
    let active = operation.as_mut().ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))?;
    if !out.has_room(0)? {
        return Ok(());
    }
    active.in_parts = true;
    let limit = active.limit;
    let taken = active.data.push(part.bytes(), limit);
    if taken.is_err() {
        *operation = None;
    }
    taken?;
    out.put(&[])
}

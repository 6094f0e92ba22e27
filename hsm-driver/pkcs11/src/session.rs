//! PKCS#11 sessions: opening, closing, their rules, and what each holds (§5.6).

use crate::module::Module;
use crate::operation::{Cipher, Digesting, Find, MessageCipher, MessageSigning, Pending, SignOperation, Verification};
use crate::rv::{Outcome, Rv};
use crate::slot::Slot;
use coloa_client::Scratch;
use coloa_wire::ObjectId;
use coloa_wire::command::{ObjectDestroy, Role};
use cryptoki_sys::*;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An open session.
pub(crate) struct Session {
    pub(crate) slot: Arc<Slot>,
    pub(crate) read_write: bool,
    /// Whether it was opened with `CKF_ASYNC_SESSION`.
    pub(crate) overlaps: bool,
    state: Mutex<State>,
}

/// What a session holds; one thread at a time is in it.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) scratch: Scratch,
    pub(crate) sign: Option<SignOperation>,
    pub(crate) verify: Option<Verification>,
    pub(crate) encrypt: Option<Cipher>,
    pub(crate) decrypt: Option<Cipher>,
    pub(crate) digest: Option<Digesting>,
    pub(crate) find: Option<Find>,
    pub(crate) encrypt_messages: Option<MessageCipher>,
    pub(crate) decrypt_messages: Option<MessageCipher>,
    pub(crate) sign_messages: Option<MessageSigning>,
    pub(crate) verify_messages: Option<MessageSigning>,
    /// The call that `C_AsyncComplete` is asked for.
    pub(crate) pending: Option<Pending>,
    /// Session objects made here: they go with the session.
    objects: Vec<ObjectId>,
}

impl State {
    /// The handle of an object made here.
    pub(crate) fn adopt(&mut self, slot: &Slot, id: ObjectId, token: bool) -> CK_OBJECT_HANDLE {
        if !token {
            self.objects.push(id);
        }
        slot.handles.of(id)
    }
}

impl Session {
    /// Its state.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `CKR_SESSION_READ_ONLY` for a token object in a read-only session.
    pub(crate) fn may_create(&self, token: bool) -> Outcome {
        if token && !self.read_write { Err(Rv(CKR_SESSION_READ_ONLY)) } else { Ok(()) }
    }

    /// `C_GetSessionInfo`.
    pub(crate) fn info(&self) -> CK_SESSION_INFO {
        let state = match (self.slot.role(), self.read_write) {
            (None, false) => CKS_RO_PUBLIC_SESSION,
            (None, true) => CKS_RW_PUBLIC_SESSION,
            (Some(Role::User), false) => CKS_RO_USER_FUNCTIONS,
            (Some(Role::User), true) => CKS_RW_USER_FUNCTIONS,
            (Some(Role::SecurityOfficer), _) => CKS_RW_SO_FUNCTIONS,
        };
        let flags = CKF_SERIAL_SESSION | if self.read_write { CKF_RW_SESSION } else { 0 };
        let flags = flags | if self.overlaps { CKF_ASYNC_SESSION } else { 0 };
        CK_SESSION_INFO { slotID: self.slot.id, state, flags, ulDeviceError: 0 }
    }

    /// `C_SessionCancel`: ends the operations the flags name.
    pub(crate) fn cancel(&self, flags: CK_FLAGS) {
        let mut state = self.state();
        let named = |flag: CK_FLAGS| flags & flag != 0;
        state.pending.take_if(|p| p.has_flag(flags));
        state.sign.take_if(|_| named(CKF_SIGN));
        state.verify.take_if(|_| named(CKF_VERIFY));
        state.encrypt.take_if(|_| named(CKF_ENCRYPT));
        state.decrypt.take_if(|_| named(CKF_DECRYPT));
        state.digest.take_if(|_| named(CKF_DIGEST));
        state.find.take_if(|_| named(CKF_FIND_OBJECTS));
        state.encrypt_messages.take_if(|_| named(CKF_MESSAGE_ENCRYPT));
        state.decrypt_messages.take_if(|_| named(CKF_MESSAGE_DECRYPT));
        state.sign_messages.take_if(|_| named(CKF_MESSAGE_SIGN));
        state.verify_messages.take_if(|_| named(CKF_MESSAGE_VERIFY));
    }

    /// Destroys the session's own objects. What the engine does not find is gone already.
    fn destroy_objects(&self) {
        let objects = std::mem::take(&mut self.state().objects);
        for object in objects {
            if self.slot.ask(&ObjectDestroy { object }).is_ok() {
                let handle = self.slot.handles.of(object);
                self.slot.handles.forget(handle);
            }
        }
    }
}

impl Module {
    /// `C_OpenSession`.
    pub(crate) fn open_session(&self, slot: CK_SLOT_ID, flags: CK_FLAGS) -> Outcome<CK_SESSION_HANDLE> {
        if flags & CKF_SERIAL_SESSION == 0 {
            return Err(Rv(CKR_SESSION_PARALLEL_NOT_SUPPORTED));
        }
        let slot = self.registry.slot(slot)?;
        if !slot.token_if_present().is_some_and(|t| t.initialized) {
            // Another process may have initialised it since.
            self.registry.refresh_target(&slot.target);
        }
        if !slot.token()?.initialized {
            return Err(Rv(CKR_TOKEN_NOT_RECOGNIZED));
        }
        let overlaps = flags & CKF_ASYNC_SESSION != 0;
        if overlaps && !slot.target.overlaps() {
            return Err(Rv(CKR_SESSION_ASYNC_NOT_SUPPORTED));
        }
        let read_write = flags & CKF_RW_SESSION != 0;
        let mut gate = slot.gate();
        if !read_write && slot.role() == Some(Role::SecurityOfficer) {
            return Err(Rv(CKR_SESSION_READ_WRITE_SO_EXISTS));
        }
        slot.open_channel()?;
        *gate.count(read_write) += 1;
        Ok(self.keep(Session { slot: slot.clone(), read_write, overlaps, state: Mutex::default() }))
    }

    /// `C_CloseSession`: with the last one the login ends too.
    pub(crate) fn close_session(&self, handle: CK_SESSION_HANDLE) -> Outcome {
        let session = self.take(handle)?;
        let mut gate = session.slot.gate();
        let count = gate.count(session.read_write);
        *count = count.saturating_sub(1);
        if gate.sessions() == 0 {
            session.slot.close_channel(None);
        } else {
            session.destroy_objects();
        }
        Ok(())
    }

    /// `C_CloseAllSessions`.
    pub(crate) fn close_all_sessions(&self, slot: CK_SLOT_ID) -> Outcome {
        let slot = self.registry.slot(slot)?;
        for handle in self.sessions_on(slot.id) {
            // Another thread may have closed it since.
            let _ = self.close_session(handle);
        }
        Ok(())
    }
}

//! Logging in and out, and PINs (§5.5, §5.6). Whoever decides on a login holds the slot's gate.

use crate::module::Module;
use crate::rv::{Outcome, Rv};
use crate::session::Session;
use coloa_wire::command::{Login, Logout, Pin, PinChange, Role, TokenInitialize, UserPinInitialize};
use cryptoki_sys::*;

impl Session {
    /// `C_Login`.
    pub(crate) fn login(&self, user: CK_USER_TYPE, pin: Pin) -> Outcome {
        let role = match user {
            CKU_USER => Role::User,
            CKU_SO => Role::SecurityOfficer,
            CKU_CONTEXT_SPECIFIC => return self.log_in_for_one_use(pin),
            _ => return Err(Rv(CKR_USER_TYPE_INVALID)),
        };
        let gate = self.slot.gate();
        match self.slot.role() {
            Some(present) if present == role => return Err(Rv(CKR_USER_ALREADY_LOGGED_IN)),
            Some(_) => return Err(Rv(CKR_USER_ANOTHER_ALREADY_LOGGED_IN)),
            None if role == Role::SecurityOfficer && gate.read_only > 0 => {
                return Err(Rv(CKR_SESSION_READ_ONLY_EXISTS));
            }
            None => {}
        }
        // A login that was lost is over: what comes now is a new one.
        self.slot.set_role(None);
        self.slot.ask(&Login { role, pin })?;
        self.slot.set_role(Some(role));
        Ok(())
    }

    /// `C_Logout`.
    pub(crate) fn logout(&self) -> Outcome {
        let _gate = self.slot.gate();
        if self.slot.role().is_none() {
            self.slot.set_role(None);
            return Err(Rv(CKR_USER_NOT_LOGGED_IN));
        }
        self.slot.ask(&Logout {})?;
        self.slot.set_role(None);
        Ok(())
    }

    /// `C_InitPIN`.
    pub(crate) fn init_pin(&self, pin: Pin) -> Outcome {
        if self.slot.role() != Some(Role::SecurityOfficer) {
            return Err(Rv(CKR_USER_NOT_LOGGED_IN));
        }
        self.slot.ask(&UserPinInitialize { pin }).map(drop)
    }

    /// `C_SetPIN`.
    pub(crate) fn set_pin(&self, old: Pin, new: Pin) -> Outcome {
        if !self.read_write {
            return Err(Rv(CKR_SESSION_READ_ONLY));
        }
        match self.slot.ask(&PinChange { old, new }) {
            // Not one of this function's answers (PKCS#11 3.2 §5.5.8): no PIN is the one there is.
            Err(Rv(CKR_USER_PIN_NOT_INITIALIZED)) => Err(Rv(CKR_PIN_INCORRECT)),
            answer => answer.map(drop),
        }
    }
}

impl Module {
    /// `C_InitToken`; `label` without its padding.
    pub(crate) fn init_token(&self, slot: CK_SLOT_ID, so_pin: Pin, label: String) -> Outcome {
        let slot = self.registry.slot(slot)?;
        let gate = slot.gate();
        if gate.sessions() > 0 {
            return Err(Rv(CKR_SESSION_EXISTS));
        }
        let partition = slot.partition().ok_or(Rv(CKR_TOKEN_NOT_PRESENT))?;
        slot.target.client()?.call(None, None, &TokenInitialize { partition, so_pin, label }, &[])?;
        drop(gate);
        self.registry.refresh_target(&slot.target);
        Ok(())
    }
}

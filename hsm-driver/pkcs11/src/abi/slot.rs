//! Slot and token management (§5.5).

use super::given::pin;
use super::memory::Ptr;
use super::process::module;
use crate::identity;
use crate::rv::{Outcome, Rv};
use cryptoki_sys::*;
use std::ffi::c_void;

/// Bytes of a token's label, blank-padded.
const LABEL_BYTES: CK_ULONG = 32;

entry! {
    C_GetSlotList(token_present: CK_BBOOL, list: *mut CK_SLOT_ID, count: *mut CK_ULONG) {
        let module = module()?;
        count.not_null()?;
        if list.is_null() {
            module.registry.refresh();
        }
        let slots = module.registry.slots();
        let wanted = slots.iter().filter(|s| token_present == CK_FALSE || s.token_if_present().is_some());
        deliver(&wanted.map(|s| s.id).collect::<Vec<_>>(), list, count)
    }

    C_GetSlotInfo(slot: CK_SLOT_ID, info: *mut CK_SLOT_INFO) {
        let slot = module()?.registry.slot(slot)?;
        info.write(identity::slot(&slot))
    }

    C_GetTokenInfo(slot: CK_SLOT_ID, info: *mut CK_TOKEN_INFO) {
        let module = module()?;
        info.not_null()?;
        let slot = module.registry.slot(slot)?;
        // PIN counters change behind our back.
        module.registry.refresh_target(&slot.target);
        info.write(identity::token(&slot, &slot.token()?))
    }

    C_GetMechanismList(slot: CK_SLOT_ID, list: *mut CK_MECHANISM_TYPE, count: *mut CK_ULONG) {
        let slot = module()?.registry.slot(slot)?;
        count.not_null()?;
        slot.token()?;
        let kinds: Vec<_> = slot.mechanisms()?.iter().map(|(m, _)| CK_MECHANISM_TYPE::from(m.kind.0)).collect();
        deliver(&kinds, list, count)
    }

    C_GetMechanismInfo(slot: CK_SLOT_ID, kind: CK_MECHANISM_TYPE, info: *mut CK_MECHANISM_INFO) {
        let slot = module()?.registry.slot(slot)?;
        info.not_null()?;
        slot.token()?;
        let list = slot.mechanisms()?;
        let mut found = list.iter().filter(|(m, _)| CK_MECHANISM_TYPE::from(m.kind.0) == kind);
        let (found, flags) = found.next().ok_or(Rv(CKR_MECHANISM_INVALID))?;
        info.write(CK_MECHANISM_INFO {
            ulMinKeySize: found.min_key.into(),
            ulMaxKeySize: found.max_key.into(),
            flags: flags | identity::performed_by(slot.target.body()),
        })
    }

    C_InitToken(slot: CK_SLOT_ID, so_pin: *mut CK_UTF8CHAR, len: CK_ULONG, label: *mut CK_UTF8CHAR) {
        let module = module()?;
        let label = label.not_null()?.copy(LABEL_BYTES, 32)?.to_vec();
        let label = String::from_utf8(label).map_err(|_| Rv(CKR_ARGUMENTS_BAD))?;
        module.init_token(slot, pin(so_pin, len)?, label.trim_end().to_owned())
    }

    C_WaitForSlotEvent(flags: CK_FLAGS, slot: *mut CK_SLOT_ID, reserved: *mut c_void) {
        let module = module()?;
        slot.not_null()?;
        if !reserved.is_null() {
            return Err(Rv(CKR_ARGUMENTS_BAD));
        }
        let changed = if flags & CKF_DONT_BLOCK != 0 { module.slot_event() } else { module.wait_for_slot_event() };
        slot.write(changed?)
    }
}

/// A list, by the convention of §5.2.
fn deliver<T: Copy>(values: &[T], list: Ptr<T>, count: Ptr<CK_ULONG>) -> Outcome {
    let room = count.read()?;
    count.write(values.len() as CK_ULONG)?;
    match (list.is_null(), room < values.len() as CK_ULONG) {
        (true, _) => Ok(()),
        (false, true) => Err(Rv(CKR_BUFFER_TOO_SMALL)),
        (false, false) => list.write_all(values),
    }
}

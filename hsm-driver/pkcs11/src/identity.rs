//! What a slot and a token call themselves (§3.2). The embedded body and compatible partitions say so wherever they are listed.

use crate::slot::Slot;
use coloa_wire::command::{PartitionMode, PinState, TokenInfo};
use coloa_wire::hello::Body;
use cryptoki_sys::*;

/// How long a PIN is, as the engine has it (`ErrorCode::PinLength`).
const PIN_BYTES: (CK_ULONG, CK_ULONG) = (4, 64);
const NOT_AN_HSM: &str = "DEVELOPMENT, NOT AN HSM";
const MANUFACTURER: &str = "Co Loa";

/// This library's version.
pub(crate) const LIBRARY: CK_VERSION = CK_VERSION { major: 0, minor: 1 };

/// `C_GetInfo`.
pub(crate) fn library() -> CK_INFO {
    CK_INFO {
        cryptokiVersion: CK_VERSION { major: CRYPTOKI_VERSION_MAJOR, minor: CRYPTOKI_VERSION_MINOR },
        manufacturerID: padded(MANUFACTURER),
        flags: 0,
        libraryDescription: padded("Co Loa PKCS#11 module"),
        libraryVersion: LIBRARY,
    }
}

/// `C_GetSlotInfo`.
pub(crate) fn slot(slot: &Slot) -> CK_SLOT_INFO {
    let (body, place) = (slot.target.body(), slot.target.place());
    let description = match (body, slot.token_if_present().is_some()) {
        (Some(Body::Embedded), _) => format!("{NOT_AN_HSM}: {place}"),
        (Some(Body::Appliance), true) => format!("Co Loa appliance {place}"),
        (Some(Body::Board), true) => format!("Co Loa board {place}"),
        (Some(Body::EmulatedBoard), true) => format!("{NOT_AN_HSM}: emulated board {place}"),
        (_, _) => format!("Co Loa {place}: no token"),
    };
    let present = if slot.token_if_present().is_some() { CKF_TOKEN_PRESENT } else { 0 };
    let hardware = if body == Some(Body::Board) { CKF_HW_SLOT } else { 0 };
    CK_SLOT_INFO {
        slotDescription: padded(&description),
        manufacturerID: padded(manufacturer(body).as_str()),
        flags: CKF_REMOVABLE_DEVICE | present | hardware,
        hardwareVersion: CK_VERSION { major: 0, minor: 0 },
        firmwareVersion: LIBRARY,
    }
}

/// `CKF_HW` of a mechanism: whether it is done by a device, outside its caller's machine.
pub(crate) fn performed_by(body: Option<Body>) -> CK_FLAGS {
    match body {
        Some(Body::Appliance | Body::Board | Body::EmulatedBoard) => CKF_HW,
        Some(Body::Embedded) | None => 0,
    }
}

/// `C_GetTokenInfo`.
pub(crate) fn token(slot: &Slot, token: &TokenInfo) -> CK_TOKEN_INFO {
    let (sessions, read_write) = {
        let gate = slot.gate();
        (gate.sessions() as CK_ULONG, gate.read_write as CK_ULONG)
    };
    let serial: String = token.partition.to_string().chars().take(16).collect();
    CK_TOKEN_INFO {
        label: padded(&token.label),
        manufacturerID: padded(manufacturer(slot.target.body()).as_str()),
        model: padded(&model(slot.target.body(), token.mode)),
        serialNumber: padded(&serial),
        flags: flags(token) | if slot.target.overlaps() { CKF_ASYNC_SESSION_SUPPORTED } else { 0 },
        ulMaxSessionCount: CK_EFFECTIVELY_INFINITE,
        ulSessionCount: sessions,
        ulMaxRwSessionCount: CK_EFFECTIVELY_INFINITE,
        ulRwSessionCount: read_write,
        ulMaxPinLen: PIN_BYTES.1,
        ulMinPinLen: PIN_BYTES.0,
        ulTotalPublicMemory: CK_UNAVAILABLE_INFORMATION,
        ulFreePublicMemory: CK_UNAVAILABLE_INFORMATION,
        ulTotalPrivateMemory: CK_UNAVAILABLE_INFORMATION,
        ulFreePrivateMemory: CK_UNAVAILABLE_INFORMATION,
        hardwareVersion: CK_VERSION { major: 0, minor: 0 },
        firmwareVersion: LIBRARY,
        utcTime: [b' '; 16],
    }
}

fn manufacturer(body: Option<Body>) -> String {
    match body {
        Some(Body::Embedded | Body::EmulatedBoard) => format!("{MANUFACTURER}: {NOT_AN_HSM}"),
        Some(Body::Appliance | Body::Board) | None => MANUFACTURER.into(),
    }
}

fn model(body: Option<Body>, mode: PartitionMode) -> String {
    let body = match body {
        Some(Body::Embedded) => "dev",
        Some(Body::Appliance) => "net",
        Some(Body::Board) => "board",
        Some(Body::EmulatedBoard) => "qemu",
        None => "?",
    };
    match mode {
        PartitionMode::Strict => format!("{body} strict"),
        PartitionMode::Compatible => format!("{body} compatible"),
    }
}

fn flags(token: &TokenInfo) -> CK_FLAGS {
    let when = |condition: bool, flag: CK_FLAGS| if condition { flag } else { 0 };
    let so = pin_flags(Some(token.so_pin), [CKF_SO_PIN_COUNT_LOW, CKF_SO_PIN_FINAL_TRY, CKF_SO_PIN_LOCKED]);
    let user = pin_flags(token.user_pin, [CKF_USER_PIN_COUNT_LOW, CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED]);
    CKF_RNG
        | CKF_LOGIN_REQUIRED
        | when(token.initialized, CKF_TOKEN_INITIALIZED | so)
        | when(token.user_pin.is_some(), CKF_USER_PIN_INITIALIZED | user)
}

fn pin_flags(pin: Option<PinState>, [low, last, locked]: [CK_FLAGS; 3]) -> CK_FLAGS {
    match pin {
        Some(PinState { left: 0, .. }) => locked,
        Some(PinState { left: 1, .. }) => low | last,
        Some(PinState { failures, .. }) if failures > 0 => low,
        _ => 0,
    }
}

/// Padded with blanks, cut at a character's end.
pub(crate) fn padded<const N: usize>(text: &str) -> [CK_UTF8CHAR; N] {
    let mut field = [b' '; N];
    let mut end = text.len().min(N);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    field[..end].copy_from_slice(&text.as_bytes()[..end]);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_blank_padded_and_cut_between_characters() {
        assert_eq!(&padded::<8>("Cổ"), "Cổ    ".as_bytes());
        assert_eq!(&padded::<3>("Cổ"), b"C  ");
        assert_eq!(&padded::<2>("abc"), b"ab");
    }

    #[test]
    fn what_is_no_hsm_says_so_in_full() {
        assert!(
            manufacturer(Some(Body::Embedded)).len() <= 32 && manufacturer(Some(Body::Embedded)).ends_with(NOT_AN_HSM)
        );
        assert!(model(Some(Body::Embedded), PartitionMode::Compatible).len() <= 16);
        assert!(model(Some(Body::Board), PartitionMode::Compatible).len() <= 16);
    }

    #[test]
    fn pin_flags_warn_before_the_lock() {
        let flags = |failures, left| pin_flags(Some(PinState { failures, left, wait_ms: None }), [1, 2, 4]);
        assert_eq!([flags(0, 10), flags(1, 9), flags(9, 1), flags(10, 0)], [0, 1, 3, 4]);
    }
}

//! Parameters of messages (§5.9 to §5.16): those of GCM and CCM, and that signatures have none.

use super::parameter::{gcm_tag, iv};
use crate::abi::memory::{Home, Ptr};
use crate::mechanism::{Message, Nonce};
use crate::rv::{Outcome, Rv};
use coloa_wire::MechanismType as M;
use cryptoki_sys::*;
use std::ffi::c_void;

/// The parameters of a message: `CK_GCM_MESSAGE_PARAMS` or `CK_CCM_MESSAGE_PARAMS`, which differ in length; none where a
/// mechanism takes none.
pub(in crate::abi) fn message(start: Ptr<c_void>, len: CK_ULONG) -> Outcome<Option<Message>> {
    const GCM: CK_ULONG = size_of::<CK_GCM_MESSAGE_PARAMS>() as CK_ULONG;
    const CCM: CK_ULONG = size_of::<CK_CCM_MESSAGE_PARAMS>() as CK_ULONG;
    match (start.is_null(), len) {
        (_, 0) => Ok(None),
        (false, GCM) => gcm(start.cast().read()?).map(Some),
        (false, CCM) => ccm(start.cast().read()?).map(Some),
        _ => Err(Rv(CKR_MECHANISM_PARAM_INVALID)),
    }
}

fn gcm(p: CK_GCM_MESSAGE_PARAMS) -> Outcome<Message> {
    let tag = gcm_tag(p.ulTagBits)?;
    let (iv, iv_home) = iv(p.pIv, p.ulIvLen)?;
    let nonce = Nonce::of_generator(p.ivGenerator, p.ulIvFixedBits, iv.len())?;
    Ok(Message { kind: M::AES_GCM, iv, iv_home, nonce, tag: home(p.pTag, tag)?, data_bytes: None })
}

fn ccm(p: CK_CCM_MESSAGE_PARAMS) -> Outcome<Message> {
    let invalid = Rv(CKR_MECHANISM_PARAM_INVALID);
    let tag = usize::try_from(p.ulMACLen).ok().filter(|t| matches!(t, 4 | 6 | 8 | 10 | 12 | 14 | 16)).ok_or(invalid)?;
    let (iv, iv_home) = iv(p.pNonce, p.ulNonceLen)?;
    let nonce = Nonce::of_generator(p.nonceGenerator, p.ulNonceFixedBits, iv.len())?;
    let data_bytes = Some(usize::try_from(p.ulDataLen).map_err(|_| invalid)?);
    Ok(Message { kind: M::AES_CCM, iv, iv_home, nonce, tag: home(p.pMAC, tag)?, data_bytes })
}

/// Where the tag stands.
fn home(start: *mut CK_BYTE, len: usize) -> Outcome<Home> {
    // SAFETY: the caller vouches for what its parameters point to.
    let start: Ptr<u8> = unsafe { Ptr::vouched(start) };
    Ok(Home::new(start.not_null().map_err(|_| Rv(CKR_MECHANISM_PARAM_INVALID))?, len))
}

//! Function lists and interfaces (§3.6, §5.4): one table each for 2.40, 3.0 and 3.2, made of the same functions.

use super::asynchronous::*;
use super::crypto::*;
use super::general::*;
use super::key::*;
use super::memory::Ptr;
use super::message::*;
use super::object::*;
use super::session::*;
use super::slot::*;
use super::unsupported::*;
use crate::rv::{Outcome, Rv};
use cryptoki_sys::*;
use std::ffi::CStr;

const NAME: &CStr = c"PKCS 11";

macro_rules! list {
    ($kind:ident, $major:literal, $minor:literal: $($name:ident)*) => {
        $kind { version: CK_VERSION { major: $major, minor: $minor }, $($name: Some($name)),* }
    };
}

static V2_40: CK_FUNCTION_LIST = list! { CK_FUNCTION_LIST, 2, 40:
    C_Initialize C_Finalize C_GetInfo C_GetFunctionList C_GetSlotList C_GetSlotInfo C_GetTokenInfo
    C_GetMechanismList C_GetMechanismInfo C_InitToken C_InitPIN C_SetPIN C_OpenSession C_CloseSession
    C_CloseAllSessions C_GetSessionInfo C_GetOperationState C_SetOperationState C_Login C_Logout C_CreateObject
    C_CopyObject C_DestroyObject C_GetObjectSize C_GetAttributeValue C_SetAttributeValue C_FindObjectsInit
    C_FindObjects C_FindObjectsFinal C_EncryptInit C_Encrypt C_EncryptUpdate C_EncryptFinal C_DecryptInit C_Decrypt
    C_DecryptUpdate C_DecryptFinal C_DigestInit C_Digest C_DigestUpdate C_DigestKey C_DigestFinal C_SignInit C_Sign
    C_SignUpdate C_SignFinal C_SignRecoverInit C_SignRecover C_VerifyInit C_Verify C_VerifyUpdate C_VerifyFinal
    C_VerifyRecoverInit C_VerifyRecover C_DigestEncryptUpdate C_DecryptDigestUpdate C_SignEncryptUpdate
    C_DecryptVerifyUpdate C_GenerateKey C_GenerateKeyPair C_WrapKey C_UnwrapKey C_DeriveKey C_SeedRandom
    C_GenerateRandom C_GetFunctionStatus C_CancelFunction C_WaitForSlotEvent
};

static V3_0: CK_FUNCTION_LIST_3_0 = list! { CK_FUNCTION_LIST_3_0, 3, 0:
    C_Initialize C_Finalize C_GetInfo C_GetFunctionList C_GetSlotList C_GetSlotInfo C_GetTokenInfo
    C_GetMechanismList C_GetMechanismInfo C_InitToken C_InitPIN C_SetPIN C_OpenSession C_CloseSession
    C_CloseAllSessions C_GetSessionInfo C_GetOperationState C_SetOperationState C_Login C_Logout C_CreateObject
    C_CopyObject C_DestroyObject C_GetObjectSize C_GetAttributeValue C_SetAttributeValue C_FindObjectsInit
    C_FindObjects C_FindObjectsFinal C_EncryptInit C_Encrypt C_EncryptUpdate C_EncryptFinal C_DecryptInit C_Decrypt
    C_DecryptUpdate C_DecryptFinal C_DigestInit C_Digest C_DigestUpdate C_DigestKey C_DigestFinal C_SignInit C_Sign
    C_SignUpdate C_SignFinal C_SignRecoverInit C_SignRecover C_VerifyInit C_Verify C_VerifyUpdate C_VerifyFinal
    C_VerifyRecoverInit C_VerifyRecover C_DigestEncryptUpdate C_DecryptDigestUpdate C_SignEncryptUpdate
    C_DecryptVerifyUpdate C_GenerateKey C_GenerateKeyPair C_WrapKey C_UnwrapKey C_DeriveKey C_SeedRandom
    C_GenerateRandom C_GetFunctionStatus C_CancelFunction C_WaitForSlotEvent C_GetInterfaceList C_GetInterface
    C_LoginUser C_SessionCancel C_MessageEncryptInit C_EncryptMessage C_EncryptMessageBegin C_EncryptMessageNext
    C_MessageEncryptFinal C_MessageDecryptInit C_DecryptMessage C_DecryptMessageBegin C_DecryptMessageNext
    C_MessageDecryptFinal C_MessageSignInit C_SignMessage C_SignMessageBegin C_SignMessageNext C_MessageSignFinal
    C_MessageVerifyInit C_VerifyMessage C_VerifyMessageBegin C_VerifyMessageNext C_MessageVerifyFinal
};

static V3_2: CK_FUNCTION_LIST_3_2 = list! { CK_FUNCTION_LIST_3_2, 3, 2:
    C_Initialize C_Finalize C_GetInfo C_GetFunctionList C_GetSlotList C_GetSlotInfo C_GetTokenInfo
    C_GetMechanismList C_GetMechanismInfo C_InitToken C_InitPIN C_SetPIN C_OpenSession C_CloseSession
    C_CloseAllSessions C_GetSessionInfo C_GetOperationState C_SetOperationState C_Login C_Logout C_CreateObject
    C_CopyObject C_DestroyObject C_GetObjectSize C_GetAttributeValue C_SetAttributeValue C_FindObjectsInit
    C_FindObjects C_FindObjectsFinal C_EncryptInit C_Encrypt C_EncryptUpdate C_EncryptFinal C_DecryptInit C_Decrypt
    C_DecryptUpdate C_DecryptFinal C_DigestInit C_Digest C_DigestUpdate C_DigestKey C_DigestFinal C_SignInit C_Sign
    C_SignUpdate C_SignFinal C_SignRecoverInit C_SignRecover C_VerifyInit C_Verify C_VerifyUpdate C_VerifyFinal
    C_VerifyRecoverInit C_VerifyRecover C_DigestEncryptUpdate C_DecryptDigestUpdate C_SignEncryptUpdate
    C_DecryptVerifyUpdate C_GenerateKey C_GenerateKeyPair C_WrapKey C_UnwrapKey C_DeriveKey C_SeedRandom
    C_GenerateRandom C_GetFunctionStatus C_CancelFunction C_WaitForSlotEvent C_GetInterfaceList C_GetInterface
    C_LoginUser C_SessionCancel C_MessageEncryptInit C_EncryptMessage C_EncryptMessageBegin C_EncryptMessageNext
    C_MessageEncryptFinal C_MessageDecryptInit C_DecryptMessage C_DecryptMessageBegin C_DecryptMessageNext
    C_MessageDecryptFinal C_MessageSignInit C_SignMessage C_SignMessageBegin C_SignMessageNext C_MessageSignFinal
    C_MessageVerifyInit C_VerifyMessage C_VerifyMessageBegin C_VerifyMessageNext C_MessageVerifyFinal
    C_EncapsulateKey C_DecapsulateKey C_VerifySignatureInit C_VerifySignature C_VerifySignatureUpdate
    C_VerifySignatureFinal C_GetSessionValidationFlags C_AsyncComplete C_AsyncGetID C_AsyncJoin
    C_WrapKeyAuthenticated C_UnwrapKeyAuthenticated
};

/// Interfaces hold raw pointers, to statics that nothing writes.
struct Interfaces([CK_INTERFACE; 3]);

// SAFETY: what the pointers lead to is immutable and lives as long as the library.
unsafe impl Sync for Interfaces {}

/// The newest first: it is the default.
static INTERFACES: Interfaces = Interfaces([
    interface((&raw const V3_2).cast_mut().cast()),
    interface((&raw const V3_0).cast_mut().cast()),
    interface((&raw const V2_40).cast_mut().cast()),
]);
const VERSIONS: [(u8, u8); 3] = [(3, 2), (3, 0), (2, 40)];

const fn interface(list: *mut std::ffi::c_void) -> CK_INTERFACE {
    // A forked child must initialise anew, so `CKF_INTERFACE_FORK_SAFE` is not claimed.
    CK_INTERFACE { pInterfaceName: NAME.as_ptr().cast_mut().cast(), pFunctionList: list, flags: 0 }
}

entry! {
    C_GetFunctionList(list: *mut *mut CK_FUNCTION_LIST) {
        list.write((&raw const V2_40).cast_mut())
    }

    C_GetInterfaceList(list: *mut CK_INTERFACE, count: *mut CK_ULONG) {
        let room = count.read()?;
        count.write(INTERFACES.0.len() as CK_ULONG)?;
        match (list.is_null(), room < INTERFACES.0.len() as CK_ULONG) {
            (true, _) => Ok(()),
            (false, true) => Err(Rv(CKR_BUFFER_TOO_SMALL)),
            (false, false) => list.write_all(&INTERFACES.0),
        }
    }

    C_GetInterface(
        name: *mut CK_UTF8CHAR,
        version: *mut CK_VERSION,
        found: *mut *mut CK_INTERFACE,
        flags: CK_FLAGS,
    ) {
        found.not_null()?;
        let known = name.is_null() || names_us(name)?;
        if !known || flags != 0 {
            return Err(Rv(CKR_FUNCTION_FAILED));
        }
        let wanted = if version.is_null() { None } else { Some(version.read()?) };
        let fits = |v: &(u8, u8)| wanted.is_none_or(|w| (w.major, w.minor) == *v);
        let index = VERSIONS.iter().position(fits).ok_or(Rv(CKR_FUNCTION_FAILED))?;
        let interface = INTERFACES.0.get(index).ok_or(Rv(CKR_FUNCTION_FAILED))?;
        found.write((&raw const *interface).cast_mut())
    }
}

/// Whether the string at `name` is ours; nothing after the first difference is read.
fn names_us(name: Ptr<CK_UTF8CHAR>) -> Outcome<bool> {
    for (n, expected) in NAME.to_bytes_with_nul().iter().enumerate() {
        if name.element(n).read()? != *expected {
            return Ok(false);
        }
    }
    Ok(true)
}

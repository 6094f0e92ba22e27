//! Every function of the list that has a session, called as no careful program does.

use cryptoki_sys::*;
use std::ptr::null_mut;

/// Every function with a session, given this session, NULL where a pointer goes, and this length, handle or flag.
pub fn every_function(s: CK_SESSION_HANDLE, n: CK_ULONG) -> Vec<(&'static str, CK_RV)> {
    macro_rules! calls {
        ($($name:ident($($argument:expr),*);)*) => {
            vec![$((stringify!($name), ck!($name(s $(, $argument)*)))),*]
        };
    }
    calls! {
        C_GetSessionInfo(null_mut());
        C_GetOperationState(null_mut(), null_mut());
        C_SetOperationState(null_mut(), n, n, n);
        C_InitPIN(null_mut(), n);
        C_SetPIN(null_mut(), n, null_mut(), n);
        C_LoginUser(n, null_mut(), n, null_mut(), n);
        C_CreateObject(null_mut(), n, null_mut());
        C_CopyObject(n, null_mut(), n, null_mut());
        C_DestroyObject(n);
        C_GetObjectSize(n, null_mut());
        C_GetAttributeValue(n, null_mut(), n);
        C_SetAttributeValue(n, null_mut(), n);
        C_FindObjects(null_mut(), n, null_mut());
        C_FindObjectsFinal();
        C_EncryptInit(null_mut(), n);
        C_Encrypt(null_mut(), n, null_mut(), null_mut());
        C_EncryptUpdate(null_mut(), n, null_mut(), null_mut());
        C_EncryptFinal(null_mut(), null_mut());
        C_DecryptInit(null_mut(), n);
        C_Decrypt(null_mut(), n, null_mut(), null_mut());
        C_DecryptUpdate(null_mut(), n, null_mut(), null_mut());
        C_DecryptFinal(null_mut(), null_mut());
        C_DigestInit(null_mut());
        C_Digest(null_mut(), n, null_mut(), null_mut());
        C_DigestUpdate(null_mut(), n);
        C_DigestKey(n);
        C_DigestFinal(null_mut(), null_mut());
        C_SignInit(null_mut(), n);
        C_Sign(null_mut(), n, null_mut(), null_mut());
        C_SignUpdate(null_mut(), n);
        C_SignFinal(null_mut(), null_mut());
        C_SignRecoverInit(null_mut(), n);
        C_SignRecover(null_mut(), n, null_mut(), null_mut());
        C_VerifyInit(null_mut(), n);
        C_Verify(null_mut(), n, null_mut(), n);
        C_VerifyUpdate(null_mut(), n);
        C_VerifyFinal(null_mut(), n);
        C_VerifyRecoverInit(null_mut(), n);
        C_VerifyRecover(null_mut(), n, null_mut(), null_mut());
        C_DigestEncryptUpdate(null_mut(), n, null_mut(), null_mut());
        C_DecryptDigestUpdate(null_mut(), n, null_mut(), null_mut());
        C_SignEncryptUpdate(null_mut(), n, null_mut(), null_mut());
        C_DecryptVerifyUpdate(null_mut(), n, null_mut(), null_mut());
        C_GenerateKey(null_mut(), null_mut(), n, null_mut());
        C_GenerateKeyPair(null_mut(), null_mut(), n, null_mut(), n, null_mut(), null_mut());
        C_WrapKey(null_mut(), n, n, null_mut(), null_mut());
        C_UnwrapKey(null_mut(), n, null_mut(), n, null_mut(), n, null_mut());
        C_DeriveKey(null_mut(), n, null_mut(), n, null_mut());
        C_SeedRandom(null_mut(), n);
        C_GenerateRandom(null_mut(), n);
        C_GetFunctionStatus();
        C_CancelFunction();
        C_MessageEncryptInit(null_mut(), n);
        C_EncryptMessage(null_mut(), n, null_mut(), n, null_mut(), n, null_mut(), null_mut());
        C_EncryptMessageBegin(null_mut(), n, null_mut(), n);
        C_EncryptMessageNext(null_mut(), n, null_mut(), n, null_mut(), null_mut(), n);
        C_MessageEncryptFinal();
        C_MessageDecryptInit(null_mut(), n);
        C_DecryptMessage(null_mut(), n, null_mut(), n, null_mut(), n, null_mut(), null_mut());
        C_DecryptMessageBegin(null_mut(), n, null_mut(), n);
        C_DecryptMessageNext(null_mut(), n, null_mut(), n, null_mut(), null_mut(), n);
        C_MessageDecryptFinal();
        C_MessageSignInit(null_mut(), n);
        C_SignMessage(null_mut(), n, null_mut(), n, null_mut(), null_mut());
        C_SignMessageBegin(null_mut(), n);
        C_SignMessageNext(null_mut(), n, null_mut(), n, null_mut(), null_mut());
        C_MessageSignFinal();
        C_MessageVerifyInit(null_mut(), n);
        C_VerifyMessage(null_mut(), n, null_mut(), n, null_mut(), n);
        C_VerifyMessageBegin(null_mut(), n);
        C_VerifyMessageNext(null_mut(), n, null_mut(), n, null_mut(), n);
        C_MessageVerifyFinal();
        C_EncapsulateKey(null_mut(), n, null_mut(), n, null_mut(), null_mut(), null_mut());
        C_DecapsulateKey(null_mut(), n, null_mut(), n, null_mut(), n, null_mut());
        C_VerifySignatureInit(null_mut(), n, null_mut(), n);
        C_VerifySignature(null_mut(), n);
        C_VerifySignatureUpdate(null_mut(), n);
        C_VerifySignatureFinal();
        C_GetSessionValidationFlags(n, null_mut());
        C_AsyncComplete(null_mut(), null_mut());
        C_AsyncGetID(null_mut(), null_mut());
        C_AsyncJoin(null_mut(), n, null_mut(), n);
        C_WrapKeyAuthenticated(null_mut(), n, n, null_mut(), n, null_mut(), null_mut());
        C_UnwrapKeyAuthenticated(null_mut(), n, null_mut(), n, null_mut(), n, null_mut(), n, null_mut());
    }
}

const NOT_THERE: [&str; 6] = [
    "C_GetOperationState",
    "C_SetOperationState",
    "C_SignRecoverInit",
    "C_SignRecover",
    "C_VerifyRecoverInit",
    "C_VerifyRecover",
];

/// What a function answers whatever it is given.
pub fn always(name: &str) -> Option<CK_RV> {
    match name {
        "C_GetFunctionStatus" | "C_CancelFunction" => Some(CKR_FUNCTION_NOT_PARALLEL),
        name if NOT_THERE.contains(&name) => Some(CKR_FUNCTION_NOT_SUPPORTED),
        _ => None,
    }
}

//! Encryption, digests, signatures and MACs (§5.8 to §5.16).

use super::given::begin;
use super::memory::{Output, Ptr};
use super::process::session_of;
use crate::rv::Outcome;
use cryptoki_sys::*;

entry! {
    C_EncryptInit(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) {
        session_of(session)?.encrypt_init(begin(mechanism)?, key)
    }

    C_Encrypt(session: CK_SESSION_HANDLE, data: *mut CK_BYTE, len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG) {
        session_of(session)?.encrypt(&data.input(len)?, &output(out, out_len)?)
    }

    C_EncryptUpdate(
        session: CK_SESSION_HANDLE,
        part: *mut CK_BYTE,
        len: CK_ULONG,
        out: *mut CK_BYTE,
        out_len: *mut CK_ULONG,
    ) {
        session_of(session)?.encrypt_update(&part.input(len)?, &output(out, out_len)?)
    }

    C_EncryptFinal(session: CK_SESSION_HANDLE, out: *mut CK_BYTE, out_len: *mut CK_ULONG) {
        session_of(session)?.encrypt_final(&output(out, out_len)?)
    }

    C_DecryptInit(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) {
        session_of(session)?.decrypt_init(begin(mechanism)?, key)
    }

    C_Decrypt(session: CK_SESSION_HANDLE, data: *mut CK_BYTE, len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG) {
        session_of(session)?.decrypt(&data.input(len)?, &output(out, out_len)?)
    }

    C_DecryptUpdate(
        session: CK_SESSION_HANDLE,
        part: *mut CK_BYTE,
        len: CK_ULONG,
        out: *mut CK_BYTE,
        out_len: *mut CK_ULONG,
    ) {
        session_of(session)?.decrypt_update(&part.input(len)?, &output(out, out_len)?)
    }

    C_DecryptFinal(session: CK_SESSION_HANDLE, out: *mut CK_BYTE, out_len: *mut CK_ULONG) {
        session_of(session)?.decrypt_final(&output(out, out_len)?)
    }

    C_DigestInit(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM) {
        session_of(session)?.digest_init(begin(mechanism)?)
    }

    C_Digest(session: CK_SESSION_HANDLE, data: *mut CK_BYTE, len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG) {
        session_of(session)?.digest(&data.input(len)?, &output(out, out_len)?)
    }

    C_DigestUpdate(session: CK_SESSION_HANDLE, part: *mut CK_BYTE, len: CK_ULONG) {
        session_of(session)?.digest_update(&part.input(len)?)
    }

    C_DigestKey(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) {
        session_of(session)?.digest_key(key)
    }

    C_DigestFinal(session: CK_SESSION_HANDLE, out: *mut CK_BYTE, out_len: *mut CK_ULONG) {
        session_of(session)?.digest_final(&output(out, out_len)?)
    }

    C_SignInit(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) {
        session_of(session)?.sign_init(begin(mechanism)?, key)
    }

    C_Sign(session: CK_SESSION_HANDLE, data: *mut CK_BYTE, len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG) {
        session_of(session)?.sign(&data.input(len)?, &output(out, out_len)?)
    }

    C_SignUpdate(session: CK_SESSION_HANDLE, part: *mut CK_BYTE, len: CK_ULONG) {
        session_of(session)?.sign_update(&part.input(len)?)
    }

    C_SignFinal(session: CK_SESSION_HANDLE, out: *mut CK_BYTE, out_len: *mut CK_ULONG) {
        session_of(session)?.sign_final(&output(out, out_len)?)
    }

    C_VerifyInit(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) {
        session_of(session)?.verify_init(begin(mechanism)?, key)
    }

    C_Verify(session: CK_SESSION_HANDLE, data: *mut CK_BYTE, len: CK_ULONG, signature: *mut CK_BYTE, sig_len: CK_ULONG) {
        session_of(session)?.verify(&data.input(len)?, &signature.not_null()?.input(sig_len)?)
    }

    C_VerifyUpdate(session: CK_SESSION_HANDLE, part: *mut CK_BYTE, len: CK_ULONG) {
        session_of(session)?.verify_update(&part.input(len)?)
    }

    C_VerifyFinal(session: CK_SESSION_HANDLE, signature: *mut CK_BYTE, len: CK_ULONG) {
        session_of(session)?.verify_final(&signature.not_null()?.input(len)?)
    }

    C_VerifySignatureInit(
        session: CK_SESSION_HANDLE,
        mechanism: *mut CK_MECHANISM,
        key: CK_OBJECT_HANDLE,
        signature: *mut CK_BYTE,
        len: CK_ULONG,
    ) {
        let session = session_of(session)?;
        // NULL ends the operation, and then there is no signature either.
        let given = begin(mechanism)?;
        let signature = if given.is_some() { signature.not_null()?.input(len)? } else { signature.input(0)? };
        session.verify_signature_init(given, key, &signature)
    }

    C_VerifySignature(session: CK_SESSION_HANDLE, data: *mut CK_BYTE, len: CK_ULONG) {
        session_of(session)?.verify_signature(&data.input(len)?)
    }

    C_VerifySignatureUpdate(session: CK_SESSION_HANDLE, part: *mut CK_BYTE, len: CK_ULONG) {
        session_of(session)?.verify_signature_update(&part.input(len)?)
    }

    C_VerifySignatureFinal(session: CK_SESSION_HANDLE) {
        session_of(session)?.verify_signature_final()
    }

    C_DigestEncryptUpdate(
        session: CK_SESSION_HANDLE,
        part: *mut CK_BYTE,
        len: CK_ULONG,
        out: *mut CK_BYTE,
        out_len: *mut CK_ULONG,
    ) {
        session_of(session)?.digest_encrypt(&part.input(len)?, &output(out, out_len)?)
    }

    C_DecryptDigestUpdate(
        session: CK_SESSION_HANDLE,
        part: *mut CK_BYTE,
        len: CK_ULONG,
        out: *mut CK_BYTE,
        out_len: *mut CK_ULONG,
    ) {
        session_of(session)?.decrypt_digest(&part.input(len)?, &output(out, out_len)?)
    }

    C_SignEncryptUpdate(
        session: CK_SESSION_HANDLE,
        part: *mut CK_BYTE,
        len: CK_ULONG,
        out: *mut CK_BYTE,
        out_len: *mut CK_ULONG,
    ) {
        session_of(session)?.sign_encrypt(&part.input(len)?, &output(out, out_len)?)
    }

    C_DecryptVerifyUpdate(
        session: CK_SESSION_HANDLE,
        part: *mut CK_BYTE,
        len: CK_ULONG,
        out: *mut CK_BYTE,
        out_len: *mut CK_ULONG,
    ) {
        session_of(session)?.decrypt_verify(&part.input(len)?, &output(out, out_len)?)
    }
}

pub(super) fn output(start: Ptr<CK_BYTE>, len: Ptr<CK_ULONG>) -> Outcome<Output> {
    Ok(Output::new(start, len.not_null()?))
}

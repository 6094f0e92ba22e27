//! Message-based encryption, signatures and MACs (§5.9.5 to §5.16).

use super::crypto::output;
use super::given::{additional, begin, begin_messages, message};
use super::process::session_of;
use cryptoki_sys::*;
use std::ffi::c_void;

entry! {
    C_MessageEncryptInit(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) {
        session_of(session)?.encrypt_messages_init(begin_messages(mechanism)?, key)
    }

    C_EncryptMessage(
        session: CK_SESSION_HANDLE,
        parameter: *mut c_void,
        parameter_len: CK_ULONG,
        aad: *mut CK_BYTE,
        aad_len: CK_ULONG,
        data: *mut CK_BYTE,
        len: CK_ULONG,
        out: *mut CK_BYTE,
        out_len: *mut CK_ULONG,
    ) {
        let session = session_of(session)?;
        let given = (additional(aad, aad_len)?, &data.input(len)?);
        session.crypt_message(true, message(parameter, parameter_len)?, given, &output(out, out_len)?)
    }

    C_EncryptMessageBegin(
        session: CK_SESSION_HANDLE,
        parameter: *mut c_void,
        parameter_len: CK_ULONG,
        aad: *mut CK_BYTE,
        aad_len: CK_ULONG,
    ) {
        let session = session_of(session)?;
        session.crypt_message_begin(true, message(parameter, parameter_len)?, additional(aad, aad_len)?)
    }

    C_EncryptMessageNext(
        session: CK_SESSION_HANDLE,
        parameter: *mut c_void,
        parameter_len: CK_ULONG,
        part: *mut CK_BYTE,
        len: CK_ULONG,
        out: *mut CK_BYTE,
        out_len: *mut CK_ULONG,
        flags: CK_FLAGS,
    ) {
        let session = session_of(session)?;
        let given = (message(parameter, parameter_len)?, flags & CKF_END_OF_MESSAGE != 0);
        session.crypt_message_next(true, given, &part.input(len)?, &output(out, out_len)?)
    }

    C_MessageEncryptFinal(session: CK_SESSION_HANDLE) {
        session_of(session)?.crypt_messages_final(true)
    }

    C_MessageDecryptInit(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) {
        session_of(session)?.decrypt_messages_init(begin_messages(mechanism)?, key)
    }

    C_DecryptMessage(
        session: CK_SESSION_HANDLE,
        parameter: *mut c_void,
        parameter_len: CK_ULONG,
        aad: *mut CK_BYTE,
        aad_len: CK_ULONG,
        data: *mut CK_BYTE,
        len: CK_ULONG,
        out: *mut CK_BYTE,
        out_len: *mut CK_ULONG,
    ) {
        let session = session_of(session)?;
        let given = (additional(aad, aad_len)?, &data.input(len)?);
        session.crypt_message(false, message(parameter, parameter_len)?, given, &output(out, out_len)?)
    }

    C_DecryptMessageBegin(
        session: CK_SESSION_HANDLE,
        parameter: *mut c_void,
        parameter_len: CK_ULONG,
        aad: *mut CK_BYTE,
        aad_len: CK_ULONG,
    ) {
        let session = session_of(session)?;
        session.crypt_message_begin(false, message(parameter, parameter_len)?, additional(aad, aad_len)?)
    }

    C_DecryptMessageNext(
        session: CK_SESSION_HANDLE,
        parameter: *mut c_void,
        parameter_len: CK_ULONG,
        part: *mut CK_BYTE,
        len: CK_ULONG,
        out: *mut CK_BYTE,
        out_len: *mut CK_ULONG,
        flags: CK_FLAGS,
    ) {
        let session = session_of(session)?;
        let given = (message(parameter, parameter_len)?, flags & CKF_END_OF_MESSAGE != 0);
        session.crypt_message_next(false, given, &part.input(len)?, &output(out, out_len)?)
    }

    C_MessageDecryptFinal(session: CK_SESSION_HANDLE) {
        session_of(session)?.crypt_messages_final(false)
    }

    C_MessageSignInit(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) {
        session_of(session)?.sign_messages_init(begin(mechanism)?, key)
    }

    C_SignMessage(
        session: CK_SESSION_HANDLE,
        parameter: *mut c_void,
        parameter_len: CK_ULONG,
        data: *mut CK_BYTE,
        len: CK_ULONG,
        out: *mut CK_BYTE,
        out_len: *mut CK_ULONG,
    ) {
        let session = session_of(session)?;
        session.sign_message(&message(parameter, parameter_len)?, &data.input(len)?, &output(out, out_len)?)
    }

    C_SignMessageBegin(session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_len: CK_ULONG) {
        session_of(session)?.sign_message_begin(&message(parameter, parameter_len)?)
    }

    C_SignMessageNext(
        session: CK_SESSION_HANDLE,
        parameter: *mut c_void,
        parameter_len: CK_ULONG,
        part: *mut CK_BYTE,
        len: CK_ULONG,
        out: *mut CK_BYTE,
        out_len: *mut CK_ULONG,
    ) {
        let session = session_of(session)?;
        // Without a place for the signature's length, more parts follow.
        let out = if out_len.is_null() { None } else { Some(output(out, out_len)?) };
        session.sign_message_next(&message(parameter, parameter_len)?, &part.input(len)?, out.as_ref())
    }

    C_MessageSignFinal(session: CK_SESSION_HANDLE) {
        session_of(session)?.sign_messages_final()
    }

    C_MessageVerifyInit(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) {
        session_of(session)?.verify_messages_init(begin(mechanism)?, key)
    }

    C_VerifyMessage(
        session: CK_SESSION_HANDLE,
        parameter: *mut c_void,
        parameter_len: CK_ULONG,
        data: *mut CK_BYTE,
        len: CK_ULONG,
        signature: *mut CK_BYTE,
        signature_len: CK_ULONG,
    ) {
        let session = session_of(session)?;
        let signature = signature.not_null()?.input(signature_len)?;
        session.verify_message(&message(parameter, parameter_len)?, &data.input(len)?, &signature)
    }

    C_VerifyMessageBegin(session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_len: CK_ULONG) {
        session_of(session)?.verify_message_begin(&message(parameter, parameter_len)?)
    }

    C_VerifyMessageNext(
        session: CK_SESSION_HANDLE,
        parameter: *mut c_void,
        parameter_len: CK_ULONG,
        part: *mut CK_BYTE,
        len: CK_ULONG,
        signature: *mut CK_BYTE,
        signature_len: CK_ULONG,
    ) {
        let session = session_of(session)?;
        // Without a signature, more parts follow.
        let signature = if signature.is_null() { None } else { Some(signature.input(signature_len)?) };
        session.verify_message_next(&message(parameter, parameter_len)?, &part.input(len)?, signature.as_ref())
    }

    C_MessageVerifyFinal(session: CK_SESSION_HANDLE) {
        session_of(session)?.verify_messages_final()
    }
}

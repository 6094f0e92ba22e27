//! Key management and random numbers (§5.18, §5.20).

use super::crypto::output;
use super::given::{additional, mechanism, template};
use super::memory::Output;
use super::process::session_of;
use crate::rv::Rv;
use cryptoki_sys::*;

entry! {
    C_GenerateKey(
        session: CK_SESSION_HANDLE,
        how: *mut CK_MECHANISM,
        start: *mut CK_ATTRIBUTE,
        count: CK_ULONG,
        key: *mut CK_OBJECT_HANDLE,
    ) {
        let session = session_of(session)?;
        key.not_null()?;
        key.write(session.generate_key(mechanism(how)?, template(start, count)?)?)
    }

    C_GenerateKeyPair(
        session: CK_SESSION_HANDLE,
        how: *mut CK_MECHANISM,
        public_start: *mut CK_ATTRIBUTE,
        public_count: CK_ULONG,
        private_start: *mut CK_ATTRIBUTE,
        private_count: CK_ULONG,
        public_key: *mut CK_OBJECT_HANDLE,
        private_key: *mut CK_OBJECT_HANDLE,
    ) {
        let session = session_of(session)?;
        public_key.not_null()?;
        private_key.not_null()?;
        let (public, private) = (template(public_start, public_count)?, template(private_start, private_count)?);
        let (public, private) = session.generate_key_pair(mechanism(how)?, public, private)?;
        public_key.write(public)?;
        private_key.write(private)
    }

    C_WrapKey(
        session: CK_SESSION_HANDLE,
        how: *mut CK_MECHANISM,
        wrapping: CK_OBJECT_HANDLE,
        key: CK_OBJECT_HANDLE,
        out: *mut CK_BYTE,
        out_len: *mut CK_ULONG,
    ) {
        let session = session_of(session)?;
        session.wrap_key(mechanism(how)?, wrapping, key, &output(out, out_len)?)
    }

    C_WrapKeyAuthenticated(
        session: CK_SESSION_HANDLE,
        how: *mut CK_MECHANISM,
        wrapping: CK_OBJECT_HANDLE,
        key: CK_OBJECT_HANDLE,
        aad: *mut CK_BYTE,
        aad_len: CK_ULONG,
        out: *mut CK_BYTE,
        out_len: *mut CK_ULONG,
    ) {
        let session = session_of(session)?;
        let given = mechanism(how)?.authenticating(additional(aad, aad_len)?)?;
        session.wrap_key(given, wrapping, key, &output(out, out_len)?)
    }

    C_UnwrapKey(
        session: CK_SESSION_HANDLE,
        how: *mut CK_MECHANISM,
        unwrapping: CK_OBJECT_HANDLE,
        wrapped: *mut CK_BYTE,
        wrapped_len: CK_ULONG,
        start: *mut CK_ATTRIBUTE,
        count: CK_ULONG,
        key: *mut CK_OBJECT_HANDLE,
    ) {
        let session = session_of(session)?;
        key.not_null()?;
        let wrapped = wrapped.not_null()?.input(wrapped_len)?;
        key.write(session.unwrap_key(("C_UnwrapKey", mechanism(how)?), unwrapping, &wrapped, template(start, count)?)?)
    }

    C_UnwrapKeyAuthenticated(
        session: CK_SESSION_HANDLE,
        how: *mut CK_MECHANISM,
        unwrapping: CK_OBJECT_HANDLE,
        wrapped: *mut CK_BYTE,
        wrapped_len: CK_ULONG,
        start: *mut CK_ATTRIBUTE,
        count: CK_ULONG,
        aad: *mut CK_BYTE,
        aad_len: CK_ULONG,
        key: *mut CK_OBJECT_HANDLE,
    ) {
        let session = session_of(session)?;
        key.not_null()?;
        let wrapped = wrapped.not_null()?.input(wrapped_len)?;
        let given = mechanism(how)?.authenticating(additional(aad, aad_len)?)?;
        let function = ("C_UnwrapKeyAuthenticated", given);
        key.write(session.unwrap_key(function, unwrapping, &wrapped, template(start, count)?)?)
    }

    C_DeriveKey(
        session: CK_SESSION_HANDLE,
        how: *mut CK_MECHANISM,
        base: CK_OBJECT_HANDLE,
        start: *mut CK_ATTRIBUTE,
        count: CK_ULONG,
        key: *mut CK_OBJECT_HANDLE,
    ) {
        let session = session_of(session)?;
        key.not_null()?;
        key.write(session.derive_key(mechanism(how)?, base, template(start, count)?)?)
    }

    C_EncapsulateKey(
        session: CK_SESSION_HANDLE,
        how: *mut CK_MECHANISM,
        public_key: CK_OBJECT_HANDLE,
        start: *mut CK_ATTRIBUTE,
        count: CK_ULONG,
        out: *mut CK_BYTE,
        out_len: *mut CK_ULONG,
        key: *mut CK_OBJECT_HANDLE,
    ) {
        let session = session_of(session)?;
        let out = output(out, out_len)?;
        if !out.is_query() {
            key.not_null()?;
        }
        let made = session.encapsulate_key(mechanism(how)?, public_key, template(start, count)?, &out)?;
        made.map_or(Ok(()), |made| key.write(made))
    }

    C_DecapsulateKey(
        session: CK_SESSION_HANDLE,
        how: *mut CK_MECHANISM,
        private_key: CK_OBJECT_HANDLE,
        start: *mut CK_ATTRIBUTE,
        count: CK_ULONG,
        ciphertext: *mut CK_BYTE,
        ciphertext_len: CK_ULONG,
        key: *mut CK_OBJECT_HANDLE,
    ) {
        let session = session_of(session)?;
        key.not_null()?;
        let ciphertext = ciphertext.not_null()?.input(ciphertext_len)?;
        key.write(session.decapsulate_key(mechanism(how)?, private_key, template(start, count)?, &ciphertext)?)
    }

    C_SeedRandom(session: CK_SESSION_HANDLE, _seed: *mut CK_BYTE, _len: CK_ULONG) {
        session_of(session)?;
        Err(Rv(CKR_RANDOM_SEED_NOT_SUPPORTED))
    }

    C_GenerateRandom(session: CK_SESSION_HANDLE, random: *mut CK_BYTE, len: CK_ULONG) {
        let session = session_of(session)?;
        let len = usize::try_from(len).map_err(|_| Rv(CKR_ARGUMENTS_BAD))?;
        session.random(len, &Output::fixed(random.not_null()?, len))
    }
}

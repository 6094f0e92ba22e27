//! Key management and random numbers (§5.18, §5.20).

use super::given::{mechanism, template};
use super::memory::Output;
use super::process::module;
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
        let session = module()?.session(session)?;
        key.not_null()?;
        key.write(session.generate_key(&mechanism(how)?, template(start, count)?)?)
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
        let session = module()?.session(session)?;
        public_key.not_null()?;
        private_key.not_null()?;
        let (public, private) = (template(public_start, public_count)?, template(private_start, private_count)?);
        let (public, private) = session.generate_key_pair(&mechanism(how)?, public, private)?;
        public_key.write(public)?;
        private_key.write(private)
    }

    C_SeedRandom(session: CK_SESSION_HANDLE, _seed: *mut CK_BYTE, _len: CK_ULONG) {
        module()?.session(session)?;
        Err(Rv(CKR_RANDOM_SEED_NOT_SUPPORTED))
    }

    C_GenerateRandom(session: CK_SESSION_HANDLE, random: *mut CK_BYTE, len: CK_ULONG) {
        let session = module()?.session(session)?;
        let len = usize::try_from(len).map_err(|_| Rv(CKR_ARGUMENTS_BAD))?;
        session.random(len, &Output::fixed(random.not_null()?))
    }
}

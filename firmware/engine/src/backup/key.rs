//! The master backup key as the engine keeps it: one record, sealed under the device key, with the shares that no holder has
//! taken yet. A share is erased in the commit that hands it out.

use super::share::{self, Holder, MasterKey, Share};
use crate::crypto::Kdf;
use crate::keyring::Key;
use crate::ledger::Change;
use crate::record::{self, BACKUP_KEY};
use crate::state::Fact;
use crate::{Crypto, CryptoError, Engine, Hash, KeyKind, Platform};
use alloc::string::String;
use alloc::vec::Vec;
use coloa_wire::ErrorCode;
use coloa_wire::command::{BackupKeyInfoReply, ShareHolder};
use minicbor::{Decode, Encode};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The record [`BACKUP_KEY`].
#[derive(Zeroize, ZeroizeOnDrop, Encode, Decode)]
#[cbor(map)]
pub(crate) struct BackupKeyRecord {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub key: [u8; 16],
    #[n(1)]
    pub threshold: u8,
    #[n(2)]
    #[zeroize(skip)]
    pub holders: Vec<Holder>,
    #[cbor(n(3), with = "minicbor::bytes")]
    pub master: [u8; 32],
    /// Those that are not taken; a taken one is `None`.
    #[n(4)]
    pub shares: Vec<Option<Share>>,
    #[n(5)]
    pub created: u64,
}

impl BackupKeyRecord {
    pub(crate) fn draw<P: Platform>(engine: &Engine<P>, threshold: u8, names: &[String]) -> Result<Self, ErrorCode> {
        let crypto = engine.platform().crypto();
        let (key, master): ([u8; 16], MasterKey) = (engine.random()?, Zeroizing::new(engine.random()?));
        let shares = share::split(crypto, &master, key, threshold, names);
        let shares = shares.map_err(|error| engine.sharing_failed(error))?;
        let holders = shares.iter().map(|s| Holder { name: s.holder.clone(), digest: share::digest(crypto, s) });
        let holders = holders.collect();
        let shares = shares.into_iter().map(Some).collect();
        Ok(BackupKeyRecord { key, threshold, holders, master: *master, shares, created: engine.platform().now().0 })
    }

    pub(crate) fn master(&self) -> MasterKey {
        Zeroizing::new(self.master)
    }

    pub(crate) fn info<P: Platform>(&self, engine: &Engine<P>) -> Result<BackupKeyInfoReply, ErrorCode> {
        let check = check_value(engine.platform().crypto(), &self.master());
        let holders = self.holders.iter().zip(&self.shares);
        let holders = holders.map(|(h, share)| ShareHolder { name: h.name.clone(), taken: share.is_none() });
        Ok(BackupKeyInfoReply {
            key: self.key,
            check: check.map_err(|error| engine.crypto_failed(error))?,
            threshold: self.threshold,
            holders: holders.collect(),
            created: self.created,
        })
    }

    pub(crate) fn change<P: Platform>(&self, engine: &Engine<P>, expected: u64) -> Result<Change<Key<P>>, ErrorCode> {
        engine.device_change(BACKUP_KEY, expected, self, Fact::Opaque)
    }
}

/// The key's record and its version; `BackupKeyMissing` when there is none.
pub(crate) fn stored<P: Platform>(engine: &Engine<P>) -> Result<(u64, BackupKeyRecord), ErrorCode> {
    let (version, plain) = engine.device_record(&BACKUP_KEY)?.ok_or(ErrorCode::BackupKeyMissing)?;
    Ok((version, record::decode(&plain)?))
}

/// Tells one master key from another; public.
pub(crate) fn check_value<C: Crypto>(crypto: &C, master: &MasterKey) -> Result<[u8; 8], CryptoError> {
    let key = crypto.load(KeyKind::Hmac, &*derived(crypto, master, &[], b"coloa backup v1 check value")?)?;
    first(crypto.mac(&key, Hash::Sha256, &[b"master backup key"])?.as_ref())
}

/// HKDF-SHA-256 (RFC 5869) of the master key: another key for each purpose and each archive's salt.
pub(crate) fn derived<C: Crypto>(
    crypto: &C,
    master: &MasterKey,
    salt: &[u8],
    info: &[u8],
) -> Result<Zeroizing<[u8; 32]>, CryptoError> {
    let (mut extracted, mut out) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
    crypto.derive(master.as_slice(), Kdf::HkdfExtract { hash: Hash::Sha256, salt }, extracted.as_mut_slice())?;
    crypto.derive(extracted.as_slice(), Kdf::HkdfExpand { hash: Hash::Sha256, info }, out.as_mut_slice())?;
    Ok(out)
}

/// The first bytes of a MAC.
pub(crate) fn first<const N: usize>(mac: &[u8]) -> Result<[u8; N], CryptoError> {
    mac.first_chunk().copied().ok_or(CryptoError::Unsupported)
}

//! Shares of the master backup key (R2, R3): Shamir's scheme over GF(2^8), of 32 random bytes.
//!
//! The provider splits and joins ([`Crypto::split`]); one that cannot makes no key. A share says which key, of which threshold, whose and
//! which it is, and the key's record and every archive's header hold the SHA-256 of every whole share. So each share is judged
//! alone, before anything is joined: one of another key, an altered one, or one under another name is named and not used.
//!
//! Those digests tell nobody anything: with fewer than the threshold, the value of each further share is uniform among 2^256
//! and independent of the key, so that finding it from its digest is a search through 2^256 values, as is finding the key
//! from its check value. What is joined is checked once more against that check value, and the archive's header by a MAC.

use crate::crypto::SharePoint;
use crate::{Crypto, CryptoError, Hash};
use alloc::string::String;
use alloc::vec::Vec;
use coloa_wire::command::{MAX_HOLDER_NAME, MAX_SHARE_HOLDERS, ShareVerdict};
use minicbor::{Decode, Encode};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The version of a share's encoding and of the scheme behind it.
const SCHEME: u8 = 1;
/// A quorum of one is none.
const MIN_THRESHOLD: u8 = 2;
const LABEL: &[u8] = b"coloa backup share v1";

/// The master backup key.
pub(crate) type MasterKey = Zeroizing<[u8; 32]>;

/// One share, as it is handed out.
#[derive(Zeroize, ZeroizeOnDrop, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Share {
    #[n(0)]
    pub scheme: u8,
    /// Which key.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub key: [u8; 16],
    #[n(2)]
    pub threshold: u8,
    /// The point it is the value at: from 1.
    #[n(3)]
    pub index: u8,
    #[n(4)]
    pub holder: String,
    #[cbor(n(5), with = "minicbor::bytes")]
    pub value: [u8; 32],
}

impl Share {
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        crate::record::encode(self)
    }
}

/// A holder and the digest of its share, as an archive's header lists it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Holder {
    /// The holder's name.
    #[n(0)]
    pub name: String,
    /// See the module.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub digest: [u8; 32],
}

/// Whether a key may be split so.
pub(crate) fn is_sound<'a>(threshold: u8, names: impl Iterator<Item = &'a str> + Clone) -> bool {
    let count = names.clone().count();
    let once = |name: &str| names.clone().filter(|other| *other == name).count() == 1;
    let named = |name: &str| !name.is_empty() && name.len() <= MAX_HOLDER_NAME && !name.chars().any(char::is_control);
    threshold >= MIN_THRESHOLD
        && usize::from(threshold) <= count
        && count <= MAX_SHARE_HOLDERS
        && names.clone().all(|name| named(name) && once(name))
}

/// Splits a key among holders that are [`is_sound`].
pub(crate) fn split<C: Crypto>(
    crypto: &C,
    master: &MasterKey,
    key: [u8; 16],
    threshold: u8,
    holders: &[String],
) -> Result<Vec<Share>, CryptoError> {
    let count = u8::try_from(holders.len()).map_err(|_| CryptoError::Invalid)?;
    let points = crypto.split(master.as_slice(), threshold, count)?;
    let share = |(holder, (index, value)): (&String, &SharePoint)| {
        let value = value.as_slice().try_into().map_err(|_| CryptoError::Invalid)?;
        Ok(Share { scheme: SCHEME, key, threshold, index: *index, holder: holder.clone(), value })
    };
    holders.iter().zip(&points).map(share).collect()
}

/// Joins as many shares as the threshold, which [`judge`] has accepted.
pub(crate) fn join<C: Crypto>(crypto: &C, shares: &[Share]) -> Result<MasterKey, CryptoError> {
    let points: Vec<SharePoint> = shares.iter().map(|s| (s.index, Zeroizing::new(s.value.to_vec()))).collect();
    let joined = crypto.join(&points)?;
    joined.as_slice().try_into().map(Zeroizing::new).map_err(|_| CryptoError::Invalid)
}

/// What a share's digest is, over the whole of it.
pub(crate) fn digest<C: Crypto>(crypto: &C, share: &Share) -> [u8; 32] {
    let encoded = share.encode();
    let mut out = [0; 32];
    let digest = crypto.digest(Hash::Sha256, &[LABEL, &encoded]);
    out.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    out
}

/// A share's bytes, judged against the key that is wanted (R3).
pub(crate) struct Judged {
    pub verdict: ShareVerdict,
    /// Whose it says it is.
    pub holder: String,
    /// There when it is accepted.
    pub share: Option<Share>,
}

/// Judges one share alone: `given` are those that are here.
pub(crate) fn judge<C: Crypto>(crypto: &C, bytes: &[u8], wanted: ([u8; 16], u8, &[Holder]), given: &[Share]) -> Judged {
    let (key, threshold, holders) = wanted;
    let Ok(share) = minicbor::decode::<Share>(bytes) else {
        return Judged { verdict: ShareVerdict::Unreadable, holder: String::new(), share: None };
    };
    let holder = share.holder.clone();
    let no = |verdict| Judged { verdict, holder: holder.clone(), share: None };
    if share.key != key {
        return no(ShareVerdict::Foreign);
    }
    let place = usize::from(share.index).checked_sub(1);
    let listed = place.and_then(|at| holders.get(at)).filter(|listed| listed.name == holder);
    let right = listed.is_some_and(|listed| bool::from(digest(crypto, &share).ct_eq(&listed.digest)));
    if !right || share.scheme != SCHEME || share.threshold != threshold {
        return no(ShareVerdict::Altered);
    }
    if given.iter().any(|other| other.index == share.index) {
        return no(ShareVerdict::Repeated);
    }
    Judged { verdict: ShareVerdict::Accepted, holder: holder.clone(), share: Some(share) }
}

//! ML-DSA (FIPS 204); never audited.
//!
//! Private keys come from their seed only: the crate neither checks an expanded key nor keeps a bad one from panicking. A
//! private key stays its seed and is expanded for each use: expanded it takes 90 to 200 KB, and a board's engine keeps
//! hundreds of parsed keys.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::marker::PhantomData;

use coloa_engine::crypto::{MlDsa, Scheme};
use coloa_engine::{CryptoError, Hash};
use ml_dsa::{B32, Keypair, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, Signature, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::pair::{Draw, Private, Public};

/// DER of the object identifiers of NIST's hashes, 2.16.840.1.101.3.4.2, without their last number.
const HASHES: [u8; 10] = [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];

/// A private key from its seed.
pub(crate) fn private(set: MlDsa, secret: &[u8]) -> Result<Box<dyn Private>, CryptoError> {
    if secret.len() == set.private() {
        return Err(CryptoError::Unsupported);
    }
    let seed = Zeroizing::new(B32::try_from(secret).map_err(|_| CryptoError::Invalid)?);
    Ok(match set {
        MlDsa::L44 => Box::new(Signing::<MlDsa44>(seed, PhantomData)),
        MlDsa::L65 => Box::new(Signing::<MlDsa65>(seed, PhantomData)),
        MlDsa::L87 => Box::new(Signing::<MlDsa87>(seed, PhantomData)),
    })
}

/// Any string of the right length is a public key.
pub(crate) fn public(set: MlDsa, encoded: &[u8]) -> Result<Box<dyn Public>, CryptoError> {
    match set {
        MlDsa::L44 => parse_public::<MlDsa44>(encoded),
        MlDsa::L65 => parse_public::<MlDsa65>(encoded),
        MlDsa::L87 => parse_public::<MlDsa87>(encoded),
    }
}

fn parse_public<P: MlDsaParams + Send + Sync + 'static>(encoded: &[u8]) -> Result<Box<dyn Public>, CryptoError> {
    let encoded = encoded.try_into().map_err(|_| CryptoError::Invalid)?;
    Ok(Box::new(Verifying(VerifyingKey::<P>::decode(encoded))))
}

/// `M'` without the message or its digest (FIPS 204 algorithms 2 and 4).
fn prefix(scheme: Scheme<'_>, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let Scheme::MlDsa { context, prehash } = scheme else { return Err(CryptoError::Invalid) };
    let length = u8::try_from(context.len()).map_err(|_| CryptoError::Invalid)?;
    let Some(hash) = prehash else { return Ok([&[0, length], context].concat()) };
    if message.len() != hash.length() {
        return Err(CryptoError::Invalid);
    }
    Ok([&[1, length], context, &HASHES, &[identifier(hash)?]].concat())
}

/// The last number of a hash's object identifier; §5.4 takes no hash as weak as SHA-1, which has none there.
fn identifier(hash: Hash) -> Result<u8, CryptoError> {
    match hash {
        Hash::Sha1 => Err(CryptoError::Invalid),
        Hash::Sha256 => Ok(1),
        Hash::Sha384 => Ok(2),
        Hash::Sha512 => Ok(3),
        Hash::Sha224 => Ok(4),
        Hash::Sha3_224 => Ok(7),
        Hash::Sha3_256 => Ok(8),
        Hash::Sha3_384 => Ok(9),
        Hash::Sha3_512 => Ok(10),
    }
}

/// A seed, wiped on drop.
struct Signing<P>(Zeroizing<B32>, PhantomData<P>);

impl<P: MlDsaParams> Signing<P> {
    /// Wiped on drop, too. This and [`signed`](Self::signed) are never inlined: the stack that each takes, 60 to 180 KB, is
    /// free again for the other.
    #[inline(never)]
    fn expand(&self) -> SigningKey<P> {
        SigningKey::from_seed(&self.0)
    }

    #[inline(never)]
    fn signed(key: &SigningKey<P>, message: &[&[u8]], random: &B32) -> Vec<u8> {
        key.expanded_key().sign_internal(message, random).encode().to_vec()
    }
}

impl<P: MlDsaParams + Send + Sync> Private for Signing<P> {
    fn public(&self) -> Result<Vec<u8>, CryptoError> {
        Ok(self.expand().verifying_key().encode().to_vec())
    }

    /// Hedged (§5.2). The crate gives up, by a panic, after thousands of rejections in a row; with a key from a seed, which
    /// is rejected about four times in five, nobody lives to see that.
    fn sign(&self, scheme: Scheme<'_>, message: &[u8], draw: Draw<'_>) -> Result<Vec<u8>, CryptoError> {
        let prefix = prefix(scheme, message)?;
        let mut random = Zeroizing::new(B32::default());
        draw(random.as_mut_slice())?;
        Ok(Self::signed(&self.expand(), &[&prefix, message], &random))
    }
}

struct Verifying<P: MlDsaParams>(VerifyingKey<P>);

impl<P: MlDsaParams + Send + Sync> Public for Verifying<P> {
    fn verify(&self, scheme: Scheme<'_>, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let prefix = prefix(scheme, message)?;
        let encoded = signature.try_into().map_err(|_| CryptoError::Invalid)?;
        let signature = Signature::<P>::decode(encoded).ok_or(CryptoError::Unauthentic)?;
        let whole = [&prefix, message].concat();
        if self.0.verify_internal(&whole, &signature) { Ok(()) } else { Err(CryptoError::Unauthentic) }
    }
}

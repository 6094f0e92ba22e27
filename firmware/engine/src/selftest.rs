//! Power-on self-tests (R5): one known answer for each algorithm, before any service.

use crate::{Aead, Crypto, Curve, Digest, Hash, KeyKind, PairKind, Scheme};
use alloc::vec::Vec;

/// Runs every test; the name of the first algorithm whose answer is wrong is the error.
pub(crate) fn run<C: Crypto>(crypto: &C) -> Result<(), &'static str> {
    let tests: [(&'static str, bool); 7] = [
        ("SHA-256", digest(crypto, Hash::Sha256, &SHA256_ABC)),
        ("SHA-384", digest(crypto, Hash::Sha384, &SHA384_ABC)),
        ("SHA-512", digest(crypto, Hash::Sha512, &SHA512_ABC)),
        ("HMAC-SHA-256", mac(crypto).unwrap_or(false)),
        ("AES-256-GCM", gcm(crypto).unwrap_or(false)),
        ("ECDSA P-256", ecdsa(crypto, Curve::P256, Hash::Sha256, &P256).unwrap_or(false)),
        ("ECDSA P-384", ecdsa(crypto, Curve::P384, Hash::Sha384, &P384).unwrap_or(false)),
    ];
    tests.iter().find(|(_, passed)| !passed).map_or(Ok(()), |(name, _)| Err(*name))
}

fn digest<C: Crypto>(crypto: &C, hash: Hash, expected: &[u8]) -> bool {
    crypto.digest(hash, &[b"a", b"bc"]).as_ref() == expected
}

/// RFC 4231 §4.3.
fn mac<C: Crypto>(crypto: &C) -> Option<bool> {
    let key = crypto.load(KeyKind::Hmac, b"Jefe").ok()?;
    let mac = crypto.mac(&key, Hash::Sha256, &[b"what do ya want ", b"for nothing?"]).ok()?;
    Some(mac.as_ref() == HMAC_JEFE)
}

/// McGrew and Viega, "The Galois/Counter Mode of Operation", test case 14; then one flipped bit must be refused.
fn gcm<C: Crypto>(crypto: &C) -> Option<bool> {
    let key = crypto.load(KeyKind::Aes, &[0; 32]).ok()?;
    let mut text: Vec<u8> = [0; 16].into();
    let aead = Aead::gcm(&[0; 12], &[]);
    crypto.seal(&key, &aead, &mut text).ok()?;
    let sealed = text == GCM_14;
    let mut forged = text.clone();
    forged.iter_mut().take(1).for_each(|b| *b ^= 1);
    crypto.open(&key, &aead, &mut text).ok()?;
    let refused = crypto.open(&key, &aead, &mut forged).is_err();
    Some(sealed && text == [0; 16] && refused)
}

struct EcdsaVector<const N: usize, const M: usize> {
    secret: [u8; N],
    public: [u8; M],
    signature: [u8; M],
}

/// RFC 6979 A.2: verifies the known signature and refuses it over another digest, derives the public key, and verifies a
/// signature of its own.
fn ecdsa<C: Crypto, const N: usize, const M: usize>(
    crypto: &C,
    curve: Curve,
    hash: Hash,
    vector: &EcdsaVector<N, M>,
) -> Option<bool> {
    let point = [&[4][..], &vector.public].concat();
    let (digest, other) = (crypto.digest(hash, &[b"sample"]), crypto.digest(hash, &[b"test"]));
    let kind = PairKind::Ec(curve);
    let public = crypto.load_public(kind, &point).ok()?;
    let verify =
        |digest: &Digest, signature: &[u8]| crypto.verify(&public, Scheme::Ecdsa, digest.as_ref(), signature).is_ok();
    let known = verify(&digest, &vector.signature) && !verify(&other, &vector.signature);
    let key = crypto.load(KeyKind::Pair(kind), &vector.secret).ok()?;
    let own = crypto.sign(&key, Scheme::Ecdsa, digest.as_ref()).ok()?;
    Some(known && verify(&digest, &own) && crypto.public(kind, &vector.secret).ok()? == point)
}

/// FIPS 180-2 appendices B to D.
const SHA256_ABC: [u8; 32] = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
const SHA384_ABC: [u8; 48] =
    hex("cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
const SHA512_ABC: [u8; 64] = hex("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
     2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
const HMAC_JEFE: [u8; 32] = hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
const GCM_14: [u8; 32] = hex("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");

/// RFC 6979 A.2.5, message "sample".
const P256: EcdsaVector<32, 64> = EcdsaVector {
    secret: hex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"),
    public: hex("60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
         7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"),
    signature: hex("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
         f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"),
};

/// RFC 6979 A.2.6, message "sample".
const P384: EcdsaVector<48, 96> = EcdsaVector {
    secret: hex("6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d896d5724e4c70a825f872c9ea60d2edf5"),
    public: hex("ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13\
         8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720"),
    signature: hex("94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46\
         99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8"),
};

/// Bytes from hexadecimal digits, at compile time only.
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "it runs at compile time")]
const fn hex<const N: usize>(digits: &str) -> [u8; N] {
    const fn nibble(digit: u8) -> u8 {
        if digit >= b'a' { digit - b'a' + 10 } else { digit - b'0' }
    }
    let digits = digits.as_bytes();
    let mut out = [0; N];
    let mut i = 0;
    while i < N {
        out[i] = (nibble(digits[2 * i]) << 4) | nibble(digits[2 * i + 1]);
        i += 1;
    }
    out
}

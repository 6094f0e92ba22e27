//! Hashes, HMAC and key derivation.

use super::{Test, hex};
use crate::crypto::Kdf;
use crate::{Crypto, Feature, Hash, KeyKind};

pub(super) fn tests<C: Crypto>() -> &'static [Test<C>] {
    &[
        (Feature::Core, "SHA-256", |c| digest(c, Hash::Sha256, &SHA256_ABC)),
        (Feature::Core, "SHA-384", |c| digest(c, Hash::Sha384, &SHA384_ABC)),
        (Feature::Core, "SHA-512", |c| digest(c, Hash::Sha512, &SHA512_ABC)),
        (Feature::Sha2Short, "SHA-1", |c| digest(c, Hash::Sha1, &SHA1_ABC)),
        (Feature::Sha2Short, "SHA-224", |c| digest(c, Hash::Sha224, &SHA224_ABC)),
        (Feature::Sha3, "SHA3-224", |c| digest(c, Hash::Sha3_224, &SHA3_224_ABC)),
        (Feature::Sha3, "SHA3-256", |c| digest(c, Hash::Sha3_256, &SHA3_256_ABC)),
        (Feature::Sha3, "SHA3-384", |c| digest(c, Hash::Sha3_384, &SHA3_384_ABC)),
        (Feature::Sha3, "SHA3-512", |c| digest(c, Hash::Sha3_512, &SHA3_512_ABC)),
        (Feature::Core, "HMAC-SHA-256", hmac),
        (Feature::Kdf, "HKDF", hkdf),
        (Feature::Kdf, "PBKDF2", pbkdf2),
    ]
}

fn digest<C: Crypto>(crypto: &C, hash: Hash, expected: &[u8]) -> Option<bool> {
    Some(crypto.digest(hash, &[b"a", b"bc"]).as_ref() == expected)
}

/// RFC 4231 §4.3.
fn hmac<C: Crypto>(crypto: &C) -> Option<bool> {
    let key = crypto.load(KeyKind::Hmac, b"Jefe").ok()?;
    let mac = crypto.mac(&key, Hash::Sha256, &[b"what do ya want ", b"for nothing?"]).ok()?;
    Some(mac.as_ref() == HMAC_JEFE)
}

/// RFC 5869 A.1.
fn hkdf<C: Crypto>(crypto: &C) -> Option<bool> {
    let (mut prk, mut okm) = ([0; 32], [0; 42]);
    let extract = Kdf::HkdfExtract { hash: Hash::Sha256, salt: &hex::<13>("000102030405060708090a0b0c") };
    crypto.derive(&[0x0b; 22], extract, &mut prk).ok()?;
    let expand = Kdf::HkdfExpand { hash: Hash::Sha256, info: &hex::<10>("f0f1f2f3f4f5f6f7f8f9") };
    crypto.derive(&prk, expand, &mut okm).ok()?;
    Some(prk == HKDF_PRK && okm == HKDF_OKM)
}

/// RFC 7914 §11, the first 32 bytes; and another salt gives another key.
fn pbkdf2<C: Crypto>(crypto: &C) -> Option<bool> {
    let (mut known, mut other) = ([0; 32], [0; 32]);
    let kdf = |salt| Kdf::Pbkdf2 { hash: Hash::Sha256, salt, iterations: 1 };
    crypto.derive(b"passwd", kdf(b"salt"), &mut known).ok()?;
    crypto.derive(b"passwd", kdf(b"salz"), &mut other).ok()?;
    Some(known == PBKDF2 && other != PBKDF2)
}

/// FIPS 180-2 appendices B to D; SHA-1, SHA-224 and SHA-3 from NIST's example values.
const SHA256_ABC: [u8; 32] = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
const SHA384_ABC: [u8; 48] =
    hex("cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
const SHA512_ABC: [u8; 64] = hex("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
     2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
const SHA1_ABC: [u8; 20] = hex("a9993e364706816aba3e25717850c26c9cd0d89d");
const SHA224_ABC: [u8; 28] = hex("23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7");
const SHA3_224_ABC: [u8; 28] = hex("e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf");
const SHA3_256_ABC: [u8; 32] = hex("3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
const SHA3_384_ABC: [u8; 48] =
    hex("ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25");
const SHA3_512_ABC: [u8; 64] = hex("b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e\
     10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0");
const HMAC_JEFE: [u8; 32] = hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
const HKDF_PRK: [u8; 32] = hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
const HKDF_OKM: [u8; 42] = hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
const PBKDF2: [u8; 32] = hex("55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");

//! Elliptic curves: ECDSA, ECDH, Ed25519 and X25519.

use super::{Test, hex};
use crate::{Crypto, Curve, Digest, Feature, Hash, KeyKind, PairKind, Scheme};

pub(super) fn tests<C: Crypto>() -> &'static [Test<C>] {
    &[
        (Feature::Core, "ECDSA P-256", |c| ecdsa(c, Curve::P256, Hash::Sha256, &P256)),
        (Feature::Core, "ECDSA P-384", |c| ecdsa(c, Curve::P384, Hash::Sha384, &P384)),
        (Feature::P521, "ECDSA P-521", |c| ecdsa(c, Curve::P521, Hash::Sha512, &P521)),
        (Feature::Ecdh, "ECDH P-256", |c| agree(c, PairKind::Ec(Curve::P256), &ECDH_SECRET, &ECDH_PEER, &ECDH_SHARED)),
        (Feature::X25519, "X25519", |c| agree(c, PairKind::X25519, &X25519_SECRET, &X25519_PEER, &X25519_SHARED)),
        (Feature::Ed25519, "Ed25519", ed25519),
    ]
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

/// The known shared secret, and another one with another key.
fn agree<C: Crypto>(crypto: &C, kind: PairKind, secret: &[u8], peer: &[u8], shared: &[u8]) -> Option<bool> {
    let key = crypto.load(KeyKind::Pair(kind), secret).ok()?;
    let own = crypto.public(kind, secret).ok()?;
    let known = crypto.agree(&key, peer).ok()?.as_slice() == shared;
    Some(known && crypto.agree(&key, &own).ok()?.as_slice() != shared)
}

/// RFC 8032 §7.1, test 3: derives the public key, signs to the known answer, and refuses it over another message.
fn ed25519<C: Crypto>(crypto: &C) -> Option<bool> {
    let kind = PairKind::Ed25519;
    let key = crypto.load(KeyKind::Pair(kind), &ED25519_SECRET).ok()?;
    let public = crypto.public(kind, &ED25519_SECRET).ok()?;
    let made = crypto.sign(&key, Scheme::Ed25519, &ED25519_MESSAGE).ok()?;
    let verifier = crypto.load_public(kind, &public).ok()?;
    let verify = |message: &[u8]| crypto.verify(&verifier, Scheme::Ed25519, message, &made).is_ok();
    Some(public == ED25519_PUBLIC && made == ED25519_SIGNATURE && verify(&ED25519_MESSAGE) && !verify(b"other"))
}

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

/// RFC 6979 A.2.7, message "sample".
const P521: EcdsaVector<66, 132> = EcdsaVector {
    secret: hex("00fad06daa62ba3b25d2fb40133da757205de67f5bb0018fee8c86e1b68c7e75caa896eb32f1f47c70855836a6d16fcc1466\
         f6d8fbec67db89ec0c08b0e996b83538"),
    public: hex(
        "01894550d0785932e00eaa23b694f213f8c3121f86dc97a04e5a7167db4e5bcd371123d46e45db6b5d5370a7f20fb633155d38ff\
         a16d2bd761dcac474b9a2f5023a400493101c962cd4d2fddf782285e64584139c2f91b47f87ff82354d6630f746a28a0db25741b\
         5b34a828008b22acc23f924faafbd4d33f81ea66956dfeaa2bfdfcf5",
    ),
    signature: hex(
        "00c328fafcbd79dd77850370c46325d987cb525569fb63c5d3bc53950e6d4c5f174e25a1ee9017b5d450606add152b534931d7d4\
         e8455cc91f9b15bf05ec36e377fa00617cce7cf5064806c467f678d3b4080d6f1cc50af26ca209417308281b68af282623eaa63e\
         5b5c0723d8b8c37ff0777b1a20f8ccb1dccc43997f1ee0e44da4a67a",
    ),
};

/// Wycheproof, ecdh_secp256r1_ecpoint_test, test 1.
const ECDH_SECRET: [u8; 32] = hex("0612465c89a023ab17855b0a6bcebfd3febb53aef84138647b5352e02c10c346");
const ECDH_PEER: [u8; 65] = hex("0462d5bd3372af75fe85a040715d0f502428e07046868b0bfdfa61d731afe44f26\
     ac333a93a9e70a81cd5a95b5bf8d13990eb741c8c38872b4a07d275a014e30cf");
const ECDH_SHARED: [u8; 32] = hex("53020d908b0219328b658b525f26780e3ae12bcd952bb25a93bc0895e1714285");

/// Wycheproof, x25519_test, test 1.
const X25519_SECRET: [u8; 32] = hex("c8a9d5a91091ad851c668b0736c1c9a02936c0d3ad62670858088047ba057475");
const X25519_PEER: [u8; 32] = hex("504a36999f489cd2fdbc08baff3d88fa00569ba986cba22548ffde80f9806829");
const X25519_SHARED: [u8; 32] = hex("436a2c040cf45fea9b29a0cb81b1f41458f863d0d61b453d0a982720d6d61320");

const ED25519_SECRET: [u8; 32] = hex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7");
const ED25519_PUBLIC: [u8; 32] = hex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
const ED25519_MESSAGE: [u8; 2] = hex("af82");
const ED25519_SIGNATURE: [u8; 64] = hex("6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
     18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");

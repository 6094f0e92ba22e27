//! What both providers must refuse, and with which error.
#![forbid(unsafe_code)]

mod providers;

use coloa_engine::CryptoError::{Invalid, Unauthentic, Unsupported};
use coloa_engine::{Aead, Crypto, Curve, Feature, Hash, KeyKind, PairKind, Scheme};
use hex_literal::hex;
use providers::{Test, both, with};

/// The curves' orders `n` (SP 800-186 §3.2.1.3, §3.2.1.4).
const P256_ORDER: [u8; 32] = hex!("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
const P384_ORDER: [u8; 48] =
    hex!("ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973");
/// SP 800-186 §3.2.1.5.
const P521_ORDER: [u8; 66] = hex!(
    "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa"
    "51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"
);

type Curves = &'static [(Curve, &'static [u8])];

const CORE: Curves = &[(Curve::P256, &P256_ORDER), (Curve::P384, &P384_ORDER)];
const P521: Curves = &[(Curve::P521, &P521_ORDER)];

/// A big-endian number plus or minus a little; no carry beyond the last byte.
fn near(number: &[u8], change: i8) -> Vec<u8> {
    let mut bytes = number.to_vec();
    let last = bytes.last_mut().expect("not empty");
    *last = last.checked_add_signed(change).expect("no carry");
    bytes
}

struct Scalars(Curves);

impl Test for Scalars {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        for &(curve, order) in self.0 {
            let kind = PairKind::Ec(curve);
            let zero = vec![0; curve.scalar()];
            let short = vec![1; curve.scalar() - 1];
            let long = [&[0], near(&zero, 1).as_slice()].concat();
            for wrong in [&zero, order, &near(order, 1), &vec![0xff; curve.scalar()], &short, &long, &[]] {
                assert_eq!(crypto.load(KeyKind::Pair(kind), wrong).err(), Some(Invalid), "{name} {wrong:02x?}");
                assert_eq!(crypto.public(kind, wrong).err(), Some(Invalid), "{name} {wrong:02x?}");
            }
            for right in [near(&zero, 1), near(order, -1)] {
                assert!(crypto.load(KeyKind::Pair(kind), &right).is_ok(), "{name} {right:02x?}");
            }
        }
    }
}

#[test]
fn scalars() {
    both(&Scalars(CORE));
    with(Feature::P521, &Scalars(P521));
}

struct Points(Curves);

impl Test for Points {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        for &(curve, order) in self.0 {
            let kind = PairKind::Ec(curve);
            let good = crypto.public(kind, &near(order, -1)).expect("a point");
            assert!(crypto.load_public(kind, &good).is_ok(), "{name}");
            let size = curve.scalar();
            let (x, y) = (&good[1..=size], &good[size + 1..]);
            let wrong: [(&str, Vec<u8>); 11] = [
                ("empty", vec![]),
                ("infinity", vec![0]),
                ("infinity, padded", vec![0; good.len()]),
                ("zero coordinates", [&[4], vec![0; 2 * size].as_slice()].concat()),
                ("compressed", [&[2 + (y[size - 1] & 1)], x].concat()),
                ("hybrid", [&[6 + (y[size - 1] & 1)], x, y].concat()),
                ("off the curve", near(&good, if y[size - 1] == 255 { -1 } else { 1 })),
                ("swapped", [&[4], y, x].concat()),
                ("out of range", [&[4], vec![0xff; size].as_slice(), y].concat()),
                ("cut short", good[..good.len() - 1].to_vec()),
                ("too long", [good.as_slice(), &[0]].concat()),
            ];
            for (what, point) in wrong {
                assert_eq!(crypto.load_public(kind, &point).err(), Some(Invalid), "{name} {curve:?} {what}");
                if crypto.supports(Feature::Ecdh) {
                    let key = crypto.load(KeyKind::Pair(kind), &near(order, -1)).expect("a key");
                    assert_eq!(crypto.agree(&key, &point).err(), Some(Invalid), "{name} {curve:?} {what}");
                }
            }
            let other = if curve == Curve::P256 { Curve::P384 } else { Curve::P256 };
            assert_eq!(crypto.load_public(PairKind::Ec(other), &good).err(), Some(Invalid), "{name}");
        }
    }
}

#[test]
fn points() {
    both(&Points(CORE));
    with(Feature::P521, &Points(P521));
}

struct Signatures(Curves);

impl Test for Signatures {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        for &(curve, order) in self.0 {
            let kind = PairKind::Ec(curve);
            let pair = crypto.generate(kind).expect("a pair");
            let key = crypto.load(KeyKind::Pair(kind), &pair.secret).expect("a key");
            let public = crypto.load_public(kind, &pair.public).expect("a public key");
            let digest = [9; 32];
            let good = crypto.sign(&key, Scheme::Ecdsa, &digest).expect("a signature");
            let verify = |digest: &[u8], signature: &[u8]| crypto.verify(&public, Scheme::Ecdsa, digest, signature);
            let (r, s) = good.split_at(curve.scalar());
            let zero = vec![0; curve.scalar()];

            assert_eq!(verify(&[8; 32], &good), Err(Unauthentic), "{name}");
            let halves: [(&[u8], &[u8]); 7] =
                [(s, r), (&zero, s), (r, &zero), (&zero, &zero), (order, s), (r, order), (order, order)];
            for (r, s) in halves {
                assert_eq!(verify(&digest, &[r, s].concat()), Err(Unauthentic), "{name}");
            }
            for wrong in [&good[1..], &[good.as_slice(), &[0]].concat(), &[]] {
                assert_eq!(verify(&digest, wrong), Err(Invalid), "{name}");
            }
            for length in [0, 19, 65] {
                assert_eq!(verify(&vec![9; length], &good), Err(Invalid), "{name}");
                assert_eq!(crypto.sign(&key, Scheme::Ecdsa, &vec![9; length]), Err(Invalid), "{name}");
            }
        }
    }
}

#[test]
fn signatures() {
    both(&Signatures(CORE));
    with(Feature::P521, &Signatures(P521));
}

struct Sealed;

impl Test for Sealed {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let key = crypto.load(KeyKind::Aes, &[1; 32]).expect("a key");
        let (iv, aad) = ([2; 12], [3; 5]);
        let mut sealed = b"twenty-one characters".to_vec();
        crypto.seal(&key, &Aead::gcm(&iv, &aad), &mut sealed).expect("sealed");
        let refused = |iv: &[u8], aad: &[u8], text: &[u8], error| {
            let mut text = text.to_vec();
            assert_eq!(crypto.open(&key, &Aead::gcm(iv, aad), &mut text), Err(error), "{name}");
            assert!(text.is_empty(), "{name}: not emptied");
        };
        for bit in 0..8 * sealed.len() {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            refused(&iv, &aad, &flipped, Unauthentic);
        }
        refused(&[4; 12], &aad, &sealed, Unauthentic);
        refused(&iv, &[4; 5], &sealed, Unauthentic);
        refused(&iv, &[], &sealed, Unauthentic);
        for length in 0..sealed.len() {
            refused(&iv, &aad, &sealed[..length], Unauthentic);
        }
        // What is no IV or tag in any standard; a provider without GcmAny need not look closer.
        let error = if crypto.supports(Feature::GcmAny) { Invalid } else { Unsupported };
        for (length, tag) in [(0, 16), (12, 0), (12, 11), (12, 17)] {
            let (iv, mut text) = (vec![2; length], sealed.clone());
            let gcm = Aead { tag, ..Aead::gcm(&iv, &aad) };
            assert_eq!(crypto.open(&key, &gcm, &mut text), Err(error), "{name} {length} {tag}");
            assert!(text.is_empty(), "{name}: not emptied");
            assert_eq!(crypto.seal(&key, &gcm, &mut vec![7; 4]), Err(error), "{name} {length} {tag}");
        }
    }
}

#[test]
fn sealed() {
    both(&Sealed);
}

struct Keys;

impl Test for Keys {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        for length in [0, 1, 15, 17, 23, 25, 31, 33, 64] {
            assert_eq!(crypto.load(KeyKind::Aes, &vec![1; length]).err(), Some(Invalid), "{name} {length}");
        }
        assert_eq!(crypto.load(KeyKind::Hmac, &[]).err(), Some(Invalid), "{name}");
        let p256 = PairKind::Ec(Curve::P256);
        let load = |kind| crypto.load(kind, &[1; 32]).expect("a key");
        let (ec, aes, hmac) = (load(KeyKind::Pair(p256)), load(KeyKind::Aes), load(KeyKind::Hmac));
        let pair = crypto.generate(p256).expect("a pair");
        let public = crypto.load_public(p256, &pair.public).expect("a key");
        for key in [&aes, &hmac, &public] {
            assert_eq!(crypto.sign(key, Scheme::Ecdsa, &[0; 32]), Err(Invalid), "{name}");
        }
        for key in [&aes, &hmac, &ec] {
            assert_eq!(crypto.verify(key, Scheme::Ecdsa, &[0; 32], &[1; 64]), Err(Invalid), "{name}");
        }
        for key in [&ec, &public, &aes] {
            assert_eq!(crypto.mac(key, Hash::Sha256, &[]), Err(Invalid), "{name}");
        }
        for key in [&ec, &public, &hmac] {
            let (gcm, mut text) = (Aead::gcm(&[0; 12], &[]), vec![0; 32]);
            assert_eq!(crypto.seal(key, &gcm, &mut text), Err(Invalid), "{name}");
            assert_eq!(crypto.open(key, &gcm, &mut text), Err(Invalid), "{name}");
            assert!(text.is_empty(), "{name}");
        }
    }
}

#[test]
fn keys_of_another_kind() {
    both(&Keys);
}

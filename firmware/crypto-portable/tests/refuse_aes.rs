//! What AES in its modes must refuse in both providers, and with which error.
#![forbid(unsafe_code)]

mod providers;

use coloa_engine::CryptoError::{Invalid, Length, Unauthentic};
use coloa_engine::crypto::{AeadMode, BLOCK, Mode};
use coloa_engine::{Aead, Crypto, CryptoError, Curve, Feature, KeyKind, PairKind};
use providers::{Test, with};

const IV: [u8; BLOCK] = [3; BLOCK];

/// Encryption and decryption of so many bytes are refused, and decryption leaves nothing.
fn refused<C: Crypto>(crypto: &C, key: &C::Key, mode: Mode<'_>, length: usize, error: CryptoError) {
    let mut text = vec![7; length];
    assert_eq!(crypto.encrypt(key, mode, &mut text), Err(error), "{mode:?} {length}");
    assert_eq!(decrypted(crypto, key, mode, &vec![7; length]), Err(error), "{mode:?} {length}");
}

fn decrypted<C: Crypto>(crypto: &C, key: &C::Key, mode: Mode<'_>, text: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let mut text = text.to_vec();
    let result = crypto.decrypt(key, mode, &mut text);
    assert!(result.is_ok() || text.is_empty(), "{mode:?}: not emptied");
    result.map(|()| text)
}

/// Keys of another kind.
fn strangers<C: Crypto>(crypto: &C) -> [C::Key; 2] {
    let pair = KeyKind::Pair(PairKind::Ec(Curve::P256));
    [KeyKind::Hmac, pair].map(|kind| crypto.load(kind, &[1; 32]).expect("a key"))
}

struct Modes;

impl Test for Modes {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let key = crypto.load(KeyKind::Aes, &[1; 16]).expect("a key");
        for length in [1, 15, 17, 31] {
            refused(crypto, &key, Mode::Ecb, length, Length);
            refused(crypto, &key, Mode::Cbc(&IV), length, Length);
            assert_eq!(decrypted(crypto, &key, Mode::CbcPad(&IV), &vec![7; length]), Err(Length), "{name}");
        }
        assert_eq!(decrypted(crypto, &key, Mode::CbcPad(&IV), &[]), Err(Length), "{name}");
        for stranger in strangers(crypto) {
            for mode in [Mode::Ecb, Mode::Cbc(&IV), Mode::CbcPad(&IV), Mode::Ctr(&IV)] {
                refused(crypto, &stranger, mode, BLOCK, Invalid);
            }
        }
        self.padding(name, crypto, &key);
        for length in 0..=33 {
            let mut text = vec![9; length];
            crypto.encrypt(&key, Mode::CbcPad(&IV), &mut text).expect("encrypted");
            assert_eq!(text.len(), (length / BLOCK + 1) * BLOCK, "{name}");
            assert_eq!(decrypted(crypto, &key, Mode::CbcPad(&IV), &text), Ok(vec![9; length]), "{name}");
        }
    }
}

impl Modes {
    /// Every last byte: only those that are followed backwards by as many of their like are padding.
    fn padding<C: Crypto>(&self, name: &str, crypto: &C, key: &C::Key) {
        for number in 0..=u8::MAX {
            for broken in [false, true] {
                let count = usize::from(number).min(BLOCK);
                let mut text = vec![0xee; BLOCK];
                text[BLOCK - count..].fill(number);
                text[BLOCK - 1] = number;
                let good = (1..=16).contains(&number) && !broken;
                if broken {
                    text[BLOCK - count.max(1)] ^= 0x80;
                }
                crypto.encrypt(key, Mode::Cbc(&IV), &mut text).expect("encrypted");
                let expected = if good { Ok(vec![0xee; BLOCK - count]) } else { Err(Unauthentic) };
                assert_eq!(decrypted(crypto, key, Mode::CbcPad(&IV), &text), expected, "{name} {number} {broken}");
            }
        }
    }
}

#[test]
fn modes() {
    with(Feature::AesModes, &Modes);
}

struct Xts;

impl Test for Xts {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let different = |length: usize| [vec![1; length / 2], vec![2; length - length / 2]].concat();
        for length in [0, 16, 31, 33, 48, 63, 65] {
            assert_eq!(crypto.load(KeyKind::AesXts, &different(length)).err(), Some(Invalid), "{name} {length}");
        }
        for length in [32, 64] {
            assert_eq!(crypto.load(KeyKind::AesXts, &vec![5; length]).err(), Some(Invalid), "{name}: equal halves");
            let key = crypto.load(KeyKind::AesXts, &different(length)).expect("a key");
            for length in [0, 1, 15] {
                refused(crypto, &key, Mode::Xts(&IV), length, Length);
            }
            refused(crypto, &key, Mode::Ecb, BLOCK, Invalid);
            refused(crypto, &key, Mode::Ctr(&IV), BLOCK, Invalid);
            assert_eq!(crypto.seal(&key, &Aead::gcm(&[0; 12], &[]), &mut vec![0; 4]), Err(Invalid), "{name}");
        }
        let aes = crypto.load(KeyKind::Aes, &[1; 32]).expect("a key");
        refused(crypto, &aes, Mode::Xts(&IV), BLOCK, Invalid);
    }
}

#[test]
fn xts() {
    with(Feature::Xts, &Xts);
}

struct Wrap;

impl Test for Wrap {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let key = crypto.load(KeyKind::Aes, &[1; 32]).expect("a key");
        for length in [0, 1, 8, 15, 17] {
            refused(crypto, &key, Mode::Kw, length, Length);
        }
        assert_eq!(crypto.encrypt(&key, Mode::Kwp, &mut vec![]), Err(Length), "{name}");
        for length in [0, 8, 15, 17] {
            assert_eq!(decrypted(crypto, &key, Mode::Kwp, &vec![7; length]), Err(Length), "{name}");
        }
        assert_eq!(decrypted(crypto, &key, Mode::Kw, &[7; 16]), Err(Length), "{name}");
        for (mode, length) in [(Mode::Kw, 16), (Mode::Kw, 40), (Mode::Kwp, 1), (Mode::Kwp, 8), (Mode::Kwp, 33)] {
            let mut wrapped = vec![9; length];
            crypto.encrypt(&key, mode, &mut wrapped).expect("wrapped");
            assert_eq!(decrypted(crypto, &key, mode, &wrapped), Ok(vec![9; length]), "{name} {mode:?}");
            for bit in 0..8 * wrapped.len() {
                let mut flipped = wrapped.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(decrypted(crypto, &key, mode, &flipped), Err(Unauthentic), "{name} {mode:?} {bit}");
            }
        }
        // What one wraps the other must not take.
        let mut wrapped = vec![9; 16];
        crypto.encrypt(&key, Mode::Kw, &mut wrapped).expect("wrapped");
        assert_eq!(decrypted(crypto, &key, Mode::Kwp, &wrapped), Err(Unauthentic), "{name}");
        for stranger in strangers(crypto) {
            refused(crypto, &stranger, Mode::Kw, 24, Invalid);
            refused(crypto, &stranger, Mode::Kwp, 24, Invalid);
        }
    }
}

#[test]
fn key_wrap() {
    with(Feature::KeyWrap, &Wrap);
}

/// Any change of a sealed text is noticed, whatever the lengths of IV and tag.
fn forged<C: Crypto>(name: &str, crypto: &C, key: &C::Key, aead: Aead<'_>) {
    let mut sealed = b"seventeen letters".to_vec();
    crypto.seal(key, &aead, &mut sealed).expect("sealed");
    assert_eq!(sealed.len(), 17 + aead.tag, "{name}");
    let opened = |aead: &Aead<'_>, text: &[u8]| {
        let mut text = text.to_vec();
        let result = crypto.open(key, aead, &mut text);
        assert!(result.is_ok() || text.is_empty(), "{name}: not emptied");
        result
    };
    assert_eq!(opened(&aead, &sealed), Ok(()), "{name}");
    for bit in 0..8 * sealed.len() {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(opened(&aead, &flipped), Err(Unauthentic), "{name} {bit}");
    }
    assert_eq!(opened(&Aead { aad: b"other", ..aead }, &sealed), Err(Unauthentic), "{name}");
    assert_eq!(opened(&aead, &sealed[..aead.tag - 1]), Err(Unauthentic), "{name}");
    assert_eq!(opened(&aead, &[]), Err(Unauthentic), "{name}");
}

struct Gcm;

impl Test for Gcm {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let key = crypto.load(KeyKind::Aes, &[1; 24]).expect("a key");
        for length in [1, 7, 12, 13, 16, 60, 300] {
            for tag in 12..=16 {
                forged(name, crypto, &key, Aead { tag, ..Aead::gcm(&vec![4; length], b"aad") });
            }
        }
        // A shorter tag is the beginning of the longer one (SP 800-38D §7.1 step 7).
        let (mut long, mut short) = (b"text".to_vec(), b"text".to_vec());
        crypto.seal(&key, &Aead::gcm(&[1; 5], &[]), &mut long).expect("sealed");
        crypto.seal(&key, &Aead { tag: 13, ..Aead::gcm(&[1; 5], &[]) }, &mut short).expect("sealed");
        assert_eq!(short, long[..17], "{name}");
    }
}

#[test]
fn gcm() {
    with(Feature::GcmAny, &Gcm);
}

fn ccm(iv: &[u8], tag: usize) -> Aead<'_> {
    Aead { mode: AeadMode::Ccm, iv, aad: b"aad", tag }
}

struct Ccm;

impl Test for Ccm {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let key = crypto.load(KeyKind::Aes, &[1; 16]).expect("a key");
        for length in 7..=13 {
            for tag in [4, 6, 8, 10, 12, 14, 16] {
                forged(name, crypto, &key, ccm(&vec![4; length], tag));
            }
        }
        for (length, tag) in [(0, 16), (6, 16), (14, 16), (12, 0), (12, 2), (12, 5), (12, 15), (12, 18)] {
            let iv = vec![4; length];
            let mut text = vec![7; 40];
            assert_eq!(crypto.seal(&key, &ccm(&iv, tag), &mut text), Err(Invalid), "{name} {length} {tag}");
            assert_eq!(crypto.open(&key, &ccm(&iv, tag), &mut text), Err(Invalid), "{name} {length} {tag}");
        }
        // A nonce of 13 bytes leaves two for the length (SP 800-38C A.1).
        let mut longest = vec![0; 0xffff];
        assert_eq!(crypto.seal(&key, &ccm(&[4; 13], 16), &mut longest), Ok(()), "{name}");
        assert_eq!(crypto.open(&key, &ccm(&[4; 13], 16), &mut longest), Ok(()), "{name}");
        assert_eq!(crypto.seal(&key, &ccm(&[4; 13], 16), &mut vec![0; 0x1_0000]), Err(Length), "{name}");
    }
}

#[test]
fn ccm_mode() {
    with(Feature::Ccm, &Ccm);
}

struct Cmac;

impl Test for Cmac {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        for stranger in strangers(crypto) {
            assert_eq!(crypto.cmac(&stranger, &[b"text"]), Err(Invalid), "{name}");
        }
    }
}

#[test]
fn cmac() {
    with(Feature::Cmac, &Cmac);
}

//! AES in its modes.

use super::{Test, hex};
use crate::crypto::{AeadMode, BLOCK, Mode};
use crate::{Aead, Crypto, Feature, KeyKind};
use alloc::vec::Vec;

pub(super) fn tests<C: Crypto>() -> &'static [Test<C>] {
    &[
        (Feature::Core, "AES-256-GCM", |c| aead(c, &[0; 32], &Aead::gcm(&[0; 12], &[]), &[0; 16], &GCM_14)),
        (Feature::GcmAny, "AES-256-GCM with any IV", |c| aead(c, &GCM_17_KEY, &GCM_17, &GCM_17_PLAIN, &GCM_17_SEALED)),
        (Feature::Ccm, "AES-256-CCM", |c| aead(c, &CCM_KEY, &CCM, &CCM_PLAIN, &CCM_SEALED)),
        (Feature::AesModes, "AES-ECB", |c| mode(c, KeyKind::Aes, &KEY, Mode::Ecb, (&PLAIN, &ECB))),
        (Feature::AesModes, "AES-CBC", |c| mode(c, KeyKind::Aes, &KEY, Mode::Cbc(&CBC_IV), (&PLAIN, &CBC))),
        (Feature::AesModes, "AES-CBC-PAD", padding),
        (Feature::AesModes, "AES-CTR", |c| mode(c, KeyKind::Aes, &KEY, Mode::Ctr(&CTR_BLOCK), (&PLAIN, &CTR))),
        (Feature::Xts, "AES-XTS", |c| mode(c, KeyKind::AesXts, &XTS_KEY, Mode::Xts(&XTS_TWEAK), (&[0x44; 32], &XTS))),
        (Feature::KeyWrap, "AES-KW", |c| wrap(c, &KW_KEY, Mode::Kw, (&KW_PLAIN, &KW))),
        (Feature::KeyWrap, "AES-KWP", |c| wrap(c, &KWP_KEY, Mode::Kwp, (&KWP_PLAIN, &KWP))),
        (Feature::Cmac, "AES-CMAC", cmac),
    ]
}

/// Seals to the known answer, opens it again, and refuses it with one bit flipped.
fn aead<C: Crypto>(crypto: &C, key: &[u8], aead: &Aead<'_>, plain: &[u8], sealed: &[u8]) -> Option<bool> {
    let key = crypto.load(KeyKind::Aes, key).ok()?;
    let mut text = plain.to_vec();
    crypto.seal(&key, aead, &mut text).ok()?;
    let known = text == sealed;
    let mut forged = flipped(&text);
    crypto.open(&key, aead, &mut text).ok()?;
    Some(known && text == plain && crypto.open(&key, aead, &mut forged).is_err())
}

fn mode<C: Crypto>(
    crypto: &C,
    kind: KeyKind,
    key: &[u8],
    mode: Mode<'_>,
    (plain, sealed): (&[u8], &[u8]),
) -> Option<bool> {
    let key = crypto.load(kind, key).ok()?;
    let mut text = plain.to_vec();
    crypto.encrypt(&key, mode, &mut text).ok()?;
    let known = text == sealed;
    crypto.decrypt(&key, mode, &mut text).ok()?;
    Some(known && text == plain)
}

/// CBC-PAD is CBC of the padded text: the first block is the same, and what is not padded is refused.
fn padding<C: Crypto>(crypto: &C) -> Option<bool> {
    let key = crypto.load(KeyKind::Aes, &KEY).ok()?;
    let mut text = PLAIN.to_vec();
    crypto.encrypt(&key, Mode::CbcPad(&CBC_IV), &mut text).ok()?;
    let known = text.starts_with(&CBC) && text.len() == CBC.len().saturating_add(BLOCK);
    crypto.decrypt(&key, Mode::CbcPad(&CBC_IV), &mut text).ok()?;
    let mut unpadded = CBC.to_vec();
    Some(known && text == PLAIN && crypto.decrypt(&key, Mode::CbcPad(&CBC_IV), &mut unpadded).is_err())
}

fn wrap<C: Crypto>(crypto: &C, key: &[u8], kind: Mode<'_>, vector: (&[u8], &[u8])) -> Option<bool> {
    let passed = mode(crypto, KeyKind::Aes, key, kind, vector)?;
    let mut forged = flipped(vector.1);
    Some(passed && crypto.decrypt(&crypto.load(KeyKind::Aes, key).ok()?, kind, &mut forged).is_err())
}

/// RFC 4493 §4, examples 1 and 2.
fn cmac<C: Crypto>(crypto: &C) -> Option<bool> {
    let key = crypto.load(KeyKind::Aes, &KEY).ok()?;
    let (first, second) = PLAIN.split_at_checked(5)?;
    let (none, block) = (crypto.cmac(&key, &[]).ok()?, crypto.cmac(&key, &[first, second]).ok()?);
    Some(none.as_ref() == CMAC_NONE && block.as_ref() == CMAC_BLOCK)
}

fn flipped(text: &[u8]) -> Vec<u8> {
    let mut forged = text.to_vec();
    forged.iter_mut().take(1).for_each(|byte| *byte ^= 1);
    forged
}

/// McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 14 and 17.
const GCM_14: [u8; 32] = hex("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
const GCM_17_KEY: [u8; 32] = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
const GCM_17: Aead<'_> =
    Aead::gcm(&hex::<8>("cafebabefacedbad"), &hex::<20>("feedfacedeadbeeffeedfacedeadbeefabaddad2"));
const GCM_17_PLAIN: [u8; 60] = hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
     1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
const GCM_17_SEALED: [u8; 76] = hex("c3762df1ca787d32ae47c13bf19844cbaf1ae14d0b976afac52ff7d79bba9de0\
     feb582d33934a4f0954cc2363bc73f7862ac430e64abe499f47c9b1f3a337dbf46a792c45e454913fe2ea8f2");

/// Wycheproof, aes_ccm_test, test 168.
const CCM_KEY: [u8; 32] = hex("b907a45075513fe8a8019edee3f2591487b2a030b03c6e1d771c862571d2ea1e");
const CCM: Aead<'_> = Aead {
    mode: AeadMode::Ccm,
    iv: &hex::<12>("118a6964c2d3e380071f5266"),
    aad: &hex::<8>("034585621af8d7ff"),
    tag: 16,
};
const CCM_PLAIN: [u8; 16] = hex("55a465644f5b650928cbee7c063214d6");
const CCM_SEALED: [u8; 32] = hex("ab01f92db4f210bdb5edaf0a1bd19eba621630c505d24e3b29294977d8ffa4b4");

/// SP 800-38A F.1.1, F.2.1, F.5.1, the first block; RFC 4493 §4 has the same key.
const KEY: [u8; 16] = hex("2b7e151628aed2a6abf7158809cf4f3c");
const PLAIN: [u8; 16] = hex("6bc1bee22e409f96e93d7e117393172a");
const ECB: [u8; 16] = hex("3ad77bb40d7a3660a89ecaf32466ef97");
const CBC_IV: [u8; 16] = hex("000102030405060708090a0b0c0d0e0f");
const CBC: [u8; 16] = hex("7649abac8119b246cee98e9b12e9197d");
const CTR_BLOCK: [u8; 16] = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
const CTR: [u8; 16] = hex("874d6191b620e3261bef6864990db6ce");
const CMAC_NONE: [u8; 16] = hex("bb1d6929e95937287fa37d129b756746");
const CMAC_BLOCK: [u8; 16] = hex("070a16b46b4d4144f79bdd9dd04a287c");

/// IEEE 1619-2007 B, vector 2.
const XTS_KEY: [u8; 32] = hex("1111111111111111111111111111111122222222222222222222222222222222");
const XTS_TWEAK: [u8; 16] = hex("33333333330000000000000000000000");
const XTS: [u8; 32] = hex("c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0");

/// RFC 3394 §4.6.
const KW_KEY: [u8; 32] = hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
const KW_PLAIN: [u8; 32] = hex("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
const KW: [u8; 40] = hex("28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21");
/// RFC 5649 §6.
const KWP_KEY: [u8; 24] = hex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8");
const KWP_PLAIN: [u8; 20] = hex("c37b7e6492584340bed12207808941155068f738");
const KWP: [u8; 32] = hex("138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a");

//! How fast this provider is on one core: `cargo run --release -p coloa-crypto-native --example speed`.
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use coloa_crypto_native::Native;
use coloa_engine::{Aead, Crypto, Curve, Hash, KeyKind, PairKind, Scheme};

const SPAN: Duration = Duration::from_secs(1);

fn main() {
    let native = Native::new();
    for curve in [Curve::P256, Curve::P384] {
        ecdsa(&native, curve);
    }
    symmetric(&native);
}

fn ecdsa(native: &Native, curve: Curve) {
    let kind = PairKind::Ec(curve);
    let pair = native.generate(kind).expect("a key pair");
    let key = native.load(KeyKind::Pair(kind), &pair.secret).expect("a key");
    let public = native.load_public(kind, &pair.public).expect("a key");
    let digest = native.digest(Hash::Sha256, &[b"speed"]);
    let signature = native.sign(&key, Scheme::Ecdsa, digest.as_ref()).expect("a signature");
    measure(&format!("{curve:?} sign"), || native.sign(&key, Scheme::Ecdsa, digest.as_ref()));
    measure(&format!("{curve:?} verify"), || {
        let verified = native.verify(&public, Scheme::Ecdsa, digest.as_ref(), &signature);
        assert_eq!(verified, Ok(()));
    });
    measure(&format!("{curve:?} generate"), || native.generate(kind));
    measure(&format!("{curve:?} load"), || native.load(KeyKind::Pair(kind), &pair.secret));
}

fn symmetric(native: &Native) {
    let aes = native.load(KeyKind::Aes, &[7; 32]).expect("a key");
    let hmac = native.load(KeyKind::Hmac, &[7; 32]).expect("a key");
    let mut text = Vec::with_capacity(1024 + 16);
    measure("AES-256-GCM seal, 1 KiB", || {
        text.resize(1024, 0);
        assert_eq!(native.seal(&aes, &Aead::gcm(&[1; 12], b""), &mut text), Ok(()));
    });
    measure("SHA-256, 1 KiB", || native.digest(Hash::Sha256, &[&[0; 1024]]));
    measure("HMAC-SHA-256, 1 KiB", || native.mac(&hmac, Hash::Sha256, &[&[0; 1024]]));
    measure("random, 32 bytes", || native.random(&mut [0; 32]));
}

fn measure<T>(name: &str, mut once: impl FnMut() -> T) {
    let (start, mut count) = (Instant::now(), 0_u64);
    while start.elapsed() < SPAN {
        (0..16).for_each(|_| drop(black_box(once())));
        count += 16;
    }
    println!("{name:28} {:>10.0} a second", count as f64 / start.elapsed().as_secs_f64());
}

//! How fast this provider is on one core: `cargo run --release -p coloa-crypto-native --example speed`. With a number it
//! also says how many threads share each key.
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use coloa_crypto_native::{Key, Native};
use coloa_engine::crypto::{BLOCK, Kdf, MlDsa, MlKem, Mode, Padding};
use coloa_engine::{Aead, Crypto, Curve, Hash, KeyKind, PairKind, Scheme};

const SPAN: Duration = Duration::from_secs(1);
const NATIVE: Native = Native::new();

fn main() {
    let threads = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1);
    println!("{threads} thread(s), one key");
    let speed = Speed { threads };
    for curve in [Curve::P256, Curve::P384, Curve::P521] {
        speed.pair(&format!("{curve:?}"), PairKind::Ec(curve), Scheme::Ecdsa, &[7; 32]);
    }
    speed.pair("Ed25519", PairKind::Ed25519, Scheme::Ed25519, &[7; 32]);
    let ml_dsa = Scheme::MlDsa { context: &[], prehash: None };
    for set in [MlDsa::L44, MlDsa::L65, MlDsa::L87] {
        speed.pair(&format!("ML-DSA-{set:?}"), PairKind::MlDsa(set), ml_dsa, &[7; 32]);
    }
    for bits in [2048, 3072, 4096] {
        speed.rsa(bits);
    }
    speed.agreement();
    speed.symmetric();
}

struct Speed {
    threads: usize,
}

impl Speed {
    fn pair(&self, name: &str, kind: PairKind, scheme: Scheme<'_>, message: &[u8]) {
        let pair = NATIVE.generate(kind).expect("a key pair");
        let (key, public) = halves(kind, &pair.secret, &pair.public);
        self.signatures(name, (&key, &public), scheme, message);
        self.measure(&format!("{name} generate"), || NATIVE.generate(kind));
        self.measure(&format!("{name} load"), || NATIVE.load(KeyKind::Pair(kind), &pair.secret));
    }

    fn rsa(&self, bits: u32) {
        let pair = NATIVE.generate_rsa(bits).expect("a key pair");
        let (key, public) = halves(PairKind::Rsa, &pair.secret, &pair.public);
        let name = format!("RSA-{bits}");
        self.signatures(&name, (&key, &public), Scheme::Pkcs1(Some(Hash::Sha256)), &[7; 32]);
        let encrypted = NATIVE.rsa_encrypt(&public, Padding::Pkcs1, &[7; 32]).expect("encrypted");
        self.measure(&format!("{name} PKCS#1 decrypt"), || NATIVE.rsa_decrypt(&key, Padding::Pkcs1, &encrypted));
        self.measure(&format!("{name} load"), || NATIVE.load(KeyKind::Pair(PairKind::Rsa), &pair.secret));
    }

    fn signatures(&self, name: &str, (key, public): (&Key, &Key), scheme: Scheme<'_>, message: &[u8]) {
        let signature = NATIVE.sign(key, scheme, message).expect("a signature");
        self.measure(&format!("{name} sign"), || NATIVE.sign(key, scheme, message));
        self.measure(&format!("{name} verify"), || {
            assert_eq!(NATIVE.verify(public, scheme, message, &signature), Ok(()));
        });
    }

    fn agreement(&self) {
        for (name, kind) in [("ECDH P-256", PairKind::Ec(Curve::P256)), ("X25519", PairKind::X25519)] {
            let pair = NATIVE.generate(kind).expect("a key pair");
            let (key, _) = halves(kind, &pair.secret, &pair.public);
            self.measure(name, || NATIVE.agree(&key, &pair.public));
        }
        let kind = PairKind::MlKem(MlKem::L768);
        let pair = NATIVE.generate(kind).expect("a key pair");
        let (key, public) = halves(kind, &pair.secret, &pair.public);
        let (ciphertext, _) = NATIVE.encapsulate(&public).expect("a secret");
        self.measure("ML-KEM-768 encapsulate", || NATIVE.encapsulate(&public));
        self.measure("ML-KEM-768 decapsulate", || NATIVE.decapsulate(&key, &ciphertext));
    }

    fn symmetric(&self) {
        let aes = NATIVE.load(KeyKind::Aes, &[7; 32]).expect("a key");
        let hmac = NATIVE.load(KeyKind::Hmac, &[7; 32]).expect("a key");
        for length in [1024, 16 * 1024] {
            let text = vec![7; length];
            self.measure(&format!("AES-256-GCM seal, {length} B"), || {
                let mut text = with_room(&text);
                NATIVE.seal(&aes, &Aead::gcm(&[1; 12], b""), &mut text).map(|()| text)
            });
        }
        for (name, mode) in [("CBC", Mode::Cbc(&[7; BLOCK])), ("CTR", Mode::Ctr(&[7; BLOCK])), ("KW", Mode::Kw)] {
            self.measure(&format!("AES-256-{name}, 1 KiB"), || {
                let mut text = with_room(&[7; 1024]);
                NATIVE.encrypt(&aes, mode, &mut text).map(|()| text)
            });
        }
        self.measure("AES-256-CMAC, 1 KiB", || NATIVE.cmac(&aes, &[&[0; 1024]]));
        self.measure("SHA-256, 1 KiB", || NATIVE.digest(Hash::Sha256, &[&[0; 1024]]));
        self.measure("HMAC-SHA-256, 1 KiB", || NATIVE.mac(&hmac, Hash::Sha256, &[&[0; 1024]]));
        let kdf = Kdf::HkdfExpand { hash: Hash::Sha256, info: b"info" };
        self.measure("HKDF expand, 32 B", || NATIVE.derive(&[7; 32], kdf, &mut [0; 32]));
        self.measure("random, 32 B", || NATIVE.random(&mut [0; 32]));
    }

    /// Operations a second of all threads together.
    fn measure<T>(&self, name: &str, once: impl Fn() -> T + Sync) {
        let barrier = Barrier::new(self.threads);
        let rate: f64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads).map(|_| scope.spawn(|| rate(&barrier, &once))).collect();
            threads.into_iter().map(|thread| thread.join().expect("a thread")).sum()
        });
        println!("{name:28} {rate:>10.0} a second");
    }
}

fn rate<T>(barrier: &Barrier, once: &impl Fn() -> T) -> f64 {
    barrier.wait();
    let (start, mut count) = (Instant::now(), 0_u32);
    while start.elapsed() < SPAN {
        (0..16).for_each(|_| drop(black_box(once())));
        count += 16;
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}

fn halves(kind: PairKind, secret: &[u8], public: &[u8]) -> (Key, Key) {
    let key = NATIVE.load(KeyKind::Pair(kind), secret).expect("a key");
    (key, NATIVE.load_public(kind, public).expect("a public key"))
}

/// A copy with room for a tag, so that only it is allocated.
fn with_room(text: &[u8]) -> Vec<u8> {
    let mut copy = Vec::with_capacity(text.len() + BLOCK);
    copy.extend_from_slice(text);
    copy
}

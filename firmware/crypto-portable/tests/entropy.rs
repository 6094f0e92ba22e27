//! What the board's entropy does to the portable provider (R6, R7).
#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use coloa_crypto_portable::{Entropy, EntropyFailure, Portable};
use coloa_engine::crypto::{PairKind, Scheme};
use coloa_engine::{Crypto, CryptoError, Curve, KeyKind};

type Provider = Portable<Source, parking_lot::RawMutex>;

/// Gives a number, counting up, until `left` is used up.
#[derive(Clone)]
struct Source {
    next: Arc<AtomicU32>,
    left: Arc<AtomicU32>,
}

impl Source {
    fn with(left: u32) -> Self {
        Source { next: Arc::new(AtomicU32::new(1)), left: Arc::new(AtomicU32::new(left)) }
    }
}

impl Entropy for Source {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyFailure> {
        let used = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        used.map_err(|_| EntropyFailure)?;
        let number = self.next.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        out.chunks_mut(4).for_each(|chunk| chunk.copy_from_slice(&number[..chunk.len()]));
        Ok(())
    }
}

/// Draws until the DRBG wants new entropy and gets none.
fn exhaust(provider: &Provider) -> CryptoError {
    let mut out = [0; 16];
    (0..1_000_000).find_map(|_| provider.random(&mut out).err()).expect("it never asks for new entropy")
}

#[test]
fn without_entropy_there_is_no_provider() {
    assert_eq!(Provider::new(Source::with(0), b"").err(), Some(CryptoError::Entropy));
}

#[test]
fn a_source_that_fails_later_stops_everything_that_needs_it() {
    let source = Source::with(1);
    let provider = Provider::new(source.clone(), b"").expect("seeded");
    let key = provider.load(KeyKind::Pair(PairKind::Ec(Curve::P256)), &[1; 32]).expect("a key");
    assert_eq!(exhaust(&provider), CryptoError::Entropy);
    let mut out = [0; 16];
    assert_eq!(provider.random(&mut out), Err(CryptoError::Entropy));
    assert_eq!(out, [0; 16]);
    assert_eq!(provider.sign(&key, Scheme::Ecdsa, &[0; 32]), Err(CryptoError::Entropy));
    assert_eq!(provider.generate(PairKind::Ec(Curve::P256)).err(), Some(CryptoError::Entropy));
    assert_eq!(provider.reseed(), Err(CryptoError::Entropy));

    source.left.store(10, Ordering::SeqCst);
    assert_eq!(provider.random(&mut out), Ok(()));
    assert!(provider.sign(&key, Scheme::Ecdsa, &[0; 32]).is_ok());
}

#[test]
fn output_depends_on_entropy_personalization_and_reseeding() {
    let draw = |provider: &Provider| {
        let mut out = [0; 32];
        provider.random(&mut out).expect("random");
        out
    };
    let make = |personalization: &[u8]| Provider::new(Source::with(9), personalization).expect("seeded");
    assert_eq!(draw(&make(b"board 1")), draw(&make(b"board 1")));
    assert_ne!(draw(&make(b"board 1")), draw(&make(b"board 2")));
    let reseeded = make(b"board 1");
    reseeded.reseed().expect("reseeded");
    assert_ne!(draw(&reseeded), draw(&make(b"board 1")));
}

#[test]
fn a_request_may_be_longer_than_the_drbg_gives_at_once() {
    let provider = Provider::new(Source::with(9), b"").expect("seeded");
    let mut out = vec![0; 200_000];
    provider.random(&mut out).expect("random");
    let blocks: HashSet<_> = out.chunks_exact(32).collect();
    assert_eq!(blocks.len(), 200_000 / 32);
}

#[test]
fn threads_never_get_the_same_bytes() {
    let provider = Provider::new(Source::with(1_000), b"").expect("seeded");
    let draw = || {
        (0..1_000).map(|_| {
            let mut out = [0; 16];
            provider.random(&mut out).expect("random");
            out
        })
    };
    let all: Vec<[u8; 16]> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| draw().collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a thread")).collect()
    });
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 4_000);
}

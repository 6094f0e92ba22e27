//! How much stack each mechanism of the portable provider takes on this board: the figures behind what its provider claims.
//!
//! ```text
//! cargo +thumb build --profile firmware --target thumbv7em-none-eabihf -p coloa-board-mps2-an386 --example stack
//! qemu-system-arm -M mps2-an386 -nographic -kernel target/thumbv7em-none-eabihf/firmware/examples/stack
//! ```
//!
//! Each operation runs over a stack full of a pattern; what is no longer pattern was used. The keys mean nothing: the entropy
//! is a counter.
#![no_std]
#![no_main]

extern crate alloc;

#[path = "../src/console.rs"]
mod console;
#[path = "../src/heap.rs"]
mod heap;

use core::panic::PanicInfo;
use core::ptr;
use core::sync::atomic::{AtomicU8, Ordering};

use coloa_crypto_portable::{Entropy, EntropyFailure, Portable};
use coloa_engine::crypto::{
    Aead, AeadMode, Crypto, CryptoError, Curve, Hash, Kdf, KeyKind, MlDsa, MlKem, Mode, PairKind, Scheme,
};
use cortex_m_rt::{entry, exception};

/// Where memory.x puts the end of the stack.
const END: usize = 0x2000_0000;
const PATTERN: u32 = 0x5ca1_ab1e;
/// Bytes below the stack pointer that are left alone: the frame of whoever paints.
const OWN: usize = 512;

type Provider = Portable<Counter, spin::Mutex<()>>;
type Outcome = Result<(), CryptoError>;

struct Counter(AtomicU8);

impl Entropy for Counter {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyFailure> {
        out.iter_mut().for_each(|byte| *byte = self.0.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }
}

#[entry]
fn main() -> ! {
    heap::start();
    console::start();
    log!("bytes of stack");
    if let Ok(provider) = Provider::new(Counter(AtomicU8::new(0)), b"stack") {
        symmetric(&provider);
        for curve in [Curve::P256, Curve::P384, Curve::P521] {
            pair(&provider, PairKind::Ec(curve), Some(Scheme::Ecdsa));
        }
        pair(&provider, PairKind::Ed25519, Some(Scheme::Ed25519));
        pair(&provider, PairKind::X25519, None);
        for set in [MlKem::L512, MlKem::L768, MlKem::L1024] {
            pair(&provider, PairKind::MlKem(set), None);
        }
        for set in [MlDsa::L44, MlDsa::L65, MlDsa::L87] {
            pair(&provider, PairKind::MlDsa(set), Some(Scheme::MlDsa { context: b"", prehash: None }));
        }
    }
    log!("done");
    loop {
        cortex_m::asm::wfi();
    }
}

#[inline(never)]
fn symmetric(provider: &Provider) {
    let Ok(hmac) = provider.load(KeyKind::Hmac, &[1; 32]) else { return };
    let Ok(aes) = provider.load(KeyKind::Aes, &[1; 32]) else { return };
    for hash in Hash::ALL {
        measure(hash, "HMAC", || provider.mac(&hmac, hash, &[b"text"]).map(drop));
        let kdf = Kdf::Pbkdf2 { hash, salt: b"salt", iterations: 2 };
        measure(hash, "PBKDF2", || provider.derive(b"secret", kdf, &mut [0; 48]));
        let kdf = Kdf::HkdfExpand { hash, info: b"" };
        measure(hash, "HKDF", || provider.derive(&[1; 64], kdf, &mut [0; 48]));
    }
    measure("AES", "load", || provider.load(KeyKind::Aes, &[1; 32]).map(drop));
    for mode in [AeadMode::Gcm, AeadMode::Ccm] {
        let aead = Aead { mode, iv: &[0; 12], aad: b"", tag: 16 };
        measure(mode, "seal", || provider.seal(&aes, &aead, &mut alloc::vec![0; 64]));
    }
    let iv = [0; 16];
    for mode in [Mode::Ecb, Mode::Cbc(&iv), Mode::CbcPad(&iv), Mode::Ctr(&iv), Mode::Kw, Mode::Kwp] {
        measure(mode, "encrypt", || provider.encrypt(&aes, mode, &mut alloc::vec![0; 64]));
    }
    measure("AES", "CMAC", || provider.cmac(&aes, &[b"text"]).map(drop));
}

#[inline(never)]
fn pair(provider: &Provider, kind: PairKind, scheme: Option<Scheme<'_>>) {
    measure(kind, "generate", || provider.generate(kind).map(drop));
    let Ok(made) = provider.generate(kind) else { return log!("{kind:?}: no pair") };
    measure(kind, "load", || provider.load(KeyKind::Pair(kind), &made.secret).map(drop));
    measure(kind, "load public", || provider.load_public(kind, &made.public).map(drop));
    let Ok(private) = provider.load(KeyKind::Pair(kind), &made.secret) else { return };
    let Ok(public) = provider.load_public(kind, &made.public) else { return };
    if let Some(scheme) = scheme {
        let message = [7; 32];
        measure(kind, "sign", || provider.sign(&private, scheme, &message).map(drop));
        let Ok(signature) = provider.sign(&private, scheme, &message) else { return };
        measure(kind, "verify", || provider.verify(&public, scheme, &message, &signature));
    }
    if let Ok((ciphertext, _)) = provider.encapsulate(&public) {
        measure(kind, "encapsulate", || provider.encapsulate(&public).map(drop));
        measure(kind, "decapsulate", || provider.decapsulate(&private, &ciphertext).map(drop));
    }
    if provider.agree(&private, &made.public).is_ok() {
        measure(kind, "agree", || provider.agree(&private, &made.public).map(drop));
    }
}

/// Says how much stack an operation takes, from here down.
#[inline(never)]
fn measure(what: impl core::fmt::Debug, name: &str, mut operation: impl FnMut() -> Outcome) {
    let top = cortex_m::register::msp::read() as usize;
    paint(top - OWN);
    let outcome = operation();
    log!("{:>8}  {what:?} {name}: {outcome:?}; heap {} in use", top - lowest(top - OWN), heap::usage().0);
}

#[inline(never)]
fn paint(top: usize) {
    for address in (END..top).step_by(4) {
        // SAFETY: between the end of the stack and `OWN` bytes below the caller's stack pointer lies nothing that is in use:
        // there are no interrupts here, and this loop's frame is smaller than `OWN`.
        unsafe { ptr::with_exposed_provenance_mut::<u32>(address).write_volatile(PATTERN) };
    }
}

#[inline(never)]
fn lowest(top: usize) -> usize {
    let used = (END..top).step_by(4).find(|address| {
        // SAFETY: it is the stack's memory, which may be read at any time.
        unsafe { ptr::with_exposed_provenance::<u32>(*address).read_volatile() != PATTERN }
    });
    used.unwrap_or(top)
}

#[panic_handler]
fn panicked(why: &PanicInfo<'_>) -> ! {
    log!("{why}");
    loop {
        cortex_m::asm::wfi();
    }
}

/// What a stack that overflows ends in.
#[exception]
// SAFETY: `exception` wants the word; the handler touches nothing but the log and never returns.
unsafe fn HardFault(_: &cortex_m_rt::ExceptionFrame) -> ! {
    log!("fault: the stack is not enough");
    loop {
        cortex_m::asm::wfi();
    }
}

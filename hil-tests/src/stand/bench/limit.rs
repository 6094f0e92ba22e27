//! What AWS-LC itself does on all cores: the cryptography under our native bodies, with nothing around it.

use anyhow::{Result, anyhow};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::*;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// Its name among the contenders.
pub const NAME: &str = "AWS-LC";

/// Sealing or opening one full packet of a link.
pub const PACKET: &str = "aes256-gcm-packet";
/// Octets of such a packet, on a path of 1500.
pub const PACKET_LEN: usize = 1424;

/// One operation on a key that exists.
type Step = Box<dyn FnMut() + Send>;

/// Operations per second on so many threads; `None` for what is not cryptography alone.
pub fn rate(operation: &str, threads: usize, seconds: u32) -> Result<Option<f64>> {
    let steps: Option<Vec<_>> = (0..threads).map(|_| step(operation).transpose()).collect();
    let Some(steps) = steps else { return Ok(None) };
    let steps = steps.into_iter().collect::<Result<Vec<_>>>()?;
    let (ready, lasts) = (Barrier::new(threads), Duration::from_secs(seconds.into()));
    let count = |mut step: Step, since: Instant| {
        ready.wait();
        let mut done = 0u64;
        while since.elapsed() < lasts {
            step();
            done += 1;
        }
        done
    };
    // one clock for all: where threads outnumber cores, some begin when others have ended
    let since = Instant::now();
    let done = std::thread::scope(|scope| {
        let workers: Vec<_> = steps.into_iter().map(|step| scope.spawn(|| count(step, since))).collect();
        workers.into_iter().map(|w| w.join().map_err(|_| anyhow!("{NAME} failed at {operation}"))).sum::<Result<u64>>()
    })?;
    Ok(Some(done as f64 / since.elapsed().as_secs_f64()))
}

fn step(operation: &str) -> Result<Option<Step>> {
    Ok(Some(match operation {
        "ecdsa-p256-sign" => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING)?,
        "ecdsa-p384-sign" => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING)?,
        "ed25519-sign" => {
            let key = Ed25519KeyPair::generate()?;
            Box::new(move || used(key.sign(&[7; 64])))
        }
        "rsa2048-sign" => rsa()?,
        "aes256-gcm-1k" => gcm(1024)?,
        "aes256-gcm-16k" => gcm(16 * 1024)?,
        PACKET => gcm(PACKET_LEN)?,
        "genkey-p256" => {
            let generate = || EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
            generate()?;
            Box::new(move || used(generate()))
        }
        _ => return Ok(None),
    }))
}

fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> Result<Step> {
    let (key, random) = (EcdsaKeyPair::generate(algorithm)?, SystemRandom::new());
    key.sign(&random, &[7; 32])?;
    Ok(Box::new(move || used(key.sign(&random, &[7; 32]))))
}

fn rsa() -> Result<Step> {
    let key = RsaKeyPair::from_pkcs8(KeyPair::generate(KeySize::Rsa2048)?.as_der()?.as_ref())?;
    let (random, mut out) = (SystemRandom::new(), [0; 256]);
    key.sign(&RSA_PKCS1_SHA256, &random, &[7; 32], &mut out)?;
    Ok(Box::new(move || used(key.sign(&RSA_PKCS1_SHA256, &random, &[7; 32], &mut out))))
}

fn gcm(len: usize) -> Result<Step> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32])?);
    let (mut data, mut count) = (vec![7; len], 0u64);
    Ok(Box::new(move || {
        count += 1;
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&count.to_be_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        used(key.seal_in_place_separate_tag(nonce, Aad::empty(), &mut data));
    }))
}

/// Keeps the compiler from leaving out what nobody looks at.
fn used<T>(result: T) {
    let _ = std::hint::black_box(result);
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn it_has_a_rate_for_cryptography_and_none_for_the_rest() {
        assert!(rate("ecdsa-p256-sign", 2, 0).unwrap().is_some_and(|rate| rate >= 0.0));
        assert!(rate("find-10k", 1, 0).unwrap().is_none());
    }
}

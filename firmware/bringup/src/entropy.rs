//! Where a board's randomness comes from.
//!
//! The DRBG that stretches it belongs to the cryptographic provider. This is what seeds it: on a real board a hardware
//! generator with health tests, under emulation a seed from the factory page that is random to nobody who has the file.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use coloa_crypto_portable::{Entropy, EntropyFailure};
use sha2::{Digest, Sha384};
use zeroize::{Zeroize, Zeroizing};

/// What every banner of a board with [`InsecureSeed`] says.
pub const INSECURE: &str = "INSECURE SEED, FOR DEVELOPMENT: whoever has the flash file knows every key";

const BLOCK: usize = 48;

/// A seed from the factory page, made different for each boot and each draw.
///
/// Blocks are SHA-384(label ‖ seed ‖ boot ‖ block number): no two boots and no two draws repeat. It adds no entropy.
pub struct InsecureSeed {
    seed: Vec<u8>,
    boot: u32,
    block: AtomicU32,
}

impl InsecureSeed {
    /// From the factory page's seed and the number of this boot ([`crate::boots::count`]).
    pub fn new(seed: &[u8], boot: u32) -> Self {
        Self { seed: seed.to_vec(), boot, block: AtomicU32::new(0) }
    }
}

impl InsecureSeed {
    fn block(&self) -> Result<Zeroizing<[u8; BLOCK]>, EntropyFailure> {
        let next = |block: u32| block.checked_add(1);
        let block = self.block.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).map_err(|_| EntropyFailure)?;
        let digest = Sha384::new()
            .chain_update(b"coloa insecure seed")
            .chain_update(&self.seed)
            .chain_update(self.boot.to_be_bytes())
            .chain_update(block.to_be_bytes())
            .finalize();
        Ok(Zeroizing::new(digest.into()))
    }
}

impl Entropy for InsecureSeed {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyFailure> {
        for part in out.chunks_mut(BLOCK) {
            let block = self.block()?;
            part.iter_mut().zip(block.iter()).for_each(|(to, from)| *to = *from);
        }
        Ok(())
    }
}

impl Drop for InsecureSeed {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(source: &InsecureSeed) -> [u8; 100] {
        let mut out = [0; 100];
        source.fill(&mut out).unwrap();
        out
    }

    #[test]
    fn neither_a_boot_nor_a_draw_repeats() {
        let first = InsecureSeed::new(&[7; 48], 1);
        let (a, b) = (draw(&first), draw(&first));
        let c = draw(&InsecureSeed::new(&[7; 48], 2));
        let d = draw(&InsecureSeed::new(&[8; 48], 1));
        assert!(a != b && a != c && a != d && a[..48] != a[48..96]);
        assert_eq!(a, draw(&InsecureSeed::new(&[7; 48], 1)), "a seed is a seed: nothing random comes in");
    }
}

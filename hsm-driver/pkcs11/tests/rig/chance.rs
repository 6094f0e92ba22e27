//! Choices that one number decides: who knows it can make them again.

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
pub struct Chance(u64);

/// A number for this run, said where a failure shows it.
pub fn seed() -> u64 {
    let seed = getrandom::u64().unwrap();
    println!("seed {seed:#x}");
    seed
}

impl Chance {
    pub fn new(seed: u64) -> Self {
        Chance(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, count: u64) -> u64 {
        self.number() % count
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// Fewer bytes than this.
    pub fn bytes(&mut self, length: u64) -> Vec<u8> {
        (0..self.below(length)).map(|_| self.number() as u8).collect()
    }
}

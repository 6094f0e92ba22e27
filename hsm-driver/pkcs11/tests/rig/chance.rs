//! Choices that one number decides: who knows it can make them again.

use coloa_store_testkit::Dice;

/// Dice that choose among more than numbers.
pub struct Chance(Dice);

/// A number for this run, said where a failure shows it.
pub fn seed() -> u64 {
    let seed = getrandom::u64().unwrap();
    println!("seed {seed:#x}");
    seed
}

impl Chance {
    pub fn new(seed: u64) -> Self {
        Chance(Dice::new(seed))
    }

    pub fn number(&mut self) -> u64 {
        self.0.bits()
    }

    pub fn below(&mut self, count: u64) -> u64 {
        self.0.below(count)
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// Fewer bytes than this.
    pub fn bytes(&mut self, length: u64) -> Vec<u8> {
        let length = self.below(length);
        self.0.bytes(length)
    }
}

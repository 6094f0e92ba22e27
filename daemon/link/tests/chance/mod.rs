//! Property tests that draw the same cases in every run.

use proptest::test_runner::{Config, RngSeed};

pub fn fixed() -> Config {
    Config { rng_seed: RngSeed::Fixed(4303), failure_persistence: None, ..Config::default() }
}

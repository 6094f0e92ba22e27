//! The power is cut at every word and every sector of a mixed workload with compactions.

use crate::flash::{Driver, RamFlash};
use coloa_store_testkit::{Verdict, Workload, cut_everywhere, cut_once};

const COMMITS: u64 = 40;

/// Eight records of up to 100 bytes in areas of 2.5 KiB: several compactions.
fn workload(seed: u64) -> Workload {
    Workload::new(seed, 8, 100, 3)
}

fn every_word<const W: usize>(seed: u64, step: u64) {
    let cuts = cut_everywhere(|cut| RamFlash::<W>::new(Driver::Honest, cut ^ seed), &workload(seed), COMMITS, step);
    assert!(cuts.unwrap() > 300);
}

#[test]
fn before_or_after_at_every_word_of_4_bytes() {
    every_word::<4>(1, 1);
}

#[test]
fn before_or_after_at_every_word_of_32_bytes() {
    every_word::<32>(2, 1);
}

#[test]
fn before_or_after_at_single_bytes() {
    every_word::<1>(3, 7);
}

/// The test can fail: a driver that has not written what it says it has is found out.
#[test]
fn a_write_that_was_only_promised_is_noticed() {
    let verdict = cut_everywhere(|cut| RamFlash::<4>::new(Driver::Late, cut), &workload(4), COMMITS, 1);
    assert!(matches!(verdict, Err((_, Verdict::Neither { .. }))), "{verdict:?}");
}

/// The test can fail: a mark that is there before what it vouches for is found out.
#[test]
fn a_mark_before_its_data_is_noticed() {
    let bad = |cut| cut_once(RamFlash::<4>::new(Driver::Reversed, cut), workload(5), COMMITS, cut).is_err();
    assert!((100..600).filter(|cut| bad(*cut)).count() > 10);
}

//! The replay window against an obvious model: a set of everything accepted, and the highest number (R28).

mod chance;

use coloa_link::DropReason;
use coloa_link::replay::{WINDOW, Window};
use proptest::prelude::*;
use std::collections::BTreeSet;

#[derive(Default)]
struct Model {
    seen: BTreeSet<u64>,
    highest: u64,
}

impl Model {
    /// The smallest number with these low bits that is not left of the window (RFC 4303 appendix A2.2), if it is fresh.
    fn judge(&self, low: u32) -> Result<u64, DropReason> {
        let bottom = i128::from(self.highest) - i128::from(WINDOW) + 1;
        let sequence = bottom + (i128::from(low) - bottom).rem_euclid(1 << 32);
        match u64::try_from(sequence) {
            Ok(0) | Err(_) => Err(DropReason::TooOld),
            Ok(sequence) if self.seen.contains(&sequence) => Err(DropReason::Replayed),
            Ok(sequence) => Ok(sequence),
        }
    }

    fn accept(&mut self, sequence: u64) {
        self.seen.insert(sequence);
        self.highest = self.highest.max(sequence);
    }
}

/// Steps a window to just below `start`, in jumps that a 32-bit number on the wire can express.
fn window_at(start: u64) -> (Window, Model) {
    let (mut window, mut model) = (Window::new(), Model::default());
    let mut at = 0;
    while at < start {
        at = (at + 0x7000_0000).min(start);
        let candidate = window.examine(at as u32).unwrap();
        assert_eq!(candidate.sequence(), at);
        window.accept(candidate);
        model.accept(at);
    }
    (window, model)
}

fn starts() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(WINDOW - 1),
        Just((1 << 32) + WINDOW - 1),
        1..3 * WINDOW,
        (1u64 << 32) - 2 * WINDOW..(1 << 32) + 2 * WINDOW,
        Just(5 << 32)
    ]
}

/// Offsets from the highest number: mostly near, sometimes at the window's left end or far ahead.
fn offsets() -> impl Strategy<Value = Vec<i64>> {
    let window = WINDOW as i64;
    let offset = prop_oneof![
        4 => -70i64..140,
        2 => -window - 3..-window + 70,
        1 => -2 * window..2 * window,
        1 => Just(window + 64),
        1 => Just(4 * window),
        1 => Just(1 << 24),
    ];
    proptest::collection::vec(offset, 1..400)
}

proptest! {
    #![proptest_config(chance::fixed())]

    #[test]
    fn the_window_agrees_with_the_model(start in starts(), offsets in offsets(), forged in any::<u64>()) {
        let (mut window, mut model) = window_at(start);
        for (step, offset) in offsets.into_iter().enumerate() {
            let sequence = model.highest.saturating_add_signed(offset);
            let examined = window.examine(sequence as u32);
            prop_assert_eq!(examined.map(|candidate| candidate.sequence()), model.judge(sequence as u32));
            // A packet that fails authentication is examined but never accepted.
            let authentic = forged >> (step % 64) & 1 == 0;
            if let (Ok(candidate), true) = (examined, authentic) {
                window.accept(candidate);
                model.accept(candidate.sequence());
            }
            prop_assert_eq!(window.highest(), model.highest);
        }
    }
}

#[test]
fn each_number_of_a_window_is_accepted_once_in_any_order() {
    let (mut window, _) = window_at(20_000);
    for sequence in (20_001 - WINDOW..20_000).rev() {
        let candidate = window.examine(sequence as u32).unwrap();
        window.accept(candidate);
    }
    for sequence in 20_001 - WINDOW..=20_000 {
        assert_eq!(window.examine(sequence as u32), Err(DropReason::Replayed), "{sequence}");
    }
    // One further left can only be a number of the next 2^32, and will fail authentication as such.
    let beyond = window.examine((20_000 - WINDOW) as u32).unwrap();
    assert_eq!(beyond.sequence(), 20_000 - WINDOW + (1 << 32));
}

#[test]
fn the_high_half_never_goes_below_zero() {
    assert_eq!(Window::new().examine(u32::MAX), Err(DropReason::TooOld));
    assert_eq!(Window::new().examine(0), Err(DropReason::TooOld));
}

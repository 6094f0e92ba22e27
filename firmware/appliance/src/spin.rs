//! How long to spin before sleeping: long while it pays, hardly ever while it does not.

use std::time::{Duration, Instant};

/// A cross-core wake-up costs about 40 µs (ARCHITECTURE decision 4): spinning longer than that cannot win.
const MAX_MICROS: u64 = 50;
/// What is tried now and then when spinning has not paid.
const PROBE_MICROS: u64 = 10;
/// One wait in this many is a probe.
const PROBE_EVERY: u32 = 64;

/// The adaptive budget of one channel.
pub(crate) struct Spin {
    micros: u64,
    waits: u32,
}

impl Default for Spin {
    fn default() -> Self {
        Spin { micros: MAX_MICROS, waits: 0 }
    }
}

impl Spin {
    /// Looks again and again while it is worth it; `None` means: sleep.
    pub(crate) fn until<T>(&mut self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        self.waits = self.waits.wrapping_add(1);
        if let Some(found) = look() {
            return Some(found);
        }
        let probe = if self.waits.is_multiple_of(PROBE_EVERY) { PROBE_MICROS } else { 0 };
        let budget = self.micros.max(probe);
        if budget == 0 {
            return None;
        }
        let until = Instant::now() + Duration::from_micros(budget);
        while Instant::now() < until {
            std::thread::yield_now();
            if let Some(found) = look() {
                self.micros = (self.micros * 2).clamp(PROBE_MICROS, MAX_MICROS);
                return Some(found);
            }
        }
        self.micros /= 2;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_pay_stops_and_what_pays_grows() {
        let mut spin = Spin { waits: 1, ..Spin::default() };
        for _ in 0..8 {
            assert!(spin.until(|| None::<()>).is_none());
        }
        assert_eq!(spin.micros, 0);
        spin.micros = MAX_MICROS / 2;
        let mut looks = 0;
        let second = spin.until(|| {
            looks += 1;
            (looks == 2).then_some(())
        });
        assert!(second.is_some());
        assert_eq!(spin.micros, MAX_MICROS);
    }
}

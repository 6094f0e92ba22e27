//! How long to spin before sleeping: long while it pays, hardly ever while it does not.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A cross-core wake-up costs about 40 µs (ARCHITECTURE decision 4): spinning longer than that cannot win.
const MAX_MICROS: u32 = 50;
/// What is tried now and then when spinning has not paid.
const PROBE_MICROS: u32 = 10;
/// One wait in this many is a probe.
const PROBE_EVERY: u32 = 64;

/// The adaptive budget of one connection.
pub(crate) struct Spin {
    micros: AtomicU32,
    waits: AtomicU32,
}

/// One wait.
pub(crate) struct Wait<'a> {
    spin: &'a Spin,
    until: Option<Instant>,
    slept: bool,
}

impl Default for Spin {
    fn default() -> Self {
        Spin { micros: AtomicU32::new(MAX_MICROS), waits: AtomicU32::new(0) }
    }
}

impl Spin {
    /// Begins a wait.
    pub(crate) fn start(&self) -> Wait<'_> {
        let waits = self.waits.fetch_add(1, Ordering::Relaxed);
        let probe = if waits.is_multiple_of(PROBE_EVERY) { PROBE_MICROS } else { 0 };
        let micros = self.micros.load(Ordering::Relaxed).max(probe);
        let until = (micros > 0).then(|| Instant::now() + Duration::from_micros(micros.into()));
        Wait { spin: self, until, slept: false }
    }
}

impl Wait<'_> {
    /// Whether to look once more without sleeping.
    pub(crate) fn again(&mut self) -> bool {
        match self.until {
            Some(until) if Instant::now() < until => {
                std::thread::yield_now();
                true
            }
            Some(_) => {
                self.until = None;
                self.slept = true;
                let micros = self.spin.micros.load(Ordering::Relaxed);
                self.spin.micros.store(micros / 2, Ordering::Relaxed);
                false
            }
            None => {
                self.slept = true;
                false
            }
        }
    }

    /// Something arrived.
    pub(crate) fn hit(&mut self) {
        if !self.slept && self.until.is_some() {
            let micros = self.spin.micros.load(Ordering::Relaxed);
            self.spin.micros.store((micros * 2).clamp(PROBE_MICROS, MAX_MICROS), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_pay_stops_and_what_pays_grows() {
        let spin = Spin::default();
        spin.waits.store(1, Ordering::Relaxed);
        for _ in 0..8 {
            let mut wait = spin.start();
            while wait.again() {}
            wait.hit();
        }
        assert_eq!(spin.micros.load(Ordering::Relaxed), 0);
        spin.micros.store(MAX_MICROS / 2, Ordering::Relaxed);
        spin.start().hit();
        assert_eq!(spin.micros.load(Ordering::Relaxed), MAX_MICROS);
    }
}

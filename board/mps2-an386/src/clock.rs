//! Time since the start: SysTick, once a millisecond.

use core::cell::Cell;

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use critical_section::Mutex;

/// The core clock (ARM DAI 0386 §3.5: 25 MHz).
const CORE_HZ: u32 = 25_000_000;

static MILLISECONDS: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

/// Starts the tick.
pub fn start(mut systick: SYST) {
    systick.set_clock_source(SystClkSource::Core);
    systick.set_reload(CORE_HZ / 1000 - 1);
    systick.clear_current();
    systick.enable_counter();
    systick.enable_interrupt();
}

/// Milliseconds since [`start`].
pub fn milliseconds() -> u64 {
    critical_section::with(|cs| MILLISECONDS.borrow(cs).get())
}

#[exception]
fn SysTick() {
    critical_section::with(|cs| {
        let now = MILLISECONDS.borrow(cs);
        now.set(now.get().wrapping_add(1));
    });
}

//! The console: UART0 (CMSDK APB UART), output only. It never carries a secret.

use core::fmt;
use core::ptr;

const UART0: usize = 0x4000_4000;
const DATA: usize = UART0;
const STATE: usize = UART0 + 0x04;
const CTRL: usize = UART0 + 0x08;
const BAUDDIV: usize = UART0 + 0x10;

const TX_FULL: u32 = 1;
const TX_ENABLE: u32 = 1;
/// 25 MHz / 217 = 115,207 baud.
const DIVISOR: u32 = 217;

/// Prints a line on the console.
#[macro_export]
macro_rules! log {
    ($($text:tt)*) => {{
        use core::fmt::Write as _;
        // The console cannot fail: it waits until the UART takes a byte.
        let _ = writeln!($crate::console::Console, $($text)*);
    }};
}

/// Switches the UART on.
pub fn start() {
    write(BAUDDIV, DIVISOR);
    write(CTRL, TX_ENABLE);
}

/// Where [`log!`] writes.
pub struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            while read(STATE) & TX_FULL != 0 {}
            write(DATA, u32::from(byte));
        }
        Ok(())
    }
}

fn read(register: usize) -> u32 {
    // SAFETY: `register` is one of the constants above, which ARM DAI 0386 maps to UART0; reading them has no effect on memory.
    unsafe { ptr::with_exposed_provenance::<u32>(register).read_volatile() }
}

fn write(register: usize, value: u32) {
    // SAFETY: as in `read`; the UART writes no memory.
    unsafe { ptr::with_exposed_provenance_mut::<u32>(register).write_volatile(value) }
}

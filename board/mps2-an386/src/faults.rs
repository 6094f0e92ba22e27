//! What ends in a reset: a panic, a processor fault, memory at its end.
//!
//! A board that lost its mind must not go on: it says what happened and starts anew. Nothing acknowledged is lost, because
//! what is acknowledged is in flash.

use core::panic::PanicInfo;

use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};

use crate::log;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // The place, not the message: a message may quote data.
    match info.location() {
        Some(place) => log!("panic at {}:{}; restarting", place.file(), place.line()),
        None => log!("panic; restarting"),
    }
    SCB::sys_reset()
}

// SAFETY: it never returns to the code whose state may be broken.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    log!("hard fault at {:#010x}, called from {:#010x}; restarting", frame.pc(), frame.lr());
    SCB::sys_reset()
}
